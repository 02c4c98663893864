"""The schema of a line in the archive: which keys a record has, in which order, and its bytes.

Everything that writes a record goes through this module; nobody else invents keys. It imports no
Twisted, so that it can be tested, fuzzed and timed by itself. docs/records.md is its page for users.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

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


@lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.")


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
    try:
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        # Lone surrogates and integers beyond 64 bits: valid JSON, but too much for orjson.
        return json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"


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
    try:
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        return json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"


def missing_since(line: bytes) -> float | None:
    """Since when something is missing, in seconds since the epoch, if the line is a ``gap`` record."""
    if b'"type":"gap"' not in line:
        return None
    try:
        # It takes lone surrogates, which a server's words in a reason may hold.
        record = json.loads(line)
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
