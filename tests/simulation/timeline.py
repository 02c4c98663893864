"""Virtual time: what is due happens in order, one thing after another, and no second is waited for.

Every process has a reactor of its own on the same timeline. A reactor that was killed does nothing that
it had planned; one that sleeps, as a suspended machine does, does it later, and its clock stood still.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from tests.fakes import Crashed

#: So many things do not happen at one and the same time, unless somebody goes round in circles.
MOST_TURNS = 100_000


@implementer(IDelayedCall)
class Call:
    """Something that a reactor will do."""

    def __init__(self, reactor: VirtualReactor, when: float, call: Callable[[], object]) -> None:
        self.reactor = reactor
        #: By the reactor's own clock.
        self.when = when
        self.call = call
        self.done = self.cancelled = False

    def getTime(self) -> float:
        return self.when

    def cancel(self) -> None:
        self._check()
        self.cancelled = True

    def reset(self, secondsFromNow: float) -> None:
        self._check()
        self._move(self.reactor.seconds() + secondsFromNow)

    def delay(self, secondsLater: float) -> None:
        self._check()
        self._move(self.when + secondsLater)

    def active(self) -> bool:
        return not self.done and not self.cancelled

    def _check(self) -> None:
        if self.cancelled:
            raise AlreadyCancelled
        if self.done:
            raise AlreadyCalled

    def _move(self, when: float) -> None:
        self.when = when
        self.reactor.timeline.push(self)


class Timeline:
    """``now`` is in seconds since the beginning. ``after_each`` is called after everything that happened."""

    def __init__(self) -> None:
        self.now = 0.0
        self.after_each: Callable[[], object] = lambda: None
        self._due: list[tuple[float, int, Call, float]] = []
        self._pushed = self._turns = 0

    def push(self, call: Call) -> None:
        """Let ``call`` happen when it wants to."""
        self._pushed += 1
        heapq.heappush(self._due, (call.when + call.reactor.slept, self._pushed, call, call.when))

    def run(self, until: float) -> None:
        """Let everything happen that is due before ``until``."""
        while self._due and self._due[0][0] <= until:
            at, _, call, when = heapq.heappop(self._due)
            if not call.active() or call.when != when or not call.reactor.alive:
                continue
            due = max(call.when + call.reactor.slept, call.reactor.asleep_until)
            if due > at:
                # It has been asleep since this was planned, or is.
                self._pushed += 1
                heapq.heappush(self._due, (due, self._pushed, call, when))
                continue
            self._turns = 0 if at > self.now else self._turns + 1
            if self._turns > MOST_TURNS:
                raise AssertionError(f"time stands still at {self.now}: {call.call}")
            self.now = max(self.now, at)
            call.done = True
            call.reactor.reached = max(call.reactor.reached, when)
            call.reactor.turn()
            try:
                call.call()
            except Crashed:
                pass
            except Exception:
                Logger().failure("unexpected in virtual time")
            self.after_each()
        self.now = max(self.now, until)


@implementer(IReactorTime)
class VirtualReactor:
    """The reactor of one process, as far as time goes."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.alive = True
        #: Seconds that it has slept, and until when it does (on the timeline).
        self.slept = 0.0
        self.asleep_until = 0.0
        #: A time that has come by this clock; ``now - slept`` may be rounded to a little before it.
        self.reached = 0.0

    def seconds(self) -> float:
        return max(self.timeline.now - self.slept, self.reached)

    def callLater(self, delay: float, callable: Callable[..., object], *args: object, **kw: object) -> Any:
        call = Call(self, self.seconds() + delay, partial(callable, *args, **kw))
        self.timeline.push(call)
        return call

    def getDelayedCalls(self) -> list[Any]:
        return []

    def turn(self) -> None:
        """Called before everything that it does."""

    def sleep(self, seconds: float) -> None:
        """Do nothing for ``seconds``, with a clock that stands still."""
        self.asleep_until = self.timeline.now + seconds
        self.slept += seconds
