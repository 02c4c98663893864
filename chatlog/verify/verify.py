"""Whether an archive is whole: what its manifests say is compared with what is there, and every line of
every object is looked at.

Manifests first, then the objects room by room and day by day, then what is missing. Memory is bounded: a
day of one room at a time, several rooms at once; what all manifests say is in a temporary file.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TypeVar

from chatlog.naming import FileName, parse_manifest_name, parse_name
from chatlog.store.store import MISSING, TRANSIENT, Head, Store, StoreError
from chatlog.uploader.manifest_rows import LONGEST_ROW, HeadRow, ObjectRow, RoomRow, lines_of, parsed
from chatlog.uploader.packing import unpacked
from chatlog.verify.archive_index import ArchiveIndex
from chatlog.verify.findings import Problem, Totals
from chatlog.verify.object_check import Named, RoomDay, RoomDayCheck

T = TypeVar("T")

HOUR = 3600.0
#: Seconds between tries of a store in passing trouble.
_TRIES = (1.0, 3.0, 10.0)
#: Objects of one room and day that are looked at in one go.
_AT_ONCE = 2000
#: Seconds by which a store's clock may differ from a recorder's.
_CLOCKS = 600.0
#: What begins and ends a scope of all days.
FIRST_DAY, LAST_DAY = date(1, 1, 1), date(9999, 12, 31)
_SUFFIXES = (".gz", ".zst")


@dataclass(frozen=True, slots=True)
class Scope:
    """What is looked at: days, both included, and rooms as (platform, channel), none meaning all.
    ``read``: also what is in the objects. ``at_once`` is the number of rooms and days in hand at a time;
    ``rotate`` how long files are written to at most, in seconds."""

    since: date = FIRST_DAY
    until: date = LAST_DAY
    rooms: frozenset[tuple[str, str]] = frozenset()
    read: bool = True
    at_once: int = 4
    rotate: float = HOUR

    @property
    def all_days(self) -> bool:
        """Whether no day is left out."""
        return (self.since, self.until) == (FIRST_DAY, LAST_DAY)

    @property
    def all(self) -> bool:
        """Whether nothing is left out."""
        return self.all_days and not self.rooms

    def has(self, name: FileName) -> bool:
        """Whether a file of this name belongs to it."""
        day = f"{name.minute[:4]}-{name.minute[4:6]}-{name.minute[6:8]}"
        return (not self.rooms or (name.platform, name.channel) in self.rooms) and (
            self.since.isoformat() <= day <= self.until.isoformat()
        )


class Watcher:
    """Who wants to know how far it is. Every method does nothing."""

    def problem(self, problem: Problem) -> None:
        """A problem was found."""

    def reading(self, size: int) -> None:
        """So many bytes were read; called in any thread."""

    def step(self, what: str, done: int, total: int) -> None:
        """``done`` of about ``total`` ``what`` were looked at; 0 if nobody knows."""


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

    def run(self) -> Totals:
        """Look at everything."""
        self._read_manifests()
        self._read_objects()
        self._find_missing()
        return self.totals

    def _problem(self, kind: str, key: str, what: str) -> None:
        self.totals.problems[kind] += 1
        self._watcher.problem(Problem(kind, key, 0, what))

    def _patiently(self, call: Callable[[], T]) -> T:
        """The result of a call to the store, made again while its trouble may pass."""
        for pause in _TRIES:
            try:
                return call()
            except StoreError as error:
                if error.kind != TRANSIENT:
                    raise
            self._sleep(pause)
        return call()

    # -- manifests ---------------------------------------------------------------------------------

    def _read_manifests(self) -> None:
        """Also those of later days: what was recorded on one may have been stored much later."""
        first = f"manifest/{self._scope.since:%Y/%m/%d}/"
        for head in self._listed("manifest/"):
            if head.key >= first or self._scope.since == FIRST_DAY:
                self._patiently(partial(self._read_manifest, head.key))
                self._watcher.step("manifests", self.totals.manifests, 0)
        for hole in self._index.holes():
            since, until = _time(hole.since), _time(hole.until)
            what = f"instance {hole.instance} has no manifest from {since} to {until}"
            self._problem("missing-manifest", hole.before, what)

    def _read_manifest(self, key: str) -> None:
        suffix = next((end for end in _SUFFIXES if key.endswith(end)), "")
        try:
            parse_manifest_name(key.removesuffix(suffix).rpartition("/")[2])
        except ValueError:
            self.totals.strangers += 1
            return
        try:
            with self._index.whole():
                self._read_rows(key, unpacked(self._store.read(key), suffix))
        except StoreError as error:
            if error.kind != MISSING:
                raise
            self._problem("missing-manifest", key, "it was there a moment ago")

    def _read_rows(self, key: str, chunks: Iterable[bytes]) -> None:
        rows = 0
        period: HeadRow | None = None
        try:
            for line, whole in lines_of(chunks, LONGEST_ROW):
                rows += 1
                if not whole:
                    raise ValueError("it is cut off")
                row = parsed(line)
                if isinstance(row, HeadRow):
                    period = row
                elif period is None:
                    raise ValueError("it does not begin with its period")
                elif isinstance(row, ObjectRow):
                    self._named(key, row)
                elif isinstance(row, RoomRow):
                    self._room(period, row)
            if period is None:
                raise ValueError("it is empty")
        except ValueError as error:
            self._problem("invalid-manifest", key, f"row {rows}: {error}" if rows else str(error))
        if period is not None:
            self.totals.manifests += 1
            self._index.add_period(period, key)

    def _named(self, manifest: str, row: ObjectRow) -> None:
        name = _name(row.key)
        if name is None:
            self._problem("invalid-manifest", manifest, f"it names {row.key[:200]!r}, which is no object")
        elif self._scope.has(name) and not self._index.add_object(row):
            self._problem("invalid-manifest", manifest, f"{row.key} has other bytes in another manifest")

    def _room(self, period: HeadRow, row: RoomRow) -> None:
        scope = self._scope
        if not scope.rooms or (row.platform, row.channel) in scope.rooms:
            self._index.add_room(period, row, scope.since.isoformat(), scope.until.isoformat())

    # -- objects -----------------------------------------------------------------------------------

    def _listed(self, prefix: str) -> Iterator[Head]:
        """What the store has below a prefix; asked anew where passing trouble broke it off."""
        last = ""
        tries = iter(_TRIES)
        while True:
            try:
                for head in self._store.list(prefix):
                    if head.key > last:
                        last = head.key
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

    def _groups(self) -> Iterator[list[Named]]:
        """The objects, a room and a day at a time."""
        group: list[Named] = []
        place = ""
        for prefix in self._prefixes():
            for head in self._listed(prefix):
                name = _name(head.key)
                if name is None:
                    self.totals.strangers += not head.key.startswith("manifest/")
                    continue
                if not self._scope.has(name):
                    continue
                named = self._look_up(head, name)
                here = head.key.rpartition("/")[0]
                if group and (here != place or len(group) >= _AT_ONCE):
                    yield group
                    group = []
                place = here
                group.append(named)
        if group:
            yield group

    def _look_up(self, head: Head, name: FileName) -> Named:
        row = self._index.see(head.key)
        if row is None and self._is_pending(head, name):
            self.totals.pending += 1
        elif row is None:
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
        try:
            begun = datetime.strptime(name.minute, "%Y%m%d_%H%M").replace(tzinfo=UTC).timestamp()
        except ValueError:
            return False
        finished = (begun // self._scope.rotate + 1) * self._scope.rotate
        return finished + 2 * HOUR > self._now and (named_until is None or finished > named_until - HOUR)

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
        def check() -> RoomDay:
            return RoomDayCheck(self._store, group, self._reading, self._scope.read).run()

        return self._patiently(check)

    def _reading(self, size: int) -> None:
        if self._stopped:
            raise Stopped
        self._watcher.reading(size)

    def _take(self, name: FileName, found: RoomDay) -> None:
        totals = self.totals
        totals.objects += found.objects
        totals.bytes += found.bytes
        totals.lines += found.lines
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
            # It may have come after its day was listed.
            if self._patiently(partial(self._store.head, key)) is None:
                self._problem("missing-object", key, "a manifest names it, and it is not there")


def _name(key: str) -> FileName | None:
    """The name in the key of an object that belongs where it is; None for anything else."""
    suffix = next((end for end in _SUFFIXES if key.endswith(end)), "")
    with suppress(ValueError):
        name = parse_name(key.removesuffix(suffix).rpartition("/")[2])
        if name.key(suffix=suffix) == key:
            return name
    return None


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
