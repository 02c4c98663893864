"""A record comes back from Parquet exactly as it was, whatever is in it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from random import Random
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.parquet import duck
from chatlog.parquet.columns import COLUMNS, TAGS, record_of, row_of
from chatlog.record import KEYS, from_json

#: Texts with what JSON allows: zero bytes, halves of surrogates, quotation marks.
TEXTS = st.text(max_size=12) | st.sampled_from(
    ["", "0", "1", "01", "\0", "it's", '"', "\ud83d", "1767004245123", "2147483648", "-5", "585D", "\ufffd"]
)
TIMES = st.sampled_from(
    [
        "2025-12-29T10:30:45.123Z",
        "2025-12-29T10:30:45.000Z",
        "2025-02-30T10:30:45.123Z",
        "0001-01-01T00:00:00.000Z",
        "2025-12-29T10:30:45Z",
        "",
    ]
)
IDS = st.sampled_from(
    ["585d6217-0b36-4488-8b3e-a64413e7b312", "585D6217-0b36-4488-8b3e-a64413e7b312", "id-7", ""]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | IDS
    | TIMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
TWITCH = st.dictionaries(
    st.sampled_from([*TAGS, "id", "room-id", "user-id", "tmi-sent-ts", "login", "params", "@command"]),
    TEXTS | IDS | st.sampled_from(["7", "1767004245123", "1767004245000", "ann"]) | VALUES,
    max_size=12,
)
SENDER = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from([7, 7.0, True, "7", 10**30]),
        "slug": TEXTS,
        "username": TEXTS | st.integers(),
        "identity": st.fixed_dictionaries({}, optional={"color": TEXTS | st.none(), "badges": VALUES})
        | VALUES,
    },
)
KICK = st.fixed_dictionaries(
    {},
    optional={
        "id": IDS,
        "chatroom_id": st.sampled_from([7, 1, True, "7"]),
        "content": TEXTS,
        "type": st.sampled_from(["message", "reply"]),
        "created_at": st.sampled_from(["2025-12-29T10:30:45+00:00", "2025-12-29T10:30:45Z"]),
        "event": TEXTS | VALUES,
        "sender": SENDER | VALUES,
        "metadata": VALUES,
    },
)
GAP = st.fixed_dictionaries(
    {},
    optional={
        "from": TIMES,
        "to": TIMES,
        "reason": TEXTS,
        "backfilled": st.integers(0, 9),
        "dropped": VALUES,
    },
)
RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "timestamp": TIMES,
        "channel": TEXTS,
        "username": TEXTS | st.just("ann"),
        "user_id": TEXTS | st.just("7"),
        "message": TEXTS,
        "type": st.sampled_from(["message", "gap", "delete"]),
        "id": IDS | TEXTS,
        "platform": st.sampled_from(["twitch", "kick"]),
        "channel_id": st.sampled_from(["7", "", "07"]),
        "received": TIMES,
        "details": TWITCH | KICK | GAP | VALUES,
    },
)

_ID = "585d6217-0b36-4488-8b3e-a64413e7b312"
_MOSTLY = {
    "VARCHAR": ("", "x", "subscriber/12", "\u00e9\\:s", '"', "null", "\u007f"),
    "BOOLEAN": ("0", "1", "0", "1", "0", "1", "2"),
    "INTEGER": ("0", "100", "999999999", "0100"),
    "UUID": (_ID, _ID, _ID, _ID.upper()),
}


def mostly_plain(chance: Random) -> Any:
    """A message of Twitch that is mostly as it sends them."""
    user = chance.choice(["7", "10", "2"])
    details = {"id": _ID, "room-id": "9", "user-id": user, "tmi-sent-ts": "1767004245123"}
    for tag, kind in TAGS.items():
        if chance.random() < 0.3:
            details[tag] = chance.choice(_MOSTLY[kind])
    for tag in ("params", "login", "x"):
        if chance.random() < 0.1:
            details[tag] = chance.choice(["ann", "1"])
    return {
        "timestamp": "2025-12-29T10:30:45.123Z",
        "channel": "a",
        "username": "ann",
        "user_id": user,
        "message": chance.choice(["hello", "", "\u00e9 '\"\\", "\U0001f600"]),
        "type": "message",
        "id": _ID,
        "platform": "twitch",
        "channel_id": "9",
        "received": "2025-12-29T10:30:45.557Z",
        "details": details,
    }


def line_of(record: Any) -> bytes:
    """A record as one of our lines, or as another program might write it."""
    try:
        return orjson.dumps(record)
    except TypeError:
        return json.dumps(record).encode("ascii")


def same(record: Any) -> str:
    """A form that is equal only where the JSON is."""
    return json.dumps(record, sort_keys=True)


class RowTests(SynchronousTestCase):
    @given(RECORDS | VALUES)
    @settings(max_examples=200)
    def test_back(self, record: Any) -> None:
        """A row gives back its record, whatever that is: also one of another program, or with half a
        surrogate."""
        line = line_of(record)
        try:
            row = row_of(line, 3)
        except ValueError:
            self.assertIn(b"\0", line)
            return
        self.assertLessEqual(set(row), set(COLUMNS))
        whole = {name: row.get(name) for name in COLUMNS}
        self.assertEqual(same(record_of(whole)), same(from_json(line)))

    def test_columns(self) -> None:
        """What a message of Twitch says is in columns, and nothing of it is there twice."""
        record = {
            "timestamp": "2025-12-29T10:30:45.123Z",
            "channel": "a",
            "username": "ann",
            "user_id": "7",
            "message": "hello",
            "type": "message",
            "id": "585d6217-0b36-4488-8b3e-a64413e7b312",
            "platform": "twitch",
            "channel_id": "9",
            "received": "2025-12-29T10:30:45.557Z",
            "details": {
                "id": "585d6217-0b36-4488-8b3e-a64413e7b312",
                "room-id": "9",
                "user-id": "7",
                "tmi-sent-ts": "1767004245123",
                "display-name": "Ann",
                "subscriber": "1",
                "bits": "100",
                "command": "PRIVMSG",
            },
        }
        row = row_of(orjson.dumps(record), 0)
        self.assertEqual((row["display_name"], row["subscriber"], row["bits"]), ("Ann", True, 100))
        self.assertNotIn("details", row)
        self.assertNotIn("record", row)

    def test_not_json(self) -> None:
        """A line that is no JSON is refused, and not taken for an empty record."""
        self.assertRaises(ValueError, row_of, b'{"timestamp":', 0)


class FileTests(SynchronousTestCase):
    """Through DuckDB and a file."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.connection = duck.connect(256_000_000, self.directory)
        self.addCleanup(self.connection.close)

    def through(self, lines: list[bytes], name: str = "day.parquet") -> list[Any]:
        path = self.directory / name
        duck.write(lines, path, lambda: {"chatlog.records": len(lines), "it's": ["'"]}, self.connection)
        self.assertEqual(duck.metadata(path, self.connection), {"chatlog.records": len(lines), "it's": ["'"]})
        return [record_of(row) for row in duck.rows(path, self.connection)]

    @given(st.lists(RECORDS, max_size=30))
    @settings(max_examples=25)
    def test_back(self, records: list[Any]) -> None:
        """All records come back from a file, each as it was."""
        lines = [line_of(record) for record in records]
        lines = [line for line in lines if b"\0" not in line]
        found = self.through(lines)
        self.assertEqual(sorted(map(same, found)), sorted(same(from_json(line)) for line in lines))
        self.assertEqual(os.listdir(self.directory), ["day.parquet"])

    def test_plain(self) -> None:
        """Records as Twitch mostly sends them, whose columns DuckDB takes out, come back as well, and their
        columns are those of their rows."""
        chance = Random(7)
        lines = [orjson.dumps(mostly_plain(chance)) for _ in range(600)]
        found = self.through(lines)
        self.assertEqual(sorted(map(same, found)), sorted(same(from_json(line)) for line in lines))
        names = [name for name in COLUMNS if name != "tie"]
        expected = []
        for line in lines:
            row = row_of(line, 0)
            expected.append(str([row.get(name) for name in names]))
        path = self.directory / "day.parquet"
        rows = duck.rows(path, self.connection)
        self.assertEqual(sorted(str([row[name] for name in names]) for row in rows), sorted(expected))

    def test_order(self) -> None:
        """Records of one millisecond come back in the order in which they were given."""
        lines = [
            orjson.dumps({"timestamp": "2025-12-29T10:30:45.123Z", "user_id": str(n % 7), "message": str(n)})
            for n in range(50)
        ]
        self.assertEqual([record["message"] for record in self.through(lines)], [str(n) for n in range(50)])

    def test_same_bytes(self) -> None:
        """The same records give the same bytes, so that what is made twice is equal."""
        lines = [
            orjson.dumps({"timestamp": "2025-12-29T10:30:45.123Z", "user_id": str(n % 7), "message": "x" * n})
            for n in range(500)
        ]
        self.through(lines)
        first = (self.directory / "day.parquet").read_bytes()
        self.through(lines, "again.parquet")
        self.assertEqual((self.directory / "again.parquet").read_bytes(), first)

    def test_all_keys_are_columns(self) -> None:
        """Every key of a record is a column."""
        self.assertLessEqual(set(KEYS), set(COLUMNS))
