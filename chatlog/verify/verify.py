"""Whether an archive is whole: what its manifests say is compared with what is there, and every line of
every object is looked at.

Manifests first, then the objects room by room and day by day, then what is missing. Memory is bounded: a
day of one room at a time, several rooms at once; what all manifests say is in a temporary file. Trouble with
one object, whatever it is, is the trouble of that object; only a store that cannot be listed ends the look.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from functools import partial
from operator import attrgetter

from chatlog.naming import FileName
from chatlog.store.store import TRANSIENT, Head, Store, StoreError
from chatlog.verify.archive_index import ArchiveIndex
from chatlog.verify.findings import Problem, Totals
from chatlog.verify.keys import name_of_object
from chatlog.verify.manifest_check import ManifestCheck
from chatlog.verify.object_check import Named, RoomDay, RoomDayCheck, why_unread
from chatlog.verify.patience import PAUSES, Patience, StoreAway
from chatlog.verify.rooms_there import RoomsThere
from chatlog.verify.scope import FIRST_DAY, HOUR, Scope, Watcher

_KEY = attrgetter("key")
#: Objects of one room and day that are looked at in one go.
_AT_ONCE = 2000
#: Seconds by which a store's clock may differ from a recorder's.
_CLOCKS = 600.0


class Stopped(Exception):
    """Nobody waits for the end any more."""


class Verification:
    """One look at an archive. Raises StoreError if the store does not let us look."""

    def __init__(
        self,
        store: Store,
        scope: Scope,
        index: ArchiveIndex,
        watcher: Watcher,
        now: float,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._store = store
        self._scope = scope
        self._index = index
        self._watcher = watcher
        self._now = now
        self._sleep = sleep
        self._stopped = False
        self.totals = Totals()
        #: Every room that was met, in the scope or not.
        self.rooms = RoomsThere()
        self._patience = Patience(sleep, self._can_list)
        self._manifests = ManifestCheck(store, scope, index, self.totals, watcher, self._patience, self.rooms)

    @property
    def days(self) -> tuple[str, str] | None:
        """The first and the last day of any manifest, in the scope or not."""
        return self._manifests.days

    def run(self) -> Totals:
        """Look at everything."""
        self._manifests.run(self._listed("manifest/"))
        self._read_objects()
        self._find_missing()
        return self.totals

    def _problem(self, kind: str, key: str, what: str) -> None:
        self.totals.problems[kind] += 1
        self._watcher.problem(Problem(kind, key, 0, what))

    # -- listing -----------------------------------------------------------------------------------

    def _can_list(self) -> None:
        """Raises StoreError if the store does not list what it has."""
        next(iter(self._store.list("manifest/")), None)

    def _listed(self, prefix: str) -> Iterator[Head]:
        """What the store has below a prefix, each once; asked anew where passing trouble broke it off. Not
        every store lists in the order of the keys, nor only once: some go through directories, in which
        ``ann/`` comes before ``ann-b/``."""
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
        """What has to be listed: everything, or the days one by one."""
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
        """The objects, a room and a day at a time."""
        group: list[Named] = []
        place = ""
        for prefix in self._prefixes():
            for head in self._listed(prefix):
                name = name_of_object(head.key)
                if name is None:
                    self.totals.strangers += not head.key.startswith("manifest/")
                    continue
                self.rooms.met(name.platform, name.channel)
                if not self._scope.has(name):
                    continue
                named = self._look_up(head, name)
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
            elif self._is_unattested(head, name):
                self.totals.unattested += 1
            else:
                self._problem("unnamed-object", head.key, "no manifest names it")
        return Named(head.key, name, head.size, row)

    def _is_pending(self, head: Head, name: FileName) -> bool:
        """Whether it may have been stored in an hour that has no manifest yet."""
        named_until = self._index.named_until(name.instance or "main")
        if (
            head.stored is not None
            and self._now - 2 * HOUR < head.stored < self._now + _CLOCKS
            and (named_until is None or head.stored > named_until - _CLOCKS)
        ):
            # Perhaps the store was away for long, or files are written to for longer than is known here.
            return True
        begun = _begun(name)
        if begun is None:
            return False
        finished = (begun // self._scope.rotate + 1) * self._scope.rotate
        return finished + 2 * HOUR > self._now and (named_until is None or finished > named_until - HOUR)

    def _is_unattested(self, head: Head, name: FileName) -> bool:
        """Whether only a spool that was lost, or a manifest that could not be read, may have named it."""
        if self._manifests.unread:
            return True
        begun = _begun(name)
        for hole in self._manifests.lost:
            if hole.instance != (name.instance or "main"):
                continue
            if head.stored is not None and hole.since - _CLOCKS <= head.stored <= hole.until + _CLOCKS:
                return True
            # What was stored then was mostly recorded in the hour before.
            if begun is not None and hole.since - self._scope.rotate - _CLOCKS <= begun <= hole.until:
                return True
        return False

    def _read_objects(self) -> None:
        """Several rooms and days at once, and no more of them in hand than that."""
        groups = self._groups()
        flying: deque[Future[RoomDay]] = deque()
        rooms: deque[FileName] = deque()
        with ThreadPoolExecutor(self._scope.at_once) as pool:
            try:
                for group in groups:
                    if len(flying) >= self._scope.at_once:
                        self._take(rooms.popleft(), flying.popleft().result())
                    flying.append(pool.submit(self._check, group))
                    rooms.append(group[0].name)
                while flying:
                    self._take(rooms.popleft(), flying.popleft().result())
            except BaseException:
                self._stopped = True
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _check(self, group: list[Named]) -> RoomDay:
        return RoomDayCheck(self._store, group, self._reading, self._scope.read, self._patience).run()

    def _reading(self, size: int) -> None:
        if self._stopped:
            raise Stopped
        self._watcher.reading(size)

    def _take(self, name: FileName, found: RoomDay) -> None:
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

    # -- what is missing -----------------------------------------------------------------------------

    def _find_missing(self) -> None:
        for key in self._index.unseen():
            try:
                # It may have come after its day was listed, or a list was not whole.
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
                self._take(name, self._check([Named(key, name, head.size, self._index.object(key))]))


def _begun(name: FileName) -> float | None:
    """When a file was begun, in seconds since the epoch; None for a time that is none."""
    try:
        return datetime.strptime(name.minute, "%Y%m%d_%H%M").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
