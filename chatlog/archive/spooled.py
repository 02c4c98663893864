"""Remembers the files that were seen in a recorder's spool: one that has left it since is in the store, and
perhaps in no cached listing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from threading import Lock

from chatlog.archive.catalog import Catalog
from chatlog.archive.listings import Room
from chatlog.naming import FileName

#: The files of rooms.
Names = Mapping[Room, Collection[FileName]]


class Spooled:
    """The files that were seen, until they are gone. May be used by several threads."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._seen: dict[Room, frozenset[FileName]] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        """How many files are remembered."""
        return sum(map(len, self._seen.values()))

    def before(self) -> Names:
        """The files that were seen until now. Call this before the spool is listed: a file that another
        thread sees meanwhile is not gone."""
        with self._lock:
            return dict(self._seen)

    def of(self, room: Room) -> Names:
        """The same of one room."""
        with self._lock:
            return {room: self._seen.get(room, frozenset())}

    def saw(self, before: Names, now: Names) -> None:
        """The files of these rooms were listed. Those that are gone are looked for in the store anew."""
        for room in before.keys() | now.keys():
            there = frozenset(now.get(room, ()))
            gone = frozenset(before.get(room, ())) - there
            for name in gone:
                self._catalog.forget(room, name.minute)
            with self._lock:
                left = (self._seen.pop(room, frozenset()) | there) - gone
                if left:
                    self._seen[room] = left
