"""Puts a bundle into a store, and proves that every object in it is unchanged."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from chatlog.naming import BundleName, parse_bundle_key
from chatlog.store.store import CORRUPT, EXISTS, Head, Store, StoreError
from chatlog.uploader.bundle_pieces import Pieces
from chatlog.uploader.bundle_table import BESIDE, Slice, has_table_inside, table_bytes
from chatlog.uploader.manifest_rows import BundledRow
from chatlog.uploader.packing import CONTENT_TYPES

#: The most numbers that are tried.
_MOST_NAMES = 1000


class Piece(NamedTuple):
    """An object that goes into a bundle: its key, and its bytes."""

    key: str
    data: bytes


def put_bundle(
    store: Store, name: BundleName, suffix: str, pieces: Sequence[Piece], replaces: Sequence[str] = ()
) -> list[BundledRow]:
    """Put a bundle under its name, or under the next free number, and read it back. Returns the rows of its
    objects. ``replaces``: the bundles that it replaces. Raises StoreError."""
    for _ in range(_MOST_NAMES):
        key = name.key(suffix)
        rows, data, table = _bundle(key, pieces, replaces)
        if store.head(key) is None:
            try:
                if not has_table_inside(key):
                    _put_table(store, key + BESIDE, table)
                store.put_new(key, data, {"Content-Type": CONTENT_TYPES[suffix]})
            except StoreError as error:
                if error.kind != EXISTS:
                    raise
            else:
                del data
                if wrong := wrong_in(store, rows):
                    raise StoreError(f"{key} has other bytes in the store: {wrong}", CORRUPT, "other bytes")
                return rows
        name = name.numbered(name.n + 1)
    raise StoreError(f"{name}: {_MOST_NAMES} bundles have this name", CORRUPT)


def wrong_in(store: Store, rows: Sequence[BundledRow]) -> str:
    """The first key whose object is not in its bundle as its row says; ``""`` if all are. The rows are of one
    bundle, and sorted; it is read once. Raises StoreError."""
    places = [Slice(row.key, row.bundle, row.offset, row.bytes) for row in rows]
    pieces = Pieces(store, places)
    for row, place in zip(rows, places, strict=True):
        digest = hashlib.sha256()
        for piece in pieces.read(place):
            digest.update(piece)
        if digest.hexdigest() != row.sha256:
            return row.key
    return ""


def delete_bundle(store: Store, key: str) -> None:
    """Delete a bundle, and its table. Raises StoreError."""
    store.delete(key)
    if not has_table_inside(key):
        store.delete(key + BESIDE)


def bundles_below(store: Store, prefix: str) -> list[Head]:
    """The bundles below a prefix. Raises StoreError."""
    found = []
    for head in store.list(prefix):
        with suppress(ValueError):
            parse_bundle_key(head.key)
            found.append(head)
    return found


def _bundle(
    key: str, pieces: Sequence[Piece], replaces: Sequence[str]
) -> tuple[list[BundledRow], bytes, bytes]:
    """The rows, the bytes, and the table of a bundle."""
    rows, offset = [], 0
    for piece in pieces:
        digest = hashlib.sha256(piece.data).hexdigest()
        rows.append(BundledRow(piece.key, key, offset, len(piece.data), digest))
        offset += len(piece.data)
    table = table_bytes([Slice(row.key, key, row.offset, row.bytes) for row in rows], replaces)
    parts = [piece.data for piece in pieces]
    return rows, b"".join([*parts, table] if has_table_inside(key) else parts), table


def _put_table(store: Store, key: str, table: bytes) -> None:
    """Put a table. A table that is there already belongs to a bundle that was never put."""
    try:
        store.put_new(key, table, {"Content-Type": "application/octet-stream"})
    except StoreError as error:
        if error.kind != EXISTS:
            raise
        store.delete(key)
        store.put_new(key, table, {"Content-Type": "application/octet-stream"})
