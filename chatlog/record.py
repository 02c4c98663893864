"""The schema of a record: its keys, their order, and its encoding as a line.

All code that writes records uses this module; no other module adds keys. It imports no Twisted, so that it
can be tested, fuzzed and timed by itself. It is longer because everything that knows the schema is here.
docs/records.md describes the schema for users.
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

#: The keys of a record in their order, in full detail. Basic detail has the first five.
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
#: All types of records.
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
#: The types that consumers of the original format with five keys expect.
CHAT_TYPES = frozenset({"message", "action"})

#: The room for records that belong to no recorded room of the platform.
SERVER_CHANNEL = "_server"

#: Encodes (timestamp, channel, username, user_id, message, type, id, platform, channel_id, received, details)
#: as one line; ``b""`` if the chosen detail does not record this type.
Encode = Callable[
    [str, str, str, str, str, str, str, str, str, str, Mapping[str, Any]],
    bytes,
]


#: The most levels of nesting that are read, about as many as orjson reads.
DEEPEST = 1000


class TooDeep(ValueError):
    """The JSON is nested too deeply."""


def to_line(value: object) -> bytes:
    """``value`` as one line of JSON with its newline, which every reader of UTF-8 takes: half of a surrogate
    pair becomes U+FFFD. Integers of more than 64 bits are written too.

    Raises TypeError, ValueError or RecursionError for a value that JSON cannot represent.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        return without_halves(text).encode("utf-8") + b"\n"


def to_line_exactly(value: object) -> bytes:
    """Like ``to_line``, but halves of surrogate pairs are kept, as escapes. Only for files that Chatlog alone
    reads: many readers of JSON refuse a whole file for one of them."""
    try:
        return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"


def without_halves(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair; two halves that belong together become their
    character."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def has_half(value: object) -> bool:
    """Whether a text anywhere in the value, which JSON can represent, has half of a surrogate pair."""
    text = json.dumps(value, ensure_ascii=False)
    return not text.isascii() and _HALF.search(text) is not None


def from_json(data: bytes | str) -> Any:
    """The value of the JSON in ``data``, which may contain lone surrogates. Integers of more than 64 bits may
    lose digits; ``from_json_exactly`` keeps them.

    Raises ValueError if ``data`` is not JSON; UnicodeDecodeError, a ValueError too, if it is not UTF-8.
    """
    try:
        return orjson.loads(data)
    except ValueError:
        return from_json_exactly(data)


def from_json_exactly(data: bytes | str) -> Any:
    """Like ``from_json``, with integers of any length, at a tenth of the speed."""
    return _decoded(data, _DECODER)


def from_json_loosely(data: bytes | str) -> Any:
    """Like ``from_json``; JSON that it refuses is read like ``from_json_closely`` does."""
    try:
        return orjson.loads(data)
    except ValueError:
        return from_json_closely(data)[0]


def from_json_closely(data: bytes | str) -> tuple[Any, bool]:
    """Like ``from_json_exactly``, with a flag: True if writing the value again would lose something. That is
    so if an object has a key twice, or if a number has digits or a form that are not written again.

    Invalid parts do not spoil the rest. A number that cannot be written again (``1e400``, ``Infinity``,
    ``NaN``, thousands of digits) becomes None, and a control character in a string stays as it is. The flag
    is True then.
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
    """Checked here because the standard library's limit depends on its version, and other readers may have
    lower limits."""
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


#: A string, or the beginning of one that never ends. It matches in linear time.
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_HALF = re.compile("[\ud800-\udfff]")
_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)


@lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    # strftime would write the year 999 with three digits.
    return f"{datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()}."


#: Milliseconds of 0001-01-01 and 9999-12-31, the years that RFC 3339 can write.
_FIRST_MS, _LAST_MS = -62135596800000, 253402300799999


def rfc3339(milliseconds: int) -> str:
    """``milliseconds`` since the epoch as ``2025-12-29T10:30:45.123Z``.

    Raises ValueError for a year with more than four digits, or before year 1.
    """
    if not _FIRST_MS <= milliseconds <= _LAST_MS:
        raise ValueError(f"not a time of the years 1 to 9999: {milliseconds} ms")
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second(seconds)}{rest:03d}Z"


def believed(timestamp: str, received: str, first: str) -> bool:
    """Whether a platform's ``timestamp`` can be the time of an event that was ``received`` then: not before
    ``first``, the start of the platform, and not more than a year ahead. (If our own clock shows a time
    before this program was written, it is wrong and decides nothing.)"""
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
    """The whole record as one line with its newline. Everything in ``details`` is kept. A record with half of
    a surrogate pair gets U+FFFD in its place; the whole record with the half is in ``raw_base64`` of the
    details, unless that is given."""
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
    try:
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        if "raw_base64" not in details and has_half(record):
            exact = to_line_exactly(record).rstrip(b"\n")
            record["details"] = {**details, "raw_base64": base64.b64encode(exact).decode("ascii")}
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
    """The original five keys of a chat message as one line; ``b""`` for every other type."""
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
    """When the gap of a ``gap`` record began, in seconds since the epoch; None for any other line."""
    if b'"type":"gap"' not in line:
        return None
    try:
        # A server's words in a reason may contain a lone surrogate.
        record = from_json(line)
        if record["type"] == "gap":
            return datetime.fromisoformat(record["details"]["from"]).timestamp()
    except (ValueError, KeyError, TypeError, RecursionError):
        # A server's text that only looks like a gap record.
        pass
    return None


def raw_details(raw: bytes) -> dict[str, str]:
    """Bytes from a server as text in ``raw`` and, if they are not UTF-8, exactly in ``raw_base64``."""
    try:
        return {"raw": raw.decode("utf-8")}
    except UnicodeDecodeError:
        return {
            "raw": raw.decode("utf-8", "replace"),
            "raw_base64": base64.b64encode(raw).decode("ascii"),
        }
