"""Adds, removes and acknowledges rooms of a running recorder, and reports the outcome of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from chatlog.commands.api_client import ApiError
from chatlog.config.room_names import RoomName
from chatlog.printable import printable

#: Seconds between two requests for the state of a room, and the most seconds to wait.
EVERY = 0.5
WAIT = 15.0
#: The most characters of a reason that are shown.
_SHOWN = 300
#: Problems of a room that do not end by themselves within seconds.
_FINAL = ("refused", "silent", "unidentified", "unwritten")


class Outcome(NamedTuple):
    """What happened to a room, in words; ``fine``: as requested."""

    room: RoomName
    words: str
    fine: bool


class Recorder(Protocol):
    """The requests to the recorder. Every method may raise ApiError."""

    def add(self, platform: str, name: str, chatroom_id: int | None = None) -> bool: ...

    def remove(self, platform: str, name: str) -> bool: ...

    def room(self, platform: str, name: str) -> dict[str, Any] | None: ...

    def acknowledge(self, platform: str, name: str, known: bool = True) -> None: ...


def add(
    recorder: Recorder,
    rooms: Iterable[RoomName],
    chatroom_id: int | None,
    seconds: Callable[[], float],
    sleep: Callable[[float], object],
    wait: float = WAIT,
) -> Iterable[Outcome]:
    """Add the rooms, and yield the outcome of each as soon as it is known. Raises ApiError if the recorder
    does not answer or refuses all requests."""
    waiting: dict[RoomName, bool] = {}
    for room in rooms:
        try:
            waiting[room] = recorder.add(*room, chatroom_id)
        except ApiError as error:
            if not error.of_room:
                raise
            yield Outcome(room, f"not added: {error}", False)
    until = seconds() + wait
    while waiting:
        late = seconds() >= until
        for room, new in list(waiting.items()):
            outcome = _outcome(room, new, recorder.room(*room), late, wait > 0)
            if outcome is not None:
                del waiting[room]
                yield outcome
        if waiting:
            sleep(EVERY)


def _outcome(
    room: RoomName, new: bool, facts: dict[str, Any] | None, late: bool, waited: bool
) -> Outcome | None:
    """What happened to a room; None while that is unknown."""
    if facts is None:
        return Outcome(room, "removed again by another user", False)
    if facts.get("state") == "recorded":
        return Outcome(room, "is recorded" if new else "was on the list already, and is recorded", True)
    reason = printable(str(facts.get("reason") or ""), _SHOWN)
    remedy = printable(str(facts.get("remedy") or ""), _SHOWN)
    words = f": {reason}" if reason else ""
    if facts.get("problem", facts.get("state")) in _FINAL:
        return Outcome(room, f"not recorded{words}{f'. {remedy}' if remedy else ''}", False)
    if not late:
        return None
    if not waited:
        return Outcome(room, "added" if new else "was on the list already", True)
    return Outcome(room, f"still waiting{words}; to see it again: chatlog rooms list", False)


def remove(recorder: Recorder, rooms: Iterable[RoomName]) -> Iterable[Outcome]:
    """Remove the rooms. Raises ApiError if the recorder does not answer."""
    for room in rooms:
        try:
            there = recorder.remove(*room)
        except ApiError as error:
            if not error.of_room:
                raise
            yield Outcome(room, f"not removed: {error}", False)
            continue
        yield Outcome(room, "removed; what was recorded stays" if there else "was not on the list", there)


def acknowledge(recorder: Recorder, rooms: Iterable[RoomName], known: bool) -> Iterable[Outcome]:
    """Acknowledge that the rooms are not recorded, or undo that. Raises ApiError if the recorder does not
    answer."""
    for room in rooms:
        try:
            recorder.acknowledge(*room, known)
        except ApiError as error:
            if not error.of_room:
                raise
            yield Outcome(room, str(error), False)
            continue
        yield Outcome(room, "acknowledged until it is recorded again" if known else "reported again", True)
