"""``chatlog optout``: the list of people who are no longer recorded."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from chatlog.commands import reading
from chatlog.commands.options import registry
from chatlog.counted import many
from chatlog.one_value import Group

if TYPE_CHECKING:
    from chatlog.archive.opening import Archive
    from chatlog.archive.person_lookup import KnownPerson
    from chatlog.suppression.book import Book

_WHO = "PLATFORM/NAME|PLATFORM/id:1234"


@click.group(cls=Group)
def optout() -> None:
    """People who opted out: they are no longer recorded, and no longer shown.

    Recorders obey within a minute. What was recorded before stays in the archive: chatlog erase removes it.
    """


_room = click.option("--room", metavar="ROOM", help="In this room only.")


@optout.command()
@click.argument("who", metavar=_WHO)
@_room
@click.option("--since", metavar="TIME", help="Look for names and ids from then on. [default: 90d]")
@reading.options
def add(who: str, room: str | None, since: str | None, path: str, archive: str | None, utc: bool) -> None:
    """Stop recording somebody, everywhere or in one room.

    A name is looked up in the archive, because names change hands and ids do not. Exit status 0: the person
    is on the list, 2: nothing was changed.
    """
    from chatlog.record import rfc3339

    opened, book = _opened(path, archive)
    there = _channel(opened, room)
    meant = _resolved(opened, who, since, utc)
    _same_platform(meant, there)

    def change() -> None:
        at = rfc3339(round(time.time() * 1000))
        channel = there[1] if there else ""
        new = book.add(meant.platform, meant.id, meant.names, channel, at, "command")
        where = f" in {'/'.join(there)}" if there else ""
        names = f" ({', '.join(meant.names)})" if meant.names else ""
        state = "is no longer recorded" if new else "was on the list already: not recorded"
        click.echo(_shown(f"{meant.platform}/id:{meant.id}{names} {state}{where}"))
        if not meant.names:
            click.echo(
                "No name is known; deletions and gifts that name no id will not be recognised.", err=True
            )

    _guarded(opened, change)


@optout.command()
@click.argument("who", metavar=_WHO)
@_room
@click.option("--since", metavar="TIME", help="Look for the name from then on. [default: 90d]")
@reading.options
def remove(who: str, room: str | None, since: str | None, path: str, archive: str | None, utc: bool) -> None:
    """Record somebody again, from now on.

    Without --room the person is taken off every list. Exit status 0: taken off, 1: was on no list, 2: nothing
    was changed.
    """
    opened, book = _opened(path, archive)
    there = _channel(opened, room)
    platform, name = _parsed(who)
    gone = 0

    def change() -> None:
        nonlocal gone
        if there is None and not name.startswith("id:"):
            people = book.people_called(platform, name)
            if len(people) > 1:
                reading.refuse(
                    f"{who}: {len(people)} people on the list had that name; write {platform}/id:1234"
                )
            if people:
                gone = book.remove_person(platform, people.pop())
                return
        meant = _resolved(opened, who, since, utc)
        _same_platform(meant, there)
        gone = book.remove(platform, meant.id, there[1] if there else None)

    _guarded(opened, change)
    where = f" in {'/'.join(there)}" if there else ""
    if not gone:
        click.echo(_shown(f"{who} is not on the list{where}"))
        raise click.exceptions.Exit(reading.NOTHING)
    click.echo(_shown(f"{who} is recorded again{where}"))


@optout.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@reading.options
def list_(as_json: bool, path: str, archive: str | None, utc: bool) -> None:
    """Show how many people opted out, and of what. Their names and ids are not in the list.

    Exit status 0: somebody opted out, 1: nobody did, 2: the list cannot be read.
    """
    import json

    from chatlog.suppression.book import read_list
    from chatlog.suppression.key_file import KeyFileError, key_in

    settings, opened = reading.target(path, archive)
    try:
        key = key_in(settings)
    except KeyFileError as error:
        reading.refuse(str(error))
    rows: list[tuple[str, str, str]] = []

    def read() -> None:
        found = read_list(opened.store, key)
        rows.extend(sorted((e.platform, e.channel, e.person) for e in found.entries if not e.name))
        if not found.is_readable:
            click.secho(
                "the list was written with another key than this machine's, which recognises nobody on it",
                fg="yellow",
                err=True,
            )

    _guarded(opened, read)
    for platform, channel, person in rows:
        if as_json:
            click.echo(json.dumps({"platform": platform, "room": channel or None, "person": person}))
        else:
            click.echo(f"{platform:8} {person[:16]}  {channel or 'everywhere'}")
    if not as_json:
        people = len({(platform, person) for platform, _, person in rows})
        click.echo(f"{many(people, 'person', 'people')} opted out" if rows else "nobody opted out")
    raise click.exceptions.Exit(0 if rows else reading.NOTHING)


def _opened(path: str, archive: str | None) -> tuple[Archive, Book]:
    """The archive, and its list. If the key is made now, the command prints that."""
    from chatlog.suppression.book import Book
    from chatlog.suppression.key_file import KeyFileError, key_for

    settings, opened = reading.target(path, archive)
    try:
        key, made = key_for(settings)
    except KeyFileError as error:
        reading.refuse(str(error))
    if made:
        click.echo(
            f"The key of the list was made: {made}. Keep a copy; every recorder and server of this archive "
            "needs it, as that file or as archive.optout_key.",
            err=True,
        )
    return opened, Book(opened.store, key)


def _guarded(opened: Archive, change: Any) -> None:
    from chatlog.store.store import StoreError
    from chatlog.suppression.book import ForeignKey

    try:
        change()
    except ForeignKey as error:
        reading.refuse(str(error))
    except StoreError as error:
        reading.refuse(f"cannot change the opt-out list in {opened.store.describe()}: {error.advice}")


def _parsed(who: str) -> tuple[str, str]:
    from chatlog.archive.person_lookup import parsed_person

    try:
        return parsed_person(who, registry())
    except ValueError as error:
        reading.refuse(str(error))


def _channel(opened: Archive, room: str | None) -> tuple[str, str] | None:
    return None if room is None else reading.rooms_named(opened, (room,))[0]


def _same_platform(meant: KnownPerson, room: tuple[str, str] | None) -> None:
    if room is not None and room[0] != meant.platform:
        reading.refuse(f"{'/'.join(room)} is no room of {meant.platform}")


def _resolved(opened: Archive, who: str, since: str | None, utc: bool) -> KnownPerson:
    """The person, with the id and the names that the archive has. Ends the command if no person, or several
    people, can be meant."""
    from chatlog.archive.person_lookup import NotClear, find_person
    from chatlog.store.store import StoreError

    platform, name = _parsed(who)
    clock = reading.clock(utc)
    start = reading.moment(clock, since, reading.days_back(clock.now, 90), "--since")
    try:
        found = find_person(opened.reader, opened.rooms(), platform, name, start, clock.now + 60)
    except StoreError as error:
        reading.refuse(f"cannot read {opened.store.describe()}: {error.advice}")
    except NotClear as error:
        if not error.ids:
            reading.refuse(
                f"the archive does not know the id of {who} (looked from {clock.shown(start)} on); write "
                f"{platform}/id:1234, or an earlier --since"
            )
        shown = ", ".join(f"id:{id} until {last[:10]}" for id, last in error.ids.items())
        reading.refuse(f"{who} was the name of {len(error.ids)} people: {shown}; write which one is meant")
    if not name.startswith("id:"):
        click.echo(_shown(f"{who} is {platform}/id:{found.id}"), err=True)
    return found


def _shown(text: str) -> str:
    from chatlog.printable import printable

    return printable(text)
