"""Reads the answer of Kick's site to a look-up of a channel's ids."""

from __future__ import annotations

from codecs import BOM_UTF8
from typing import Any

from chatlog.kick.pusher import readable
from chatlog.record import from_json_loosely

#: The most bytes of an answer.
ANSWER_LIMIT = 256 * 1024
#: Seconds that an answer may take.
ANSWER_WITHIN = 10.0


class LookupRefused(Exception):
    """The answer has no ids. The text says why. ``missing``: the channel does not exist; otherwise the site
    may refuse all look-ups."""

    def __init__(self, reason: str, missing: bool = False) -> None:
        super().__init__(reason)
        self.missing = missing


def ids_in(status: int, body: bytes) -> tuple[int, int | None]:
    """The chatroom id and the channel id in an answer; the second may be None. Raises LookupRefused."""
    try:
        answer: Any = from_json_loosely(body.removeprefix(BOM_UTF8))
    except ValueError:
        answer = None
    if status == 200 and isinstance(answer, dict):
        room = answer.get("chatroom")
        if isinstance(room, dict):
            chatroom_id = positive(room.get("id"))
            if chatroom_id is not None:
                channel_id = positive(answer.get("id"))
                return chatroom_id, channel_id or positive(room.get("channel_id"))
    words = ""
    if isinstance(answer, dict):
        words = readable(answer.get("error") or answer.get("message"))
    elif answer is None and body.lstrip()[:1] == b"<":
        words = "a web page"
    elif status == 200:
        words = "no ids in it"
    elif 300 <= status <= 399:
        words = "it points elsewhere"
    raise LookupRefused(f"HTTP {status}: {words}" if words else f"HTTP {status}", status == 404)


def positive(value: object) -> int | None:
    """An id as a number, also if it is a string; None if it is no id."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 19:
        value = int(value)
    return value if type(value) is int and 0 < value < 1 << 63 else None
