"""Writes a set of the index: from the facts of new rooms' days, and from rows that are kept of other sets.

All sorting and grouping is done by DuckDB, which uses the disk for data that does not fit into memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import orjson

from chatlog.index.sets import (
    DAYS,
    LAYOUT,
    LAYOUT_KEY,
    NAMES,
    ROOMS_KEY,
    SOURCES_KEY,
    USERS,
    WORDS,
    Days,
    Room,
)
from chatlog.parquet import duck

#: Rows of a row group of people, names and words: a look-up reads one.
_ROW_GROUP = 61_440
#: All days.
_EVERY = (1 << 32) - 1
#: Sets that are read at the same time: each needs about 5 MB.
_MERGED = 8
#: The most values in one staged row.
_TOGETHER = 2_000
_FETCHED = 20_000

_STAGED = {
    DAYS: "platform: 'VARCHAR', channel: 'VARCHAR', day: 'DATE', "
    "listing: 'VARCHAR', known: 'VARCHAR', files: 'VARCHAR', digest: 'VARCHAR'",
    USERS: "platform: 'VARCHAR', channel: 'VARCHAR', days: 'UINTEGER', ids: 'VARCHAR[]', names: 'VARCHAR[]'",
    WORDS: "platform: 'VARCHAR', channel: 'VARCHAR', day: 'INTEGER', words: 'VARCHAR[]'",
}


_PEOPLE = {
    **dict.fromkeys(("user_id", "username", "platform", "channel"), "VARCHAR"),
    "days": "UINTEGER",
}


@dataclass(slots=True)
class Kept:
    """The ``days`` that are kept of a set whose objects are in a directory. ``rooms``: the list by which its
    units are numbered."""

    directory: Path
    days: Days
    rooms: list[Room] = field(default_factory=list)

    def path(self, kind: str) -> Path:
        """The file of a kind."""
        return self.directory / f"{kind}.parquet"


class Stage:
    """The facts of new rooms' days, as files in a directory until the set is written."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._files: dict[str, IO[bytes]] = {
            kind: (directory / f"{kind}.jsonl").open("wb") for kind in _STAGED
        }
        self._directory = directory
        self._longest = dict.fromkeys(_STAGED, 0)
        self.days: Days = {}

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Call this once everything is staged."""
        for file in self._files.values():
            file.close()

    def add_people(self, room: Room, day: int, people: Iterable[tuple[str, str]]) -> None:
        """People who wrote, or to whom something was done, by id and name."""
        for some in _pieces(sorted(people)):
            ids, names = zip(*some, strict=True)
            self._add(USERS, room, days=1 << day, ids=ids, names=names)

    def add_words(self, room: Room, day: int, words: Iterable[str]) -> None:
        """Words that were said."""
        for some in _pieces(sorted(words)):
            self._add(WORDS, room, day=day, words=some)

    def add_day(self, room: Room, day: str, listing: str, known: str, files: str, digest: str) -> None:
        """A room's day, after all its people and words. ``known`` and ``files`` are JSON; ``digest`` is the
        SHA-256 of what they are made of."""
        self._add(DAYS, room, day=day, listing=listing, known=known, files=files, digest=digest)
        self.days[room] = self.days.get(room, 0) | 1 << int(day[8:])

    def _add(self, kind: str, room: Room, **values: Any) -> None:
        row = {"platform": room[0], "channel": room[1], **values}
        size = self._files[kind].write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        self._longest[kind] = max(self._longest[kind], size)

    def source(self, kind: str) -> str | None:
        """The rows of a kind, for SQL; None if there are none."""
        longest = self._longest[kind]
        return _json(self._directory / f"{kind}.jsonl", _STAGED[kind], longest) if longest else None


def _pieces(values: list[Any]) -> Iterator[list[Any]]:
    for at in range(0, len(values), _TOGETHER):
        yield values[at : at + _TOGETHER]


def write(target: Path, kept: list[Kept], stage: Stage | None, connection: Any) -> Days:
    """Write the four objects of a set into the directory ``target``; returns the rooms' days in it. The same
    days give the same bytes with the same DuckDB. Raises TooLittleMemory, Unreadable, OSError."""
    while len(kept) > _MERGED:
        part = target / f"part-{len(kept)}"
        part.mkdir()
        some = write(part, kept[:_MERGED], None, connection)
        kept = [*kept[_MERGED:], Kept(part, some, sorted(some))]
    days: Days = {} if stage is None else dict(stage.days)
    for each in kept:
        for room, bits in each.days.items():
            if bits:
                days[room] = days.get(room, 0) | bits
    if not days:
        return days
    return _Writing(target, kept, stage, sorted(days), connection).run(days)


class _Writing:
    def __init__(
        self, target: Path, kept: list[Kept], stage: Stage | None, rooms: list[Room], connection: Any
    ) -> None:
        self._target = target
        self._kept = kept
        self._stage = stage
        self._rooms = rooms
        self._connection = connection

    def run(self, days: Days) -> Days:
        with duck.clear_errors():
            self._connection.execute(
                "CREATE OR REPLACE TABLE kept "
                "(source INTEGER, old INTEGER, new INTEGER, platform VARCHAR, channel VARCHAR, days UINTEGER)"
            )
            for some in _pieces(list(self._numbers())):
                self._connection.execute(f"INSERT INTO kept VALUES {', '.join(some)}")
            common = {LAYOUT_KEY: LAYOUT, SOURCES_KEY: self._digest()}
            self._copy(DAYS, self._days(), common, 2_048)
            self._copy(USERS, self._users(), common)
            users = duck.quoted(str(self._path(USERS)))
            names = f"SELECT DISTINCT username, user_id FROM {users} WHERE username <> '' ORDER BY ALL"
            self._copy(NAMES, names, common)
            self._copy_words({**common, ROOMS_KEY: ["/".join(room) for room in self._rooms]})
        return days

    def _numbers(self) -> Iterator[str]:
        """For every source and room, its number in the units of that source and in the new ones. Source -1 is
        the stage."""
        place = {room: number for number, room in enumerate(self._rooms)}
        names = {room: ", ".join(map(duck.quoted, room)) for room in self._rooms}
        for number, room in enumerate(self._rooms):
            yield f"(-1, {number}, {number}, {names[room]}, {_EVERY})"
        for source, kept in enumerate(self._kept):
            for old, room in enumerate(kept.rooms):
                if bits := kept.days.get(room, 0):
                    yield f"({source}, {old}, {place[room]}, {names[room]}, {bits})"

    def _path(self, kind: str) -> Path:
        return self._target / f"{kind}.parquet"

    def _each(self, kind: str, old: str, new: str) -> str:
        """SQL for the union of the kept rows, by ``old``, and the staged ones, by ``new``; there ``{source}``
        and ``{rows}`` stand for the number and the rows of a source."""
        parts = [
            old.format(source=number, rows=duck.quoted(str(kept.path(kind))))
            for number, kept in enumerate(self._kept)
            if any(kept.days.values())
        ]
        staged = self._stage.source(kind) if self._stage is not None else None
        if staged is not None:
            parts.append(new.format(source=-1, rows=staged))
        return " UNION ALL ".join(parts)

    def _days(self) -> str:
        columns = "platform, channel, day, listing, known, files, digest"
        both = self._each(
            DAYS,
            f"SELECT {columns} FROM {{rows}} JOIN kept USING (platform, channel) "
            "WHERE source = {source} AND (days >> day(day)::UINTEGER) & 1 = 1",
            f"SELECT {columns} FROM {{rows}}",
        )
        return f"SELECT {columns} FROM ({both}) ORDER BY platform, channel, day"

    def _digest(self) -> str:
        """The SHA-256 of all sources, each with its own."""
        digest = hashlib.sha256()
        cursor = self._connection.cursor().execute(
            f"SELECT platform, channel, day::VARCHAR, files, digest FROM ({self._days()})"
        )
        while found := cursor.fetchmany(_FETCHED):
            for row in found:
                digest.update(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        return digest.hexdigest()

    def _users(self) -> str:
        both = self._each(
            USERS,
            "SELECT user_id, username, platform, channel, old.days & kept.days AS days "
            "FROM {rows} AS old JOIN kept USING (platform, channel) WHERE source = {source}",
            "SELECT unnest(ids) AS user_id, unnest(names) AS username, platform, channel, days FROM {rows}",
        ) or _nothing(**_PEOPLE)
        return (
            "SELECT user_id, username, platform, channel, bit_or(days)::UINTEGER AS days "
            f"FROM ({both}) WHERE days <> 0 GROUP BY ALL ORDER BY user_id, username, platform, channel"
        )

    def _copy_words(self, metadata: Mapping[str, Any]) -> None:
        both = self._each(
            WORDS,
            "SELECT word, new * 32 + unit % 32 AS unit "
            "FROM (SELECT word, unnest(units) AS unit FROM {rows}) JOIN kept ON old = unit // 32 "
            "WHERE source = {source} AND (days >> (unit % 32)::UINTEGER) & 1 = 1",
            "SELECT unnest(words) AS word, new * 32 + day AS unit "
            "FROM {rows} JOIN kept USING (platform, channel) WHERE source = {source}",
        ) or _nothing(word="VARCHAR", unit="INTEGER")
        staged = self._target / "words.jsonl"
        try:
            longest = 0
            with staged.open("wb") as file:
                for word, units in self._grouped(f"SELECT DISTINCT word, unit FROM ({both}) ORDER BY ALL"):
                    row = {"word": word, "units": units}
                    size = file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
                    longest = max(longest, size)
            rows = _json(staged, "word: 'VARCHAR', units: 'INTEGER[]'", longest)
            source = f"SELECT * FROM {rows}"
            self._copy(WORDS, source if longest else _nothing(word="VARCHAR", units="INTEGER[]"), metadata)
        finally:
            staged.unlink(missing_ok=True)

    def _grouped(self, pairs: str) -> Iterator[tuple[str, list[int]]]:
        """The units of each word. (If DuckDB made the lists, all of them would have to fit into memory.)"""
        cursor = self._connection.cursor().execute(pairs)
        current: str | None = None
        units: list[int] = []
        while found := cursor.fetchmany(_FETCHED):
            for word, unit in found:
                if word != current:
                    if current is not None:
                        yield current, units
                    current, units = word, []
                units.append(unit)
        if current is not None:
            yield current, units

    def _copy(self, kind: str, rows: str, metadata: Mapping[str, Any], group: int = _ROW_GROUP) -> None:
        known = ", ".join(
            f"{duck.quoted(key)}: {duck.quoted(orjson.dumps(value).decode())}"
            for key, value in metadata.items()
        )
        self._connection.execute(
            f"COPY ({rows}) TO {duck.quoted(str(self._path(kind)))} (FORMAT parquet, COMPRESSION zstd, "
            f"PARQUET_VERSION v2, ROW_GROUP_SIZE {group}, WRITE_BLOOM_FILTER false, KV_METADATA {{{known}}})"
        )


def _json(path: Path, columns: str, longest: int) -> str:
    """The rows of a file with JSON, for SQL. ``longest``: the bytes of the longest one."""
    return (
        f"read_json({duck.quoted(str(path))}, format='newline_delimited', columns={{{columns}}}, "
        f"maximum_object_size={max(duck.LONGEST, longest + 1)})"
    )


def _nothing(**columns: str) -> str:
    nulls = ", ".join(f"NULL::{kind} AS {name}" for name, kind in columns.items())
    return f"SELECT {nulls} WHERE false"
