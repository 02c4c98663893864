"""Deletes objects that are older than they are kept, each after a manifest says so.

An object is deleted as a whole, once its last record is older than ``archive.keep``. In steps: a manifest
with rows ``expired`` is written (``ledger``), the objects are deleted, then the Parquet that was made of
them, then it is checked that they are gone. A process that is killed in between leaves objects that a
manifest calls expired: ``verify`` reports them, and the next run deletes them without a new manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from chatlog.archive.retention import DAY, Retention, Room
from chatlog.record import rfc3339
from chatlog.store.store import REFUSED, Store, StoreError
from chatlog.upkeep import derived
from chatlog.upkeep.attested import Attested
from chatlog.upkeep.expire_bundles import BundleExpiry, OldBundle
from chatlog.upkeep.ledger import Ledger
from chatlog.upkeep.lock import ArchiveLock
from chatlog.upkeep.old_days import OldDays, OldObject, RoomDay, begins
from chatlog.uploader.manifest_rows import ExpiredRow, ObjectRow, Row, seconds_of

#: The most objects of one manifest, and the most that are deleted at the same time.
_AT_A_TIME = 5000
_AT_ONCE = 8


@dataclass(slots=True)
class RoomTotals:
    """The expired objects of a room, their bytes, and the first and the last day."""

    objects: int = 0
    bytes: int = 0
    first: str = ""
    last: str = ""
    days: int = 0

    def add(self, day: str, objects: Iterable[OldObject]) -> None:
        """Add objects of a day."""
        before = self.objects
        for each in objects:
            self.objects += 1
            self.bytes += each.size
        if self.objects > before:
            self.days += 1
            self.first, self.last = self.first or day, day


@dataclass(slots=True)
class Outcome:
    """The result of a run. ``left``: old objects that are still there, with the reason. ``manifests``: the
    keys of the manifests that were written. ``refused``: rooms that upkeep does not touch by itself.
    ``room_days``: those with deleted objects."""

    rooms: dict[Room, RoomTotals] = field(default_factory=dict)
    left: list[tuple[str, str]] = field(default_factory=list)
    manifests: list[str] = field(default_factory=list)
    refused: list[Room] = field(default_factory=list)
    room_days: set[derived.RoomDay] = field(default_factory=set)

    @property
    def objects(self) -> int:
        """How many objects are gone, or would go."""
        return sum(totals.objects for totals in self.rooms.values())

    def add(self, room: Room, day: str, objects: Iterable[OldObject]) -> None:
        """Add objects that are gone."""
        self.room_days.add(derived.RoomDay(*room, day))
        totals = self.rooms.setdefault(room, RoomTotals())
        totals.add(day, objects)
        if not totals.objects:
            del self.rooms[room]


class StillThere(StoreError):
    """The store said that it deleted an object, and has it still."""


@dataclass(frozen=True, slots=True)
class _Doomed:
    """Objects of a room and day that are to be deleted, each with its row, and whether a manifest names
    it."""

    found: RoomDay
    rows: list[tuple[OldObject, ObjectRow, bool]]


class Expiry:
    """Finds and deletes objects that are older than ``retention`` allows at ``now``. ``step(room, done)`` is
    called with the progress. With ``by_itself``, rooms that a person should check first are left alone: see
    ``OldDays``. Every method may raise StoreError."""

    def __init__(
        self,
        store: Store,
        retention: Retention,
        now: Callable[[], float],
        by_itself: bool = False,
        step: Callable[[str, int], object] = lambda room, done: None,
    ) -> None:
        self._store = store
        self._retention = retention
        self._now = now
        self._began = now()
        self._by_itself = by_itself
        self._step = step
        self._attested = Attested(store)
        self._days = OldDays(store, retention, self._began)
        self._bundles = BundleExpiry(store, retention, self._began, self._attested, _end, by_itself)

    def plan(self) -> Outcome:
        """The outcome of a run, without deleting anything."""
        outcome = Outcome()
        for doomed in self._doomed(outcome):
            found = doomed.found
            outcome.add(found.room, found.day, [each for each, _, _ in doomed.rows])
            self._step("/".join(found.room), outcome.objects)
        for bundle in self._bundles.find():
            self._count(bundle, outcome)
        self._take_over(outcome)
        return outcome

    def _count(self, bundle: OldBundle, outcome: Outcome) -> None:
        """Add the old objects of a bundle."""
        by_day: dict[tuple[Room, str], list[OldObject]] = {}
        for each in bundle.old:
            by_day.setdefault((each.room, each.day), []).append(each.object)
        for (room, day), objects in sorted(by_day.items()):
            outcome.add(room, day, objects)
            self._step("/".join(room), outcome.objects)

    def _take_over(self, outcome: Outcome) -> None:
        outcome.left += self._bundles.left
        outcome.refused = sorted({*outcome.refused, *self._bundles.refused})

    def run(self, ledger: Ledger, lock: ArchiveLock) -> Outcome:
        """Delete the old objects. Raises Lost."""
        outcome = Outcome()
        before = ledger.latest()
        written = {row.key for row in before.rows if isinstance(row, ExpiredRow)} if before else set()
        for chunk in _chunks(self._doomed(outcome)):
            lock.check()
            if rows := list(self._expired(chunk, written)):
                outcome.manifests.append(ledger.write(rows))
            lock.check()
            self._delete([each.key for doomed in chunk for each, _, _ in doomed.rows])
            for doomed in chunk:
                found = doomed.found
                if found.whole:
                    self._delete(derived.derived_of_day(self._store, found.room, found.day))
                self._check_gone(doomed)
                outcome.add(found.room, found.day, [each for each, _, _ in doomed.rows])
                self._step("/".join(found.room), outcome.objects)
        self._bundles.complete(ledger, lock)
        self._bundles.refused.update(outcome.refused)
        for bundle in self._bundles.find():
            if manifest := self._bundles.expire(bundle, ledger, lock):
                outcome.manifests.append(manifest)
                self._count(bundle, outcome)
                for room, day in {(each.room, each.day) for each in bundle.old}:
                    if begins(day) + DAY <= self._retention.since(room, self._began):
                        self._delete(derived.derived_of_day(self._store, room, day))
        self._take_over(outcome)
        return outcome

    # -- what goes -----------------------------------------------------------------------------------

    def _doomed(self, outcome: Outcome) -> Iterator[_Doomed]:
        if self._by_itself:
            outcome.refused = self._days.much_older()
        for found in self._days.room_days(self._by_itself):
            if found.room not in outcome.refused and (rows := self._old(found, outcome)):
                yield _Doomed(found, rows)

    def _old(self, found: RoomDay, outcome: Outcome) -> list[tuple[OldObject, ObjectRow, bool]]:
        """The objects whose last record is old enough."""
        until = self._retention.since(found.room, self._began)
        named = self._attested.rows((each.key for each in found.objects), found.day)
        old = []
        for each in found.objects:
            row = named.get(each.key)
            if row is not None and row.bytes != each.size:
                # The row is that of another object, which had the same name.
                row = None
            if row is None and _latest_end(each) > until:
                # The object may be younger: no manifest says when it ends.
                continue
            try:
                row_or_read = row or self._attested.read(each.key)
            except ValueError as error:
                outcome.left.append((each.key, f"no manifest names it, and it is damaged: {error}"))
                continue
            except StoreError as error:
                if error.of_all:
                    raise
                outcome.left.append((each.key, error.advice))
                continue
            if _end(each, row_or_read) < until:
                old.append((each, row_or_read, row is not None))
        return old

    def _expired(self, chunk: list[_Doomed], written: set[str]) -> Iterator[Row]:
        """The rows to be written. An object that no manifest names gets its own row first."""
        at = rfc3339(round(self._now() * 1000))
        for doomed in chunk:
            keep = self._retention.written(doomed.found.room)
            for each, row, is_named in doomed.rows:
                if each.key in written:
                    continue
                if not is_named:
                    yield row
                yield ExpiredRow(each.key, row.sha256, row.lines, keep, at)

    # -- deleting ------------------------------------------------------------------------------------

    def _delete(self, keys: Iterable[str]) -> None:
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            try:
                for _ in threads.map(self._store.delete, keys):
                    pass
            except StoreError as error:
                threads.shutdown(cancel_futures=True)
                if error.kind == REFUSED:
                    error.remedy = error.remedy.replace(
                        " (s3:DeleteObject is optional)", ", and s3:DeleteObject"
                    )
                raise

    def _check_gone(self, doomed: _Doomed) -> None:
        """Raise StillThere if an object is there although it was deleted."""
        found = doomed.found
        gone = {each.key for each, _, _ in doomed.rows}
        prefix = f"{found.day.replace('-', '/')}/{found.room[0]}/{found.room[1]}/"
        for head in self._store.list(prefix):
            if head.key in gone and self._store.head(head.key) is not None:
                raise StillThere(
                    f"{head.key} was deleted, and is still there",
                    REFUSED,
                    "not deleted",
                    "look whether the bucket locks its objects, and run this again",
                )


def _chunks(found: Iterable[_Doomed]) -> Iterator[list[_Doomed]]:
    chunk: list[_Doomed] = []
    count = 0
    for doomed in found:
        chunk.append(doomed)
        count += len(doomed.rows)
        if count >= _AT_A_TIME:
            yield chunk
            chunk, count = [], 0
    if chunk:
        yield chunk


def _begun(each: OldObject) -> float:
    return datetime.strptime(each.name.minute, "%Y%m%d_%H%M").replace(tzinfo=UTC).timestamp()


def _latest_end(each: OldObject) -> float:
    """The latest time at which an object ends: a file is written for a day at most."""
    return _begun(each) + DAY


def _end(each: OldObject, row: ObjectRow) -> float:
    try:
        return max(seconds_of(row.last), _begun(each))
    except ValueError:
        return _latest_end(each)
