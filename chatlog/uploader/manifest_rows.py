"""The rows of a manifest: the objects that an instance stored in an hour, and the seconds of each room.

    {"kind": "manifest", "from", "to", "version", "instance"[, "new_spool"]}     the first row
    {"kind": "object", "key", "bytes", "sha256", "lines", "first", "last"}       one for every object
    {"kind": "room", "platform", "channel", "recorded", "missing", "reason"}     one for every room

This module imports no Twisted. docs/records.md describes the rows for users.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, NamedTuple

from chatlog.naming import ManifestName, utc_minute
from chatlog.record import from_json, rfc3339, to_line

#: Bytes of a row that are read; the rest of a longer line is skipped.
LONGEST_ROW = 1 << 16
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z\Z", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


class HeadRow(NamedTuple):
    """The period of a manifest in seconds since the epoch, and the writer. ``new_spool``: this is the first
    manifest of a spool; the last hour of an earlier spool of the instance may be in no manifest."""

    since: float
    until: float
    version: str
    instance: str
    new_spool: bool = False


class ObjectRow(NamedTuple):
    """A verified object. ``bytes`` and ``sha256`` are of the object as stored; ``first`` and ``last`` are the
    timestamps of its first and last record."""

    key: str
    bytes: int
    sha256: str
    lines: int
    first: str
    last: str


class RoomRow(NamedTuple):
    """The seconds in which a room was recorded and in which it was not. ``reason`` says why it was not
    recorded at the end of the period, ``""`` if it was."""

    platform: str
    channel: str
    recorded: float
    missing: float
    reason: str


Row = HeadRow | ObjectRow | RoomRow


def fields(row: Row) -> dict[str, Any]:
    """What the row's line holds."""
    if isinstance(row, HeadRow):
        return {
            "kind": "manifest",
            "from": rfc3339(round(row.since * 1000)),
            "to": rfc3339(round(row.until * 1000)),
            "version": row.version,
            "instance": row.instance,
            **({"new_spool": True} if row.new_spool else {}),
        }
    if isinstance(row, ObjectRow):
        return {"kind": "object", **row._asdict()}
    seconds = {"recorded": round(row.recorded, 3), "missing": round(row.missing, 3)}
    return {"kind": "room", **row._asdict(), **seconds}


def encoded(row: Row) -> bytes:
    """The row as one line, newline included."""
    return to_line(fields(row))


def parsed(line: bytes) -> Row | None:
    """The row in a line; None for a row of another kind. Raises ValueError for what is none."""
    return row_of(from_json(line))


def row_of(fields: Any) -> Row | None:
    """The row that holds these fields; None for a row of another kind. Raises ValueError for what is none."""
    if not isinstance(fields, dict):
        raise ValueError("not an object")
    try:
        return _row(fields)
    except (KeyError, TypeError) as error:
        raise ValueError(f"a row without a proper {error}") from None


def _row(row: dict[str, Any]) -> Row | None:
    kind = row["kind"]
    if kind == "manifest":
        since, until = seconds_of(_text(row, "from")), seconds_of(_text(row, "to"))
        new = row.get("new_spool") is True
        return HeadRow(since, until, _text(row, "version"), _text(row, "instance"), new)
    if kind == "object":
        digest = _text(row, "sha256")
        if not _SHA256.match(digest):
            raise TypeError("sha256")
        return ObjectRow(
            _text(row, "key"),
            _count(row, "bytes"),
            digest,
            _count(row, "lines"),
            _text(row, "first"),
            _text(row, "last"),
        )
    if kind == "room":
        return RoomRow(
            _text(row, "platform"),
            _text(row, "channel"),
            _seconds(row, "recorded"),
            _seconds(row, "missing"),
            _text(row, "reason"),
        )
    return None


def _text(row: dict[str, Any], key: str) -> str:
    value = row[key]
    if not isinstance(value, str):
        raise TypeError(key)
    return value


def _count(row: dict[str, Any], key: str) -> int:
    value = row[key]
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise TypeError(key)
    return value


def _seconds(row: dict[str, Any], key: str) -> float:
    value = row[key]
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < 1e12:
        raise TypeError(key)
    return float(value)


def seconds_of(timestamp: str) -> float:
    """Seconds since the epoch of a timestamp as in records. Raises ValueError."""
    if not _TIMESTAMP.match(timestamp):
        raise ValueError("not a timestamp")
    whole, _, fraction = timestamp[:-1].partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")


def name_of(head: HeadRow) -> ManifestName:
    """The name of a manifest: that of the hour in which its period begins."""
    instance = "" if head.instance == "main" else head.instance
    return ManifestName(utc_minute(head.since // 3600 * 3600), instance)
