"""Sample lines of Twitch, and their records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chatlog import record
from chatlog.twitch import events, irc

RECEIVED = "2026-01-15T20:00:00.250Z"
SENT = "1768507199875"
SENT_AS_TIME = "2026-01-15T19:59:59.875Z"

#: The tags of a chat message of today, in Twitch's order.
CHAT_TAGS = {
    "badge-info": "subscriber/14",
    "badges": "subscriber/12,premium/1",
    "client-nonce": "00112233445566778899aabbccddeeff",
    "color": "#1E90FF",
    "display-name": "Some_Viewer",
    "emotes": "25:0-4",
    "first-msg": "0",
    "flags": "",
    "id": "00000000-0000-4000-8000-000000000001",
    "mod": "0",
    "returning-chatter": "0",
    "room-id": "1000001",
    "subscriber": "1",
    "tmi-sent-ts": SENT,
    "turbo": "0",
    "user-id": "1000002",
    "user-type": "",
}


def tagged(tags: Mapping[str, str]) -> str:
    return "@" + ";".join(f"{key}={irc.escape(value)}" for key, value in tags.items())


def chat(text: str = "hello there", **changed: str) -> bytes:
    """A chat message; ``changed`` tags have _ for -."""
    tags = CHAT_TAGS | {key.replace("_", "-"): value for key, value in changed.items()}
    source = "some_viewer!some_viewer@some_viewer.tmi.twitch.tv"
    return f"{tagged(tags)} :{source} PRIVMSG #someroom :{text}".encode()


def usernotice(kind: str, text: str | None = None, **changed: str) -> bytes:
    tags = CHAT_TAGS | {"login": "some_viewer", "msg-id": kind, "system-msg": "Something happened!"}
    tags |= {key.replace("_", "-"): value for key, value in changed.items()}
    said = "" if text is None else f" :{text}"
    return f"{tagged(tags)} :tmi.twitch.tv USERNOTICE #someroom{said}".encode()


def recorded(line: bytes, channel: str | None = None, channel_id: str = "") -> dict[str, Any]:
    """The record of a line, read back; also checks that the short way agrees where it takes the line."""
    encoded = events.event_record(irc.parse(line), RECEIVED, record.encode_full, channel, channel_id)
    assert encoded.endswith(b"}\n") and encoded.count(b"\n") == 1
    found: dict[str, Any] = json.loads(encoded)
    short = events.chat_record(line, RECEIVED, record.encode_full)
    assert channel or short is None or short == (found["channel"], encoded)
    return found


def line_parts(found: Mapping[str, Any]) -> tuple[dict[str, str], str, str, list[str]]:
    """The tags, source, command and parameters that a record of a room was made of."""
    details = dict(found["details"])
    command = details.pop("command")
    username, message = found["username"], found["message"]
    person = f"{username}!{username}@{username}.tmi.twitch.tv"
    source = details.pop("source", person if command in ("PRIVMSG", "WHISPER") else "tmi.twitch.tv")
    if command == "PRIVMSG":
        said = [f"\x01ACTION {message}\x01" if found["type"] == "action" else message]
    elif command == "CLEARCHAT":
        said = [username] if username else []
    else:
        said = [message] if message else []
    params = details.pop("params", ["#" + found["channel"], *said])
    details.pop("raw", None)
    for key in events.OWN_DETAILS:
        if "@" + key in details:
            details[key] = details.pop("@" + key)
    return details, source, command, params
