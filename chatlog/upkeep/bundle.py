"""Puts the objects of a room's month into one object, byte for byte one behind the other.

In steps, each of which may be the last before the process is killed:

1. the objects are read and compared with their rows in the manifests;
2. the bundle is put and read back (``bundle_put``);
3. rows ``bundled`` are written in a manifest of their own (``ledger``);
4. the objects are deleted.

Until then every object is there twice, which readers know. The next run finds the bundle, proves it again,
and goes on with step 3. A bundle that is damaged, while all its objects are still there, is put again.

Objects that a recorder stored in a bundle of several rooms are moved in the same way. Such a bundle is
deleted once everything in it is in bundles of rooms.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf

from chatlog.archive.retention import Retention
from chatlog.chunks import sha256_of
from chatlog.naming import BundleName, FileName, parse_key
from chatlog.store.dated_folders import months, numbers
from chatlog.store.store import CORRUPT, MISSING, Store, StoreError
from chatlog.upkeep.attested import Attested
from chatlog.upkeep.bundle_put import Piece, bundles_below, delete_bundle, put_bundle, wrong_in
from chatlog.upkeep.ledger import Ledger
from chatlog.upkeep.lock import ArchiveLock
from chatlog.upkeep.month_index import MonthIndex
from chatlog.upkeep.recorder_bundles import days_with_bundles
from chatlog.upkeep.same_key import has_others
from chatlog.uploader.bundle_table import Slice, Table, read_table
from chatlog.uploader.manifest_rows import BundledRow, ObjectRow

#: Platform and channel.
Room = tuple[str, str]

DAY = 86400.0
#: Seconds after the end of a month until all its objects are stored.
SETTLED = 2 * DAY
#: The objects after which a manifest is written, and the most that are deleted at the same time.
_AT_A_TIME = 5000
_AT_ONCE = 8
#: The most bytes of a bundle: it is in memory when it is put. Stores take more in parts, but then the library
#: cannot ask them to refuse a key that is taken.
MOST = 64 << 20


@dataclass(slots=True)
class Outcome:
    """The result of a run. ``left``: objects and bundles that stay unchanged, with the reason; ``limited``:
    rooms that are not kept for ever; ``emptied``: how many bundles of recorders are gone."""

    bundles: int = 0
    objects: int = 0
    bytes: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)
    manifests: list[str] = field(default_factory=list)
    limited: set[Room] = field(default_factory=set)
    emptied: int = 0


class Bundler:
    """Makes the bundles of an archive. ``step(room, objects)`` is called with the progress."""

    _index: MonthIndex

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        lock: ArchiveLock,
        most: int = MOST,
        step: Callable[[str, int], object] = lambda room, objects: None,
        retention: Retention | None = None,
    ) -> None:
        """Rooms that ``retention`` does not keep for ever are left out: nothing can expire in a bundle."""
        self._store = store
        self._ledger = ledger
        self._lock = lock
        self._most = most
        self._step = step
        self._attested = Attested(store)
        self._retention = retention or Retention(())
        # The rows of proven bundles that are in no manifest yet, and the keys of their objects that are to be
        # deleted.
        self._proven: list[BundledRow] = []
        self._to_delete: list[str] = []
        # Of the present room: the keys of objects of their own, and the places of those in bundles of
        # recorders.
        self._own_keys: set[str] = set()
        self._places: dict[str, Slice] = {}
        self.outcome = Outcome()

    def run(self, month: str, wanted: Sequence[Room] = ()) -> None:
        """Bundle a month (``2025-12``) of all rooms, or of those that are ``wanted``. Raises StoreError and
        Lost."""
        with MonthIndex(self._store, month) as index:
            self._index = index
            self.outcome.left += index.damaged
            for room in sorted({*rooms_of(self._store, month), *index.rooms()}):
                if self._retention.of(room) != inf:
                    self.outcome.limited.add(room)
                elif not wanted or room in wanted:
                    try:
                        self._room(month, room)
                    except StoreError as error:
                        if error.of_all or error.kind not in (CORRUPT, MISSING):
                            raise
                        self.outcome.left.append(("/".join(room), error.advice))
                    self._step("/".join(room), self.outcome.objects + len(self._proven))
            self._write_down()
            for bundle in index.emptied():
                self._lock.check()
                delete_bundle(self._store, bundle)
                self.outcome.emptied += 1

    def _room(self, month: str, room: Room) -> None:
        own = dict(self._own(month, room))
        self._own_keys = set(own)
        self._take_places(room, own)
        if not own:
            return
        for bundle, slices in self._begun(month, room):
            moved = [
                each.key for each in slices if each.key in self._places and self._was_moved(each.key, own)
            ]
            self._index.settle(room, moved)
            for key in moved:
                if key not in self._own_keys:
                    del own[key]
            self._finish(bundle, slices, own)
        named = self._named(own)
        for suffix in ("", ".gz", ".zst"):
            waiting = sorted(
                (name.minute, name.n, name.instance, key)
                for key, (name, end, _) in own.items()
                if end == suffix and key in named
            )
            for pieces in self._pieces([key for *_, key in waiting], named):
                name = BundleName(month.replace("-", ""), *room)
                self._lock.check()
                rows = put_bundle(self._store, name, suffix, pieces)
                del pieces
                self._settle(rows)
                self.outcome.bundles += 1

    # -- what there is -------------------------------------------------------------------------------

    def _own(self, month: str, room: Room) -> Iterator[tuple[str, tuple[FileName, str, int]]]:
        """The objects of the month that are objects of their own."""
        year, _, number = month.partition("-")
        for day in days_of(self._store, month):
            for head in self._store.list(f"{year}/{number}/{day}/{room[0]}/{room[1]}/"):
                with suppress(ValueError):
                    name, suffix = parse_key(head.key)
                    yield head.key, (name, suffix, head.size)

    def _begun(self, month: str, room: Room) -> Iterator[tuple[str, list[Slice]]]:
        """The bundles of the room that exist, and their objects."""
        tables: list[Table] = []
        for head in bundles_below(self._store, f"bundle/{month.replace('-', '/')}/{room[0]}/{room[1]}/"):
            try:
                tables.append(read_table(self._store, head))
            except ValueError as error:
                self.outcome.left.append((head.key, str(error)))
        replaced = {key for table in tables for key in table.replaces}
        for table in tables:
            if table.bundle not in replaced:
                yield table.bundle, list(table.slices())

    def _named(self, own: dict[str, tuple[FileName, str, int]]) -> dict[str, ObjectRow]:
        """The rows of the objects in the manifests. Objects that no manifest names are left alone."""
        named: dict[str, ObjectRow] = {}
        days: dict[str, list[str]] = {}
        for key in own:
            days.setdefault(key[:10].replace("/", "-"), []).append(key)
        named |= self._index.named(own)
        for day, keys in sorted(days.items()):
            if missing := [key for key in keys if key not in named]:
                named |= self._attested.rows(missing, day)
        for key in sorted(own.keys() - named.keys()):
            self.outcome.left.append((key, "no manifest names it"))
        return named

    # -- bundling ------------------------------------------------------------------------------------

    def _pieces(self, keys: Sequence[str], named: dict[str, ObjectRow]) -> Iterator[list[Piece]]:
        """The objects of one new bundle after the other, without those whose bytes the manifests do not
        confirm."""
        pieces: list[Piece] = []
        size = 0
        for key in keys:
            row = named[key]
            if pieces and size + row.bytes > self._most:
                yield pieces
                pieces, size = [], 0
            data = b"".join(self._read(key))
            if len(data) != row.bytes or hashlib.sha256(data).hexdigest() != row.sha256:
                self.outcome.left.append((key, "its bytes are not those that were stored"))
                continue
            pieces.append(Piece(key, data))
            size += len(data)
        if pieces:
            yield pieces

    def _take_places(self, room: Room, own: dict[str, tuple[FileName, str, int]]) -> None:
        """Add the objects in bundles of recorders. Those that have different bytes in several places are left
        alone."""
        self._places = {}
        for key, places in self._index.places(room).items():
            if len(places) + (key in own) > 1:
                found = {sha256_of(self._slice(place)) for place in places}
                if key in own:
                    found.add(sha256_of(self._store.read(key)))
                if len(found) > 1:
                    self._leave(key, own)
                    continue
            self._places[key] = places[-1]
            own.setdefault(key, (*parse_key(key), places[-1].bytes))

    def _leave(self, key: str, own: dict[str, tuple[FileName, str, int]]) -> None:
        self.outcome.left.append((key, "its name is there twice, with different bytes: see chatlog verify"))
        own.pop(key, None)
        self._places.pop(key, None)
        self._own_keys.discard(key)

    def _was_moved(self, key: str, own: dict[str, tuple[FileName, str, int]]) -> bool:
        """Whether a manifest names this object of a recorder's bundle in a bundle of its room."""
        moved, place = self._index.moved(key), self._places[key]
        if moved is None:
            return False
        size, sha256, only = moved
        if place.bytes == size and (only or sha256_of(self._slice(place)) == sha256):
            return True
        self._leave(key, own)
        return False

    def _slice(self, place: Slice) -> Iterator[bytes]:
        return self._store.read_range(place.bundle, place.offset, place.bytes)

    def _read(self, key: str) -> Iterator[bytes]:
        place = self._places.get(key)
        if place is None or key in self._own_keys:
            return self._store.read(key)
        return self._slice(place)

    def _finish(self, bundle: str, slices: list[Slice], own: dict[str, tuple[FileName, str, int]]) -> None:
        """Go on with a bundle whose objects, or some of them, are still there."""
        still = [each for each in slices if each.key in own]
        if not still:
            return
        named = self._named({each.key: own[each.key] for each in still})
        for each in list(still):
            row = named.get(each.key)
            # Only objects with the bytes that the manifests name are deleted; those in the bundle must have
            # the same.
            if row is not None and sha256_of(self._read(each.key)) != row.sha256:
                self._leave(each.key, own)
                still.remove(each)
        rows = [
            BundledRow(each.key, bundle, each.offset, each.bytes, named[each.key].sha256)
            for each in still
            if each.key in named
        ]
        if not wrong_in(self._store, rows):
            self._settle(rows)
        elif len(still) == len(slices) and not any(
            has_others(self._slice(each), each.key, named.get(each.key)) for each in still
        ):
            # Everything in the bundle is elsewhere too.
            self._lock.check()
            delete_bundle(self._store, bundle)
            return
        else:
            self.outcome.left.append((bundle, "its bytes are not those of the objects that went into it"))
        for each in still:
            del own[each.key]

    def _settle(self, rows: Sequence[BundledRow]) -> None:
        """Note that the bundle of these rows was proven. One manifest is written for several bundles."""
        self._proven += rows
        self._to_delete += [row.key for row in rows if row.key in self._own_keys]
        if len(self._proven) >= _AT_A_TIME:
            self._write_down()

    def _write_down(self) -> None:
        """Write the manifest about the proven bundles, and delete their objects."""
        if not self._proven:
            return
        self._lock.check()
        self.outcome.manifests.append(self._ledger.write(self._proven))
        self._lock.check()
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            try:
                for _ in threads.map(self._store.delete, self._to_delete):
                    pass
            except BaseException:
                threads.shutdown(cancel_futures=True)
                raise
        for row in self._proven:
            name, _ = parse_key(row.key)
            self._index.settle((name.platform, name.channel), [row.key])
        self.outcome.objects += len(self._proven)
        self.outcome.bytes += sum(row.bytes for row in self._proven)
        self._proven, self._to_delete = [], []


def is_over(month: str, now: float) -> bool:
    """Whether a month (``2025-12``) ended so long ago that all its objects are stored."""
    first = datetime.fromisoformat(f"{month}-01T00:00:00+00:00")
    end = (first + timedelta(days=32)).replace(day=1).timestamp()
    return now > end + SETTLED


def months_with_objects(store: Store, now: float) -> list[str]:
    """The months that are over and have objects of their own or in bundles of recorders, the oldest first.
    Raises StoreError."""
    found = {day[:7] for day in days_with_bundles(store)}
    found.update(month.replace("/", "-") for month in months(store))
    return sorted(month for month in found if "01" <= month[5:] <= "12" and is_over(month, now))


def days_of(store: Store, month: str) -> list[str]:
    """The days (``29``) of a month with objects. Raises StoreError."""
    return numbers(store, f"{month.replace('-', '/')}/", 2)


def rooms_of(store: Store, month: str) -> list[Room]:
    """The rooms with objects of their own in a month. Raises StoreError."""
    above = month.replace("-", "/")
    return sorted(
        {
            (platform, channel)
            for day in days_of(store, month)
            for platform in store.folders(f"{above}/{day}/")
            for channel in store.folders(f"{above}/{day}/{platform}/")
        }
    )
