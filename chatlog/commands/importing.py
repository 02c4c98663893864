"""``chatlog import``: imports chat of other recorders into the archive."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from chatlog.commands import reading
from chatlog.commands.options import registry
from chatlog.counted import many
from chatlog.one_value import Group

if TYPE_CHECKING:
    from chatlog.archive.opening import Archive
    from chatlog.config.settings import Settings
    from chatlog.importing.items import Maker
    from chatlog.importing.source import ImportReport, Unit
    from chatlog.suppression.left_out import LeftOut

#: The most problems that are reported one by one.
_NAMED = 30
#: The most bytes of an object before compression.
_LARGEST = 16 << 20


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    dry = click.option("--dry-run", is_flag=True, help="Say what would be imported, and write nothing.")
    return dry(reading.options(command))


_room = click.option(
    "--room", metavar="ROOM", help="The room of lines that do not name one: twitch/x or kick/x."
)


@click.group("import", cls=Group, no_args_is_help=True)
def import_() -> None:
    """Take chat that others recorded into the archive.

    Each line becomes a record of the usual form, with details.imported for where it is from, and received
    for when it was imported. What the archive has already is left out. An import may be interrupted at any
    moment; the same command goes on.

    Ends with 0 if all is imported, 1 if there was nothing or something cannot be read, 2 if it cannot import.
    """


@import_.command()
@click.argument("directory", metavar="DIR")
@_options
def justlog(directory: str, dry_run: bool, path: str, archive: str | None, utc: bool) -> None:
    """The directory of justlog's logs: files of channels and of people, .txt and .txt.gz."""
    from chatlog.importing import directories

    _run(lambda maker, notify: directories.justlog(directory, maker), dry_run, path, archive)


@import_.command()
@click.argument("address", metavar="URL")
@click.option(
    "--room", "rooms", multiple=True, metavar="NAME", help="A room there; may be given more than once."
)
@click.option("--all-rooms", is_flag=True, help="Every room there.")
@click.option("--since", metavar="TIME", help="From this day on. [default: everything]")
@click.option("--until", metavar="TIME", help="Until this day.")
@_options
def rustlog(
    address: str,
    rooms: tuple[str, ...],
    all_rooms: bool,
    since: str | None,
    until: str | None,
    dry_run: bool,
    path: str,
    archive: str | None,
    utc: bool,
) -> None:
    """A server with rustlog's API, such as another Chatlog.

    URL is https://logs.example.com, or the address of a channel there. It is asked for one day at a time, and
    waited for when it wants that."""
    from chatlog.importing import rustlog

    clock = reading.clock(utc)
    first = reading.moment(clock, since, 0.0, "--since")
    last = reading.moment(clock, until, clock.now, "--until")
    if last < first:
        reading.refuse("--until is not later than --since")

    def units(maker: Maker, notify: Callable[[str], object]) -> Iterator[Unit]:
        server = rustlog.Server(address, time.sleep, notify=notify)
        channels = rustlog.chosen(server, rooms, all_rooms)
        return rustlog.rustlog(server, channels, maker, clock.now, first, last)

    _run(units, dry_run, path, archive)


@import_.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@_room
@_options
def overrustle(
    files: tuple[str, ...], room: str | None, dry_run: bool, path: str, archive: str | None, utc: bool
) -> None:
    """Text as OverRustle kept it, and as rustlog shows it: [2017-06-04 00:00:03 UTC] name: text.

    Files, or directories of them; the room is that of the directory (Pixelharbor chatlog), or --room."""
    from chatlog.importing import directories

    platform, channel = _parsed(room)
    _run(
        lambda maker, notify: directories.overrustle(files, maker, platform, channel), dry_run, path, archive
    )


@import_.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@_room
@_options
def jsonl(
    files: tuple[str, ...], room: str | None, dry_run: bool, path: str, archive: str | None, utc: bool
) -> None:
    """JSON, an object a line: records of another Chatlog, rustlog's, or with a time, a name and a text.

    Files, .gz and .zst too, or directories of them."""
    from chatlog.importing import directories

    platform, channel = _parsed(room)
    _run(lambda maker, notify: directories.jsonl(files, maker, platform, channel), dry_run, path, archive)


def _parsed(room: str | None) -> tuple[str, str]:
    from chatlog.config.room_names import parse_room

    if room is None:
        return "twitch", ""
    try:
        platform, channel = parse_room(room, registry(), "" if "/" in room or "." in room else "twitch")
    except ValueError as error:
        reading.refuse(f"--room: {error}")
    return platform, channel


