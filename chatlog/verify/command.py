"""The command ``chatlog verify``. Its exit status is 0 if nothing is wrong, 1 if something is wrong, 2 if the
archive cannot be checked."""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import click

from chatlog.one_value import Command

if TYPE_CHECKING:
    from chatlog.config.settings import Settings
    from chatlog.store.store import Store
    from chatlog.verify.resuming import Resuming
    from chatlog.verify.scope import Scope

WRONG = 1
UNKNOWN = 2


Rooms = tuple[tuple[str, str], ...]


def _rooms(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> Rooms:
    """``platform/name`` as pairs."""
    from chatlog.naming import CHANNEL

    rooms = []
    for value in values:
        platform, slash, channel = value.lower().partition("/")
        if not slash or not platform.isalpha() or not CHANNEL.match(channel):
            raise click.BadParameter(f"{value[:80]!r} is not a room; write it like twitch/shroud", ctx, param)
        rooms.append((platform, channel))
    return tuple(rooms)


def _day(ctx: click.Context, param: click.Parameter, value: str | None) -> date | None:
    """A day: 2025-12-29, today, yesterday, or that of 3d ago. Days are those of UTC, as in the keys."""
    from chatlog.archive.times import Reading, TimeError

    if value is None:
        return None
    try:
        found = Reading(time.time(), UTC).since(value)
    except TimeError:
        words = "write it like 2025-12-29, yesterday or 7d"
        raise click.BadParameter(f"{value[:80]!r} is not a day; {words}", ctx, param) from None
    return datetime.fromtimestamp(found, UTC).date()


def _keys(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> frozenset[str]:
    """Public keys, or files with one."""
    from chatlog.signing import PREFIX, public_key

    found = set()
    for value in values:
        try:
            if value.startswith(PREFIX):
                found.add(public_key(value))
            else:
                with open(value, encoding="ascii") as file:
                    found.add(public_key(file.read(10_000)))
        except (OSError, UnicodeError):
            words = f"it is no file, and no public key: that begins with {PREFIX}"
            raise click.BadParameter(words, ctx, param) from None
        except ValueError as error:
            raise click.BadParameter(f"it {error}", ctx, param) from None
    return frozenset(found)


@click.command(cls=Command)
@click.argument("archive", required=False, metavar="[DIRECTORY|URL]")
@click.option(
    "-c",
    "--config",
    default="chatlog.yaml",
    show_default=True,
    help="The configuration that names the archive.",
)
@click.option(
    "--archive", "named", metavar="DIRECTORY|URL", help="The same as the argument, as other commands have it."
)
@click.option(
    "--since", callback=_day, metavar="DAY", help="The first day to check: 2025-12-29, yesterday or 7d. UTC."
)
@click.option("--until", callback=_day, metavar="DAY", help="The last day to check.")
@click.option(
    "--room",
    "rooms",
    metavar="PLATFORM/NAME",
    multiple=True,
    callback=_rooms,
    help="Only this room; may be given again.",
)
@click.option("--quick", is_flag=True, help="Compare names and sizes only; read no objects.")
@click.option(
    "--key",
    "keys",
    metavar="KEY",
    multiple=True,
    callback=_keys,
    help="The public key that must have signed the manifests, or a file with it; may be given again.",
)
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="How many rooms are read at the same time.",
)
@click.option(
    "--resume",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Keep in this file what was checked, and go on from there if it is interrupted.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object a line.")
@click.pass_context
def verify(
    ctx: click.Context,
    archive: str | None,
    config: str,
    named: str | None,
    since: date | None,
    until: date | None,
    rooms: Rooms,
    quick: bool,
    keys: frozenset[str],
    jobs: int,
    resume: str | None,
    as_json: bool,
) -> None:
    """Check that an archive is complete and unaltered.

    The archive is a directory, or the address of a bucket (s3://, gs://, az://), or the one that the
    configuration names. Every object is compared with the manifests, and every line is checked. Reported
    are missing and altered objects, missing manifests, lines that are not records, and records that are
    there twice. Then a table shows for each room and day how much of it was recorded.

    The exit status is 0 if nothing is wrong, 1 if something is wrong, 2 if the archive cannot be read or has
    nothing to check.
    """
    # Imported here, because completing a command line has to be quick.
    from chatlog.archive.retention import Retention
    from chatlog.configuration import ConfigError
    from chatlog.store.archive import open_store
    from chatlog.store.store import StoreError
    from chatlog.verify.scope import FIRST_DAY, LAST_DAY, Scope

    if os.environ.get("NO_COLOR"):
        ctx.color = False
    _check_options(archive, named, since, until)
    try:
        settings = _settings(named if archive is None else archive, config)
        _look_for_directory(settings)
        store = open_store(settings)
    except ConfigError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        ctx.exit(UNKNOWN)
    except StoreError as error:
        click.echo(f"cannot look: {error}", err=True)
        ctx.exit(UNKNOWN)
    scope = Scope(
        since or FIRST_DAY,
        until or LAST_DAY,
        frozenset(rooms),
        not quick,
        jobs,
        settings.recorder.rotate_interval,
        keys,
        # If only the archive is named, its retention is not known.
        Retention(settings.archive.keep) if archive is None and named is None else None,
    )
    ctx.exit(_resumed(store, scope, as_json, None if quick else resume))


def _check_options(archive: str | None, named: str | None, since: date | None, until: date | None) -> None:
    if since is not None and until is not None and since > until:
        raise click.UsageError("--since is later than --until")
    if named is not None and archive is not None:
        raise click.UsageError("the archive is named twice: leave out --archive or the argument")


def _resumed(store: Store, scope: Scope, as_json: bool, path: str | None) -> int:
    """Verify the archive, going on from what the file at ``path`` says. Returns the exit status."""
    from chatlog.verify.resuming import NotAFile, Resuming

    if path is None:
        return _verified(store, scope, as_json, None)
    try:
        resuming = Resuming(path)
    except NotAFile as error:
        click.echo(f"--resume: {error}", err=True)
        return UNKNOWN
    status = UNKNOWN
    try:
        status = _verified(store, scope, as_json, resuming)
    finally:
        resuming.close(finished=status in (0, WRONG))
    return status


def _verified(store: Store, scope: Scope, as_json: bool, resuming: Resuming | None) -> int:
    """Verify the archive and print the report. Returns the exit status."""
    from chatlog.printable import printable
    from chatlog.store.store import StoreError
    from chatlog.verify.archive_index import ArchiveIndex
    from chatlog.verify.nothing import nothing_found
    from chatlog.verify.progress import Progress
    from chatlog.verify.report import Found, JsonReport, TextReport
    from chatlog.verify.verify import Verification

    progress = Progress(sys.stderr, os.environ)
    report = JsonReport(click.echo, progress) if as_json else TextReport(click.echo, progress)
    index = ArchiveIndex()
    try:
        verification = Verification(store, scope, index, report, time.time(), resuming=resuming)
        totals = verification.run()
        found = Found(store.describe(), totals, index, verification.chains, verification.differing)
        report.end(found)
    except StoreError as error:
        progress.clear()
        remedy = f"; {error.remedy}" if error.remedy else ""
        click.echo(printable(f"cannot look at {store.describe()}: {error}{remedy}"), err=True)
        return UNKNOWN
    except KeyboardInterrupt:
        progress.clear()
        return 130
    finally:
        index.close()
    absent = nothing_found(store.describe(), scope, totals, verification.rooms, verification.days)
    for sentence in absent:
        click.echo(printable(sentence), err=True)
    return WRONG if not totals.fine else UNKNOWN if absent else 0


def _settings(archive: str | None, config: str) -> Settings:
    """The settings that name the archive. Raises ConfigError, and StoreError if an address is not a
    store's."""
    from chatlog.config.settings import ArchiveSettings, Settings
    from chatlog.configuration import load
    from chatlog.store.archive import check_address

    if archive is None:
        return load(config, os.environ)
    if "://" in archive:
        check_address(archive)
        return Settings(archive=ArchiveSettings(url=archive))
    return Settings(archive=ArchiveSettings(directory=archive))


def _look_for_directory(settings: Settings) -> None:
    """Raise StoreError if the directory does not exist: that is a mistake, not an empty archive."""
    from chatlog.store.store import MISSING, StoreError

    url = settings.archive.url
    if settings.s3 is None and (url is None or url.startswith("file://")):
        directory = settings.archive.directory if url is None else unquote(urlsplit(url).path)
        if not os.path.isdir(directory):
            raise StoreError(f"there is no directory {directory!r}", MISSING)
