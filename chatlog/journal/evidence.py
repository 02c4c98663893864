"""The evidence of where a gap begins when a process is killed: which connections had a room, and which of
them were idle.

An idle connection may be dead. Only a probe shows whether it is, and the process may be killed before the
probe is sent. The next process then dates the gaps of the connection's rooms back to the last byte that
arrived on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from chatlog.rooms.pool import Pool
from chatlog.rooms.subscriptions import Room, State
from chatlog.timeline.intervals import ConnectionIntervals, Span

#: Seconds without a byte after which a connection is idle.
IDLE = 2.0
#: Seconds after which a lost connection no longer matters: a dead one is noticed sooner.
_GONE = 300.0

#: Platform and number of a connection.
ConnectionKey = tuple[str, int]


class Evidence(NamedTuple):
    """Which connections have a room. ``present``: the number of each, and since when it has the room; 0 where
    that does not matter because it was the only connection all the time. ``past``: the intervals of
    connections that were lost lately. Times are seconds since the epoch."""

    present: tuple[tuple[int, float], ...] = ()
    past: tuple[Span, ...] = ()

    def doubtful(self, heard: Mapping[int, float | None], end: float) -> list[Span]:
        """The times until ``end`` in which no connection is certain to have had the room. ``heard``: by
        number, since when each connection is idle; None if it is not idle."""
        intervals = ConnectionIntervals()
        for start, until in self.past:
            intervals.ended(start, until)
        alive, idle = [], []
        for number, since in self.present:
            last = heard[number]
            if last is None:
                alive.append(since)
            else:
                intervals.ended(since, max(last, since))
                idle.append(max(last, since))
        return intervals.uncovered(min(idle, default=end), end, alive)


#: The evidence of a room that no connection has.
NONE = Evidence()


def evidence_of(room: Room, wall: float, clock: float) -> Evidence:
    """The connections that have the room now. ``wall`` and ``clock`` are the present time on both clocks."""
    epoch = wall - clock
    recording = [each for each in room.subscriptions if each.state is State.RECORDED]
    past = room.intervals.after(clock - _GONE) if room.intervals is not None and recording else []
    if len(recording) == 1 and not past:
        return Evidence(((recording[0].connection.number, 0),))
    present = tuple((each.connection.number, each.since + epoch) for each in recording)
    return Evidence(present, tuple((start + epoch, end + epoch) for start, end in past))


class IdleConnections:
    """Which connections of these pools are idle, and which of them the journal knows as idle."""

    def __init__(self, pools: Mapping[str, Pool]) -> None:
        self._pools = pools
        #: Since when they are idle, in seconds since the epoch.
        self.noted: dict[ConnectionKey, float] = {}
        self._found: dict[ConnectionKey, float] = {}
        #: By platform, how many seconds late the latest arrivals were when ``changes`` was asked last. What
        #: was sent in these seconds may wait unread.
        self.late: dict[str, float] = {}

    def changes(self, at: float) -> dict[ConnectionKey, float | None]:
        """The changes that the journal lacks at the time ``at``: since when a connection is idle, None if it
        no longer is. They are returned again and again until ``note`` is called."""
        self._found, self.late = {}, {}
        changes: dict[ConnectionKey, float | None] = {}
        for platform, pool in self._pools.items():
            for connection in pool.connections:
                (ago, late), key = connection.heard(), (platform, connection.number)
                if late > self.late.get(platform, 0.0):
                    self.late[platform] = late
                known = self.noted.get(key)
                if ago <= IDLE:
                    if known is not None:
                        changes[key] = None
                elif known is not None and at - ago < known + IDLE / 2:
                    self._found[key] = known
                else:
                    self._found[key] = changes[key] = at - ago
        return changes

    def note(self) -> None:
        """The latest changes are in the journal."""
        self.noted = self._found

    def unsure(self) -> None:
        """The content of the journal is not known."""
        every = (
            (platform, each.number) for platform, pool in self._pools.items() for each in pool.connections
        )
        self.noted = dict.fromkeys(every, 0.0)
