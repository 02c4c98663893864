"""The schema of a line in the archive: which keys a record has, in which order, and its bytes.

Everything that writes a record goes through this module; nobody else invents keys. It imports no
Twisted, so that it can be tested, fuzzed and timed by itself. docs/records.md is its page for users.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NoReturn

import orjson

#: The keys of a record, in their order: in full detail, and in basic detail.
KEYS = (
    "timestamp",
    "channel",
    "username",
    "user_id",
    "message",
    "type",
    "id",
    "platform",
    "channel_id",
    "received",
    "details",
)
BASIC_KEYS = KEYS[:5]
#: Every kind of record.
TYPES = frozenset(
    {
        "message",
        "action",
        "delete",
        "timeout",
        "ban",
        "unban",
        "clear",
        "subscription",
        "gift",
        "raid",
        "announcement",
        "reward",
        "pin",
        "poll",
        "room",
        "notice",
        "event",
        "unparsed",
        "gap",
    }
)
#: The kinds of record that a consumer of the original, five-key format expects.
CHAT_TYPES = frozenset({"message", "action"})

#: The room that takes what belongs to no recorded room of a platform.
SERVER_CHANNEL = "_server"

#: (timestamp, channel, username, user_id, message, type, id, platform, channel_id, received, details)
#: to one encoded line; ``b""`` where the chosen detail does not record this kind.
Encode = Callable[
    [str, str, str, str, str, str, str, str, str, str, Mapping[str, Any]],
    bytes,
]


#: Levels of nesting that are taken, about as many as orjson takes.
DEEPEST = 1000


class TooDeep(ValueError):
    """JSON with more levels than are taken."""


def to_line(value: object) -> bytes:
    """``value`` as one line of JSON, its end included. Halves of surrogate pairs and integers beyond 64
    bits, which JSON may hold, are written too.

    Raises TypeError, ValueError or RecursionError for what JSON cannot hold.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"


def from_json(data: bytes | str) -> Any:
    """What the JSON in ``data`` means, halves of surrogate pairs included. Of integers beyond 64 bits
    digits may be lost; ``from_json_exactly`` keeps them.

    Raises ValueError for what is no JSON, UnicodeDecodeError (which is one) for what is not UTF-8.
    """
    try:
        return orjson.loads(data)
    except ValueError:
        return from_json_exactly(data)


def from_json_exactly(data: bytes | str) -> Any:
    """The same with integers of any length, at a tenth of the speed."""
    return _decoded(data, _DECODER)


def from_json_loosely(data: bytes | str) -> Any:
    """What ``from_json`` gives; of JSON that it refuses, what ``from_json_closely`` does."""
    try:
        return orjson.loads(data)
    except ValueError:
        return from_json_closely(data)[0]


def from_json_closely(data: bytes | str) -> tuple[Any, bool]:
    """What ``from_json_exactly`` gives, and whether the JSON says more than that: a key came twice in one
    object, or a number has digits or a form that do not come back when it is written again.

    What JSON has no room for does not spoil the rest: a number beyond all that can be written again
    (``1e400``, ``Infinity``, ``NaN``, thousands of digits) is None, and a control character in a string is
    taken as it is; both are more than comes back.
    """
    more: list[bool] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(found)
        if len(members) != len(found):
            more.append(True)
        return members

    def real(text: str) -> float | None:
        value = float(text)
        if not math.isfinite(value):
            more.append(True)
            return None
        if text.encode() != orjson.dumps(value) and text != repr(value):
            more.append(True)
        return value

    def integer(text: str) -> int | None:
        if text == "-0":
            more.append(True)
        try:
            return int(text)
        except ValueError:
            # More digits than Python reads.
            more.append(True)
            return None

    def constant(name: str) -> None:
        more.append(True)

    hooks: Mapping[str, Any] = {
        "object_pairs_hook": pairs,
        "parse_float": real,
        "parse_int": integer,
        "parse_constant": constant,
    }
    try:
        return _decoded(data, json.JSONDecoder(**hooks)), bool(more)
    except json.JSONDecodeError:
        pass
    return _decoded(data, json.JSONDecoder(**hooks, strict=False)), True


