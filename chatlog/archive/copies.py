"""Stored files that have one name.

An object that goes into a bundle is there twice for a while, with the same bytes: one of the two is enough.
Two recorders, a backup that was put back, or an older version may leave different bytes under one name. Then
each is a file for itself, and a reader of the archive reads all of them, so that none hides another.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from threading import Lock

from chatlog.archive.listings import Named, keep
from chatlog.chunks import sha256_of
from chatlog.naming import FileName, is_import
from chatlog.store.store import MISSING, StoreError

#: The most digests that are kept.
_KEPT = 4096


class Copies:
    """Compares files of one store; ``read(file)`` yields the bytes of one. May be used by several threads."""

    def __init__(self, read: Callable[[Named], Iterator[bytes]]) -> None:
        self._read = read
        self._digests: OrderedDict[str, str] = OrderedDict()
        self._lock = Lock()

    def apart(self, listed: Sequence[Named]) -> Sequence[Named]:
        """The files of a listing, of those with the same name and the same bytes only the last one. Files
        are read only if their names and sizes are the same. Raises nothing."""
        by_name: dict[FileName, list[Named]] = {}
        for named in listed:
            by_name.setdefault(named.name, []).append(named)
        if len(by_name) == len(listed):
            return listed
        return [each for same in by_name.values() for each in self._different(same)]

    def _different(self, same: list[Named]) -> list[Named]:
        if len(same) == 1:
            return same
        found: dict[tuple[str, int, str], Named] = {}
        sizes = [(each.suffix, each.size) for each in same]
        for each, size in zip(same, sizes, strict=True):
            digest = self._digest(each) if sizes.count(size) > 1 else ""
            if digest is not None:
                found[(*size, digest)] = each
        if len(found) <= 1:
            return list(found.values())
        # The order depends on the bytes alone, not on the places of the files.
        return [found[which]._replace(copy=n) for n, which in enumerate(sorted(found), 1)]

    def _digest(self, named: Named) -> str | None:
        """A digest of the file's bytes; None if the file is gone."""
        which = f"{named.name}{named.suffix} {named.version}"
        with self._lock:
            known = self._digests.get(which)
        if known is not None:
            return known
        try:
            digest = sha256_of(self._read(named))
        except StoreError as error:
            # The reader looks for the file again, or reports why it cannot be read.
            return None if error.kind == MISSING and named.place is None else f"? {which}"
        with self._lock:
            keep(self._digests, which, digest, _KEPT)
        return digest


def stream_of(instance: str, copy: int) -> str:
    """The name of a stream: the files that an instance wrote one after the other. Files with one name are in
    different streams, as if different instances had written them."""
    return instance if copy <= 1 else f"{instance} {copy}"


def instance_in(stream: str) -> str:
    """The instance that wrote the files of a stream."""
    return stream.partition(" ")[0]


def is_imported(stream: str) -> bool:
    """Whether the files of a stream are those of an import."""
    return is_import(instance_in(stream))
