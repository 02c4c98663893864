"""Puts one object into a store under a free key, and verifies it.

A put can be repeated: an object that is in the store already is recognised by its bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from chatlog.naming import BundleName, FileName, ManifestName
from chatlog.store.store import CORRUPT, EXISTS, OBJECT, REFUSED, TRANSIENT, Store, StoreError
from chatlog.uploader.packing import CONTENT_TYPES, Packed

#: The name of an object with recordings, of a manifest, or of a bundle.
Name = FileName | ManifestName | BundleName

#: Names that are tried when an object with other bytes has the name.
_MOST_NAMES = 1000


class Inside(NamedTuple):
    """A file that was stored in a bundle, as the object ``key``: the place of its bytes in the bundle, and
    their facts as in ``Stored``."""

    key: str
    offset: int
    bytes: int
    sha256: str
    lines: int
    first: str
    last: str


class Stored(NamedTuple):
    """A verified object. ``bytes`` and ``sha256`` (hex) are of the object as stored, after compression.
    ``first`` and ``last`` are timestamps of records. ``content`` is ``data``, ``manifest`` or ``bundle``, and
    ``inside`` the objects in a bundle."""

    name: str
    key: str
    bytes: int
    sha256: str
    lines: int
    first: str
    last: str
    content: str
    inside: tuple[Inside, ...] = ()


def following(name: Name) -> Name:
    """The name with the next number."""
    return name.numbered(name.n + 1)


class Deposit:
    """Puts objects into one store. Everything here blocks."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(
        self,
        parts: Name,
        packed: Packed,
        content: str = "data",
        following: Callable[[Name], Name] = following,
    ) -> tuple[Stored, bool]:
        """Put the object under its key, or under the next free one, and verify it; ``following`` gives the
        name that is tried after one that is not free. Returns the object, and whether it was in the store
        before. Raises StoreError."""
        contents = packed.contents
        attributes = {
            "Content-Type": CONTENT_TYPES[packed.suffix],
            "sha256": packed.sha256,
            "lines": str(contents.lines),
            "first": contents.first,
            "last": contents.last,
        }
        name = str(parts)
        for _ in range(_MOST_NAMES):
            key = parts.key(suffix=packed.suffix)
            again = False
            try:
                self._store.put_new(key, packed.data, attributes)
            except StoreError as error:
                if error.kind != EXISTS:
                    if not self._is_there(key, packed, error):
                        raise
                elif not self._is_same(key, packed):
                    parts = following(parts)
                    continue
                again = True
            else:
                self._verify(key, packed)
            return (
                Stored(
                    str(parts),
                    key,
                    len(packed.data),
                    packed.sha256,
                    contents.lines,
                    contents.first,
                    contents.last,
                    content,
                ),
                again,
            )
        raise StoreError(f"{name}: {_MOST_NAMES} objects of that name have other bytes", CORRUPT)

    def _is_there(self, key: str, packed: Packed, error: StoreError) -> bool:
        """Whether a refused object is in the store already. An earlier answer may have been lost, and some
        stores refuse to replace an object without saying that it exists."""
        if error.of_all or error.kind not in (OBJECT, REFUSED):
            return False
        with suppress(StoreError):
            head = self._store.head(key)
            return head is not None and head.size == len(packed.data) and self._reads_back(key, packed)
        return False

    def _is_same(self, key: str, packed: Packed) -> bool:
        head = self._store.head(key)
        if head is None:
            # The store says that the object exists, and then that it does not: another writer deleted it, or
            # the store is inconsistent.
            raise StoreError(f"{key} is said to exist and is not there", TRANSIENT, "two minds")
        if head.size != len(packed.data):
            self._refuse_page(key)
            return False
        return head.etag == packed.md5 or self._reads_back(key, packed)

    def _verify(self, key: str, packed: Packed) -> None:
        """Check the stored object: the store's answer to the put is no proof. Raises StoreError."""
        head = self._store.head(key)
        if head is None:
            raise StoreError(f"{key} was accepted, and is not there", TRANSIENT, "not stored")
        if head.size != len(packed.data):
            self._refuse_page(key)
            raise StoreError(
                f"{key} has {head.size} bytes in the store and not {len(packed.data)}", CORRUPT, "other size"
            )
        # The ETag of an encrypting store is not the MD5 of the bytes.
        if head.etag != packed.md5 and not self._reads_back(key, packed):
            raise StoreError(f"{key} has other bytes in the store", CORRUPT, "other bytes")

    def _refuse_page(self, key: str) -> None:
        """Raise StoreError if a web page answers in place of the store."""
        try:
            next(iter(self._store.read(key)), b"")
        except StoreError as error:
            if error.of_all:
                raise

    def _reads_back(self, key: str, packed: Packed) -> bool:
        digest = hashlib.sha256()
        for chunk in self._store.read(key):
            digest.update(chunk)
        return digest.hexdigest() == packed.sha256
