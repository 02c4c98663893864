"""Compares the Parquet of rooms' days with the objects: every record is made again from its row."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from chatlog.archive.opening import Archive
from chatlog.archive.parquet_sources import key_of
from chatlog.archive.question import Question
from chatlog.archive.room_files import Room
from chatlog.counted import many
from chatlog.parquet import duck
from chatlog.parquet.columns import record_of
from chatlog.record import from_json, to_line
from chatlog.store.store import MISSING, StoreError
from chatlog.upkeep.compact import Outcome
from chatlog.upkeep.sources import DAY, Sources, Unfinished, midnight
from chatlog.upkeep.workplace import workplace

_CHANGED = "its objects have changed since; chatlog compact makes it again"


class Checker:
    """Checks rooms' days of an archive. ``memory`` is in bytes; ``step(day, room)`` is called before each.
    Everything blocks, and may raise StoreError and OSError."""

    def __init__(
        self,
        archive: Archive,
        memory: int = 256_000_000,
        step: Callable[[date, Room], None] = lambda day, room: None,
    ) -> None:
        self._archive = archive
        self._sources = Sources(archive)
        self._memory = memory
        self._step = step

    def run(self, days: Iterable[date], rooms: frozenset[Room] | None) -> Outcome:
        """Compare the records of every file with those of the objects. Changes nothing. Raises NoDuckDB,
        TooLittleMemory."""
        outcome = Outcome()
        for day in days:
            there = self._sources.rooms(day)
            for room in sorted(there if rooms is None else there & rooms):
                self._step(day, room)
                self._check(day, room, outcome)
        return outcome

    def _check(self, day: date, room: Room, outcome: Outcome) -> None:
        key, name = key_of(room, day), f"{'/'.join(room)} {day}"
        with workplace() as directory:
            path = directory / "day.parquet"
            try:
                with path.open("wb") as file:
                    for chunk in self._archive.store.read(key):
                        file.write(chunk)
            except StoreError as error:
                if error.kind != MISSING:
                    raise
                outcome.left.append((name, "there is no Parquet of it"))
                return
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
            parts = self._sources.parts(day, room)
            self._sources.look_up(parts)
            if known.get("chatlog.sources") != [list(source) for source in self._sources.of(parts)]:
                return _CHANGED
        except Unfinished as error:
            return str(error)
        except duck.Unreadable as error:
            return f"it cannot be read: {error}"
        try:
            return self._first_difference(day, room, path, connection, outcome)
        except duck.Unreadable as error:
            return f"it cannot be read: {error}"

    def _first_difference(self, day: date, room: Room, path: Path, connection: Any, outcome: Outcome) -> str:
        since = midnight(day)
        answer = self._archive.reader.ask(Question(room, since, since + DAY))
        lines = iter(answer)
        count = 0
        for row in duck.rows(path, connection):
            found = next(lines, None)
            count += 1
            if found is None:
                return f"it has more than the {many(count - 1, 'record')} of the objects"
            if _canonical(record_of(row)) != _canonical(from_json(found.line)):
                return (
                    f"its record {count} is not that of the objects ({found.time.decode('ascii', 'replace')})"
                )
        if next(lines, None) is not None:
            return f"it has only {many(count, 'record')}, and the objects have more"
        if answer.report.unread:
            unread = answer.report.unread[0]
            return f"{unread.name} cannot be read: {unread.why}"
        outcome.records += count
        return ""


def _canonical(record: object) -> bytes:
    try:
        return orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return to_line(record)
