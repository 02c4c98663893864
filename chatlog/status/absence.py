"""For how much of today, and of the last hour, each room was not recorded.

Fed by the holes as they close; the ones that are open are added when somebody asks. A day is that of
UTC. Of what an earlier process recorded today only the present period of the manifest is known, an hour
at most; the hole between that one and this one is counted in any case.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping

from chatlog.journal.journal import Key
from chatlog.journal.presence import RESTART
from chatlog.journal.tally import Counted, Tally
from chatlog.rooms.coverage import Coverage, Hole

DAY = 86400.0
#: The last hour, and a little more, is remembered in so many parts of so many seconds.
HOUR = 3600.0
PARTS = 13
PART = 300.0
#: Seconds between two holes of the last hour that are shown as one: a room that comes and goes has no
#: more of them than this allows.
BLUR = 30.0


class Absence:
    """``since``: when the day began, or what is known of it if that was later, by the wall clock."""

    def __init__(self, now: float) -> None:
        self._day = Tally(now)
        self._midnight = now - now % DAY
        #: Holes that closed today, by room.
        self.gaps: Counter[Key] = Counter()
        self._parts: deque[tuple[float, dict[Key, float]]] = deque([(now, {})], PARTS)
        self._counted: dict[Key, Counted] = {}
        # Where the holes of the last hour lie, of those rooms that had any.
        self._holes: dict[Key, deque[tuple[float, float]]] = {}

    @property
    def since(self) -> float:
        return self._day.since

    def earlier(self, since: float, lost: Mapping[Key, float]) -> None:
        """An earlier process has recorded since then, and each room lost so many seconds."""
        if since < self._day.since:
            self._day.since = max(since, self._midnight)
            self._day.lost = dict(lost)
            start = self._parts[0][0]
            self._parts.appendleft((max(since, start - HOUR), dict(lost)))

    def closed(self, key: Key, hole: Hole) -> None:
        """A hole of the room has closed."""
        if hole.reason == RESTART and hole.start < self._day.since:
            # Every room was missing then, so the account of all of them can begin there.
            self._day.since = max(hole.start, self._midnight)
            while len(self._parts) < PARTS and self._parts[0][0] > hole.start:
                self._parts.appendleft((max(hole.start, self._parts[0][0] - PART), {}))
        self._day.closed(key, hole)
        self.gaps[key] += 1
        self._remember(key, hole)
        for start, end in self._counted.setdefault(key, Counted()).add(hole.start, hole.end):
            self._lose(key, start, end)

    def _lose(self, key: Key, since: float, until: float) -> None:
        last = len(self._parts) - 1
        for index, (start, lost) in enumerate(self._parts):
            begin = max(since, start)
            end = until if index == last else min(until, self._parts[index + 1][0])
            if end > begin:
                lost[key] = lost.get(key, 0.0) + end - begin

    def _remember(self, key: Key, hole: Hole) -> None:
        holes = self._holes.setdefault(key, deque())
        while holes and holes[0][1] < hole.end - HOUR:
            holes.popleft()
        start, end = hole.start, hole.end
        while holes and start < holes[-1][1] + BLUR and end > holes[-1][0] - BLUR:
            before = holes.pop()
            start, end = min(start, before[0]), max(end, before[1])
        holes.append((start, end))

    def look(self, now: float) -> bool:
        """Called every few seconds; whether a new day has begun."""
        start = self._parts[-1][0]
        if now - start >= PART or now < start:
            self._parts.append((now, {}))
            self._holes = {key: holes for key, holes in self._holes.items() if holes[-1][1] > now - HOUR}
            self._counted = {key: self._counted[key] for key in self._holes if key in self._counted}
        if 0 <= now - self._midnight < DAY:
            return False
        self._midnight = now - now % DAY
        self._day.turn(self._midnight)
        self.gaps.clear()
        return True

    def today(self, key: Key, coverage: Coverage, now: float) -> float:
        """The share of today, from 0 to 1, in which the room was recorded."""
        if coverage.since is None:
            return 0.0
        recorded, lost = self._day.seconds(key, coverage.first, coverage.missing_since, now)
        return _share(recorded, lost, coverage)

    def last_hour(self, key: Key, coverage: Coverage, wanted: float, now: float) -> float:
        """The same of the last hour. ``wanted``: since when the room is wanted, which counts as long as it
        was never recorded."""
        recorded, lost = self._hour(key, coverage, wanted, now)
        return _share(recorded, lost, coverage)

    def holes(self, key: Key, coverage: Coverage, wanted: float, now: float) -> list[list[float | None]]:
        """Where in the last hour the room was not recorded: ``[from, to]``, in order, to half a minute;
        ``to`` is None of one that is still open."""
        begin = now - HOUR
        found: list[list[float | None]] = [
            [round(max(start, begin), 1), round(end, 1)]
            for start, end in self._holes.get(key, ())
            if end > begin
        ]
        opened = wanted if coverage.since is None else coverage.missing_since
        if opened is not None:
            found.append([round(max(opened, begin), 1), None])
        return found

    def missed(self, key: Key, coverage: Coverage, wanted: float, now: float) -> float:
        """Seconds of the last hour in which the room was not recorded."""
        return self._hour(key, coverage, wanted, now)[1]

    def losers(self) -> set[Key]:
        """The rooms that had a hole in the last hour."""
        return {key for _, lost in self._parts for key in lost}

    def _hour(self, key: Key, coverage: Coverage, wanted: float, now: float) -> tuple[float, float]:
        """Seconds recorded and seconds missing. Of the five minutes with which the hour began it is
        taken that what was missing was spread evenly."""
        begin = max(self._parts[0][0], now - HOUR)
        if coverage.since is None:
            return 0.0, max(0.0, now - max(begin, wanted))
        lost = sum(self._lost_in(at, key, begin) for at, (_, gone) in enumerate(self._parts) if key in gone)
        if coverage.first is not None:
            begin = max(begin, coverage.first)
        if coverage.missing_since is not None:
            lost += max(0.0, now - max(coverage.missing_since, begin))
        whole = max(0.0, now - begin)
        lost = min(lost, whole)
        return whole - lost, lost

    def _lost_in(self, index: int, key: Key, begin: float) -> float:
        """Seconds lost in one of the parts after ``begin``."""
        start, lost = self._parts[index]
        seconds = lost.get(key, 0.0)
        if seconds and start < begin and index + 1 < len(self._parts):
            end = self._parts[index + 1][0]
            return seconds * max(0.0, end - begin) / (end - start) if end > start else 0.0
        return seconds


def _share(recorded: float, lost: float, coverage: Coverage) -> float:
    whole = recorded + lost
    if whole <= 0.0:
        return 1.0 if coverage.covered else 0.0
    return recorded / whole
