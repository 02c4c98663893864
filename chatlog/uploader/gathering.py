"""Lets finished files wait for each other, and makes bundles of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatlog.environment import Threads
from chatlog.uploader.holding import Holding
from chatlog.uploader.shipment import Item, Shipped, item_of
from chatlog.uploader.turns import Turns

#: After a reader asked for files, those that are finished within HURRY seconds wait for only HURRIED seconds.
HURRY, HURRIED = 10.0, 1.0

#: Waiting files with their sizes.
Sized: TypeAlias = list[tuple[Item, int]]


class Bundles(Protocol):
    """Decides which files go together."""

    def plan(self, waiting: Sized) -> Sized:
        """Bundles of these files, and the files that go by themselves. Called from a thread."""

    def inside(self, item: Item) -> tuple[str, ...]:
        """The names of the files in a bundle."""


class Gathering:
    """Hands files to ``turns``: each by itself or, with an ``interval`` in seconds, bundles of the files that
    were added in that time. ``changed()`` is called when ``turns`` has more files."""

    _log = Logger()

    def __init__(
        self,
        interval: float,
        bundles: Bundles,
        turns: Turns,
        threads: Threads,
        clock: IReactorTime,
        changed: Callable[[], object],
    ) -> None:
        self._holding = Holding(interval)
        self._bundles = bundles
        self._turns = turns
        self._threads = threads
        self._clock = clock
        self._changed = changed
        self._timer: IDelayedCall | None = None
        self._planning = False
        self._running = False
        # Until when files wait only HURRIED seconds.
        self._hurry_until = float("-inf")

    def start(self) -> None:
        """Bundles may be made."""
        self._running = True
        self._put_together()

    def stop(self) -> None:
        """Make no more bundles. The next start finds the files."""
        self._running = False
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def hurry(self) -> None:
        """A reader asks for the files: those that are held go now, and those that are finished next go
        soon."""
        self._hurry_until = self._clock.seconds() + HURRY
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._put_together(at_once=True)

    @property
    def waiting_files(self) -> int:
        """How many files wait, here and in ``turns``."""
        return len(self._turns) + len(self._holding)

    @property
    def waiting_bytes(self) -> int:
        """The bytes of these files."""
        return self._turns.bytes + self._holding.bytes

    @property
    def oldest(self) -> Item | None:
        """The oldest of these files."""
        return min((item for item in (self._turns.oldest, self._holding.oldest) if item), default=None)

    def knows(self, item: Item) -> bool:
        """Whether the file waits already."""
        return item in self._turns or self._holding.knows(item)

    def add(self, item: Item, size: int) -> None:
        """A file is finished."""
        self._await(item, size)
        self._put_together()

    def found(self, waiting: Sized, bundles: Mapping[Item, tuple[str, ...]]) -> None:
        """These files waited already when this process began, some of them in bundles."""
        sizes = {item.name: size for item, size in waiting}
        for item, files in bundles.items():
            self._holding.bundle(item, files)
            self._turns.add(item, sum(sizes.get(name, 0) for name in files))
        for item, size in waiting:
            if not self._holding.knows(item):
                self._await(item, size)
        self._put_together(at_once=True)

    def shipped(self, item: Item, shipped: Shipped) -> int:
        """A file or bundle is in the store, or has to be made anew. Returns how often it had failed by
        itself."""
        size, strikes = self._turns.size(item), self._turns.done(item)
        # The bytes of each file in a bundle are not known: divide them equally.
        size //= self._holding.done(item)
        for name in shipped.apart:
            self._holding.apart(name)
        for name in (*shipped.apart, *shipped.anew):
            self._await(item_of(name, "data"), size)
        if shipped.stays:
            files = self._bundles.inside(item)
            self._holding.bundle(item, files)
            self._turns.add(item, size * len(files))
        if shipped.anew:
            self._put_together(at_once=True)
        return strikes

    def _await(self, item: Item, size: int) -> None:
        if not self._holding.take(item, size):
            self._turns.add(item, size)

    def _put_together(self, at_once: bool = False) -> None:
        """Make bundles of the files that are held, now or once they have waited for more files."""
        held = self._holding.held()
        if not self._running or not held or self._planning:
            return
        if not (at_once or self._holding.is_full):
            if self._timer is None or not self._timer.active():
                hurried = self._clock.seconds() < self._hurry_until
                delay = min(HURRIED, self._holding.interval) if hurried else self._holding.interval
                self._timer = self._clock.callLater(delay, self._put_together, at_once=True)
            return
        self._planning = True
        planned = self._threads.run(self._bundles.plan, held)
        planned.addErrback(self._not_planned, held)
        planned.addCallback(self._planned, held)
        planned.addErrback(lambda failure: self._log.failure("while bundles were planned", failure=failure))

    def _not_planned(self, failure: Failure, held: Sized) -> Sized:
        self._log.failure("while bundles were planned; their files go one by one", failure=failure)
        return held

    def _planned(self, found: Sized, held: Sized) -> None:
        self._planning = False
        self._holding.release(item for item, _ in held)
        for item, size in found:
            if item.content == "bundle":
                self._holding.bundle(item, self._bundles.inside(item))
            self._turns.add(item, size)
        self._put_together()
        self._changed()
