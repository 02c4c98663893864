"""Checks that a line is a record, and computes its identity within its room.

``record`` has the schema, and docs/records.md describes it for users. This module imports no Twisted.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from chatlog.config.platform import Registry
from chatlog.record import BASIC_KEYS, KEYS, TYPES, TooDeep, from_json

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z", re.ASCII)

Record = dict[str, Any]


class NotARecord(ValueError):
    """A line is not a record; the text says why."""


def check(line: bytes, platform: str, channel: str) -> Record:
    """The record in ``line`` (without its newline), which must be of that room. Raises NotARecord."""
    if not line:
        raise NotARecord("an empty line")
    try:
        record = from_json(line)
    except TooDeep:
        raise NotARecord("nested too deeply") from None
    except ValueError:
        raise NotARecord("no JSON") from None
    if type(record) is not dict:
        raise NotARecord("no JSON object")
    keys = tuple(record)
    if keys == KEYS:
        _check_full(record, platform)
    elif keys != BASIC_KEYS:
        raise NotARecord("other keys than those of a record, or in another order")
    for key in BASIC_KEYS:
        if type(record[key]) is not str:
            raise NotARecord(f"{key} is not text")
    if not is_timestamp(record["timestamp"]):
        raise NotARecord("timestamp is not a time")
    if record["channel"] != channel:
        raise NotARecord("a record of another channel")
    return record


def _check_full(record: Record, platform: str) -> None:
    for key in KEYS[5:10]:
        if type(record[key]) is not str:
            raise NotARecord(f"{key} is not text")
    if type(record["details"]) is not dict:
        raise NotARecord("details is not an object")
    if record["type"] not in TYPES:
        raise NotARecord("an unknown type")
    if record["platform"] != platform:
        raise NotARecord("a record of another platform")
    if not is_timestamp(record["received"]):
        raise NotARecord("received is not a time")
    if record["type"] == "gap":
        details = record["details"]
        if not is_timestamp(details.get("from")) or not is_timestamp(details.get("to")):
            raise NotARecord("a gap without its beginning or its end")
        if type(details.get("reason")) is not str:
            raise NotARecord("a gap without a reason")


def is_timestamp(text: object) -> bool:
    """Whether ``text`` is a timestamp as in records."""
    return type(text) is str and _TIMESTAMP.match(text) is not None and _second(text[:19]) is not None


def seconds(timestamp: str) -> float:
    """A timestamp of a record (``is_timestamp`` is true) in seconds since the epoch."""
    whole = _second(timestamp[:19])
    assert whole is not None
    return whole + int(timestamp[20:23]) / 1000


@lru_cache(maxsize=4096)
def _second(text: str) -> float | None:
    try:
        return datetime.fromisoformat(f"{text}+00:00").timestamp()
    except ValueError:
        return None


def identity(record: Record, registry: Registry) -> int | None:
    """Eight bytes that are equal for two copies of one event and differ for two events; None for a record
    without a unique id. Text and time are not enough: a person may say the same word twice, or be banned
    twice, at one time, which Kick gives in whole seconds. So no record in basic detail has an identity."""
    if "id" not in record:
        return None
    kind = record["type"]
    platform = registry.get(record["platform"])
    if platform is not None and not platform.has_id(kind):
        return None
    if record["id"]:
        return _digest(f"{kind} {record['id']}".encode("utf-8", "surrogatepass"))
    return None


def _digest(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")
