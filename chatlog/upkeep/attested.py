"""Finds the rows of objects in the manifests: their digests, their lines, and the time of their last
record."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date, timedelta

from chatlog.archive import lines
from chatlog.archive.blocks import LONGEST_LINE
from chatlog.chunks import lines_of
from chatlog.store.store import Store
from chatlog.uploader.manifest_chain import suffix_of
from chatlog.uploader.manifest_rows import LONGEST_ROW, ObjectRow, ReplacedRow, Row, parsed
from chatlog.uploader.packing import unpacked

#: An object is named in a manifest of its own day or of one of so many later ones: the store may have been
#: away in between.
_LATER = 40
#: The days whose rows are kept in memory.
_KEPT = 3


class Attested:
    """The rows of objects of one store. Every method may raise StoreError."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._days: OrderedDict[str, dict[str, ObjectRow]] = OrderedDict()
        self._months: dict[str, set[str]] = {}
        self._new: dict[str, ObjectRow] | None = None

    def rows(self, keys: Iterable[str], day: str) -> dict[str, ObjectRow]:
        """The rows of these objects of a day, without objects that no manifest names."""
        wanted = set(keys)
        found: dict[str, ObjectRow] = {}
        for back in range(_LATER + 1):
            if not wanted:
                return found
            if back == 2:
                # Objects that replaced others in an erasure are named in other manifests.
                self._take(found, wanted, self._rewritten())
            later = date.fromisoformat(day) + timedelta(days=back)
            self._take(found, wanted, self._of_day(later.isoformat()))
        return found

    def read(self, key: str, chunks: Iterable[bytes] | None = None) -> ObjectRow:
        """The row of an object that no manifest names, from the object itself, or from its bytes. Raises
        ValueError if it is damaged."""
        digest, size, count = hashlib.sha256(), 0, 0
        first = last = b""

        def taken() -> Iterator[bytes]:
            nonlocal size
            for chunk in self._store.read(key) if chunks is None else chunks:
                digest.update(chunk)
                size += len(chunk)
                yield chunk

        for line, _ in lines_of(unpacked(taken(), suffix_of(key)), LONGEST_LINE):
            count += 1
            time = lines.timestamp(line)
            first, last = first or time, max(last, time)
        return ObjectRow(key, size, digest.hexdigest(), count, first.decode(), last.decode())

    @staticmethod
    def _take(found: dict[str, ObjectRow], wanted: set[str], rows: dict[str, ObjectRow]) -> None:
        for key in wanted & rows.keys():
            found[key] = rows[key]
            wanted.remove(key)

    def _of_day(self, day: str) -> dict[str, ObjectRow]:
        known = self._days.get(day)
        if known is None:
            known = self._days[day] = {}
            for row in self._rows(f"manifest/{day.replace('-', '/')}/") if self._has(day) else ():
                if isinstance(row, ObjectRow):
                    known[row.key] = row
            while len(self._days) > _KEPT:
                self._days.popitem(last=False)
        self._days.move_to_end(day)
        return known

    def _has(self, day: str) -> bool:
        """Whether there are manifests of a day."""
        month = day[:7].replace("-", "/")
        if month not in self._months:
            if len(self._months) > _LATER:
                self._months.clear()
            self._months[month] = set(self._store.folders(f"manifest/{month}/"))
        return day[8:] in self._months[month]

    def _rewritten(self) -> dict[str, ObjectRow]:
        if self._new is None:
            self._new = {
                row.by: ObjectRow(row.by, row.bytes, row.sha256_new, row.lines_new, "", "")
                for row in self._rows("manifest/erasure/")
                if isinstance(row, ReplacedRow) and row.by
            }
        return self._new

    def _rows(self, prefix: str) -> Iterator[Row]:
        for head in list(self._store.list(prefix)):
            yield from rows_of(self._store, head.key)


def rows_of(store: Store, key: str) -> Iterator[Row]:
    """The rows of a manifest, as far as they can be read: verify names a damaged one. Raises StoreError."""
    with suppress(ValueError):
        for line, whole in lines_of(unpacked(store.read(key), suffix_of(key)), LONGEST_ROW):
            row = parsed(line) if whole else None
            if row is not None:
                yield row
