"""Erases a person from an archive: leaves out their records, and what others' records have of them.

In steps, each of which may be the last one before the process dies:

    1. what an earlier run began is completed          4. a manifest says what is replaced by what
    2. everything in the scope is searched             5. the old objects are deleted, which is checked
    3. the rest of each object with hits is stored     6. Parquet and indexes of them are deleted

2 to 6 are repeated until a search of everything finds nothing; then a row says that the request is done.
Between 3 and 4 an object is there twice; the next run deletes the one that no manifest names
(``erasure_book``). Between 4 and 5 ``verify`` says ``not-erased``, and the next run deletes the old object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from chatlog.archive.catalog import Catalog
from chatlog.chunks import sha256_of
from chatlog.naming import FileName
from chatlog.record import rfc3339
from chatlog.redaction import Person
from chatlog.store.store import CORRUPT, MISSING, REFUSED, Store, StoreError, Versioned
from chatlog.upkeep.bundle_put import delete_bundle
from chatlog.upkeep.derived import RoomDay, derived_of_day, index_keys
from chatlog.upkeep.erasure_book import (
    Written,
    begun,
    forget_begun,
    name_in_key,
    note_begun,
    note_intent,
    remove_orphans,
    written,
)
from chatlog.upkeep.erasure_objects import Stored, files_of
from chatlog.upkeep.erasure_rewriting import AT_ONCE, Batch, Differs, Rewriter, batches
from chatlog.upkeep.erasure_scan import Hit, Scan, Scanner
from chatlog.upkeep.ledger import Ledger
from chatlog.upkeep.local_recorder import LocalRecorder, NoRecorder
from chatlog.upkeep.lock import ArchiveLock
from chatlog.upkeep.person_search import PersonSearch
from chatlog.uploader.bundle_table import BESIDE, has_table_inside
from chatlog.uploader.manifest_rows import DoneRow, ReplacedRow, RequestRow
from chatlog.verify.keys import is_bundle

#: The most searches of everything: each finds what recorders have stored since the one before.
_MOST_SEARCHES = 6


@dataclass(slots=True)
class Outcome:
    """The result. ``left``: what could not be done, with the reason. ``versions``: the store keeps the old
    bytes of what was deleted. ``locked``: it refuses to delete. ``objects`` and ``bundles`` were written
    again."""

    request: str = ""
    looked_at: int = 0
    objects: int = 0
    bundles: int = 0
    removed: int = 0
    redacted: int = 0
    completed: int = 0
    orphans: int = 0
    derived: int = 0
    remade: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)
    versions: bool = False
    locked: bool = False
    done: bool = False
    names: set[str] = field(default_factory=set)
    room_days: set[RoomDay] = field(default_factory=set)
    #: Parquet and indexes that were not made again, with the reason. They are deleted, so the request need
    #: not stay open.
    not_remade: list[tuple[str, str]] = field(default_factory=list)


class Eraser:
    """Erases in one archive. ``ledger`` writes the manifests, ``lock`` is held meanwhile; ``now()`` is the
    time of day. ``remake(outcome)`` makes the Parquet and the indexes of the changed ``room_days`` again.
    Every method may raise StoreError and Lost."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        lock: ArchiveLock,
        now: Callable[[], float],
        recorder: LocalRecorder | None = None,
        remake: Callable[[Outcome], object] | None = None,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._lock = lock
        self._now = now
        self._recorder: LocalRecorder = recorder or NoRecorder()
        self._remake = remake or self._forget_indexes
        self._rewriter = Rewriter(store)
        # The requests after which Parquet and indexes may have to be made again.
        self._begun: set[str] = set()

    def complete(self, outcome: Outcome) -> None:
        """Complete what earlier runs wrote down and did not do."""
        self._complete(outcome)
        self._remake_derived(outcome)

    def _complete(self, outcome: Outcome) -> Written:
        known = written(self._store)
        for key in known.damaged:
            outcome.left.append((key, "it says what was erased before, and is damaged: see chatlog verify"))
        if not known.damaged:
            self._lock.check()
            outcome.orphans += remove_orphans(self._store, known)
        mine = [row for row in known.replaced.values() if row.request in known.open]
        self._finish(mine, outcome)
        self._begun = begun(self._store)
        self._forget_derived([row for row in mine if row.request in self._begun], outcome)
        return known

    def _remake_derived(self, outcome: Outcome) -> None:
        """Make Parquet and indexes again, after this request and interrupted ones."""
        self._remake(outcome)
        forget_begun(self._store, self._begun)
        self._begun = set()

    def _finish(self, rows: list[ReplacedRow], outcome: Outcome) -> None:
        """Delete replaced objects that are still there, and the Parquet that was made of them."""
        catalog = Catalog(self._store, self._now)
        with ThreadPoolExecutor(AT_ONCE) as threads:
            there = [row for row, yes in zip(rows, threads.map(self._is_there, rows), strict=True) if yes]
        ready = []
        for row in there:
            name = name_in_key(row.by)
            if row.by and self._store.head(row.by) is None and (name is None or not catalog.find(name)):
                outcome.left.append((row.key, f"{row.by}, which was to take its place, is not there"))
            else:
                ready.append(row)
        self._delete([row.key for row in ready], outcome)
        outcome.completed += len(ready)
        self._forget_derived(ready, outcome)

    def _is_there(self, row: ReplacedRow) -> bool:
        """Whether the object that was replaced is there, and no other one of its name."""
        if is_bundle(row.key) and not has_table_inside(row.key) and self._store.head(row.key) is None:
            with suppress(StoreError):
                self._store.delete(row.key + BESIDE)
        return self._store.head(row.key) is not None and sha256_of(self._store.read(row.key)) == row.sha256

    def erase(
        self,
        search: PersonSearch,
        scanner: Scanner,
        tag: Callable[[Person], str],
        outcome: Outcome,
        known_now: Callable[[Person], object] = lambda person: None,
    ) -> PersonSearch:
        """Erase the person, and add to ``outcome``. An open request with the same ``tag`` is continued.
        ``known_now(person)`` is called once the person is known, before anything is changed. Returns the
        search with all facts that were found about the person. Raises SeveralPeople."""
        known = self._complete(outcome)
        search, scan = scanner.settled(search)
        known_now(search.person)
        request = outcome.request = self._named(tag(search.person), known)
        asked = request in known.open
        self._recorder.before_erasure(search)
        for _ in range(_MOST_SEARCHES):
            outcome.looked_at = len(scan.listed)
            back = self._back(scan, known)
            hits = self._in_order(scan, {row.key for row in back})
            if not hits and not back:
                if not self._recorder.after_erasure(search):
                    break
            elif not asked:
                self._lock.check()
                self._ledger.write([RequestRow(request, self._time())])
                asked = True
            if hits or back:
                self._begun.add(request)
                note_begun(self._store, request)
            # A recorder that died before it knew that its object is stored has stored it again.
            self._finish(back, outcome)
            for batch in batches(hits):
                self._replace(batch, search, known, outcome)
                known = written(self._store)
            if outcome.locked:
                return search
            search, scan = scanner.settled(search)
        self._end(search, scan, asked, known, outcome)
        return search

    def _end(self, search: PersonSearch, scan: Scan, asked: bool, known: Written, outcome: Outcome) -> None:
        """Make Parquet and indexes again, and report what is left, or that the request is done."""
        self._remake_derived(outcome)
        outcome.left += scan.unread
        busy = self._recorder.busy()
        named = {key for key, _ in outcome.left}
        outcome.left += [
            (hit.object.key, _why_left(hit.object, busy)) for hit in scan.hits if hit.object.key not in named
        ]
        outcome.names = set(search.person.names)
        if any(row.request == outcome.request for row in known.replaced.values()):
            outcome.versions = self._keeps_versions()
        if not outcome.left and not outcome.versions:
            outcome.done = True
            if asked:
                self._ledger.write([DoneRow(outcome.request, self._time())])

    def _back(self, scan: Scan, known: Written) -> list[ReplacedRow]:
        """The rows of replaced objects that are there nevertheless."""
        keys = {each.key for each in scan.listed if each.own} | scan.listing.bundles.keys()
        return [row for (key, _), row in known.replaced.items() if key in keys and self._is_there(row)]

    def _named(self, tag: str, known: Written) -> str:
        """The name of the request: that of an open one with this tag, or a new one."""
        for request in known.open:
            if tag in request.split("-"):
                return request
        name = f"e-{self._time()[:10].replace('-', '')}-{tag}"
        again = sum(request.startswith(name) for request in known.requests)
        return f"{name}-{again + 1}" if again else name

    # -- replacing -----------------------------------------------------------------------------------

    def _in_order(self, scan: Scan, skipped: set[str]) -> list[list[Hit]]:
        """The objects to be written again, by file: with each also those of the same minute behind it, so
        that all stay in the order of time."""
        busy = self._recorder.busy()
        groups = []
        hit = {each.object: each for each in scan.hits}
        for same in files_of(scan.listed):
            files = [each for each in same if not (each.own and each.key in skipped)]
            first = next((n for n, each in enumerate(files) if each in hit), None)
            if first is not None and not any(each.name in busy for each in files):
                groups.append([hit.get(each, Hit(each, 0, 0)) for each in files[first:]])
        return groups

    def _replace(self, batch: Batch, search: PersonSearch, known: Written, outcome: Outcome) -> None:
        """Steps 3 to 6 for some objects."""
        request = outcome.request
        try:
            work = self._rewriter.read(batch, search)
            self._lock.check()
            intent = note_intent(self._store, request, work.planned)
            done = self._rewriter.put(work, known, request, self._time())
        except (Differs, StoreError) as error:
            if isinstance(error, StoreError) and error.kind != CORRUPT:
                raise
            for group in batch.groups:
                outcome.left += [(hit.object.key, str(error)) for hit in group]
            return
        bundles = len(work.bundles)
        del work
        self._lock.check()
        self._ledger.write(done.rows)
        self._lock.check()
        self._delete(done.doomed, outcome)
        self._forget_derived(done.objects, outcome)
        self._store.delete(intent)
        outcome.objects += len(done.objects)
        outcome.bundles += bundles
        outcome.removed += sum(row.removed for row in done.objects)
        outcome.redacted += sum(row.redacted for row in done.objects)

    def _keeps_versions(self) -> bool:
        """Whether the store keeps old versions: then the latest manifest has a version."""
        latest = self._ledger.latest()
        if latest is None or not isinstance(self._store, Versioned):
            return False
        return self._store.version_of(latest.key) not in ("", "null")

    # -- deleting ------------------------------------------------------------------------------------

    def _delete(self, keys: list[str], outcome: Outcome) -> None:
        """Delete objects, and make sure that they are gone."""
        if not keys:
            return
        self._lock.check()
        with ThreadPoolExecutor(AT_ONCE) as threads:
            for key, why in zip(keys, threads.map(self._delete_one, keys), strict=True):
                if why:
                    outcome.locked = True
                    outcome.left.append((key, why))

    def _delete_one(self, key: str) -> str:
        """Why the object could not be deleted; ``""`` if it is gone."""
        try:
            if is_bundle(key):
                delete_bundle(self._store, key)
            else:
                self._store.delete(key)
        except StoreError as error:
            if error.kind == MISSING:
                return ""
            if error.kind != REFUSED:
                raise
            return f"the store refuses to delete it: {error}"
        if self._store.head(key) is not None:
            return "the store said that it deleted it, and has it still"
        return ""

    def _forget_derived(self, rows: Iterable[ReplacedRow], outcome: Outcome) -> None:
        """Delete the Parquet that was made of the objects."""
        names = filter(None, (name_in_key(row.key) for row in rows))
        places = {place for name in names for place in RoomDay.around(name)}
        for platform, channel, day in sorted(places):
            keys = list(derived_of_day(self._store, (platform, channel), day))
            outcome.derived += len(keys)
            self._delete(keys, outcome)
        outcome.room_days |= places

    def _forget_indexes(self, outcome: Outcome) -> None:
        keys = index_keys(self._store, {place.day for place in outcome.room_days})
        outcome.derived += len(keys)
        self._delete(keys, outcome)

    def _time(self) -> str:
        return rfc3339(round(self._now() * 1000))


def _why_left(object: Stored, busy: set[FileName]) -> str:
    if object.name in busy:
        return "the recorder on this machine still has its file: run this again once that is stored"
    return "it still has something: recorders store more of it; run this again"
