"""Deletes objects that are older than they are kept from bundles, each after a manifest says so.

A bundle is deleted if all its objects are too old. If only some are, another bundle replaces it, with all
other objects byte for byte. In steps: a note is stored (``upkeep/expiry/``), then the new bundle, then a
manifest with rows ``expired`` and ``bundled``; then the old bundle is deleted. A process that is killed in
between leaves the note; then the next run deletes the new bundle if no manifest names it, or else the old
one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import groupby
from typing import NamedTuple

from chatlog.archive.retention import DAY, Retention, Room
from chatlog.naming import BundleName, parse_bundle_key, parse_key
from chatlog.record import from_json, rfc3339
from chatlog.store.store import CORRUPT, Head, Store, StoreError
from chatlog.upkeep.attested import Attested
from chatlog.upkeep.bundle_put import bundles_below, delete_bundle
from chatlog.upkeep.bundle_rewrite import load_bundle, rewrite_bundle
from chatlog.upkeep.ledger import Ledger
from chatlog.upkeep.lock import ArchiveLock
from chatlog.upkeep.old_days import BY_ITSELF, OldObject, begins, is_day
from chatlog.uploader.bundle_table import Slice, Table, read_table
from chatlog.uploader.manifest_rows import ExpiredRow, ObjectRow, Row

INTENTS = "upkeep/expiry/"
#: By itself, a room's month is cut once a week.
_WEEK = 7 * DAY


class OldSlice(NamedTuple):
    """An object in a bundle that is older than it is kept, with its row."""

    room: Room
    day: str
    object: OldObject
    row: ObjectRow
    place: Slice


class OldBundle(NamedTuple):
    """A bundle with objects that are older than they are kept. ``whole``: all of them are."""

    key: str
    old: list[OldSlice]
    whole: bool


#: The end of an object, in seconds since the epoch, from its name and its row.
End = Callable[[OldObject, ObjectRow], float]


class BundleExpiry:
    """The bundles of one archive. ``end`` says when an object ends. ``by_itself``: only the latest days, and
    a room's month once a week. Every method may raise StoreError."""

    def __init__(
        self, store: Store, retention: Retention, now: float, attested: Attested, end: End, by_itself: bool
    ) -> None:
        self._store = store
        self._retention = retention
        self._now = now
        self._attested = attested
        self._end = end
        self._by_itself = by_itself
        #: Bundles that stay, with the reason; and rooms that are left alone because they have much older
        #: objects.
        self.left: list[tuple[str, str]] = []
        self.refused: set[Room] = set()

    def find(self) -> Iterator[OldBundle]:
        """The bundles with objects that are to be deleted now."""
        for _, same in groupby(self._bundles(), lambda head: head.key.rpartition("/")[0]):
            for table in self._tables(same):
                name = parse_bundle_key(table.bundle)[0]
                slices = list(table.slices())
                old = list(self._old(slices))
                whole = len(old) == len(slices)
                if old and (whole or not self._can_wait(name, old)):
                    yield OldBundle(table.bundle, old, whole)

    def _can_wait(self, name: BundleName, old: list[OldSlice]) -> bool:
        if not (self._by_itself and name.platform):
            return False
        return all(self._end(each.object, each.row) > self._until(each.room) - _WEEK for each in old)

    def _until(self, room: Room) -> float:
        return self._retention.since(room, self._now)

    def _bundles(self) -> list[Head]:
        """The bundles that may have old objects, by their names."""
        found = []
        for head in bundles_below(self._store, "bundle/") if self._retention.times() else ():
            name = parse_bundle_key(head.key)[0]
            day = f"{name.minute[:4]}-{name.minute[4:6]}-{name.minute[6:8] or '01'}"
            if not is_day(day):
                continue
            if name.platform:
                may_be = begins(day) < self._until((name.platform, name.channel))
            else:
                ages = [self._now - begins(day) - kept for kept in self._retention.times()]
                may_be = any(age > 0 and not (self._by_itself and age > BY_ITSELF * DAY) for age in ages)
            if may_be:
                found.append(head)
        return sorted(found, key=lambda head: head.key)

    def _tables(self, heads: Iterator[Head]) -> list[Table]:
        tables = []
        for head in heads:
            try:
                tables.append(read_table(self._store, head))
            except ValueError as error:
                self.left.append((head.key, str(error)))
        replaced = {key for table in tables for key in table.replaces}
        return [table for table in tables if table.bundle not in replaced]

    def _old(self, slices: list[Slice]) -> Iterator[OldSlice]:
        days: dict[str, list[tuple[OldObject, Slice]]] = {}
        for place in slices:
            with suppress(ValueError):
                name, _ = parse_key(place.key)
                day = f"{name.minute[:4]}-{name.minute[4:6]}-{name.minute[6:8]}"
                if is_day(day) and begins(day) < self._until((name.platform, name.channel)):
                    days.setdefault(day, []).append((OldObject(place.key, name, place.bytes), place))
        for day, objects in sorted(days.items()):
            rows = self._attested.rows([each.key for each, _ in objects], day)
            for each, place in objects:
                room = each.name.platform, each.name.channel
                row, until = self._row_of(rows.get(each.key), place), self._until(room)
                if self._by_itself and begins(day) < until - (BY_ITSELF + 1) * DAY:
                    self.refused.add(room)
                if row is not None and self._end(each, row) < until and room not in self.refused:
                    yield OldSlice(room, day, each, row, place)

    def _row_of(self, row: ObjectRow | None, place: Slice) -> ObjectRow | None:
        """The row of a slice. The manifests may name another object with its name."""
        if row is None or row.bytes == place.bytes:
            return row
        with suppress(ValueError):
            chunks = self._store.read_range(place.bundle, place.offset, place.bytes)
            return self._attested.read(place.key, chunks)
        return None

    # -- deleting --------------------------------------------------------------------------------------

    def expire(self, found: OldBundle, ledger: Ledger, lock: ArchiveLock) -> str:
        """Delete the old objects. Returns the key of the manifest about them, ``""`` if the bundle has to
        stay. Raises Lost."""
        try:
            old = load_bundle(self._store, found.key)
            lock.check()
            intent = self._note(found.key)
            new = rewrite_bundle(self._store, old, {each.place for each in found.old}, {})
        except StoreError as error:
            if error.of_all or error.kind != CORRUPT:
                raise
            self.left.append((found.key, error.advice))
            return ""
        at = rfc3339(round(self._now * 1000))
        rows: list[Row] = []
        for each in found.old:
            keep = self._retention.written(each.room)
            rows.append(ExpiredRow(each.object.key, each.row.sha256, each.row.lines, keep, at))
        rows.append(ExpiredRow(found.key, old.sha256, 0, self._retention.written(found.old[0].room), at))
        lock.check()
        manifest = ledger.write([*rows, *new.rows])
        lock.check()
        delete_bundle(self._store, found.key)
        self._store.delete(intent)
        return manifest

    def _note(self, bundle: str) -> str:
        """Note that a bundle is about to be replaced. Returns the key of the note."""
        key = f"{INTENTS}{bundle.rpartition('/')[2]}.json"
        if self._store.head(key) is not None:
            self._store.delete(key)
        body = json.dumps({"bundle": bundle}, separators=(",", ":")).encode()
        self._store.put_new(key, body, {"Content-Type": "application/json"})
        return key

    def complete(self, ledger: Ledger, lock: ArchiveLock) -> None:
        """Complete what an earlier run began. Raises Lost."""
        notes = list(self._store.list(INTENTS))
        if not notes:
            return
        before = ledger.latest()
        written = {row.key for row in before.rows if isinstance(row, ExpiredRow)} if before else set()
        for head in notes:
            lock.check()
            old = ""
            with suppress(ValueError, TypeError, KeyError):
                old = str(from_json(b"".join(self._store.read(head.key)))["bundle"])
            if old in written:
                delete_bundle(self._store, old)
            elif old:
                self._take_back(old)
            self._store.delete(head.key)

    def _take_back(self, old: str) -> None:
        """Delete the bundle that was to replace one that is still there."""
        if self._store.head(old) is None:
            return
        for head in bundles_below(self._store, old.rpartition("/")[0] + "/"):
            with suppress(ValueError):
                if old in read_table(self._store, head).replaces:
                    delete_bundle(self._store, head.key)
