"""What a service that remembers Twitch's chat answers, and what of it may be believed. Sans-IO.

The service is ``recent-messages2`` (github.com/robotty/recent-messages2) or speaks like it: a GET of
``{url}/recent-messages/{login}`` is answered with JSON, ``messages`` being IRC lines, oldest first, and
``error_code`` a word or null. It joins rooms when it is asked for them, remembers up to 800 lines of
each for a day, and forgets rooms for which nobody asked for a day. Its lines have their tags in another
order, and two more: ``historical`` and ``rm-received-ts``, when it received the line (``rm-deleted``
too, if a moderator has deleted it since).
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Hashable, Mapping
from typing import Any

from chatlog.record import from_json, from_json_loosely
from chatlog.twitch import irc
from chatlog.twitch.lines import MAX_LINE

#: Lines of one answer that are looked at, and lines that are asked for: what the service remembers.
MOST_LINES = 2000
ASKED_LINES = 800
#: Bytes of an answer that are read at most.
ANSWER_LIMIT = 4 << 20
#: Seconds that an answer may take.
ANSWER_WITHIN = 20.0
#: The commands that are taken, with the tag that names the event. A CLEARCHAT has none; its room, target
#: and time name it. All others are about the state of a room, which every join tells anew.
_NAMED_BY = {"PRIVMSG": "id", "USERNOTICE": "id", "CLEARMSG": "target-msg-id", "CLEARCHAT": "tmi-sent-ts"}
#: What the service says about a room that it will not remember, whoever asks.
_NEVER = frozenset({"channel_ignored", "invalid_channel_login"})


class NoAnswer(Exception):
    """The service did not answer as it should; the text says what came instead. ``never``: it does not
    remember this room, and will not."""

    def __init__(self, reason: str, never: bool = False) -> None:
        super().__init__(reason)
        self.never = never


def address(url: str, login: str, lines: int = ASKED_LINES) -> str:
    """The address to ask for the latest ``lines`` of a room."""
    return f"{url.rstrip('/')}/recent-messages/{login}?limit={lines}"


def lines_in(status: int, body: bytes) -> list[bytes]:
    """The lines of an answer, oldest first. Raises NoAnswer."""
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
            # Half of a surrogate pair is kept as bytes that are not UTF-8.
            line = text.encode("utf-8", "surrogatepass")
            if len(line) <= MAX_LINE:
                found.append(line)
    return found


def chat_in(line: bytes, channel: str, channel_id: str) -> tuple[irc.Message, int] | None:
    """The message in a line and its time in milliseconds, if it belongs to that very room and can be
    told from all others; None for everything else. ``channel_id`` may be ``""`` where it is not known."""
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
    """What a record has in common with any other record of the same event."""
    if "id" not in record:
        # Basic detail.
        return (record["timestamp"], record["user_id"], record["message"])
    if record["id"]:
        return str(record["id"])
    details = record["details"]
    marks = (details.get("ban-duration", ""), details.get("target-msg-id", ""))
    return (record["timestamp"], record["username"], *marks)
