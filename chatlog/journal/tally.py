"""How many seconds of a period each room was recorded, and how many not: the room rows of a manifest."""

from __future__ import annotations

from typing import NamedTuple

from chatlog.journal.journal import Key, Span, Standing
from chatlog.timeline.timeline import Gap


class RoomTime(NamedTuple):
    """Seconds of a period in which a room was recorded and in which it was not; why it is missing at
    the end, ``""`` if it is not."""

    platform: str
    channel: str
    recorded: float
    missing: float
    reason: str


#: So many stretches are remembered of a room, the latest: more than a room loses in an hour, unless its
#: connection breaks every minute.
_STRETCHES = 64


class Counted:
    """The stretches of time that were counted already: records can be lost while a room is missing anyway,
    and no second of it is missing twice."""

    __slots__ = ("_stretches",)

    def __init__(self) -> None:
        # Disjoint and in order.
        self._stretches: list[Span] = []

    def add(self, start: float, end: float) -> list[Span]:
        """Count this stretch; the parts of it that were not counted before."""
        new = self.without(start, end)
        if new:
            apart = [span for span in self._stretches if span[1] < start or span[0] > end]
            touching = [span for span in self._stretches if span[1] >= start and span[0] <= end]
            whole = min([start, *(span[0] for span in touching)]), max([end, *(span[1] for span in touching)])
            self._stretches = sorted([*apart, whole])[-_STRETCHES:]
        return new

    def without(self, start: float, end: float) -> list[Span]:
        """The parts of this stretch that were not counted yet."""
        parts = []
        for counted_from, counted_to in self._stretches:
            if counted_to <= start:
                continue
            if counted_from >= end:
                break
            if counted_from > start:
                parts.append((start, counted_from))
            start = counted_to
        if start < end:
            parts.append((start, end))
        return parts


class Tally:
    """The holes of one period, which began at ``since`` (wall-clock seconds).

    ``lost`` holds the seconds of the holes that have closed.
    """

    __slots__ = ("_counted", "_next", "lost", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.lost: dict[Key, float] = {}
        self._counted: dict[Key, Counted] = {}
        self._next: Tally | None = None

    def closed(self, key: Key, hole: Gap) -> None:
        """A hole of the room has closed, or records of it were lost for so long."""
        start = max(hole.start, self.since)
        if hole.end > start:
            counted = self._counted.setdefault(key, Counted())
            seconds = sum(end - start for start, end in counted.add(start, hole.end))
            self.lost[key] = self.lost.get(key, 0.0) + seconds
        if self._next is not None:
            self._next.closed(key, hole)

    def closing(self, at: float) -> None:
        """The period will end at ``at``: of the holes that close from now on, what comes after that
        counts for the next one."""
        self._next = Tally(at)

    def turn(self, at: float) -> None:
        """The next period begins at ``at``."""
        following, self._next = self._next, None
        if following is None or following.since != at:
            following = Tally(at)
        self.since, self.lost, self._counted = at, following.lost, following._counted

    def forget(self, key: Key) -> None:
        """The room is no longer recorded."""
        self.lost.pop(key, None)
        self._counted.pop(key, None)

    def time(self, key: Key, standing: Standing, until: float) -> RoomTime:
        """The seconds, up to ``until``, of a room that stands so."""
        open_since = None if standing.recorded else standing.since
        recorded, missing = self.seconds(key, standing.begun, open_since, until)
        return RoomTime(*key, recorded, missing, "" if standing.recorded else standing.reason)

    def seconds(
        self, key: Key, first: float | None, missing_since: float | None, until: float
    ) -> tuple[float, float]:
        """Seconds recorded and seconds missing up to ``until``. ``first``: when the room was recorded
        for the first time, if that is known; before it nothing was promised. ``missing_since``: the
        start of its open hole."""
        start = self.since if first is None else max(first, self.since)
        whole = max(until - start, 0.0)
        missing = self.lost.get(key, 0.0)
        if missing_since is not None:
            counted = self._counted.get(key)
            begin = max(missing_since, start)
            parts = [(begin, until)] if counted is None else counted.without(begin, until)
            missing += sum(max(to - since, 0.0) for since, to in parts)
        missing = min(missing, whole)
        return whole - missing, missing
