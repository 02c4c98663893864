"""Records are staged in the order in which Parquet has them, the plain ones with less work."""

from __future__ import annotations

from typing import Any

import orjson
from twisted.trial.unittest import SynchronousTestCase

from chatlog.parquet.columns import COLUMNS, TAGS, row_of
from chatlog.parquet.staging import END, staged

TIME = "2025-12-29T10:30:45.123Z"
ID = "585d6217-0b36-4488-8b3e-a64413e7b312"


def record(user: str | None = "7", time: str | None = TIME, **details: Any) -> dict[str, Any]:
    """A message of Twitch with all that it mostly has."""
    found = {
        "timestamp": time,
        "channel": "a",
        "username": "ann",
        "user_id": user,
        "message": "hello",
        "type": "message",
        "id": ID,
        "platform": "twitch",
        "channel_id": "9",
        "received": TIME,
        "details": {"id": ID, "room-id": "9", "user-id": user, "mod": "0", "tmi-sent-ts": "1767004245123"}
        | details,
    }
    return {key: value for key, value in found.items() if value is not None}


def rows(*records: Any) -> list[Any]:
    """What is staged of them, sorted."""
    lines = sorted(staged(map(orjson.dumps, records)))
    return [orjson.loads(line[line.index(END) + 1 :]) for line in lines]


class StagingTests(SynchronousTestCase):
    def test_order(self) -> None:
        """By person, by time, and as they came; one without an id comes first, and ids that are no numbers do
        no harm."""
        users = ["10", "2", "", "1", None, "a\x02b\x01c\nd", "10"]
        given = [record(user, message=str(n)) for n, user in enumerate(users)]
        found = rows(*given)
        self.assertEqual(
            [row.get("user_id") for row in found], [None, "", "1", "10", "10", "2", "a\x02b\x01c\nd"]
        )
        self.assertEqual([row["tie"] for row in found], [4, 2, 3, 0, 6, 1, 5])

    def test_no_time(self) -> None:
        """Records without a time come before those with one, in their order."""
        found = rows(record(), record(time=None), record(time=None))
        self.assertEqual(
            [(row.get("timestamp"), row["tie"]) for row in found], [(None, 1), (None, 2), (TIME, 0)]
        )

    def test_plain(self) -> None:
        """A message as Twitch sends it is staged as it is."""
        [row] = rows(record(color="#8A2BE2", bits="100", unknown="x"))
        self.assertEqual(row["details"]["color"], "#8A2BE2")
        self.assertEqual((row["same"], row["rest"]), (15, '{"unknown":"x"}'))

    def test_not_plain(self) -> None:
        """Whatever does not fit into a column, or does not repeat what it should, is staged as its row."""
        odd: list[dict[str, Any]] = [
            {"mod": "2"},
            {"mod": ""},
            {"bits": "01"},
            {"bits": "9" * 12},
            {"reply-parent-msg-id": "no-id"},
            {"color": 7},
            {"color": "a\0b"},
            {"room-id": "10"},
            {"tmi-sent-ts": "1767004245124"},
            {"login": "bob"},
        ]
        for details in odd:
            [row] = rows(record(**details))
            self.assertNotIn("details", row, details)
            self.assertTrue("rest" in row or "record" in row, details)

    def test_both_ways(self) -> None:
        """A plain record has the columns of its row, whichever way it is staged: none is forgotten."""
        values = {"VARCHAR": "x", "BOOLEAN": "1", "INTEGER": "5", "UUID": ID}
        every = {tag: values[kind] for tag, kind in TAGS.items()}
        for given in (record(), record(login="ann"), record(unknown="x", color="#8A2BE2"), record(**every)):
            [plain] = rows(given)
            tags = plain.pop("details")
            for name in COLUMNS.keys() & {tag.replace("-", "_") for tag in tags}:
                plain.setdefault(name, tags.get(name, tags.get(name.replace("_", "-"))))
            if "rest" in plain:
                plain["details"] = plain.pop("rest")
            row = {name: value for name, value in row_of(orjson.dumps(given), 0).items() if value is not None}
            self.assertEqual(plain.keys(), row.keys(), given)
            for name, value in row.items():
                # DuckDB makes numbers and truth values of the texts.
                same = str(int(value)) if isinstance(value, int) and isinstance(plain[name], str) else value
                self.assertEqual(plain[name], same, name)

    def test_all_tags(self) -> None:
        """Every tag that has a column is taken from a plain record."""
        values = {"VARCHAR": "x", "BOOLEAN": "1", "INTEGER": "5", "UUID": ID}
        [row] = rows(record(**{tag: values[kind] for tag, kind in TAGS.items()}))
        self.assertLessEqual(set(TAGS), set(row["details"]))
        self.assertNotIn("rest", row)
