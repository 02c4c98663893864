"""What of a room has been recorded and what has not: the truth that gap records are made of.

A room is recorded while at least one connection has it acknowledged by the server. When coverage ends
a hole opens, dated back to the last byte heard; when it begins again the hole closes and the caller
gets its two ends and the reason. All times are wall-clock seconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gap:
    """The room was not recorded from ``start`` to ``end`` because of ``reason``."""

    start: float
    end: float
    reason: str


class RoomTimeline:
    """One room's coverage.

    ``missing_since`` is None while the room is recorded, and also before it was recorded for the first
    time: what was never promised is no hole. ``since`` is when the present state began, None before the
    first; ``first`` when the room was recorded for the first time, if no hole came before that.
    """

    __slots__ = ("first", "missing_since", "reason", "recorded", "since")

    def __init__(self) -> None:
        self.recorded = False
        self.first: float | None = None
        self.since: float | None = None
        self.missing_since: float | None = None
        self.reason = ""

    def began(self, at: float) -> Gap | None:
        """The room is recorded from ``at`` on; the hole that this closes, if there was one."""
        if self.recorded:
            return None
        hole = self._close(at)
        if self.since is None:
            self.first = at
        self.recorded = True
        self.since = at
        return hole

    def ended(self, at: float, reason: str) -> None:
        """Nothing after ``at`` is recorded. A hole that is already open keeps its start."""
        if self.recorded:
            self.recorded = False
            self.since = self.missing_since = at
            self.reason = reason

    def turned(self, at: float, reason: str) -> Gap | None:
        """The cause of an open hole changed: the part that ends here, the rest stays open."""
        if self.missing_since is None or reason == self.reason:
            return None
        hole = self._close(at)
        self.missing_since = at
        self.reason = reason
        return hole

    def missing(self, start: float, reason: str) -> None:
        """The room was not recorded since ``start``, as found out from an earlier run."""
        if not self.recorded and self.missing_since is None:
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

    def _close(self, at: float) -> Gap | None:
        if self.missing_since is None:
            return None
        hole = Gap(self.missing_since, max(at, self.missing_since), self.reason)
        self.missing_since = None
        self.reason = ""
        return hole
