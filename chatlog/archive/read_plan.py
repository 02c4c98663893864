"""Plans how the records of a room and a time are read: run after run, each from objects or, where that is
possible, from the Parquet of a day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chatlog.archive import lines
from chatlog.archive.compacted import CompactedDay
from chatlog.archive.copies import is_imported
from chatlog.archive.index_coverage import Day, PassedFiles, digest_of
from chatlog.archive.listings import DAY, day_of, last_minute, within
from chatlog.archive.ordering import APART
from chatlog.archive.question import Question
from chatlog.archive.room_files import Part

#: By recorder: in order, the files that are read, and the facts of files that are not.
ByRecorder = dict[str, list[Part | PassedFiles]]

#: Days that are looked up in Parquet together: at first few if the newest are wanted, for many such answers
#: end early.
_FIRST, _TOGETHER = 2, 31


@dataclass(frozen=True, slots=True)
class Candidate:
    """A day that may be read from Parquet. ``listing`` is the digest of the objects that may have records of
    the day, and ``files`` are the facts of those that were begun on it."""

    day: str
    since: float
    until: float
    listing: str
    files: Day


@dataclass(frozen=True, slots=True)
class Run:
    """A time that is read from objects; or a ``day``, with its records from ``parquet``."""

    since: float
    until: float
    day: Candidate | None = None
    parquet: CompactedDay | None = None


class ReadPlan:
    """The plan for one question. ``parts`` are the objects and files that may have records. ``days`` are
    those that an index knows as a whole, and on the ``needless`` ones among them nothing matches."""

    def __init__(
        self, question: Question, parts: Sequence[Part], days: Mapping[str, Day], needless: frozenset[str]
    ) -> None:
        self._question = question
        self._days = days
        self._needless = needless
        self._by_day: dict[str, list[Part]] = defaultdict(list)
        for part in parts:
            self._by_day[day_of(part.minute)].append(part)
        self.by_recorder: ByRecorder = {}
        for part in parts:
            if day_of(part.minute) not in needless:
                self.by_recorder.setdefault(part.stream, []).append(part)
        for day in sorted(needless):
            for instance, own in days[day].items():
                # A recorder that came to the room only after the time has no gap in it.
                if own.minute <= last_minute(question.until):
                    self.by_recorder.setdefault(instance, []).append(own)
        for each in self.by_recorder.values():
            each.sort(key=lambda part: part.order)
        self.by_recorder = dict(sorted(self.by_recorder.items()))
        #: The days that were read from Parquet, and the times that were read from objects.
        self._answered: set[str] = set()
        self._read: set[int] = set()

    def runs(self, parquet_of: Callable[[list[Candidate]], Mapping[str, CompactedDay]]) -> Iterator[Run]:
        """The runs in the order of the answer. ``parquet_of(days)`` returns those days that can be read from
        Parquet."""
        question = self._question
        newest = question.newest
        at = question.until if newest else question.since
        for some in self._together():
            edge = some[0].until if newest else some[0].since
            if edge != at:
                # The time before these days is read first: many answers end there.
                yield self._run(at, edge)
                at = edge
            parquet = parquet_of(some)
            for each in some:
                found = parquet.get(each.day)
                if found is None or not _is_certain(each, found, newest):
                    continue
                edge = each.until if newest else each.since
                if edge != at:
                    yield self._run(at, edge)
                self._answered.add(each.day)
                yield Run(each.since, each.until, each, found)
                at = each.since if newest else each.until
        end = question.since if newest else question.until
        if at != end:
            yield self._run(at, end)

    def _run(self, at: float, to: float) -> Run:
        return Run(min(at, to), max(at, to))

    def _together(self) -> Iterator[list[Candidate]]:
        candidates = list(self._candidates())
        if self._question.newest:
            candidates.reverse()
        count = _FIRST if self._question.newest else _TOGETHER
        while candidates:
            yield candidates[:count]
            del candidates[:count]
            count = min(2 * count, _TOGETHER)

    def _candidates(self) -> Iterator[Candidate]:
        for day in sorted(self._days):
            if day not in self._by_day:
                continue
            date = datetime.fromisoformat(day).replace(tzinfo=UTC)
            since = date.timestamp()
            if since < self._question.since or since + DAY > self._question.until:
                continue
            days = [(date + timedelta(days=n)).date().isoformat() for n in (-1, 0, 1)]
            if self._needless.issuperset(days):
                # Records of the day may only be in the files of days on which something matches.
                continue
            if any(self._may_have_others(each) for each in (days[0], days[2])):
                continue
            around = [part for each in days for part in self._by_day.get(each, ())]
            named = {part.name: part for part in around}
            if any(part.area or part.copy for part in around) or len(named) != len(around):
                # Files that are still written, and files that share a name, are read themselves.
                continue
            listing = digest_of(named[name] for name in within(named, since, since + DAY))
            yield Candidate(day, since, since + DAY, listing, self._days[day])

    def _may_have_others(self, day: str) -> bool:
        """Whether files of a day may have records of another one that are not looked for there: the index
        knows no such day as a whole."""
        since = datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()
        is_read = since + DAY > self._question.since and since < self._question.until
        return is_read and day not in self._days and day in self._by_day

    def parts_of(self, run: Run) -> ByRecorder:
        """The files of each recorder that have to be read for a run."""
        question = self._question
        first, last = run.since == question.since, run.until == question.until
        if first and last:
            return self.by_recorder
        days = _days_around(run, first)
        names = {
            part.name
            for own in self.by_recorder.values()
            for part in own
            if isinstance(part, Part) and (first or day_of(part.minute) >= days)
        }
        chosen = set(within(names, run.since, run.until))

        def is_in(part: Part | PassedFiles) -> bool:
            if isinstance(part, Part):
                return part.name in chosen
            day = datetime.fromisoformat(day_of(part.minute)).replace(tzinfo=UTC).timestamp()
            return (first or day >= run.since) and (last or day < run.until)

        found = {instance: list(filter(is_in, own)) for instance, own in self.by_recorder.items()}
        self._read.update(id(part) for own in found.values() for part in own)
        return found

    def rest(self) -> ByRecorder:
        """The files that no run has read, without those of days that came from Parquet: they may have gap
        records. Call this after all runs."""
        if not self._answered:
            return {}
        return {
            instance: [
                part
                for part in own
                if id(part) not in self._read and day_of(part.minute) not in self._answered
            ]
            for instance, own in self.by_recorder.items()
        }


def _days_around(run: Run, first: bool) -> str:
    """The first day on which files were begun that may have records of a time."""
    if first:
        return ""
    before = datetime.fromtimestamp(run.since, UTC).date() - timedelta(days=1)
    return before.isoformat()


def _is_certain(day: Candidate, parquet: CompactedDay, newest: bool) -> bool:
    """Whether the objects would give just these records in this order. Copies of an event that is known by
    its time alone may be on both sides of midnight. Copies and ties of several recorders come in another
    order if the newest come first, and Parquet does not say from which recorder a record is."""
    several = len(parquet.streams) > 1
    times = [lines.timestamp(line) for line in parquet.lines]
    if newest and len(set(times)) < len(times):
        return False
    if newest and several and any(map(is_imported, parquet.streams)) and parquet.lines:
        return False
    first, last = lines.time_bytes(day.since + 2 * APART), lines.time_bytes(day.until - 2 * APART)
    for time, line in zip(times, parquet.lines, strict=True):
        has_own_time = bool(lines.identity(line)[1]) or lines.received(line) != time
        if not has_own_time and not first <= time < last:
            return False
        if newest and several and lines.received(line) == time:
            return False
    return True
