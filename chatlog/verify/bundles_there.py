"""Compares the bundles that there are with those of which the manifests say what is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from chatlog.counted import many
from chatlog.naming import parse_bundle_key
from chatlog.store.store import Head
from chatlog.verify.archive_index import ArchiveIndex
from chatlog.verify.gone_check import STILL_THERE

#: Seconds in which what was stored may be in no manifest yet.
_PENDING = 7200.0


class BundlesThere:
    """The bundles of one archive. ``report`` takes a problem: its kind, the key, and what is wrong.
    ``whole``: the index has all objects, so that a bundle which it does not know is foreign."""

    def __init__(
        self, index: ArchiveIndex, whole: bool, now: float, report: Callable[[str, str, str], object]
    ) -> None:
        self._index = index
        self._whole = whole
        self._now = now
        self._report = report
        #: Bundles that are in no manifest yet.
        self.pending = 0
        #: Those that are there and can be read.
        self.there: set[str] = set()

    def check(self, listed: Iterable[Head]) -> None:
        """Check which there are, and how large they are."""
        for head in listed:
            with suppress(ValueError):
                parse_bundle_key(head.key)
                self._check(head)
        for bundle in self._index.in_bundles.bundles():
            if bundle not in self.there:
                count = sum(1 for _ in self._index.in_bundles.slices(bundle))
                what = f"the manifests say that {many(count, 'object is', 'objects are')} in it"
                self._report("missing-object", bundle, what)

    def _check(self, head: Head) -> None:
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
        elif self._whole:
            if head.stored is not None and head.stored > self._now - _PENDING:
                self.pending += 1
            else:
                self._report("unnamed-object", head.key, "no manifest says what is in this bundle")
