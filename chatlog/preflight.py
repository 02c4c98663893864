"""Checks a configuration before anything is started, for ``chatlog check`` and ``twistd chatlog --check``. It
makes no connection, creates nothing and leaves nothing behind."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from chatlog import configuration as config
from chatlog.archive.retention import Retention
from chatlog.config.ephemeral import warnings
from chatlog.config.places import placed
from chatlog.config.platform import Registry, rooms_of
from chatlog.config.settings import ArchiveSettings, Settings
from chatlog.config.storage_classes import remarks
from chatlog.config.values import FOREVER, show_keep
from chatlog.files import OsFiles
from chatlog.mounts import FSTAB, read_mounts
from chatlog.near_names import near
from chatlog.network.proxies import proxies_in
from chatlog.network.tls import CertificateAuthorityError
from chatlog.platforms import PLATFORMS
from chatlog.sources import check_authorities
from chatlog.spool.holder import running_in
from chatlog.state.state_file import newer_state
from chatlog.store.archive import family_in, open_store
from chatlog.store.store import StoreError
from chatlog.twitch.native import find

#: The names that stores accept for new buckets:
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html, and the same for Google Cloud
#: Storage and for containers of Azure.
_NEW_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")


class Findings(NamedTuple):
    """``meaning`` is the configuration in force, as YAML with comments. With ``problems`` the recorder does
    not start."""

    meaning: str
    problems: list[str]


def examine(
    path: str, settings: Settings, environ: Mapping[str, str], registry: Registry = PLATFORMS
) -> Findings:
    """Check the settings that were read for ``path``."""
    proxies, problems, mind = proxies_in(environ)
    problems = [*problems, *config.check_directories(settings), *later_state(settings), *_refusals(settings)]
    problems += without_engine(settings)
    mind = [
        *warnings(settings, environ, read_mounts(), read_mounts(FSTAB)),
        *mind,
        *_doubts(settings, registry),
    ]
    comments = [*proxies.describe()]
    if "twitch" in settings.platforms:
        parser = find(environ)
        (mind if parser.is_refused else comments).append(f"twitch: {parser.words}")
    comments += [f"Mind: {warning}" for warning in mind]
    remarks = "".join(f"# {comment}\n" for comment in comments)
    meaning = f"# {config.read_for(path)}\n{config.describe(settings, registry)}{remarks}"
    return Findings(meaning, placed(path, problems))


def later_state(settings: Settings) -> list[str]:
    """The problem of a spool with state of a later version, if it has any."""
    refusal = newer_state(OsFiles(), settings.recorder.directory)
    return [refusal] if refusal else []


def without_engine(settings: Settings) -> list[str]:
    """The problem of a cluster whose engine needs a package that is not installed, if there is one."""
    if settings.cluster is None:
        return []
    from chatlog.cluster.engines import missing_extra

    missing = missing_extra(settings.cluster.engine)
    return [f"cluster.engine: {missing}"] if missing else []


def _refusals(settings: Settings) -> Iterator[str]:
    """The problems that would keep a part from being created."""
    files = [section.ca_file for section in settings.platforms.values() if section.ca_file is not None]
    # Files that cannot be read are reported already.
    if all(os.access(path, os.R_OK) and os.path.isfile(path) for path in files):
        try:
            check_authorities(settings)
        except CertificateAuthorityError as error:
            yield str(error)
    try:
        open_store(settings)
    except StoreError as error:
        yield str(error)
    if settings.cluster is not None:
        # Imported late: most recorders are in no cluster.
        from chatlog.cluster.engines import missing_extra

        missing = missing_extra(settings.cluster.engine)
        if missing:
            yield f"cluster.engine: {missing}"


def _doubts(settings: Settings, registry: Registry) -> Iterator[str]:
    """Probable mistakes that do not prevent recording."""
    if settings.s3 is not None and not _NEW_BUCKET.match(settings.s3.bucket):
        yield (
            f"s3.bucket: {settings.s3.bucket} is a name that no store gives to a new bucket (3 to 63 of a-z, "
            "0-9, - and .); look whether it is spelt like that"
        )
    directory, url = settings.archive.directory, settings.archive.url
    if (settings.s3 is not None or url is not None) and directory != ArchiveSettings().directory:
        where = "archive.url" if settings.s3 is None else "s3"
        yield f"archive.directory: with {where} nothing is stored in {directory}; leave one of the two out"
    yield from remarks(family_in(settings), settings.uploader.storage_class, settings.archive.tier_class)
    yield from _doubts_of_keeping(settings, registry)
    yield from _doubts_of_cluster(settings)
    # The recorder may be running while its configuration is checked.
    running = running_in(settings.recorder.directory) is not None
    for key, listen, meanwhile in (
        ("http.listen", settings.http.listen, "there is no page"),
        ("archive.listen", settings.archive.listen, "the archive is not served"),
    ):
        if listen is not None:
            why = _listening(listen, running)
            if why:
                yield f"{key}: {listen}: {why}. Until then everything is recorded, but {meanwhile}"


def _doubts_of_cluster(settings: Settings) -> Iterator[str]:
    """Settings that make a cluster record less than it could."""
    twitch = settings.platforms.get("twitch")
    if settings.cluster is not None and getattr(twitch, "oauth", None) is not None:
        yield (
            "twitch.oauth: Twitch lets one account join 100 rooms, all recorders of a cluster together; "
            "leave twitch.username and twitch.oauth out, so that they read anonymously"
        )
    if settings.cluster is not None and settings.s3 is None and settings.archive.url is None:
        yield (
            "archive.directory: the recorders of a cluster need one archive that all of them reach; give s3 "
            "or archive.url, unless this directory is shared"
        )


def _doubts_of_keeping(settings: Settings, registry: Registry) -> Iterator[str]:
    """Probable mistakes in ``archive.keep``, and chat that is deleted before its cheaper storage pays."""
    retention = Retention(settings.archive.keep)
    recorded = {f"{platform}/{name}" for platform, name in rooms_of(registry, settings.platforms)}
    for room in sorted(map("/".join, retention.rooms())):
        if room not in recorded:
            # The names alone: with the platform in front, any two rooms of a platform would be similar.
            names = near(room.rpartition("/")[2], {other.rpartition("/")[2] for other in recorded})
            alike = sorted(other for other in recorded if other.rpartition("/")[2] in names)
            hint = f" (there is {', '.join(alike)})" if alike else ""
            yield f"archive.keep.{room}: this room is not recorded; look whether it is spelt like that{hint}"
    if not retention.is_forever and settings.archive.listen is None:
        yield (
            "archive.keep: without archive.listen nothing is deleted by itself; run chatlog expire "
            "--by-itself daily, from cron for instance"
        )
    tier_after, family = settings.archive.tier_after, family_in(settings)
    colder = family.find(settings.archive.tier_class or family.coldest)
    if tier_after is None or colder is None:
        return
    early = min(retention.times(), default=FOREVER)
    if tier_after < early < tier_after + colder.least_days * 86400:
        yield (
            f"archive.tier_after: what is deleted after {show_keep(early)} lies in {colder.name} for less "
            f"than the {colder.least_days} days that {family.title} bills at least"
        )


def _listening(listen: str, running: bool) -> str:
    """Why a server cannot listen on the address, ``""`` if it can. ``running``: the recorder itself may
    listen there."""
    host, _, port = listen.rpartition(":")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        # A host name; the start will show whether it can be used.
        return ""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_STREAM) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((str(address), int(port)))
    except OSError as error:
        if running and error.errno == errno.EADDRINUSE:
            return ""
        return {
            errno.EADDRINUSE: "another program listens there; choose another port",
            errno.EADDRNOTAVAIL: "this machine does not have the address; 0.0.0.0 stands for all that it has",
            errno.EACCES: "ports below 1024 are for the administrator; choose a higher one",
        }.get(error.errno or 0, error.strerror or "it cannot be listened on")
    return ""
