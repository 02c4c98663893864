"""Describes the configuration in force: every key with its value, and what the recorder does with it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from math import ceil
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from chatlog.config.schema import ROOT, Items, Section
from chatlog.config.settings import KickSettings, Settings, TwitchSettings
from chatlog.config.units import show_duration, show_size
from chatlog.naming import FileName
from chatlog.printable import printable

#: Seconds between two new connections, and between two batches of JOINs.
OPEN_EVERY = 2.0
JOIN_EVERY = 10.3
#: Kick's rooms that are asked for in a second, and seconds between two lookups of ids.
SUBSCRIPTIONS = 50
LOOKUP_EVERY = 0.35

_SUFFIXES = {"none": "", "gzip": ".gz", "zstd": ".zst"}


def describe(settings: Settings) -> str:
    """Every key with its value as YAML, secrets as stars. Comments below say what the recorder does."""
    lines = [*_block(_tree(ROOT, settings), ""), *(f"# {sentence}" for sentence in sentences(settings))]
    return "".join(f"{printable(line, 10_000)}\n" for line in lines)


def _block(tree: dict[str, Any], indent: str) -> Iterator[str]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield f"{indent}{key}:"
            yield from _block(value, f"{indent}  ")
        elif isinstance(value, list) and value:
            yield f"{indent}{key}:"
            yield from (f"{indent}  - {_flow(item)}" for item in value)
        else:
            yield f"{indent}{key}: {_flow(value)}"


def _flow(value: Any) -> str:
    """A value on one line."""
    text: str = yaml.safe_dump([value], sort_keys=False, default_flow_style=True, width=100_000)
    return text.strip()[1:-1]


def _tree(section: Section, settings: Any) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, shape in section.keys.items():
        if isinstance(shape, Section):
            inner = getattr(settings, key)
            if inner is not None:
                tree[key] = _tree(shape, inner)
        elif isinstance(shape, Items):
            item = shape.item
            values = getattr(settings, key)
            tree[key] = [_tree(item, v) if isinstance(item, Section) else item.show(v) for v in values]
        elif shape.fills:
            tree[key] = shape.show(tuple(getattr(settings, field) for field in shape.fills))
        else:
            value = getattr(settings, key)
            shown = "***" if shape.secret else shape.show(value) if value is not None else None
            tree[key] = None if value is None else shown
    return tree


def sentences(settings: Settings) -> Iterator[str]:
    """What the recorder does with these settings."""
    if settings.twitch is not None:
        yield from _about_twitch(settings.twitch)
    if settings.kick is not None:
        yield from _about_kick(settings.kick)
    recorder = settings.recorder
    flush, sync = show_duration(recorder.flush_interval), show_duration(recorder.sync_interval)
    rotate = f"every {show_duration(recorder.rotate_interval)} (UTC) or at {show_size(recorder.rotate_size)}"
    yield f"Files are written in {recorder.directory}/open: flushed every {flush}, synced every {sync},"
    yield f"closed {rotate}."
    yield f"What waits for its upload may take {show_size(recorder.max_size)} of {recorder.directory}."
    yield from _about_archive(settings)
    if settings.http.listen is not None:
        yield f"The status page is at http://{settings.http.listen}/."
    if settings.archive.listen is not None:
        yield f"A second process serves what was recorded at http://{settings.archive.listen}/."


def _about_twitch(twitch: TwitchSettings) -> Iterator[str]:
    rooms, connections = len(twitch.channels), ceil(len(twitch.channels) / twitch.rooms_per_connection)
    way = "over TLS" if twitch.tls else "without TLS"
    who = f"as {twitch.username}" if twitch.username else "anonymously"
    what = f"{_count(rooms, 'room')} on {_count(connections, 'connection')}"
    yield f"Twitch: {what} to {twitch.host}:{twitch.port} {way}, {who}."
    batches = (ceil(rooms / twitch.joins_per_10s) - 1) * JOIN_EVERY
    yield f"Twitch: {_all_asked(rooms, max(batches, (connections - 1) * OPEN_EVERY))}"


def _about_kick(kick: KickSettings) -> Iterator[str]:
    rooms, connections = len(kick.channels), ceil(len(kick.channels) / kick.rooms_per_connection)
    unknown = sum(1 for channel in kick.channels if channel.chatroom_id is None)
    yield f"Kick: {_count(rooms, 'room')} on {_count(connections, 'connection')} to {kick.server}."
    waits = (rooms / SUBSCRIPTIONS, unknown * LOOKUP_EVERY, (connections - 1) * OPEN_EVERY)
    yield f"Kick: {_all_asked(rooms, max(waits))}"
    if unknown:
        what = _count(unknown, "room")
        yield f"Kick: the ids of {what} are looked up at {kick.lookup}; Kick may refuse that."


def _all_asked(rooms: int, seconds: float) -> str:
    what = "the room is" if rooms == 1 else f"all {rooms} rooms are"
    if seconds < 2:
        return f"{what} requested as soon as there is a connection."
    time = f"{ceil(seconds)} s" if seconds < 120 else f"{ceil(seconds / 60)} min"
    return f"{what} requested within {time} of the start."


def _about_archive(settings: Settings) -> Iterator[str]:
    prefix = ""
    if settings.s3 is not None:
        prefix = settings.s3.prefix
        where = f"the bucket {settings.s3.bucket} at {settings.s3.endpoint or 'AWS, ' + settings.s3.region}"
    elif settings.archive.url is not None:
        where = settings.archive.url
    else:
        where = f"the directory {settings.archive.directory}"
    compression = settings.uploader.compression
    how = "as they are" if compression == "none" else f"compressed with {compression}"
    yield f"Closed files go to {where}, {how}, {settings.uploader.concurrency} at a time."
    platform, channel = ("twitch", "") if settings.twitch else ("kick", "")
    if settings.twitch is not None:
        channel = settings.twitch.channels[0]
    elif settings.kick is not None:
        channel = settings.kick.channels[0].slug
    name = FileName(platform, channel, "20261231_2300", settings.instance)
    yield f"Their names are like {name.key(prefix, _SUFFIXES[compression])}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def check_directories(settings: Settings) -> list[str]:
    """The problems of the directories and files that the settings name, as sentences. Creates no directory
    and leaves no file."""
    problems = [_unwritable(settings.recorder.directory, "recorder.directory")]
    if settings.s3 is None and settings.archive.url is None:
        problems.append(_unwritable(settings.archive.directory, "archive.directory"))
    elif settings.archive.url is not None and settings.archive.url.startswith("file://"):
        problems.append(_unwritable(unquote(urlsplit(settings.archive.url).path), "archive.url"))
    for platform, source in (("twitch", settings.twitch), ("kick", settings.kick)):
        if source is not None and source.ca_file is not None:
            problems.append(_unreadable(source.ca_file, f"{platform}.ca_file"))
    return [problem for problem in problems if problem]


def _unwritable(directory: str, key: str) -> str:
    place = os.path.abspath(directory)
    while not os.path.lexists(place) and os.path.dirname(place) != place:
        place = os.path.dirname(place)
    if not os.path.isdir(place):
        return f"{key}: {place} is not a directory"
    if not os.access(place, os.W_OK | os.X_OK):
        return f"{key}: {_in(place, directory)}: no permission to write there"
    try:
        with tempfile.TemporaryFile(dir=place):
            return ""
    except OSError as error:
        return f"{key}: {_in(place, directory)}: {error.strerror}"


def _in(place: str, directory: str) -> str:
    return place if place == os.path.abspath(directory) else f"{directory} cannot be made in {place}"


def _unreadable(path: str, key: str) -> str:
    try:
        with open(path, "rb") as file:
            file.read(1)
    except OSError as error:
        where = "" if os.path.isabs(path) else f" (a relative path starts at {os.getcwd()})"
        return f"{key}: {path}: {error.strerror}{where}"
    return ""
