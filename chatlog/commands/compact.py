"""``chatlog compact``: makes Parquet of the days that are over, and the index of people and words."""

from __future__ import annotations

import os
import sys
import time
from datetime import date
from typing import TYPE_CHECKING

import click

from chatlog.commands import reading
from chatlog.commands.archive_names import rooms_there
from chatlog.commands.upkeep import day_of, ending_in_order, refusing
from chatlog.counted import many
from chatlog.one_value import Command

if TYPE_CHECKING:
    from chatlog.archive.opening import Archive
    from chatlog.archive.room_files import Room
    from chatlog.store.store import StoreError
    from chatlog.upkeep.compact import Compactor, Outcome
    from chatlog.upkeep.compact_check import Checker
    from chatlog.upkeep.indexing import Indexed, Indexer
    from chatlog.verify.progress import Progress

#: The most rooms' days that are named.
_NAMED = 20


@click.command(cls=Command)
@click.option(
    "--room",
    "names",
    multiple=True,
    metavar="ROOM",
    help="Only this room; may be given again.",
    shell_complete=rooms_there,
)
@click.option("--since", metavar="DAY", help="From this day on, by UTC. [default: the first]")
@click.option("--until", metavar="DAY", help="Before this day, by UTC.")
@click.option("--check", is_flag=True, help="Compare every record with the objects, and change nothing.")
@click.option("--memory", default="256MB", show_default=True, metavar="SIZE", help="About how much it uses.")
@reading.options
def compact(
    names: tuple[str, ...],
    since: str | None,
    until: str | None,
    check: bool,
    memory: str,
    path: str,
    archive: str | None,
    utc: bool,
) -> None:
    """Make a file of Parquet of each room and day, for DuckDB, Spark and others, and an index for searches.

    A day is made once it has been over for a day, its index two hours after its end, and both again where its
    objects have changed. It may be interrupted; the next run goes on. docs/records.md has the columns. Needs
    DuckDB: pip install 'chatlog[archive]'

    Exit status 0: done, 1: a room's day was left out, or is wrong (--check), 2: it cannot be done.
    """
    from chatlog.config.units import parse_size
    from chatlog.upkeep.compact import Compactor
    from chatlog.upkeep.compact_check import Checker
    from chatlog.upkeep.indexing import Indexer
    from chatlog.verify.progress import Progress

    try:
        size = parse_size(memory)
    except ValueError as error:
        reading.refuse(f"--memory: {error}")
    opened = reading.opened(path, archive, True) if check else reading.target(path, archive)[1]
    clock = reading.clock(utc=True)
    first = None if since is None else day_of(reading.moment(clock, since, 0.0, "--since"))
    last = None if until is None else day_of(reading.moment(clock, until, 0.0, "--until"))
    rooms = frozenset(reading.rooms_named(opened, names)) if names else None
    progress = Progress(sys.stderr, os.environ)
    steps = _Steps(progress)
    compactor = Compactor(opened, time.time, size, steps)
    indexer = Indexer(opened, time.time, size, steps)
    checker = Checker(opened, size, steps) if check else None
    with ending_in_order(), refusing(progress, _sentence):
        outcome, indexed = _run(opened, compactor, indexer, (first, last), rooms, checker)
    for line in [*_result(outcome, check), *_indexed(indexed)]:
        click.echo(line)
    raise click.exceptions.Exit(1 if outcome.left or outcome.wrong else 0)


def _sentence(error: StoreError) -> str:
    return f"the archive cannot be compacted: {error.advice}. What was made until then is whole; run it again"


def _run(
    opened: Archive,
    compactor: Compactor,
    indexer: Indexer,
    days: tuple[date | None, date | None],
    rooms: frozenset[Room] | None,
    checker: Checker | None,
) -> tuple[Outcome, Indexed | None]:
    from chatlog.parquet.duck import NoDuckDB, TooLittleMemory
    from chatlog.upkeep.indexing import SETTLED
    from chatlog.upkeep.lock import ArchiveLock
    from chatlog.upkeep.workplace import clear_up

    try:
        chosen = list(compactor.days(*days))
        clear_up()
        if checker is not None:
            return checker.run(chosen, rooms), None
        opened.store.prepare()
        with ArchiveLock(opened.store, "chatlog compact", time.time) as lock:
            outcome = compactor.run(chosen, rooms, lock)
            return outcome, indexer.run(compactor.days(*days, SETTLED), rooms, lock)
    except OSError as error:
        reading.refuse(f"cannot write to the directory for temporary files: {error}")
    except (NoDuckDB, TooLittleMemory) as error:
        reading.refuse(str(error))


def _result(outcome: Outcome, check: bool) -> list[str]:
    if check:
        first = (
            f"{many(outcome.checked, 'file')} compared with the objects: {many(outcome.records, 'record')}"
        )
    else:
        first = (
            f"{many(outcome.made, 'file')} made of {many(outcome.records, 'record')}, "
            f"{many(outcome.bytes, 'byte')}; {outcome.fresh:,} had not changed"
        )
        if outcome.removed:
            first += f"; {many(outcome.removed, 'file')} of what is not in the archive any more removed"
    lines = [first]
    for label, found in (("left out", outcome.left), ("wrong", outcome.wrong)):
        lines += [f"{label}: {name}: {why}" for name, why in found[:_NAMED]]
        if len(found) > _NAMED:
            lines.append(f"{label}: and {len(found) - _NAMED:,} more")
    return lines


def _indexed(indexed: Indexed | None) -> list[str]:
    if indexed is None or not (indexed.stored or indexed.removed):
        return []
    days = many(indexed.days, "room's day", "rooms' days")
    return [f"the index of people and words: {days} read, {many(indexed.bytes, 'byte')} stored"]


class _Steps:
    """Shows on the terminal which room's day is worked on."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._done = 0

    def __call__(self, day: date, room: Room) -> None:
        self._progress.step(f"rooms' days until {day} {'/'.join(room)}", self._done, 0)
        self._done += 1
