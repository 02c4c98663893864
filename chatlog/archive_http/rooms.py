"""The rooms of the archive by name and by id. The ids are from the records; no platform is asked."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from chatlog.archive import lines
from chatlog.archive.day_book import DayBook
from chatlog.archive.opening import Archive
from chatlog.archive.recordings import Recordings
from chatlog.archive.room_files import PartError, Room
from chatlog.archive_http.asked import Refused
from chatlog.config.values import FOREVER
from chatlog.naming import CHANNEL
from chatlog.near_names import near
from chatlog.record import SERVER_CHANNEL
from chatlog.status.natural import natural

#: Seconds for which the list of rooms, and a room's id, are cached.
FRESH, KNOWN = 30.0, 3600.0
#: The days before a room's last day in which its id is looked for.
_DAYS = 5
AT_ONCE = 8


class Rooms:
    """``now()`` is the time of day. May be used by several threads; every method may raise StoreError."""

    def __init__(self, archive: Archive, now: Callable[[], float], days: DayBook | None = None) -> None:
        """``days`` reads the manifests."""
        self._archive = archive
        #: When each room was recorded.
        days = days or DayBook(archive.store, now, archive.waiting)
        self.recordings = Recordings(archive.parts, days, archive.retention, now)
        #: Those who opted out.
        self.hidden = archive.hidden
        self._now = now
        self._lock = Lock()
        self._listed: tuple[float, frozenset[Room]] = (float("-inf"), frozenset())
        self._ids: dict[Room, tuple[float, str]] = {}

    def all(self) -> frozenset[Room]:
        """Every room."""
        with self._lock:
            at, rooms = self._listed
        now = self._now()
        if not 0 <= now - at < FRESH:
            rooms = frozenset(room for room in self._archive.rooms() if room[1] != SERVER_CHANNEL)
            with self._lock:
                self._listed = now, rooms
                self._ids = {room: known for room, known in self._ids.items() if room in rooms}
        return rooms

    def of_platform(self, platform: str) -> list[Room]:
        """The rooms of a platform, sorted by name."""
        return sorted((room for room in self.all() if room[0] == platform), key=lambda room: natural(room[1]))

    def id(self, room: Room) -> str:
        """The platform's id of a room in its latest records; ``""`` if they have none."""
        now = self._now()
        with self._lock:
            at, id = self._ids.get(room, (float("-inf"), ""))
        if not 0 <= now - at < KNOWN:
            id = self._looked_up(room)
            with self._lock:
                self._ids[room] = now, id
        return id

    def ids(self, rooms: list[Room]) -> list[str]:
        """The ids of rooms."""
        with ThreadPoolExecutor(AT_ONCE) as threads:
            return list(threads.map(self.id, rooms))

    def _looked_up(self, room: Room) -> str:
        for day in self.days(room)[: -_DAYS - 1 : -1]:
            since = lines.seconds(f"{day}T00:00:00Z")
            for part in reversed(self._archive.parts.of_room(room, since, since + 86400.0)):
                try:
                    block = next(self._archive.parts.blocks(part), b"")
                except PartError:
                    continue
                for line in block.split(b"\n", 50)[:50]:
                    record = lines.record_of(line)
                    if record is not None and (id := record.get("channel_id")):
                        return str(id)
        return ""

    def is_expired(self, room: Room) -> Callable[[float, float], bool]:
        """The function ``is_expired`` that ``state_of`` needs for a room."""
        retention, now = self._archive.retention, self._now()
        return lambda until, begun: retention.explains(room, until, begun, now)

    def kept(self, room: Room) -> str | None:
        """How long the room's records are kept, in words; None if for ever."""
        return None if self._archive.retention.of(room) == FOREVER else self._archive.retention.words(room)

    def days(self, room: Room) -> list[str]:
        """The days of a room with files, oldest first."""
        return self._archive.parts.days_of(room)

    def named(self, platform: str, name: str) -> Room:
        """The room of a name. Raises Refused: 404 with similar names."""
        room = platform, name.lower()
        if not self._was_there(room) and room not in (rooms := self.all()):
            alike = near(name[:64], [other for place, other in rooms if place == platform])
            hint = f"; there is {', '.join(alike)}" if alike else ""
            shown = name if CHANNEL.match(name) else "of that name"
            raise Refused(
                404, "no_such_room", f"Not found: there is no channel {shown} in this archive{hint}"
            )
        return room

    def likely(self, platform: str, name: str) -> tuple[Room, bool]:
        """The room of a name, and whether it is certain that there is one. To list all rooms takes longer
        than most answers, and a record of the room proves that it is there."""
        room = platform, name.lower()
        if self._was_there(room) or not CHANNEL.match(room[1]) or room[1] == SERVER_CHANNEL:
            return self.named(platform, name), True
        return room, False

    def _was_there(self, room: Room) -> bool:
        # A room that was listed once stays. Only for an unknown name is a new list worth its time.
        with self._lock:
            return room in self._listed[1]

    def of_id(self, platform: str, id: str) -> Room:
        """The room with an id; if it has changed its name, the one with the latest records. Raises
        Refused."""
        rooms = self.of_platform(platform)
        found = [room for room, known in zip(rooms, self.ids(rooms), strict=True) if known == id]
        if not found or not id:
            raise Refused(404, "no_such_room", "Not found: there is no channel of that id in this archive")
        return found[0] if len(found) == 1 else max(found, key=lambda room: self.days(room)[-1:])
