"""Opens an archive for reading: the store of a configuration, and the spool of a recorder on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from chatlog.archive.catalog import Catalog
from chatlog.archive.compacted import Compacted
from chatlog.archive.file_cache import cache_of
from chatlog.archive.index_lookup import Index
from chatlog.archive.read_ahead import ReadAhead
from chatlog.archive.reader import Reader
from chatlog.archive.retention import Retention
from chatlog.archive.room_files import Parts, Room
from chatlog.archive.tailing import Tail
from chatlog.archive.waiting_manifests import WaitingManifests
from chatlog.config.settings import Settings
from chatlog.files import OsFiles
from chatlog.store.archive import open_store
from chatlog.store.store import MISSING, Store, StoreError
from chatlog.suppression.hidden import Hidden, hidden_in


@dataclass(frozen=True, slots=True)
class Archive:
    """An open archive. ``reader`` returns records, ``catalog`` and ``parts`` list files, and ``tail`` reads
    what a recorder on this machine writes now; ``retention`` says how long records are kept. ``reader`` and
    ``tail`` leave out those who are ``hidden``. ``waiting`` has the manifests that are not stored yet."""

    store: Store
    catalog: Catalog
    parts: Parts
    reader: Reader
    tail: Tail
    retention: Retention = field(default_factory=Retention)
    hidden: Hidden = field(default_factory=Hidden)
    waiting: WaitingManifests = field(default_factory=lambda: WaitingManifests(OsFiles()))

    def rooms(self) -> set[Room]:
        """Every room with records. Raises StoreError."""
        return self.catalog.all_rooms(latest=10_000) | self.parts.rooms()


def open_archive(
    settings: Settings,
    now: Callable[[], float],
    spool: bool = True,
    may_be_new: bool = False,
    everybody: bool = False,
) -> Archive:
    """The archive of a configuration; with ``spool``, also the files that its recorder has not stored yet.
    Records of people who opted out are left out, unless ``everybody`` is to be read. Raises StoreError, also
    if the archive's directory does not exist, unless it ``may_be_new``."""
    if not may_be_new:
        _look_for_directory(settings)
    store = open_store(settings)
    catalog = Catalog(store, now, settings.recorder.rotate_interval)
    directory = settings.recorder.directory if spool else ""
    # Fetching ahead gains nothing in a directory.
    ahead = None if _is_directory(settings) else ReadAhead()
    parts = Parts(catalog, OsFiles(), directory, ahead)
    hidden = Hidden() if everybody else hidden_in(settings, store)
    tail = Tail(OsFiles(), directory, parts, hidden)
    cache = cache_of(settings, store)
    index, compacted = Index(store, cache, now), Compacted(store, cache, now)
    reader = Reader(parts, now, hidden=hidden, index=index, compacted=compacted)
    return Archive(
        store,
        catalog,
        parts,
        reader,
        tail,
        Retention(settings.archive.keep),
        hidden,
        WaitingManifests(OsFiles(), directory),
    )


def _look_for_directory(settings: Settings) -> None:
    """A bucket without objects is empty; a missing directory is a mistake. Raises StoreError."""
    url = settings.archive.url
    if _is_directory(settings):
        directory = settings.archive.directory if url is None else unquote(urlsplit(url).path)
        if not os.path.isdir(directory):
            raise StoreError(f"there is no directory {directory!r}", MISSING)


def _is_directory(settings: Settings) -> bool:
    url = settings.archive.url
    return settings.s3 is None and (url is None or url.startswith("file://"))
