"""Uploads finished files, oldest first, and tries again until each is in the store.

While the store is in trouble, one file at a time is tried: with growing delays if the trouble may pass, once
a minute if a person has to act. A file that is itself the cause waits, and all others go on (see ``turns``).
No error ever deletes a file.
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
from chatlog.naming import utc_minute
from chatlog.services import Backoff
from chatlog.spool.usage import Usage
from chatlog.store.store import CLOCK, TRANSIENT, Store, StoreError
from chatlog.uploader.bundle_shipment import BundleShipment
from chatlog.uploader.deposit import Stored
from chatlog.uploader.gathering import Gathering
from chatlog.uploader.shipment import Item, LocalError, Shipment, Shipped, item_of
from chatlog.uploader.store_state import OK, StoreState
from chatlog.uploader.tally import Tally
from chatlog.uploader.turns import SPARE, OwnTrouble, Turns
from chatlog.uploader.whose_trouble import Judge, Whose

#: The first and the longest delay, in seconds, while the store is in trouble that may pass.
RETRY = (1.0, 60.0)
#: Seconds until the directories are listed again after that failed.
SCAN_AGAIN = 60.0


def threads_for(settings: UploaderSettings) -> int:
    """How many threads an uploader needs: for its uploads, and one that asks the store while all uploads
    hang."""
    return settings.concurrency + SPARE + 1


class Uploader(Service):
    """Uploads the files that the recorder has finished and those that earlier runs left.

    ``threads`` run the calls that wait for the store. ``usage`` counts the bytes of the spool at
    ``directory``. ``on_stored(stored)`` is called in one of the threads before the file of a verified object
    is removed; it may raise OSError to keep the file.
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
        self._threads = threads
        self._usage = usage
        self._concurrency = settings.concurrency
        # Changes of the spool's size. Threads append them; the reactor's thread counts them.
        self._packed: list[int] = []
        self._tidied: list[int] = []
        self._shipment = Shipment(
            environment.files,
            directory,
            store,
            settings,
            self._packed.append,
            on_stored,
            self._tidied.append,
        )
        # A file that is created a minute from now has a name that no file had before.
        since = utc_minute(environment.wall() + 60.0)
        self._bundles = BundleShipment(environment.files, store, self._shipment, on_stored, since)
        self._turns = Turns()
        self._gathering = Gathering(
            settings.bundle, self._bundles, self._turns, threads, self._clock, self._fill
        )
        self._tally = Tally(environment.counters, environment.wall)
        self._state = StoreState(store, backoff or Backoff(*RETRY))
        self._judge = Judge(self._turns, environment.counters)
        self._timers: dict[str, IDelayedCall] = {}
        self._prepared = False
        self._preparing = False
        self._logged_how = ""

    # -- state, for others ---------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """``ok``, ``retrying``, ``refused`` or ``clock wrong``."""
        return self._state.name

    @property
    def last_error(self) -> str:
        """The store's own text about its trouble; ``""`` without trouble."""
        return self._state.words

    @property
    def remedy(self) -> str:
        """What to do about the trouble; ``""`` if unknown."""
        return self._state.remedy

    @property
    def last_success(self) -> float | None:
        """The wall-clock time at which the latest object was verified."""
        return self._tally.last_success

    @property
    def waiting_files(self) -> int:
        """How many files are not in the store yet, those under way included."""
        return self._gathering.waiting_files

    @property
    def waiting_bytes(self) -> int:
        """The bytes of these files."""
        return self._gathering.waiting_bytes

    @property
    def oldest_waiting(self) -> float | None:
        """The wall-clock time at which the oldest of these files was created."""
        oldest = self._gathering.oldest
        return None if oldest is None else _time_of(oldest)

    @property
    def in_flight(self) -> int:
        """How many uploads are under way."""
        return self._turns.under_way

    @property
    def quarantined(self) -> int:
        """How many files cannot be stored because of themselves."""
        return self._turns.named_count

    @property
    def quarantined_files(self) -> list[OwnTrouble]:
        """These files, oldest first, with the cause of each."""
        return self._turns.named()

    # -- service -------------------------------------------------------------------------------------

    def startService(self) -> None:
        super().startService()
        self._gathering.start()
        # Not at once: the recorder starts after the uploader, and lists the same directories first.
        self._after(0.0, "scan", self._scan)

    def stopService(self) -> None:
        """Begin no more uploads. The next start finds the files of those under way."""
        super().stopService()
        self._gathering.stop()
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

    # -- the files -----------------------------------------------------------------------------------

    def sealed(self, names: list[str]) -> None:
        """These files in ``sealed/`` are finished."""
        self._add(item_of(name, "data") for name in names)

    def hurry(self) -> None:
        """Files that wait for others, and those that are finished next, go at once."""
        self._gathering.hurry()

    def manifest_ready(self, names: list[str]) -> None:
        """These files in ``manifest/`` are finished."""
        self._add(item_of(name, "manifest") for name in names)

    def _add(self, items: Iterable[Item]) -> None:
        for item in items:
            if not self._gathering.knows(item):
                self._gathering.add(item, self._shipment.size(item))
        if self.running:
            self._fill()

    def _scan(self) -> None:
        scanned = self._threads.run(self._waiting)
        scanned.addCallbacks(self._found, self._not_scanned)
        scanned.addErrback(self._unexpected)

    def _waiting(self) -> tuple[list[tuple[Item, int]], dict[Item, tuple[str, ...]]]:
        """The waiting files, and which of them are in bundles. Raises OSError."""
        bundles, freed = self._bundles.waiting()
        if freed:
            self._tidied.append(-freed)
        return self._shipment.waiting(), bundles

    def _found(self, found: tuple[list[tuple[Item, int]], dict[Item, tuple[str, ...]]]) -> None:
        self._count_packed()
        waiting, bundles = found
        if waiting:
            self._tally.found(len(waiting), sum(size for _, size in waiting))
        self._gathering.found(waiting, bundles)
        # Also without files: a store that cannot be written should be reported at once.
        self._fill()

    def _not_scanned(self, failure: Failure) -> None:
        self._log.error("cannot list the files of earlier runs: {error}", error=failure.getErrorMessage())
        self._after(SCAN_AGAIN, "scan", self._scan)

    # -- uploading -----------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Begin as many uploads as may be under way."""
        if not self.running or self._preparing or self._is_set("retry"):
            return
        turns, now = self._turns, self._clock.seconds()
        if not self._prepared:
            self._prepare()
            return
        limit, in_trouble = (self._concurrency, False) if self.state == OK else (1, True)
        while (item := turns.begin(now, limit, in_trouble)) is not None:
            ship = self._bundles.ship if item.content == "bundle" else self._shipment.ship
            shipped: Deferred[Shipped] = self._threads.run(ship, item)
            shipped.addCallbacks(self._shipped, self._failed, (item,), {}, (item,))
            shipped.addErrback(self._unexpected)
            if not self.running or self._is_set("retry") or not self._prepared:
                return self._fill()
        if turns.doubted and self.state == OK and not turns.may_begin:
            # No other file can show the cause: ask the store.
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
        if how != self._logged_how or not how:
            self._logged_how = how
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
        self._count_packed()
        strikes = self._gathering.shipped(item, shipped)
        for name in shipped.gone:
            self._log.error("{name} was removed from the spool by another program", name=name)
        if shipped.stored is not None:
            self._tally.add(shipped.stored, shipped.again, item.name)
            self._judge.passed()
            if strikes > 1:
                self._log.info("{name} is in the store after {n} tries", name=item.name, n=strikes + 1)
                self._turns.hurry()
            self._store_is_well()
        if shipped.freed:
            self._usage.freed(shipped.freed)
        self._fill()
        if not self.waiting_files:
            self._tally.none_waits()

    # -- trouble -------------------------------------------------------------------------------------

    def _failed(self, failure: Failure, item: Item) -> None:
        self._count_packed()
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
            self._judge.quarantine(item, f"unexpected {type(error).__name__}", now)
        self._fill()

    def _in_trouble(self, error: BaseException | None) -> None:
        """The store failed; try again later."""
        kind = error.kind if isinstance(error, StoreError) else TRANSIENT
        self._counters.upload_retries[kind] += 1
        delay = self._state.trouble(error, len(self._turns), self._clock.seconds())
        if kind not in (TRANSIENT, CLOCK) or not (isinstance(error, StoreError) and error.of_all):
            # The store may have changed; asking it also shows whether it is the cause.
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

    def _count_packed(self) -> None:
        while self._packed:
            self._counters.packed += 1
            self._usage.changed(self._packed.pop())
        while self._tidied:
            self._usage.changed(self._tidied.pop())

    def _unexpected(self, failure: Failure) -> None:
        self._log.failure("in the uploader", failure=failure)


def _time_of(item: Item) -> float:
    """When the file was created, according to its name."""
    return datetime.strptime(item.order[0], "%Y%m%d_%H%M").replace(tzinfo=UTC).timestamp()
