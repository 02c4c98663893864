"""Checks the rows about objects that are gone: replaced for a request, expired, or part of a bundle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from chatlog.archive.retention import Retention
from chatlog.config.units import parse_duration
from chatlog.counted import many
from chatlog.store.store import Store
from chatlog.uploader.bundle_pieces import Pieces
from chatlog.uploader.bundle_table import Slice
from chatlog.uploader.manifest_rows import BundledRow
from chatlog.verify.archive_index import ArchiveIndex
from chatlog.verify.index_rows import Gone
from chatlog.verify.keys import name_of_object
from chatlog.verify.object_check import Named, RoomDay, RoomDayCheck
from chatlog.verify.patience import Patience

#: The kind of problem of a key that stands for two objects.
TWO = "two-objects"
#: The most rooms that are named.
_NAMED = 20
#: Why an object that is there should be gone.
STILL_THERE = {
    "replaced": "it was replaced, so that somebody is forgotten, and it is still there",
    "expired": "a manifest says that it expired, and it is still there",
}


def check_gone(index: ArchiveIndex, report: Callable[[str, str, str], object]) -> None:
    """Report the rows that do not fit the rows of their objects. Afterwards the index knows which objects are
    gone."""
    for row in index.settle_gone():
        wrong = _wrong(row)
        if wrong:
            report("invalid-manifest", row.manifest, f"{row.key[:200]} is {row.what} there, {wrong}")
    for each in index.namesakes:
        if not each.first_bundle:
            what = f"{each.row.key[:200]} has other bytes in another manifest"
            report("invalid-manifest", each.manifest, what)
        elif each.bundle:
            what = f"one is in {each.first_bundle}, the other in {each.bundle}; both are read"
            report(TWO, each.row.key, what)
    for key, manifest, request in index.in_bundles.unasked():
        report("invalid-manifest", manifest, f"{key[:200]} is replaced there, {_unasked(request)}")


def _wrong(row: Gone) -> str:
    if row.named is None:
        return "and no manifest names it"
    if row.named != row.sha256:
        return "with other bytes than the manifest that names it"
    if row.lines is not None and row.lines != row.named_lines:
        return f"with {many(row.lines, 'line')} and not {row.named_lines}"
    if row.bytes is not None and row.bytes != row.named_bytes:
        return f"with {many(row.bytes, 'byte')} and not {row.named_bytes}"
    if row.what == "replaced" and not row.asked:
        return _unasked(row.request)
    if row.what == "replaced" and row.others > 1:
        return f"by {row.by[:200] or 'nothing'}, and by something else as well"
    return ""


def _unasked(request: str) -> str:
    return f"and nobody asked for it: there is no request {request[:80]!r}"


def kept_otherwise(expired: Mapping[tuple[str, str, str], int], retention: Retention | None) -> Iterator[str]:
    """Sentences about rooms whose objects expired sooner than ``retention`` says. ``expired``: how many
    objects expired, by room and by the time that they were kept."""
    if retention is None:
        return
    for (platform, channel, keep), count in sorted(expired.items())[:_NAMED]:
        room = platform, channel
        try:
            kept = parse_duration(keep)
        except ValueError:
            kept = 0.0
        if kept < retention.of(room):
            yield (
                f"{many(count, 'object')} of {platform}/{channel} expired after {keep[:20]}, and "
                f"archive.keep says {retention.written(room)} now"
            )


class OfRoom(NamedTuple):
    """The result for the objects of a room and day in a bundle."""

    named: Named
    found: RoomDay


class BundleCheck:
    """Checks the objects in one bundle as if each was an object of its own, reading the bundle once.
    ``on_read(bytes)`` is called while reading."""

    def __init__(
        self,
        store: Store,
        objects: list[tuple[BundledRow, Named]],
        on_read: Callable[[int], object],
        patience: Patience,
    ) -> None:
        self._slices = Slices(store, [row for row, _ in objects])
        self._named = [named for _, named in objects]
        self._on_read = on_read
        self._patience = patience

    def run(self) -> Iterator[OfRoom]:
        """Check room by room and day by day."""
        group: list[Named] = []
        for named in self._named:
            if group and group[0].key.rpartition("/")[0] != named.key.rpartition("/")[0]:
                yield self._check(group)
                group = []
            group.append(named)
        if group:
            yield self._check(group)

    def _check(self, group: list[Named]) -> OfRoom:
        checked = RoomDayCheck(self._slices, group, self._on_read, True, self._patience)
        return OfRoom(group[0], checked.run())


class Slices:
    """The objects in a bundle, as if each was an object of its own."""

    def __init__(self, store: Store, rows: list[BundledRow]) -> None:
        self._places = {row.key: Slice(row.key, row.bundle, row.offset, row.bytes) for row in rows}
        self._pieces = Pieces(store, list(self._places.values()))

    def read(self, key: str) -> Iterator[bytes]:
        """The bytes of an object; fewer if the bundle ends before. Raises StoreError."""
        return self._pieces.read(self._places[key])


def named_in(index: ArchiveIndex, bundle: str) -> list[tuple[BundledRow, Named]]:
    """The objects in a bundle, each with its row."""
    found = []
    for row in index.in_bundles.slices(bundle):
        name = name_of_object(row.key)
        if name is not None:
            found.append((row, Named(row.key, name, row.bytes, index.object(row.key, row.sha256))))
    return found
