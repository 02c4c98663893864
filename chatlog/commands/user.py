"""``chatlog user``: shows where a user wrote, under which names, and what moderators did."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from chatlog.commands import reading
from chatlog.commands.archive_names import rooms_there, users_there
from chatlog.commands.options import registry
from chatlog.counted import many
from chatlog.one_value import Command

if TYPE_CHECKING:
    from chatlog.archive.people import Person
    from chatlog.archive.reader import Answer


@click.command(cls=Command)
@click.argument("who", metavar="PLATFORM/NAME|PLATFORM/id:1234", shell_complete=users_there)
@click.option(
    "--room",
    "rooms",
    multiple=True,
    metavar="ROOM",
    help="Only in this room; may be given again.",
    shell_complete=rooms_there,
)
@click.option("--since", metavar="TIME", help="From then on. [default: 90d]")
@click.option("--until", metavar="TIME", help="Before then.")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@reading.options
def user(
    who: str,
    rooms: tuple[str, ...],
    since: str | None,
    until: str | None,
    as_json: bool,
    path: str,
    archive: str | None,
    utc: bool,
) -> None:
    """Show in which rooms a user wrote, on which days, under which names, and what moderators did.

    Exit status 0: something was found, 1: nothing was found or a file cannot be read,
    2: the archive cannot be read.
    """
    from chatlog.archive.matching import Filter
    from chatlog.archive.people import facts_of, person_of
    from chatlog.archive.question import Question
    from chatlog.store.store import StoreError

    platform, slash, name = who.strip().lower().partition("/")
    if not slash or platform not in registry() or not name:
        reading.refuse(f"{who!r} does not say who is meant; write twitch/NAME, kick/NAME or twitch/id:1234")
    opened = reading.opened(path, archive)
    clock = reading.clock(utc)
    start = reading.moment(clock, since, reading.days_back(clock.now, 90), "--since")
    end = reading.moment(clock, until, clock.now + 60.0, "--until")
    if end <= start:
        reading.refuse("--until is not later than --since")
    there = [room for room in reading.rooms_named(opened, rooms) if room[0] == platform]
    wanted = Filter(users=reading.user_filter((name,)))
    moment = opened.reader.moment()
    answers = [opened.reader.ask(Question(room, start, end, wanted, moment=moment)) for room in there]
    try:
        opened.reader.list_ahead(there, start, end, moment)
        person = person_of(records(answers))
        if name.startswith("id:"):
            pass
        elif person.ids:
            # The same person may have had other names.
            known = Filter(users=tuple(f"id:{id}" for id in person.ids))
            answers = [opened.reader.ask(Question(room, start, end, known, moment=moment)) for room in there]
            person = person_of(records(answers))
    except StoreError as error:
        reading.refuse(f"cannot read {opened.store.describe()}: {error}")
    if as_json:
        click.echo(json.dumps(facts_of(who, person), separators=(",", ":")))
    else:
        for line in _lines(who, person):
            click.echo(line)
    if not person.rooms:
        reading.say_who_opted_out(opened, there, wanted.users)
    until = clock.shown(reading.past(end, start, clock))
    click.echo(f"looked at {clock.shown(start)} to {until} {clock.zone_name}", err=True)
    for room, answer in zip(there, answers, strict=True):
        reading.report_missing(answer.report, clock, start, end, "/".join(room))
    reading.say_what_is_not_recorded(opened, there if rooms else [], clock, start, end)
    damaged = any(answer.report.unread for answer in answers)
    raise click.exceptions.Exit(reading.NOTHING if not person.rooms or damaged else 0)


def records(answers: list[Answer]) -> Iterator[dict[str, Any]]:
    """The records of these answers, with progress. Raises StoreError."""
    from chatlog.archive.lines import record_of
    from chatlog.verify.progress import Progress

    progress = Progress(sys.stderr, os.environ)
    for number, answer in enumerate(answers):
        progress.step("rooms", number, len(answers))
        for item in answer:
            if (record := record_of(item.line)) is not None:
                yield record
    progress.clear()


def _lines(who: str, person: Person) -> Iterator[str]:
    from chatlog.printable import printable

    if not person.rooms:
        yield f"nothing is there of {printable(who)}"
        return
    for title, seen in (("names", person.names), ("ids", person.ids)):
        for value, (first, last) in sorted(seen.items(), key=lambda item: item[1][1], reverse=True):
            yield printable(f"{title:6} {value}  {first[:10]} to {last[:10]}")
    yield ""
    rooms = sorted(person.rooms.items(), key=lambda item: -item[1].messages)
    width = max(len(name) for name, _ in rooms)
    for name, there in rooms:
        done = [many(there.kinds[kind], kind) for kind in ("timeout", "ban", "delete") if there.kinds[kind]]
        days = f"{many(there.messages, 'message')} on {many(len(there.days), 'day')}"
        period = f"{there.first[:10]} to {there.last[:10]}"
        yield printable(f"{name:{width}}  {days}, {period}{''.join(f', {what}' for what in done)}")
    yield "days are those of UTC"
