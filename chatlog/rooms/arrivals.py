"""What came last over a connection, and how long before that it had been sent.

A network that fails, or a machine that was asleep, often brings a part of what was held up and then the
connection breaks. The last byte has come just now, but what was sent after it is lost from then on.
"""

from __future__ import annotations

from collections.abc import Callable

#: So much of the end of what came is kept: the times that it says are in there.
KEPT = 4096
#: Seconds that what comes may be behind; more than that, it was held up.
BEHIND = 3.0
#: A connection that went on for so many seconds after something that came late has brought the rest as well.
SETTLED = 5.0
#: Nothing is held up for longer (seconds): the connection ends before, or a clock is wrong.
LONGEST = 900.0


class Arrivals:
    """What comes over one connection. ``heard`` is when the last byte came, in seconds of the clock.

    ``mark`` is in everything that says when it was sent; ``sent(data)`` is the latest such time in it, in
    seconds since the epoch, None if there is none after all.
    """

    __slots__ = ("_dated", "_dated_at", "_mark", "_sent", "heard")

    def __init__(self, mark: bytes, sent: Callable[[bytes], float | None], now: float) -> None:
        self._mark = mark
        self._sent = sent
        self._dated = b""
        self._dated_at = now
        self.heard = now

    def came(self, data: bytes, now: float) -> None:
        """``data`` has come."""
        self.heard = now
        end = data[-KEPT:]
        if self._mark not in end:
            # Behind it may come a long line that says no time.
            at = data.rfind(self._mark)
            if at < 0:
                return
            end = data[max(0, at - KEPT // 2) : at + KEPT // 2]
        self._dated = end
        self._dated_at = now

    def heard_ago(self, now: float, wall: float) -> float:
        """Seconds since everything had come that had been sent until then, ``wall`` being the time of day."""
        if self._dated and self.heard - self._dated_at < SETTLED:
            sent = self._sent(self._dated)
            if sent is not None:
                ago = wall - sent
                behind = ago - (now - self._dated_at)
                if BEHIND < behind < LONGEST:
                    return ago
        return now - self.heard
