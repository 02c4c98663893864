"""Rooms and their subscriptions: the state of each room on each of its connections.

A room has one subscription on a connection of every lane. It is wanted, then requested, then recorded once
the server has acknowledged it; if the server refuses, the subscription is refused; if the server does not
answer, it is silent. Both are requested again later and on another connection, and no other room loses its
subscription for that.

    wanted -> requested -> recorded        (acknowledged)
                        -> refused         again after 5 min, doubling to 6 h
                        -> silent          again after 30 s, doubling to 10 min
    recorded -> wanted                     (connection lost; asked again as soon as it is back)
    recorded -> silent                     (the server parted us)
"""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING, Protocol

from chatlog.rooms.duplicates import Duplicates
from chatlog.timeline.intervals import ConnectionIntervals
from chatlog.timeline.timeline import RoomTimeline

if TYPE_CHECKING:
    from chatlog.rooms.connection import Connection


class State(enum.Enum):
    """The state of a subscription."""

    WANTED = "wanted"
    REQUESTED = "requested"
    RECORDED = "recorded"
    REFUSED = "refused"
    SILENT = "silent"


class RecordSink(Protocol):
    """Receives the records of a room."""

    def append(self, line: bytes) -> None:
        """Add one encoded record."""


class Room:
    """A room to record. ``duplicates`` is set only while the same event may come twice. ``intervals``: when
    single connections delivered the room, once there was more than one. ``identifier``: the platform's id of
    the room, once it is known."""

    __slots__ = ("duplicates", "identifier", "intervals", "name", "records", "subscriptions", "timeline")

    def __init__(self, name: str, records: RecordSink, identifier: str = "") -> None:
        self.name = name
        self.records = records
        self.identifier = identifier
        self.timeline = RoomTimeline()
        self.duplicates: Duplicates | None = None
        self.intervals: ConnectionIntervals | None = None
        self.subscriptions: list[Subscription] = []

    @property
    def state(self) -> State:
        """The best state of the room's subscriptions."""
        states = {subscription.state for subscription in self.subscriptions}
        for state in (State.RECORDED, State.REQUESTED, State.WANTED, State.SILENT, State.REFUSED):
            if state in states:
                return state
        return State.WANTED

    @property
    def reason(self) -> str:
        """Why the room is refused or silent, in the server's words; else ``""``."""
        return next((each.reason for each in self.subscriptions if each.reason), "")

    def recorded_since(self, number: int) -> float:
        """Since when the connection of that number has had the room, in seconds of the clock; minus infinity
        if that is not known."""
        for each in self.subscriptions:
            if each.connection.number == number and each.state is State.RECORDED:
                return each.since
        return -math.inf

    def is_delivered_elsewhere(self, number: int) -> bool:
        """Whether a connection other than ``number`` delivers the room."""
        return any(
            each.connection.number != number and each.state is State.RECORDED for each in self.subscriptions
        )

    def remember(self, subscription: Subscription, until: float) -> None:
        """Note that the subscription recorded until then (in seconds of the clock): if another one is found
        dead, that decides where the gap begins."""
        if len(self.subscriptions) > 1:
            if self.intervals is None:
                self.intervals = ConnectionIntervals()
            self.intervals.ended(subscription.since, until)

    def lost(
        self, subscription: Subscription, at: float, now: float
    ) -> tuple[list[tuple[float, float]], float | None]:
        """The subscription has recorded nothing since ``at``, and is wanted again. Returns the times before
        ``now`` that no other subscription has recorded either and that are over; and since when no
        subscription records, None if one does. All in seconds of the clock."""
        # Nothing before the acknowledgement was promised.
        at = max(at, subscription.since)
        subscription.enter(State.WANTED)
        self.remember(subscription, at)
        others = [other.since for other in self.subscriptions if other.state is State.RECORDED]
        missing = (self.intervals or ConnectionIntervals()).uncovered(at, now, others)
        if others:
            return missing, None
        if missing and missing[-1][1] >= now:
            return missing[:-1], missing[-1][0]
        return missing, now


class Subscription:
    """One room on one connection."""

    __slots__ = (
        "connection",
        "queued",
        "reason",
        "replaces",
        "room",
        "since",
        "since_by_day",
        "state",
        "tries",
        "turn",
    )

    def __init__(self, room: Room, connection: Connection, replaces: Subscription | None = None) -> None:
        self.room = room
        self.connection = connection
        self.state = State.WANTED
        self.reason = ""
        #: How often in a row the server refused the room or did not answer.
        self.tries: int = 0 if replaces is None else replaces.tries
        #: Whether the subscription waits in the queue of requests.
        self.queued = False
        #: Counts the changes of state, so that a timer of an earlier state is recognised.
        self.turn = 0
        #: When the room was acknowledged, in seconds of the clock; valid only while it is recorded.
        self.since = 0.0
        #: The same by the time of day.
        self.since_by_day = 0.0
        #: The subscription that is given up when this one is acknowledged.
        self.replaces = replaces

    def enter(self, state: State, reason: str = "") -> None:
        """Change to ``state``. Timers of the state before no longer count."""
        self.state = state
        self.reason = reason
        self.queued = False
        self.turn += 1

    def acknowledged(self, now: float, day: float) -> None:
        """The server delivers the room. ``now`` is in seconds of the clock, ``day`` the time of day."""
        self.enter(State.RECORDED)
        self.since, self.since_by_day = now, day
        self.tries = 0

    def missing_from(self, since: float, at: float, epoch: float) -> float:
        """The time of day since which the room is missing: ``since`` by the clock, whose zero is at ``epoch``
        by the present time of day. ``at`` is the time of day of the last byte. A clock stands still while the
        machine sleeps, so its zero may have been at another time when the room was acknowledged."""
        if since != self.since:
            return since + epoch
        return min(since + epoch, max(at, self.since_by_day))

    def failed(self, state: State, reason: str) -> None:
        """The server refuses the room, or is silent."""
        self.enter(state, reason)
        self.tries += 1

    def move(self, connection: Connection) -> None:
        """Move the subscription to another connection, which may be the same one."""
        self.connection.drop(self)
        self.connection = connection
        connection.carry(self)
