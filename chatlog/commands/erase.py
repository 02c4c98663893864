"""``chatlog erase``: erases a person from the archive."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from chatlog.commands import reading
from chatlog.commands.archive_names import rooms_there, users_there
from chatlog.commands.options import registry
from chatlog.commands.upkeep import day_of
from chatlog.one_value import Command

if TYPE_CHECKING:
    from chatlog.archive.opening import Archive
    from chatlog.archive.times import Reading
    from chatlog.commands.erase_work import Asked
    from chatlog.upkeep.receipt import Result


@click.command(cls=Command)
@click.argument("who", metavar="PLATFORM/NAME|PLATFORM/id:1234", required=False, shell_complete=users_there)
@click.option(
    "--room",
    "rooms",
    multiple=True,
    metavar="ROOM",
    help="Only in this room; may be given again.",
    shell_complete=rooms_there,
)
@click.option("--since", metavar="TIME", help="Only what is from then on. [default: everything]")
@click.option("--until", metavar="TIME", help="Only what is from before then.")
@click.option("--id", "messages", multiple=True, metavar="MESSAGE", help="Only this message, by its id.")
@click.option(
    "--keep-recording",
    is_flag=True,
    help="Do not put them on the opt-out list: what they say from now on is recorded, and has to be erased "
    "again.",
)
@click.option(
    "--wait",
    default="3m",
    show_default=True,
    metavar="TIME",
    help="How long to wait for a recorder on this machine to store what it has of them; 0: not at all.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be erased, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="The receipt as one JSON object, without the name.")
@reading.options
def erase(
    who: str | None,
    rooms: tuple[str, ...],
    since: str | None,
    until: str | None,
    messages: tuple[str, ...],
    keep_recording: bool,
    wait: str,
    dry_run: bool,
    as_json: bool,
    path: str,
    archive: str | None,
    utc: bool,
) -> None:
    """Erase a person: their records, and what the records of others repeat of them.

    First they are put on the opt-out list, so that recorders write down no more of them; not with --id or
    --until, which concern only the past. Objects are written again without them, the old ones are deleted,
    and then everything that has changed since is read again. It may be interrupted at any moment; the same
    command goes on. Without PLATFORM/NAME, the requests of interrupted runs are completed. Nobody can undo
    this: try --dry-run first.

    Exit status 0: done, 1: the request stays open, 2: could not look, 3: the store keeps old versions, or
    refuses to delete.
    """
    began = time.time()
    settings, opened = reading.target(path, archive)
    asked = None
    if who is not None:
        # A copy has no recorders.
        opt_out = not (keep_recording or messages or until or archive is not None)
        asked = _asked(opened, who, rooms, reading.clock(utc), (since, until), messages, opt_out)
    elif rooms or since or until or messages or dry_run:
        reading.refuse("write who is meant: chatlog erase twitch/NAME, kick/NAME or twitch/id:1234")
    from chatlog.commands.erase_work import EraseWork

    spool = "" if archive is not None else settings.recorder.directory
    result = EraseWork(settings, opened, spool, _seconds(wait)).run(asked, dry_run)
    _print(result, time.time() - began, dry_run, as_json)


def _seconds(text: str) -> float:
    from chatlog.config.units import parse_duration

    try:
        return 0.0 if text.strip() == "0" else parse_duration(text)
    except ValueError as error:
        reading.refuse(f"--wait: {error}")


def _asked(
    opened: Archive,
    who: str,
    rooms: tuple[str, ...],
    clock: Reading,
    times: tuple[str | None, str | None],
    messages: tuple[str, ...],
    opt_out: bool,
) -> Asked:
    from chatlog.archive.lines import LAST, time_bytes
    from chatlog.commands.erase_work import Asked
    from chatlog.redaction import Person
    from chatlog.upkeep.erasure_objects import Scope
    from chatlog.upkeep.person_search import PersonSearch

    platform, slash, name = who.strip().partition("/")
    platform, name = platform.lower(), name.lstrip("@").lower()
    id = name[3:].strip() if name.startswith("id:") else ""
    if not slash or platform not in registry() or not (id or (name and not name.startswith("id:"))):
        reading.refuse(f"{who!r} does not say who is meant; write twitch/NAME, kick/NAME or twitch/id:1234")
    start = reading.moment(clock, times[0], 0.0, "--since")
    end = reading.moment(clock, times[1], LAST, "--until")
    if end <= start:
        reading.refuse("--until is not later than --since")
    channels: frozenset[str] = frozenset()
    if rooms:
        named = reading.rooms_named(opened, rooms)
        channels = frozenset(channel for kind, channel in named if kind == platform)
        if len(channels) != len(named):
            reading.refuse(f"--room: a room of another platform has nothing of {who}")
    if messages:
        person = Person(messages=frozenset(messages))
    else:
        person = Person(id) if id else Person(names=frozenset({name}))
    search = PersonSearch(person, time_bytes(start), time_bytes(end), person.names)
    first = None if times[0] is None else day_of(start)
    scope = Scope(platform, channels, first, None if times[1] is None else day_of(end))
    return Asked(who, search, scope, opt_out)


def _print(result: Result, seconds: float, dry: bool, as_json: bool) -> None:
    from chatlog.printable import printable
    from chatlog.upkeep import receipt

    if as_json:
        click.echo(json.dumps(receipt.facts_of(result, seconds, dry), separators=(",", ":")))
    else:
        for line in receipt.summary(result, dry):
            click.echo(line)
        for line in receipt.warnings(result):
            click.secho(printable(line), fg="yellow", err=True)
        # Without an erasure there is nothing that it could not reach.
        if not dry and (result.outcome.request or result.outcome.completed):
            for what in receipt.OUT_OF_REACH:
                click.echo(f"Not reached: {what}.", err=True)
    status = receipt.status_of(result)
    raise click.exceptions.Exit(0 if dry and not result.outcome.left else status)
