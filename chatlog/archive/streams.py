"""Reads the files of each recorder for one answer, in order, and collects the gaps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import groupby

from chatlog.archive import lines
from chatlog.archive.gaps import Gap, Report, Span, gaps_in
from chatlog.archive.index_coverage import PassedFiles, begun, passed, seconds_of
from chatlog.archive.matching import Matcher
from chatlog.archive.narrowing import Narrowing
from chatlog.archive.ordering import HELD_BACK, Batch, Found, backwards, forwards
from chatlog.archive.question import Cancelled, Question
from chatlog.archive.room_files import Part, PartError, Parts
from chatlog.suppression.left_out import line_without
from chatlog.suppression.suppressions import OptedOutPeople

#: Bytes at the end of a block in which the time that it has reached is looked for.
_LAST_BYTES = 64 << 10

#: A part with its blocks, or the facts of files that are not read.
_Turn = tuple[Part, Iterator[bytes]] | tuple[PassedFiles, None]


class Streams:
    """Reads for one answer. ``gaps`` and ``files`` have, by recorder, the gaps so far, and from when to when
    its files reach. ``cut`` is the time at which the answer ends early, if it does: records beyond it may be
    incomplete."""

    def __init__(
        self,
        parts: Parts,
        question: Question,
        matcher: Matcher,
        clock: Callable[[], float],
        report: Report,
        who: OptedOutPeople | None,
        narrowing: Narrowing | None,
    ) -> None:
        """Nothing of ``who`` is among the records."""
        self._parts = parts
        self._question = question
        self._matcher = matcher
        self._clock = clock
        self._report = report
        self._who = who
        self._narrowing = narrowing
        self._bounds = question.since, question.until
        self.gaps: dict[str, list[Gap]] = {}
        self.files: dict[str, list[Span]] = {}
        #: The time that each recorder's records have reached.
        self._reached: dict[str, bytes] = {}
        self.cancelled = False
        self.cut: float | None = None

    def begin(self, instances: Iterable[str]) -> None:
        """These are the recorders; ``""`` stands for one if there is none."""
        self._reached = dict.fromkeys(instances, b"")
        self.gaps = {instance: [] for instance in self._reached} or {"": []}
        self.files = {instance: [] for instance in self.gaps}

    def of(
        self, by_recorder: Mapping[str, Sequence[Part | PassedFiles]], since: float, until: float
    ) -> list[Iterator[Found]]:
        """The records of each recorder in a time. Read them before the next time is asked for."""
        self._bounds = since, until
        # The time before may have been read further than to its end.
        self._reached = dict.fromkeys(self._reached, b"")
        stream = self._backwards if self._question.newest else self._forwards
        return [stream(instance, list(parts)) for instance, parts in by_recorder.items()]

    def of_lines(self, known: Iterable[bytes], since: float, until: float) -> Iterator[Found]:
        """The records among lines, which are in the order of the answer."""
        if self.cancelled:
            raise Cancelled
        began = self._clock()
        self._bounds = since, until
        block = b"\n".join(known)
        self._report.bytes += len(block)
        found = self._found(block)
        self._report.seconds += self._clock() - began
        yield from found
        self.may_end(lambda: since if self._question.newest else until)

    def is_cut_off(self, time: bytes) -> bool:
        """Whether a record of this time is beyond the end of the answer."""
        if self.cut is None:
            return False
        cut = lines.time_bytes(self.cut)
        return time < cut if self._question.newest else time >= cut

    def may_end(self, at: Callable[[], float]) -> bool:
        """Whether the answer ends early at a time, which ``at`` works out: the limit is reached, all on
        this side of the time was read, and an answer that continues there gets further."""
        question, report = self._question, self._report
        enough = question.most_bytes is not None and report.bytes > question.most_bytes
        if not enough and (question.is_over is None or not question.is_over()):
            return False
        since, until = self._bounds
        if since >= until:
            # No records are looked for any more.
            return False
        # Everything on this side of the bounds was read before.
        time = min(at(), until) if question.newest else max(at(), since)
        if time >= question.until if question.newest else time <= question.since:
            return False
        report.stopped = "the limit of what is read for one request was reached"
        if not enough:
            report.stopped = "the time for one request was over"
        if self.cut is not None:
            time = max(self.cut, time) if question.newest else min(self.cut, time)
        report.reached = self.cut = max(question.since, min(time, question.until))
        return True

    def take(self, instance: str, part: PassedFiles) -> None:
        """Add the facts of files that are not read."""
        self.gaps[instance] += part.gaps
        self._reached[instance] = max(self._reached[instance], part.reached)
        if len(self.files) > 1:
            # How far files reach matters only if there are several recorders.
            self.files[instance] += part.spans

    # -- one recorder's files ------------------------------------------------------------------------

    def _forwards(self, instance: str, parts: list[Part | PassedFiles]) -> Iterator[Found]:
        return forwards(
            batch for part, blocks in self._in_turn(parts) for batch in self._batches(instance, part, blocks)
        )

    def _backwards(self, instance: str, parts: list[Part | PassedFiles]) -> Iterator[Found]:
        turns = self._in_turn(parts[::-1])
        return backwards(self._whole(instance, part, blocks) for part, blocks in turns)

    def _in_turn(self, parts: list[Part | PassedFiles]) -> Iterator[_Turn]:
        """The parts, each with its blocks, or the facts of files in which nothing matches. An index is asked
        once the answer comes to its month."""
        narrowing, every_line = self._narrowing, self._question.filter.everything
        # A question for the newest records mostly needs few of them; one for everything, or for people,
        # mostly needs all.
        by_people = bool(self._question.filter.users)
        depth = 0 if self._question.newest else 8 if by_people else 4 if every_line else 1
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
    def _needless(narrowing: Narrowing, part: Part | PassedFiles) -> Part | PassedFiles:
        covered = narrowing.needless(part) if isinstance(part, Part) else None
        return passed(part, covered) if covered is not None and isinstance(part, Part) else part

    def _whole(
        self, instance: str, part: Part | PassedFiles, blocks: Iterator[bytes] | None
    ) -> tuple[list[Found], bytes]:
        found: list[Found] = []
        was_read = not self._report.stopped
        for batch, _ in self._batches(instance, part, blocks):
            found += batch
        minute = part.minute
        begun = f"{minute[:4]}-{minute[4:6]}-{minute[6:8]}T{minute[9:11]}:{minute[11:13]}:59.999Z"
        if was_read:
            self.may_end(lambda: lines.seconds(begun) + HELD_BACK)
        return found, begun.encode("ascii")

    def _batches(
        self, instance: str, part: Part | PassedFiles, blocks: Iterator[bytes] | None
    ) -> Iterator[Batch]:
        """The results for the blocks of a part. A part that cannot be read is noted and skipped."""
        report = self._report
        if report.stopped:
            return
        if isinstance(part, PassedFiles) or blocks is None:
            assert isinstance(part, PassedFiles)
            if self.cancelled:
                raise Cancelled
            self.take(instance, part)
            yield [], self._reached[instance]
            return
        # Only the time of reading counts, not the time that the caller needs.
        began = self._clock()
        reached = self.files[instance]
        start = begun(part.minute)
        reached.append((start, start))
        at, latest = len(reached) - 1, b""
        try:
            for block in blocks:
                if self.cancelled:
                    raise Cancelled
                report.bytes += len(block)
                self.gaps[instance] += gaps_in(block)
                found = self._found(block)
                latest = max(latest, time_reached(block))
                self._reached[instance] = max(self._reached[instance], latest)
                if latest:
                    reached[at] = start, seconds_of(latest)
                report.seconds += self._clock() - began
                yield found, self._reached[instance]
                began = self._clock()
                if self._question.newest or not self._reached[instance]:
                    continue
                if self.may_end(lambda: seconds_of(self._reached[instance]) - HELD_BACK):
                    return
        except PartError as error:
            if error.unread not in report.unread:
                report.unread.append(error.unread)
        report.files += 1

    def _found(self, block: bytes) -> list[Found]:
        since, until = map(lines.time_bytes, self._bounds)
        found = [Found(*pair) for pair in self._matcher.find(block, since, until)]
        return found if self._who is None else list(self._shown(found, self._who, since, until))

    def _shown(self, found: list[Found], who: OptedOutPeople, since: bytes, until: bytes) -> Iterator[Found]:
        """The results without those who opted out."""
        for each in found:
            rest = line_without(each.line, who)
            if rest is each.line:
                yield each
            elif rest is not None:
                # The text that was taken out may be what matched.
                yield from (Found(*pair) for pair in self._matcher.find(rest, since, until))


def time_reached(block: bytes) -> bytes:
    """The time that a block has reached: later records are older by at most HELD_BACK. It is the time at
    which the block's last record arrived. If the records arrived all at once later on, it is the latest time
    of one."""
    rows = [line for line in block[-_LAST_BYTES:].split(b"\n") if line]
    # The first line may be cut off.
    latest = max(map(lines.timestamp, rows[1:] or rows), default=b"")
    return min(latest, lines.received(rows[-1])) if rows else b""
