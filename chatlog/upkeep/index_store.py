"""Lists, reads and writes the sets of an index in the store.

A set is replaced in steps: its objects are deleted, and the new ones are stored and checked. A process that
is killed in between leaves an incomplete set, which no search uses and the next run makes again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatlog.archive.index_coverage import from_json
from chatlog.index.sets import (
    ABOVE,
    DAYS,
    KINDS,
    LAYOUT,
    LAYOUT_KEY,
    ROOMS_KEY,
    SOURCES_KEY,
    WORDS,
    Days,
    IndexSet,
    Room,
    key_of,
    sets_of,
)
from chatlog.index.writing import Kept
from chatlog.parquet import duck
from chatlog.store.store import Store, StoreError
from chatlog.upkeep.lock import ArchiveLock, Lost

_TYPE = {"Content-Type": "application/vnd.apache.parquet"}

#: The files of a room's day as an index knows them: short names, suffixes and sizes.
Files = frozenset[tuple[str, str, int]]
#: The files by room and day (``2025-12-29``).
Units = dict[tuple[Room, str], Files]


class Damaged(Exception):
    """A set cannot be read, or is of another layout: it is made again."""


@dataclass(slots=True)
class Fetched:
    """A set whose objects are in a directory, and the rooms of its units."""

    directory: Path
    rooms: list[Room]
    units: Units

    def kept(self, wanted: Callable[[Room, str], bool]) -> Kept:
        """The set with the wanted days of rooms."""
        days: Days = {}
        for room, day in self.units:
            if wanted(room, day):
                days[room] = days.get(room, 0) | 1 << int(day[8:])
        return Kept(self.directory, days, self.rooms)


class IndexStore:
    """The sets of one archive. ``lock`` is held meanwhile. Every method may raise StoreError, OSError, Lost.
    ``stored`` counts the objects that were written, ``bytes`` their bytes, ``removed`` the objects that were
    deleted."""

    def __init__(self, store: Store, lock: ArchiveLock) -> None:
        self._store = store
        self._lock = lock
        self._spans: set[str] = set()
        self.stored = self.bytes = self.removed = 0

    def sets(self) -> dict[str, IndexSet]:
        """The sets by their spans. Incomplete sets are deleted."""
        whole, broken = sets_of(self._store.list(ABOVE))
        for key in (key for keys in broken.values() for key in keys):
            self._lock.check()
            self._store.delete(key)
            self.removed += 1
        self._spans = set(whole)
        return whole

    def units(self, found: IndexSet, directory: Path, connection: Any) -> Units:
        """The files of which a set was made. Raises Damaged."""
        directory.mkdir()
        return _units(self._fetch(found, DAYS, directory), connection)

    def fetch(self, found: IndexSet, directory: Path, connection: Any) -> Fetched:
        """The whole set. Raises Damaged."""
        directory.mkdir()
        sources = set()
        for kind in KINDS:
            known = _metadata(self._fetch(found, kind, directory), connection)
            sources.add(known.get(SOURCES_KEY))
            if kind == WORDS:
                rooms = [_room(name) for name in known.get(ROOMS_KEY, ())]
        if len(sources) > 1:
            raise Damaged("its objects do not belong together")
        return Fetched(directory, rooms, _units(directory / f"{DAYS}.parquet", connection))

    def _fetch(self, found: IndexSet, kind: str, directory: Path) -> Path:
        path = directory / f"{kind}.parquet"
        with path.open("wb") as file:
            for chunk in self._store.read(found.head(kind).key):
                file.write(chunk)
        return path

    def put(self, span: str, directory: Path) -> None:
        """Store the set that is in a directory, and delete the one that was there before."""
        self._delete(span)
        for kind in KINDS:
            key = key_of(kind, span)
            data = (directory / f"{kind}.parquet").read_bytes()
            self._lock.check()
            self._store.put_new(key, data, _TYPE)
            head = self._store.head(key)
            if head is None or head.size != len(data):
                raise StoreError(f"{key} was stored, but the store does not have it as it was sent")
            self.bytes += len(data)
            self.stored += 1
            self._spans.add(span)
        try:
            self._lock.check()
        except Lost:
            # A person may have been erased meanwhile.
            self._delete(span)
            raise

    def forget(self, span: str) -> None:
        """Delete a set, if it is there."""
        self._lock.check()
        self._delete(span)

    def _delete(self, span: str) -> None:
        if span in self._spans:
            for kind in KINDS:
                self._store.delete(key_of(kind, span))
                self.removed += 1
            self._spans.discard(span)


def _metadata(path: Path, connection: Any) -> dict[str, Any]:
    try:
        known = duck.metadata(path, connection)
    except duck.Unreadable as error:
        raise Damaged(str(error)) from None
    if known.get(LAYOUT_KEY) != LAYOUT:
        raise Damaged("it is of another layout")
    return known


def _units(path: Path, connection: Any) -> Units:
    _metadata(path, connection)
    try:
        with duck.clear_errors():
            rows = connection.execute(
                f"SELECT platform, channel, day::VARCHAR, files FROM read_parquet({duck.quoted(str(path))})"
            ).fetchall()
        return {
            ((platform, channel), day): frozenset(
                (name, each.suffix, each.size) for name, each in from_json(text).items()
            )
            for platform, channel, day, text in rows
        }
    except (duck.Unreadable, ValueError) as error:
        raise Damaged(str(error)) from None


def _room(name: str) -> Room:
    platform, _, channel = name.partition("/")
    return platform, channel
