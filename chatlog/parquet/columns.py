"""The columns of a day in Parquet: a record as a row, and the record of a row.

The values of ``details`` that are asked for most have columns of their own. A value that repeats another one
of the record is left out, and ``same`` says so. The rest of ``details`` stays JSON. A record that would not
come back exactly is kept whole, as JSON, in ``record``. So ``record_of(row_of(record, 0)) == record``. The
keys of ``details`` come as the platforms mostly send them, which need not be their order in the record.

This module needs no DuckDB. It is longer because the two directions have to be read together. docs/records.md
describes the columns for users.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any

import orjson

from chatlog.record import KEYS, from_json

Row = dict[str, Any]

TEXT, INTEGER, BOOLEAN, IDENTIFIER, TIME = "VARCHAR", "INTEGER", "BOOLEAN", "UUID", "TIMESTAMP_MS"
_SMALL = "SMALLINT"

#: Twitch's tags that have columns, with the types of these.
TAGS = {
    "display-name": TEXT,
    "color": TEXT,
    "badges": TEXT,
    "badge-info": TEXT,
    "emotes": TEXT,
    "flags": TEXT,
    "bits": INTEGER,
    "first-msg": BOOLEAN,
    "returning-chatter": BOOLEAN,
    "mod": BOOLEAN,
    "subscriber": BOOLEAN,
    "vip": BOOLEAN,
    "turbo": BOOLEAN,
    "user-type": TEXT,
    "msg-id": TEXT,
    "system-msg": TEXT,
    "ban-duration": INTEGER,
    "target-user-id": TEXT,
    "target-msg-id": IDENTIFIER,
    "reply-parent-msg-id": IDENTIFIER,
    "reply-parent-user-id": TEXT,
    "reply-parent-user-login": TEXT,
    "reply-parent-display-name": TEXT,
    "reply-parent-msg-body": TEXT,
    "reply-thread-parent-msg-id": IDENTIFIER,
    "reply-thread-parent-user-login": TEXT,
    "source-room-id": TEXT,
    "source-id": IDENTIFIER,
    "source-msg-id": TEXT,
    "custom-reward-id": IDENTIFIER,
    "client-nonce": TEXT,
    "command": TEXT,
}
_TAGS = {tag: (tag.replace("-", "_"), kind) for tag, kind in TAGS.items()}

#: All columns in their order, with their types. ``tie`` numbers the records of one millisecond.
COLUMNS = {
    "timestamp": TIME,
    "received": TIME,
    "channel": TEXT,
    "channel_id": TEXT,
    "platform": TEXT,
    "type": TEXT,
    "id": IDENTIFIER,
    "id_text": TEXT,
    "user_id": TEXT,
    "username": TEXT,
    "message": TEXT,
    **dict(_TAGS.values()),
    "gap_from": TIME,
    "gap_to": TIME,
    "gap_reason": TEXT,
    "details": TEXT,
    "record": TEXT,
    "same": _SMALL,
    "tie": INTEGER,
}

UUID_TEXT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z\Z", re.ASCII)
WHOLE_NUMBER = re.compile(r"(?:0|[1-9]\d{0,8})\Z", re.ASCII)
_FLAGS = {"0": False, "1": True}
KNOWN = frozenset(KEYS)
_PLAIN = tuple(key for key in KEYS if key not in ("timestamp", "received", "id", "details"))

# The bits of ``same``. On Twitch the first four are tags, on Kick values of the payload.
_ID, _ROOM, _USER, SENT, LOGIN, _CONTENT, _KIND = 1, 2, 4, 8, 16, 32, 64
#: Twitch's tags that repeat another value of the record.
REPEATED = (("id", _ID, "id"), ("room-id", _ROOM, "channel_id"), ("user-id", _USER, "user_id"))


#: Our own keys beside Twitch's tags, in their order (see ``chatlog.twitch.events``).
_OURS = ("command", "source", "params", "raw", "raw_base64", "backfilled", "oversized")


class _Odd(Exception):
    """The record has to be kept whole."""


def row_of(line: bytes, tie: int) -> Row:
    """The row of a record's line; columns without a value are left out. Raises ValueError for a line that is
    no JSON."""
    try:
        row = _row(orjson.loads(line))
    except (_Odd, orjson.JSONDecodeError):
        row = _whole(line)
    row["tie"] = tie
    return row


def _row(record: Any) -> Row:
    if not isinstance(record, dict) or not KNOWN.issuperset(record):
        raise _Odd
    row: Row = {}
    for key in _PLAIN:
        if key in record:
            row[key] = _text(record[key])
    for key in ("timestamp", "received"):
        if key in record:
            row[key] = _time(record[key])
    if "id" in record:
        id = _text(record["id"])
        row["id" if UUID_TEXT.match(id) else "id_text"] = id
    if "details" in record:
        details = record["details"]
        if type(details) is not dict:
            raise _Odd
        if record.get("type") == "gap":
            rest, same = _of_gap(details, row), 0
        elif record.get("platform") == "kick":
            rest, same = _of_kick(details, record, row)
        else:
            rest, same = _of_twitch(details, record, row)
        row["same"] = same
        if rest:
            row["details"] = _json(rest)
    return row


def _of_twitch(details: dict[str, Any], record: dict[str, Any], row: Row) -> tuple[dict[str, Any], int]:
    rest: dict[str, Any] = {}
    same = 0
    for key, value in details.items():
        found = _TAGS.get(key)
        if found is None or type(value) is not str:
            rest[key] = value
            continue
        column, kind = found
        if kind is TEXT:
            if "\0" in value:
                raise _Odd
            row[column] = value
        elif kind is BOOLEAN and value in _FLAGS:
            row[column] = _FLAGS[value]
        elif kind is INTEGER and WHOLE_NUMBER.match(value):
            row[column] = int(value)
        elif kind is IDENTIFIER and UUID_TEXT.match(value):
            row[column] = value
        else:
            rest[key] = value
    for tag, bit, key in REPEATED:
        if tag in rest and _is_same(rest[tag], record.get(key)):
            del rest[tag]
            same |= bit
    if "tmi-sent-ts" in rest and _is_same(rest["tmi-sent-ts"], milliseconds(row.get("timestamp"))):
        del rest["tmi-sent-ts"]
        same |= SENT
    if "login" in rest and _is_same(rest["login"], record.get("username")):
        del rest["login"]
        same |= LOGIN
    return rest, same


def _of_kick(details: dict[str, Any], record: dict[str, Any], row: Row) -> tuple[dict[str, Any], int]:
    rest = dict(details)
    same = 0
    if type(rest.get("event")) is str:
        row["command"] = _text(rest.pop("event"))
    for key, bit, value in (
        ("id", _ID, record.get("id")),
        ("chatroom_id", _ROOM, _number(record.get("channel_id"))),
        ("content", _CONTENT, record.get("message")),
        ("type", _KIND, record.get("type")),
        ("created_at", SENT, _second(row.get("timestamp"))),
    ):
        if key in rest and _is_same(rest[key], value):
            del rest[key]
            same |= bit
    sender = rest.get("sender")
    if type(sender) is not dict:
        return rest, same
    sender = rest["sender"] = dict(sender)
    for key, bit, value in (
        ("id", _USER, _number(record.get("user_id"))),
        ("slug", LOGIN, record.get("username")),
    ):
        if key in sender and _is_same(sender[key], value):
            del sender[key]
            same |= bit
    if type(sender.get("username")) is str:
        row["display_name"] = _text(sender.pop("username"))
    identity = sender.get("identity")
    if type(identity) is dict and type(identity.get("color")) is str:
        identity = sender["identity"] = dict(identity)
        row["color"] = _text(identity.pop("color"))
    return rest, same


def _of_gap(details: dict[str, Any], row: Row) -> dict[str, Any]:
    rest = dict(details)
    for key, column in (("from", "gap_from"), ("to", "gap_to")):
        if is_time(rest.get(key)):
            row[column] = rest.pop(key)
    if type(rest.get("reason")) is str:
        row["gap_reason"] = _text(rest.pop("reason"))
    return rest


def _whole(line: bytes) -> Row:
    """The row of a record that is kept whole. Values that fit into columns are in these too, for searches."""
    record = from_json(line)
    row: Row = {"record": line.decode("utf-8").rstrip("\n")}
    if "\0" in row["record"]:
        raise ValueError("a line with a zero byte is no JSON")
    if isinstance(record, dict):
        for key in _PLAIN:
            value = record.get(key)
            if isinstance(value, str):
                row[key] = value.encode("utf-8", "replace").decode("utf-8").replace("\0", "�")
        for key in ("timestamp", "received"):
            if is_time(record.get(key)):
                row[key] = record[key]
    return row


def record_of(row: Mapping[str, Any]) -> Any:
    """The record of a row, which has all COLUMNS: times as in a record, None where there is no value."""
    if row["record"] is not None:
        return from_json(row["record"])
    found = {key: row[key] for key in ("timestamp", "received", *_PLAIN) if row[key] is not None}
    if row["id"] is not None or row["id_text"] is not None:
        found["id"] = row["id"] if row["id"] is not None else row["id_text"]
    if row["same"] is not None:
        found["details"] = _details(found, row)
    return {key: found[key] for key in KEYS if key in found}


def _details(record: dict[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    details: dict[str, Any] = {} if row["details"] is None else from_json(row["details"])
    same = row["same"]
    if record.get("type") == "gap":
        for key, column in (("from", "gap_from"), ("to", "gap_to"), ("reason", "gap_reason")):
            if row[column] is not None:
                details[key] = row[column]
    elif record.get("platform") == "kick":
        return _of_kick_again(details, record, row, same)
    else:
        for tag, (column, kind) in _TAGS.items():
            value = row[column]
            if value is not None:
                details[tag] = value if kind in (TEXT, IDENTIFIER) else str(int(value))
        for tag, bit, key in REPEATED:
            if same & bit:
                details[tag] = record[key]
        if same & SENT:
            details["tmi-sent-ts"] = milliseconds(record["timestamp"])
        if same & LOGIN:
            details["login"] = record["username"]
        return {tag: details[tag] for tag in _sorted(tuple(details))}
    return details


@lru_cache(1024)
def _sorted(tags: tuple[str, ...]) -> list[str]:
    """The tags as Twitch sorts them, and behind them our own keys."""
    return sorted(tags, key=lambda tag: (_OURS.index(tag) if tag in _OURS else -1, tag))


def _of_kick_again(
    rest: dict[str, Any], record: dict[str, Any], row: Mapping[str, Any], same: int
) -> dict[str, Any]:
    details: dict[str, Any] = {}
    for bit, key, value in (
        (_ID, "id", record.get("id")),
        (_ROOM, "chatroom_id", _number(record.get("channel_id"))),
        (_CONTENT, "content", record.get("message")),
        (_KIND, "type", record.get("type")),
        (SENT, "created_at", _second(record.get("timestamp"))),
    ):
        if same & bit:
            details[key] = value
    details.update(rest)
    if row["command"] is not None:
        details["event"] = row["command"]
    rest_of_sender = details.get("sender")
    if type(rest_of_sender) is not dict:
        return details
    sender: dict[str, Any] = {}
    if same & _USER:
        sender["id"] = _number(record["user_id"])
    if row["display_name"] is not None:
        sender["username"] = row["display_name"]
    if same & LOGIN:
        sender["slug"] = record["username"]
    details["sender"] = sender | rest_of_sender
    if row["color"] is not None:
        sender = details["sender"]
        sender["identity"] = {"color": row["color"], **sender["identity"]}
    return details


def _is_same(value: Any, other: Any) -> bool:
    """Whether both are the same in JSON, where 1 is neither true nor 1.0."""
    return other is not None and type(value) is type(other) and value == other


def _text(value: Any) -> str:
    if type(value) is not str or "\0" in value:
        raise _Odd
    return value


def _time(value: Any) -> str:
    if not is_time(value):
        raise _Odd
    return value  # type: ignore[no-any-return]


def is_time(value: Any) -> bool:
    match = _TIME.match(value) if type(value) is str else None
    return match is not None and _is_day(match[1])


@lru_cache(1024)
def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).year >= 1970
    except ValueError:
        return False


def _number(text: Any) -> int | None:
    """The number in a text of plain digits; None if the text is no such number."""
    if type(text) is str and text.isascii() and text.isdecimal() and len(text) <= 18:
        found = int(text)
        return found if str(found) == text else None
    return None


def milliseconds(time: str | None) -> str | None:
    """A record's time in Twitch's form."""
    return None if time is None else str(_minutes(time[:16]) + int(time[17:19]) * 1000 + int(time[20:23]))


@lru_cache(1024)
def _minutes(text: str) -> int:
    """Milliseconds since the epoch at the beginning of a minute."""
    days = date.fromisoformat(text[:10]).toordinal() - date(1970, 1, 1).toordinal()
    return ((days * 24 + int(text[11:13])) * 60 + int(text[14:16])) * 60_000


def _second(time: str | None) -> str | None:
    """A record's time in Kick's form, if it is a whole second."""
    return f"{time[:19]}+00:00" if time is not None and time.endswith(".000Z") else None


def _json(value: Any) -> str:
    try:
        found = orjson.dumps(value).decode()
    except (TypeError, ValueError):
        raise _Odd from None
    return found
