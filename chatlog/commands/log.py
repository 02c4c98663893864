"""``chatlog log``: shows the chat of a room, of a day or a time, for reading."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING

import click

from chatlog.commands import reading
from chatlog.commands.archive_names import rooms_there
from chatlog.counted import many
from chatlog.one_value import Command

if TYPE_CHECKING:
    from chatlog.archive.times import Reading

#: Seconds shown before and after the time of ``--around``.
AROUND = 300.0


@click.command(cls=Command)
@click.argument("room", shell_complete=rooms_there)
@click.argument("when", default="today", metavar="[DAY or FROM..TO]")
@click.option("--around", metavar="TIME", help="Five minutes before and after this time.")
@click.option("--relative-to", metavar="TIME", help="Times count from then, as in a video that began then.")
@click.option("--json", "as_json", is_flag=True, help="Whole records, one JSON object a line.")
@reading.options
def log(
    room: str,
    when: str,
    around: str | None,
    relative_to: str | None,
    as_json: bool,
    path: str,
    archive: str | None,
    utc: bool,
) -> None:
    """Show what was said in a room: today, on a DAY, or between two times (21:00..22:30).

    Deleted messages are struck out, with what was done. Gaps are shown where chat is missing.

    Exit status 0: there is chat, 1: there is none or a file cannot be read, 2: the archive cannot be read.
    """
    from chatlog.archive.formats.text import ChatText, plain
    from chatlog.archive.lines import record_of
    from chatlog.archive.moderation import moderation_of
    from chatlog.archive.question import Question
    from chatlog.archive.times import Span, TimeError
    from chatlog.store.store import StoreError

    opened = reading.opened(path, archive)
    clock = reading.clock(utc)
    (named,) = reading.rooms_named(opened, (room,))
    try:
        if around is not None:
            middle = clock.span(f"{when}T{around}" if _is_day(when) and ":" in around else around).since
            span = Span(middle - AROUND, middle + AROUND)
        else:
            span = clock.range(when)
        zero = clock.since(relative_to) if relative_to is not None else None
    except TimeError as error:
        reading.refuse(str(error))

    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    with_day = span.until - span.since > 86400.0
    text = ChatText(click.style if color else plain, partial(_shown, clock, with_day, zero), False)
    answer = opened.reader.ask(Question(named, *span))
    found = 0
    try:
        moderation = moderation_of(opened.reader.ask, named, *span)
        for item in answer:
            found += 1
            record = None if as_json else record_of(item.line)
            if as_json:
                click.echo(item.line)
            elif record is not None:
                click.echo(text.line(record, moderation.hit(record)))
    except StoreError as error:
        reading.refuse(f"cannot read {opened.store.describe()}: {error}")
    zone = "since " + clock.shown(zero) if zero is not None else clock.zone_name
    about = f"{named[0]}/{named[1]}, {clock.shown(span.since)} to {clock.shown(span.until)}"
    click.echo(f"{about}: {many(found, 'record')}; times are {zone}", err=True)
    reading.report_missing(answer.report, clock, *span)
    known = {named: answer.report.gaps}
    reading.say_what_is_not_recorded(opened, [named], clock, *span, known)
    raise click.exceptions.Exit(reading.NOTHING if not found or answer.report.unread else 0)


def _shown(clock: Reading, with_day: bool, zero: float | None, timestamp: str) -> str:
    """The time of a record, as printed before its text."""
    from chatlog.archive.lines import seconds

    try:
        at = seconds(timestamp)
    except ValueError:
        return timestamp[11:19]
    return clock.shown(at, with_day=with_day) if zero is None else _offset(at - zero)


def _is_day(text: str) -> bool:
    return len(text) >= 8 and text[:4].isdigit() and "-" in text and ":" not in text


def _offset(seconds: float) -> str:
    sign, whole = ("-" if seconds < 0 else ""), int(abs(seconds))
    return f"{sign}{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
