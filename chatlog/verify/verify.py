"""Verifies an archive: compares the manifests with the objects, and checks every line of every object.

It reads the manifests first, then the objects by room and day, then looks for the missing objects. Memory is
bounded: the manifests' rows are in a temporary file, and only a few pairs of room and day are in work at a
time. An error of one object is reported as a problem of that object. Only a store that cannot be listed ends
the verification.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from functools import partial
from operator import attrgetter

from chatlog.naming import BundleName, FileName
from chatlog.store.store import TRANSIENT, Head, Store, StoreError
from chatlog.uploader.manifest_rows import BundledRow
from chatlog.verify.archive_index import ArchiveIndex
from chatlog.verify.bundles_there import BundlesThere, named_by_table
from chatlog.verify.chain_check import Chain
from chatlog.verify.findings import Problem, Totals
from chatlog.verify.gone_check import STILL_THERE, BundleCheck, named_in
from chatlog.verify.index_rows import RoomDayRow
from chatlog.verify.keys import created, name_of_object
from chatlog.verify.manifest_check import ManifestCheck
from chatlog.verify.namesake_check import NamesakeCheck
from chatlog.verify.object_check import Named, RoomDay, RoomDayCheck, why_unread
from chatlog.verify.parquet_there import ParquetThere
from chatlog.verify.patience import PAUSES, Patience, StoreAway
from chatlog.verify.resuming import Resuming
from chatlog.verify.rooms_there import RoomsThere
from chatlog.verify.scope import FIRST_DAY, HOUR, LAST_DAY, Scope, Watcher

_KEY = attrgetter("key")
#: The most objects of one room and day that are checked together.
_AT_ONCE = 2000
#: Seconds by which a store's clock may differ from a recorder's.
_CLOCKS = 600.0
#: Seconds by which manifests and gap records of a day may differ.
_DIFFERENT = 60.0
#: Below this are notes of objects that an erasure is about to store, until a manifest names them.
_ERASURES = "upkeep/erasure/"
#: Below these are manifests, bundles, and everything that is made of objects.
_KNOWN = ("manifest/", "upkeep/", "optout/", "bundle/", "parquet/", "index/")


class Stopped(Exception):
    """The verification was interrupted."""


class Verification:
    """One verification of an archive. ``run`` raises StoreError if the store cannot be listed."""

    def __init__(
        self,
        store: Store,
        scope: Scope,
        index: ArchiveIndex,
        watcher: Watcher,
        now: float,
        sleep: Callable[[float], object] = time.sleep,
        resuming: Resuming | None = None,
    ) -> None:
        self._store = store
        self._scope = scope
        self._index = index
        self._watcher = watcher
        self._now = now
        self._sleep = sleep
        self._resuming = resuming
        self._stopped = False
        self.totals = Totals()
        #: Every room that was found, in the scope or not.
        self.rooms = RoomsThere()
        self._patience = Patience(sleep, self._can_list)
        self._namesakes = NamesakeCheck(store, index, scope.read, self._patience, self._problem)
        self._manifests = ManifestCheck(
            store, scope, index, self.totals, watcher, self._patience, self.rooms, now
        )

    @property
    def chains(self) -> list[Chain]:
        """The chains of manifests."""
        return self._manifests.chains

    @property
    def days(self) -> tuple[str, str] | None:
        """The first and the last day with a manifest, in the scope or not."""
        return self._manifests.days

    @property
    def differing(self) -> list[RoomDayRow]:
        """The rooms and days for which manifests and gap records differ, those that differ most first. Days
        whose gap records may come later, or lie behind the scope, are left out."""
        if not self._scope.read:
            return []
        over = datetime.fromtimestamp(self._now - 86400.0 - 2 * HOUR, UTC).date().isoformat()
        until = LAST_DAY.isoformat() if self._scope.until == LAST_DAY else self._scope.until.isoformat()
        found = [room for room in self._index.rooms() if room.unexplained > _DIFFERENT]
        found = [room for room in found if room.day <= over and room.day < until]
        return sorted(found, key=lambda room: -room.unexplained)

    def run(self) -> Totals:
        """Check everything in the scope."""
        self._manifests.run(self._listed("manifest/"))
        self._read_objects()
        self._read_bundles()
        self._manifests.unite()
        self._read_parquet()
        if self._namesakes.note:
            self._watcher.note(self._namesakes.note)
        self._find_missing()
        if next(iter(self._patience.ask(lambda: list(self._store.list(_ERASURES)))), None) is not None:
            self._watcher.note(
                "an erasure was interrupted: what it stored and did not write down is there twice, and in no "
                "manifest; `chatlog erase` completes it"
            )
        return self.totals

    def _problem(self, kind: str, key: str, what: str) -> None:
        self.totals.problems[kind] += 1
        self._watcher.problem(Problem(kind, key, 0, what))

    # -- listing -----------------------------------------------------------------------------------

    def _can_list(self) -> None:
        """Raise StoreError if the store cannot be listed."""
        next(iter(self._store.list("manifest/")), None)

    def _listed(self, prefix: str) -> Iterator[Head]:
        """The objects below a prefix, each once. After an error that may pass, the listing starts again. The
        order of the keys is not relied on: some stores list directories, where ``ann/`` comes before
        ``ann-b/``."""
        tries = iter(PAUSES)
        while True:
            try:
                for head in self._store.list(prefix):
                    if self._index.is_new(head.key):
                        yield head
                return
            except StoreError as error:
                pause = next(tries, None)
                if error.kind != TRANSIENT or pause is None:
                    raise
            self._sleep(pause)

    def _prefixes(self) -> Iterator[str]:
        """The prefixes to list: everything, or one day after the other."""
        scope = self._scope
        if scope.all_days:
            yield ""
            return
        today = datetime.fromtimestamp(self._now, UTC).date()
        day, last = scope.since, min(scope.until, today + timedelta(days=1))
        if day == FIRST_DAY:
            yield from (f"{year:04}/" for year in range(2000, last.year))
            day = date(last.year, 1, 1)
        while day <= last:
            yield f"{day:%Y/%m/%d}/"
            day += timedelta(days=1)

    # -- objects -----------------------------------------------------------------------------------

    def _groups(self) -> Iterator[list[Named]]:
        """The objects, grouped by room and day."""
        group: list[Named] = []
        place = ""
        for prefix in self._prefixes():
            for head in self._listed(prefix):
                name = name_of_object(head.key)
                if name is None:
                    self.totals.unknown_files += not head.key.startswith(_KNOWN)
                    continue
                self.rooms.met(name.platform, name.channel)
                if not self._scope.has(name):
                    continue
                gone = self._index.why_gone(head.key)
                if gone in STILL_THERE:
                    self._problem("not-erased", head.key, STILL_THERE[gone])
                    continue
                named = self._namesakes.other(head, name) if gone else self._look_up(head, name)
                if named is None:
                    continue
                here = head.key.rpartition("/")[0]
                if group and (here != place or len(group) >= _AT_ONCE):
                    yield sorted(group, key=_KEY)
                    group = []
                place = here
                group.append(named)
        if group:
            yield sorted(group, key=_KEY)

    def _look_up(self, head: Head, name: FileName) -> Named:
        row = self._index.see(head.key)
        if row is None:
            if self._is_pending(head, name):
                self.totals.pending += 1
                self._manifests.spans.unnamed(name.instance, created(name))
            elif self._is_unattested(head, name):
                self.totals.unattested += 1
            else:
                self._problem("unnamed-object", head.key, "no manifest names it")
        return Named(head.key, name, head.size, row)

    def _is_pending(self, head: Head, name: FileName) -> bool:
        """Whether the object may have been stored in an hour that has no manifest yet."""
        named_until = self._index.named_until(name.instance or "main")
        if (
            head.stored is not None
            and self._now - 2 * HOUR < head.stored < self._now + _CLOCKS
            and (named_until is None or head.stored > named_until - _CLOCKS)
        ):
            # Perhaps the store was away for long, or the recorder's rotate_interval is longer than ours.
            return True
        began = created(name)
        if began is None:
            return False
        finished = (began // self._scope.rotate + 1) * self._scope.rotate
        return finished + 2 * HOUR > self._now and (named_until is None or finished > named_until - HOUR)

    def _is_unattested(self, head: Head, name: FileName | BundleName) -> bool:
        """Whether the manifest that names the object may have been lost with a spool, or be unreadable."""
        if self._manifests.unread:
            return True
        began = created(name)
        for gap in self._manifests.lost:
            if gap.instance != (name.instance or "main"):
                continue
            if head.stored is not None and gap.since - _CLOCKS <= head.stored <= gap.until + _CLOCKS:
                return True
            # An object is usually stored within an hour after its recording.
            if began is not None and gap.since - self._scope.rotate - _CLOCKS <= began <= gap.until:
                return True
        return False

    def _read_objects(self) -> None:
        """Check the objects, ``scope.at_once`` pairs of room and day at a time."""
        groups = self._groups()
        flying: deque[tuple[list[Named], Future[RoomDay]]] = deque()
        with ThreadPoolExecutor(self._scope.at_once) as pool:
            try:
                for group in groups:
                    known = None if self._resuming is None else self._resuming.find(group)
                    if known is not None:
                        self._add(group[0].name, known)
                        continue
                    if len(flying) >= self._scope.at_once:
                        self._landed(*flying.popleft())
                    flying.append((group, pool.submit(self._check, group)))
                while flying:
                    self._landed(*flying.popleft())
            except BaseException:
                self._stopped = True
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _landed(self, group: list[Named], future: Future[RoomDay]) -> None:
        found = future.result()
        if self._resuming is not None and self._scope.read:
            self._resuming.keep(group, found)
        self._add(group[0].name, found)

    def _read_bundles(self) -> None:
        whole = self._scope.all_days and not self._scope.rooms and not self._manifests.unread
        there = BundlesThere(self._index, whole, self._now, self._problem, self._is_unattested)
        # The bundles may have been listed already, so this does not use ``_listed``.
        there.check(self._patience.ask(lambda: list(self._store.list("bundle/"))))
        if there.note:
            self._watcher.note(there.note)
        for head, name in there.pending:
            self._manifests.spans.unnamed(name.instance, created(name))
            self.totals.pending += self._read_unnamed(head)
        for head in there.unattested:
            self.totals.unattested += self._read_unnamed(head)
        for bundle in self._index.in_bundles.bundles() if self._scope.read else ():
            if bundle in there.there:
                self._read_bundle(named_in(self._index, bundle))

    def _read_bundle(self, named: list[tuple[BundledRow, Named]]) -> None:
        for each in BundleCheck(self._store, named, self._reading, self._patience).run():
            self._add(each.named.name, each.found)

    def _read_unnamed(self, head: Head) -> int:
        """Check a bundle that is in no manifest. Returns the number of objects in it."""
        try:
            named = self._patience.ask(
                partial(named_by_table, self._store, self._index, head, self._scope.has)
            )
        except StoreAway:
            raise
        except StoreError as error:
            self._problem("unread-object", head.key, why_unread(error))
            return 1
        except ValueError as error:
            self._problem("unreadable-object", head.key, str(error))
            return 1
        if self._scope.read:
            self._read_bundle(named)
        else:
            self.totals.objects += len(named)
        return len(named)

    def _read_parquet(self) -> None:
        there = ParquetThere(self._store, self._scope, self._index, self._now, self._problem, self._watcher)
        there.check(self._patience, self._reading)

    def _check(self, group: list[Named]) -> RoomDay:
        return RoomDayCheck(self._store, group, self._reading, self._scope.read, self._patience).run()

    def _reading(self, size: int) -> None:
        if self._stopped:
            raise Stopped
        self._watcher.reading(size)

    def _add(self, name: FileName, found: RoomDay) -> None:
        totals = self.totals
        totals.objects += found.objects
        totals.bytes += found.bytes
        totals.lines += found.lines
        totals.copies += found.copies
        totals.problems.update(found.counts)
        for problem in found.problems:
            self._watcher.problem(problem)
        for day, sums in found.gaps.items():
            if self._scope.since.isoformat() <= day <= self._scope.until.isoformat():
                self._index.add_gaps(name.platform, name.channel, day, sums)
        self._watcher.step("objects", totals.objects, self._index.count() + totals.pending)

    # -- missing objects -----------------------------------------------------------------------------

    def _find_missing(self) -> None:
        self._namesakes.report_missing()
        for key in self._index.unseen():
            try:
                # The object may have been stored after its day was listed, or the list was incomplete.
                head = self._patience.ask(partial(self._store.head, key))
            except StoreAway:
                raise
            except StoreError as error:
                self._problem("unread-object", key, why_unread(error))
                continue
            name = name_of_object(key)
            if head is None or name is None:
                self._problem("missing-object", key, "a manifest names it, and it is not there")
            else:
                self._add(name, self._check([Named(key, name, head.size, self._index.object(key))]))
