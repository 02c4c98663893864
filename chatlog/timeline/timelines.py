"""The timelines of all rooms, and their seconds in a period of the manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

from chatlog.timeline.intervals import Span
from chatlog.timeline.timeline import RoomTimeline

#: Platform and name of a room.
Key = tuple[str, str]


class CoverageTotals(NamedTuple):
    """The seconds of a period in which a room was recorded, and those in which it was not. ``reason``: why
    the room is missing at the end of the period; ``""`` if it is recorded then. ``suppressed``: how many
    records were left out in it because somebody opted out. ``spans``: when the room was recorded, in seconds
    since the epoch; None if the rows leave that out. ``gaps``: when it was missing, if ``spans`` are
    given."""

    platform: str
    channel: str
    recorded: float
    missing: float
    reason: str
    suppressed: int = 0
    spans: tuple[Span, ...] | None = None
    gaps: tuple[Span, ...] = ()


class Past(NamedTuple):
    """The seconds of a room in the present period before it was removed, which was at ``until``."""

    totals: CoverageTotals
    until: float


class Timelines:
    """``wanted()`` are the rooms that are to be recorded; ``wall()`` is the time of day.

    ``suppressed``: the records that were left out since the period began; another part goes on counting in
    it. ``known_since``: the coverage before this time is not known. ``period``: when the present period of
    the manifest began.
    """

    def __init__(
        self,
        wall: Callable[[], float],
        wanted: Callable[[], Collection[Key]],
        suppressed: Counter[Key] | None = None,
    ) -> None:
        self._wall = wall
        self.wanted = wanted
        self._rooms: dict[Key, RoomTimeline] = {}
        self._suppressed: Counter[Key] = Counter() if suppressed is None else suppressed
        # How many of these are in the rows of the present period.
        self._counted: Counter[Key] = Counter()
        # The seconds of the rooms that were removed within the period.
        self._removed: dict[Key, Past] = {}
        self.known_since = self.period = wall()
        #: Whether a room that is no longer recorded here is recorded by another recorder now.
        self.is_elsewhere: Callable[[Key], bool] = lambda key: False
        #: Whether the rows say when exactly a room was recorded.
        self.with_spans = False
        #: Whether the list of wanted rooms is final. Until then no timeline is dropped.
        self.settled = True

    def start(self, known_since: float | None) -> None:
        """The process starts. ``known_since``: when the last period of an earlier process began."""
        now = self._wall()
        self.known_since = self.period = now if known_since is None else min(known_since, now)
        for key in self.wanted():
            self.of(key).wanted = now

    def of(self, key: Key) -> RoomTimeline:
        """The timeline of a room, which begins now if it is new."""
        timeline = self._rooms.get(key)
        if timeline is None:
            timeline = self._rooms[key] = RoomTimeline(self._wall())
        return timeline

    def get(self, key: Key) -> RoomTimeline | None:
        """The timeline of a room; None if it has none."""
        return self._rooms.get(key)

    def __iter__(self) -> Iterator[tuple[Key, RoomTimeline]]:
        """Every room that was recorded at least once."""
        return ((key, timeline) for key, timeline in self._rooms.items() if timeline.since is not None)

    def remove(self, key: Key) -> None:
        """The room is no longer wanted. Its seconds in the present period still count."""
        timeline = self._rooms.pop(key, None)
        if timeline is not None and timeline.since is not None:
            now = self._wall()
            totals = self._totals(key, timeline, self.period, now)
            self._removed[key] = Past(totals._replace(reason=self._gone(key)), now)

    @property
    def removed(self) -> Mapping[Key, Past]:
        """The rooms that were removed within the present period; some may be back."""
        return self._removed

    def removed_earlier(self, key: Key, past: Past) -> None:
        """An earlier process removed the room within the present period."""
        self._removed[key] = past

    # -- the manifest's periods ----------------------------------------------------------------------

    def start_period(self, at: float) -> None:
        """A new period begins at ``at``."""
        self.period = at
        self._removed.clear()
        self._suppressed.subtract(self._counted)
        for key in [key for key, count in self._suppressed.items() if count <= 0]:
            del self._suppressed[key]
        self._counted.clear()
        # A room may be taken off the list before it comes into a pool.
        if self.settled:
            for key in self._rooms.keys() - self.wanted():
                del self._rooms[key]

    def rows(self, since: float, until: float) -> Iterator[CoverageTotals]:
        """The seconds of every room from ``since``, when the period began, to ``until``."""
        wanted = frozenset(self.wanted())
        self._counted = Counter(self._suppressed)
        for key in sorted({*wanted, *self._rooms, *self._removed}):
            removed, timeline = self._removed.get(key), self._rooms.get(key)
            if removed is not None and (timeline is None or timeline.since is None):
                yield removed.totals._replace(suppressed=self._counted[key])
            elif key in wanted or (timeline is not None and timeline.since is not None):
                totals = self._totals(key, self.of(key), since, until)._replace(suppressed=self._counted[key])
                yield totals if key in wanted else totals._replace(reason=self._gone(key))

    def _gone(self, key: Key) -> str:
        return "handed over" if self.is_elsewhere(key) else "removed"

    def _totals(self, key: Key, timeline: RoomTimeline, since: float, until: float) -> CoverageTotals:
        recorded, missing = timeline.seconds(since, until)
        reason = "not acknowledged" if timeline.since is None else timeline.reason
        spans = tuple(timeline.spans(since, until)) if self.with_spans else None
        gaps = tuple(timeline.absences(since, until)) if self.with_spans else ()
        if key in self._removed:
            # Removed, and added again.
            before, _ = self._removed[key]
            recorded, missing = recorded + before.recorded, missing + before.missing
            spans = None if spans is None else (*(before.spans or ()), *spans)
            gaps = *before.gaps, *gaps
        return CoverageTotals(*key, recorded, missing, reason, spans=spans, gaps=gaps)
