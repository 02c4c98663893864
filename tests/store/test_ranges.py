"""Parts of objects, from every kind of store."""

from __future__ import annotations

import os

from chatlog.store.directory_store import DirectoryStore
from chatlog.store.object_store import open_s3
from chatlog.store.store import MISSING, Store, StoreError
from tests.store.test_object_store import StoreCase

DATA = bytes(range(256)) * 20


class RangeTests(StoreCase):
    """``read_range`` of a bucket, of one that only gives whole objects, and of a directory."""

    def stores(self) -> list[Store]:
        whole = self.server()
        whole.ranges = False
        root = self.mktemp()
        os.makedirs(root)
        found: list[Store] = [open_s3(self.settings(each.endpoint), 1000) for each in (self.s3, whole)]
        found.append(DirectoryStore(root))
        for store in found:
            store.put_new("a/b", DATA, {})
        return found

    def test_parts(self) -> None:
        """Every part is given: at the beginning, in the middle, at the end, over the end, behind it; also an
        empty one."""
        for store in self.stores():
            for offset, size in (
                (0, 10),
                (100, 1),
                (4000, 1120),
                (4000, 9999),
                (0, len(DATA)),
                (9000, 5),
                (3, 0),
            ):
                found = b"".join(store.read_range("a/b", offset, size))
                self.assertEqual(found, DATA[offset : offset + size], (store.describe(), offset, size))

    def test_missing(self) -> None:
        """Of an object that is not there, the error says so."""
        for store in self.stores():
            with self.assertRaises(StoreError) as caught:
                list(store.read_range("a/c", 0, 10))
            self.assertEqual(caught.exception.kind, MISSING, store.describe())
