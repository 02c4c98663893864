"""The rooms that should be recorded and are not: the kind of each room's problem, and since when."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from chatlog.reasons import Reason, name_of, of_connection, of_lookup, of_room
from chatlog.rooms.subscriptions import Room, State
from chatlog.status.natural import natural
from chatlog.timeline.timelines import Key

#: The kinds. ``unidentified`` has no id yet, which a request for it needs; ``disconnected`` has lost its
#: connection; ``waiting`` is being joined, or waits for its turn; ``unwritten`` is delivered, and cannot be
#: written.
REFUSED, SILENT, UNIDENTIFIED = "refused", "silent", "unidentified"
DISCONNECTED, WAITING, UNWRITTEN = "disconnected", "waiting", "unwritten"
KINDS = (REFUSED, SILENT, UNIDENTIFIED, DISCONNECTED, WAITING)
#: The reason of a room whose ids are being looked up for the first time.
LOOKING_UP = "looking up its ids"
#: The reason of a room whose connection is being made for the first time.
CONNECTING = "connecting"
#: The most rooms of a group that are named; a larger group is not sorted.
NAMED = 10
SORTED = 300

T = TypeVar("T")


class Problem(NamedTuple):
    """A room's problem. ``since`` is in seconds of the clock; ``raw`` is the reason in the original words."""

    kind: str
    since: float
    raw: str


class Moment(NamedTuple):
    """The clock, the time of day, and for how many seconds a room may be in trouble before it counts for
    the health checks and for the alarms."""

    now: float
    wall: float
    grace: float
    after: float


@dataclass(slots=True)
class Group:
    """The rooms of one platform with one kind of problem. ``late`` and ``lasting`` count those that have
    had it for longer than ``http.health.room_grace`` and ``alarms.after``; ``since`` is when the first
    began, in seconds since the epoch."""

    kind: str
    count: int = 0
    late: int = 0
    lasting: int = 0
    since: float = float("inf")
    members: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, problem: Problem, missing: float, at: Moment) -> None:
        """A room has the problem, and has not been recorded since ``missing`` (by the time of day)."""
        lasted = at.now - problem.since
        self.count += 1
        self.late += at.wall - missing > at.grace
        self.lasting += lasted >= at.after
        self.since = min(self.since, at.wall - lasted)
        self.members.append((name, problem.raw))

    def facts(self, platform: str) -> dict[str, Any]:
        """The group as JSON, with the first rooms named."""
        rooms = []
        for name, raw in first_of(self.members, lambda member: member[0]):
            reason = explained(platform, name, self.kind, raw)
            rooms.append({"name": name, "reason": reason.words, "remedy": reason.remedy, "raw": raw})
        return {
            "kind": self.kind,
            "count": self.count,
            "late": self.late,
            "lasting": self.lasting,
            "since": self.since,
            "rooms": rooms,
        }


class RoomProblems:
    """Remembers when each room's problem began, through all attempts in between: a new request ends no
    problem until the room is recorded."""

    def __init__(self) -> None:
        self._rooms: dict[Key, Problem] = {}

    def poll(self, rooms: Iterable[tuple[Key, Room | str]], now: float) -> None:
        """Called every few seconds with the rooms that are not recorded, each with its room in a pool, or
        with the reason why it is in none."""
        self._rooms = {key: self.of(key, room, now) for key, room in rooms}

    def of(self, key: Key, room: Room | str, now: float) -> Problem:
        """The problem of a room that is not recorded at present."""
        old = self._rooms.get(key)
        if isinstance(room, Room):
            kind, raw = _problem(room, old)
        else:
            kind, raw = WAITING if room == LOOKING_UP else UNIDENTIFIED, room
        return Problem(kind, old.since if old is not None and old.kind == kind else now, raw)

    def latest(self, key: Key, room: Room, now: float) -> Problem:
        """The room's problem at the latest poll."""
        return self._rooms.get(key) or self.of(key, room, now)


def _problem(room: Room, old: Problem | None) -> tuple[str, str]:
    """The kind of a room's problem, and the reason as it was given."""
    subscriptions = room.subscriptions
    if len(subscriptions) == 1:
        # The usual case, for up to thousands of rooms.
        one = subscriptions[0]
        connection, state, raw = one.connection, one.state, one.reason
        connected, trouble = connection.up, connection.trouble
    else:
        connected = any(each.connection.up for each in subscriptions)
        trouble = next((each.connection.trouble for each in subscriptions if each.connection.trouble), "")
        state, raw = room.state, room.reason
    if state is State.REFUSED:
        return REFUSED, raw
    if state is State.SILENT and connected:
        return SILENT, raw
    if old is not None and old.kind == REFUSED:
        # The room is requested once more.
        return REFUSED, old.raw
    if trouble and not connected:
        # The cause of the last end may be over: the reason why there is no connection now counts.
        return DISCONNECTED, trouble
    if old is not None and old.kind == SILENT:
        return SILENT, old.raw
    return WAITING, state.value if connected else CONNECTING


def first_of(members: Sequence[T], name: Callable[[T], str]) -> list[T]:
    """The few that are named, in natural order. Of a great many, any few are named: sorting them would take
    long."""
    if len(members) > SORTED:
        members = members[:NAMED]
    return heapq.nsmallest(NAMED, members, key=lambda member: natural(name(member)))


def explained(platform: str, name: str, kind: str, raw: str) -> Reason:
    """Explains why a room is not recorded."""
    if kind == WAITING and raw == State.REQUESTED.value:
        return Reason(f"{name_of(platform)} has not confirmed it yet")
    if kind == WAITING and raw == State.WANTED.value:
        return Reason("it waits for its turn to be joined")
    if kind == WAITING and raw == CONNECTING:
        return Reason("its connection is being made")
    if kind == DISCONNECTED:
        return of_connection(platform, raw)
    return of_lookup(raw, name) if kind == UNIDENTIFIED else of_room(platform, raw, name)
