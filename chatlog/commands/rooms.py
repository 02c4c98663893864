"""Adding and removing rooms of a running recorder, and saying what became of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from chatlog.commands.api_client import ApiError
from chatlog.config.room_names import RoomName
from chatlog.printable import printable

#: Seconds between two looks at what became of a room, and that are waited for at most.
EVERY = 0.5
WAIT = 15.0
#: Characters of a reason that are shown.
_SHOWN = 300
#: Problems of a room that will not go away by themselves within seconds.
_FINAL = ("refused", "silent", "unidentified", "unwritten")


class Outcome(NamedTuple):
    """What became of a room, in words; ``fine``: as it was asked for."""

    room: RoomName
    words: str
    fine: bool


class Recorder(Protocol):
    """What is asked of the recorder; every method may raise ApiError."""

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
    """Add the rooms, and tell of each what became of it, in the order in which that is known. Raises ApiError
    when the recorder cannot be asked, or refuses everybody."""
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
    """What became of a room; None as long as that is not known."""
    if facts is None:
        return Outcome(room, "removed again by somebody else", False)
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
    return Outcome(room, f"still waiting{words}; look again with: chatlog rooms list", False)


def remove(recorder: Recorder, rooms: Iterable[RoomName]) -> Iterable[Outcome]:
    """Remove the rooms. Raises ApiError when the recorder cannot be asked."""
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
    """Say that it is known that the rooms are not recorded, or be told of them again. Raises ApiError when
    the recorder cannot be asked."""
    for room in rooms:
        try:
            recorder.acknowledge(*room, known)
        except ApiError as error:
            if not error.of_room:
                raise
            yield Outcome(room, str(error), False)
            continue
        yield Outcome(room, "acknowledged until it is recorded again" if known else "told of again", True)
