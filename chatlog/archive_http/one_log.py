"""One log while it is made: its records in a format, with the gaps between them and notices at the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chatlog.archive import lines, notices
from chatlog.archive.gaps import Gap, Report
from chatlog.archive.lines import LAST
from chatlog.archive.matching import Filter
from chatlog.archive.opening import Archive
from chatlog.archive.ordering import Found
from chatlog.archive.question import Question
from chatlog.archive.room_files import Room
from chatlog.archive_http.asked import Asked
from chatlog.archive_http.log_formats import LogFormat, notice
from chatlog.archive_http.ranges import Range
from chatlog.counted import many

#: The bytes that are sent at a time. The most gaps in a header, and the most files in notices.
CHUNK = 64 << 10
NAMED = 20
EVERYTHING = Filter()


@dataclass(frozen=True, slots=True)
class Wanted:
    """The records of a room in a range that match a filter."""

    room: Room
    range: Range
    filter: Filter = EVERYTHING


class Log:
    """One log while it is made."""

    def __init__(
        self,
        archive: Archive,
        asked: Asked,
        wanted: Wanted,
        form: LogFormat,
        most: int,
        gaps: list[Gap] | None,
    ) -> None:
        self._asked = asked
        self._wanted = wanted
        self._form = form
        self._newest = asked.has("reverse")
        self._limit = asked.number("limit", None)
        self._offset = asked.number("offset", 0) or 0
        since, until = wanted.range
        self._records = asked.work.ask(
            Question(wanted.room, since, min(until, LAST), wanted.filter, self._newest, most)
        )
        self._holes = sorted(gaps or (), reverse=self._newest)
        self.report = self._records.report
        #: How many records and gaps were sent, and whether these are all.
        self.given = self.missing = 0
        self.ended = False
        #: Whether everything was read, so that the report has all gaps.
        self.read_all = False

    def chunks(self) -> Iterator[bytes]:
        """The log in pieces of about CHUNK bytes; ``ended`` is set before the last one."""
        form, pieces, size = self._form, [self._form.begin], len(self._form.begin)
        separator = b""
        for item in self._items():
            pieces += (separator, item)
            size += len(item)
            separator = form.between
            if size >= CHUNK:
                yield b"".join(pieces)
                pieces, size = [], 0
        self.ended = True
        yield b"".join([*pieces, form.end])

    def _items(self) -> Iterator[bytes]:
        skip = self._offset
        records = iter(self._records)
        cut_short = False
        for found in records if self._limit != 0 else ():
            yield from self._holes_before(found)
            if not (item := self._form.item_of(found.line)):
                continue
            if skip:
                skip -= 1
                continue
            self.given += 1
            yield item
            if self.given == self._limit:
                cut_short = True
                break
        records.close()  # type: ignore[attr-defined]
        self._asked.work.done(self._records)
        if not cut_short:
            self.read_all = self._limit != 0 and not self.report.stopped
            yield from (self._missing(gap) for gap in self._holes)
        yield from self._at_the_end(cut_short)

    def _holes_before(self, found: Found) -> Iterator[bytes]:
        while self._holes:
            at = lines.time_bytes(self._holes[0].since)
            if (at < found.time) == self._newest and at != found.time:
                return
            yield self._missing(self._holes.pop(0))

    def _missing(self, gap: Gap) -> bytes:
        self.missing += 1
        since, until = time_of(gap.since), time_of(gap.until)
        text = f"Not recorded from {since} to {until}: {gap.reason}"
        return self._notice(since, notices.GAP, text, gap_from=since, gap_to=until, gap_reason=gap.reason)

    def _at_the_end(self, cut_short: bool) -> Iterator[bytes]:
        """The notice for the reader of an incomplete answer."""
        if not self.given:
            return
        last = time_of(min(self._wanted.range.until, LAST))
        for unread in self.report.unread[:NAMED]:
            text = notices.unread_text(unread, notices.public_name(unread))
            yield self._notice(last, notices.UNREAD, text)
        if len(self.report.unread) > NAMED:
            more = many(len(self.report.unread) - NAMED, "more file")
            yield self._notice(last, notices.UNREAD, f"{more} cannot be read; `chatlog verify` names them")
        if self.report.stopped and not cut_short:
            rest = rest_of(self.report)
            text = f"This is not all: {self.report.stopped}; go on with {rest}"
            yield self._notice(last, notices.PARTIAL, text, go_on=rest)

    def _notice(self, time: str, id: str, text: str, **tags: str) -> bytes:
        return self._form.item(notice(self._wanted.room[1], time, id, text, **tags))


def rest_of(report: Report) -> str:
    """The time at which to continue, for a header or a person."""
    return "unknown" if report.reached is None else time_of(report.reached)


def time_of(at: float) -> str:
    """A time as in records."""
    return lines.time_bytes(at).decode("ascii")
