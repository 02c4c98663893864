"""Sorts rows by person and time in little memory: sorted runs on the disk, which are merged.

DuckDB sorts as well, but it needs twice the memory for it, and fails where that is not enough.
"""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import orjson

from chatlog.parquet.columns import Row

#: Bytes of the rows that are sorted in memory.
RUN = 8 << 20
#: So many runs are merged at a time.
_AT_ONCE = 200

#: The person, the time, the number within the time, and the row as JSON.
_Item = tuple[str, str, int, bytes]


def sort(rows: Iterable[Row], directory: Path, run: int = RUN) -> Iterator[bytes]:
    """The rows as lines of JSON, sorted by ``user_id``, ``timestamp`` and ``tie``; a row without one of them
    comes before those with it. ``directory`` is for files that are gone at the end. Raises OSError."""
    with contextlib.ExitStack() as stack:
        runs: list[Path] = []
        held: list[_Item] = []
        size = 0
        for row in rows:
            line = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
            # No id and no time sort before the empty ones.
            held.append((_key(row.get("user_id")), _key(row.get("timestamp")), row["tie"], line))
            size += len(line) + 250
            if size > run:
                runs.append(_write(held, directory / f"run-{len(runs)}", stack))
                held, size = [], 0
        held.sort()
        if not runs:
            yield from (item[3] for item in held)
            return
        runs.append(_write(held, directory / f"run-{len(runs)}", stack))
        held = []
        made = len(runs)
        while len(runs) > _AT_ONCE:
            merged = heapq.merge(*(_read(path, stack) for path in runs[:_AT_ONCE]))
            runs = [*runs[_AT_ONCE:], _write(merged, directory / f"run-{made}", stack, True)]
            made += 1
        for item in heapq.merge(*(_read(path, stack) for path in runs)):
            yield item[3]


def _key(value: str | None) -> str:
    return "" if value is None else f"={value}"


def _write(items: Iterable[_Item], path: Path, stack: contextlib.ExitStack, is_sorted: bool = False) -> Path:
    stack.callback(path.unlink, missing_ok=True)
    with path.open("wb") as file:
        for user, time, tie, line in items if is_sorted else sorted(items):
            file.write(b"%b\t%b\t%d\t%b" % (orjson.dumps(user), time.encode(), tie, line))
    return path


def _read(path: Path, stack: contextlib.ExitStack) -> Iterator[_Item]:
    file: IO[bytes] = stack.enter_context(path.open("rb", buffering=1 << 16))
    for row in file:
        user, time, tie, line = row.split(b"\t", 3)
        yield orjson.loads(user), time.decode(), int(tie), line
