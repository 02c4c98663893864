"""Exports records of rooms and a time in a format for other programs."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

from chatlog.archive.formats.chatjson import comment, document, offset_of, streamer_of
from chatlog.archive.formats.csv_rows import header, row
from chatlog.archive.formats.irc import irc_line
from chatlog.archive.formats.text import ChatText, plain
from chatlog.archive.lines import record_of, time_bytes
from chatlog.archive.matching import Filter
from chatlog.archive.moderation import Moderation, moderation_of
from chatlog.archive.ordering import Found
from chatlog.archive.question import Question
from chatlog.archive.reader import Answer
from chatlog.archive.room_files import Room
from chatlog.archive.times import Span
from chatlog.record import to_line

#: The names of the formats, with the media types and suffixes of their files.
FORMS: Mapping[str, tuple[str, str]] = {
    "jsonl": ("application/x-ndjson", "jsonl"),
    "irc": ("text/plain; charset=utf-8", "irc.txt"),
    "text": ("text/plain; charset=utf-8", "txt"),
    "csv": ("text/csv; charset=utf-8", "csv"),
    "chatjson": ("application/json", "json"),
}
DELETED = ("keep", "drop", "mark")

#: A record, its line, and what moderators did to it.
Item = tuple[dict[str, Any], bytes, str]


class Wanted(NamedTuple):
    """A format of FORMS; how to treat messages that moderators removed (one of DELETED); when the video of
    chat JSON begins, in seconds since the epoch; and which records."""

    form: str
    deleted: str = "keep"
    start: float = 0.0
    filter: Filter = Filter()


class Export:
    """One export. ``ask`` queries the archive. ``pieces`` generates the export, and ``written`` counts its
    records. After that ``answers`` know what is missing, and ``end`` may add a record that says so."""

    def __init__(
        self,
        ask: Callable[[Question], Answer],
        rooms: list[Room],
        span: Span,
        wanted: Wanted,
        most_bytes: int | None = None,
        end: Callable[[], Iterator[dict[str, Any]]] = lambda: iter(()),
    ) -> None:
        self._ask = ask
        self._span = span
        self._wanted = wanted
        self._end = end
        self.answers: list[tuple[Room, Answer]] = [
            (room, ask(Question(room, *span, wanted.filter, most_bytes=most_bytes))) for room in rooms
        ]
        self.written = 0

    def pieces(self) -> Iterator[bytes]:
        """The export, piece by piece. Raises StoreError."""
        makers: dict[str, Callable[[], Iterator[bytes]]] = {
            "jsonl": self._jsonl,
            "irc": self._irc,
            "text": self._text,
            "csv": self._csv,
            "chatjson": self._chatjson,
        }
        return makers[self._wanted.form]()

    def lines(self) -> Iterator[bytes]:
        """The unchanged lines of the records, in order, without those that moderators removed if these are to
        be left out. Raises StoreError."""
        for _, line, _ in self._items():
            self.written += 1
            yield line

    def _found(self) -> Iterator[Found]:
        streams = (iter(answer) for _, answer in self.answers)
        yield from heapq.merge(*streams, key=lambda found: found.time)

    def _items(self) -> Iterator[Item]:
        marks: dict[str, Moderation] = {}
        if self._wanted.deleted != "keep":
            marks = {"/".join(room): moderation_of(self._ask, room, *self._span) for room, _ in self.answers}
        for found in self._found():
            record = record_of(found.line)
            if record is None:
                continue
            moderation = marks.get(f"{record.get('platform', 'twitch')}/{record.get('channel', '')}")
            hit = moderation.hit(record) if moderation is not None else ""
            if hit and self._wanted.deleted == "drop":
                continue
            yield record, found.line, hit
        for record in self._end():
            yield record, to_line(record).rstrip(b"\n"), ""

    def _jsonl(self) -> Iterator[bytes]:
        """Records that moderators removed have ``moderation`` behind their other keys."""
        for record, line, hit in self._items():
            self.written += 1
            yield to_line({**record, "moderation": hit}) if hit else line + b"\n"

    def _irc(self) -> Iterator[bytes]:
        for record, _, hit in self._items():
            if line := irc_line(record):
                self.written += 1
                if hit:
                    line = f"@rm-deleted=1;{line[1:]}" if line.startswith("@") else f"@rm-deleted=1 {line}"
                yield line.encode("utf-8", "replace") + b"\r\n"

    def _text(self) -> Iterator[bytes]:
        """Times are in UTC."""
        shown = ChatText(plain, lambda time: f"[{time[:10]} {time[11:19]}]", len(self.answers) > 1)
        for record, _, hit in self._items():
            self.written += 1
            yield shown.line(record, hit).encode("utf-8", "replace") + b"\n"

    def _csv(self) -> Iterator[bytes]:
        yield header().encode()
        for record, _, hit in self._items():
            self.written += 1
            yield row(record, hit).encode()

    def _chatjson(self) -> Iterator[bytes]:
        (platform, channel), _ = self.answers[0]
        items = self._items()
        head = next(items, None)
        id = str(head[0].get("channel_id", "")) if head is not None else ""
        start = self._wanted.start
        pieces = self._comments(chain([head] if head is not None else [], items))
        length = self._span.until - start
        yield from document(pieces, streamer_of(platform, channel, id), time_bytes(start).decode(), length)

    def _comments(self, items: Iterator[Item]) -> Iterator[bytes]:
        for record, _, hit in items:
            offset = offset_of(record, self._wanted.start)
            if offset is None or offset < 0:
                continue
            if (made := comment(record, offset, hit)) is not None:
                self.written += 1
                yield to_line(made)
