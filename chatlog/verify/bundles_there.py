"""Compares the bundles in the store with the rows of the manifests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from chatlog.counted import many
from chatlog.naming import BundleName, FileName, parse_bundle_key
from chatlog.store.store import Head, Store
from chatlog.uploader.bundle_table import read_table
from chatlog.uploader.manifest_rows import BundledRow
from chatlog.verify.archive_index import ArchiveIndex
from chatlog.verify.gone_check import STILL_THERE
from chatlog.verify.keys import name_of_object
from chatlog.verify.object_check import Named

#: Seconds after it was stored in which a bundle may be in no manifest yet.
_PENDING = 7200.0


class BundlesThere:
    """The bundles of one archive. ``report`` takes a problem: its kind, the key, and what is wrong.
    ``whole``: the index has all objects, so that a bundle which it does not know is foreign, unless it
    ``is_unattested``: the manifest about it may have been lost."""

    def __init__(
        self,
        index: ArchiveIndex,
        whole: bool,
        now: float,
        report: Callable[[str, str, str], object],
        is_unattested: Callable[[Head, BundleName], bool] = lambda head, name: False,
    ) -> None:
        self._index = index
        self._whole = whole
        self._now = now
        self._report = report
        self._is_unattested = is_unattested
        #: Bundles that are in no manifest yet, and those whose manifest may be lost.
        self.pending: list[tuple[Head, BundleName]] = []
        # How many bundles have only objects that are in other bundles too.
        self._left_over = 0
        self.unattested: list[Head] = []
        #: Bundles that are in the store and can be read.
        self.there: set[str] = set()

    @property
    def note(self) -> str:
        """A sentence about bundles that should be gone and do no harm; ``""`` if there are none."""
        if not self._left_over:
            return ""
        bundles = many(self._left_over, "bundle is", "bundles are")
        return (
            f"{bundles} still there, and all that is in {'it' if self._left_over == 1 else 'them'} is in "
            "others: chatlog bundle was interrupted; run it again"
        )

    def check(self, listed: Iterable[Head]) -> None:
        """Check the listed bundles and their sizes, and report the missing ones."""
        for head in listed:
            with suppress(ValueError):
                self._check(head, parse_bundle_key(head.key)[0])
        for bundle in self._index.in_bundles.bundles():
            if bundle not in self.there:
                count = sum(1 for _ in self._index.in_bundles.slices(bundle))
                what = f"the manifests say that {many(count, 'object is', 'objects are')} in it"
                self._report("missing-object", bundle, what)

    def _check(self, head: Head, name: BundleName) -> None:
        index = self._index.in_bundles
        end = index.end_of(head.key)
        gone = index.why_gone(head.key)
        if gone and not index.has_live(head.key):
            self._report("not-erased", head.key, STILL_THERE[gone])
        elif end is not None:
            self.there.add(head.key)
            if head.size < end:
                what = f"{many(head.size, 'byte')}, and the manifests say that it has {end} or more"
                self._report("altered-object", head.key, what)
        elif index.is_known(head.key):
            # All its objects are in other bundles as well.
            self._left_over += 1
        elif head.stored is not None and head.stored > self._now - _PENDING:
            self.pending.append((head, name))
        elif self._whole and not name.platform and self._is_unattested(head, name):
            self.unattested.append(head)
        elif self._whole:
            self._report("unnamed-object", head.key, "no manifest says what is in this bundle")


def named_by_table(
    store: Store, index: ArchiveIndex, head: Head, wanted: Callable[[FileName], bool]
) -> list[tuple[BundledRow, Named]]:
    """The objects in a bundle that is in no manifest, by the bundle's table, without objects that a manifest
    names. Raises StoreError, and ValueError if the bundle's table is damaged."""
    found = []
    for each in read_table(store, head).slices():
        name = name_of_object(each.key)
        if name is not None and wanted(name) and index.object(each.key) is None:
            row = BundledRow(each.key, head.key, each.offset, each.bytes, "")
            found.append((row, Named(each.key, name, each.bytes, None)))
    return found
