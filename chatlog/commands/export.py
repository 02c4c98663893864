"""``chatlog export``: writes a room's chat as a file for other programs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from chatlog.commands import reading
from chatlog.commands.archive_names import rooms_there
from chatlog.counted import many
from chatlog.one_value import Command

if TYPE_CHECKING:
    from chatlog.archive.exporting import Export
    from chatlog.archive.opening import Archive
    from chatlog.archive.room_files import Room

FORMATS = ("jsonl", "irc", "text", "csv", "chatjson", "parquet")

#: Bytes that making Parquet may take.
_MEMORY = 256_000_000


@click.command(cls=Command)
@click.argument("rooms", nargs=-1, required=True, metavar="ROOM...", shell_complete=rooms_there)
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
    them), text, csv, chatjson (for TwitchDownloader, which renders it beside a video), or parquet (for DuckDB
    and pandas; needs DuckDB: pip install 'chatlog[archive]').

    Exit status 0: there was chat, 1: there was none or a file cannot be read, 2: the archive cannot be read.
    """
    from chatlog.archive.exporting import Export, Wanted
    from chatlog.archive.times import Span

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
    if form == "parquet" and deleted == "mark":
        reading.refuse("parquet has no column for marks: choose --deleted keep or drop")
    if form == "parquet" and output is None and sys.stdout.isatty():
        reading.refuse("parquet is nothing to read on a terminal: name a file with -o")
    task = Export(opened.reader.ask, named, Span(first, last), Wanted(form, deleted, zero))
    if form == "parquet":
        _write(_parquet(task, named, (first, last)), output, opened)
    else:
        _write(task.pieces(), output, opened)
    click.echo(
        f"{many(task.written, 'record')} of {clock.shown(first)} to {clock.shown(last)} {clock.zone_name}",
        err=True,
    )
    for room, answer in task.answers:
        reading.report_missing(answer.report, clock, first, last, "/".join(room))
    known = {room: answer.report.gaps for room, answer in task.answers}
    reading.say_what_is_not_recorded(opened, named, clock, first, last, known)
    damaged = any(answer.report.unread for _, answer in task.answers)
    raise click.exceptions.Exit(reading.NOTHING if not task.written or damaged else 0)


def _seconds(text: str) -> float:
    try:
        return float(text.strip().removesuffix("s"))
    except ValueError:
        reading.refuse(f"--offset: {text!r} is not a number of seconds; write 3s or -1.5s")


def _parquet(task: Export, rooms: list[Room], span: tuple[float, float]) -> Iterator[bytes]:
    """The records as a file with the columns of those that ``chatlog compact`` makes."""
    from chatlog import __version__
    from chatlog.parquet import duck
    from chatlog.record import rfc3339
    from chatlog.upkeep.workplace import workplace

    def known() -> dict[str, object]:
        return {
            "chatlog.version": __version__,
            "chatlog.rooms": ["/".join(room) for room in rooms],
            "chatlog.since": rfc3339(round(span[0] * 1000)),
            "chatlog.until": rfc3339(round(span[1] * 1000)),
            "chatlog.records": task.written,
            "chatlog.gaps": {
                "/".join(room): [
                    [rfc3339(round(gap.since * 1000)), rfc3339(round(gap.until * 1000)), gap.reason]
                    for gap in answer.report.gaps
                ]
                for room, answer in task.answers
            },
        }

    try:
        with workplace() as directory:
            connection = duck.connect(_MEMORY, directory)
            try:
                duck.write(task.lines(), directory / "export.parquet", known, connection)
            finally:
                connection.close()
            with (directory / "export.parquet").open("rb") as file:
                while chunk := file.read(1 << 20):
                    yield chunk
    except (duck.NoDuckDB, duck.TooLittleMemory) as error:
        reading.refuse(str(error))
    except ValueError as error:
        reading.refuse(f"a line of the archive is no record: {error}")


def _write(pieces: Iterator[bytes], output: str | None, opened: Archive) -> None:
    from chatlog.commands.upkeep import ending_in_order
    from chatlog.commands.whole_file import whole_file
    from chatlog.store.store import StoreError

    try:
        if output is None or output == "-":
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return
        with ending_in_order(), whole_file(output) as file:
            for piece in pieces:
                file.write(piece)
    except BrokenPipeError:
        raise
    except OSError as error:
        reading.refuse(f"cannot write {output or 'the output'}: {error.strerror}")
    except StoreError as error:
        reading.refuse(f"cannot read {opened.store.describe()}: {error}")
