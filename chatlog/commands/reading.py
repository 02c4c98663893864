"""The common part of the commands that read the archive: options, rooms, times, and what is missing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC
from typing import TYPE_CHECKING, Any, NoReturn

import click

from chatlog.commands.options import UNKNOWN, load, registry
from chatlog.counted import many

if TYPE_CHECKING:
    from chatlog.archive.gaps import Gap, Report
    from chatlog.archive.opening import Archive
    from chatlog.archive.recordings import Recordings
    from chatlog.archive.room_files import Room
    from chatlog.archive.times import Reading
    from chatlog.config.settings import Settings

#: The exit status if nothing was found.
NOTHING = 1
#: The most damaged files and gaps that are named; further ones are only counted.
_NAMED = 25


class CannotRead(click.ClickException):
    """The request is wrong, or the archive cannot be read."""

    exit_code = UNKNOWN

    def show(self, file: Any = None) -> None:
        click.echo(self.format_message(), file=file or sys.stderr)


def refuse(sentence: str) -> NoReturn:
    """End the command with this sentence and the status UNKNOWN."""
    from chatlog.printable import printable

    raise CannotRead(printable(sentence))


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that every reading command has: the archive, and the time zone."""
    for option in (
        click.option("--utc", is_flag=True, help="Times are UTC, not this machine's time zone."),
        click.option(
            "--archive",
            metavar="DIRECTORY|URL",
            help="Read this archive instead of the configuration's: a directory, s3://, gs:// or az://.",
        ),
        click.option(
            "-c",
            "--config",
            "path",
            default="chatlog.yaml",
            show_default=True,
            type=click.Path(dir_okay=False),
            help="The configuration that names the archive.",
        ),
    ):
        command = option(command)
    return command


def opened(path: str, archive: str | None, everybody: bool = False) -> Archive:
    """The archive that the options name, to be read without the people who opted out, unless ``everybody`` is
    set. Ends the command if it cannot be opened."""
    from chatlog.archive.opening import open_archive
    from chatlog.store.store import MISSING, StoreError

    try:
        found = open_archive(_settings(path, archive), time.time, spool=archive is None, everybody=everybody)
        found.hidden.now()
    except StoreError as error:
        hint = ""
        if error.kind == MISSING and archive is None:
            hint = "; name the archive with --archive, or the configuration that names it with --config"
        refuse(f"cannot read the archive: {error}{hint}")
    if found.hidden.trouble:
        click.secho(
            f"people opted out of this archive, and are shown all the same: {found.hidden.trouble}",
            fg="yellow",
            err=True,
        )
    return found


def say_who_opted_out(archive: Archive, rooms: list[Room], users: tuple[str, ...]) -> None:
    """Print on the standard error which of these people (names, or ``id:1234``) are not shown."""
    from chatlog.printable import printable

    for user in users:
        there = [who for room in rooms if (who := archive.hidden.of_room(*room)) is not None]
        if any(who.has(user) for who in there):
            click.secho(printable(f"{user} opted out, and is not shown"), fg="yellow", err=True)


def target(path: str, archive: str | None) -> tuple[Settings, Archive]:
    """The archive that the options name, to be written to; it may be a new one. The records of people who
    opted out are read too. Ends the command if there can be no archive."""
    from chatlog.archive.opening import open_archive
    from chatlog.store.store import StoreError

    settings = _settings(path, archive)
    try:
        return settings, open_archive(
            settings, time.time, spool=archive is None, may_be_new=True, everybody=True
        )
    except StoreError as error:
        refuse(f"cannot write to the archive: {error}")


def _settings(path: str, archive: str | None) -> Settings:
    """The settings that the options mean. Ends the command for an address that cannot be that of a store."""
    from chatlog.config.settings import ArchiveSettings, Settings
    from chatlog.store.store import StoreError

    if archive is None:
        return load(path, UNKNOWN)
    if "://" in archive:
        from chatlog.store.archive import check_address

        try:
            check_address(archive)
        except StoreError as error:
            refuse(f"--archive: {error}")
        return Settings(archive=ArchiveSettings(url=archive))
    return Settings(archive=ArchiveSettings(directory=archive))


def clock(utc: bool) -> Reading:
    """Reads and shows times in the chosen time zone."""
    from chatlog.archive.times import Reading

    return Reading(time.time(), UTC if utc else None)


def moment(reading: Reading, text: str | None, otherwise: float, option: str) -> float:
    """The time that an option names. Ends the command if its text is no time."""
    from chatlog.archive.times import TimeError

    if text is None:
        return otherwise
    try:
        return reading.since(text)
    except TimeError as error:
        refuse(f"{option}: {error}")


def past(end: float, start: float, reading: Reading) -> float:
    """The end of the time that was looked at, for people: nothing is there yet of what comes after now."""
    return min(end, max(reading.now, start))


def rooms_named(archive: Archive, names: tuple[str, ...], every: bool = True) -> list[Room]:
    """The named rooms, or all rooms of the archive. Ends the command if a room is not there, with a list of
    similar names."""
    from chatlog.near_names import near
    from chatlog.status.natural import natural
    from chatlog.store.store import StoreError

    try:
        there = archive.rooms()
    except StoreError as error:
        refuse(f"cannot read {archive.store.describe()}: {error}")
    if not there:
        refuse(f"{archive.store.describe()} is empty: nothing has been stored in it yet")
    if not names and every:
        return sorted(there, key=lambda room: natural(f"{room[0]}/{room[1]}"))
    found: list[Room] = []
    for name in names:
        bare = name.strip().lstrip("#@").lower()
        same = [room for room in sorted(there) if room[1] == bare]
        if len(same) > 1:
            refuse(f"{name} is there on both platforms: write {' or '.join('/'.join(room) for room in same)}")
        try:
            room = same[0] if same else _parsed(name)
        except ValueError as error:
            refuse(str(error))
        if room not in there:
            # The names alone: with the platform in front, any two rooms of a platform would be similar.
            close = near(room[1], {other for _, other in there})
            alike = ["/".join(other) for each in close for other in sorted(there) if other[1] == each]
            hint = f"; there is {', '.join(alike)}" if alike else ""
            if archive.retention.times() and archive.retention.of(room) in archive.retention.times():
                hint += f"; what is said there is not kept longer than {archive.retention.words(room)}"
            refuse(f"there is no room {room[0]}/{room[1]} in {archive.store.describe()}{hint}")
        found.append(room)
    return list(dict.fromkeys(found))


