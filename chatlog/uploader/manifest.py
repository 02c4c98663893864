"""Writes one manifest an hour: the objects stored in that hour, and the recorded seconds of each room."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, execute, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from chatlog import __version__
from chatlog.environment import Environment
from chatlog.store.store import StoreError
from chatlog.timeline.timelines import CoverageTotals
from chatlog.uploader.manifest_rows import HeadRow, RoomRow, Span
from chatlog.uploader.stored_journal import StoredJournal

T = TypeVar("T")

#: Seconds of a period. Periods end with the hours of UTC.
HOUR = 3600.0
#: Seconds between two checks of the clock.
POLL_INTERVAL = 5.0
#: Seconds until the store is asked again for the manifest before the next one.
ASK_AGAIN = 60.0

#: Runs a call, directly or in a thread.
Run = Callable[..., Deferred[Any]]
#: Finds the digest of an instance's latest manifest in the store: see ``latest_in``.
Ask = Callable[[str], Deferred[str]]


class Periods(Protocol):
    """Counts the seconds of the rooms: see ``Timelines``."""

    @property
    def period(self) -> float:
        """When the present period began."""

    def rows(self, since: float, until: float) -> Iterator[CoverageTotals]:
        """The seconds of every room."""

    def start_period(self, at: float) -> None:
        """A new period begins at ``at``."""


class Manifest(Service):
    """Writes the manifests of an instance (``""`` if it has no name) from the rows in ``journal``.

    It starts after the coverage journal and stops before it. The lock of the spool protects its files.
    ``on_ready(names)`` is called for manifests that wait in ``manifest/``. An error of the disk is logged;
    the period then ends later. If the spool does not know which manifest the first one follows, ``ask`` asks
    the store. Without an answer by the end of the period, the manifest begins a chain.
    """

    _log = Logger()
    name = "manifest"

    def __init__(
        self,
        journal: StoredJournal,
        instance: str,
        timelines: Periods,
        environment: Environment,
        on_ready: Callable[[list[str]], object],
        ask: Ask | None = None,
    ) -> None:
        self._journal = journal
        self._instance = instance or "main"
        self._timelines = timelines
        self._clock: IReactorTime = environment.reactor
        self._wall = environment.wall
        self._threads = environment.disk
        self._on_ready = on_ready
        self._ask = ask
        self._ask_at = 0.0
        self._timer: IDelayedCall | None = None
        self._resumed = False
        self._unpublished = False
        # The head row and the room rows of a period that has ended, until its manifest is on the disk.
        self._ending: tuple[HeadRow, list[RoomRow]] | None = None
        # The write under way, and that of the closing manifest.
        self._at_work: Deferred[None] | None = None
        self._closing: Deferred[None] | None = None
        self._trouble = ""
        #: The name of the cluster that the instance is a member of.
        self.cluster = ""

    # -- service -------------------------------------------------------------------------------------

    def startService(self) -> None:
        """Continue the period of the earlier run, or end it if its hour is over. This waits for the disk:
        everything that happens to a room from now on belongs to the present hour."""
        super().startService()
        self._begin(execute)

    def stopService(self) -> Deferred[None] | None:
        """Stop. The period continues at the next start."""
        super().stopService()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        # The closing manifest is written after the one before.
        return _after(self._closing or self._at_work)

    def close(self) -> Deferred[None]:
        """End the period now, with a closing manifest: all rooms were handed over. Fails with OSError."""
        before = _after(self._at_work) or succeed(None)
        # A stop waits for the closing, and does not fail with it.
        self._closing = closing = Deferred[None]()
        closed = before.addCallback(lambda _: Deferred.fromCoroutine(self._close()))
        return closed.addBoth(self._closed, closing)

    def _closed(self, result: T, closing: Deferred[None]) -> T:
        self._closing = None
        closing.callback(None)
        return result

    async def _close(self) -> None:
        run = self._threads.run
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if not self._resumed:
            await self._resume(run)
        if self._ending is not None:
            await self._end(self._ending[0].until, run)
        await self._end(round(self._wall(), 3), run, closed=True)

    def _begin(self, run: Run) -> None:
        work = Deferred.fromCoroutine(self._work(run))
        if not work.called:
            self._at_work = work

    def _again(self) -> None:
        if self.running:
            to_the_hour = HOUR - self._wall() % HOUR
            delay = min(POLL_INTERVAL, to_the_hour + 0.001)
            self._timer = self._clock.callLater(delay, self._begin, self._threads.run)

    async def _work(self, run: Run) -> None:
        """Write the manifests that are due, and check again later."""
        try:
            if not self._resumed:
                await self._resume(run)
            if self._unpublished:
                await self._publish(run)
            now = round(self._wall(), 3)
            if self._ending is not None or is_over(self._timelines.period, now):
                await self._end(now, run)
            self._ask_for_previous()
            if self._trouble:
                self._trouble = ""
                self._log.info("manifests are written again")
        except OSError as error:
            if not self._trouble:
                self._log.error(
                    "cannot write the manifest of the hour: {error}; it is tried again", error=str(error)
                )
            self._trouble = str(error) or "trouble"
        except Exception:
            self._log.failure("while the manifest of an hour was written")
        self._at_work = None
        self._again()

    # -- the chain -----------------------------------------------------------------------------------

    def _ask_for_previous(self) -> None:
        """Ask the store which manifest the next one follows, if nothing else shows it."""
        now = self._clock.seconds()
        if self._ask is None or self._journal.is_linked or now < self._ask_at:
            return
        self._ask_at = now + ASK_AGAIN
        found = self._ask(self._instance)
        found.addCallback(lambda digest: self._threads.run(self._journal.link, digest))
        # The store is away, or the disk refuses. The store is asked again, and the uploader reports the
        # trouble.
        found.addErrback(lambda failure: failure.trap(StoreError, OSError))
        found.addErrback(lambda failure: self._log.failure("while the store was asked", failure=failure))

    # -- the end of an hour --------------------------------------------------------------------------

    async def _resume(self, run: Run) -> None:
        if self._ending is not None:
            # An earlier attempt came this far. Its manifest may be complete already: it must not be published
            # and then written again.
            await self._end(self._ending[0].until, run)
        since = await run(self._journal.open)
        await run(self._journal.link_to_waiting, self._instance)
        await self._publish(run)
        if since is not None and self._timelines.period < since <= self._wall():
            # The manifest was on the disk, but the new period was not noted before the crash.
            self._timelines.start_period(since)
        for until in ends(self._timelines.period, self._wall()):
            await self._end(until, run)
        self._resumed = True

    async def _end(self, until: float, run: Run, closed: bool = False) -> None:
        """End the present period, or the one whose end failed before. ``closed``: it is the last."""
        if self._ending is None:
            since = self._timelines.period
            head = HeadRow(
                min(since, until), until, __version__, self._instance, cluster=self.cluster, closed=closed
            )
            rooms = [_row(row, head) for row in self._timelines.rows(since, until)]
            self._ending = head, rooms
        await run(self._journal.finish, *self._ending)
        self._timelines.start_period(self._ending[0].until)
        self._ending = None
        await self._publish(run)

    async def _publish(self, run: Run) -> None:
        self._unpublished = True
        name = await run(self._journal.publish)
        self._unpublished = False
        if name is not None:
            self._on_ready([name])


def _after(work: Deferred[None] | None) -> Deferred[None] | None:
    """Waits for some work; None if there is none."""
    if work is None:
        return None
    waiting: Deferred[None] = Deferred()
    work.chainDeferred(waiting)
    return waiting


def _row(totals: CoverageTotals, head: HeadRow) -> RoomRow:
    """A room's row. Its spans count from the beginning of the period, and are left out if they are all of
    it."""
    spans, gaps = _since(head.since, totals.spans or ()), _since(head.since, totals.gaps)
    if totals.spans is None or (spans and spans[0][0] <= 0.0 and spans[0][1] >= head.until - head.since):
        return RoomRow(*totals[:6], gaps=gaps)
    return RoomRow(*totals[:6], spans=spans, gaps=gaps)


def _since(at: float, spans: tuple[Span, ...]) -> tuple[Span, ...]:
    # A clock that was set back may have them begin before the period.
    return tuple((max(start - at, 0.0), max(end - at, 0.0)) for start, end in spans)


def is_over(since: float, now: float) -> bool:
    """Whether the hour of ``since`` is over. Also true if the clock was set back by more than an hour."""
    return now // HOUR > since // HOUR or now < since - HOUR


def ends(since: float, now: float) -> list[float]:
    """The ends of periods for a process that starts at ``now``, if the last period began at ``since``: the
    end of that hour, and the end of the latest full hour if that is later."""
    first, latest = (since // HOUR + 1) * HOUR, now // HOUR * HOUR
    return [first, latest] if latest > first else [first] if latest == first else []
