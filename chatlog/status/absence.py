"""For how much of today, and of the last hour, each room was not recorded.

Fed by the holes as they close; the ones that are open are added when somebody asks. A day is that of
UTC. Of what an earlier process recorded today only the present period of the manifest is known, an hour
at most; the hole between that one and this one is counted in any case.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from chatlog.journal.journal import Key
from chatlog.journal.standings import RESTART
from chatlog.journal.tally import Counted, Tally
from chatlog.timeline.timeline import Gap, RoomTimeline

DAY = 86400.0
#: The last hour, and a little more, is remembered in so many parts of so many seconds.
HOUR = 3600.0
PARTS = 13
PART = 300.0
#: Seconds between two holes of the last hour that are shown as one: a room that comes and goes has no
#: more of them than this allows.
BLUR = 30.0


#: Reasons of holes that are known for themselves: somebody has stopped the recorder, or the disk took
#: nothing, which has an alarm of its own.
EXPLAINED = frozenset({RESTART, "disk full", "overflow", "clock"})


@dataclass(slots=True)
class _Part:
    """Some minutes: the seconds that each room lost in them, and those that nothing else explains."""

    start: float
    lost: dict[Key, float] = field(default_factory=dict)
    unexplained: dict[Key, float] = field(default_factory=dict)


class Absence:
    """``since``: when the day began, or what is known of it if that was later, by the wall clock.

    ``outages`` are the times, by platform, in which all of it was away and an alarm has said so.
    """

    def __init__(self, now: float) -> None:
        self._day = Tally(now)
        self._midnight = now - now % DAY
        # Holes that closed today, by room.
        self._gaps: Counter[Key] = Counter()
        self._parts: deque[_Part] = deque([_Part(now)], PARTS)
        self._counted: dict[Key, Counted] = {}
        # Where the holes of the last hour lie, of those rooms that had any.
        self._holes: dict[Key, deque[tuple[float, float]]] = {}
        self.outages: dict[str, deque[tuple[float, float]]] = {}

    @property
    def since(self) -> float:
        return self._day.since

    def earlier(self, since: float, lost: Mapping[Key, float]) -> None:
        """An earlier process has recorded since then, and each room lost so many seconds."""
        if since < self._day.since:
            self._day.since = max(since, self._midnight)
            self._day.lost = dict(lost)
            self._gaps.update(key for key, seconds in lost.items() if seconds > 0)
            start = self._parts[0].start
            self._parts.appendleft(_Part(max(since, start - HOUR), dict(lost)))

    def closed(self, key: Key, hole: Gap) -> None:
        """A hole of the room has closed."""
        if hole.reason == RESTART and hole.start < self._day.since:
            # Every room was missing then, so the account of all of them can begin there.
            self._day.since = max(hole.start, self._midnight)
            while len(self._parts) < PARTS and self._parts[0].start > hole.start:
                self._parts.appendleft(_Part(max(hole.start, self._parts[0].start - PART)))
        self._day.closed(key, hole)
        self._gaps[key] += 1
        self._remember(key, hole)
        explained = self._explains(key[0], hole.start, hole.end, hole.reason)
        for start, end in self._counted.setdefault(key, Counted()).add(hole.start, hole.end):
            self._lose(key, start, end, explained)

    def _lose(self, key: Key, since: float, until: float, explained: bool) -> None:
        last = len(self._parts) - 1
        for index, part in enumerate(self._parts):
            begin = max(since, part.start)
            end = until if index == last else min(until, self._parts[index + 1].start)
            if end > begin:
                part.lost[key] = part.lost.get(key, 0.0) + end - begin
                if not explained:
                    part.unexplained[key] = part.unexplained.get(key, 0.0) + end - begin

    def _remember(self, key: Key, hole: Gap) -> None:
        holes = self._holes.setdefault(key, deque())
        while holes and holes[0][1] < hole.end - HOUR:
            holes.popleft()
        start, end = hole.start, hole.end
        while holes and start < holes[-1][1] + BLUR and end > holes[-1][0] - BLUR:
            before = holes.pop()
            start, end = min(start, before[0]), max(end, before[1])
        holes.append((start, end))

    def outage(self, platform: str, since: float, now: float) -> None:
        """An alarm says that the platform has been away since then; called again and again while it is."""
        outages = self.outages.setdefault(platform, deque(maxlen=PARTS))
        if outages and since <= outages[-1][1]:
            since = min(since, outages.pop()[0])
        outages.append((since, now))

    def _explains(self, platform: str, start: float, end: float, reason: str) -> bool:
        """Whether something that has been told explains a hole. One that reaches into an outage is part of
        it as a whole: it takes minutes until all rooms are joined again."""
        outages = self.outages.get(platform, ())
        return reason in EXPLAINED or any(start <= until and end >= since for since, until in outages)

    def look(self, now: float) -> bool:
        """Called every few seconds; whether a new day has begun."""
        start = self._parts[-1].start
        if now - start >= PART or now < start:
            self._parts.append(_Part(now))
            self._holes = {key: holes for key, holes in self._holes.items() if holes[-1][1] > now - HOUR}
            self._counted = {key: self._counted[key] for key in self._holes if key in self._counted}
        if 0 <= now - self._midnight < DAY:
            return False
        self._midnight = now - now % DAY
        self._day.turn(self._midnight)
        self._gaps.clear()
        return True

    def gaps(self, key: Key, timeline: RoomTimeline, unwritten: float | None = None) -> int:
        """In how many pieces of today the room was not recorded, one that is still open included. Of what
        an earlier process lost today only that it was something is known, which counts as one."""
        return self._gaps[key] + (not timeline.recorded or unwritten is not None)

    def today(self, key: Key, timeline: RoomTimeline, now: float, unwritten: float | None = None) -> float:
        """The share of today, from 0 to 1, in which the room was recorded. ``unwritten``: since when
        nothing that arrives in it can be written."""
        if timeline.since is None:
            return 0.0
        missing_since = _earliest(timeline.missing_since, unwritten)
        recorded, lost = self._day.seconds(key, timeline.first, missing_since, now)
        return _share(recorded, lost, timeline)

    def last_hour(
        self, key: Key, timeline: RoomTimeline, wanted: float, now: float, unwritten: float | None = None
    ) -> float:
        """The same of the last hour. ``wanted``: since when the room is wanted, which counts as long as it
        was never recorded."""
        begin = max(self._parts[0].start, now - HOUR)
        if timeline.since is None:
            return _share(0.0, max(0.0, now - max(begin, wanted)), timeline)
        lost = self._in_parts("lost", key, begin)
        if timeline.first is not None:
            begin = max(begin, timeline.first)
        missing_since = _earliest(timeline.missing_since, unwritten)
        if missing_since is not None:
            lost += max(0.0, now - max(missing_since, begin))
        whole = max(0.0, now - begin)
        lost = min(lost, whole)
        return _share(whole - lost, lost, timeline)

    def holes(
        self, key: Key, timeline: RoomTimeline, wanted: float, now: float, unwritten: float | None = None
    ) -> list[list[float | None]]:
        """Where in the last hour the room was not recorded: ``[from, to]``, in order, to half a minute;
        ``to`` is None of one that is still open."""
        begin = now - HOUR
        found: list[list[float | None]] = [
            [round(max(start, begin), 1), round(end, 1)]
            for start, end in self._holes.get(key, ())
            if end > begin
        ]
        opened = wanted if timeline.since is None else _earliest(timeline.missing_since, unwritten)
        if opened is not None:
            found.append([round(max(opened, begin), 1), None])
        return found

    def unexplained(self, key: Key, now: float) -> float:
        """Seconds of the last hour in which the room was not recorded, that are over, and of which no other
        alarm has told."""
        return self._in_parts("unexplained", key, max(self._parts[0].start, now - HOUR))

    def losers(self) -> set[Key]:
        """The rooms that had a hole in the last hour that nothing explains."""
        return {key for part in self._parts for key in part.unexplained}

    def _in_parts(self, what: str, key: Key, begin: float) -> float:
        """Seconds lost after ``begin``. Of the five minutes with which the hour began it is taken that what
        was missing was spread evenly."""
        total = 0.0
        for index, part in enumerate(self._parts):
            seconds = float(getattr(part, what).get(key, 0.0))
            if seconds and part.start < begin and index + 1 < len(self._parts):
                end = self._parts[index + 1].start
                seconds = seconds * max(0.0, end - begin) / (end - part.start) if end > part.start else 0.0
            total += seconds
        return total


def _earliest(one: float | None, other: float | None) -> float | None:
    times = [time for time in (one, other) if time is not None]
    return min(times) if times else None


def _share(recorded: float, lost: float, timeline: RoomTimeline) -> float:
    whole = recorded + lost
    if whole <= 0.0:
        return 1.0 if timeline.recorded else 0.0
    return recorded / whole
