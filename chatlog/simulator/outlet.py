"""The output of a connection: at once, in tiny pieces, slowly, or not at all."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: The sizes of pieces.
_ODD = (1, 1, 1, 1, 2, 2, 3, 5, 7, 13, 31, 257)


class Outlet:
    """Writes to ``write`` in the chosen way. Nothing is reordered.

    While the transport says that its buffer is full (``full``), bytes wait here.
    """

    def __init__(self, clock: IReactorTime, write: Callable[[bytes], object]) -> None:
        self._clock = clock
        self._write = write
        #: (time, bytes) of the waiting data, the oldest first.
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._call: IDelayedCall | None = None
        self._chance = random.Random(1)
        self._pieces = False
        self._rate = 0
        self._shut = False
        self.waiting_bytes = 0
        self.full = False

    def write(self, data: bytes) -> None:
        """Send ``data`` after the waiting data."""
        if self._shut:
            return
        if not self._waiting and not self.full and not self._pieces and not self._rate:
            self._write(data)
            return
        self._waiting.append((self._clock.seconds(), data))
        self.waiting_bytes += len(data)
        self._go_on()

    def straight(self) -> None:
        """From now on send everything at once, beginning with the waiting data."""
        self._pieces = False
        self._rate = 0
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._step()

    def split(self) -> None:
        """From now on send pieces of odd sizes, one in each turn of the reactor."""
        self._pieces = True

    def slow(self, bytes_per_second: int) -> None:
        """From now on send at most this rate."""
        self._rate = bytes_per_second

    def shut(self) -> None:
        """From now on send nothing; the data waits."""
        self._shut = True
        if self._call is not None and self._call.active():
            self._call.cancel()

    def waiting_since(self) -> float | None:
        """When the oldest waiting bytes were added, by the clock."""
        return self._waiting[0][0] if self._waiting else None

    def resume(self) -> None:
        """The transport accepts data again."""
        self.full = False
        self._go_on()

    def _go_on(self) -> None:
        if self._call is None or not self._call.active():
            self._step()

    def _step(self) -> None:
        self._call = None
        if self._shut or self.full:
            return
        if self._rate:
            self._take(max(1, self._rate // 10))
            pause = 0.1
        elif self._pieces:
            # One byte at a time would never catch up with a busy room.
            self._take(self._chance.choice(_ODD if self.waiting_bytes < 8192 else (4093,)))
            pause = 0.0
        else:
            while self._waiting and not self.full:
                self._take(len(self._waiting[0][1]))
            return
        if self._waiting:
            self._call = self._clock.callLater(pause, self._step)

    def _take(self, size: int) -> None:
        if not self._waiting:
            return
        at, data = self._waiting.popleft()
        if len(data) > size:
            self._waiting.appendleft((at, data[size:]))
        self.waiting_bytes -= min(size, len(data))
        self._write(data[:size])
