"""How long the records of a room are kept (``archive.keep``): a room's own time, else that of its platform,
else the default; for ever if none is given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chatlog.config.values import FOREVER, show_keep

#: Platform and channel.
Room = tuple[str, str]

DAY = 86400.0
#: The name of the time for all other rooms.
DEFAULT = "default"


class Retention:
    """The times of an archive, from pairs of a room (``twitch/x``), a platform or ``default``, and
    seconds."""

    def __init__(self, pairs: Iterable[tuple[str, float]] = ()) -> None:
        self._times = dict(pairs)

    @property
    def is_forever(self) -> bool:
        """Whether nothing is ever deleted."""
        return all(seconds == FOREVER for seconds in self._times.values())

    def of(self, room: Room) -> float:
        """For how many seconds the records of a room are kept; inf for ever."""
        for name in ("/".join(room), room[0], DEFAULT):
            if name in self._times:
                return self._times[name]
        return FOREVER

    def since(self, room: Room, now: float) -> float:
        """The time before which the records of a room are not kept; -inf if all are."""
        return now - self.of(room)

    def explains(self, room: Room, until: float, begun: float, now: float) -> bool:
        """Whether the room has nothing from before ``until`` because it is not kept longer. ``begun``: when
        its earliest records begin."""
        since = self.since(room, now)
        # Records that are a day too old may still be there. If the earliest ones are much younger, the room
        # was not recorded before.
        return until <= since + DAY and begun <= since + 2 * DAY

    def words(self, room: Room) -> str:
        """How long the records of a room are kept, for people: ``90 days``."""
        seconds = self.of(room)
        days = round(seconds / DAY) if seconds != FOREVER else 0
        return "for ever" if not days else f"{days} day{'' if days == 1 else 's'}"

    def written(self, room: Room) -> str:
        """How long the records of a room are kept, as in a configuration: ``90d``."""
        return show_keep(self.of(room))

    def times(self) -> set[float]:
        """All times that end, in seconds."""
        return {seconds for seconds in self._times.values() if seconds != FOREVER}

    def rooms(self) -> Iterator[Room]:
        """The rooms with a time of their own."""
        for name in self._times:
            platform, slash, channel = name.partition("/")
            if slash:
                yield platform, channel
