"""Reads the records of a room, a time and a filter in order, and finds what is missing.

    answer = reader.ask(Question(("twitch", "forsen"), since, until, Filter(text="hello")))
    for found in answer: ...            # in order; may be left at any time
    answer.report                       # gaps, files that could not be read, how far it came

Everything here blocks and belongs in a thread. Memory does not grow with the bytes read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from time import monotonic

from chatlog.archive import lines
from chatlog.archive.copies import instance_in, is_imported
from chatlog.archive.covered import Day, Passed, begun, passed, seconds_of
from chatlog.archive.following import file_after
from chatlog.archive.gaps import Gap, Report, Span, clipped, everywhere, gaps_in
from chatlog.archive.index_lookup import Index
from chatlog.archive.lines import LAST
from chatlog.archive.listings import last_minute
from chatlog.archive.matching import Filter, Matcher
from chatlog.archive.narrowing import Narrowing, terms_of
from chatlog.archive.ordering import HELD_BACK, Batch, Found, backwards, forwards, merged
from chatlog.archive.parts import Part, PartError, Parts, Room
from chatlog.suppression.hidden import Hidden
from chatlog.suppression.left_out import line_without
from chatlog.suppression.suppressions import Somebody

#: Bytes at the end of a block in which the time that it has reached is looked for.
_LAST_BYTES = 64 << 10
#: So many rooms are listed one by one.
_FEW = 3


@dataclass(frozen=True, slots=True)
class Question:
    """The records of one room from ``since`` to before ``until`` (seconds since the epoch) that match a
    filter; ``newest`` first, or the oldest first. Once ``most_bytes`` were read, or ``is_over()`` is true,
    the answer ends early, and its report says so. What was listed after the ``moment`` counts: see
    ``Reader.look_over``."""

    room: Room
    since: float = 0.0
    until: float = LAST
    filter: Filter = field(default_factory=Filter)
    newest: bool = False
    most_bytes: int | None = None
    is_over: Callable[[], bool] | None = None
    moment: int | None = None


#: Parts with their blocks, and what is known of parts that are not read.
_Turn = tuple[Part, Iterator[bytes]] | tuple[Passed, None]


class Cancelled(Exception):
    """The answer was cancelled."""


class Answer:
    """The records of one question; iterate over it once. ``cancel`` may be called from any thread."""

    def __init__(
        self,
        parts: Parts,
        question: Question,
        matcher: Matcher,
        clock: Callable[[], float] = monotonic,
        hidden: Hidden | None = None,
        narrowing: Narrowing | None = None,
    ) -> None:
        """Nothing of those who are ``hidden`` is among the records."""
        self._parts = parts
        self._hidden = hidden
        self._who: Somebody | None = None
        self._clock = clock
        self._narrowing = narrowing
        self._question = question
        self._matcher = matcher
        self._since = lines.time_bytes(question.since)
        self._until = lines.time_bytes(question.until)
        self._gaps: dict[str, list[Gap]] = {}
        #: From when to when each recorder's files reach.
        self._files: dict[str, list[Span]] = {}
        #: The time that each recorder's records have reached.
        self._come_to: dict[str, bytes] = {}
        self._cancelled = False
        #: The time at which the answer ends early, if it does: records beyond it may be incomplete.
        self._cut: float | None = None
        self.report = Report()

    @property
    def claims(self) -> dict[str, list[Gap]]:
        """What each recorder said was missing, once everything was read; ``""`` is one without a name."""
        return self._gaps

    def cancel(self) -> None:
        """End the iteration soon, with Cancelled."""
        self._cancelled = True

    def __iter__(self) -> Iterator[Found]:
        """Raises StoreError if the archive or its opt-out list cannot be listed, and Cancelled."""
        question = self._question
        self._who = None if self._hidden is None else self._hidden.of_room(*question.room)
        by_instance = self._by_recorder()
        self._come_to = dict.fromkeys(by_instance, b"")
        self._gaps = {instance: [] for instance in by_instance or {"": []}}
        self._files = {instance: [] for instance in self._gaps}
        for instance, gaps in self._gaps.items():
            if not is_imported(instance):
                gaps += self._beyond(instance, by_instance.get(instance, []))
        stream = self._backwards if question.newest else self._forwards
        streams = [stream(instance, parts) for instance, parts in sorted(by_instance.items())]
        try:
            for found in merged(streams, question.newest, list(map(instance_in, sorted(by_instance)))):
                if self._is_cut_off(found.time):
                    break
                self.report.records += 1
                yield found
        finally:
            gaps = everywhere(self._gaps, self._files)
            self.report.gaps = clipped(gaps, question.since, question.until)

    def _by_recorder(self) -> dict[str, list[Part | Passed]]:
        """What there is of each recorder, in order."""
        narrowing, days = self._narrowing, list[Day]()

        def is_known(day: str, digest: str) -> bool:
            found = narrowing.needless_day(day, digest) if narrowing is not None else None
            if found is not None:
                days.append(found)
            return found is not None

        room, since, until = self._question.room, self._question.since, self._question.until
        found: dict[str, list[Part | Passed]] = {}
        for part in self._parts.of_room(room, since, until, is_known, self._question.moment):
            found.setdefault(part.stream, []).append(part)
        last = last_minute(until)
        for day in days:
            for instance, own in day.items():
                # Who came to the room only after that time has nothing to say of it.
                if own.minute <= last:
                    found.setdefault(instance, []).append(own)
        if days:
            for each in found.values():
                each.sort(key=lambda part: part.order)
        return found

    def _is_cut_off(self, time: bytes) -> bool:
        if self._cut is None:
            return False
        cut = lines.time_bytes(self._cut)
        return time < cut if self._question.newest else time >= cut

    def _may_end(self, at: Callable[[], float]) -> bool:
        """Whether the answer ends early at a time, which ``at`` works out: the limit is reached, all on
        this side of the time was read, and an answer that continues there gets further."""
        question, report = self._question, self.report
        enough = question.most_bytes is not None and report.bytes > question.most_bytes
        if not enough and (question.is_over is None or not question.is_over()):
            return False
        time = at()
        if time >= question.until if question.newest else time <= question.since:
            return False
        report.stopped = "the limit of what is read for one request was reached"
        if not enough:
            report.stopped = "the time for one request was over"
        if self._cut is not None:
            time = max(self._cut, time) if question.newest else min(self._cut, time)
        report.reached = self._cut = max(question.since, min(time, question.until))
        return True

    def _beyond(self, instance: str, parts: list[Part | Passed]) -> Iterator[Gap]:
        """The gaps that began before the end of the range and ended after the files that were read."""
        until = self._question.until
        question = self._question
        following = file_after(self._parts, question.room, until, instance, parts, question.moment)
        if following is None:
            return
        start = begun(following.minute)
        self._files[instance].append((start, start))
        covered = self._narrowing.covered(following) if self._narrowing is not None else None
        if covered is not None:
            yield from (gap for gap in covered.gaps if gap.since < until)
            return
        try:
            for block in self._parts.blocks(following):
                yield from (gap for gap in gaps_in(block) if gap.since < until)
        except PartError as error:
            self.report.unread.append(error.unread)

    # -- one recorder's files ------------------------------------------------------------------------

    def _forwards(self, instance: str, parts: list[Part | Passed]) -> Iterator[Found]:
        return forwards(
            batch for part, blocks in self._in_turn(parts) for batch in self._batches(instance, part, blocks)
        )

    def _backwards(self, instance: str, parts: list[Part | Passed]) -> Iterator[Found]:
        turns = self._in_turn(parts[::-1])
        return backwards(self._whole(instance, part, blocks) for part, blocks in turns)

    def _in_turn(self, parts: list[Part | Passed]) -> Iterator[_Turn]:
        """The parts, each with its blocks, or what is known of those in which nothing matches. An index is
        asked once the answer comes to its month."""
        narrowing, every_line = self._narrowing, self._question.filter.everything
        # Whoever asks for the newest records mostly wants a few, and for everything mostly all.
        depth = 0 if self._question.newest else 4 if every_line else 1
        if narrowing is None:
            whole = [part for part in parts if isinstance(part, Part)]
            yield from self._parts.in_turn(whole, every_line, depth)
            return
        for _, month in groupby(parts, lambda part: part.minute[:6]):
            known = [self._needless(narrowing, part) for part in month]
            read = [part for part in known if isinstance(part, Part)]
            with closing(self._parts.in_turn(read, every_line, depth)) as turns:
                for part in known:
                    yield next(turns) if isinstance(part, Part) else (part, None)

    @staticmethod
    def _needless(narrowing: Narrowing, part: Part | Passed) -> Part | Passed:
        covered = narrowing.needless(part) if isinstance(part, Part) else None
        return passed(part, covered) if covered is not None and isinstance(part, Part) else part

    def _whole(
        self, instance: str, part: Part | Passed, blocks: Iterator[bytes] | None
    ) -> tuple[list[Found], bytes]:
        found: list[Found] = []
        looked_at = not self.report.stopped
        for batch, _ in self._batches(instance, part, blocks):
            found += batch
        minute = part.minute
        begun = f"{minute[:4]}-{minute[4:6]}-{minute[6:8]}T{minute[9:11]}:{minute[11:13]}:59.999Z"
        if looked_at:
            self._may_end(lambda: lines.seconds(begun) + HELD_BACK)
        return found, begun.encode("ascii")

    def _batches(self, instance: str, part: Part | Passed, blocks: Iterator[bytes] | None) -> Iterator[Batch]:
        """The results for the blocks of a part. A part that cannot be read is noted and skipped."""
        report = self.report
        if report.stopped:
            return
        if isinstance(part, Passed) or blocks is None:
            assert isinstance(part, Passed)
            if self._cancelled:
                raise Cancelled
            self._gaps[instance] += part.gaps
            self._come_to[instance] = max(self._come_to[instance], part.reached)
            if len(self._files) > 1:
                # Of one recorder alone it does not matter how far its files reach.
                self._files[instance] += part.spans
            yield [], self._come_to[instance]
            return
        # Only the time of reading counts, not the time that the caller needs.
        began = self._clock()
        reached = self._files[instance]
        start = begun(part.minute)
        reached.append((start, start))
        at, latest = len(reached) - 1, b""
        try:
            for block in blocks:
                if self._cancelled:
                    raise Cancelled
                report.bytes += len(block)
                self._gaps[instance] += gaps_in(block)
                found = [Found(*pair) for pair in self._matcher.find(block, self._since, self._until)]
                if self._who is not None:
                    found = list(self._shown(found, self._who))
                latest = max(latest, come_to(block))
                self._come_to[instance] = max(self._come_to[instance], latest)
                if latest:
                    reached[at] = start, seconds_of(latest)
                report.seconds += self._clock() - began
                yield found, self._come_to[instance]
                began = self._clock()
                if self._question.newest or not self._come_to[instance]:
                    continue
                if self._may_end(lambda: seconds_of(self._come_to[instance]) - HELD_BACK):
                    return
        except PartError as error:
            report.unread.append(error.unread)
        report.files += 1

    def _shown(self, found: list[Found], who: Somebody) -> Iterator[Found]:
        """The results without those who opted out."""
        for each in found:
            rest = line_without(each.line, who)
            if rest is each.line:
                yield each
            elif rest is not None:
                # What was taken out of it is not found either.
                yield from (Found(*pair) for pair in self._matcher.find(rest, self._since, self._until))


def come_to(block: bytes) -> bytes:
    """The time that a block has reached: later records are older by at most HELD_BACK. It is the time at
    which the block's last record arrived. If the records arrived all at once later on, it is the latest time
    of one."""
    rows = [line for line in block[-_LAST_BYTES:].split(b"\n") if line]
    # The first line may be cut off.
    latest = max(map(lines.timestamp, rows[1:] or rows), default=b"")
    return min(latest, lines.received(rows[-1])) if rows else b""


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
    ) -> None:
        """``clock()`` measures the time of reading. With an ``index``, less is read."""
        self._parts = parts
        self._hidden = hidden
        self._now = now
        self._clock = clock
        self._index = index

    def moment(self) -> int:
        """This moment, for ``look_over`` and questions."""
        return self._parts.moment()

    def look_over(self, rooms: Collection[Room], since: float, until: float, moment: int) -> None:
        """Prepare for questions about the same time of these rooms: many rooms are listed at once. What was
        listed after the ``moment`` counts, also for questions that have it. So one look is enough, however
        long the answers take. Raises StoreError."""
        if len(rooms) > _FEW and self._index is not None and self._index.is_there:
            self._parts.look_over(since, until, moment, self._index.may_have)

    def ask(self, question: Question) -> Answer:
        """The answer, of which nothing is read yet. Raises FilterError."""
        matcher = Matcher(question.filter)
        terms = terms_of(question.filter) if self._index is not None else ()
        terms = terms if terms and self._index is not None and self._index.is_there else ()
        narrowing = Narrowing(self._index, question.room, terms) if self._index and terms else None
        return Answer(self._parts, question, matcher, self._clock, self._hidden, narrowing)
