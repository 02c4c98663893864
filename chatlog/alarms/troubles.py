"""The rooms that are not recorded although they were asked for, and since when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from chatlog.journal.journal import Key
from chatlog.rooms.pool import Pool
from chatlog.rooms.seats import State

#: A room that cannot even be asked for, because its ids are not known.
UNIDENTIFIED = "unidentified"


class Trouble(NamedTuple):
    """``kind`` is ``refused``, ``silent`` or ``unidentified``; ``since`` in seconds of the clock;
    ``reason`` in words."""

    kind: str
    since: float
    reason: str


class Troubles:
    """Remembers when each room's trouble began, through all the tries in between: a room that is asked
    for again is no better until it is recorded."""

    def __init__(self) -> None:
        self._rooms: dict[Key, Trouble] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._rooms

    def look(self, pools: Mapping[str, Pool], missing: Mapping[str, Mapping[str, str]], now: float) -> None:
        """Called every few seconds."""
        before, self._rooms = self._rooms, {}
        for platform, pool in pools.items():
            for name, room in pool.rooms.items():
                if room.coverage.covered:
                    continue
                key = platform, name
                old = before.get(key)
                state = room.state
                if state is State.REFUSED or state is State.SILENT:
                    since = now if old is None else old.since
                    self._rooms[key] = Trouble(state.value, since, room.reason)
                elif old is not None and old.kind != UNIDENTIFIED:
                    self._rooms[key] = old
        for platform, reasons in missing.items():
            known = pools[platform].rooms if platform in pools else {}
            for name, reason in reasons.items():
                if name not in known:
                    old = before.get((platform, name))
                    self._rooms[platform, name] = Trouble(UNIDENTIFIED, old.since if old else now, reason)

    def lasting(self, kind: str, before: float) -> Iterator[tuple[Key, Trouble]]:
        """The troubles of a kind that began before then."""
        for key, trouble in self._rooms.items():
            if trouble.kind == kind and trouble.since <= before:
                yield key, trouble
