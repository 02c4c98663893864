"""Reads a person's records from the Parquet of rooms' days (``chatlog compact``), not from the objects.

The rows of a day are sorted by person, so that a few of them cost a fraction of what all objects of the day
cost. A file is used only if it says itself that it was made of just the objects that are listed now. If
anything stands in the way (no file, another layout, damage, no DuckDB, a person who wrote a large part of the
day), the day is left out, and its objects are read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from chatlog.archive.cached_blocks import Changed
from chatlog.archive.file_cache import CacheError, FileCache, Held
from chatlog.archive.index_reading import Duck
from chatlog.archive.memory_cache import MemoryCache
from chatlog.archive.parquet_sources import IN_ORDER, LAYOUT, LAYOUT_KEY, LISTING, RECORDS, STREAMS, key_of
from chatlog.archive.person_rows import DayFile, PersonRows, Rows, Wanted, lines_of
from chatlog.archive.room_files import Room
from chatlog.parquet import duck
from chatlog.parquet.footer import TAIL, footer_size, value_of
from chatlog.store.store import Head, Local, Store, StoreError

#: Seconds for which a file is assumed to be unchanged, or still missing.
SEEN = 60.0
#: The most bytes of a file that is fetched as a whole.
WHOLE = 1536 << 10
#: Bytes at the end of a larger file that are fetched first.
_END = 256 << 10
#: The most requests at the same time.
_AT_ONCE = 32
#: A person who wrote more than one in so many of a day's records is found faster in the objects.
_LARGE = 8
#: The most rows that are held in memory at a time.
MOST_ROWS = 8_000
#: Errors of one file, not of the question.
_TROUBLE = (
    *(StoreError, CacheError, Changed, OSError, ValueError),
    *(duck.NoDuckDB, duck.Unreadable, duck.TooLittleMemory),
)
#: The most files whose metadata is kept, and the most bytes of lines.
_FILES, _LINES = 8_192, 16 << 20


class CompactedDay(NamedTuple):
    """A day's records of some people, as lines without their ends, in the order in which an answer has them,
    and the streams of the objects of that day."""

    lines: tuple[bytes, ...]
    streams: tuple[str, ...]


class _About(NamedTuple):
    """The metadata of a file: see ``parquet_sources``."""

    listing: str
    records: int
    streams: tuple[str, ...]


class _Group(NamedTuple):
    """A group of rows: where it is, and the ids in it."""

    begin: int
    end: int
    least: str
    most: str
    has_empty: bool


class Compacted:
    """The Parquet of one archive, read through the cache. ``now()`` is the time of day. Files of up to
    ``whole`` bytes are fetched as a whole, and ``most_rows`` are held in memory at a time. May be used by
    several threads."""

    def __init__(
        self,
        store: Store,
        cache: FileCache,
        now: Callable[[], float],
        whole: int = WHOLE,
        most_rows: int = MOST_ROWS,
    ) -> None:
        self._store = store
        self._cache = cache
        self._now = now
        self._whole = whole
        self._most_rows = most_rows
        self._duck = Duck()
        self._rows = PersonRows(self._duck, most_rows)
        self._heads: MemoryCache[tuple[float, Head | None]] = MemoryCache(_FILES, lambda _: 1)
        self._about: MemoryCache[_About] = MemoryCache(_FILES, lambda _: 1)
        self._groups: MemoryCache[list[_Group]] = MemoryCache(_FILES, lambda _: 1)
        self._lines: MemoryCache[CompactedDay] = MemoryCache(_LINES, _size_of)

    @property
    def is_there(self) -> bool:
        """Whether DuckDB is installed."""
        return self._duck.is_there

    def of_days(
        self,
        room: Room,
        listings: Mapping[str, str],
        wanted: Wanted,
        check: Callable[[], object] = lambda: None,
    ) -> dict[str, CompactedDay]:
        """The records of people on days (``2025-12-29``), from the files that were made of these ``listings``
        (digests of the objects that may have records of the day). Days without such a file are left out.
        ``check()`` is called now and then, and may raise to end the reading."""
        heads = self._found(room, listings)
        check()
        answered: dict[str, CompactedDay] = {}
        missing: dict[str, Head] = {}
        for day, head in heads.items():
            found = self._lines.get((head, wanted))
            about = self._about.get(head)
            if found is not None and about is not None:
                if about.listing == listings[day]:
                    answered[day] = found
            else:
                missing[day] = head
        if missing:
            answered |= self._read(missing, listings, wanted, check)
        return answered

    # -- files ---------------------------------------------------------------------------------------

    def _found(self, room: Room, days: Collection[str]) -> dict[str, Head]:
        """The files of days, as they were up to SEEN seconds ago."""
        keys = {day: key_of(room, date.fromisoformat(day)) for day in days}
        now = self._now()
        known = {day: self._heads.get(key) for day, key in keys.items()}
        heads = {day: seen[1] for day, seen in known.items() if seen and 0 <= now - seen[0] < SEEN}
        missing = [day for day in keys if day not in heads]

        def look(day: str) -> Head | None:
            try:
                return self._store.head(keys[day])
            except StoreError:
                return None

        for day, head in zip(missing, self._at_once(look, missing), strict=True):
            self._heads.replace(keys[day], (now, head))
            heads[day] = head
        return {day: head for day in keys if (head := heads[day]) is not None}

    def _at_once(self, look: Callable[[Any], Any], what: list[Any]) -> Iterable[Any]:
        if len(what) <= 1 or isinstance(self._store, Local):
            return map(look, what)
        with ThreadPoolExecutor(min(_AT_ONCE, len(what))) as threads:
            return list(threads.map(look, what))

    def _read(
        self,
        heads: Mapping[str, Head],
        listings: Mapping[str, str],
        wanted: Wanted,
        check: Callable[[], object],
    ) -> dict[str, CompactedDay]:
        with ExitStack() as stack:
            held: dict[str, Held] = {}
            for day, head in heads.items():
                with suppress(*_TROUBLE):
                    held[day] = stack.enter_context(self._cache.ranges(head))

            def fetch(day: str) -> _About | None:
                check()
                try:
                    return self._fetch(heads[day], held[day], listings[day], wanted)
                except _TROUBLE:
                    self._heads.replace(heads[day].key, (self._now(), None))
                    return None

            files = {
                DayFile(day, held[day].path, held[day].size <= self._whole): about
                for day, about in zip(held, self._at_once(fetch, list(held)), strict=True)
                if about is not None
            }
            check()
            answered = self._days_in(files, wanted, check, heads)
        for day, found in answered.items():
            self._lines.put((heads[day], wanted), found)
        return answered

    def _fetch(self, head: Head, held: Held, listing: str, wanted: Wanted) -> _About | None:
        """Fetch the needed parts of a file; None if it was made of another listing."""
        is_small = held.size <= self._whole
        held.fetch([(0, held.size) if is_small else (max(0, held.size - _END), _END)])
        about = self._about.of(head, lambda: _about(held))
        if about.listing != listing:
            return None
        if not is_small:
            groups = self._groups.of(head, lambda: self._groups_of(held))
            chosen = [(each.begin, each.end - each.begin) for each in groups if _may_have(each, wanted)]
            last = max((each.end for each in groups), default=0)
            # Behind the rows stand their Bloom filters and statistics.
            held.fetch([*chosen, (last, held.size - last)])
        return about

    def _groups_of(self, held: Held) -> list[_Group]:
        rows = self._duck.query(
            "SELECT min(coalesce(dictionary_page_offset, data_page_offset)), "
            "max(coalesce(dictionary_page_offset, data_page_offset) + total_compressed_size), "
            "max(stats_min_value) FILTER (path_in_schema = 'user_id'), "
            "max(stats_max_value) FILTER (path_in_schema = 'user_id'), "
            "max(stats_null_count) FILTER (path_in_schema = 'user_id') "
            f"FROM parquet_metadata({duck.quoted(str(held.path))}) GROUP BY row_group_id"
        )
        return [
            _Group(begin, end, least or "", most or "", bool(nulls or nulls is None or not least))
            for begin, end, least, most, nulls in rows
        ]

    # -- rows ----------------------------------------------------------------------------------------

    def _days_in(
        self,
        files: Mapping[DayFile, _About],
        wanted: Wanted,
        check: Callable[[], object],
        heads: Mapping[str, Head],
    ) -> dict[str, CompactedDay]:
        rows = self._rows.of(list(files), wanted)
        if rows is not None:
            for file in files:
                if file.day not in rows:
                    # The file is damaged, and is not tried again for a while.
                    self._heads.replace(heads[file.day].key, (self._now(), None))
            return _lines(files, rows)
        answered: dict[str, CompactedDay] = {}
        for some in self._in_pieces(files, self._rows.counts(list(files), wanted)):
            check()
            answered |= _lines(files, self._rows.of(some, wanted) or {})
        return answered

    def _in_pieces(
        self, files: Mapping[DayFile, _About], counts: Mapping[str, int]
    ) -> Iterator[list[DayFile]]:
        """Files in pieces that are queried together, without files that have too many rows of the people."""
        piece: list[DayFile] = []
        rows = 0
        for file, about in files.items():
            count = counts.get(file.day)
            if count is None or count > min(about.records // _LARGE + 100, self._most_rows):
                continue
            if piece and rows + count > self._most_rows:
                yield piece
                piece, rows = [], 0
            piece.append(file)
            rows += count
        yield piece


def _lines(files: Mapping[DayFile, _About], rows: Rows) -> dict[str, CompactedDay]:
    return {
        file.day: CompactedDay(tuple(lines_of(rows[file.day])), about.streams)
        for file, about in files.items()
        if file.day in rows
    }


def _about(held: Held) -> _About:
    """The metadata of a file. Raises ValueError if it is no Parquet, or not of this layout; OSError."""
    with Path(held.path).open("rb") as file:
        file.seek(max(0, held.size - TAIL))
        tail = file.read()
        size = footer_size(tail)
        if size > len(tail):
            held.fetch([(held.size - size, size)])
            file.seek(max(0, held.size - size))
            tail = file.read()
    tail = tail[-size:]
    layout, listing, streams = (value_of(tail, key) for key in (LAYOUT_KEY, LISTING, STREAMS))
    records = value_of(tail, RECORDS)
    if layout != LAYOUT or value_of(tail, IN_ORDER) is not True:
        raise ValueError("it is of another layout, or its records are not in order")
    if type(listing) is not str or type(records) is not int or type(streams) is not dict:
        raise ValueError("its metadata is damaged")
    return _About(listing, records, tuple(sorted(streams)))


def _may_have(group: _Group, wanted: Wanted) -> bool:
    return any(
        group.has_empty if not id else group.least.encode() <= id.encode() <= group.most.encode()
        for id in wanted.ids | wanted.ids_of_names
    )


def _size_of(day: CompactedDay) -> int:
    return 1_000 + sum(len(line) + 40 for line in day.lines)
