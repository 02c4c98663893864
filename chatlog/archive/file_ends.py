"""Finds from when to when files have records. Most have to be read for that; the times are remembered."""

from __future__ import annotations

from contextlib import closing

from chatlog.archive import lines
from chatlog.archive.gaps import gap_of
from chatlog.archive.index_coverage import begun, seconds_of
from chatlog.archive.memory_cache import MemoryCache
from chatlog.archive.room_files import Part, PartError, Parts
from chatlog.archive.streams import time_reached

#: The lines of a file among which the earliest is looked for: they are in the order of arrival.
_LINES = 50
#: The most files whose first, and whose last moment is remembered.
_KEPT = 4096


class FileEnds:
    """The first and the last moments of files. May be used by several threads."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._firsts: MemoryCache[float] = MemoryCache(_KEPT, lambda _: 1)
        self._lasts: MemoryCache[float] = MemoryCache(_KEPT, lambda _: 1)

    def first_of(self, part: Part) -> float:
        """The first moment that a file covers; the minute in which it was begun, if it cannot be read."""
        start = begun(part.minute)
        found = self._firsts.get(_key(part))
        try:
            found = self._look_for_first(part, start) if found is None else found
        except PartError:
            return start
        if found is None:
            return start
        # The first records of a file stay its first ones.
        self._firsts.put(_key(part), found)
        return found

    def last_of(self, part: Part) -> float:
        """The time of a file's last record; the minute in which it was begun, if it cannot be read."""
        start = begun(part.minute)
        found = self._lasts.get(_key(part))
        try:
            found = self._look_for_last(part, start) if found is None else found
        except PartError:
            return start
        if found is None:
            return start
        if part.area != "open":
            self._lasts.put(_key(part), found)
        return found

    def _look_for_first(self, part: Part, start: float) -> float | None:
        with closing(self._parts.blocks(part)) as blocks:  # type: ignore[type-var]
            return min(_times(next(blocks, b""), start), default=None)

    def _look_for_last(self, part: Part, start: float) -> float | None:
        latest = b""
        try:
            for block in self._parts.blocks(part):
                latest = max(latest, time_reached(block))
        except PartError:
            # The part that can be read counts.
            if not latest:
                raise
        return max(start, seconds_of(latest)) if latest else None


def _key(part: Part) -> str:
    return f"{part.area} {part.name}{part.suffix} {part.copy} {part.version}"


def _times(block: bytes, start: float) -> list[float]:
    """The times of a file's first lines, none of them before ``start``; those of gaps may be."""
    found = []
    for line in block.split(b"\n", _LINES)[:_LINES]:
        gap = gap_of(line)
        time = lines.timestamp(line)
        if gap is not None:
            found.append(gap.since)
        elif time:
            found.append(max(start, lines.seconds(time)))
    return found
