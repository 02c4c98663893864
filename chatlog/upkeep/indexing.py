"""Makes the index of people and words, for searches. The objects stay the truth.

A day that has been over for two hours becomes a set of its own. The sets of days are merged into that of
their month once there are eight of them, and once the month is over. A room's day whose files have changed
since is read again: late ones, imported ones, those from which a person was erased. A run that was killed is
continued by the next one, from the first day that was not done.
"""

from __future__ import annotations

import shutil
from calendar import monthrange
from collections.abc import Callable, Collection, Iterable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from chatlog.archive.index_coverage import listed
from chatlog.archive.opening import Archive
from chatlog.archive.room_files import Part
from chatlog.index.sets import IndexSet, Room, span_of
from chatlog.index.writing import Kept, Stage, write
from chatlog.parquet import duck
from chatlog.store.store import StoreError
from chatlog.upkeep.derived import RoomDay, index_keys
from chatlog.upkeep.index_store import Damaged, Fetched, Files, IndexStore, Units
from chatlog.upkeep.index_units import add_unit
from chatlog.upkeep.lock import ArchiveLock
from chatlog.upkeep.workplace import workplace

DAY = 86400.0
#: A day is read so many seconds after its end. Most files are stored then; a search reads the late ones.
SETTLED = 2 * 3600.0
#: So many sets of days are merged into that of their month, for a search queries each set.
_TOGETHER = 8


@dataclass(slots=True)
class Indexed:
    """The result of a run: ``days`` of rooms were read, of ``read`` bytes (unpacked). ``stored`` objects were
    written, with ``bytes``; ``removed`` ones were deleted, because they were damaged or went into others."""

    days: int = 0
    read: int = 0
    stored: int = 0
    bytes: int = 0
    removed: int = 0


class Indexer:
    """Indexes an archive. ``memory`` is in bytes; ``now()`` is the time of day; ``step(day, room)`` is called
    before each room's day that is read. Everything blocks, and may raise StoreError and OSError."""

    def __init__(
        self,
        archive: Archive,
        now: Callable[[], float],
        memory: int = 256_000_000,
        step: Callable[[date, Room], None] = lambda day, room: None,
    ) -> None:
        self._archive = archive
        self._now = now
        self._memory = memory
        self._step = step
        #: The moment at which the run began: listings since then are reused.
        self._moment = archive.parts.moment()

    def run(self, days: Iterable[date], rooms: Collection[Room] | None, lock: ArchiveLock) -> Indexed:
        """Index these days, which are over, where the index is missing or out of date; ``rooms`` None means
        all. Raises NoDuckDB, TooLittleMemory, Lost."""
        outcome = Indexed()
        self._moment = self._archive.parts.moment()
        store = IndexStore(self._archive.store, lock)
        sets = store.sets()
        there = set(self._archive.catalog.days())
        wanted = {day.isoformat() for day in days}
        months = {day[:7] for day in wanted}
        if rooms is None:
            # All objects of a day may be gone.
            months |= {span[:7] for span in sets if span not in there}
        for month in sorted(months):
            with (
                workplace() as directory,
                closing(duck.connect(self._memory, directory)) as connection,
            ):
                work = _Month(self, store, directory, connection, outcome)
                own = {span: found for span, found in sets.items() if span[:7] == month}
                of_month = {day for day in wanted if day[:7] == month}
                try:
                    work.run(month, own, of_month, there, rooms)
                except duck.Unreadable:
                    # One of the sets is damaged: all of the month are made again.
                    for span in store.sets():
                        if span[:7] == month:
                            store.forget(span)
                    work.run(month, {}, of_month, there, rooms)
        outcome.stored, outcome.bytes, outcome.removed = store.stored, store.bytes, store.removed
        return outcome

    def listed(self, day: str, rooms: Collection[Room] | None) -> dict[Room, list[Part]]:
        """The stored files that were begun on a day, by room."""
        since = datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp()
        begun = day.replace("-", "")
        found = {}
        if rooms is None:
            # This takes few requests, and the listing of the next day is reused for that day.
            self._archive.parts.list_ahead(since, since + DAY, self._moment, lambda day: False)
        for room in self._archive.catalog.rooms(day):
            if rooms is None or room in rooms:
                parts = self._archive.parts.of_room(room, since, since + DAY, moment=self._moment)
                if own := [part for part in parts if part.name.minute.startswith(begun) and not part.area]:
                    found[room] = own
        return found

    def read(self, stage: Stage, room: Room, day: str, parts: list[Part], outcome: Indexed) -> None:
        """Read a room's day, and stage it."""
        self._step(date.fromisoformat(day), room)
        outcome.read += add_unit(stage, self._archive.catalog, room, day, parts)
        outcome.days += 1

    def is_over(self, month: str) -> bool:
        """Whether all days of a month have been over for a day."""
        year, number = int(month[:4]), int(month[5:])
        last = datetime(year, number, monthrange(year, number)[1], tzinfo=UTC).timestamp()
        return self._now() >= last + 2 * DAY


