"""Sorts lines in little memory: sorted runs on the disk, which are merged.

DuckDB sorts as well, but it needs twice the memory for it, and fails where that is not enough.
"""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Iterable, Iterator
from pathlib import Path

#: The bytes that are sorted in memory at a time: those of the lines, and what Python adds to each.
RUN = 16 << 20
_BESIDE = 45
#: The most runs that are merged at a time.
_AT_ONCE = 200


def sort(lines: Iterable[bytes], directory: Path, run: int = RUN) -> Iterator[bytes]:
    """The lines, sorted; each ends with its only line end. ``directory`` is for files that are gone at the
    end. Raises OSError."""
    with contextlib.ExitStack() as stack:
        runs: list[Path] = []
        held: list[bytes] = []
        size = 0
        for line in lines:
            held.append(line)
            size += len(line) + _BESIDE
            if size > run:
                held.sort()
                runs.append(_write(held, directory / f"run-{len(runs)}", stack))
                held, size = [], 0
        held.sort()
        if not runs:
            yield from held
            return
        runs.append(_write(held, directory / f"run-{len(runs)}", stack))
        held = []
        made = len(runs)
        while len(runs) > _AT_ONCE:
            merged = heapq.merge(*(_read(path, stack) for path in runs[:_AT_ONCE]))
            runs = [*runs[_AT_ONCE:], _write(merged, directory / f"run-{made}", stack)]
            made += 1
        yield from heapq.merge(*(_read(path, stack) for path in runs))


def _write(lines: Iterable[bytes], path: Path, stack: contextlib.ExitStack) -> Path:
    stack.callback(path.unlink, missing_ok=True)
    with path.open("wb") as file:
        file.writelines(lines)
    return path


def _read(path: Path, stack: contextlib.ExitStack) -> Iterator[bytes]:
    return iter(stack.enter_context(path.open("rb", buffering=1 << 16)))
