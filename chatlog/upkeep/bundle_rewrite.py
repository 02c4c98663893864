"""Replaces a bundle by another one, in which some objects are gone or different."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import NamedTuple

from chatlog.naming import parse_bundle_key
from chatlog.store.store import CORRUPT, Head, Store, StoreError
from chatlog.upkeep.bundle_put import Piece, put_bundle
from chatlog.uploader.bundle_table import Slice, has_table_inside, parsed_table, read_packed, table_bytes
from chatlog.uploader.manifest_rows import BundledRow, ObjectRow, ReplacedRow, Row
from chatlog.uploader.packing import ContentsReader, unpacked


class OldBundle(NamedTuple):
    """A bundle in memory: its key, its bytes, and its objects."""

    key: str
    data: bytes
    slices: list[Slice]

    @property
    def sha256(self) -> str:
        """The digest of its bytes."""
        return hashlib.sha256(self.data).hexdigest()

    def piece(self, place: Slice) -> bytes:
        """One of the objects in it."""
        return self.data[place.offset : place.offset + place.bytes]


class NewBundle(NamedTuple):
    """The bundle that replaces another one: the rows of its objects (``bundled``); the rows of unchanged
    objects (``kept``), which may be in no manifest yet; and its key, size and digest; ``""`` and 0 if nothing
    is left."""

    bundled: list[BundledRow]
    kept: list[ObjectRow]
    key: str = ""
    bytes: int = 0
    sha256: str = ""

    @property
    def rows(self) -> list[Row]:
        """All of its rows."""
        return [*self.kept, *self.bundled]

    def replaces(self, old: OldBundle, request: str, at: str) -> ReplacedRow:
        """The row about the bundle itself. The lines are counted in the rows of the objects."""
        return ReplacedRow(old.key, old.sha256, 0, self.key, self.bytes, self.sha256, 0, 0, 0, request, at)


def load_bundle(store: Store, key: str) -> OldBundle:
    """Read a bundle. Raises StoreError; its kind is CORRUPT if its table is damaged."""
    data = b"".join(store.read(key))
    try:
        packed = data if has_table_inside(key) else read_packed(store, Head(key, len(data), ""))
        slices = list(parsed_table(key, packed).slices())
    except ValueError as error:
        raise StoreError(f"{key}: {error}", CORRUPT) from None
    return OldBundle(key, data, slices)


def rewrite_bundle(
    store: Store, old: OldBundle, gone: Collection[Slice], others: Mapping[Slice, Piece], taken: int = 0
) -> NewBundle:
    """Put a bundle with the objects of the old one, without those that are ``gone``, with ``others`` in the
    places of some, and all further ones byte for byte, and read it back. Its number is above ``taken``, and
    above that of the old one. The old one is still there afterwards. Raises StoreError; its kind is CORRUPT,
    and nothing is done, if an object in it is damaged: nothing may be copied that hides a damage."""
    pieces, kept = [], []
    for place in old.slices:
        if place in gone:
            continue
        if place in others:
            pieces.append(others[place])
            continue
        piece = Piece(place.key, old.piece(place))
        kept.append(_row_of(old, piece))
        pieces.append(piece)
    if not pieces:
        return NewBundle([], [])
    name, suffix = parse_bundle_key(old.key)
    rows = put_bundle(store, name.numbered(max(name.n, taken) + 1), suffix, pieces, [old.key])
    key = rows[0].bundle
    parts = [piece.data for piece in pieces]
    if has_table_inside(key):
        places = [Slice(row.key, key, row.offset, row.bytes) for row in rows]
        parts.append(table_bytes(places, [old.key]))
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return NewBundle(rows, kept, key, sum(map(len, parts)), digest.hexdigest())


def _row_of(old: OldBundle, piece: Piece) -> ObjectRow:
    reader = ContentsReader()
    suffix = next((end for end in (".gz", ".zst") if piece.key.endswith(end)), "")
    try:
        if not piece.data:
            raise ValueError("it is empty")
        for chunk in unpacked([piece.data], suffix):
            reader.feed(chunk)
    except ValueError as error:
        raise StoreError(f"{piece.key} in {old.key} is damaged: {error}", CORRUPT) from None
    contents = reader.contents()
    digest = hashlib.sha256(piece.data).hexdigest()
    return ObjectRow(piece.key, len(piece.data), digest, contents.lines, contents.first, contents.last)
