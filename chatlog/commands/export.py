"""``chatlog export``: a room's chat as a file for others."""

from __future__ import annotations

import heapq
import os
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from typing import IO, TYPE_CHECKING, Any

import click

from chatlog.commands import reading
from chatlog.commands.log import moderation_of

if TYPE_CHECKING:
    from chatlog.archive.moderation import Moderation
    from chatlog.archive.opened import Archive
    from chatlog.archive.ordering import Found
    from chatlog.archive.parts import Room
    from chatlog.archive.reader import Answer

FORMATS = ("jsonl", "irc", "text", "csv", "chatjson")

#: A record, its line, and what moderators did to it.
Item = tuple[dict[str, Any], bytes, str]


@click.command()
@click.argument("rooms", nargs=-1, required=True, metavar="ROOM...")
@click.option("--since", metavar="TIME", help="From then on. [default: the beginning of today]")
@click.option("--until", metavar="TIME", help="Before then. [default: now]")
@click.option("--format", "form", type=click.Choice(FORMATS), default="jsonl", show_default=True)
@click.option("--start", metavar="TIME", help="chatjson: when the video begins. [default: --since]")
@click.option("--offset", metavar="SECONDS", help="chatjson: the chat is so much later, like 3s or -1.5s.")
@click.option(
    "--deleted",
    type=click.Choice(("keep", "drop", "mark")),
    default="keep",
    show_default=True,
    help="Messages that moderators removed: kept, left out, or marked.",
)
@click.option("-o", "--output", metavar="FILE", help="Write there; else to the standard output.")
@reading.options
def export(
    rooms: tuple[str, ...],
    since: str | None,
    until: str | None,
    form: str,
    start: str | None,
    offset: str | None,
    deleted: str,
    output: str | None,
    path: str,
    archive: str | None,
    utc: bool,
) -> None:
    """Write a room's chat for other programs: jsonl (the records as they are), irc (lines as Twitch sends
    them), text, csv, or chatjson (for TwitchDownloader, which renders it beside a video).

    Ends with 0 if there was something, 1 if there was nothing or a file cannot be read, 2 if it cannot look.
    """
    if form != "chatjson" and (start is not None or offset is not None):
        reading.refuse("--start and --offset are for --format chatjson alone")
    opened = reading.opened(path, archive)
    clock = reading.clock(utc)
    first = reading.moment(clock, since or "today", 0.0, "--since")
    last = reading.moment(clock, until, clock.now, "--until")
    if last <= first:
        reading.refuse("--until is not later than --since")
    named = reading.rooms_named(opened, rooms)
    if form == "chatjson" and len(named) > 1:
        reading.refuse("chatjson is the chat of one room: export each room by itself")
    zero = reading.moment(clock, start, first, "--start") - _seconds(offset or "0s")
    task = _Export(opened, named, first, last, deleted)
    writers: dict[str, Callable[[], Iterator[bytes]]] = {
        "jsonl": task.jsonl,
        "irc": task.irc,
        "text": task.text,
        "csv": task.csv,
        "chatjson": lambda: task.chatjson(zero),
    }
    _write(writers[form](), output, opened)
    click.echo(
        f"{task.written} records of {clock.shown(first)} to {clock.shown(last)} {clock.zone_name}", err=True
    )
    for room, answer in task.answers:
        reading.tell(answer.report, clock, first, last, "/".join(room))
    damaged = any(answer.report.unread for _, answer in task.answers)
    raise click.exceptions.Exit(reading.NOTHING if not task.written or damaged else 0)


def _seconds(text: str) -> float:
    try:
        return float(text.strip().removesuffix("s"))
    except ValueError:
        reading.refuse(f"--offset: {text!r} is not a number of seconds; write 3s or -1.5s")


def _write(pieces: Iterator[bytes], output: str | None, opened: Archive) -> None:
    """A file is there as a whole, or not at all."""
    from chatlog.store.store import StoreError

    try:
        if output is None or output == "-":
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return
        unfinished = f"{output}.part"
        with open(unfinished, "wb") as file:
            _copy(pieces, file)
        os.replace(unfinished, output)
    except BrokenPipeError:
        raise
    except OSError as error:
        reading.refuse(f"cannot write {output or 'the output'}: {error.strerror}")
    except StoreError as error:
        reading.refuse(f"cannot read {opened.store.describe()}: {error}")


