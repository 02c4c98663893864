"""``chatlog tier``: moves old bundles to a colder storage class."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from chatlog.commands import reading
from chatlog.commands.options import PROBLEM, UNKNOWN, config_option, load
from chatlog.commands.upkeep import refusing
from chatlog.counted import many
from chatlog.one_value import Command

if TYPE_CHECKING:
    from chatlog.config.settings import Settings
    from chatlog.config.storage_classes import StorageClass
    from chatlog.store.store import Store, StoreError
    from chatlog.upkeep.tier import Bundle, Moved

#: The most bundles that are named one by one.
_NAMED = 20


@click.command(cls=Command)
@config_option
@click.option("--print", "only_print", is_flag=True, help="Print the rule of the bucket that does the same.")
@click.option("--dry-run", is_flag=True, help="Show what would be moved, and move nothing.")
@click.option("--by-itself", is_flag=True, help="As the archive server does it daily.")
def tier(path: str, only_print: bool, dry_run: bool, by_itself: bool) -> None:
    """Move bundles that are older than archive.tier_after to a colder storage class (archive.tier_class).

    Their bytes stay as they are. Bundles below 128 KB stay where they are: stores bill them as larger ones.
    Where the store is to do it by itself, --print shows the rule to paste.

    Exit status 0: done, or there was nothing to do, 1: something could not be moved, 2: it cannot be done.
    """
    from chatlog.store.archive import family_in, open_store
    from chatlog.upkeep.lifecycle import rule_of
    from chatlog.upkeep.lock import ArchiveLock
    from chatlog.upkeep.tier import Tiering
    from chatlog.verify.progress import Progress

    settings = load(path, UNKNOWN)
    storage = _class(settings)
    after = settings.archive.tier_after
    if after is None:
        reading.refuse("archive.tier_after says from when on bundles are moved; set it, for instance to 90d")
    if only_print:
        for line in rule_of(settings, storage, after):
            click.echo(line)
        return
    if not family_in(settings).moves:
        reading.refuse(f"{family_in(settings).title} moves no objects; --print shows whether a rule does")
    progress = Progress(sys.stderr, os.environ)
    with refusing(progress, _sentence):
        store = open_store(settings)
        tiering = Tiering(
            store, storage, after, time.time(), lambda done, total: progress.step("bundles", done, total)
        )
        bundles = list(tiering.due(recently=by_itself))
        if bundles and not dry_run:
            _refuse_versions(store, bundles[0])
            store.prepare()
            with ArchiveLock(store, "chatlog tier", time.time):
                moved = tiering.run(bundles)
        else:
            moved = tiering.run(bundles, dry=True)
    for line in result(moved, storage, dry_run):
        click.echo(line)
    raise click.exceptions.Exit(PROBLEM if moved.left else 0)


def _sentence(error: StoreError) -> str:
    return f"cannot move bundles: {error.advice}; chatlog tier --print shows a rule that does"


def _class(settings: Settings) -> StorageClass:
    from chatlog.store.archive import family_in

    family = family_in(settings)
    found = family.find(settings.archive.tier_class or family.coldest)
    if found is None:
        reading.refuse(f"{family.title} has no colder storage class; name one in archive.tier_class")
    return found


def _refuse_versions(store: Store, bundle: Bundle) -> None:
    """End the command where a move would leave an old version behind, in its old class."""
    from chatlog.store.store import Versioned

    if isinstance(store, Versioned) and store.version_of(bundle.key) not in ("", "null"):
        reading.refuse(
            "the bucket keeps versions: a bundle that is moved would stay in its old class as an old "
            "version, and be paid for twice. A rule of the bucket moves it without that: chatlog tier --print"
        )


def result(moved: Moved, storage: StorageClass, dry: bool) -> Iterator[str]:
    """The result in lines."""
    from chatlog.config.units import rough_size

    words = "would be moved" if dry else ("was moved" if moved.bundles == 1 else "were moved")
    yield f"{many(moved.bundles, 'bundle')} ({rough_size(moved.bytes)}) {words} to {storage.name}"
    if moved.there:
        yield f"{many(moved.there, 'bundle is', 'bundles are')} there already"
    if moved.small:
        yield f"{many(moved.small, 'bundle')} below 128 KB {'stays' if moved.small == 1 else 'stay'}"
    for key, why in moved.left[:_NAMED]:
        yield f"{key} is not moved: {why}"
    if len(moved.left) > _NAMED:
        yield f"and {many(len(moved.left) - _NAMED, 'more bundle is', 'more bundles are')} not moved"
