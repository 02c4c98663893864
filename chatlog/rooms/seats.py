"""Rooms, the connections that carry them, and how far each pair of the two has come.

A *room* has a *seat* on one link of every lane. A *link* is a connection that comes back by itself. A
seat is wanted, then requested, then recorded once the server has acknowledged it; a server that
refuses leads to refused, one that says nothing to silent. Both are tried again later and on another
link, and neither ever costs a neighbour its seat.

    wanted -> requested -> recorded        (acknowledged)
                        -> refused         again after 5 min, doubling to 6 h
                        -> silent          again after 30 s, doubling to 10 min
    recorded -> wanted                     (link lost; asked again as soon as it is back)
    recorded -> silent                     (the server parted us)
"""

from __future__ import annotations

import abc
import enum
import math
from typing import Protocol

from twisted.internet.defer import Deferred

from chatlog.rooms.duplicates import Duplicates
from chatlog.timeline.intervals import ConnectionIntervals
from chatlog.timeline.timeline import RoomTimeline


class State(enum.Enum):
    """How far a seat has come."""

    WANTED = "wanted"
    REQUESTED = "requested"
    RECORDED = "recorded"
    REFUSED = "refused"
    SILENT = "silent"


class Log(Protocol):
    """The recorder's side of a room."""

    def append(self, line: bytes) -> None:
        """Take one encoded record."""


class Room:
    """A room that shall be recorded. ``duplicates`` is set only while the same event may come twice;
    ``intervals`` tells when single connections had it, once there was more than one; ``identifier`` is the
    platform's id of the room once it is known."""

    __slots__ = ("duplicates", "identifier", "intervals", "log", "name", "seats", "timeline")

    def __init__(self, name: str, log: Log, identifier: str = "") -> None:
        self.name = name
        self.log = log
        self.identifier = identifier
        self.timeline = RoomTimeline()
        self.duplicates: Duplicates | None = None
        self.intervals: ConnectionIntervals | None = None
        self.seats: list[Seat] = []

    @property
    def state(self) -> State:
        """The best that any of its seats has reached."""
        states = {seat.state for seat in self.seats}
        for state in (State.RECORDED, State.REQUESTED, State.WANTED, State.SILENT, State.REFUSED):
            if state in states:
                return state
        return State.WANTED

    @property
    def reason(self) -> str:
        """Why it is refused or silent, in the server's words; ``""`` otherwise."""
        return next((seat.reason for seat in self.seats if seat.reason), "")

    def recorded_since(self, number: int) -> float:
        """Since when the link of that number has had it, in seconds of the clock; minus infinity if nobody
        knows."""
        for seat in self.seats:
            if seat.link.number == number and seat.state is State.RECORDED:
                return seat.since
        return -math.inf

    def remember(self, seat: Seat, until: float) -> None:
        """The seat recorded until then (in seconds of the clock), which has to be known should another
        one be found dead."""
        if len(self.seats) > 1:
            if self.intervals is None:
                self.intervals = ConnectionIntervals()
            self.intervals.ended(seat.since, until)

    def lost(self, seat: Seat, at: float, now: float) -> tuple[list[tuple[float, float]], float | None]:
        """The seat has recorded nothing since ``at``, and is wanted again. Returns the times before
        ``now`` that nobody else has recorded either and that are over, and since when nobody records;
        None if somebody does. All in seconds of the clock."""
        # Nobody has promised what was before the acknowledgement.
        at = max(at, seat.since)
        seat.enter(State.WANTED)
        self.remember(seat, at)
        others = [other.since for other in self.seats if other.state is State.RECORDED]
        missing = (self.intervals or ConnectionIntervals()).uncovered(at, now, others)
        if others:
            return missing, None
        if missing and missing[-1][1] >= now:
            return missing[:-1], missing[-1][0]
        return missing, now


class Seat:
    """One room on one link."""

    __slots__ = ("link", "queued", "reason", "replaces", "room", "since", "state", "tries", "turn")

    def __init__(self, room: Room, link: Link, replaces: Seat | None = None) -> None:
        self.room = room
        self.link = link
        self.state = State.WANTED
        self.reason = ""
        #: How often it was refused or met with silence in a row.
        self.tries: int = 0 if replaces is None else replaces.tries
        self.queued = False
        #: Counts the state's changes, so that a timer set for an earlier state is recognised.
        self.turn = 0
        #: When it was acknowledged, in seconds of the clock; means something only while it is recorded.
        self.since = 0.0
        #: The seat that is given up once this one is acknowledged.
        self.replaces = replaces

    def enter(self, state: State, reason: str = "") -> None:
        self.state = state
        self.reason = reason
        self.turn += 1


class Link(abc.ABC):
    """A connection that comes back by itself until it is closed. The platforms implement it.

    ``up`` is true between the server's welcome and the loss; ``trouble`` is why the latest attempt or
    connection ended, and ``refused`` that the server does not take our login or key. ``number`` is never
    used twice. ``follows``: it was opened for the rooms of one that is ``retiring``. ``answers`` turns
    false when the other side has left a ping or a goodbye without an answer: then nobody knows what it
    sent last.
    """

    def __init__(self, number: int, lane: int) -> None:
        self.number = number
        self.lane = lane
        self.seats: dict[str, Seat] = {}
        self.up = False
        self.answers = True
        self.retiring = False
        self.follows = False
        self.closing = False
        self.trouble = ""
        self.refused = False

    @abc.abstractmethod
    def open(self) -> None:
        """Connect, and connect again whenever the connection is lost."""

    @abc.abstractmethod
    def close(self) -> Deferred[None]:
        """End the connection and do not come back; fires when it is gone, bounded in time."""

    @abc.abstractmethod
    def ask(self, names: list[str]) -> None:
        """Ask the server for these rooms."""

    @abc.abstractmethod
    def leave(self, name: str) -> None:
        """Tell the server that the room is no longer wanted here."""

    def heard_ago(self) -> float:
        """Seconds since the last byte came."""
        return 0.0

    @abc.abstractmethod
    def check(self) -> None:
        """Called every second: ping, and give up on a peer that is silent for too long."""
