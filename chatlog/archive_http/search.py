"""A search over rooms, as lines that are sent while it runs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import chain, pairwise

import orjson

from chatlog.archive import lines
from chatlog.archive.gaps import Gap, Unread
from chatlog.archive.matching import Filter
from chatlog.archive.ordering import Found
from chatlog.archive.question import Question
from chatlog.archive.reader import Answer as Records
from chatlog.archive.room_files import Room
from chatlog.archive_http.asked import Asked
from chatlog.archive_http.ranges import Range
from chatlog.archive_http.shapes import gap_facts, time_text, unread_facts

DAY = 86400.0
#: The seconds of a search's first step; each step is twice as long as the one before, up to the longest.
_WINDOW, _LONGEST_WINDOW = DAY, 32 * DAY
#: The seconds of the time that is listed while a window is read.
_AHEAD = 62 * DAY
#: The fewest bytes that are read of a room, however many rooms there are.
_LEAST_SHARE = 20_000
#: The most gaps that the end of a search names.
MOST = 1000


class Search:
    """One running search."""

    def __init__(
        self,
        asked: Asked,
        rooms: list[Room],
        range: Range,
        wanted: Filter,
        newest: bool,
        limit: int,
        most: int,
        opted_out: bool = False,
    ) -> None:
        """``opted_out``: whether all people who are looked for opted out."""
        self._opted_out = opted_out
        self._asked = asked
        self._rooms = rooms
        self._range = range
        self._filter = wanted
        self._newest = newest
        self._limit = limit
        self._most = most
        self._at = range.until if newest else range.since
        self._edge: str | None = None
        self._found = 0
        #: By their names: a file may be read for two windows.
        self._unread: dict[str, Unread] = {}
        self._gaps: list[tuple[Room, Gap]] = []
        #: Returns the parts of a time before the first recording, and after the last one.
        self.beside: Callable[[Range], list[tuple[Room, Gap]]] = lambda range: []

    def progress(self) -> bytes:
        """The line with the progress."""
        facts = {"at": time_text(self._at), "bytes": self._asked.work.bytes, "found": self._found}
        return orjson.dumps({"progress": facts}) + b"\n"

    def lines(self) -> Iterator[bytes]:
        """The lines: records, progress, and the end."""
        yield self.progress()
        # Lookups ahead end soon by themselves; if the client leaves, this waits for them.
        with ThreadPoolExecutor(2, "search-ahead") as ahead:
            yield from self._lines(ahead)

    def _lines(self, ahead: ThreadPoolExecutor) -> Iterator[bytes]:
        stopped: str | None = None
        last: Found | None = None
        listed: Future[None] | None = None
        beside: Future[list[tuple[Room, Gap]]] | None = None
        for number, (window, following) in enumerate(_pairs(self._windows())):
            if listed is not None:
                listed.result()
            # Costs nothing if the window has been listed.
            self._list_ahead(window)
            if following is not None:
                # List ahead while this window is read. If the first day has not enough, the wanted records
                # are rare: then list all the rest.
                listed = ahead.submit(self._list_ahead, self._rest(window) if number else following)
            if window.since == self._range.since:
                beside = ahead.submit(self.beside, self._range)
            with closing(self._of(window)) as records:
                for found in records:
                    if last is not None and self._found == self._limit:
                        # The records of the same millisecond come again, so that none is left out.
                        edge = lines.seconds(last.time)
                        stopped = time_text(edge + 0.001 if self._newest else edge)
                        break
                    last = found
                    self._found += 1
                    yield b'{"record":' + found.line + b"}\n"
            if stopped is None:
                stopped = self._edge
            self._at = window.since if self._newest else window.until
            enough = self._asked.work.bytes > self._most or self._asked.work.is_over()
            if stopped is None and enough and self._is_before_the_end():
                stopped = time_text(self._at)
            if stopped is not None:
                break
        if beside is not None:
            self._gaps += beside.result()
        elif stopped is not None:
            self._gaps += self.beside(Range(lines.seconds(stopped), self._range.until))
        yield self._end(stopped)

    def _list_ahead(self, window: Range) -> None:
        self._asked.work.list_ahead(self._rooms, *window)

    def _rest(self, window: Range) -> Range:
        """The time after a window that is listed ahead, up to the end of the search."""
        if self._newest:
            return Range(max(self._range.since, window.since - _AHEAD), window.since)
        return Range(window.until, min(self._range.until, window.until + _AHEAD))

    def _is_before_the_end(self) -> bool:
        return self._at > self._range.since if self._newest else self._at < self._range.until

    def _windows(self) -> Iterator[Range]:
        length = _WINDOW
        since, until = self._range
        while since < until:
            if self._newest:
                start = max(since, until - length)
                yield Range(start, until)
                until = start
            else:
                end = min(until, since + length)
                yield Range(since, end)
                since = end
            length = min(2 * length, _LONGEST_WINDOW)

    def _of(self, window: Range) -> Generator[Found, None, None]:
        answers: list[tuple[Room, Records]] = []
        share = max(_LEAST_SHARE, (self._most - self._asked.work.bytes) // max(1, len(self._rooms)))
        for room in self._rooms:
            wanted = Question(room, *window, self._filter, self._newest, share)
            answers.append((room, self._asked.work.ask(wanted)))
        records = self._asked.work.merged([answer for _, answer in answers], self._newest)
        try:
            for found in records:
                self._edge = self._edge_of(answers)
                if self._edge is not None and self._is_beyond(found.time, self._edge):
                    break
                yield found
            self._edge = self._edge_of(answers)
        finally:
            records.close()
            for room, answer in answers:
                self._unread |= {unread.name: unread for unread in answer.report.unread}
                self._gaps += [(room, gap) for gap in answer.report.gaps[: MOST - len(self._gaps)]]

    def _edge_of(self, answers: list[tuple[Room, Records]]) -> str | None:
        """The time up to which every room was read, if one of them was not read to its end."""
        edges = [at for _, answer in answers if (at := answer.report.reached) is not None]
        return time_text(max(edges) if self._newest else min(edges)) if edges else None

    def _is_beyond(self, time: bytes, edge: str) -> bool:
        return time < edge.encode("ascii") if self._newest else time >= edge.encode("ascii")

    def _end(self, stopped: str | None) -> bytes:
        name = "to" if self._newest else "from"
        facts = {
            "found": self._found,
            "bytes": self._asked.work.bytes,
            "next": {name: stopped} if stopped else None,
            "opted_out": self._opted_out and not self._found,
            "unread": len(self._unread),
            "files": unread_facts(list(self._unread.values())),
            "gaps": [{"room": "/".join(room), **gap_facts(gap)} for room, gap in _joined(self._gaps)],
        }
        return orjson.dumps({"end": facts}) + b"\n"


def _pairs(windows: Iterator[Range]) -> Iterator[tuple[Range, Range | None]]:
    """Each window with the one after it."""
    return pairwise(chain(windows, (None,)))  # type: ignore[arg-type]


def _joined(gaps: list[tuple[Room, Gap]]) -> list[tuple[Room, Gap]]:
    """The gaps in order, and in one piece where a gap lies in two windows."""
    found: list[tuple[Room, Gap]] = []
    for room, gap in sorted(gaps):
        if found:
            before, last = found[-1]
            if before == room and last.reason == gap.reason and last.until == gap.since:
                found[-1] = room, last._replace(until=gap.until)
                continue
        found.append((room, gap))
    return sorted(found, key=lambda each: each[1].since)