class _Month:
    """The work on one month."""

    def __init__(
        self, indexer: Indexer, store: IndexStore, directory: Path, connection: Any, outcome: Indexed
    ) -> None:
        self._indexer = indexer
        self._store = store
        self._directory = directory
        self._connection = connection
        self._outcome = outcome
        self._count = 0

    def run(
        self,
        month: str,
        sets: dict[str, IndexSet],
        days: set[str],
        there: set[str],
        rooms: Collection[Room] | None,
    ) -> None:
        """Make the sets of the days and then, if needed, that of the month. ``there`` are the days with
        objects."""
        merged = self._units(sets.get(month))
        if rooms is None:
            days |= {day for _, day in merged or () if day not in there}
            days |= {span for span in sets if span != month and span not in there}
        daily = {span for span in sets if span != month}
        gone: set[tuple[Room, str]] = set()
        for day in sorted(days):
            work = _Day(
                day, self._units(sets.get(day)), merged or {}, self._indexer.listed(day, rooms), rooms
            )
            gone |= work.wrong(merged or {})
            if work.is_fresh:
                continue
            if self._day(work, sets.get(day)):
                daily.add(day)
            else:
                daily.discard(day)
        is_damaged = month in sets and merged is None
        enough = len(daily) >= _TOGETHER or self._indexer.is_over(month)
        if gone or is_damaged or (daily and enough):
            self._merge(month, sets.get(month), daily, gone)

    def _units(self, found: IndexSet | None) -> Units | None:
        """The files of which a set was made; None if there is no set, or it is damaged."""
        if found is None:
            return None
        with suppress(Damaged), self._temporary() as directory:
            return self._store.units(found, directory, self._connection)
        return None

    def _day(self, work: _Day, found: IndexSet | None) -> bool:
        """Write the set of a day; returns whether there is one now."""
        with ExitStack() as stack:
            stage = stack.enter_context(Stage(stack.enter_context(self._temporary())))
            for room in work.new:
                self._indexer.read(stage, room, work.day, work.there[room], self._outcome)
            stage.close()
            own = self._fetched(found, stack) if found is not None else None
            kept = [own.kept(lambda room, _: room not in work.stale)] if own is not None else []
            return self._write(work.day, kept, stage)

    def _merge(
        self, month: str, found: IndexSet | None, daily: set[str], gone: set[tuple[Room, str]]
    ) -> None:
        """Merge the sets of the days into that of the month, without the days of rooms that are ``gone``."""
        with ExitStack() as stack:
            sets = self._store.sets()
            newer = [self._fetched(sets[day], stack) for day in sorted(daily) if day in sets]
            fetched = [each for each in newer if each is not None]
            renewed = {place for each in fetched for place in each.units}
            kept = [each.kept(lambda room, day: True) for each in fetched]
            own = self._fetched(found, stack) if found is not None else None
            if own is not None:
                left_out = gone | renewed
                kept.append(own.kept(lambda room, day: (room, day) not in left_out))
            self._write(month, kept, None)
        for day in sorted(daily):
            self._store.forget(day)

    def _fetched(self, found: IndexSet, stack: ExitStack) -> Fetched | None:
        """The set; None if it is damaged. Its files are there until the stack is closed."""
        with suppress(Damaged):
            return self._store.fetch(found, stack.enter_context(self._temporary()), self._connection)
        return None

    def _write(self, span: str, kept: list[Kept], stage: Stage | None) -> bool:
        """Write a set, or delete it if it would be empty. Returns whether there is one now."""
        with self._temporary() as target:
            target.mkdir()
            if write(target, kept, stage, self._connection):
                self._store.put(span, target)
                return True
        self._store.forget(span)
        return False

    def _temporary(self) -> _Temporary:
        self._count += 1
        return _Temporary(self._directory / str(self._count))


class _Temporary:
    """The path of a directory that may be made, and is removed at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Path:
        return self._path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._path, ignore_errors=True)


class _Day:
    """The work for a day: ``new`` rooms are read, and ``stale`` ones left out of its set."""

    def __init__(
        self,
        day: str,
        own: Units | None,
        merged: Units,
        there: dict[Room, list[Part]],
        rooms: Collection[Room] | None,
    ) -> None:
        self.day = day
        self.there = there
        self._files: dict[Room, Files] = {room: frozenset(listed(parts)) for room, parts in there.items()}
        self._rooms = rooms
        known = own or {}
        self.stale = {room for room, at in known if self._is_wrong(room, at, known)}
        self.new = [
            room
            for room, files in sorted(self._files.items())
            if files not in (known.get((room, day)), merged.get((room, day)))
        ]

    @property
    def is_fresh(self) -> bool:
        """Whether there is nothing to do."""
        return not self.new and not self.stale

    def wrong(self, units: Units) -> set[tuple[Room, str]]:
        """The rooms of the day that are out of date in other units."""
        return {(room, day) for room, day in units if self._is_wrong(room, day, units)}

    def _is_wrong(self, room: Room, day: str, units: Units) -> bool:
        if day != self.day or not (self._rooms is None or room in self._rooms):
            return False
        return units[room, day] != self._files.get(room)


def renew(
    archive: Archive,
    room_days: Collection[RoomDay],
    lock: ArchiveLock,
    now: Callable[[], float],
    step: Callable[[date, Room], None] = lambda day, room: None,
) -> list[str]:
    """Make the index of rooms' days again, if there is one, so that it has nothing any more that is gone from
    them. If it cannot be made, its objects are deleted, and their keys returned. Raises StoreError, OSError,
    Lost."""
    days = sorted({place.day for place in room_days})
    keys = index_keys(archive.store, days)
    if not keys:
        return []
    for place in room_days:
        archive.catalog.forget((place.platform, place.channel), place.day.replace("-", ""))
    spans = set(map(span_of, keys))
    indexed = [date.fromisoformat(day) for day in days if day in spans or day[:7] in spans]
    rooms = {(place.platform, place.channel) for place in room_days}
    with suppress(duck.NoDuckDB, duck.TooLittleMemory, duck.Unreadable):
        Indexer(archive, now, step=step).run(indexed, rooms, lock)
        return []
    for key in keys:
        lock.check()
        archive.store.delete(key)
        if archive.store.head(key) is not None:
            raise StoreError(f"{key} was deleted, and is still there")
    return keys
