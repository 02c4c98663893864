"""Reads the objects in a bundle one behind the other, with one request if nothing fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chatlog.store.store import Store
from chatlog.uploader.bundle_table import Slice


class Pieces:
    """The objects at these places of one bundle. They are read in the order of ``places``."""

    def __init__(self, store: Store, places: Sequence[Slice]) -> None:
        self._store = store
        self._end = max((place.offset + place.bytes for place in places), default=0)
        self._chunks: Iterator[bytes] | None = None
        self._rest = b""
        self._at = 0

    def read(self, place: Slice) -> Iterator[bytes]:
        """The bytes of one object; fewer if the bundle ends before. Raises StoreError; the next object can be
        read nevertheless."""
        if self._chunks is None or place.offset < self._at:
            size = max(self._end, place.offset + place.bytes) - place.offset
            self._chunks = self._store.read_range(place.bundle, place.offset, size)
            self._rest, self._at = b"", place.offset
        for _ in self._taken(place.offset - self._at):
            pass
        yield from self._taken(place.bytes)

    def _taken(self, count: int) -> Iterator[bytes]:
        while count > 0 and self._chunks is not None:
            if not self._rest:
                try:
                    self._rest = next(self._chunks, b"")
                except BaseException:
                    self._chunks = None
                    raise
                if not self._rest:
                    return
            piece, self._rest = self._rest[:count], self._rest[count:]
            count -= len(piece)
            self._at += len(piece)
            yield piece
