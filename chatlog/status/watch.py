"""Conditions that only show over time: the growth of totals within the last hour, the rooms that missed too
much of it, and the beginning of conditions that have no date of their own."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from chatlog.counters import Counters
from chatlog.status.condition import Condition, Key, Observed
from chatlog.status.drift import EVERY, NOTES, Drift
from chatlog.status.room_stats import RoomStats

#: Seconds between two computations of the last hour's coverage.
COVERAGE_EVERY = 60.0
#: Seconds for which a store's error about our clock counts.
SKEWED_FOR = 600.0
#: Seconds for which the beginning of a condition is kept after it was last seen.
REMEMBERED = 30.0


class Hourly:
    """The growth of a total in the last hour, or since the start."""

    def __init__(self, now: float) -> None:
        self._notes: deque[tuple[float, int]] = deque([(now, 0)], NOTES + 1)

    def poll(self, total: int, now: float) -> int:
        """The growth, for the present ``total`` since the start."""
        if now - self._notes[-1][0] >= EVERY:
            self._notes.append((now, total))
        return total - self._notes[0][1]


class Watch:
    """Polled every few seconds. ``observed`` has the results."""

    def __init__(self, counters: Counters, now: float) -> None:
        self._counters = counters
        self._drift = Drift(now)
        self._dropped = Hourly(now)
        self._poor: list[tuple[Key, float]] = []
        self._poor_at = now
        self._skews = 0
        self._skewed_at = float("-inf")
        # For each condition: when it began, and when it was last seen.
        self._since: dict[tuple[str, str], tuple[float, float]] = {}
        self.observed = Observed()

    def poll(self, rooms: RoomStats, coverage: int, now: float, wall: float) -> None:
        """``coverage`` is the percentage of the last hour that a room has to be recorded for."""
        counters = self._counters
        if now - self._poor_at >= COVERAGE_EVERY:
            self._poor_at = now
            self._poor = list(rooms.poorly_covered(coverage / 100, wall))
        if counters.upload_retries["clock"] != self._skews:
            self._skews = counters.upload_retries["clock"]
            self._skewed_at = now
        self.observed = Observed(
            self._poor,
            self._drift.poll(counters, now),
            self._drift.unreadable(counters.unparsed, now),
            self._dropped.poll(sum(counters.dropped.values()), now),
            now - self._skewed_at < SKEWED_FOR,
        )

    def dated(self, found: Iterable[Condition], now: float, wall: float) -> list[Condition]:
        """The same conditions, each with its beginning."""
        dated = []
        for each in found:
            since, seen = self._since.get(each.key, (0.0, float("-inf")))
            if now - seen > REMEMBERED:
                since = wall
            self._since[each.key] = since, now
            dated.append(each if each.since else replace(each, since=since))
        for key, (_, seen) in list(self._since.items()):
            if now - seen > REMEMBERED:
                del self._since[key]
        return dated
