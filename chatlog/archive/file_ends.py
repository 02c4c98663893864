"""From when to when files have records. They are mostly read to be known, and then remembered."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import closing
from threading import Lock

from chatlog.archive import lines
from chatlog.archive.covered import begun, seconds_of
from chatlog.archive.gaps import gap_of
from chatlog.archive.listings import keep
from chatlog.archive.parts import Part, PartError, Parts
from chatlog.archive.reader import come_to

#: The lines of a file among which the earliest is looked for: they are in the order of arrival.
_LINES = 50
#: The most files that are remembered.
_KEPT = 4096


class FileEnds:
    """The first and the last moments of files. May be used by several threads."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lock = Lock()
        self._ends: OrderedDict[str, float] = OrderedDict()

    def first_of(self, part: Part) -> float:
        """The first moment of which a file tells; when it was begun, if it cannot be read."""
        start = begun(part.minute)
        return self._remembered("first", part, start, self._look_for_first)

    def last_of(self, part: Part) -> float:
        """The same, the last moment of which it has a record."""
        return self._remembered("last", part, begun(part.minute), self._look_for_last)

    def _remembered(
        self, which: str, part: Part, start: float, look: Callable[[Part, float], float | None]
    ) -> float:
        key = f"{which} {part.area} {part.name}{part.suffix} {part.copy} {part.version}"
        with self._lock:
            known = self._ends.get(key)
        if known is not None:
            return known
        try:
            found = look(part, start)
        except PartError:
            return start
        # The first records of a file stay its first ones.
        if found is None or (part.area == "open" and look == self._look_for_last):
            return start if found is None else found
        with self._lock:
            keep(self._ends, key, found, _KEPT)
        return found

    def _look_for_first(self, part: Part, start: float) -> float | None:
        with closing(self._parts.blocks(part)) as blocks:  # type: ignore[type-var]
            return min(_times(next(blocks, b""), start), default=None)

    def _look_for_last(self, part: Part, start: float) -> float | None:
        latest = b""
        try:
            for block in self._parts.blocks(part):
                latest = max(latest, come_to(block))
        except PartError:
            # As far as it can be read.
            if not latest:
                raise
        return max(start, seconds_of(latest)) if latest else None


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
