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

import enum
from typing import Protocol

from twisted.internet.defer import Deferred

from chatlog.coverage import Coverage
from chatlog.duplicates import Duplicates


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
    """A room that shall be recorded. ``duplicates`` is set only while more than one connection may
    deliver the same event; ``identifier`` is the platform's id of the room once it is known."""

    __slots__ = ("coverage", "duplicates", "identifier", "log", "name", "seats")

    def __init__(self, name: str, log: Log, identifier: str = "") -> None:
        self.name = name
        self.log = log
        self.identifier = identifier
        self.coverage = Coverage()
        self.duplicates: Duplicates | None = None
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


class Seat:
    """One room on one link."""

    __slots__ = ("link", "queued", "reason", "replaces", "room", "state", "tries", "turn")

    def __init__(self, room: Room, link: Link) -> None:
        self.room = room
        self.link = link
        self.state = State.WANTED
        self.reason = ""
        self.tries = 0
        self.queued = False
        #: Counts the state's changes, so that a timer set for an earlier state is recognised.
        self.turn = 0
        #: The seat that is given up once this one is acknowledged.
        self.replaces: Seat | None = None

    def enter(self, state: State, reason: str = "") -> None:
        self.state = state
        self.reason = reason
        self.turn += 1


class Link:
    """A connection that comes back by itself until it is closed. The platforms implement it.

    ``up`` is true between the server's welcome and the loss; ``trouble`` says, while it is not, why the
    latest connection or attempt ended, and ``refused`` that the server does not take our login or key.
    ``number`` is never used twice.
    """

    def __init__(self, number: int, lane: int) -> None:
        self.number = number
        self.lane = lane
        self.seats: dict[str, Seat] = {}
        self.up = False
        self.trouble = ""
        self.refused = False
        self.retiring = False
        self.closing = False

    def open(self) -> None:
        """Connect, and connect again whenever the connection is lost."""
        raise NotImplementedError  # pragma: no cover - the platforms' part

    def close(self) -> Deferred[None]:
        """End the connection and do not come back; fires when it is gone, bounded in time."""
        raise NotImplementedError  # pragma: no cover - the platforms' part

    def ask(self, names: list[str]) -> None:
        """Ask the server for these rooms."""
        raise NotImplementedError  # pragma: no cover - the platforms' part

    def leave(self, name: str) -> None:
        """Tell the server that the room is no longer wanted here."""
        raise NotImplementedError  # pragma: no cover - the platforms' part

    def check(self) -> None:
        """Called every second: ping, and give up on a peer that is silent for too long."""
        raise NotImplementedError  # pragma: no cover - the platforms' part
