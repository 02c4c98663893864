"""Makes a file of Parquet of each room's day, for analysis and quick questions. The objects stay the truth.

    parquet/date=2025-12-29/platform=twitch/channel=forsen/twitch_forsen_20251229.parquet
    parquet/date=2025-12-29/_sources.jsonl       what each of them was made of, and its own size and ETag

A day is compacted once it has been over for a day. It is made again where its objects have changed since:
late ones, imported ones, those from which a person was erased. Whoever is killed in between makes the same
bytes again. The lock of the archive is held meanwhile, so that nobody is erased while old records are read.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson

from chatlog import __version__
from chatlog.archive.gaps import Gap
from chatlog.archive.opened import Archive
from chatlog.archive.parts import Room
from chatlog.archive.reader import Question
from chatlog.parquet import duck
from chatlog.parquet.columns import numbered, record_of
from chatlog.record import from_json, rfc3339, to_line
from chatlog.store.store import Head, Store, StoreError
from chatlog.upkeep.lock import ArchiveLock, Lost

DAY = 86400.0
#: A day is over for good so many seconds after its end.
SETTLED = DAY
#: The number of the layout: a file of another one is made again.
LAYOUT = 1
#: Rooms after which it is written down what their files were made of.
_NOTED_EVERY = 200
_TYPE = {"Content-Type": "application/vnd.apache.parquet"}

#: The objects of a room's day: their names, and what the store says of their bytes.
Sources = list[list[str]]


class Unfinished(Exception):
    """The day cannot be compacted now. The text says why."""


@dataclass(slots=True)
class Outcome:
    """The result of a run. ``made``, ``fresh`` and ``removed`` count files; ``left`` are rooms' days that
    were left out, with why; ``wrong`` are those whose file differs from the objects (``--check``)."""

    made: int = 0
    fresh: int = 0
    removed: int = 0
    checked: int = 0
    records: int = 0
    bytes: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[tuple[str, str]] = field(default_factory=list)


def key_of(room: Room, day: date) -> str:
    """The key of a room's day."""
    platform, channel = room
    name = f"{platform}_{channel}_{day:%Y%m%d}.parquet"
    return f"parquet/date={day.isoformat()}/platform={platform}/channel={channel}/{name}"


