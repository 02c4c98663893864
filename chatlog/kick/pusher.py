"""The Pusher Channels protocol, version 7, without I/O: frames in, events out, and what a client sends.

A frame is a JSON object with an event's name, mostly the name of the Pusher channel it was published
on, and a payload that is nearly always a JSON document inside a string, sometimes an object, and
sometimes neither. Nothing here raises for what a server sent, and nothing recurses deeper than the
JSON decoders allow. Source: https://pusher.com/docs/channels/library_auth_reference/pusher-websockets-protocol/
"""

from __future__ import annotations

import enum
import re
import reprlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from chatlog.printable import printable
from chatlog.record import from_json, from_json_exactly

#: Frames longer than this many bytes are not looked into. Pusher's own limit is 10 KB.
MAX_FRAME = 1 << 20

#: What keeps a connection alive, from either side.
PING = b'{"event":"pusher:ping","data":{}}'
PONG = b'{"event":"pusher:pong","data":{}}'

ESTABLISHED = "pusher:connection_established"
ERROR = "pusher:error"
SUBSCRIBED = "pusher_internal:subscription_succeeded"
REFUSED = frozenset({"pusher_internal:subscription_error", "pusher:subscription_error"})

#: Events of the protocol itself; everything else was published by somebody.
OWN_PREFIXES = ("pusher:", "pusher_internal:")

#: Seconds of silence after which the server wants a ping, where it does not say.
ACTIVITY_TIMEOUT = 120.0

_EXISTING = re.compile(r"Existing subscription to channel ([^\s]{1,200})\Z")

# orjson reads an integer beyond 64 bits as a float, which loses digits. Such a number has at least 19.
_TO_ZERO = bytes(0x30 if 0x30 <= byte <= 0x39 else byte for byte in range(256))
_LONG_NUMBER = b"0" * 19


@dataclass(slots=True)
class Event:
    """One frame, understood.

    ``name`` is the event's as sent, ``channel`` the Pusher channel (``""`` where the frame names
    none), ``data`` the decoded payload. ``decoded`` is False when the payload was a string that is not
    JSON: then ``data`` is that string. ``clean`` is False when the frame was not UTF-8: then its
    strings have replacement characters. ``more`` holds what else the frame had, None for nothing.
    """

    name: str
    channel: str
    data: Any
    decoded: bool = True
    clean: bool = True
    more: dict[str, Any] | None = None


def parse(frame: bytes) -> Event | None:
    """The event in one whole text frame; None for anything that is not a Pusher frame. Never raises."""
    if len(frame) > MAX_FRAME:
        return None
    clean = True
    loads = from_json_exactly if _LONG_NUMBER in frame.translate(_TO_ZERO) else from_json
    try:
        outer = loads(frame)
    except UnicodeDecodeError:
        clean = False
        try:
            outer = loads(frame.decode("utf-8", "replace"))
        except ValueError:
            return None
    except ValueError:
        return None
    if type(outer) is not dict:
        return None
    name = outer.get("event")
    if type(name) is not str or not name:
        return None
    channel = outer.get("channel", "")
    more = None
    if type(channel) is not str:
        more = {"channel": channel}
        channel = ""
    data = outer.get("data")
    decoded = True
    if type(data) is str and data:
        try:
            data = loads(data)
        except ValueError:
            decoded = False
    if len(outer) > 3 or (len(outer) == 3 and ("data" not in outer or "channel" not in outer)):
        rest = {key: value for key, value in outer.items() if key not in ("event", "channel", "data")}
        more = rest | (more or {})
    return Event(name, channel, data, decoded, clean, more)


def subscribe(channel: str) -> bytes:
    """The frame that asks for a public channel."""
    return orjson.dumps({"event": "pusher:subscribe", "data": {"auth": "", "channel": channel}})


def unsubscribe(channel: str) -> bytes:
    """The frame that gives a channel up. The server does not answer it."""
    return orjson.dumps({"event": "pusher:unsubscribe", "data": {"channel": channel}})


def activity_timeout(event: Event) -> float:
    """Seconds of silence after which the server wants a ping, from the frame that welcomes us."""
    value: Any = event.data.get("activity_timeout") if type(event.data) is dict else None
    if type(value) in (int, float) and 1 <= value <= 86400:
        return float(value)
    return ACTIVITY_TIMEOUT


def error(event: Event) -> tuple[int | None, str]:
    """Code and text of a ``pusher:error``. Without a code the error concerns one request only."""
    data = event.data if type(event.data) is dict else {}
    code = data.get("code")
    message = data.get("message")
    text = readable(message if type(message) is str else event.data)
    return (code if type(code) is int else None), text


def already_subscribed(message: str) -> str:
    """The channel that an error's text says is subscribed already; ``""`` for any other text."""
    match = _EXISTING.match(message)
    return match[1] if match else ""


def refusal(event: Event) -> str:
    """Why a subscription was refused, in the server's words."""
    data = event.data if type(event.data) is dict else {}
    parts = [readable(data[key]) for key in ("type", "error", "status") if data.get(key) is not None]
    return " ".join(parts) or readable(event.data)


def readable(value: object) -> str:
    """``value`` as a short text that fits into one line of a log, whatever a server put into it."""
    text = value if isinstance(value, str) else "" if value is None else reprlib.repr(value)
    return printable(text, 200)


class Closing(enum.Enum):
    """What the way a connection ended asks of the client."""

    #: Do not come back unchanged (the key or the address is wrong): slowly, and tell somebody.
    REFUSED = "refused"
    #: Come back after a growing delay, and not before a second has passed: the server is full.
    LATER = "later"
    #: Come back after a growing delay.
    BACK_OFF = "back off"
    #: Come back at once.
    AT_ONCE = "at once"


#: The name of an event of Kick's, or its time, in the JSON within the frame's; in a text they would have more
#: backslashes.
_CREATED = re.compile(rb'"event":"([^"]*)"|created_at\\":\\"([0-9T:.+Z-]{19,35})\\"')


def latest_time(data: bytes) -> float | None:
    """When the last chat message in ``data`` was made, in seconds since the epoch. Others carry older times:
    that of the message that is pinned, for example."""
    chat = False
    latest = b""
    for found in _CREATED.finditer(data):
        if found[2] is None:
            chat = found[1].endswith(b"ChatMessageEvent")
        elif chat:
            latest = found[2]
    try:
        return datetime.fromisoformat(latest.decode("ascii")).timestamp() if latest else None
    except (ValueError, OverflowError):
        return None


def closing(code: int | None) -> Closing:
    """The class of a close code, or of the code of a ``pusher:error``; None where there was none."""
    if code is None or code < 4000:
        return Closing.BACK_OFF
    if code <= 4099:
        return Closing.REFUSED
    if 4200 <= code <= 4299:
        return Closing.AT_ONCE
    # 4100 to 4199; of those above, nothing is said, and patience is never wrong.
    return Closing.LATER
