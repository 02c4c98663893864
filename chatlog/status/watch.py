"""What only shows over time: how much came within an hour, which rooms missed too much, since when something
that has no date of its own has been so."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from chatlog.counters import Counters
from chatlog.status.condition import Condition, Key, Observed
from chatlog.status.drift import EVERY, NOTES, Drift
from chatlog.status.room_stats import RoomStats

#: Seconds between two looks at the coverage of the last hour.
COVERAGE_EVERY = 60.0
#: Seconds for which a store's word about our clock counts.
SKEWED_FOR = 600.0
#: What a condition is remembered for after it was last seen, in seconds.
REMEMBERED = 30.0


class Hourly:
    """By how much a total has grown in the last hour, or since the start."""

    def __init__(self, now: float) -> None:
        self._notes: deque[tuple[float, int]] = deque([(now, 0)], NOTES + 1)

    def poll(self, total: int, now: float) -> int:
        """``total`` is that since the start."""
        if now - self._notes[-1][0] >= EVERY:
            self._notes.append((now, total))
        return total - self._notes[0][1]


class Watch:
    """Looks every few seconds. ``observed`` is what it has found."""

    def __init__(self, counters: Counters, now: float) -> None:
        self._counters = counters
        self._drift = Drift(now)
        self._dropped = Hourly(now)
        self._poor: list[tuple[Key, float]] = []
        self._poor_at = now
        self._skews = 0
        self._skewed_at = float("-inf")
        # By condition: when it began, and when it was last seen.
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
        """The same conditions, each with when it began."""
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
