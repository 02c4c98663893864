"""``chatlog expire``: deletes objects that are older than ``archive.keep`` in the configuration allows."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from chatlog.commands import reading
from chatlog.commands.options import PROBLEM, UNKNOWN, config_option, load
from chatlog.commands.upkeep import Steps, ledger_of, refusing
from chatlog.counted import many
from chatlog.one_value import Command

if TYPE_CHECKING:
    from chatlog.archive.retention import Retention
    from chatlog.config.settings import Settings
    from chatlog.store.store import Store, StoreError
    from chatlog.upkeep.expire import Expiry, Outcome

#: The most objects and rooms that are named one by one.
_NAMED = 20


@click.command(cls=Command)
@config_option
@click.option("--dry-run", is_flag=True, help="Show what would go, and delete nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask. Without a terminal this is needed.")
@click.option(
    "--by-itself",
    is_flag=True,
    help="As the archive server does it daily: no more than a week at once, and nobody is asked.",
)
def expire(path: str, dry_run: bool, yes: bool, by_itself: bool) -> None:
    """Delete what is older than archive.keep says, in the archive that the configuration names.

    What would go is shown first. Everything that goes is written down in the archive, so that chatlog verify
    does not report it as missing. It may be interrupted; the next run goes on.

    Exit status 0: done, or there was nothing to do, 1: something could not be deleted, 2: it cannot be done.
    """
    from chatlog.archive.retention import Retention
    from chatlog.store.archive import open_store
    from chatlog.upkeep.expire import Expiry
    from chatlog.verify.progress import Progress

    settings = load(path, UNKNOWN)
    retention = Retention(settings.archive.keep)
    if retention.is_forever:
        click.echo("archive.keep names no time, so nothing is deleted")
        return
    progress = Progress(sys.stderr, os.environ)
    with refusing(progress, _sentence):
        store = open_store(settings)
        expiry = Expiry(store, retention, time.time, by_itself, Steps(progress))
        planned = None if by_itself and not dry_run else expiry.plan()
        progress.clear()
        if planned is not None:
            _show(planned, retention, store)
            if dry_run or not planned.objects:
                raise click.exceptions.Exit(PROBLEM if planned.left else 0)
            _confirm(yes or by_itself, planned)
        outcome = _run(settings, store, expiry)
    for line in (*_result(outcome, retention), *_versions(store, outcome)):
        click.echo(line)
    raise click.exceptions.Exit(PROBLEM if outcome.left or outcome.refused else 0)


def _run(settings: Settings, store: Store, expiry: Expiry) -> Outcome:
    from chatlog.archive.opening import open_archive
    from chatlog.upkeep.indexing import renew
    from chatlog.upkeep.ledger import EXPIRY
    from chatlog.upkeep.lock import ArchiveLock

    store.prepare()
    with ArchiveLock(store, "chatlog expire", time.time) as lock:
        outcome = expiry.run(ledger_of(settings, store, EXPIRY), lock)
        # The messages of the deleted objects are in the index as well.
        renew(open_archive(settings, time.time, spool=False), outcome.room_days, lock, time.time)
    return outcome


def _sentence(error: StoreError) -> str:
    return f"cannot delete what is older: {error.advice}. What was done until then is written down"


def _show(planned: Outcome, retention: Retention, store: Store) -> None:
    for line in shown(planned, retention):
        click.echo(line)
    if planned.objects:
        total = sum(totals.bytes for totals in planned.rooms.values())
        click.echo(f"{_size(total)} in {many(planned.objects, 'object')} of {store.describe()} would go")
    elif not planned.left:
        click.echo("nothing is older than archive.keep says")


def shown(planned: Outcome, retention: Retention) -> Iterator[str]:
    """The objects that are deleted, a line for each room, and those that cannot be."""
    rooms = sorted(planned.rooms.items(), key=lambda item: -item[1].bytes)
    for room, totals in rooms[:_NAMED]:
        days = many(totals.days, "day")
        span = totals.first if totals.first == totals.last else f"{totals.first} to {totals.last}"
        yield (
            f"{'/'.join(room)} is kept {retention.words(room)}: {many(totals.objects, 'object')} of {days}, "
            f"{span}, {_size(totals.bytes)}"
        )
    if len(rooms) > _NAMED:
        yield f"and {many(len(rooms) - _NAMED, 'more room')}"
    for key, why in planned.left[:_NAMED]:
        yield f"{key} stays: {why}"
    if len(planned.left) > _NAMED:
        yield f"and {many(len(planned.left) - _NAMED, 'more object stays', 'more objects stay')}"


def _result(outcome: Outcome, retention: Retention) -> Iterator[str]:
    yield f"{many(outcome.objects, 'object is', 'objects are')} gone"
    if outcome.manifests:
        yield f"written down in {', '.join(outcome.manifests[-3:])}"
    for key, why in outcome.left[:_NAMED]:
        yield f"{key} stays: {why}"
    for room in outcome.refused[:_NAMED]:
        yield refusal(f"{room[0]}/{room[1]}", retention.words(room))
    if len(outcome.refused) > _NAMED:
        yield f"and {many(len(outcome.refused) - _NAMED, 'more room')} like that"


def _versions(store: Store, outcome: Outcome) -> Iterator[str]:
    from chatlog.store.store import StoreError, Versioned

    try:
        if isinstance(store, Versioned) and any(
            store.version_of(key) not in ("", "null") for key in outcome.manifests[-1:]
        ):
            yield (
                "Mind: the bucket keeps versions, so what was deleted is still there, and paid for, until "
                "the bucket's lifecycle rule removes old versions (NoncurrentVersionExpiration)"
            )
    except StoreError:
        return


def refusal(room: str, kept: str) -> str:
    """Why nothing of a room is deleted by itself."""
    return (
        f"{room} has chat that is much older than archive.keep says ({kept}). If that is meant, run chatlog "
        "expire once: it shows what goes, and asks. Until then nothing of this room is deleted"
    )


def _confirm(yes: bool, planned: Outcome) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        reading.refuse("nothing was deleted: say --yes if that is to go")
    if not click.confirm("Delete it for good?"):
        click.echo("nothing was deleted")
        raise click.exceptions.Exit(0)


def _size(size: int) -> str:
    from chatlog.config.units import rough_size

    return rough_size(size)
