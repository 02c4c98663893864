"""``chatlog bundle``: puts the objects of a room's month into one."""

from __future__ import annotations

import os
import re
import sys
import time
from typing import TYPE_CHECKING

import click

from chatlog.commands import reading
from chatlog.commands.archive_names import rooms_there
from chatlog.commands.options import PROBLEM, UNKNOWN, config_option, load
from chatlog.commands.upkeep import Steps, ledger_of, refusing
from chatlog.counted import many
from chatlog.one_value import Command

if TYPE_CHECKING:
    from chatlog.config.settings import Settings
    from chatlog.store.store import Store, StoreError
    from chatlog.upkeep.bundle import Outcome
    from chatlog.verify.progress import Progress

#: The most objects that are named one by one.
_NAMED = 20


@click.command(cls=Command)
@config_option
@click.option("--month", metavar="2025-12", help="Only this month. [default: all that are over]")
@click.option(
    "--room",
    "rooms",
    multiple=True,
    metavar="ROOM",
    help="Only this room (twitch/x); may be given again.",
    shell_complete=rooms_there,
)
def bundle(path: str, month: str | None, rooms: tuple[str, ...]) -> None:
    """Put the objects of a room's month into one object, byte for byte.

    The old objects are deleted once the new one was read back and compared, and what was done is written down
    in the archive. It may be interrupted; the next run goes on.

    Exit status 0: done, or there was nothing to do, 1: some objects stay as they are, 2: it cannot be done.
    """
    from chatlog.store.archive import open_store
    from chatlog.upkeep.bundle import is_over, months_with_objects
    from chatlog.verify.progress import Progress

    settings = load(path, UNKNOWN)
    now = time.time()
    wanted = [_room(room) for room in rooms]
    if month is not None:
        if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", month):
            reading.refuse(f"--month: write it as 2025-12, not {month!r}")
        if not is_over(month, now):
            reading.refuse(f"{month} is not over, or its last objects may still come: wait two days more")
    progress = Progress(sys.stderr, os.environ)
    with refusing(progress, _sentence):
        store = open_store(settings)
        months = [month] if month is not None else months_with_objects(store, now)
        outcome = _run(settings, store, months, wanted, progress)
    _print(outcome)
    raise click.exceptions.Exit(PROBLEM if outcome.left else 0)


def _room(text: str) -> tuple[str, str]:
    platform, slash, channel = text.strip().lower().partition("/")
    if not slash or not platform or not channel:
        reading.refuse(f"--room: write twitch/NAME or kick/NAME, not {text!r}")
    return platform, channel


def _run(
    settings: Settings, store: Store, months: list[str], wanted: list[tuple[str, str]], progress: Progress
) -> Outcome:
    from chatlog.archive.retention import Retention
    from chatlog.upkeep.bundle import Bundler, Outcome
    from chatlog.upkeep.ledger import BUNDLE
    from chatlog.upkeep.lock import ArchiveLock

    if not months:
        return Outcome()
    store.prepare()
    with ArchiveLock(store, "chatlog bundle", time.time) as lock:
        ledger, retention = ledger_of(settings, store, BUNDLE), Retention(settings.archive.keep)
        bundler = Bundler(store, ledger, lock, step=Steps(progress), retention=retention)
        for month in months:
            bundler.run(month, wanted)
    return bundler.outcome


def _sentence(error: StoreError) -> str:
    return f"cannot bundle: {error.advice}. What was done until then is whole; run it again"


def _print(outcome: Outcome) -> None:
    from chatlog.config.units import rough_size

    for key, why in outcome.left[:_NAMED]:
        click.echo(f"{key} stays as it is: {why}")
    if len(outcome.left) > _NAMED:
        click.echo(f"and {many(len(outcome.left) - _NAMED, 'more stays', 'more stay')} as they are")
    if outcome.limited:
        rooms = many(len(outcome.limited), "room is", "rooms are")
        click.echo(f"{rooms} not kept for ever (archive.keep), and not bundled: nothing expires in a bundle")
    if not outcome.objects and not outcome.emptied:
        click.echo("nothing was bundled")
        return
    click.echo(
        f"{many(outcome.objects, 'object')} ({rough_size(outcome.bytes)}) "
        f"went into {many(outcome.bundles, 'new bundle')}"
    )
    if outcome.emptied:
        click.echo(f"{many(outcome.emptied, 'bundle')} of several rooms had nothing else, and went")
