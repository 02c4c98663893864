"""Checks objects whose keys are in a bundle as well: the same objects, because the bundling was interrupted,
or other ones with the same key."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from chatlog.chunks import sha256_of
from chatlog.counted import many
from chatlog.naming import FileName
from chatlog.store.store import Head, Store, StoreError
from chatlog.verify.archive_index import ArchiveIndex
from chatlog.verify.gone_check import TWO
from chatlog.verify.object_check import Named
from chatlog.verify.patience import Patience


class NamesakeCheck:
    """The objects of one archive. ``reads``: whether objects are read, and not only listed. ``report`` takes
    a problem: its kind, the key, and what is wrong."""

    def __init__(
        self,
        store: Store,
        index: ArchiveIndex,
        reads: bool,
        patience: Patience,
        report: Callable[[str, str, str], object],
    ) -> None:
        self._store = store
        self._index = index
        self._reads = reads
        self._patience = patience
        self._report = report
        self._left_over = 0
        self._found: set[str] = set()

    @property
    def note(self) -> str:
        """A sentence about objects that are in bundles and still there; ``""`` if there are none."""
        if not self._left_over:
            return ""
        return (
            f"{many(self._left_over, 'object is', 'objects are')} still there and in a bundle as well: "
            "chatlog bundle was interrupted; run it again"
        )

    def other(self, head: Head, name: FileName) -> Named | None:
        """The object, if it differs from the one with its key in a bundle."""
        known = self._index.object(head.key)
        same = known is not None and known.bytes == head.size
        digest = self._digest(head.key) if self._reads or not same else ""
        if same and known is not None and digest in ("", known.sha256):
            # The object is checked in its bundle.
            self._left_over += 1
            return None
        self._found.add(head.key)
        free = name.numbered(name.n + 1).key(suffix=head.key.partition(".jsonl")[2])
        self._report(
            TWO,
            head.key,
            "a bundle has an object of this name, with other bytes: two recorders had one name, or a backup "
            "was put back. Both are read. Delete this one if nobody wants it, or store it under a free name, "
            f"such as {free}, in its place",
        )
        return Named(head.key, name, head.size, self._index.namesakes.object(head.key, digest))

    def _digest(self, key: str) -> str:
        with suppress(StoreError):
            return self._patience.ask(lambda: sha256_of(self._store.read(key)))
        return ""

    def report_missing(self) -> None:
        """Report the missing objects among them. Call this once all objects were listed."""
        for each in self._index.namesakes:
            if each.first_bundle and not each.bundle and each.row.key not in self._found:
                what = f"{each.manifest} names it, with other bytes than the one of its name in a bundle has"
                self._report("missing-object", each.row.key, what)
