"""A queue with a rate limit, for JOINs and subscriptions."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

T = TypeVar("T")


class Bucket(Generic[T]):
    """Sends the queued items in order, patient ones last, at most ``limit`` in any ``period`` seconds.

    ``send`` gets a batch and returns how many items were really sent. Only these count: an item may have
    become pointless while it waited. An item that is queued again waits at its first place, once.
    """

    #: Seconds added to the period, because the server counts arrivals and not departures.
    MARGIN = 0.3

    def __init__(
        self, clock: IReactorTime, limit: int, period: float, send: Callable[[list[T]], int]
    ) -> None:
        self._clock = clock
        #: The most items in a period; it may be changed at any time.
        self.limit = limit
        self._period = period + self.MARGIN
        self._send = send
        self._queue: OrderedDict[T, None] = OrderedDict()
        self._patient: OrderedDict[T, None] = OrderedDict()
        self._sent: deque[float] = deque()
        self._timer: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._queue) + len(self._patient)

    def add(self, item: T, patient: bool = False) -> None:
        """Queue ``item``; it leaves in the next reactor turn at the earliest, together with others. A
        ``patient`` item leaves when no other item waits."""
        (self._patient if patient else self._queue).setdefault(item)
        if self._timer is None:
            self._timer = self._clock.callLater(0, self._pump)

    def stop(self) -> None:
        """Forget the queue and the timer."""
        self._queue.clear()
        self._patient.clear()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _pump(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        while self._sent and self._sent[0] <= now - self._period:
            self._sent.popleft()
        while (queue := self._queue or self._patient) and (room := self.limit - len(self._sent)) > 0:
            batch = [queue.popitem(last=False)[0] for _ in range(min(room, len(queue)))]
            self._sent.extend([now] * self._send(batch))
        if len(self):
            # When enough items have become old that there is place for one more.
            free = self._sent[max(0, len(self._sent) - self.limit)] + self._period
            self._timer = self._clock.callLater(max(0.0, free - now) + 0.01, self._pump)
