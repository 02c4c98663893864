"""The rows of a manifest: the objects that an instance stored in an hour, and the seconds of each room.

    {"kind": "manifest", "from", "to", "version", "instance", "format", "previous"[, "new_spool"][, "cluster"]
                         [, "closed"]}                                       the first
    {"kind": "object", "key", "bytes", "sha256", "lines", "first", "last"}       one for every object
    {"kind": "room", "platform", "channel", "recorded", "missing", "reason"[, "suppressed"]
                     [, "spans"][, "gaps"]}                                      of every room
    {"kind": "request", "request", "at"}                                         somebody is to be erased
    {"kind": "replaced", "key", "sha256", "lines", "by", "bytes", "sha256_new", "lines_new", "removed",
                         "redacted", "request", "at"}                            an object, by another
    {"kind": "done", "request", "at"}                                            nothing of them is left
    {"kind": "bundled", "key", "in", "offset", "bytes", "sha256"}                an object, as part of another
    {"kind": "expired", "key", "sha256", "lines", "keep", "at"}                  an object is not kept longer
    {"kind": "signature", "signer", "signature"}                                 the last, if it is signed

This module imports no Twisted. docs/records.md describes the rows for users.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from chatlog.naming import ManifestName, utc_minute
from chatlog.record import from_json, rfc3339, to_line

#: The form in which manifests are written.
FORMAT = 2
#: A recorder that has written no manifest for so many seconds is lost, or does not record any more: a
#: manifest is due every hour, and takes time to be stored.
LOST = 2.5 * 3600.0
#: Bytes of a row that are read; the rest of a longer line is skipped.
LONGEST_ROW = 1 << 16
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z\Z", re.ASCII)
#: From when to when, in seconds since the beginning of the period.
Span = tuple[float, float]
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


class HeadRow(NamedTuple):
    """The period of a manifest in seconds since the epoch, and the writer. ``new_spool``: this is the first
    manifest of a spool; the last hour of an earlier spool of the instance may be in no manifest. ``previous``
    is the digest of the rows of the instance's manifest before this one, ``""`` where this one begins a
    chain. ``format`` 1 has no chains. ``cluster``: the name of the recorders among which the rooms are
    shared, ``""`` without a cluster. ``closed``: the writer has handed all rooms over, and no manifest need
    follow."""

    since: float
    until: float
    version: str
    instance: str
    new_spool: bool = False
    previous: str = ""
    format: int = FORMAT
    cluster: str = ""
    closed: bool = False


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
    recorded at the end of the period, ``""`` if it was. ``suppressed``: how many records were left out in it
    because somebody opted out; the key is only present if it is not 0. ``spans``: when the room was recorded,
    in seconds since the beginning of the period; None if that was always, or if the manifest leaves it out.
    ``gaps``: when it was missing; only with ``spans``."""

    platform: str
    channel: str
    recorded: float
    missing: float
    reason: str
    suppressed: int = 0
    spans: tuple[Span, ...] | None = None
    gaps: tuple[Span, ...] = ()


class RequestRow(NamedTuple):
    """Somebody asked to be erased. The row precedes those of the objects that are replaced for the
    request."""

    request: str
    at: str


class ReplacedRow(NamedTuple):
    """The object ``key`` was rewritten for a request, and is gone. ``by`` is the object with the rest: all
    but the ``removed`` lines, some ``redacted``; ``""`` if nothing is left."""

    key: str
    sha256: str
    lines: int
    by: str
    bytes: int
    sha256_new: str
    lines_new: int
    removed: int
    redacted: int
    request: str
    at: str


class DoneRow(NamedTuple):
    """An erasure is done: a second scan found nothing that is left."""

    request: str
    at: str


class BundledRow(NamedTuple):
    """The object ``key`` is, byte for byte, the ``bytes`` behind ``offset`` of the object ``bundle``."""

    key: str
    bundle: str
    offset: int
    bytes: int
    sha256: str


class ExpiredRow(NamedTuple):
    """The object ``key`` is gone: it was older than ``keep``, such as ``90d``."""

    key: str
    sha256: str
    lines: int
    keep: str
    at: str


class SignatureRow(NamedTuple):
    """Who signed the rows before this one: the public key, and the signature of their digest."""

    signer: str
    signature: str


Row = (
    HeadRow
    | ObjectRow
    | RoomRow
    | RequestRow
    | ReplacedRow
    | DoneRow
    | BundledRow
    | ExpiredRow
    | SignatureRow
)