def _run(
    units: Callable[[Maker, Callable[[str], object]], Iterator[Unit]],
    dry: bool,
    path: str,
    archive: str | None,
) -> None:
    import sqlite3

    from chatlog.importing.importer import Importer
    from chatlog.importing.items import Maker
    from chatlog.importing.opted_out import without
    from chatlog.importing.source import ImportReport, SourceError
    from chatlog.printable import printable
    from chatlog.record import rfc3339
    from chatlog.signing import signer_of
    from chatlog.store.store import StoreError
    from chatlog.uploader.packing import SUFFIXES
    from chatlog.verify.progress import Progress

    settings, opened = reading.target(path, archive)
    began = time.time()
    progress = Progress(sys.stderr, os.environ)
    report = ImportReport(_Problems(progress.clear))
    importer = Importer(
        opened,
        SUFFIXES[settings.uploader.compression],
        min(settings.recorder.rotate_size, _LARGEST),
        began,
        time.time,
        lambda report: progress.step("lines", report.lines, 0),
        dry,
        signer_of(settings.archive.signing_key),
    )

    def notify(text: str) -> None:
        progress.clear()
        click.secho(printable(text), fg="yellow", err=True)

    with _report_at_end(progress, report, dry):
        try:
            found = units(Maker(rfc3339(round(began * 1000))), notify)
            importer.run(without(found, _opted_out(settings, opened)), report)
        except SourceError as error:
            progress.clear()
            reading.refuse(str(error))
        except sqlite3.Error as error:
            progress.clear()
            reading.refuse(
                f"cannot sort what is imported in a temporary file: {error}; name a directory with room in "
                "SQLITE_TMPDIR. What was imported until then is there, and the same command goes on"
            )
        except StoreError as error:
            progress.clear()
            reading.refuse(f"cannot import into {opened.store.describe()}: {error}")
    wrong = report.missed or not (report.lines or report.lines_before)
    raise click.exceptions.Exit(reading.NOTHING if wrong else 0)


def _opted_out(settings: Settings, opened: Archive) -> LeftOut:
    """The people who opted out. Ends the command where the list cannot be applied. Raises StoreError."""
    from chatlog.suppression.book import ForeignKey, read_list
    from chatlog.suppression.key_file import KeyFileError, key_in
    from chatlog.suppression.left_out import LeftOut

    left_out = LeftOut()
    try:
        left_out.suppressions = read_list(opened.store, key_in(settings))
    except KeyFileError as error:
        reading.refuse(str(error))
    if not left_out.suppressions.is_readable:
        reading.refuse(f"nothing was imported: {ForeignKey()}")
    return left_out


@contextmanager
def _report_at_end(progress: Any, report: ImportReport, dry: bool) -> Iterator[None]:
    """Print the result, however the import ends."""
    try:
        yield
    finally:
        progress.clear()
        if report.lines or report.lines_before or not sys.exc_info()[0]:
            click.echo(summary(report, dry))


def summary(report: ImportReport, dry: bool) -> str:
    """The result of an import in a line."""
    if not (report.lines or report.lines_before or report.missed):
        return "Nothing to import was found."
    parts = [
        f"{many(report.lines, 'line')} read, {report.imported:,} {'to be imported' if dry else 'imported'}, "
        f"{report.there:,} there already"
    ]
    if report.unread_lines:
        parts.append(f"{many(report.unread_lines, 'line is no record', 'lines are no records')}")
    if report.unread_files:
        parts.append(f"{many(report.unread_files, 'file')} cannot be read")
    if report.incomplete:
        answers = many(report.incomplete, "answer")
        parts.append(f"{answers} not complete, as the server said")
    if report.skipped:
        parts.append(f"{many(report.skipped, 'file or day', 'files or days')} done before")
    rooms = [f"{room} {count:,}" for room, count in report.rooms.most_common(5) if count]
    if rooms:
        more = ", ..." if len(report.rooms) > 5 else ""
        parts.append(f"rooms: {', '.join(rooms)}{more}")
    return "; ".join(parts)


class _Problems:
    """Reports files and lines that cannot be read; beyond the first problems only their number."""

    def __init__(self, make_room: Callable[[], object]) -> None:
        self._make_room = make_room
        self._count = 0

    def __call__(self, text: str) -> None:
        from chatlog.printable import printable

        self._count += 1
        if self._count <= _NAMED:
            self._make_room()
            more = "; further ones are only counted" if self._count == _NAMED else ""
            click.secho(printable(text) + more, fg="red", err=True)
