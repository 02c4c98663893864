"""``chatlog erase``: erases a person from the archive."""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from chatlog.commands import reading
from chatlog.commands.archive_names import rooms_there, users_there
from chatlog.commands.options import registry
from chatlog.commands.upkeep import day_of, ledger_of

if TYPE_CHECKING:
    from chatlog.archive.opened import Archive
    from chatlog.archive.times import Reading
    from chatlog.config.settings import Settings
    from chatlog.naming import FileName
    from chatlog.upkeep.erasure import Outcome
    from chatlog.upkeep.erasure_scan import Scanner, Scope, Waiting
    from chatlog.upkeep.person_search import PersonSearch


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be erased: of whom, where, and for how long; ``name`` is what the user wrote."""

    name: str
    search: PersonSearch
    scope: Scope


@click.command()
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
@click.option("--dry-run", is_flag=True, help="Say what would be erased, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="The receipt as one JSON object, without the name.")
@reading.options
def erase(
    who: str | None,
    rooms: tuple[str, ...],
    since: str | None,
    until: str | None,
    messages: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
    path: str,
    archive: str | None,
    utc: bool,
) -> None:
    """Erase a person: their records, and what the records of others repeat of them.

    Objects are written again without it, the old ones are deleted, and then everything is looked at again. It
    may be interrupted at any moment; the same command goes on. Without PLATFORM/NAME, what an interrupted
    run wrote down is completed. Nobody can undo this: try --dry-run first.

    Exit status 0: done, 1: the request stays open, 2: could not look, 3: the store keeps old versions, or
    refuses to delete.
    """
    began = time.time()
    settings, opened = reading.target(path, archive)
    asked = None
    if who is not None:
        asked = _asked(opened, who, rooms, reading.clock(utc), (since, until), messages)
    elif rooms or since or until or messages or dry_run:
        reading.refuse("write who is meant: chatlog erase twitch/NAME, kick/NAME or twitch/id:1234")
    work = _Work(settings, opened, "" if archive is not None else settings.recorder.directory)
    outcome, waiting = work.run(asked, dry_run)
    _print(outcome, waiting, time.time() - began, dry_run, as_json)


def _asked(
    opened: Archive,
    who: str,
    rooms: tuple[str, ...],
    clock: Reading,
    times: tuple[str | None, str | None],
    messages: tuple[str, ...],
) -> _Asked:
    from chatlog.archive.lines import time_bytes
    from chatlog.archive.reader import LAST
    from chatlog.redaction import Person
    from chatlog.upkeep.erasure_scan import Scope
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
    search = PersonSearch(person, time_bytes(start), time_bytes(end), by_name=not (id or messages))
    first = None if times[0] is None else day_of(start)
    return _Asked(who, search, Scope(platform, channels, first, None if times[1] is None else day_of(end)))


class _Work:
    """One run in the archive of the settings. ``spool`` is the directory of the recorder beside it, ``""`` if
    there is none."""

    def __init__(self, settings: Settings, opened: Archive, spool: str) -> None:
        from chatlog.verify.progress import Progress

        self._settings = settings
        self._store = opened.store
        self._spool = spool
        self._progress = Progress(sys.stderr, os.environ)

    def run(self, asked: _Asked | None, dry: bool) -> tuple[Outcome, list[Waiting]]:
        """Do it, or only look. Ends the command if that cannot be done."""
        from chatlog.store.store import StoreError
        from chatlog.upkeep.erasure import SeveralPeople
        from chatlog.upkeep.lock import Busy, Lost

        try:
            return self._dry(asked) if dry and asked is not None else self._erase(asked)
        except SeveralPeople as error:
            self._progress.clear()
            platform = asked.scope.platform if asked is not None else ""
            ids = " or ".join(f"{platform}/id:{id}" for id in error.ids)
            reading.refuse(
                f"several people had the name {asked.name if asked else ''}: write {ids}, as `chatlog user` "
                "tells them apart. Nothing was changed"
            )
        except (Busy, Lost) as error:
            self._progress.clear()
            reading.refuse(str(error))
        except (StoreError, OSError, ValueError) as error:
            self._progress.clear()
            told = error.advice if isinstance(error, StoreError) else str(error)
            reading.refuse(
                f"cannot go on in {self._store.describe()}: {told}; the same command goes on later"
            )
        finally:
            self._progress.clear()

    def _scanner(self, asked: _Asked) -> Scanner:
        from chatlog.upkeep.erasure_scan import Scanner

        def step(done: int, total: int) -> None:
            self._progress.step("objects", done, total)

        return Scanner(self._store, asked.scope, day_of(time.time()), step)

    def _dry(self, asked: _Asked) -> tuple[Outcome, list[Waiting]]:
        from chatlog.upkeep.erasure import Outcome, settled

        search, scan = settled(self._scanner(asked), asked.search)
        outcome = Outcome(
            looked_at=len(scan.listed),
            objects=len(scan.hits),
            removed=sum(hit.removed for hit in scan.hits),
            redacted=sum(hit.redacted for hit in scan.hits),
            left=scan.unread,
        )
        return outcome, self._waiting(asked, search)

    def _erase(self, asked: _Asked | None) -> tuple[Outcome, list[Waiting]]:
        from chatlog.upkeep.erasure import Eraser, Outcome
        from chatlog.upkeep.ledger import ERASURE
        from chatlog.upkeep.lock import ArchiveLock

        outcome = Outcome()
        self._store.prepare()
        with ArchiveLock(self._store, "erase", time.time) as lock:
            ledger = ledger_of(self._settings, self._store, ERASURE)
            eraser = Eraser(self._store, ledger, lock, time.time, self._in_spool)
            if asked is None:
                eraser.complete(outcome)
                return outcome, []
            search = eraser.erase(asked.search, self._scanner(asked), self._tag(), outcome)
        return outcome, self._waiting(asked, search)

    def _tag(self) -> str:
        return secrets.token_hex(4)

    def _in_spool(self) -> set[FileName]:
        from chatlog.files import OsFiles
        from chatlog.upkeep.erasure_scan import spooled

        return set(spooled(OsFiles(), self._spool)) if self._spool else set()

    def _waiting(self, asked: _Asked, search: PersonSearch) -> list[Waiting]:
        from chatlog.files import OsFiles
        from chatlog.upkeep.erasure_scan import in_spool

        if not self._spool:
            return []
        return [each for each in in_spool(OsFiles(), self._spool, asked.scope, search) if each.lines]


def _print(outcome: Outcome, waiting: list[Waiting], seconds: float, dry: bool, as_json: bool) -> None:
    from chatlog.printable import printable
    from chatlog.upkeep import receipt

    if as_json:
        click.echo(json.dumps(receipt.facts_of(outcome, waiting, seconds, dry), separators=(",", ":")))
    else:
        for line in receipt.summary(outcome, dry):
            click.echo(line)
        for line in receipt.warnings(outcome, waiting):
            click.secho(printable(line), fg="yellow", err=True)
        if not dry:
            for what in receipt.OUT_OF_REACH:
                click.echo(f"Not reached: {what}.", err=True)
    status = receipt.status_of(outcome, waiting)
    raise click.exceptions.Exit(0 if dry and not outcome.left else status)
