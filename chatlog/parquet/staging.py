"""Stages records for DuckDB: lines of JSON behind a key by which they are sorted.

Most records of Twitch are plain: every tag that has a column is a text that fits there. A plain record is
staged unchanged, and DuckDB takes the columns out of it, in a third of the time that Python needs. Any other
record is staged as its row. Both give the same Parquet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from operator import itemgetter
from typing import Any

import orjson

from chatlog.parquet.columns import (
    BOOLEAN,
    COLUMNS,
    IDENTIFIER,
    INTEGER,
    KNOWN,
    LOGIN,
    REPEATED,
    SENT,
    TAGS,
    TEXT,
    UUID_TEXT,
    WHOLE_NUMBER,
    is_time,
    milliseconds,
    row_of,
)

#: Ends the key of a line. No line of JSON has this byte.
END = b"\x02"
#: The columns of a row that a staged record has in its details, with its tags.
_OF_TAGS = {tag.replace("-", "_"): tag for tag in TAGS}
_FLAGS = frozenset({"0", "1"})
_TEXTS = frozenset({str})


def source_columns() -> dict[str, str]:
    """The columns of a staged line, with their types."""
    # DuckDB reads a text of JSON as a text or a UUID, and not as a number.
    tags = ", ".join(f'"{tag}" {IDENTIFIER if kind is IDENTIFIER else TEXT}' for tag, kind in TAGS.items())
    return {**COLUMNS, "details": f"STRUCT({tags})", "rest": TEXT}


def selected_columns() -> list[str]:
    """The columns of a row, as they are selected from staged lines."""
    found = []
    for name in COLUMNS:
        if name == "details":
            found.append("rest AS details")
        elif name in _OF_TAGS:
            tag = f'details."{_OF_TAGS[name]}"'
            found.append(f"coalesce({name}, {tag}::{COLUMNS[name]}) AS {name}")
        else:
            found.append(name)
    return found


def staged(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The staged lines of records, which are in the order of their times. Raises ValueError for a line that
    is no JSON."""
    last, ties, without = "", 0, 0
    for line in lines:
        row = _plain(line) or _other(line)
        time, user = row.get("timestamp"), row.get("user_id")
        if time is None:
            tie = without = without + 1
        else:
            tie = ties = ties + 1 if time == last else 0
            last = time
        row["tie"] = tie
        # No id and no time sort before the empty ones.
        by_user = "" if user is None else f"={_sortable(user)}"
        key = f"{by_user}\x01{'' if time is None else time}\x01{tie:010d}\x02"
        yield key.encode() + orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def _plain(line: bytes) -> dict[str, Any] | None:
    """A plain record, with the further values of its row; None if the record is not plain."""
    # No column takes a zero byte, and in JSON it is always written like this.
    if b"\\u0000" in line:
        return None
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if type(record) is not dict or record.get("platform") != "twitch" or record.get("type") == "gap":
        return None
    details = record.pop("details", None)
    if type(details) is not dict or not details or not KNOWN.issuperset(record):
        return None
    if set(map(type, record.values())) != _TEXTS or set(map(type, details.values())) != _TEXTS:
        return None
    if not is_time(record.get("timestamp")) or not is_time(record.get("received")):
        return None
    if "id" in record and not UUID_TEXT.match(record["id"]):
        return None
    same = _plan_of(tuple(details))(record, details)
    if same is None:
        return None
    record["same"], rest = same
    record["details"] = details
    if rest:
        record["rest"] = rest
    return record


class _Plan:
    """Checks details that have just these tags."""

    def __init__(self, tags: tuple[str, ...]) -> None:
        kinds: dict[str, list[str]] = {TEXT: [], BOOLEAN: [], INTEGER: [], IDENTIFIER: []}
        left = []
        for tag in tags:
            if tag in TAGS:
                kinds[TAGS[tag]].append(tag)
            else:
                left.append(tag)
        self._flags = _getter(kinds[BOOLEAN])
        self._patterns = [(tag, WHOLE_NUMBER.match) for tag in kinds[INTEGER]]
        self._patterns += [(tag, UUID_TEXT.match) for tag in kinds[IDENTIFIER]]
        bits = {tag: (bit, key) for tag, bit, key in REPEATED} | {"login": (LOGIN, "username")}
        self._repeated = [(tag, bits[tag][1]) for tag in left if tag in bits]
        self._sent = "tmi-sent-ts" in left
        self._rest = [tag for tag in left if tag not in bits and tag != "tmi-sent-ts"]
        self._same = sum(bits[tag][0] for tag in left if tag in bits) + (SENT if self._sent else 0)

    def __call__(self, record: dict[str, Any], details: dict[str, Any]) -> tuple[int, str] | None:
        """``same`` of the row, and the rest of the details as JSON; None if the record is not plain."""
        for tag, key in self._repeated:
            if details[tag] != record.get(key):
                return None
        for tag, matches in self._patterns:
            if not matches(details[tag]):
                return None
        if not _FLAGS.issuperset(self._flags(details)):
            return None
        if self._sent and details["tmi-sent-ts"] != milliseconds(record["timestamp"]):
            return None
        if not self._rest:
            return self._same, ""
        return self._same, orjson.dumps({tag: details[tag] for tag in self._rest}).decode()


def _getter(tags: list[str]) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
    if len(tags) > 1:
        return itemgetter(*tags)
    return lambda details: tuple(details[tag] for tag in tags)


@lru_cache(1024)
def _plan_of(tags: tuple[str, ...]) -> _Plan:
    return _Plan(tags)


def _other(line: bytes) -> dict[str, Any]:
    """The row of a record."""
    row = row_of(line, 0)
    if "details" in row:
        row["rest"] = row.pop("details")
    return row


def _sortable(user: str) -> str:
    """An id without the bytes that have a meaning in a key. No real id has such bytes."""
    return user if user.isalnum() else "".join(char if char > "\x1f" else " " for char in user)
