"""Makes a file of Parquet of each room's day, for analysis and quick questions. The objects stay the truth.

    parquet/date=2025-12-29/platform=twitch/channel=forsen/twitch_forsen_20251229.parquet
    parquet/date=2025-12-29/_sources.jsonl       what each of them was made of

A day is compacted once it has been over for a day. It is made again if its objects have changed since: late
ones, imported ones, those from which a person was erased. The run after one that was killed makes the same
bytes again. The lock of the archive is held meanwhile, so that no person is erased while old records are
read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from chatlog import __version__
from chatlog.archive.gaps import Gap
from chatlog.archive.index_coverage import digest_of as listing_of
from chatlog.archive.opening import Archive
from chatlog.archive.parquet_sources import (
    IN_ORDER,
    LAYOUT,
    LAYOUT_KEY,
    LISTING,
    RECORDS,
    STREAMS,
    ParquetFile,
    SourceNotes,
    digest_of,
    key_of,
    names_of,
)
from chatlog.archive.question import Question
from chatlog.archive.room_files import Part, Room
from chatlog.parquet import duck
from chatlog.record import rfc3339
from chatlog.store.store import Head, Store, StoreError
from chatlog.upkeep.lock import ArchiveLock, Lost
from chatlog.upkeep.sources import DAY, MOVED, Source, Sources, Unfinished, midnight
from chatlog.upkeep.workplace import workplace

#: Seconds after the end of a day until it is over for good.
SETTLED = DAY
#: The rooms after which the notes of a day are stored.
_NOTED_EVERY = 200
_TYPE = {"Content-Type": "application/vnd.apache.parquet"}


@dataclass(slots=True)
class Outcome:
    """The result of a run. ``made``, ``fresh`` and ``removed`` count files; ``left`` are rooms' days that
    were left out, with the reason; ``wrong`` are those whose file differs from the objects (``--check``)."""

    made: int = 0
    fresh: int = 0
    removed: int = 0
    checked: int = 0
    records: int = 0
    bytes: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[tuple[str, str]] = field(default_factory=list)


class _Opened:
    """A connection of DuckDB for many files: to open one takes as long as to write a small file."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._stack = ExitStack()
        self._connection: Any = None

    def connection(self) -> Any:
        """The connection. Raises NoDuckDB, TooLittleMemory and OSError."""
        if self._connection is None:
            directory = self._stack.enter_context(workplace())
            self._connection = self._stack.enter_context(closing(duck.connect(self._memory, directory)))
        return self._connection

    def close(self) -> None:
        """Close it, if it is open; the next use opens another one."""
        self._connection = None
        self._stack.close()


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
        self._sources = Sources(archive)
        self._now = now
        self._opened = _Opened(memory)
        self._step = step

    def days(self, since: date | None, until: date | None, settled: float = SETTLED) -> Iterator[date]:
        """The days with objects or Parquet that have been over for so many seconds, from ``since`` to before
        ``until``, sorted."""
        last = datetime.fromtimestamp(max(0.0, self._now() - settled), UTC).date()
        for text in sorted({*self._archive.catalog.days(), *self._compacted()}):
            with suppress(ValueError):
                day = date.fromisoformat(text)
                if day < last and (since is None or day >= since) and (until is None or day < until):
                    yield day

    def _compacted(self) -> list[str]:
        """The days with Parquet."""
        names = self._store.folders("parquet/")
        return [name.removeprefix("date=") for name in names if name.startswith("date=")]

    def run(self, days: Iterable[date], rooms: frozenset[Room] | None, lock: ArchiveLock) -> Outcome:
        """Make the files that are missing or out of date; ``rooms`` None means all. Raises NoDuckDB,
        TooLittleMemory, Lost."""
        outcome = Outcome()
        try:
            self._run(days, rooms, lock, outcome)
        finally:
            self._opened.close()
        return outcome

    def _run(
        self, days: Iterable[date], rooms: frozenset[Room] | None, lock: ArchiveLock, outcome: Outcome
    ) -> None:
        for day in days:
            files = {head.key: head for head in self._store.list(f"parquet/date={day.isoformat()}/platform=")}
            notes = SourceNotes(self._store, day)
            there: set[str] = set()
            changed = list(self._changed(day, files, notes, there, rooms, outcome))
            if rooms is None:
                self._remove_orphans(files.keys() - there, notes, lock, outcome)
            self._sources.look_up(part for _, parts in changed for part in parts)
            for count, (room, _) in enumerate(changed, 1):
                self._step(day, room)
                try:
                    self._room_day(day, room, files.get(key_of(room, day)), notes, lock, outcome)
                except Unfinished as error:
                    outcome.left.append((f"{'/'.join(room)} {day}", str(error)))
                if count % _NOTED_EVERY == 0:
                    notes.write()
                    self._opened.close()
            notes.write()

    def _changed(
        self,
        day: date,
        files: Mapping[str, Head],
        notes: SourceNotes,
        there: set[str],
        rooms: frozenset[Room] | None,
        outcome: Outcome,
    ) -> Iterator[tuple[Room, list[Part]]]:
        """The rooms whose objects or file have changed since the last run. Adds the keys of all rooms that
        have objects to ``there``."""
        for room, parts in self._sources.walk(day):
            key = key_of(room, day)
            there.add(key)
            if rooms is not None and room not in rooms:
                continue
            if isinstance(parts, Unfinished):
                outcome.left.append((f"{'/'.join(room)} {day}", str(parts)))
                continue
            made = notes.files.get(key)
            if made is not None and key in files and made.seen == _seen(parts, files[key]):
                outcome.fresh += 1
            else:
                yield room, parts

    def _room_day(
        self,
        day: date,
        room: Room,
        file: Head | None,
        notes: SourceNotes,
        lock: ArchiveLock,
        outcome: Outcome,
    ) -> None:
        key = key_of(room, day)
        parts = self._sources.parts(day, room)
        sources = self._sources.of(parts)
        digest = digest_of(f"{source.name} {source.sha256}" for source in sources)
        made = notes.files.get(key)
        if file is not None and made is not None and made.sources == digest:
            head = self._store.head(key)
            if head is not None and (head.size, head.etag) == (made.size, made.etag):
                notes.files[key] = made._replace(seen=_seen(parts, file))
                outcome.fresh += 1
                return
        with workplace() as directory:
            target = directory / "day.parquet"
            count = self._make(day, room, parts, sources, target)
            self._archive.catalog.forget(room, f"{day:%Y%m%d}")
            if self._sources.parts(day, room) != parts:
                raise Unfinished(MOVED)
            lock.check()
            data = target.read_bytes()
        stored, listed = self._put(key, data, lock)
        notes.files[key] = ParquetFile(
            key=key,
            size=stored.size,
            etag=stored.etag,
            sha256=hashlib.sha256(data).hexdigest(),
            records=count,
            names=names_of(parts),
            sources=digest,
            seen=_seen(parts, listed),
        )
        outcome.bytes += len(data)
        outcome.made += 1
        outcome.records += count

    def _make(self, day: date, room: Room, parts: list[Part], sources: list[Source], target: Path) -> int:
        since = midnight(day)
        read: dict[str, set[str]] = {}
        answer = self._archive.reader.ask(Question(room, since, since + DAY))
        digest = hashlib.sha256()
        in_order = True

        def lines() -> Iterator[bytes]:
            nonlocal in_order
            last = b""
            for found in answer:
                if found.time < last:
                    in_order = False
                last = found.time
                digest.update(found.line)
                digest.update(b"\n")
                yield found.line
            if answer.report.unread:
                unread = answer.report.unread[0]
                raise Unfinished(f"{unread.name} cannot be read: {unread.why}")
            for source in sources:
                if source.sha256 not in read.get(source.name, {source.sha256}):
                    raise Unfinished(f"{source.name} is not what was recorded; chatlog verify says more")

        def known() -> dict[str, Any]:
            return {
                LAYOUT_KEY: LAYOUT,
                "chatlog.version": __version__,
                "chatlog.room": "/".join(room),
                "chatlog.day": day.isoformat(),
                RECORDS: answer.report.records,
                "chatlog.digest": digest.hexdigest(),
                LISTING: listing_of(parts),
                IN_ORDER: in_order,
                "chatlog.sources": [list(source) for source in sources],
                STREAMS: {instance: [_gap(gap) for gap in gaps] for instance, gaps in answer.claims.items()},
                "chatlog.gaps": [_gap(gap) for gap in answer.report.gaps],
            }

        connection = self._opened.connection()
        self._archive.catalog.report_reads(lambda name, sha256: read.setdefault(name, set()).add(sha256))
        try:
            return duck.write(lines(), target, known, connection)
        except ValueError as error:
            raise Unfinished(f"a line is no record: {error}") from None
        finally:
            self._archive.catalog.report_reads(None)

    def _put(self, key: str, data: bytes, lock: ArchiveLock) -> tuple[Head, Head]:
        """Store a file. Returns its metadata by HEAD, and by a listing."""
        self._store.delete(key)
        self._store.put_new(key, data, _TYPE)
        try:
            lock.check()
        except Lost:
            # A person may have been erased meanwhile.
            self._store.delete(key)
            raise
        head = self._store.head(key)
        if head is None or head.size != len(data):
            raise StoreError(f"{key} was stored, but the store does not have it as it was sent")
        return head, next((listed for listed in self._store.list(key) if listed.key == key), head)

    def _remove_orphans(
        self, keys: Iterable[str], notes: SourceNotes, lock: ArchiveLock, outcome: Outcome
    ) -> None:
        """Delete the files of rooms that have no objects of the day any more."""
        for key in sorted(keys):
            lock.check()
            self._store.delete(key)
            notes.files.pop(key, None)
            outcome.removed += 1


def _seen(parts: Iterable[Part], file: Head) -> str:
    versions = (f"{part.name}{part.suffix} {part.version}" for part in parts)
    return digest_of([*versions, f"{file.size} {file.etag} {file.stored}"])


def _gap(gap: Gap) -> list[str]:
    return [rfc3339(round(gap.since * 1000)), rfc3339(round(gap.until * 1000)), gap.reason]