def fields(row: Row) -> dict[str, Any]:
    """The fields of the row's line."""
    if isinstance(row, HeadRow):
        return {
            "kind": "manifest",
            "from": rfc3339(round(row.since * 1000)),
            "to": rfc3339(round(row.until * 1000)),
            "version": row.version,
            "instance": row.instance,
            **({"format": row.format, "previous": row.previous} if row.format > 1 else {}),
            **({"new_spool": True} if row.new_spool else {}),
            **({"cluster": row.cluster} if row.cluster else {}),
            **({"closed": True} if row.closed else {}),
        }
    kind = next(kind for kind, (form, _) in _FORMS.items() if isinstance(row, form))
    found = {_KEYS.get(key, key): value for key, value in row._asdict().items()}
    if isinstance(row, RoomRow):
        found |= {"recorded": round(row.recorded, 3), "missing": round(row.missing, 3)}
        if not row.suppressed:
            del found["suppressed"]
        for name, spans in (("spans", row.spans), ("gaps", row.gaps or None)):
            if spans is None:
                del found[name]
            else:
                found[name] = [[round(start, 3), round(end, 3)] for start, end in spans]
    return {"kind": kind, **found}


def encoded(row: Row) -> bytes:
    """The row as one line, newline included."""
    return to_line(fields(row))


def parsed(line: bytes) -> Row | None:
    """The row in a line; None for a row of another kind. Raises ValueError if the line is no row."""
    return row_of(from_json(line))


def row_of(fields: Any) -> Row | None:
    """The row that holds these fields; None for a row of another kind. Raises ValueError for fields of no
    row."""
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
        form = _count(row, "format") if "format" in row else 1
        previous = _digest_or_none(row, "previous") if form > 1 else ""
        new = row.get("new_spool") is True
        cluster = _text(row, "cluster") if "cluster" in row else ""
        head = HeadRow(since, until, _text(row, "version"), _text(row, "instance"), new, previous, form)
        return head._replace(cluster=cluster, closed=row.get("closed") is True)
    if kind not in _FORMS:
        return None
    form_of, readers = _FORMS[kind]
    found = form_of(*(read(row, _KEYS.get(key, key)) for key, read in readers.items()))
    if isinstance(found, RoomRow) and "suppressed" in row:
        found = found._replace(suppressed=_count(row, "suppressed"))
    if isinstance(found, RoomRow) and "spans" in row:
        found = found._replace(spans=_spans(row, "spans"))
    if isinstance(found, RoomRow) and "gaps" in row:
        found = found._replace(gaps=_spans(row, "gaps"))
    if isinstance(found, ReplacedRow) and found.lines_new + found.removed != found.lines:
        raise TypeError("lines_new, removed and lines, which do not add up")
    return found  # type: ignore[no-any-return]


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


def _spans(row: dict[str, Any], key: str) -> tuple[Span, ...]:
    if not isinstance(row[key], list):
        raise TypeError(key)
    found: list[Span] = []
    for pair in row[key]:
        if not isinstance(pair, list) or len(pair) != 2:
            raise TypeError(key)
        start, end = (_seconds({key: each}, key) for each in pair)
        if end < start:
            raise TypeError(key)
        found.append((start, end))
    return tuple(found)


def _digest(row: dict[str, Any], key: str) -> str:
    value = _text(row, key)
    if not _SHA256.match(value):
        raise TypeError(key)
    return value


def _digest_or_none(row: dict[str, Any], key: str) -> str:
    return _digest(row, key) if row[key] else _text(row, key)


#: The keys that have another name in a class.
_KEYS = {"bundle": "in"}
#: Every kind but the head: its class, and the function that reads each of its keys, in the order of the
#: class.
_FORMS: dict[str, tuple[Any, dict[str, Callable[[dict[str, Any], str], Any]]]] = {
    "object": (
        ObjectRow,
        {"key": _text, "bytes": _count, "sha256": _digest, "lines": _count, "first": _text, "last": _text},
    ),
    "room": (
        RoomRow,
        {"platform": _text, "channel": _text, "recorded": _seconds, "missing": _seconds, "reason": _text},
    ),
    "request": (RequestRow, {"request": _text, "at": _text}),
    "done": (DoneRow, {"request": _text, "at": _text}),
    "replaced": (
        ReplacedRow,
        {
            "key": _text,
            "sha256": _digest,
            "lines": _count,
            "by": _text,
            "bytes": _count,
            "sha256_new": _digest_or_none,
            "lines_new": _count,
            "removed": _count,
            "redacted": _count,
            "request": _text,
            "at": _text,
        },
    ),
    "bundled": (
        BundledRow,
        {"key": _text, "bundle": _text, "offset": _count, "bytes": _count, "sha256": _digest},
    ),
    "expired": (
        ExpiredRow,
        {"key": _text, "sha256": _digest, "lines": _count, "keep": _text, "at": _text},
    ),
    "signature": (SignatureRow, {"signer": _text, "signature": _text}),
}


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
