"""The Pusher Channels protocol, version 7, without I/O: frames in, events out, and what a client sends.

A frame is a JSON object with an event's name, mostly the name of the Pusher channel it was published
on, and a payload that is nearly always a JSON document inside a string, sometimes an object, and
sometimes neither. Nothing here raises for what a server sent, and nothing recurses deeper than the
JSON decoders allow. Source: https://pusher.com/docs/channels/library_auth_reference/pusher-websockets-protocol/
"""

from __future__ import annotations

import re
import reprlib
from codecs import BOM_UTF8
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from chatlog.printable import printable
from chatlog.record import from_json_closely
from chatlog.rooms.closing import Closing

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


@dataclass(slots=True)
class Event:
    """One frame, understood.

    ``name`` is the event's as sent, ``channel`` the Pusher channel (``""`` where the frame names
    none), ``data`` the decoded payload. ``decoded`` is False when the payload was a string that is not
    JSON: then ``data`` is that string. ``clean`` is False when the frame was not UTF-8: then its
    strings have replacement characters. ``more`` holds what else the frame had, None for nothing. ``whole``
    is False when its JSON said more than all this: a key came twice, or a number has more digits than come
    back.
    """

    name: str
    channel: str
    data: Any
    decoded: bool = True
    clean: bool = True
    more: dict[str, Any] | None = None
    whole: bool = True


def parse(frame: bytes) -> Event | None:
    """The event in one whole text frame; None for anything that is not a Pusher frame. Never raises."""
    if len(frame) > MAX_FRAME:
        return None
    if frame.startswith(BOM_UTF8):
        frame = frame[len(BOM_UTF8) :]
    clean = whole = True
    try:
        outer = orjson.loads(frame)
    except ValueError:
        outer = None
    if outer is None or not _comes_back(outer, frame):
        try:
            outer, more_said = from_json_closely(frame)
        except UnicodeDecodeError:
            clean = False
            try:
                outer, more_said = from_json_closely(frame.decode("utf-8", "replace"))
            except ValueError:
                return None
        except ValueError:
            # Deeper than can be looked at closely, or no JSON.
            more_said = True
        whole = not more_said
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
        data, decoded, more_said = _payload(data)
        if more_said:
            whole = False
    if len(outer) > 3 or (len(outer) == 3 and ("data" not in outer or "channel" not in outer)):
        rest = {key: value for key, value in outer.items() if key not in ("event", "channel", "data")}
        more = rest | (more or {})
    return Event(name, channel, data, decoded, clean, more, whole)


def _payload(text: str) -> tuple[Any, bool, bool]:
    """What is in a payload, whether that is JSON (else it is the text itself), and whether the text says
    more than that."""
    try:
        value = orjson.loads(text)
        if _comes_back(value, text.encode()):
            return value, True, False
        known = True
    except ValueError:
        value, known = text, False
    try:
        value, more_said = from_json_closely(text)
        return value, True, more_said
    except ValueError:
        # Deeper than can be looked at closely, or no JSON.
        return value, known, known


def _comes_back(value: Any, sent: bytes) -> bool:
    """Whether ``value`` is written again as it was sent, with slashes escaped or not. Then nothing was
    lost in reading it, neither a key that came twice nor digits of a number. It is how nearly all are sent;
    and it takes less time than any search for what might be lost."""
    try:
        written = orjson.dumps(value)
    except TypeError:
        # Nested deeper than it writes.
        return False
    return written == sent or written.replace(b"/", b"\\/") == sent


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