def _parsed(name: str) -> Room:
    from chatlog.config.room_names import parse_room

    platform, channel = parse_room(name, registry(), "" if "/" in name or "." in name else "twitch")
    return platform, channel


def report_missing(report: Report, reading: Reading, since: float, until: float, room: str = "") -> None:
    """Print on the standard error what is missing from an answer."""
    from chatlog.archive.formats.text import missing_text
    from chatlog.archive.notices import unread_text

    about = f"{room}: " if room else ""
    for gap in report.gaps[:_NAMED]:
        click.secho(about + missing_text(gap, reading.shown), fg="yellow", err=True)
    if len(report.gaps) > _NAMED:
        click.secho(f"{about}and {many(len(report.gaps) - _NAMED, 'more gap')}", fg="yellow", err=True)
    for unread in report.unread[:_NAMED]:
        click.secho(about + unread_text(unread), fg="red", err=True)
    if len(report.unread) > _NAMED:
        click.secho(
            f"{about}and {many(len(report.unread) - _NAMED, 'more file')} cannot be read; `chatlog verify` "
            "names them",
            fg="red",
            err=True,
        )


def say_what_is_not_recorded(
    archive: Archive,
    rooms: list[Room],
    reading: Reading,
    since: float,
    until: float,
    known: dict[Room, list[Gap]] | None = None,
) -> None:
    """Print on the standard error if the time is still to come, since when a room is recorded if that is
    later than the beginning of the time, and until when if that was before its end. With the ``known`` gaps
    of rooms, also print the times in between in which no recorder had them."""
    from chatlog.archive.day_book import DayBook
    from chatlog.archive.lines import LAST
    from chatlog.archive.recordings import Recordings
    from chatlog.store.store import StoreError

    if since >= reading.now:
        click.secho("that time is still to come", fg="yellow", err=True)
        return
    now = lambda: reading.now  # noqa: E731
    days = DayBook(archive.store, now, archive.waiting)
    recordings = Recordings(archive.parts, days, archive.retention, now)
    for room in rooms[:_NAMED]:
        try:
            before = recordings.gaps_before(room, max(since, 0.0), LAST)
            behind = _not_recorded(recordings, room, max(since, 0.0), until, known)
            ended = recordings.end_of(room) if behind else None
        except StoreError as error:
            refuse(f"cannot read {archive.store.describe()}: {error}")
        if before:
            text = _since_when(archive, room, reading, before[0].since, before[-1].until)
            click.secho(text, fg="yellow", err=True)
        for gap in behind[:_NAMED]:
            click.secho(_not_then(room, gap, ended, reading), fg="yellow", err=True)


def _not_recorded(
    recordings: Recordings,
    room: Room,
    since: float,
    until: float,
    known: dict[Room, list[Gap]] | None,
) -> list[Gap]:
    """The times after the first recording in which no recorder had the room, and for which there is no gap
    record."""
    if known is None:
        ended = recordings.ended(room, since, until)
        return [] if ended is None else [ended]
    before = recordings.gaps_before(room, since, until)
    gaps = recordings.gaps(room, since, until, known.get(room, []))
    return [gap for gap in gaps if gap not in known.get(room, []) and gap not in before]


def _not_then(room: Room, gap: Gap, ended: float | None, reading: Reading) -> str:
    """The sentence about a gap without a gap record, in which no recorder had the room. ``ended``: since when
    no recorder has it."""
    from chatlog.archive.formats.text import missing_text
    from chatlog.archive.recordings import NO_LONGER

    name = f"{room[0]}/{room[1]}"
    if gap.reason == NO_LONGER:
        return (
            f"{name} was recorded until {reading.shown(ended or gap.since)}: since then no recorder has "
            "stored anything of it, and none says that it was there"
        )
    return f"{name}: {missing_text(gap, reading.shown)}"


def _since_when(archive: Archive, room: Room, reading: Reading, since: float, begun: float) -> str:
    """Why a room has nothing from ``since`` to ``begun``: it is not kept so long, or was not recorded."""
    name = f"{room[0]}/{room[1]}"
    if archive.retention.explains(room, since, begun, reading.now):
        return (
            f"{name} is not kept longer than {archive.retention.words(room)}: what was said before "
            f"{reading.shown(begun)} is gone"
        )
    return f"{name} is recorded since {reading.shown(begun)}"


def days_back(now: float, days: int) -> float:
    """The time ``days`` days before ``now``."""
    return now - 86400.0 * days


def user_filter(users: tuple[str, ...]) -> tuple[str, ...]:
    """Users in the form of filters: names in lower case, or ``id:1234``."""
    return tuple(_user(user) for user in users)


def _user(text: str) -> str:
    bare = text.strip().rpartition("/")[2].lstrip("@").lower()
    return f"id:{bare[3:].strip()}" if bare.startswith("id:") else bare