def _copy(pieces: Iterator[bytes], file: IO[bytes]) -> None:
    for piece in pieces:
        file.write(piece)


class _Export:
    """The records of some rooms and a time, in the form that is asked for."""

    def __init__(self, opened: Archive, rooms: list[Room], since: float, until: float, deleted: str) -> None:
        from chatlog.archive.reader import Question

        self._opened = opened
        self._since, self._until = since, until
        self._deleted = deleted
        self.answers: list[tuple[Room, Answer]] = [
            (room, opened.reader.ask(Question(room, since, until))) for room in rooms
        ]
        self.written = 0

    def _found(self) -> Iterator[Found]:
        streams = (iter(answer) for _, answer in self.answers)
        yield from heapq.merge(*streams, key=lambda found: found.time)

    def _items(self) -> Iterator[Item]:
        from chatlog.archive.lines import record_of

        marks: dict[str, Moderation] = {}
        if self._deleted != "keep":
            marks = {
                "/".join(room): moderation_of(self._opened, room, self._since, self._until)
                for room, _ in self.answers
            }
        for found in self._found():
            record = record_of(found.line)
            if record is None:
                continue
            moderation = marks.get(f"{record.get('platform', 'twitch')}/{record.get('channel', '')}")
            hit = moderation.hit(record) if moderation is not None else ""
            if hit and self._deleted == "drop":
                continue
            yield record, found.line, hit

    def jsonl(self) -> Iterator[bytes]:
        """The records as they are; marked ones with ``moderation`` behind their other keys."""
        from chatlog.record import to_line

        for record, line, hit in self._items():
            self.written += 1
            yield to_line({**record, "moderation": hit}) if hit else line + b"\n"

    def irc(self) -> Iterator[bytes]:
        """Lines of IRC."""
        from chatlog.archive.formats.irc import irc_line

        for record, _, hit in self._items():
            if line := irc_line(record):
                self.written += 1
                if hit:
                    line = f"@rm-deleted=1;{line[1:]}" if line.startswith("@") else f"@rm-deleted=1 {line}"
                yield line.encode("utf-8", "replace") + b"\r\n"

    def text(self) -> Iterator[bytes]:
        """Lines for people, with times of UTC."""
        from chatlog.archive.formats.text import ChatText, plain

        shown = ChatText(plain, lambda time: f"[{time[:10]} {time[11:19]}]", len(self.answers) > 1)
        for record, _, hit in self._items():
            self.written += 1
            yield shown.line(record, hit).encode("utf-8", "replace") + b"\n"

    def csv(self) -> Iterator[bytes]:
        """A table with a header."""
        from chatlog.archive.formats.csv_rows import header, row

        yield header().encode()
        for record, _, hit in self._items():
            self.written += 1
            yield row(record, hit).encode()

    def chatjson(self, zero: float) -> Iterator[bytes]:
        """TwitchDownloader's form. ``zero`` is when the video begins."""
        from chatlog.archive.formats.chatjson import document, streamer_of
        from chatlog.archive.lines import time_bytes

        (platform, channel), _ = self.answers[0]
        items = self._items()
        head = next(items, None)
        id = str(head[0].get("channel_id", "")) if head is not None else ""
        pieces = self._comments(head, items, zero)
        start = time_bytes(zero).decode()
        yield from document(pieces, streamer_of(platform, channel, id), start, self._until - zero)

    def _comments(self, head: Item | None, items: Iterator[Item], zero: float) -> Iterator[bytes]:
        from chatlog.archive.formats.chatjson import comment, offset_of
        from chatlog.record import to_line

        for record, _, hit in chain([head] if head is not None else [], items):
            offset = offset_of(record, zero)
            if offset is None or offset < 0:
                continue
            if (made := comment(record, offset, hit)) is not None:
                self.written += 1
                yield to_line(made)
