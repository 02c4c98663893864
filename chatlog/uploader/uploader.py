"""Finished files go to the store, oldest first, for ever if need be; what the store says is told once.

Trouble with the store is trouble of the store, not of a file: one file at a time is tried then, more and
more slowly while the trouble may pass, once a minute while somebody has to mend it. Trouble with a file
costs that file its turn and no other.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatlog.config.settings import UploaderSettings
from chatlog.counters import Counters
from chatlog.files import Files
from chatlog.recorder.commits import Threads
from chatlog.services import Backoff
from chatlog.store.store import CLOCK, CORRUPT, MISCONFIGURED, REFUSED, Store, StoreError
from chatlog.uploader.shipment import Item, LocalError, Shipment, Shipped, Stored, item_of

#: Seconds between two tries while the store refuses us, and between two lines of the log about it.
REFUSED_AGAIN = 60.0
TELL_AGAIN = 600.0
#: First and longest delay, in seconds, while it may pass.
RETRY = (1.0, 60.0)
#: Seconds after which a file that there was no space or no descriptor for is tried again.
LATER = 5.0
#: Seconds after which a file that cannot be read is tried again, and how often other bytes may be found
#: in the store before a file is left alone.
ASIDE_AGAIN = 3600.0
CORRUPT_TIMES = 5
#: Codes of trouble that may be that of a single key, and must not keep the others waiting for ever.
OF_ONE_FILE = frozenset({"two minds"})

OK = "ok"
RETRYING = "retrying"
_STATES = {REFUSED: "refused", MISCONFIGURED: "refused", CLOCK: "clock wrong"}


class Uploader(Service):
    """Ships what the recorder has finished, and what earlier runs have left.

    ``on_freed(size)`` and ``on_packed(delta)`` tell how many bytes the spool lost and by how many it
    changed; ``on_stored(stored)`` is called in a thread, before the file of a verified object goes, and
    may raise OSError to keep the file.
    """

    _log = Logger()
    name = "uploader"
    stop_limit = 0.1

    def __init__(
        self,
        settings: UploaderSettings,
        store: Store,
        directory: str,
        files: Files,
        counters: Counters,
        clock: IReactorTime,
        wall: Callable[[], float],
        threads: Threads,
        on_freed: Callable[[int], object] = lambda size: None,
        on_packed: Callable[[int], object] = lambda delta: None,
        on_stored: Callable[[Stored], object] = lambda stored: None,
        backoff: Backoff | None = None,
    ) -> None:
        self._store = store
        self._counters = counters
        self._clock = clock
        self._wall = wall
        self._threads = threads
        self._on_freed = on_freed
        self._on_packed = on_packed
        self._concurrency = settings.concurrency
        # Packing happens in threads; what it changes is told in the reactor's.
        self._packed: list[int] = []
        self._shipment = Shipment(
            files, directory, store, settings.compression, self._packed.append, on_stored
        )
        self._backoff = backoff or Backoff(*RETRY)
        self._queue: list[Item] = []
        self._sizes: dict[Item, int] = {}
        self._flying: set[Item] = set()
        self._corrupt: dict[Item, int] = {}
        self._aside: dict[Item, str] = {}
        # What waits for space or descriptors, and whether it has been said that there are none.
        self._later: list[Item] = []
        self._starved = False
        self._timers: dict[str, IDelayedCall] = {}
        self._prepared = False
        self._preparing = False
        self._code = ""
        self._told_at = float("-inf")
        self._since_empty = (0, 0)

        #: ``ok``, ``retrying``, ``refused`` or ``clock wrong``, and the store's own words for it.
        self.state = OK
        self.last_error = ""
        #: Wall-clock time of the latest object that was verified.
        self.last_success: float | None = None

    # -- what others may ask -------------------------------------------------------------------------

    @property
    def waiting_files(self) -> int:
        """Files that are not in the store yet, those under way included."""
        return len(self._sizes)

    @property
    def waiting_bytes(self) -> int:
        """Their size."""
        return sum(self._sizes.values())

    @property
    def oldest_waiting(self) -> float | None:
        """Wall-clock time at which the oldest of them was begun."""
        waiting = [*self._queue[:1], *self._flying, *self._aside, *self._later]
        return _time_of(min(waiting)) if waiting else None

    @property
    def in_flight(self) -> int:
        """How many are under way."""
        return len(self._flying)

    @property
    def quarantined(self) -> int:
        """Files that cannot be shipped because of themselves."""
        return len(self._aside)

    # -- service -------------------------------------------------------------------------------------

    def startService(self) -> None:
        super().startService()
        # The recorder, which starts after this, takes stock of the same directories first.
        self._after(0.0, "scan", self._scan)

    def stopService(self) -> None:
        """Begin nothing more. What is under way is found again by the next start."""
        super().stopService()
        for timer in self._timers.values():
            if timer.active():
                timer.cancel()
        self._timers.clear()

    def _is_set(self, what: str) -> bool:
        timer = self._timers.get(what)
        return timer is not None and timer.active()

    def _after(self, delay: float, what: str, call: Callable[[], object]) -> None:
        if self._is_set(what):
            self._timers[what].cancel()
        self._timers[what] = self._clock.callLater(delay, call)

    # -- what is to be shipped -----------------------------------------------------------------------

    def sealed(self, names: list[str]) -> None:
        """These files of ``sealed/`` are finished."""
        self._add(item_of(name, "data") for name in names)

    def manifest_ready(self, names: list[str]) -> None:
        """These manifests of ``manifest/`` are finished."""
        self._add(item_of(name, "manifest") for name in names)

    def _add(self, items: Iterable[Item]) -> None:
        for item in items:
            if item not in self._sizes:
                self._sizes[item] = self._shipment.size(item)
                heapq.heappush(self._queue, item)
        if self.running:
            self._fill()

    def _scan(self) -> None:
        scanned = self._threads.run(self._shipment.waiting)
        scanned.addCallbacks(self._found, self._not_scanned)
        scanned.addErrback(self._unexpected)

    def _found(self, waiting: list[tuple[Item, int]]) -> None:
        self._tell_packed()
        if waiting:
            self._log.info(
                "{count} files of an earlier run wait for their upload, {size}",
                count=len(waiting),
                size=_rounded(sum(size for _, size in waiting)),
            )
        for item, size in waiting:
            if item not in self._sizes:
                heapq.heappush(self._queue, item)
            self._sizes[item] = size
        # Even with nothing to ship: a store that does not take anything should be known at once.
        self._fill()

    def _not_scanned(self, failure: Failure) -> None:
        self._log.error("cannot look for files of earlier runs: {error}", error=failure.getErrorMessage())
        self._after(REFUSED_AGAIN, "scan", self._scan)

    # -- shipping ------------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Begin as much as may be begun."""
        if self._may_begin() and not self._prepared:
            self._preparing = True
            done = self._threads.run(self._shipment.prepare)
            done.addCallbacks(self._is_prepared, self._not_prepared).addErrback(self._unexpected)
            return
        while self._queue and self._may_begin():
            item = heapq.heappop(self._queue)
            self._flying.add(item)
            shipped: Deferred[Shipped] = self._threads.run(self._shipment.ship, item)
            shipped.addCallbacks(self._shipped, self._failed, (item,), {}, (item,))
            shipped.addErrback(self._unexpected)

    def _may_begin(self) -> bool:
        if not self.running or self._preparing or self._is_set("retry"):
            return False
        return len(self._flying) < (self._concurrency if self.state == OK else 1)

    def _is_prepared(self, how: str) -> None:
        self._preparing = False
        self._prepared = True
        self._log.info("storing in {store}{how}", store=self._store.describe(), how=f": {how}" if how else "")
        self._store_is_well()
        self._fill()

    def _not_prepared(self, failure: Failure) -> None:
        self._preparing = False
        if failure.check(StoreError) is None:
            self._log.failure("while asking the store", failure=failure)
        self._in_trouble(failure.value)

    def _shipped(self, shipped: Shipped, item: Item) -> None:
        self._tell_packed()
        self._flying.discard(item)
        self._corrupt.pop(item, None)
        self._sizes.pop(item, None)
        stored = shipped.stored
        if stored is None:
            self._log.error("{name} was removed from the spool by somebody else", name=item.name)
        else:
            self._counters.uploaded += 1
            self._counters.verified += 1
            self._counters.deleted += 1
            if shipped.again:
                self._counters.upload_retries["conflict"] += 1
            self.last_success = self._wall()
            self._starved = self._starved and bool(self._later)
            files, size = self._since_empty
            self._since_empty = files + 1, size + stored.bytes
            self._log.debug("stored {key}, {size} bytes", key=stored.key, size=stored.bytes)
            self._store_is_well()
        if shipped.freed:
            self._on_freed(shipped.freed)
        self._fill()
        if not self._sizes and self._since_empty[0]:
            files, size = self._since_empty
            self._since_empty = 0, 0
            self._log.info(
                "{count} files are in the store, {size}; none waits", count=files, size=_rounded(size)
            )

    def _failed(self, failure: Failure, item: Item) -> None:
        self._tell_packed()
        self._flying.discard(item)
        error = failure.value
        if isinstance(error, LocalError) and error.passes:
            self._try_later(item, str(error))
        elif isinstance(error, LocalError):
            self._put_aside(item, str(error))
        elif isinstance(error, StoreError):
            if error.kind == CORRUPT or error.code in OF_ONE_FILE:
                self._corrupt[item] = self._corrupt.get(item, 0) + 1
            if self._corrupt.get(item, 0) >= CORRUPT_TIMES:
                self._put_aside(item, f"{item.name}: {error}")
            else:
                heapq.heappush(self._queue, item)
                self._in_trouble(error)
        else:
            self._log.failure("while storing {name}", failure=failure, name=item.name)
            self._put_aside(item, f"{item.name}: unexpected {type(error).__name__}")
        self._fill()

    def _try_later(self, item: Item, reason: str) -> None:
        """The disk is full, or there are no descriptors: that is no trouble of the file's."""
        if not self._starved:
            self._starved = True
            self._log.warn("{reason}; uploads that need more are tried again", reason=reason)
        self._later.append(item)
        if not self._is_set("later"):
            self._after(LATER, "later", self._retry_later)

    def _retry_later(self) -> None:
        for item in self._later:
            heapq.heappush(self._queue, item)
        self._later.clear()
        self._fill()

    def _put_aside(self, item: Item, reason: str) -> None:
        self._counters.quarantined += 1
        self._corrupt.pop(item, None)
        self._aside[item] = reason
        self._log.error("{reason}; the file stays where it is and is tried again in an hour", reason=reason)
        if not self._is_set("aside"):
            self._after(ASIDE_AGAIN, "aside", self._retry_aside)

    def _retry_aside(self) -> None:
        for item in self._aside:
            heapq.heappush(self._queue, item)
        self._aside.clear()
        self._fill()

    # -- the state of the store ------------------------------------------------------------------------

    def _in_trouble(self, error: BaseException | None) -> None:
        """The store did not do what it should; try again when it may help."""
        kind = error.kind if isinstance(error, StoreError) else ""
        code = error.code if isinstance(error, StoreError) else type(error).__name__
        self._counters.upload_retries[kind or "transient"] += 1
        state = _STATES.get(kind, RETRYING)
        now = self._clock.seconds()
        changed = (state, code) != (self.state, self._code)
        self.state, self._code, self.last_error = state, code, str(error)
        if changed or (state != RETRYING and now - self._told_at >= TELL_AGAIN):
            self._told_at = now
            self._tell(state)
        if not self._is_set("retry"):
            delay = self._backoff.next() if state == RETRYING else REFUSED_AGAIN
            self._after(delay, "retry", self._fill)

    def _tell(self, state: str) -> None:
        if state == RETRYING:
            self._log.warn(
                "{store}: {error}; {count} files wait, and it is tried again",
                store=self._store.describe(),
                error=self.last_error,
                count=len(self._sizes),
            )
        else:
            self._log.error(
                "{store} refuses: {error}; {count} files wait and stay on the disk, one try a minute",
                store=self._store.describe(),
                error=self.last_error,
                count=len(self._sizes),
            )

    def _store_is_well(self) -> None:
        if self.state != OK:
            self.state, self._code, self.last_error = OK, "", ""
            self._log.info(
                "{store} takes files again; {count} wait",
                store=self._store.describe(),
                count=len(self._sizes),
            )
            self._backoff.reset()
            if self._is_set("retry"):
                self._timers.pop("retry").cancel()

    def _tell_packed(self) -> None:
        while self._packed:
            self._counters.packed += 1
            self._on_packed(self._packed.pop())

    def _unexpected(self, failure: Failure) -> None:
        self._log.failure("in the uploader", failure=failure)


def _time_of(item: Item) -> float:
    """When the file was begun, by its name."""
    return datetime.strptime(item.order[0], "%Y%m%d_%H%M").replace(tzinfo=UTC).timestamp()


def _rounded(size: int) -> str:
    """A size for people."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} B"
