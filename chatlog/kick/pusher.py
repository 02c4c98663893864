"""The Pusher Channels protocol, version 7: parses frames into events, and makes a client's frames. Sans-IO.

A frame is a JSON object with the name of an event, usually the name of its Pusher channel, and a payload. The
payload is nearly always a JSON document inside a string, sometimes an object, and sometimes neither. No frame
of a server makes these functions raise, and they recurse no deeper than the JSON decoders allow. Source:
https://pusher.com/docs/channels/library_auth_reference/pusher-websockets-protocol/
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

#: Longer frames (bytes) are not parsed. Pusher's own limit is 10 KB.
MAX_FRAME = 1 << 20

#: The keepalive frames of both sides.
PING = b'{"event":"pusher:ping","data":{}}'
PONG = b'{"event":"pusher:pong","data":{}}'

ESTABLISHED = "pusher:connection_established"
ERROR = "pusher:error"
SUBSCRIBED = "pusher_internal:subscription_succeeded"
REFUSED = frozenset({"pusher_internal:subscription_error", "pusher:subscription_error"})

#: The prefixes of the protocol's own events; all other events were published by Kick.
OWN_PREFIXES = ("pusher:", "pusher_internal:")

#: Seconds of silence after which the server expects a ping, if its welcome does not contain them.
ACTIVITY_TIMEOUT = 120.0

_EXISTING = re.compile(r"Existing subscription to channel ([^\s]{1,200})\Z")


@dataclass(slots=True)
class Event:
    """One parsed frame.

    ``name`` is the event's name as sent, ``channel`` the Pusher channel (``""`` if the frame names none),
    ``data`` the decoded payload. ``decoded`` is False if the payload was a string that is not JSON; ``data``
    is then that string. ``clean`` is False if the frame was not UTF-8; its strings then have replacement
    characters. ``more`` has the other members of the frame, None if there are none. ``whole`` is False if the
    JSON contained more than this: a repeated key, or a number whose digits cannot be written again.
    """

    name: str
    channel: str
    data: Any
    decoded: bool = True
    clean: bool = True
    more: dict[str, Any] | None = None
    whole: bool = True


def parse(frame: bytes) -> Event | None:
    """The event in one whole text frame; None if it is not a Pusher frame. Never raises."""
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
            # Too deep for the exact decoder, or not JSON.
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
    """The value of a payload, whether it is JSON (else the value is the text itself), and whether the text
    contains more than the value."""
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
        # Too deep for the exact decoder, or not JSON.
        return value, known, known


def _comes_back(value: Any, sent: bytes) -> bool:
    """Whether writing ``value`` gives the sent bytes again, with slashes escaped or not. Then reading it lost
    nothing, neither a repeated key nor digits of a number. Nearly all frames pass this check, and it is
    faster than any search for possible losses."""
    try:
        written = orjson.dumps(value)
    except TypeError:
        # Nested too deeply for orjson to write.
        return False
    return written == sent or written.replace(b"/", b"\\/") == sent


def subscribe(channel: str) -> bytes:
    """The frame that subscribes to a public channel."""
    return orjson.dumps({"event": "pusher:subscribe", "data": {"auth": "", "channel": channel}})


def unsubscribe(channel: str) -> bytes:
    """The frame that ends a subscription. The server does not answer it."""
    return orjson.dumps({"event": "pusher:unsubscribe", "data": {"channel": channel}})


def activity_timeout(event: Event) -> float:
    """Seconds of silence after which the server expects a ping, from its welcome."""
    value: Any = event.data.get("activity_timeout") if type(event.data) is dict else None
    if type(value) in (int, float) and 1 <= value <= 86400:
        return float(value)
    return ACTIVITY_TIMEOUT


def error(event: Event) -> tuple[int | None, str]:
    """The code and the text of a ``pusher:error``. An error without a code concerns one request only."""
    data = event.data if type(event.data) is dict else {}
    code = data.get("code")
    message = data.get("message")
    text = readable(message if type(message) is str else event.data)
    return (code if type(code) is int else None), text


def already_subscribed(message: str) -> str:
    """The channel of an error that says that it is subscribed already; ``""`` for any other text."""
    match = _EXISTING.match(message)
    return match[1] if match else ""


def refusal(event: Event) -> str:
    """Why a subscription was refused, in the server's words."""
    data = event.data if type(event.data) is dict else {}
    parts = [readable(data[key]) for key in ("type", "error", "status") if data.get(key) is not None]
    return " ".join(parts) or readable(event.data)


def readable(value: object) -> str:
    """``value`` as a short text that is safe for one line of a log."""
    text = value if isinstance(value, str) else "" if value is None else reprlib.repr(value)
    return printable(text, 200)


#: The name of an event of Kick, or its time, in the JSON inside the frame's JSON. Inside a chat text they
#: would have more backslashes.
_CREATED = re.compile(rb'"event":"([^"]*)"|created_at\\":\\"([0-9T:.+Z-]{19,35})\\"')


def latest_time(data: bytes) -> float | None:
    """The time of the last chat message in ``data``, in seconds since the epoch. Other events have older
    times, for example that of the pinned message."""
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
    """How soon to reconnect after a close code, or after the code of a ``pusher:error``; ``code`` is None if
    there was none."""
    if code is None or code < 4000:
        return Closing.BACK_OFF
    if code <= 4099:
        return Closing.REFUSED
    if 4200 <= code <= 4299:
        return Closing.AT_ONCE
    # 4100 to 4199. Codes above 4299 are not documented; a delay is never wrong.
    return Closing.LATER
