"""When single connections had a room: the evidence of where a gap of it begins."""

from __future__ import annotations

from collections.abc import Iterable

#: From when to when.
Span = tuple[float, float]
#: How many intervals are remembered of a room: more than one connection can come and go in the minute that
#: it takes to find the other one dead.
_MOST = 32


class ConnectionIntervals:
    """When single connections had a room, for rooms that have more than one of them. Times are those of
    any one clock.

    That a connection is dead is found out up to a minute late, and until then it counts as recording.
    What the others did in that minute tells how much of it is really missing.
    """

    __slots__ = ("_past",)

    def __init__(self) -> None:
        self._past: list[Span] = []

    def ended(self, start: float, end: float) -> None:
        """A connection had the room from ``start`` to ``end``."""
        self._past.append((start, end))
        del self._past[:-_MOST]

    def after(self, time: float) -> list[Span]:
        """Those that ended later than that."""
        return [span for span in self._past if span[1] > time]

    def uncovered(self, start: float, end: float, present: Iterable[float] = ()) -> list[Span]:
        """The parts of ``start`` to ``end``, in order, in which no connection had the room: neither one
        of the past nor those that have had it since the times in ``present``."""
        parts = []
        for since, until in sorted([*self._past, *((since, end) for since in present)]):
            if since >= end:
                break
            if since > start:
                parts.append((start, since))
            start = max(start, until)
        if start < end:
            parts.append((start, end))
        return parts
