"""Reads single values from a record's line without parsing it.

The keys of a record always have the same order (see ``chatlog.record``), and a quotation mark inside a text
is always escaped. So a key with its quotation marks is only found where it is a key. A line of another form
is parsed.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from chatlog.record import KEYS, from_json, rfc3339

#: The last time, in the year 9999, in seconds since the epoch.
LAST = 253402300799.0

_HEAD = b'{"timestamp":"'
_START, _END = len(_HEAD), len(_HEAD) + len("2025-12-29T10:30:45.123Z")
_CLOCK = re.compile(rb'\{"timestamp":"(.{10})T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z",')
_MESSAGE, _TYPE = b'"message":"', b'","type":"'
_RECEIVED = b'"received":"'
_TEXTS = tuple(key for key in KEYS if key != "details")
_NONE: dict[str, Any] = {}
_IDENTITY = re.compile(rb'"type":"([a-z]+)","id":"([^"\\]*)","platform":"')


def timestamp(line: bytes) -> bytes:
    """The record's time as in the line; ``b""`` if there is none. Times compare as bytes, and
    ``seconds`` takes them."""
    match = _CLOCK.match(line)
    if match is not None and _is_day(match[1]):
        return line[_START:_END]
    try:
        time = str(from_json(line)["timestamp"])
        seconds(time)
        return time.encode("ascii")
    except (ValueError, KeyError, TypeError, OverflowError):
        return b""


@lru_cache(1024)
def _is_day(text: bytes) -> bool:
    try:
        return date.fromisoformat(text.decode("ascii")).isoformat().encode() == text
    except ValueError:
        return False


def received(line: bytes) -> bytes:
    """When the record arrived; the record's own time if that is not known."""
    at = line.find(_RECEIVED)
    if at < 0:
        return timestamp(line)
    at += len(_RECEIVED)
    return line[at : at + _END - _START]


def identity(line: bytes) -> tuple[bytes, bytes]:
    """The record's type and the platform's id of it; both ``b""`` if it has none."""
    match = _IDENTITY.search(line)
    return (match[1], match[2]) if match else (b"", b"")


def plain_message(line: bytes) -> bytes | None:
    """The message's text in UTF-8, if it can be cut out; None if the record has to be parsed."""
    start = line.find(_MESSAGE) + len(_MESSAGE)
    end = line.find(_TYPE, start)
    if start < len(_MESSAGE) or end < 0 or line.find(b"\\", start, end) >= 0:
        return None
    return line[start:end]


def without_arrival(line: bytes) -> bytes:
    """The line without the time of arrival, which differs between two recorders."""
    at = line.find(_RECEIVED)
    return line if at < 0 else line[:at] + line[at + len(_RECEIVED) + _END - _START :]


def without_times(line: bytes) -> bytes:
    """The line without its own time and that of its arrival."""
    return without_arrival(line)[_END:]


def time_bytes(seconds: float) -> bytes:
    """``seconds`` since the epoch in the form of the lines; times out of range become the first or the last
    one."""
    milliseconds = round(max(-62135596800.0, min(seconds, LAST)) * 1000)
    return rfc3339(milliseconds).encode("ascii")


def seconds(time: bytes | str) -> float:
    """The seconds since the epoch of a time in a line. Raises ValueError."""
    text = time.decode("ascii", "replace") if isinstance(time, bytes) else time
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def record_of(line: bytes) -> dict[str, Any] | None:
    """The record in a line; None if there is none. Texts that are no strings, and details that are no object,
    are left out: only other programs write such."""
    try:
        record = from_json(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    for key in _TEXTS:
        if type(record.get(key, "")) is not str:
            del record[key]
    if type(record.get("details", _NONE)) is not dict:
        record["details"] = {}
    return record