def _decoded(data: bytes | str, decoder: json.JSONDecoder) -> Any:
    text = data.decode("utf-8") if isinstance(data, bytes) else data
    if _is_too_deep(text):
        raise TooDeep("nested too deeply")
    try:
        return decoder.decode(text)
    except RecursionError:
        raise TooDeep("nested too deeply") from None


def _is_too_deep(text: str) -> bool:
    """How deep the standard library goes depends on its version; readers of records may go less deep."""
    if text.count("[") + text.count("{") <= DEEPEST:
        return False
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > DEEPEST:
            return True
    return False


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number too large to be written again")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


#: A string, or what begins one and never ends it. Nothing in it is looked at twice.
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)


@lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    # Not strftime, which writes the year 999 with three digits.
    return f"{datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()}."


#: Milliseconds of 0001-01-01 and 9999-12-31, the years that RFC 3339 can write.
_FIRST_MS, _LAST_MS = -62135596800000, 253402300799999


def rfc3339(milliseconds: int) -> str:
    """``milliseconds`` since the epoch as ``2025-12-29T10:30:45.123Z``.

    Raises ValueError for a year that four digits cannot hold.
    """
    if not _FIRST_MS <= milliseconds <= _LAST_MS:
        raise ValueError(f"not a time of the years 1 to 9999: {milliseconds} ms")
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second(seconds)}{rest:03d}Z"


def believed(timestamp: str, received: str, first: str) -> bool:
    """Whether a platform's ``timestamp`` can be the time of an event that was ``received`` then: not before
    ``first``, when there was no such platform, and not more than a year ahead. (A machine whose own clock
    says a year before this program was written has lost it, and nothing can be said.)"""
    if timestamp < first:
        return False
    if received < _WRITTEN:
        return timestamp < _FAR
    return timestamp <= f"{int(received[:4]) + 1:04d}{received[4:]}"


_WRITTEN, _FAR = "2025", "2100"


def encode_full(
    timestamp: str,
    channel: str,
    username: str,
    user_id: str,
    message: str,
    type: str,
    id: str,
    platform: str,
    channel_id: str,
    received: str,
    details: Mapping[str, Any],
) -> bytes:
    """The whole record as one line, newline included; loses nothing that ``details`` holds."""
    record = {
        "timestamp": timestamp,
        "channel": channel,
        "username": username,
        "user_id": user_id,
        "message": message,
        "type": type,
        "id": id,
        "platform": platform,
        "channel_id": channel_id,
        "received": received,
        "details": details,
    }
    return to_line(record)


def encode_basic(
    timestamp: str,
    channel: str,
    username: str,
    user_id: str,
    message: str,
    type: str,
    id: str,
    platform: str,
    channel_id: str,
    received: str,
    details: Mapping[str, Any],
) -> bytes:
    """The original five keys of a chat message as one line; ``b""`` for every other kind."""
    if type not in CHAT_TYPES:
        return b""
    record = {
        "timestamp": timestamp,
        "channel": channel,
        "username": username,
        "user_id": user_id,
        "message": message,
    }
    return to_line(record)


def missing_since(line: bytes) -> float | None:
    """Since when something is missing, in seconds since the epoch, if the line is a ``gap`` record."""
    if b'"type":"gap"' not in line:
        return None
    try:
        # A server's words in a reason may hold half of a surrogate pair.
        record = from_json(line)
        if record["type"] == "gap":
            return datetime.fromisoformat(record["details"]["from"]).timestamp()
    except (ValueError, KeyError, TypeError, RecursionError):
        # Something of a server's that only looks like one.
        pass
    return None


def raw_details(raw: bytes) -> dict[str, str]:
    """``raw`` bytes from a server, readable in ``raw`` and, where they are not UTF-8, whole in
    ``raw_base64``."""
    try:
        return {"raw": raw.decode("utf-8")}
    except UnicodeDecodeError:
        return {
            "raw": raw.decode("utf-8", "replace"),
            "raw_base64": base64.b64encode(raw).decode("ascii"),
        }