class Compactor:
    """Compacts rooms' days of an archive. ``memory`` is in bytes; ``now()`` is the time of day; ``step(day,
    room)`` is called before each. Everything blocks, and may raise StoreError and OSError."""

    def __init__(
        self,
        archive: Archive,
        now: Callable[[], float],
        memory: int = 256_000_000,
        step: Callable[[date, Room], None] = lambda day, room: None,
    ) -> None:
        self._archive = archive
        self._store: Store = archive.store
        self._now = now
        self._memory = memory
        self._step = step

    def days(self, since: date | None, until: date | None) -> Iterator[date]:
        """The days that are over with objects or Parquet, from ``since`` to before ``until``, sorted."""
        last = datetime.fromtimestamp(max(0.0, self._now() - SETTLED), UTC).date()
        for text in sorted({*self._archive.catalog.days(), *self._compacted()}):
            with suppress(ValueError):
                day = date.fromisoformat(text)
                if day < last and (since is None or day >= since) and (until is None or day < until):
                    yield day

    def _compacted(self) -> list[str]:
        """The days of which there is Parquet."""
        names = self._store.folders("parquet/")
        return [name.removeprefix("date=") for name in names if name.startswith("date=")]

    def run(self, days: Iterable[date], rooms: frozenset[Room] | None, lock: ArchiveLock) -> Outcome:
        """Make what is not there or not fresh; ``rooms`` None means all. Raises NoDuckDB, TooLittleMemory,
        Lost."""
        outcome = Outcome()
        for day in days:
            noted = _Noted(self._store, day)
            there = self._rooms(day)
            for count, room in enumerate(sorted(there if rooms is None else there & rooms), 1):
                self._step(day, room)
                try:
                    self._room_day(day, room, noted, lock, outcome)
                except Unfinished as error:
                    outcome.left.append((f"{'/'.join(room)} {day}", str(error)))
                if count % _NOTED_EVERY == 0:
                    noted.write()
            if rooms is None:
                self._remove_orphans(day, there, noted, lock, outcome)
            noted.write()
        return outcome

    def check(self, days: Iterable[date], rooms: frozenset[Room] | None) -> Outcome:
        """Compare the records of every file with those of the objects. Changes nothing."""
        outcome = Outcome()
        for day in days:
            there = self._rooms(day)
            for room in sorted(there if rooms is None else there & rooms):
                self._step(day, room)
                self._check(day, room, outcome)
        return outcome

    def _rooms(self, day: date) -> set[Room]:
        """The rooms with objects of a day. A directory may be there without any."""
        since, begun = _midnight(day), f"{day:%Y%m%d}_"
        return {
            room
            for room in self._archive.catalog.rooms(day.isoformat())
            if any(
                part.name.minute.startswith(begun)
                for part in self._archive.parts.of_room(room, since, since + DAY)
            )
        }

    def _room_day(self, day: date, room: Room, noted: _Noted, lock: ArchiveLock, outcome: Outcome) -> None:
        key = key_of(room, day)
        sources = self._sources(day, room)
        head = self._store.head(key)
        if head is not None and noted.sources.get(key) == [*sources, [str(head.size), head.etag]]:
            outcome.fresh += 1
            return
        with tempfile.TemporaryDirectory(prefix="chatlog-compact-") as directory:
            made = Path(directory) / "day.parquet"
            count = self._make(day, room, sources, made)
            self._archive.catalog.forget(room, f"{day:%Y%m%d}")
            if self._sources(day, room) != sources:
                raise Unfinished("its objects changed while they were read; the next run makes it")
            lock.check()
            stored = self._put(key, made.read_bytes(), lock)
            outcome.bytes += made.stat().st_size
        noted.sources[key] = [*sources, [str(stored.size), stored.etag]]
        outcome.made += 1
        outcome.records += count

    def _sources(self, day: date, room: Room) -> Sources:
        since = _midnight(day)
        found: Sources = []
        for part in self._archive.parts.of_room(room, since, since + DAY):
            if part.area:
                raise Unfinished("a recorder has files of it that are not stored yet")
            found.append([f"{part.name}{part.suffix}", part.version])
        return found

    def _make(self, day: date, room: Room, sources: Sources, target: Path) -> int:
        since = _midnight(day)
        answer = self._archive.reader.ask(Question(room, since, since + DAY))
        digest = hashlib.sha256()

        def lines() -> Iterator[bytes]:
            for found in answer:
                digest.update(found.line)
                digest.update(b"\n")
                yield found.line
            if answer.report.unread:
                unread = answer.report.unread[0]
                raise Unfinished(f"{unread.name} cannot be read: {unread.why}")

        def known() -> dict[str, Any]:
            return {
                "chatlog.layout": LAYOUT,
                "chatlog.version": __version__,
                "chatlog.room": "/".join(room),
                "chatlog.day": day.isoformat(),
                "chatlog.records": answer.report.records,
                "chatlog.digest": digest.hexdigest(),
                "chatlog.sources": [name for name, _ in sources],
                "chatlog.instances": {
                    instance: [_gap(gap) for gap in gaps] for instance, gaps in answer.claims.items()
                },
                "chatlog.gaps": [_gap(gap) for gap in answer.report.gaps],
            }

        connection = duck.connect(self._memory, target.parent)
        try:
            return duck.write(numbered(lines()), target, known, connection)
        except ValueError as error:
            raise Unfinished(f"a line is no record: {error}") from None
        finally:
            connection.close()

    def _put(self, key: str, data: bytes, lock: ArchiveLock) -> Head:
        self._store.delete(key)
        self._store.put_new(key, data, _TYPE)
        try:
            lock.check()
        except Lost:
            # Somebody may have been erased meanwhile.
            self._store.delete(key)
            raise
        head = self._store.head(key)
        if head is None or head.size != len(data):
            raise StoreError(f"{key} was stored, but the store does not have it as it was sent")
        return head

    def _remove_orphans(
        self, day: date, there: set[Room], noted: _Noted, lock: ArchiveLock, outcome: Outcome
    ) -> None:
        """Delete the files of rooms that have no objects of the day any more."""
        keys = {key_of(room, day) for room in there}
        for head in list(self._store.list(f"parquet/date={day.isoformat()}/platform=")):
            if head.key not in keys:
                lock.check()
                self._store.delete(head.key)
                noted.sources.pop(head.key, None)
                outcome.removed += 1

    def _check(self, day: date, room: Room, outcome: Outcome) -> None:
        key, name = key_of(room, day), f"{'/'.join(room)} {day}"
        if self._store.head(key) is None:
            outcome.left.append((name, "there is no Parquet of it"))
            return
        with tempfile.TemporaryDirectory(prefix="chatlog-compact-") as directory:
            path = Path(directory) / "day.parquet"
            with path.open("wb") as file:
                for chunk in self._store.read(key):
                    file.write(chunk)
            connection = duck.connect(self._memory, path.parent)
            try:
                why = self._difference(day, room, path, connection, outcome)
            finally:
                connection.close()
        outcome.checked += 1
        if why:
            outcome.wrong.append((name, why))

    def _difference(self, day: date, room: Room, path: Path, connection: Any, outcome: Outcome) -> str:
        """How the file and the objects differ; ``""`` if they do not."""
        try:
            known = duck.metadata(path, connection)
            if known.get("chatlog.sources") != [name for name, _ in self._sources(day, room)]:
                return "its objects have changed since; chatlog compact makes it again"
        except Unfinished as error:
            return str(error)
        except duck.Unreadable as error:
            return f"it cannot be read: {error}"
        try:
            return self._first_difference(day, room, path, connection, outcome)
        except duck.Unreadable as error:
            return f"it cannot be read: {error}"

    def _first_difference(self, day: date, room: Room, path: Path, connection: Any, outcome: Outcome) -> str:
        since = _midnight(day)
        answer = self._archive.reader.ask(Question(room, since, since + DAY))
        lines = iter(answer)
        count = 0
        for row in duck.rows(path, connection):
            found = next(lines, None)
            count += 1
            if found is None:
                return f"it has more than the {count - 1} records of the objects"
            if _canonical(record_of(row)) != _canonical(from_json(found.line)):
                return (
                    f"its record {count} is not that of the objects ({found.time.decode('ascii', 'replace')})"
                )
        if next(lines, None) is not None:
            return f"it has only {count} records, and the objects have more"
        if answer.report.unread:
            unread = answer.report.unread[0]
            return f"{unread.name} cannot be read: {unread.why}"
        outcome.records += count
        return ""


