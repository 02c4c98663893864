"""Finds values of a configuration that contradict each other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from chatlog.config.endpoint import AUTO, doors_of
from chatlog.config.platform import Problem, Registry
from chatlog.config.storage_classes import DIRECTORY, family_of, wrong_class, wrong_for_writing
from chatlog.config.units import show_duration


def contradictions(tree: dict[str, Any], wrong: set[str], platforms: Registry) -> Iterator[Problem]:
    """The contradictions in ``tree``, the values of each section's keys. Keys in ``wrong`` have a problem
    already and are skipped."""
    yield from _no_room(tree, wrong, platforms)
    for name, platform in platforms.items():
        yield from platform.contradictions(tree.get(name, {}), wrong)
    yield from _spool(tree.get("recorder", {}))
    yield from _archive(tree, wrong)
    yield from _classes(tree, wrong)
    yield from _bundle(tree.get("uploader") or {})
    yield from _keep(tree, platforms)
    yield from _listening(tree)
    yield from _cluster(tree, wrong)


def _no_room(tree: dict[str, Any], wrong: set[str], platforms: Registry) -> Iterator[Problem]:
    lists = [f"{name}.channels" for name in platforms]
    named = any(tree.get(name, {}).get("channels") for name in platforms)
    if not named and not tree.get("cluster") and not wrong & {"", *platforms, *lists}:
        yield "", f"no room is named; list at least one under {' or '.join(lists)}"


def _spool(recorder: dict[str, Any]) -> Iterator[Problem]:
    rotate_size, max_size = recorder.get("rotate_size"), recorder.get("max_size")
    if rotate_size and max_size and rotate_size > max_size:
        yield "recorder.rotate_size", "a file may not be larger than the whole spool (recorder.max_size)"


def _archive(tree: dict[str, Any], wrong: set[str]) -> Iterator[Problem]:
    s3, archive = tree.get("s3"), tree.get("archive", {})
    if s3 is not None:
        if archive.get("url"):
            yield "archive.url", "s3 is given as well; there is one archive, so leave one of the two out"
        yield from _endpoint(s3, wrong)
        keys = ("access_key_id", "secret_access_key")
        for key, other in (keys, keys[::-1]):
            if key in s3 and other not in s3 and f"s3.{other}" not in wrong:
                yield f"s3.{key}", f"s3.{other} is missing; give both, or neither to use the usual AWS chain"
    elif not archive.get("url"):
        yield from _directories(tree, "archive.directory", archive.get("directory"))
    elif archive["url"].startswith("file://"):
        yield from _directories(tree, "archive.url", unquote(urlsplit(archive["url"]).path))
    yield from _cache(archive.get("cache"), tree)


def _cache(cache: str | None, tree: dict[str, Any]) -> Iterator[Problem]:
    """The cache must not fill up the directories of recordings, or be mistaken for recordings."""
    if cache is None:
        return
    given = os.path.realpath(cache)
    for key, other in (
        ("recorder.directory", tree.get("recorder", {}).get("directory", "data")),
        ("archive.directory", tree.get("archive", {}).get("directory", "archive")),
    ):
        if f"{given}/".startswith(f"{os.path.realpath(other).rstrip('/')}/"):
            yield "archive.cache", f"this lies inside {key}; choose a directory elsewhere"


def _classes(tree: dict[str, Any], wrong: set[str]) -> Iterator[Problem]:
    if {"s3", "s3.endpoint", "archive.url"} & wrong:
        return
    s3, archive = tree.get("s3"), tree.get("archive") or {}
    family = family_of(s3 is not None, (s3 or {}).get("endpoint"), archive.get("url"))
    name = (tree.get("uploader") or {}).get("storage_class")
    if name and (why := wrong_for_writing(family, name)):
        yield "uploader.storage_class", f"{name} {why}"
    name = archive.get("tier_class")
    if name and (why := wrong_class(family, name)):
        yield "archive.tier_class", f"{name} {why}"
    if not archive.get("tier_after"):
        return
    if family is DIRECTORY:
        yield "archive.tier_after", "a directory has no storage classes; leave this out"
    elif not name and not family.coldest:
        if family.known:
            yield "archive.tier_after", f"{family.title} has one storage class alone; leave this out"
        else:
            yield (
                "archive.tier_after",
                "name the class (archive.tier_class): those of this store are unknown",
            )


def _bundle(uploader: dict[str, Any]) -> Iterator[Problem]:
    compression = uploader.get("compression", "zstd")
    if uploader.get("bundle") and compression != "zstd":
        yield (
            "uploader.bundle",
            f"bundles are compressed with zstd, and uploader.compression is {compression}: set that to zstd, "
            "or leave this out",
        )


def _keep(tree: dict[str, Any], platforms: Registry) -> Iterator[Problem]:
    for name in (tree.get("archive") or {}).get("keep") or {}:
        platform = name.partition("/")[0]
        if name != "default" and platform not in platforms:
            yield f"archive.keep.{name}", f"there is no platform {platform}; there are {', '.join(platforms)}"


def _directories(tree: dict[str, Any], key: str, archive: str | None) -> Iterator[Problem]:
    spool = tree.get("recorder", {}).get("directory", "data")
    # The problem is reported for the key that is given.
    names = (key, "recorder.directory") if archive is not None else ("recorder.directory", key)
    given, other = (os.path.realpath(archive or "archive" if name == key else spool) for name in names)
    if given == other:
        yield names[0], f"this is {names[1]} as well; the two must differ"
    elif given.startswith(f"{other.rstrip('/')}/"):
        yield names[0], f"this lies inside {names[1]}; put the two side by side"
    elif other.startswith(f"{given.rstrip('/')}/"):
        yield names[0], f"{names[1]} lies inside of this; put the two side by side"


def _listening(tree: dict[str, Any]) -> Iterator[Problem]:
    listen = tree.get("archive", {}).get("listen")
    # With port 0, each server gets a port of its own.
    if listen and listen == tree.get("http", {}).get("listen", "127.0.0.1:8080") and listen[-2:] != ":0":
        yield "archive.listen", "this is http.listen as well; the archive needs a port of its own"


def _endpoint(s3: dict[str, Any], wrong: set[str]) -> Iterator[Problem]:
    bucket, endpoint = s3.get("bucket"), s3.get("endpoint")
    if bucket and endpoint and not wrong & {"s3.bucket", "s3.endpoint", "s3.addressing"}:
        try:
            doors_of(endpoint, bucket, s3.get("addressing", AUTO))
        except ValueError as error:
            yield "s3.endpoint", f"{endpoint} {error}"


def _cluster(tree: dict[str, Any], wrong: set[str]) -> Iterator[Problem]:
    cluster = tree.get("cluster")
    if cluster is None:
        return
    if not tree.get("instance") and "instance" not in wrong:
        yield (
            "cluster",
            "each recorder of a cluster needs a name of its own; write instance: ${HOSTNAME}, or another "
            "name for each, at the top",
        )
    lease, drain = cluster.get("lease", 10.0), cluster.get("drain", 60.0)
    if 0.0 < drain < 1.5 * lease:
        yield (
            "cluster.drain",
            f"this is too short to hand rooms over; give it at least {show_duration(1.5 * lease)}, or 0s to "
            "end without handing over",
        )
