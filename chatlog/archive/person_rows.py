"""Queries files of Parquet for the records of people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from chatlog.archive.index_reading import Duck
from chatlog.parquet import duck
from chatlog.parquet.columns import COLUMNS, record_of
from chatlog.record import to_line

#: Rows by day.
Rows = dict[str, list[tuple[Any, ...]]]

_NAMES = ["file", *COLUMNS]
_SELECTED = ", ".join(duck.SELECTED)
#: Errors of files, not of the question.
_TROUBLE = OSError, duck.NoDuckDB, duck.Unreadable, duck.TooLittleMemory


@dataclass(frozen=True, slots=True)
class Wanted:
    """People: those with one of ``ids``, and those with one of ``names``, whose ids are ``ids_of_names``
    (``""`` if there may be none)."""

    ids: frozenset[str]
    names: frozenset[str] = frozenset()
    ids_of_names: frozenset[str] = frozenset()


class DayFile(NamedTuple):
    """The file of a day, at a path. A file that is not ``whole`` has only the groups of rows that may
    match."""

    day: str
    path: Path
    whole: bool


class PersonRows:
    """Queries files, for up to ``most`` rows at a time."""

    def __init__(self, query: Duck, most: int) -> None:
        self._duck = query
        self._most = most

    def counts(self, files: Sequence[DayFile], wanted: Wanted) -> dict[str, int]:
        """How many rows there are on each day whose file can be read."""
        counted = self._each(files, wanted, "filename, count(*)", " GROUP BY filename")
        return {day: sum(row[1] for row in rows) for day, rows in (counted or {}).items()}

    def of(self, files: Sequence[DayFile], wanted: Wanted) -> Rows | None:
        """The rows of each day whose file can be read; None if they are too many."""
        return self._each(files, wanted, f"filename, {_SELECTED}", f" LIMIT {self._most + 1}", self._most)

    def _each(
        self, files: Sequence[DayFile], wanted: Wanted, columns: str, end: str, most: int | None = None
    ) -> Rows | None:
        found: Rows = {file.day: [] for file in files}
        for some, condition in _asked(files, wanted):
            rows = self._rows(some, columns, condition + end)
            for file in some:
                if file.day not in rows:
                    found.pop(file.day, None)
                elif file.day in found:
                    found[file.day] += rows[file.day]
            if most is not None and sum(map(len, found.values())) > most:
                return None
        return found

    def _rows(self, files: Sequence[DayFile], columns: str, condition: str) -> Rows:
        if not files:
            return {}
        days = {str(file.path): file.day for file in files}
        paths = ", ".join(map(duck.quoted, days))
        try:
            found = self._duck.query(
                f"SELECT {columns} FROM read_parquet([{paths}], filename = true, "
                f"hive_partitioning = false) WHERE {condition}"
            )
        except _TROUBLE:
            if len(files) == 1:
                return {}
            # One of them is damaged: the others are read without it.
            alone = (self._rows([file], columns, condition) for file in files)
            return {day: rows for own in alone for day, rows in own.items()}
        rows: Rows = {file.day: [] for file in files}
        for row in found:
            rows[days[row[0]]].append(row)
        return rows


def _asked(files: Sequence[DayFile], wanted: Wanted) -> Iterator[tuple[list[DayFile], str]]:
    """Files, and the condition for their rows. A large file has only some rows here, and DuckDB leaves out
    the others if it is asked for one id at a time."""
    every = sorted(wanted.ids | wanted.ids_of_names)
    if not every:
        return
    small = [file for file in files if file.whole]
    large = [file for file in files if not file.whole]
    if small:
        ids = f"user_id IN ({', '.join(map(duck.quoted, every))})"
        if "" in every:
            ids = f"({ids} OR user_id IS NULL)"
        yield small, f"{ids} AND {_by(wanted)}" if wanted.names else ids
    if large:
        for id in every:
            and_named = "" if id in wanted.ids else f" AND {_by(wanted)}"
            yield large, f"user_id = {duck.quoted(id)}{and_named}"
        if "" in every:
            yield large, f"user_id IS NULL AND {_by(wanted)}"


def _by(wanted: Wanted) -> str:
    """The condition by which rows with these ids belong to the wanted people."""
    names = f"username IN ({', '.join(map(duck.quoted, sorted(wanted.names)))})"
    if not wanted.ids:
        return names
    return f"({names} OR user_id IN ({', '.join(map(duck.quoted, sorted(wanted.ids)))}))"


def lines_of(rows: list[tuple[Any, ...]]) -> Iterator[bytes]:
    """The lines of rows, sorted as an answer has them."""
    time, tie = _NAMES.index("timestamp"), _NAMES.index("tie")
    for values in sorted(rows, key=lambda row: (row[time] or "", row[tie])):
        row = dict(zip(_NAMES, values, strict=True))
        kept = row["record"]
        yield kept.encode() if kept is not None else to_line(record_of(row))[:-1]
