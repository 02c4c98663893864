"""The intervals in which each connection delivered a room: they show where a gap of the room begins."""

from __future__ import annotations

from collections.abc import Iterable

#: From when to when.
Span = tuple[float, float]
#: How many intervals are kept for each room. It takes up to a minute to find a connection dead, and several
#: others can come and go in that time.
_MOST = 32


class ConnectionIntervals:
    """The intervals in which connections delivered a room, for a room that has more than one connection. All
    times are of the same clock.

    A dead connection is noticed up to a minute late, and until then it counts as recording. The intervals of
    the other connections show how much of that minute is really missing.
    """

    __slots__ = ("_past",)

    def __init__(self) -> None:
        self._past: list[Span] = []

    def ended(self, start: float, end: float) -> None:
        """A connection delivered the room from ``start`` to ``end``."""
        self._past.append((start, end))
        del self._past[:-_MOST]

    def after(self, time: float) -> list[Span]:
        """The intervals that ended after ``time``."""
        return [span for span in self._past if span[1] > time]

    def uncovered(self, start: float, end: float, present: Iterable[float] = ()) -> list[Span]:
        """The parts of ``start`` to ``end``, in order, in which no connection delivered the room.
        ``present``: since when each of the present connections has delivered it."""
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
