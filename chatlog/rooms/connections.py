"""The connections of one pool: their places for rooms, and when the next connection is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

from chatlog.rooms.connection import Connection, Phase

#: Seconds between two new connections.
OPEN_EVERY = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How a pool may use its connections: at most ``requests`` rooms are asked for in ``period`` seconds,
    over all of them; with two ``lanes`` every room has two subscriptions."""

    rooms_per_connection: int
    requests: int
    period: float
    lanes: int = 1


class Connections:
    """``make(number, lane, relieves)`` creates a connection, for at most ``most`` rooms."""

    def __init__(self, clock: IReactorTime, make: Callable[[int, int, bool], Connection], most: int) -> None:
        self._clock = clock
        self._make = make
        self._most = most
        self.all: list[Connection] = []
        self._numbers = 0
        self._unopened: list[Connection] = []
        self._last_opened = float("-inf")

    def place(self, lane: int, rooms: int, avoid: Connection | None = None) -> Connection:
        """A connection of the lane with room for one more, another than ``avoid`` if there can be one.
        ``rooms`` is how many rooms there are."""
        others = [connection for connection in self._of_lane(lane) if connection is not avoid]
        free = [connection for connection in others if len(connection.subscriptions) < self._most]
        if free:
            return next((connection for connection in free if connection.up), free[0])
        # One connection more than the rooms need is enough to try difficult rooms elsewhere.
        if avoid is not None and len(others) * self._most >= rooms:
            return avoid
        connection = self._new(lane, relieves=False)
        # Every room gets its first connection before any room gets its second.
        place = sum(1 for other in self._unopened if other.lane <= lane)
        self._unopened.insert(place, connection)
        return connection

    def open_relief(self, lane: int) -> Connection:
        """A new connection for the rooms of one that retires, opened at once."""
        connection = self._new(lane, relieves=True)
        self._open(connection)
        return connection

    def open_next(self) -> None:
        """Open the next waiting connection, if it is time."""
        if self._unopened and self._clock.seconds() - self._last_opened >= OPEN_EVERY:
            self._open(self._unopened.pop(0))

    def discard(self, connection: Connection) -> None:
        """The connection has ended for good."""
        if connection in self.all:
            self.all.remove(connection)

    def is_spare(self, connection: Connection) -> bool:
        """Whether the connection has no room, and its lane has other connections."""
        if connection.phase is not Phase.ONLINE or connection.subscriptions:
            return False
        return sum(1 for _ in self._of_lane(connection.lane)) > 1

    def _of_lane(self, lane: int) -> Iterator[Connection]:
        leaving = (Phase.RETIRING, Phase.CLOSING, Phase.CLOSED)
        return (each for each in self.all if each.lane == lane and each.phase not in leaving)

    def _new(self, lane: int, relieves: bool) -> Connection:
        self._numbers += 1
        connection = self._make(self._numbers, lane, relieves)
        self.all.append(connection)
        return connection

    def _open(self, connection: Connection) -> None:
        self._last_opened = self._clock.seconds()
        connection.open()
