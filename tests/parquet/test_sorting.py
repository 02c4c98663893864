"""Lines are sorted in little memory."""

from __future__ import annotations

import os
import random
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatlog.parquet.sorting import sort


class SortTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()

    def lines(self, count: int) -> list[bytes]:
        chance = random.Random(5)
        return [b"%d \x01\xff %d\n" % (chance.randrange(90), n) for n in range(count)]

    def test_runs(self) -> None:
        """One run or hundreds of them on the disk: the order is the same, nothing is lost, and no file is
        left."""
        lines = self.lines(700)
        for run in (1 << 20, 1, 3_000, 20_000):
            self.assertEqual(list(sort(lines, self.directory, run)), sorted(lines))
        self.assertEqual(os.listdir(self.directory), [])

    def test_left_early(self) -> None:
        """Whoever stops in the middle leaves no file either."""
        lines = iter(sort(self.lines(100), self.directory, 1_000))
        next(lines)
        lines.close()  # type: ignore[attr-defined]
        self.assertEqual(os.listdir(self.directory), [])
