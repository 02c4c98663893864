"""Finished files go to the store, oldest first, for ever if need be; what the store says is told once.

Trouble with the store is trouble of the store, not of a file: one file at a time is tried then, more and
more slowly while the trouble may pass, once a minute while somebody has to mend it. Trouble with a file
costs that file its turn and no other (see ``turns``). Nothing is deleted for any error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatlog.config.settings import UploaderSettings
from chatlog.environment import Environment, Threads
from chatlog.services import Backoff
from chatlog.spool.usage import Usage
from chatlog.store.store import CLOCK, TRANSIENT, Store, StoreError
from chatlog.uploader.shipment import Item, LocalError, Shipment, Shipped, Stored, item_of
from chatlog.uploader.store_state import OK, StoreState
from chatlog.uploader.turns import SPARE, OwnTrouble, Turns
from chatlog.uploader.whose_trouble import Judge, Whose, rounded

#: First and longest delay, in seconds, while trouble with the store may pass.
RETRY = (1.0, 60.0)
#: Seconds after which the directories are looked at again, where that failed.
SCAN_AGAIN = 60.0


def threads_for(settings: UploaderSettings) -> int:
    """How many threads an uploader needs: for uploads, and for asking the store while all of them hang."""
    return settings.concurrency + SPARE + 1


class Uploader(Service):
    """Ships what the recorder has finished, and what earlier runs have left.

    ``threads`` run what waits for the store; ``usage`` counts the bytes of the spool at ``directory``.
    ``on_stored(stored)`` is called in one of them, before the file of a verified object goes, and may
    raise OSError to keep the file.
    """

    _log = Logger()
    name = "uploader"
    stop_limit = 0.1

    def __init__(
        self,
        settings: UploaderSettings,
        store: Store,
        directory: str,
        environment: Environment,
        threads: Threads,
        usage: Usage,
        on_stored: Callable[[Stored], object] = lambda stored: None,
        backoff: Backoff | None = None,
    ) -> None:
        self._store = store
        self._counters = environment.counters
        self._clock: IReactorTime = environment.reactor
        self._wall = environment.wall
        self._threads = threads
        self._usage = usage
        self._concurrency = settings.concurrency
        # Packing happens in threads; what it changes is told in the reactor's.
        self._packed: list[int] = []
        self._tidied: list[int] = []
        self._shipment = Shipment(
            environment.files,
            directory,
            store,
            settings.compression,
            self._packed.append,
            on_stored,
            self._tidied.append,
        )
        self._turns = Turns()
        self._state = StoreState(store, backoff or Backoff(*RETRY))
        self._judge = Judge(self._turns, environment.counters)
        self._timers: dict[str, IDelayedCall] = {}
        self._prepared = False
        self._preparing = False
        self._told_how = ""
        self._since_empty = (0, 0)
        #: Wall-clock time of the latest object that was verified.
        self.last_success: float | None = None

    # -- what others may ask -------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """``ok``, ``retrying``, ``refused`` or ``clock wrong``."""
        return self._state.name

    @property
    def last_error(self) -> str:
        """The store's own words for it; ``""`` if it is well."""
        return self._state.words

    @property
    def remedy(self) -> str:
        """What to do about it, ``""`` where nobody knows."""
        return self._state.remedy

    @property
    def waiting_files(self) -> int:
        """Files that are not in the store yet, those under way included."""
        return len(self._turns)

    @property
    def waiting_bytes(self) -> int:
        """Their size."""
        return self._turns.bytes

    @property
    def oldest_waiting(self) -> float | None:
        """Wall-clock time at which the oldest of them was begun."""
        oldest = self._turns.oldest
        return None if oldest is None else _time_of(oldest)

    @property
    def in_flight(self) -> int:
        """How many are under way."""
        return self._turns.under_way

    @property
    def quarantined(self) -> int:
        """Files that cannot be stored because of themselves."""
        return self._turns.named_count

    @property
    def aside(self) -> list[OwnTrouble]:
        """Those files, oldest first, with what is wrong with each."""
        return self._turns.named()

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
            if item not in self._turns:
                self._turns.add(item, self._shipment.size(item))
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
                size=rounded(sum(size for _, size in waiting)),
            )
        for item, size in waiting:
            self._turns.add(item, size)
        # Even with nothing to ship: a store that does not take anything should be known at once.
        self._fill()

    def _not_scanned(self, failure: Failure) -> None:
        self._log.error("cannot look for files of earlier runs: {error}", error=failure.getErrorMessage())
        self._after(SCAN_AGAIN, "scan", self._scan)

    # -- shipping ------------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Begin as much as may be begun."""
        if not self.running or self._preparing or self._is_set("retry"):
            return
        turns, now = self._turns, self._clock.seconds()
        if not self._prepared:
            self._prepare()
            return
        limit, in_trouble = (self._concurrency, False) if self.state == OK else (1, True)
        while (item := turns.begin(now, limit, in_trouble)) is not None:
            shipped: Deferred[Shipped] = self._threads.run(self._shipment.ship, item)
            shipped.addCallbacks(self._shipped, self._failed, (item,), {}, (item,))
            shipped.addErrback(self._unexpected)
            if not self.running or self._is_set("retry") or not self._prepared:
                return self._fill()
        if turns.doubted and self.state == OK and not turns.may_begin:
            # There is no other file to decide whose trouble it is.
            self._prepare()
            return
        change = turns.next_change(now, limit, in_trouble)
        if change is not None:
            self._after(max(change - now, 0.0), "turn", self._fill)

    def _prepare(self) -> None:
        self._preparing = True
        done = self._threads.run(self._shipment.prepare)
        done.addCallbacks(self._is_prepared, self._not_prepared).addErrback(self._unexpected)

    def _is_prepared(self, how: str) -> None:
        self._preparing = False
        self._prepared = True
        if how != self._told_how or not how:
            self._told_how = how
            store = self._store.describe()
            self._log.info("storing in {store}{how}", store=store, how=f": {how}" if how else "")
        self._store_is_well()
        self._fill()

    def _not_prepared(self, failure: Failure) -> None:
        self._preparing = False
        if failure.check(StoreError) is None:
            self._log.failure("while asking the store", failure=failure)
        self._in_trouble(failure.value)

    def _shipped(self, shipped: Shipped, item: Item) -> None:
        self._tell_packed()
        strikes = self._turns.done(item)
        stored = shipped.stored
        if stored is None:
            self._log.error("{name} was removed from the spool by somebody else", name=item.name)
        else:
            self._count(stored, shipped.again)
            if strikes > 1:
                self._log.info("{name} is in the store after {n} tries", name=item.name, n=strikes + 1)
                self._turns.hurry()
            self._store_is_well()
        if shipped.freed:
            self._usage.freed(shipped.freed)
        self._fill()
        if not self._turns and self._since_empty[0]:
            files, size = self._since_empty
            self._since_empty = 0, 0
            self._log.info(
                "{count} files are in the store, {size}; none waits", count=files, size=rounded(size)
            )

    def _count(self, stored: Stored, again: bool) -> None:
        self._counters.uploaded += 1
        self._counters.verified += 1
        self._counters.deleted += 1
        if again:
            self._counters.upload_retries["conflict"] += 1
        self.last_success = self._wall()
        self._judge.passed()
        files, size = self._since_empty
        self._since_empty = files + 1, size + stored.bytes
        self._log.debug("stored {key}, {size} bytes", key=stored.key, size=stored.bytes)

    # -- trouble -------------------------------------------------------------------------------------

    def _failed(self, failure: Failure, item: Item) -> None:
        self._tell_packed()
        error, now = failure.value, self._clock.seconds()
        if isinstance(error, LocalError):
            self._judge.local(item, error, now)
        elif isinstance(error, StoreError):
            whose = self._judge.store(item, error, self.state == OK, now)
            if whose is Whose.STORE:
                self._in_trouble(error)
            elif whose is Whose.OPEN:
                self._prepared = False
            self._judge.name_files()
        else:
            self._log.failure("while storing {name}", failure=failure, name=item.name)
            self._judge.put_aside(item, f"unexpected {type(error).__name__}", now)
        self._fill()

    def _in_trouble(self, error: BaseException | None) -> None:
        """The store did not do what it should; try again when it may help."""
        kind = error.kind if isinstance(error, StoreError) else TRANSIENT
        self._counters.upload_retries[kind] += 1
        delay = self._state.trouble(error, len(self._turns), self._clock.seconds())
        if kind not in (TRANSIENT, CLOCK) or not (isinstance(error, StoreError) and error.of_all):
            # What was true of the store may be no more; and it tells whose trouble it is.
            self._prepared = False
        if not self._is_set("retry"):
            self._after(delay, "retry", self._fill)

    def _store_is_well(self) -> None:
        now = self._clock.seconds()
        if self.state == OK:
            self._turns.convict(now)
            self._judge.name_files()
            return
        self._turns.acquit()
        self._state.well(len(self._turns))
        if self._is_set("retry"):
            self._timers.pop("retry").cancel()

    def _tell_packed(self) -> None:
        while self._packed:
            self._counters.packed += 1
            self._usage.changed(self._packed.pop())
        while self._tidied:
            self._usage.changed(self._tidied.pop())

    def _unexpected(self, failure: Failure) -> None:
        self._log.failure("in the uploader", failure=failure)


def _time_of(item: Item) -> float:
    """When the file was begun, by its name."""
    return datetime.strptime(item.order[0], "%Y%m%d_%H%M").replace(tzinfo=UTC).timestamp()
