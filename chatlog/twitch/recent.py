"""Reads and checks the answers of a service that keeps recent Twitch messages. Sans-IO.

The service is ``recent-messages2`` (github.com/robotty/recent-messages2) or a compatible one. The answer to a
GET of ``{url}/recent-messages/{login}`` is JSON: ``messages`` are IRC lines, the oldest first, ``error_code``
is a word or null. The service joins a room at the first request for it, keeps up to 800 lines of it for a
day, and drops a room after a day without a request. Its lines have their tags in another order, and further
tags: ``historical``, ``rm-received-ts`` (when the service received the line), and ``rm-deleted`` if a
moderator has deleted the message since.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Hashable, Mapping
from typing import Any

from chatlog.record import from_json, from_json_loosely
from chatlog.twitch import irc
from chatlog.twitch.lines import MAX_LINE

#: The most lines of one answer that are read, and the lines that are requested: as many as the service keeps.
MOST_LINES = 2000
ASKED_LINES = 800
#: The most bytes of an answer.
ANSWER_LIMIT = 4 << 20
#: Seconds that an answer may take.
ANSWER_WITHIN = 20.0
#: The commands that are used, each with the tag that identifies the event. A CLEARCHAT has none; its room,
#: target and time identify it. All other commands are about the state of a room, which every JOIN repeats.
_NAMED_BY = {"PRIVMSG": "id", "USERNOTICE": "id", "CLEARMSG": "target-msg-id", "CLEARCHAT": "tmi-sent-ts"}
#: Error codes for rooms that the service never keeps.
_NEVER = frozenset({"channel_ignored", "invalid_channel_login"})


class NoAnswer(Exception):
    """The service gave no usable answer. The text says why. ``never``: the service does not keep this room,
    now or later."""

    def __init__(self, reason: str, never: bool = False) -> None:
        super().__init__(reason)
        self.never = never


def address(url: str, login: str, lines: int = ASKED_LINES) -> str:
    """The address of the latest ``lines`` of a room."""
    return f"{url.rstrip('/')}/recent-messages/{login}?limit={lines}"


def lines_in(status: int, body: bytes) -> list[bytes]:
    """The lines of an answer, the oldest first. Raises NoAnswer."""
    try:
        answer: Any = from_json_loosely(body.removeprefix(BOM_UTF8))
    except ValueError:
        answer = None
    code = answer.get("error_code") if isinstance(answer, dict) else None
    if status in (400, 403) and code in _NEVER:
        raise NoAnswer(f"the service keeps nothing of this room [HTTP {status}: {code}]", never=True)
    if status != 200:
        raise NoAnswer(f"HTTP {status}")
    messages = answer.get("messages") if isinstance(answer, dict) else None
    if not isinstance(messages, list):
        raise NoAnswer("an answer without messages")
    found = []
    for text in messages[-MOST_LINES:]:
        if isinstance(text, str) and not any(end in text for end in "\r\n\0"):
            # A lone surrogate becomes bytes that are not UTF-8.
            line = text.encode("utf-8", "surrogatepass")
            if len(line) <= MAX_LINE:
                found.append(line)
    return found


def chat_in(line: bytes, channel: str, channel_id: str) -> tuple[irc.Message, int] | None:
    """The message in a line and its time in milliseconds, if it belongs to this room and can be identified;
    else None. ``channel_id`` is ``""`` if unknown."""
    try:
        message = irc.parse(line)
    except irc.ParseError:
        return None
    tags = message.tags
    if message.params[:1] != [f"#{channel}"] or not tags.get(_NAMED_BY.get(message.command, ""), ""):
        return None
    if message.command == "PRIVMSG" and (not message.nick or len(message.params) != 2):
        return None
    if channel_id and tags.get("room-id", "") not in ("", channel_id):
        return None
    sent = tags.get("tmi-sent-ts") or tags.get("rm-received-ts") or ""
    if not (sent.isascii() and sent.isdigit() and len(sent) <= 14):
        return None
    return message, int(sent)


def key_of(line: bytes) -> Hashable:
    """``record_key`` of an encoded record."""
    return record_key(from_json(line))


def record_key(record: Mapping[str, Any]) -> Hashable:
    """A key that is equal for two records of the same event."""
    if "id" not in record:
        # Basic detail.
        return (record["timestamp"], record["user_id"], record["message"])
    if record["id"]:
        return str(record["id"])
    details = record["details"]
    marks = (details.get("ban-duration", ""), details.get("target-msg-id", ""))
    return (record["timestamp"], record["username"], *marks)
