"""What of a room has been recorded and what has not: the truth that gap records are made of.

A room is covered while at least one connection has it acknowledged by the server. When coverage ends
a hole opens, dated back to the last byte heard; when it begins again the hole closes and the caller
gets its two ends and the reason. All times are wall-clock seconds since the epoch, but for those of
``Spans``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hole:
    """The room was not recorded from ``start`` to ``end`` because of ``reason``."""

    start: float
    end: float
    reason: str


class Coverage:
    """One room's coverage.

    ``missing_since`` is None while the room is covered, and also before it was covered for the first
    time: what was never promised is no hole. ``since`` is when the present state began, None before the
    first; ``first`` when the room was covered for the first time, if no hole came before that.
    """

    __slots__ = ("covered", "first", "missing_since", "reason", "since")

    def __init__(self) -> None:
        self.covered = False
        self.first: float | None = None
        self.since: float | None = None
        self.missing_since: float | None = None
        self.reason = ""

    def began(self, at: float) -> Hole | None:
        """The room is recorded from ``at`` on; the hole that this closes, if there was one."""
        if self.covered:
            return None
        hole = self._close(at)
        if self.since is None:
            self.first = at
        self.covered = True
        self.since = at
        return hole

    def ended(self, at: float, reason: str) -> None:
        """Nothing after ``at`` is recorded. A hole that is already open keeps its start."""
        if self.covered:
            self.covered = False
            self.since = self.missing_since = at
            self.reason = reason

    def turned(self, at: float, reason: str) -> Hole | None:
        """The cause of an open hole changed: the part that ends here, the rest stays open."""
        if self.missing_since is None or reason == self.reason:
            return None
        hole = self._close(at)
        self.missing_since = at
        self.reason = reason
        return hole

    def missing(self, start: float, reason: str) -> None:
        """The room was not recorded since ``start``, as found out from an earlier run."""
        if not self.covered and self.missing_since is None:
            self.since = self.missing_since = start
            self.reason = reason

    def set_back(self, by: float, now: float) -> None:
        """The wall clock was set back by so many seconds, to ``now``: what has already begun does not
        lie in the future, and an open hole keeps its length."""
        if self.missing_since is not None and self.missing_since > now:
            self.missing_since = min(self.missing_since - by, now)
        if self.since is not None and self.since > now:
            self.since = min(self.since - by, now)

    def set_forward(self, by: float, after: float) -> None:
        """The wall clock skipped so many seconds after ``after``: a hole that was dated by what it says
        now, and by how long ago something was heard, began before it."""
        if self.missing_since is not None and self.missing_since > after:
            self.since = self.missing_since = self.missing_since - by

    def _close(self, at: float) -> Hole | None:
        if self.missing_since is None:
            return None
        hole = Hole(self.missing_since, max(at, self.missing_since), self.reason)
        self.missing_since = None
        self.reason = ""
        return hole


#: How many spans are remembered of a room: more than one connection can come and go in the minute that
#: it takes to find the other one dead.
_SPANS = 32


class Spans:
    """When single connections had a room, for rooms that have more than one of them. Times are those of
    any one clock.

    That a connection is dead is found out up to a minute late, and until then it counts as recording.
    What the others did in that minute tells how much of it is really missing.
    """

    __slots__ = ("_past",)

    def __init__(self) -> None:
        self._past: list[tuple[float, float]] = []

    def ended(self, start: float, end: float) -> None:
        """A connection had the room from ``start`` to ``end``."""
        self._past.append((start, end))
        del self._past[:-_SPANS]

    def after(self, time: float) -> list[tuple[float, float]]:
        """Those that ended later than that."""
        return [span for span in self._past if span[1] > time]

    def uncovered(self, start: float, end: float, present: Iterable[float] = ()) -> list[tuple[float, float]]:
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
