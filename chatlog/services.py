"""Pieces that every service here is built with: stopping in stages, looks that go on whatever happens,
retry delays, owned threads.
"""

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
    """Stops its children one after another, the last added first, each waited for but never for
    longer than its ``stop_limit`` in seconds, or half a second where it has none. (MultiService stops
    all at once.) A child that fails to stop does not keep the others from stopping.
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


class Looks:
    """Calls ``look()`` every ``interval`` seconds between ``start`` and ``stop``. What goes wrong is
    logged when it begins, and the next call comes all the same."""

    _log = Logger()

    def __init__(self, clock: IReactorTime, interval: float, look: Callable[[], object]) -> None:
        self._look = look
        self._interval = interval
        self._failing = False
        self._loop = LoopingCall(self._guarded)
        self._loop.clock = clock

    def start(self) -> None:
        """Begin; the first call comes after the first interval."""
        self._loop.start(self._interval, now=False)

    def stop(self) -> None:
        """End. Fine if it never began."""
        if self._loop.running:
            self._loop.stop()

    def _guarded(self) -> None:
        try:
            self._look()
        except Exception:
            if not self._failing:
                self._failing = True
                self._log.failure("while looking at how the recorder is")
        else:
            self._failing = False


class Standstill:
    """Knows when this process itself stood still, because the machine or somebody else stopped it: then what
    others have said in the meantime is there, and only has not been read."""

    #: Seconds between two ticks that are too many, and seconds that reading takes.
    LONGEST, READING = 5.0, 2.0

    def __init__(self) -> None:
        self._ticked = math.inf
        self._over_at = -math.inf

    def ticked(self, now: float) -> bool:
        """To be called about every second: whether others may be judged by what they have said."""
        if now - self._ticked > self.LONGEST:
            self._over_at = now + self.READING
        self._ticked = now
        return now >= self._over_at


class Backoff:
    """Retry delays with full jitter that grow until somebody says that things are well again.

    ``next()`` gives a delay in seconds, random between half of the step and the whole of it; the
    step starts at ``first`` and doubles up to ``most``.
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

    The reactor's pool is left alone, because names are resolved there. The threads are daemons: a
    call that hangs in the network cannot keep the process from ending.
    """

    def __init__(self, name: str, size: int, deliver: Callable[..., Any]) -> None:
        """``deliver(function, *args)`` runs the function on the reactor's thread."""
        self._deliver = deliver
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._name = name
        self._size = size
        self._started = 0
        # Calls whose results were not delivered yet.
        self._under_way = 0

    def run(self, function: Callable[..., T], *args: Any) -> Deferred[T]:
        """Call ``function(*args)`` in one of the threads; fires with its result or its failure."""
        result: Deferred[T] = Deferred()

        def job() -> None:
            try:
                value = function(*args)
            except BaseException:
                self._deliver(self._fire, result.errback, Failure())
            else:
                self._deliver(self._fire, result.callback, value)

        self._under_way += 1
        # Not earlier: a process that goes to the background leaves threads behind, and each costs memory.
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
        """Let the threads end when they have done what is queued."""
        for _ in range(self._started):
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
