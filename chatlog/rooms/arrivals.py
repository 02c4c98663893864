"""Knows when the latest data of a connection arrived, and when it was sent.

After a network failure or a suspension, often a part of the delayed data arrives before the connection
breaks. The last byte has then arrived just now, but everything that was sent after it is lost.
"""

from __future__ import annotations

from collections.abc import Callable

#: The sending time is searched in so many bytes before the last mark, and so many from it on.
BEFORE, AFTER = 4096, 64
#: Data that arrives more than so many seconds after its sending was delayed.
BEHIND = 3.0
#: A smaller delay may come from the network, or from times in whole seconds, such as Kick's.
USUAL = 1.0
#: If a connection goes on for so many seconds after delayed data, it has delivered the rest as well.
SETTLED = 5.0
#: A longer delay (seconds) is ignored: the connection would have ended, so a clock is wrong.
LONGEST = 900.0


class Arrivals:
    """The arrivals on one connection. ``heard`` is when the last byte arrived, in seconds of the clock.

    ``mark`` occurs in all data with a sending time. ``sent(data)`` returns the latest sending time in the
    data, in seconds since the epoch; None if there is none. ``wall()`` is the time of day.
    """

    __slots__ = ("_dated", "_earlier", "_heard_by_day", "_mark", "_sent", "_wall", "heard")

    def __init__(
        self, mark: bytes, sent: Callable[[bytes], float | None], now: float, wall: Callable[[], float]
    ) -> None:
        self._mark = mark
        self._sent = sent
        self._wall = wall
        # The latest data with a mark, and when it arrived, by the clock and by the time of day: the two drift
        # apart while a machine sleeps. Its time is searched only in ``heard_ago``. It may have none after
        # all: it may be torn, or only look so; therefore the data before it is kept too.
        self._dated = self._earlier = b"", now, 0.0
        self._heard_by_day = wall()
        self.heard = now

    def came(self, data: bytes, now: float) -> None:
        """``data`` has arrived."""
        self.heard = now
        self._heard_by_day = day = self._wall()
        at = data.rfind(self._mark)
        if at >= 0:
            self._earlier = self._dated
            self._dated = data[max(0, at - BEFORE) : at + AFTER], now, day

    def heard_ago(self, now: float) -> tuple[float, float]:
        """How many seconds ago everything that was sent had arrived; and by how many seconds the latest data
        was late, if that is unusual and the first number does not include it. If the clock and the time of
        day differ, the longer time counts: a clock stands still while the machine sleeps."""
        late = 0.0
        day = self._wall()
        for data, at, by_day in (self._dated, self._earlier):
            sent = self._sent(data) if data and self.heard - at < SETTLED else None
            if sent is not None:
                behind = by_day - sent
                if BEHIND < behind < LONGEST:
                    return max(now - at, day - by_day) + behind, 0.0
                if USUAL < behind <= BEHIND:
                    late = behind
                break
        return max(now - self.heard, day - self._heard_by_day), late
