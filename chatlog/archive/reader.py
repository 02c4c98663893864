"""Reads the records of a room, a time and a filter in order, and finds what is missing.

    answer = reader.ask(Question(("twitch", "forsen"), since, until, Filter(text="hello")))
    for found in answer: ...            # in order; may be left at any time
    answer.report                       # gaps, files that could not be read, how far it came

Everything here blocks and belongs in a thread. Memory does not grow with the bytes read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from time import monotonic

from chatlog.archive.compacted import Compacted, CompactedDay
from chatlog.archive.copies import instance_in, is_imported
from chatlog.archive.following import file_after
from chatlog.archive.gaps import Gap, Report, clipped, common_gaps, gaps_in
from chatlog.archive.index_coverage import Day, PassedFiles, begun, passed
from chatlog.archive.index_lookup import Index
from chatlog.archive.lines import LAST
from chatlog.archive.matching import Matcher
from chatlog.archive.narrowing import Narrowing, terms_of
from chatlog.archive.ordering import Found, Once, merged_once
from chatlog.archive.question import Cancelled, Question
from chatlog.archive.read_plan import Candidate, ReadPlan
from chatlog.archive.room_files import Part, PartError, Parts, Room
from chatlog.archive.streams import Streams
from chatlog.suppression.hidden import Hidden

#: So many rooms are listed one by one.
_FEW = 3


class Answer:
    """The records of one question; iterate over it once. ``cancel`` may be called from any thread."""

    def __init__(
        self,
        parts: Parts,
        question: Question,
        clock: Callable[[], float] = monotonic,
        hidden: Hidden | None = None,
        narrowing: Narrowing | None = None,
        compacted: Compacted | None = None,
    ) -> None:
        """Nothing of those who are ``hidden`` is among the records. Raises FilterError."""
        self._parts = parts
        self._question = question
        self._matcher = Matcher(question.filter)
        self._clock = clock
        self._hidden = hidden
        self._narrowing = narrowing
        self._compacted = compacted
        self._cancelled = False
        self._streams: Streams | None = None
        self.report = Report()

    @property
    def claims(self) -> dict[str, list[Gap]]:
        """The gaps that each recorder reported, once everything was read; ``""`` is a recorder without a
        name."""
        return self._streams.gaps if self._streams is not None else {}

    def cancel(self) -> None:
        """End the iteration soon, with Cancelled."""
        self._cancelled = True
        if self._streams is not None:
            self._streams.cancelled = True

    def __iter__(self) -> Iterator[Found]:
        """Raises StoreError if the archive or its opt-out list cannot be listed, and Cancelled."""
        question = self._question
        if self._narrowing is not None:
            self._narrowing.look_ahead(question.since, question.until)
        who = None if self._hidden is None else self._hidden.of_room(*question.room)
        streams = Streams(
            self._parts, question, self._matcher, self._clock, self.report, who, self._narrowing
        )
        streams.cancelled = self._cancelled
        self._streams = streams
        plan = self._planned()
        streams.begin(plan.by_recorder)
        for instance in streams.gaps:
            if not is_imported(instance):
                streams.gaps[instance] += self._beyond(instance, plan, streams)
        try:
            for found in self._in_order(plan, streams):
                if streams.is_cut_off(found.time):
                    break
                self.report.records += 1
                yield found
        finally:
            # A file that is read twice, or that an index knows as well, gives its gaps twice.
            own = {instance: list(dict.fromkeys(gaps)) for instance, gaps in streams.gaps.items()}
            self.report.gaps = clipped(common_gaps(own, streams.files), question.since, question.until)

    def _in_order(self, plan: ReadPlan, streams: Streams) -> Iterator[Found]:
        newest = self._question.newest
        instances = list(plan.by_recorder)
        once = Once(len(instances) > 1, list(map(instance_in, instances)))
        for run in plan.runs(self._parquet_of):
            if self.report.stopped:
                return
            if run.parquet is None or run.day is None:
                numbered = dict(enumerate(streams.of(plan.parts_of(run), run.since, run.until)))
                yield from merged_once(numbered, newest, once)
                continue
            for instance, own in run.day.files.items():
                streams.take(instance, own)
            lines = run.parquet.lines[::-1] if newest else run.parquet.lines
            found = streams.of_lines(lines, run.since, run.until)
            yield from merged_once({len(instances): found}, newest, once)
        # The rest is read only for its gap records.
        rest = {instance: list(map(self._covered, own)) for instance, own in plan.rest().items()}
        for stream in streams.of(rest, LAST, LAST):
            yield from stream

    def _planned(self) -> ReadPlan:
        """The plan: the files of each recorder in order, and which of them have to be read."""
        narrowing, days, needless = self._narrowing, dict[str, Day](), set[str]()
        has_parquet = self._compacted is not None

        def is_known(day: str, digest: str) -> bool:
            days.pop(day, None)
            needless.discard(day)
            found = narrowing.day(day, digest) if narrowing is not None else None
            if narrowing is None or found is None:
                return False
            if found.may_match and not has_parquet:
                return False
            days[day] = found.files
            if not found.may_match:
                needless.add(day)
            # A day that is read from Parquet, and the days around it, are listed all the same: the digest of
            # their objects shows whether the Parquet is up to date.
            return not found.may_match and not (has_parquet and narrowing.may_match_around(day))

        question = self._question
        parts = self._parts.of_room(question.room, question.since, question.until, is_known, question.moment)
        return ReadPlan(question, parts, days, frozenset(needless))

    def _parquet_of(self, days: list[Candidate]) -> Mapping[str, CompactedDay]:
        """Those of the days that can be read from Parquet."""
        narrowing, compacted = self._narrowing, self._compacted
        if narrowing is None or compacted is None:
            return {}
        wanted = narrowing.wanted({each.day: each for each in days})
        if wanted is None:
            return {}
        began = self._clock()
        found = compacted.of_days(
            self._question.room, {each.day: each.listing for each in days}, wanted, self._check
        )
        self.report.seconds += self._clock() - began
        return found

    def _covered(self, part: Part | PassedFiles) -> Part | PassedFiles:
        if isinstance(part, PassedFiles) or self._narrowing is None:
            return part
        covered = self._narrowing.covered(part)
        return part if covered is None else passed(part, covered)

    def _check(self) -> None:
        if self._cancelled:
            raise Cancelled

    def _beyond(self, instance: str, plan: ReadPlan, streams: Streams) -> Iterator[Gap]:
        """The gaps that began before the end of the range and ended after the files that were read."""
        question, until = self._question, self._question.until
        read = plan.by_recorder.get(instance, [])
        following = file_after(self._parts, question.room, until, instance, read, question.moment)
        if following is None:
            return
        start = begun(following.minute)
        streams.files[instance].append((start, start))
        covered = self._narrowing.covered(following) if self._narrowing is not None else None
        if covered is not None:
            yield from (gap for gap in covered.gaps if gap.since < until)
            return
        try:
            for block in self._parts.blocks(following):
                yield from (gap for gap in gaps_in(block) if gap.since < until)
        except PartError as error:
            self.report.unread.append(error.unread)


class Reader:
    """Answers questions about one archive, without those who are ``hidden``. May be used by several
    threads."""

    def __init__(
        self,
        parts: Parts,
        now: Callable[[], float],
        clock: Callable[[], float] = monotonic,
        hidden: Hidden | None = None,
        index: Index | None = None,
        compacted: Compacted | None = None,
    ) -> None:
        """``clock()`` measures the time of reading. With an ``index``, less is read, and with ``compacted``
        as well, less again."""
        self._parts = parts
        self._hidden = hidden
        self._now = now
        self._clock = clock
        self._index = index
        self._compacted = compacted

    def moment(self) -> int:
        """This moment, for ``list_ahead`` and questions."""
        return self._parts.moment()

    def list_ahead(self, rooms: Collection[Room], since: float, until: float, moment: int) -> None:
        """Prepare for questions about the same time of these rooms: many rooms are listed at once. Listings
        that were begun after the ``moment`` are reused, also by questions that have it. So each day is listed
        once, however long the answers take. Raises StoreError."""
        if len(rooms) > _FEW and self._index is not None and self._index.is_there:
            self._parts.list_ahead(since, until, moment, self._index.may_have)

    def ask(self, question: Question) -> Answer:
        """The answer, of which nothing is read yet. Raises FilterError."""
        terms = terms_of(question.filter) if self._index is not None else ()
        terms = terms if terms and self._index is not None and self._index.is_there else ()
        narrowing = Narrowing(self._index, question.room, terms) if self._index and terms else None
        by_people = narrowing is not None and narrowing.people is not None
        compacted = self._compacted if by_people and self._compacted and self._compacted.is_there else None
        return Answer(self._parts, question, self._clock, self._hidden, narrowing, compacted)
