"""Building blocks of the services: stopping in stages, polling, retry delays, owned threads."""

from __future__ import annotations

import math
import queue
import random
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, TimeoutError, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

T = TypeVar("T")

#: Seconds that a service may take to stop, unless it says otherwise.
STOP_LIMIT = 0.5


class StagedService(MultiService):
    """Stops its children one after another, the last added first. (MultiService stops all at once.)

    It waits for each child at most ``child.stop_limit`` seconds, or ``STOP_LIMIT`` if the child has no such
    attribute. When a child fails to stop, the others are stopped nevertheless.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        super().__init__()
        self._clock = clock

    def stopService(self) -> Deferred[None]:
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop_in_turn())

    async def _stop_in_turn(self) -> None:
        for child in reversed(list(self)):
            stopped = maybeDeferred(child.stopService)
            stopped.addTimeout(getattr(child, "stop_limit", STOP_LIMIT), self._clock)
            try:
                await stopped
            except TimeoutError:
                self._log.warn("{name} did not stop in time; going on without it", name=child.name)
            except Exception:
                self._log.failure("while stopping {name}", name=child.name)


class Poller:
    """Calls ``poll()`` every ``interval`` seconds between ``start`` and ``stop``.

    An exception does not end the calls. It is logged once, and again only after a call has succeeded.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, interval: float, poll: Callable[[], object]) -> None:
        self._poll = poll
        self._interval = interval
        self._failing = False
        self._loop = LoopingCall(self._guarded)
        self._loop.clock = clock

    def start(self) -> None:
        """Start; the first call comes after one interval."""
        self._loop.start(self._interval, now=False)

    def stop(self) -> None:
        """Stop. Does nothing if it never started."""
        if self._loop.running:
            self._loop.stop()

    def _guarded(self) -> None:
        try:
            self._poll()
        except Exception:
            if not self._failing:
                self._failing = True
                self._log.failure("while polling the state of the recorder")
        else:
            self._failing = False


class SuspendDetector:
    """Notices that this process was suspended (SIGSTOP, a paused machine, a blocked reactor).

    The servers have sent data meanwhile, and the kernel holds it. Until that is read, a connection must
    not be judged by how long it has been silent.
    """

    #: A longer time between two ticks, in seconds, counts as a suspension. Reading the data that has arrived
    #: meanwhile gets ``READING`` seconds.
    LONGEST, READING = 5.0, 2.0

    def __init__(self) -> None:
        self._ticked = math.inf
        self._over_at = -math.inf

    def ticked(self, now: float) -> bool:
        """Call this about once a second. Returns whether connections may be judged by their silence."""
        if now - self._ticked > self.LONGEST:
            self._over_at = now + self.READING
        self._ticked = now
        return now >= self._over_at


class Backoff:
    """Retry delays with jitter, which grow until ``reset()``.

    ``next()`` returns a random delay in seconds, between half a step and a whole step. The step starts at
    ``first`` and doubles up to ``most``.
    """

    __slots__ = ("_first", "_most", "_random", "_step")

    def __init__(
        self, first: float, most: float, uniform: Callable[[float, float], float] = random.uniform
    ) -> None:
        self._first = first
        self._most = most
        self._step = first
        self._random = uniform

    def next(self) -> float:
        step = self._step
        self._step = min(step * 2, self._most)
        return self._random(step / 2, step)

    def reset(self) -> None:
        self._step = self._first


class OwnedThreads:
    """A few threads of our own for calls that block.

    The reactor's thread pool is not used, because it resolves names. The threads are daemon threads, so a
    call that hangs cannot keep the process from ending.
    """

    def __init__(self, name: str, size: int, deliver: Callable[..., Any]) -> None:
        """``deliver(function, *args)`` runs the function on the reactor's thread."""
        self._deliver = deliver
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._name = name
        self._size = size
        self._started = 0
        # Calls whose results are not delivered yet.
        self._under_way = 0

    def run(self, function: Callable[..., T], *args: Any) -> Deferred[T]:
        """Call ``function(*args)`` in one of the threads. The Deferred fires with its result or failure."""
        result: Deferred[T] = Deferred()

        def job() -> None:
            try:
                value = function(*args)
            except BaseException:
                self._deliver(self._fire, result.errback, Failure())
            else:
                self._deliver(self._fire, result.callback, value)

        self._under_way += 1
        # Not earlier: a process that forks into the background loses its threads, and each costs memory.
        if self._started < min(self._under_way, self._size):
            name = f"{self._name}-{self._started}"
            self._started += 1
            threading.Thread(target=self._work, name=name, daemon=True).start()
        self._jobs.put(job)
        return result

    def _fire(self, fire: Callable[[Any], None], value: Any) -> None:
        self._under_way -= 1
        fire(value)

    def stop(self) -> None:
        """Let the threads end after the queued calls."""
        for _ in range(self._started):
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
