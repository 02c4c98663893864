"""Erases a person from an archive: leaves out their records, and what others' records have of them.

In steps, each of which may be the last one before the process dies:

    1. what an earlier run began is completed          4. a manifest says what is replaced by what
    2. everything in the scope is looked at            5. the old objects are deleted, and looked for
    3. what is left of some objects is stored          6. what was made of them is deleted

2 to 6 are repeated until a look at everything finds nothing; then a row says that the request is done.
Between 3 and 4 an object is there twice; the next run deletes what no manifest names (``erasure_book``).
Between 4 and 5 ``verify`` says ``not-erased``, and the next run deletes the old object.

The module is longer because the steps have to be read in their order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from chatlog.naming import FileName
from chatlog.record import rfc3339
from chatlog.store.store import MISSING, REFUSED, Store, StoreError, Versioned
from chatlog.upkeep.erasure_book import (
    Planned,
    Written,
    name_in_key,
    note_intent,
    remove_orphans,
    written,
)
from chatlog.upkeep.erasure_scan import Hit, Scan, Scanner, Stored
from chatlog.upkeep.ledger import Ledger
from chatlog.upkeep.lock import ArchiveLock
from chatlog.upkeep.person_search import PersonSearch, rewritten
from chatlog.uploader.deposit import Deposit
from chatlog.uploader.manifest_rows import DoneRow, ObjectRow, ReplacedRow, RequestRow, Row
from chatlog.uploader.packing import ContentsReader, Packed, pack_data, unpacked

#: Objects that are replaced together, and requests at the same time.
_TOGETHER = 64
_AT_ONCE = 8
#: Objects that are unpacked in memory at the same time.
_UNPACKED = 3
#: Looks at everything, at most: what recorders store meanwhile is found by the next one.
_MOST_LOOKS = 5


class SeveralPeople(Exception):
    """A name that several people had. ``ids`` are theirs."""

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids = sorted(ids)
        super().__init__(", ".join(self.ids))


@dataclass(slots=True)
class Outcome:
    """The result. ``left``: what could not be done, with why. ``versions``: the store keeps the old bytes of
    what was deleted. ``locked``: it refuses to delete."""

    request: str = ""
    looked_at: int = 0
    objects: int = 0
    removed: int = 0
    redacted: int = 0
    completed: int = 0
    orphans: int = 0
    derived: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)
    versions: bool = False
    locked: bool = False
    done: bool = False
    names: set[str] = field(default_factory=set)
    room_days: set[tuple[str, str, str]] = field(default_factory=set)


class _Rewritten(NamedTuple):
    """An object that was read, and what is left of it; None if nothing is."""

    object: Stored
    old: ObjectRow
    packed: Packed | None
    redacted: int


class Eraser:
    """Erases in one archive. ``ledger`` writes down what is done, ``lock`` is held meanwhile; ``now()`` is
    the time of day. ``busy`` are the files that a recorder here still has: their objects are left alone.
    Every method may raise StoreError and Lost."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        lock: ArchiveLock,
        now: Callable[[], float],
        busy: Callable[[], set[FileName]] = set,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._lock = lock
        self._now = now
        self._busy = busy
        self._deposit = Deposit(store)

    def complete(self, outcome: Outcome) -> Written:
        """Complete what earlier runs wrote down and did not do; returns what is written down by now."""
        known = written(self._store)
        for key in known.damaged:
            outcome.left.append((key, "it says what was erased before, and is damaged: see chatlog verify"))
        if not known.damaged:
            self._lock.check()
            outcome.orphans += remove_orphans(self._store, known)
        mine = [row for row in known.replaced.values() if row.request in known.open]
        self._finish(mine, outcome)
        return known

    def _finish(self, rows: list[ReplacedRow], outcome: Outcome) -> None:
        """Delete the objects that were replaced and are there, and what was made of them."""
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            there = [
                row
                for row, head in zip(
                    rows, threads.map(lambda row: self._store.head(row.key), rows), strict=True
                )
                if head is not None
            ]
        ready = []
        for row in there:
            if row.by and self._store.head(row.by) is None:
                outcome.left.append((row.key, f"{row.by}, which was to take its place, is not there"))
            else:
                ready.append(row)
        self._delete([row.key for row in ready], outcome)
        outcome.completed += len(ready)
        self._forget_derived(rows, outcome)

    def erase(self, search: PersonSearch, scanner: Scanner, tag: str, outcome: Outcome) -> PersonSearch:
        """Erase the person; ``outcome`` is told of it. The same ``tag`` goes on with a request that is not
        done. Returns the search with all that was found out of the person. Raises SeveralPeople."""
        known = self.complete(outcome)
        request = outcome.request = self._named(tag, known)
        search, scan = settled(scanner, search)
        asked = request in known.open
        for _ in range(_MOST_LOOKS):
            outcome.looked_at = len(scan.listed)
            back = [known.replaced[each.key] for each in scan.listed if each.key in known.replaced]
            hits = self._in_order(scan, {row.key for row in back})
            if not hits and not back:
                break
            if not asked:
                self._lock.check()
                self._ledger.write([RequestRow(request, self._time())])
                asked = True
            # A recorder that died before it knew that its object is stored has stored it again.
            self._finish(back, outcome)
            for batch in _batches(hits):
                self._replace(batch, search, request, outcome)
            if outcome.locked:
                return search
            known = written(self._store)
            search, scan = settled(scanner, search)
        outcome.left += scan.unread
        busy = self._busy()
        outcome.left += [(hit.object.key, _why_left(hit.object, busy)) for hit in scan.hits]
        outcome.names = set(search.person.names)
        if any(row.request == request for row in known.replaced.values()):
            outcome.versions = self._keeps_versions()
        if not outcome.left and not outcome.versions:
            outcome.done = True
            if asked:
                self._ledger.write([DoneRow(request, self._time())])
        return search

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
        busy = self._busy()
        groups = []
        hit = {each.object.key: each for each in scan.hits}
        for _, same in groupby(scan.listed, key=lambda each: (each.key.rpartition("/")[0], _file(each.name))):
            files = [each for each in same if each.key not in skipped]
            first = next((n for n, each in enumerate(files) if each.key in hit), None)
            if first is not None and not any(each.name in busy for each in files):
                groups.append([hit.get(each.key, Hit(each, 0, 0)) for each in files[first:]])
        return groups

    def _replace(self, batch: list[list[Hit]], search: PersonSearch, request: str, outcome: Outcome) -> None:
        """Steps 3 to 6 for some objects."""
        with ThreadPoolExecutor(_UNPACKED) as threads:
            groups = list(threads.map(lambda group: self._read(group, search), batch))
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            found = [each for group in groups for each in group]
            self._lock.check()
            planned = [Planned(each.object.key, each.packed.sha256) for each in found if each.packed]
            intent = note_intent(self._store, request, planned)
            stored = [row for rows in threads.map(self._store_group, groups) for row in rows]
        at = self._time()
        rows: list[Row] = []
        replaced: list[ReplacedRow] = []
        for each, (key, size, sha256, count) in zip(found, stored, strict=True):
            old, gone = each.old, each.old.lines - count
            what = (key, size, sha256, count, gone, each.redacted)
            row = ReplacedRow(old.key, old.sha256, old.lines, *what, request, at)
            # The old one may be in no manifest yet.
            rows += [old, row]
            replaced.append(row)
        self._lock.check()
        self._ledger.write(rows)
        self._lock.check()
        self._delete([row.key for row in replaced], outcome)
        self._forget_derived(replaced, outcome)
        self._store.delete(intent)
        outcome.objects += len(replaced)
        outcome.removed += sum(row.removed for row in replaced)
        outcome.redacted += sum(row.redacted for row in replaced)

    def _read(self, group: list[Hit], search: PersonSearch) -> list[_Rewritten]:
        return [self._rewrite(hit.object, search) for hit in group]

    def _rewrite(self, object: Stored, search: PersonSearch) -> _Rewritten:
        data = b"".join(self._store.read(object.key))
        reader = ContentsReader()

        try:
            # As one block: lines of any length stay whole.
            text = b"".join(unpacked([data], object.suffix))
            rest, redacted = rewritten([text], search)
        except ValueError as error:
            raise StoreError(f"{object.key} is damaged: {error}") from None
        reader.feed(text)
        was = reader.contents()
        old = ObjectRow(
            object.key, len(data), hashlib.sha256(data).hexdigest(), was.lines, was.first, was.last
        )
        return _Rewritten(object, old, pack_data(rest, object.suffix) if rest else None, redacted)

    def _store_group(self, group: list[_Rewritten]) -> list[tuple[str, int, str, int]]:
        """Store what is left of the objects of one file, one behind the other: key, bytes, digest and lines
        of each."""
        found = []
        name = max((each.object.name for each in group), key=lambda name: name.n)
        for each in group:
            if each.packed is None:
                found.append(("", 0, "", 0))
                continue
            stored, _ = self._deposit.put(name.numbered(name.n + 1), each.packed)
            name = name_in_key(stored.key) or name
            found.append((stored.key, stored.bytes, stored.sha256, stored.lines))
        return found

    def _keeps_versions(self) -> bool:
        """Whether the store keeps what is deleted: then what was just written has a version."""
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
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            for key, why in zip(keys, threads.map(self._delete_one, keys), strict=True):
                if why:
                    outcome.locked = True
                    outcome.left.append((key, why))

    def _delete_one(self, key: str) -> str:
        """Why the object could not be deleted; ``""`` if it is gone."""
        try:
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
        """Delete what was made of the objects: it is made again of what is left."""
        places = set()
        for row in rows:
            name = name_in_key(row.key)
            if name is not None:
                day = f"{name.minute[:4]}-{name.minute[4:6]}-{name.minute[6:8]}"
                places.add((name.platform, name.channel, day))
        for key in sorted(set(self._derived(places))):
            outcome.derived += 1
            self._delete([key], outcome)
        outcome.room_days |= places

    def _derived(self, places: set[tuple[str, str, str]]) -> Iterator[str]:
        for platform, channel, day in places:
            prefix = f"parquet/date={day}/platform={platform}/channel={channel}/"
            yield from [head.key for head in self._store.list(prefix)]
        months = {day[:7] for _, _, day in places}
        if months:
            for head in list(self._store.list("index/")):
                if any(month in head.key for month in months):
                    yield head.key

    def _time(self) -> str:
        return rfc3339(round(self._now() * 1000))


def settled(scanner: Scanner, search: PersonSearch) -> tuple[PersonSearch, Scan]:
    """Look at everything until nothing new comes out about the person. Raises SeveralPeople."""
    while True:
        scan = scanner.scan(search)
        if not search.person.id and len(scan.facts.ids) > 1:
            raise SeveralPeople(scan.facts.ids)
        known = search.knowing(scan.facts)
        if known.person == search.person:
            return search, scan
        search = known


def _why_left(object: Stored, busy: set[FileName]) -> str:
    if object.name in busy:
        return "the recorder on this machine still has its file: run this again once that is stored"
    return "it still has something: recorders store more of it; run this again"


def _file(name: FileName) -> tuple[str, str]:
    return name.minute, name.instance


def _batches(groups: list[list[Hit]]) -> Iterator[list[list[Hit]]]:
    batch: list[list[Hit]] = []
    for group in groups:
        batch.append(group)
        if sum(map(len, batch)) >= _TOGETHER:
            yield batch
            batch = []
    if batch:
        yield batch
