"""Today and the last hour, for which figures of rooms are counted, and which gaps are explained already.

A day is that of UTC.
"""

from __future__ import annotations

from collections import deque

from chatlog.timeline.timeline import DAY, EARLIER, HOUR, RESTART, RoomTimeline

#: Reasons of gaps that need no alarm about coverage: a stopped recorder, a wrong clock, or a disk that
#: accepts nothing, which has an alarm of its own.
EXPLAINED = frozenset({RESTART, EARLIER, "disk full", "overflow", "clock"})
#: So many outages of a platform are remembered, more than there are in an hour.
_OUTAGES = 13


class CoverageWindow:
    """``known_since``: the beginning of the time for which the coverage is known."""

    def __init__(self, known_since: float, now: float) -> None:
        self._known_since = known_since
        self._midnight = now - now % DAY
        # By platform, the times in which the whole platform was away and an alarm reported that.
        self._outages: dict[str, deque[tuple[float, float]]] = {}

    @property
    def today(self) -> float:
        """The beginning of the day, or of its known part."""
        return max(self._midnight, self._known_since)

    def hour(self, now: float) -> float:
        """The beginning of the last hour, or of its known part."""
        return max(now - HOUR, self._known_since)

    def poll(self, now: float) -> bool:
        """Called every few seconds. Returns whether a new day has begun."""
        self._known_since = min(self._known_since, now)
        if 0 <= now - self._midnight < DAY:
            return False
        self._midnight = now - now % DAY
        return True

    def outage(self, platform: str, since: float, now: float) -> None:
        """An alarm reports that the platform has been away since then. Called repeatedly while it is."""
        outages = self._outages.setdefault(platform, deque(maxlen=_OUTAGES))
        if outages and since <= outages[-1][1]:
            since = min(since, outages.pop()[0])
        outages.append((since, now))

    def unexplained(self, platform: str, timeline: RoomTimeline, now: float) -> float:
        """The seconds of closed gaps in the last hour that no other alarm has reported. A gap that reaches
        into an outage belongs to the outage as a whole, because it takes minutes until all rooms are joined
        again."""
        begin, outages = self.hour(now), self._outages.get(platform, ())
        return sum(
            stretch.within(begin, now)
            for stretch in timeline.stretches(begin)
            if stretch.reason not in EXPLAINED
            and not any(stretch.start <= until and stretch.end >= since for since, until in outages)
        )
