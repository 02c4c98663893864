"""Describes the configuration in force: every key with its value, and what the recorder does with it."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from chatlog.config.platform import Key, Registry, rooms_of
from chatlog.config.schema import Items, Section, Table, root_of
from chatlog.config.settings import Settings
from chatlog.config.units import show_duration, show_size
from chatlog.config.values import FOREVER
from chatlog.counted import many
from chatlog.naming import BundleName, FileName
from chatlog.printable import printable
from chatlog.signing import Signer

_SUFFIXES = {"none": "", "gzip": ".gz", "zstd": ".zst"}


def describe(settings: Settings, platforms: Registry) -> str:
    """Every key with its value as YAML, secrets as stars. Comments below say what the recorder does."""
    root = root_of({name: platforms[name].section for name in platforms if name in settings.platforms})
    comments = (f"# {sentence}" for sentence in sentences(settings, platforms))
    lines = [*_block(_tree(root, settings), ""), *comments]
    return "".join(f"{printable(line, 10_000)}\n" for line in lines)


def _block(tree: dict[str, Any], indent: str) -> Iterator[str]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
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
    sections = settings.platforms if isinstance(settings, Settings) else {}
    for key, shape in section.keys.items():
        if isinstance(shape, Section):
            inner = sections[key] if key in sections else getattr(settings, key)
            if inner is not None:
                tree[key] = _tree(shape, inner)
        elif isinstance(shape, Items):
            item = shape.item
            values = getattr(settings, key)
            tree[key] = [_tree(item, v) if isinstance(item, Section) else item.show(v) for v in values]
        elif isinstance(shape, Table):
            value = shape.value
            tree[key] = {name: value.show(kept) for name, kept in getattr(settings, key)}
        elif shape.fills:
            tree[key] = shape.show(tuple(getattr(settings, field) for field in shape.fills))
        else:
            value = getattr(settings, key)
            shown = "***" if shape.secret else shape.show(value) if value is not None else None
            tree[key] = None if value is None else shown
    return tree


def sentences(settings: Settings, platforms: Registry) -> Iterator[str]:
    """Sentences that say what the recorder does with these settings."""
    for name, section in settings.platforms.items():
        for sentence in platforms[name].sentences(section):
            yield f"{platforms[name].title}: {sentence}"
    recorder = settings.recorder
    flush, sync = show_duration(recorder.flush_interval), show_duration(recorder.sync_interval)
    rotate = f"every {show_duration(recorder.rotate_interval)} (UTC) or at {show_size(recorder.rotate_size)}"
    yield f"Files are written in {recorder.directory}/open: flushed every {flush}, synced every {sync},"
    yield f"closed {rotate}."
    yield f"What waits for its upload may take {show_size(recorder.max_size)} of {recorder.directory}."
    yield from _about_archive(settings, next(iter(rooms_of(platforms, settings.platforms)), ("twitch", "")))
    yield from _about_cluster(settings)
    if settings.http.listen is not None:
        yield f"The status page is at http://{settings.http.listen}/."
    if settings.archive.listen is not None:
        yield f"A second process serves what was recorded at http://{settings.archive.listen}/."
    if settings.archive.public:
        search = " and search all rooms" if settings.archive.public_search else ""
        yield f"The archive is for everybody: whoever reaches its server may read it{search}."
    if settings.archive.has_codes:
        yield "People opt out by a code from the archive server that they write in a recorded chat."


def _about_archive(settings: Settings, room: Key) -> Iterator[str]:
    prefix = ""
    if settings.s3 is not None:
        prefix = settings.s3.prefix
        where = f"the bucket {settings.s3.bucket} at {settings.s3.endpoint or 'AWS, ' + settings.s3.region}"
    elif settings.archive.url is not None:
        where = settings.archive.url
    else:
        where = f"the directory {settings.archive.directory}"
    yield from _about_keeping(settings)
    if settings.archive.signing_key is not None:
        signer = Signer(settings.archive.signing_key.reveal())
        yield f"Manifests are signed: chatlog verify --key {signer.name}"
    compression = settings.uploader.compression
    how = "as they are" if compression == "none" else f"compressed with {compression}"
    yield f"Closed files go to {where}, {how}, {settings.uploader.concurrency} at a time."
    if settings.uploader.bundle:
        yield (
            f"All that are closed within {show_duration(settings.uploader.bundle)} go as one object (bundle)."
        )
        head = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        bundle = BundleName("20261231_2300", instance=settings.instance)
        yield f"Their names are like {head}{bundle.key(_SUFFIXES[compression])}"
        return
    name = FileName(*room, "20261231_2300", settings.instance)
    yield f"Their names are like {name.key(prefix, _SUFFIXES[compression])}"


def _about_cluster(settings: Settings) -> Iterator[str]:
    cluster = settings.cluster
    if cluster is None:
        return
    each = "one of them records" if cluster.replicas == 1 else f"{cluster.replicas} of them record"
    yield f"{settings.instance} is one of the recorders of the cluster {cluster.name}; {each} each room."
    yield f"They know of each other through {cluster.engine}."
    rooms, lease = many(cluster.capacity, "room"), show_duration(cluster.lease)
    yield f"It takes at most {rooms}, and counts as dead when it is silent for {lease}."
    if cluster.drain:
        yield f"Before it ends, it hands its rooms over, for at most {show_duration(cluster.drain)}."


def _about_keeping(settings: Settings) -> Iterator[str]:
    for name, seconds in settings.archive.keep:
        what = {"default": "What no other line is about"}.get(name, f"What was said in {name}")
        if seconds == FOREVER:
            yield f"{what} is kept for ever."
        else:
            yield f"{what} is deleted after {many(round(seconds / 86400), 'day')}."


def check_directories(settings: Settings) -> list[str]:
    """The problems of the directories and files that the settings name, as sentences. Creates no directory
    and leaves no file."""
    problems = [_unwritable(settings.recorder.directory, "recorder.directory")]
    if settings.s3 is None and settings.archive.url is None:
        problems.append(_unwritable(settings.archive.directory, "archive.directory"))
    elif settings.archive.url is not None and settings.archive.url.startswith("file://"):
        problems.append(_unwritable(unquote(urlsplit(settings.archive.url).path), "archive.url"))
    for platform, source in settings.platforms.items():
        if source.ca_file is not None:
            problems.append(_unreadable(source.ca_file, f"{platform}.ca_file"))
    if settings.cluster is not None and settings.cluster.ca_file is not None:
        problems.append(_unreadable(settings.cluster.ca_file, "cluster.ca_file"))
    return [problem for problem in problems if problem]


def _unwritable(directory: str, key: str) -> str:
    place = os.path.abspath(directory)
    while not os.path.lexists(place) and os.path.dirname(place) != place:
        place = os.path.dirname(place)
    if not os.path.isdir(place):
        return f"{key}: {place} is not a directory"
    try:
        with tempfile.TemporaryFile(dir=place):
            return ""
    except OSError as error:
        return f"{key}: {_in(place, directory)}: {why_unwritable(error)}"


def why_unwritable(error: OSError) -> str:
    """Why nothing can be created in a directory."""
    if isinstance(error, PermissionError):
        return "no permission to write there"
    if error.errno == errno.EROFS:
        return "the file system there is read-only"
    return error.strerror or "nothing can be created there"


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