def _gap(gap: Gap) -> list[str]:
    return [rfc3339(round(gap.since * 1000)), rfc3339(round(gap.until * 1000)), gap.reason]


class _Noted:
    """What the files of a day were made of, as the archive has it. What cannot be read is nothing: the files
    are made again then, with the same bytes."""

    def __init__(self, store: Store, day: date) -> None:
        self._store = store
        self._key = f"parquet/date={day.isoformat()}/_sources.jsonl"
        self.sources: dict[str, Sources] = {}
        self._before: dict[str, Sources] = {}
        with suppress(StoreError, ValueError, KeyError, TypeError):
            for line in b"".join(store.read(self._key)).splitlines():
                row = from_json(line)
                if row["layout"] == LAYOUT:
                    self.sources[row["key"]] = row["sources"]
        self._before = dict(self.sources)

    def write(self) -> None:
        """Store it, if it changed."""
        if self.sources == self._before:
            return
        lines = (
            to_line({"key": key, "layout": LAYOUT, "sources": sources})
            for key, sources in sorted(self.sources.items())
        )
        data = b"".join(lines)
        self._store.delete(self._key)
        self._store.put_new(self._key, data, {"Content-Type": "application/jsonl"})
        self._before = dict(self.sources)


def _canonical(record: object) -> bytes:
    try:
        return orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return to_line(record)


def _midnight(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
