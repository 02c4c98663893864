"""What of a room has been recorded and what has not: the truth that gap records are made of.

A room is covered while at least one connection has it acknowledged by the server. When coverage ends
a hole opens, dated back to the last byte heard; when it begins again the hole closes and the caller
gets its two ends and the reason. All times are wall-clock seconds since the epoch.
"""

from __future__ import annotations

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
    time: what was never promised is no hole.
    """

    __slots__ = ("covered", "missing_since", "reason", "since")

    def __init__(self) -> None:
        self.covered = False
        self.since: float | None = None
        self.missing_since: float | None = None
        self.reason = ""

    def began(self, at: float) -> Hole | None:
        """The room is recorded from ``at`` on; the hole that this closes, if there was one."""
        if self.covered:
            return None
        hole = self._close(at)
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

    def _close(self, at: float) -> Hole | None:
        if self.missing_since is None:
            return None
        hole = Hole(self.missing_since, max(at, self.missing_since), self.reason)
        self.missing_since = None
        self.reason = ""
        return hole
