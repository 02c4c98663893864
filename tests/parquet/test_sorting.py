"""Rows are sorted in little memory."""

from __future__ import annotations

import os
import random
from pathlib import Path

import orjson
from twisted.trial.unittest import SynchronousTestCase

from chatlog.parquet.columns import Row
from chatlog.parquet.sorting import sort


class SortTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()

    def rows(self, count: int) -> list[Row]:
        chance = random.Random(5)
        users = [None, "", "1", "10", "2", "a\tb\nc", "\u00e9"]
        rows = []
        for n in range(count):
            row: Row = {"message": "\t\n" * (n % 3), "tie": n}
            if (user := chance.choice(users)) is not None:
                row["user_id"] = user
            if chance.random() < 0.9:
                row["timestamp"] = f"2025-12-29T10:30:{chance.randrange(60):02d}.000Z"
            rows.append(row)
        return rows

    def test_runs(self) -> None:
        """One run or hundreds of them on the disk: the order is the same, nothing is lost, and no file is
        left."""
        rows = self.rows(700)
        expected = [orjson.loads(line) for line in sort(rows, self.directory)]
        self.assertEqual(
            expected, sorted(rows, key=lambda r: (f"={r['user_id']}" if "user_id" in r else "",
                                                  f"={r['timestamp']}" if "timestamp" in r else "", r["tie"]))
        )  # fmt: skip
        for run in (1, 3_000, 20_000):
            found = [orjson.loads(line) for line in sort(rows, self.directory, run)]
            self.assertEqual(found, expected)
        self.assertEqual(os.listdir(self.directory), [])

    def test_left_early(self) -> None:
        """Whoever stops in the middle leaves no file either."""
        lines = iter(sort(self.rows(100), self.directory, 1_000))
        next(lines)
        lines.close()  # type: ignore[attr-defined]
        self.assertEqual(os.listdir(self.directory), [])
