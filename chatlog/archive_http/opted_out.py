"""Answers to requests for a person who opted out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chatlog.archive.room_files import Room
from chatlog.archive_http.asked import Asked, Refused, Stream
from chatlog.http.answers import Answer
from chatlog.suppression.hidden import Hidden

#: The words of justlog and rustlog; their clients check only the status.
TEXT = "User or channel has opted out"
#: Our own words.
OPTED_OUT = "this person opted out of being recorded, and is not shown"


def unless_opted_out(
    hidden: Hidden, room: Room, user: str, asked: Asked, answer: Callable[[Asked], Answer | Stream]
) -> Answer | Stream:
    """The answer of a log server about a person in a room (with ``""`` for its name: in all rooms), or 403.
    ``user``: as filters have it; ``""`` for everybody. Raises Refused."""
    who = hidden.of_room(*room) if user else None
    if who is None or not who.has(user):
        return answer(asked)
    # rustlog's server for Kick sends this header too.
    refusal = Refused(403, "opted_out", TEXT, {"x-opt-out": "true"} if room[0] == "kick" else {})
    if user.startswith("id:"):
        raise refusal
    # Names change hands: messages that another person wrote under the name are shown. A log of gaps alone is
    # not.
    query = {name: value for name, value in asked.query.items() if name != "gaps"}
    try:
        return answer(replace(asked, query=query))
    except Refused as problem:
        raise refusal if problem.status == 404 else problem from None


def everybody_opted_out(hidden: Hidden, rooms: list[Room], users: tuple[str, ...]) -> bool:
    """Whether all these people (as filters have them; there is one) opted out of one of the rooms. Raises
    StoreError."""
    there = [who for room in rooms if (who := hidden.of_room(*room)) is not None]
    return bool(users) and all(any(who.has(user) for who in there) for user in users)
