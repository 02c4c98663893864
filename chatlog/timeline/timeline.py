"""The timeline of one room: when it was recorded and when not. Every figure of coverage comes from here.

A room is recorded while at least one connection has it acknowledged by the server. When that ends, a gap
opens, dated back to the last byte heard; when it begins again, the gap closes and is returned, so that its
record can be written. The timeline keeps the closed gaps for a day. All times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

#: Why a room is missing from the end of one process to the beginning of the next.
RESTART = "restart"
#: The reason of seconds that an earlier process lost: only their number is known, not when and why.
EARLIER = ""

HOUR, DAY = 3600.0, 86400.0
#: Seconds for which gaps are kept, and for which each gap is a stretch of its own.
KEPT = DAY + HOUR
KEPT_APART = HOUR + 600.0
#: Numbers of stretches of a room: up to FEW they are not folded; more than MOST are never kept.
FEW, MOST = 16, 96
#: Seconds between two gaps that are shown as one.
BLUR = 30.0


@dataclass(frozen=True, slots=True)
class Gap:
    """The room was not recorded from ``start`` to ``end`` because of ``reason``."""

    start: float
    end: float
    reason: str


class Stretch(NamedTuple):
    """A stretch of time of which ``missing`` seconds were not recorded: one gap, or several gaps of one hour
    that are kept as one. The missing seconds of several count as spread evenly. Stretches of a room never
    overlap."""

    start: float
    end: float
    missing: float
    gaps: int
    reason: str

    def within(self, since: float, until: float) -> float:
        """The seconds of this stretch that are missing between the two times."""
        start, end, missing, _, _ = self
        overlap = (until if until < end else end) - (since if since > start else start)
        if overlap <= 0.0:
            return 0.0
        length = end - start
        return overlap if missing >= length else overlap * missing / length


class RoomTimeline:
    """``recorded``: whether the room is recorded now. ``since``: when that last changed; None before the room
    is recorded for the first time. ``wanted``: since when the room is to be recorded. ``first``: when it was
    recorded for the first time, if no gap came before; the time before ``first`` counts as neither recorded
    nor missing.

    ``missing_since`` and ``reason`` describe the open gap; they are None and "" while there is none.
    """

    __slots__ = ("_stretches", "first", "missing_since", "reason", "recorded", "since", "wanted")

    def __init__(self, wanted: float = 0.0) -> None:
        self.wanted = wanted
        self.recorded = False
        self.first: float | None = None
        self.since: float | None = None
        self.missing_since: float | None = None
        self.reason = ""
        # Closed gaps, in order. Most rooms have none.
        self._stretches: tuple[Stretch, ...] = ()

    # -- events ------------------------------------------------------------------------------------

    def began(self, at: float) -> Gap | None:
        """The room is recorded from ``at`` on. Returns the gap that this closes, if one was open."""
        if self.recorded:
            return None
        gap = self._close(at)
        if self.since is None:
            self.first = at
        self.recorded = True
        self.since = at
        return gap

    def ended(self, at: float, reason: str) -> None:
        """Nothing after ``at`` is recorded. A gap that is already open keeps its start."""
        if self.recorded:
            self.recorded = False
            self.since = self.missing_since = at
            self.reason = reason

    def reason_changed(self, at: float, reason: str) -> Gap | None:
        """The cause of the open gap has changed. Returns the part up to ``at``; the rest stays open."""
        if self.missing_since is None or reason == self.reason:
            return None
        gap = self._close(at)
        self.missing_since = at
        self.reason = reason
        return gap

    def missed(self, start: float, end: float, reason: str) -> Gap:
        """Add a gap that was over when it was found, or a time whose records could not be kept."""
        self._add(start, end, reason)
        return Gap(start, end, reason)

    def resume(self, since: float, reason: str, first: float | None = None) -> None:
        """An earlier process recorded the room, until ``since``."""
        self.since = self.missing_since = since
        self.reason = reason
        self.first = first

    def lost_earlier(self, since: float, until: float, seconds: float) -> None:
        """An earlier process lost ``seconds`` of the room between the two times."""
        if seconds > 0.0:
            stretch = Stretch(min(since, until - seconds), until, seconds, 1, EARLIER)
            self._stretches = tuple(sorted((stretch, *self._stretches)))

    def set_back(self, by: float, now: float) -> None:
        """The wall clock was set back by ``by`` seconds, to ``now``. Times that lie in the future move back
        with it, so that an open gap keeps its length."""
        self.missing_since = _set_back(self.missing_since, by, now)
        self.since, self.first = _set_back(self.since, by, now), _set_back(self.first, by, now)
        if self.wanted > now:
            self.wanted = min(self.wanted - by, now)

    def set_forward(self, by: float, after: float) -> None:
        """The wall clock skipped ``by`` seconds after ``after``. The start of an open gap was computed from
        the new time, minus the seconds since the last byte; so the gap really began earlier."""
        if self.missing_since is not None and self.missing_since > after:
            self.since = self.missing_since = self.missing_since - by

    def _close(self, at: float) -> Gap | None:
        if self.missing_since is None:
            return None
        gap = self.missed(self.missing_since, max(at, self.missing_since), self.reason)
        self.missing_since = None
        self.reason = ""
        return gap

    def _add(self, start: float, end: float, reason: str) -> None:
        """Count this time as missing. Records can be lost while the room is not recorded anyway: no second
        counts twice."""
        stretches: list[Stretch] = []
        gaps = 1
        for stretch in self._stretches:
            if stretch.end > start and stretch.start < end:
                if stretch.start > start:
                    stretches.append(Stretch(start, stretch.start, stretch.start - start, gaps, reason))
                    gaps = 0
                overlap = min(end, stretch.end) - max(start, stretch.start)
                more = overlap - stretch.within(start, end)
                start = stretch.end
                stretch = stretch._replace(missing=stretch.missing + more)
            stretches.append(stretch)
        if start < end:
            stretches.append(Stretch(start, end, end - start, gaps, reason))
            stretches.sort()
        self._stretches = tuple(stretches if len(stretches) <= FEW else _folded(stretches))

    # -- questions ---------------------------------------------------------------------------------

    @property
    def problem_since(self) -> float | None:
        """Since when the room is wanted and not recorded; None while it is recorded."""
        return self.wanted if self.since is None else self.missing_since

    def missing(self, since: float, until: float, unwritten: float | None = None) -> float:
        """The seconds between the two times that are missing. ``unwritten``: since when records that arrive
        cannot be written."""
        opened = _earliest(self.missing_since, unwritten)
        if opened is not None and opened < until:
            opened = max(opened, since)
            return self.closed(since, opened) + max(until - opened, 0.0)
        return self.closed(since, until)

    def closed(self, since: float, until: float) -> float:
        """The seconds of closed gaps between the two times."""
        return sum((stretch.within(since, until) for stretch in self._stretches), 0.0)

    def seconds(self, since: float, until: float, unwritten: float | None = None) -> tuple[float, float]:
        """The seconds between the two times that were recorded, and those that are missing. A room that was
        never recorded is missing since it is wanted."""
        if self.since is None:
            return 0.0, max(until - max(since, self.wanted), 0.0)
        since = since if self.first is None else max(since, self.first)
        whole = max(until - since, 0.0)
        missing = min(self.missing(since, until, unwritten), whole)
        return whole - missing, missing

    def share(self, since: float, until: float, unwritten: float | None = None) -> float:
        """The share of the time, from 0 to 1, in which the room was recorded."""
        recorded, missing = self.seconds(since, until, unwritten)
        whole = recorded + missing
        return recorded / whole if whole > 0.0 else float(self.recorded)

    def count(self, since: float, unwritten: float | None = None) -> int:
        """The number of gaps since then, an open one included. What an earlier process lost counts as one."""
        opened = not self.recorded or unwritten is not None
        return sum(stretch.gaps for stretch in self._stretches if stretch.end > since) + opened

    def gaps(self, since: float, unwritten: float | None = None) -> list[list[float | None]]:
        """The gaps since then, in order: ``[from, to]``; ``to`` is None of one that is still open. Gaps that
        are only seconds apart are shown as one."""
        found: list[list[float | None]] = []
        before = float("-inf")
        for start, end, _, _, reason in self._stretches:
            if end <= since or reason == EARLIER:
                continue
            if start < before + BLUR:
                found[-1][1] = round(end, 1)
            else:
                found.append([round(max(start, since), 1), round(end, 1)])
            before = end
        opened = _earliest(self.problem_since, unwritten)
        if opened is not None:
            found.append([round(max(opened, since), 1), None])
        return found

    def spans(self, since: float, until: float) -> Iterator[tuple[float, float]]:
        """When the room was recorded between the two times, in order. A stretch that several gaps were folded
        into counts as not recorded."""
        if self.since is None:
            return
        start = since if self.first is None else max(since, self.first)
        if self.missing_since is not None:
            until = min(until, self.missing_since)
        for stretch in self._stretches:
            if start < min(stretch.start, until):
                yield start, min(stretch.start, until)
            start = max(start, stretch.end)
        if start < until:
            yield start, until

    def absences(self, since: float, until: float) -> Iterator[tuple[float, float]]:
        """When the room counts as missing between the two times, in order: the times in which it was to be
        recorded, without ``spans``."""
        start = max(since, self.wanted if self.since is None else self.first or since)
        for recorded_from, recorded_until in self.spans(since, until):
            if start < recorded_from:
                yield start, recorded_from
            start = recorded_until
        if start < until:
            yield start, until

    def stretches(self, since: float) -> Iterator[Stretch]:
        """The stretches with closed gaps that reach beyond ``since``, in order."""
        return (stretch for stretch in self._stretches if stretch.end > since)


def _folded(stretches: list[Stretch]) -> list[Stretch]:
    """Fewer stretches for the same gaps: old ones of the same hour become one, and others too while there are
    too many. So the figures of whole hours and days stay exact."""
    latest = stretches[-1].end
    stretches = [stretch for stretch in stretches if stretch.end > latest - KEPT]
    folded = stretches[:1]
    excess = len(stretches) - MOST
    for stretch in stretches[1:]:
        before = folded[-1]
        old = stretch.end < latest - KEPT_APART
        alike = stretch.end <= (before.start // HOUR + 1) * HOUR and before.reason != EARLIER
        if alike and (old or excess > 0):
            missing, gaps = before.missing + stretch.missing, before.gaps + stretch.gaps
            folded[-1] = Stretch(before.start, stretch.end, missing, gaps, stretch.reason)
            excess -= 1
        else:
            folded.append(stretch)
    return folded


def _earliest(one: float | None, other: float | None) -> float | None:
    times = [time for time in (one, other) if time is not None]
    return min(times) if times else None


def _set_back(at: float | None, by: float, now: float) -> float | None:
    return at if at is None or at <= now else min(at - by, now)
