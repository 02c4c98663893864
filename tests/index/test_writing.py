"""Sets of an index, written from facts and from other sets."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatlog.index.writing import Kept, Stage, write
from chatlog.parquet import duck

ROOM, OTHER = ("twitch", "a"), ("kick", "b")


class WritingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Path(self.mktemp())
        self.home.mkdir()
        self.connection = duck.connect(duck.LEAST, self.home)
        self.addCleanup(self.connection.close)

    def written(self, name: str, days: list[int], kept: list[Kept]) -> Kept:
        """A set of these days and of what is kept."""
        target = self.home / name
        target.mkdir()
        with Stage(self.home / f"{name}-staged") as stage:
            for day in days:
                for room in (ROOM, OTHER):
                    stage.add_people(room, day, [("1", "ann"), (str(day), f"on{day}")])
                    stage.add_words(room, day, ["the", f"word{day}"])
                    stage.add_day(room, f"2025-12-{day:02}", "listing", "[]", "[]", "digest")
        found = write(target, kept, stage, self.connection)
        return Kept(target, found, sorted(found))

    def test_many(self) -> None:
        """The sets of a whole month become one in little memory, with the bytes of a set that was made at
        once."""
        days = list(range(1, 32))
        daily = [self.written(f"day{day}", [day], []) for day in days[:12]]
        merged = self.written("merged", days[12:], daily)
        whole = self.written("whole", days, [])
        self.assertEqual(merged.days, {ROOM: 2**32 - 2, OTHER: 2**32 - 2})
        for kind in ("days", "users", "names", "words"):
            self.assertEqual(merged.path(kind).read_bytes(), whole.path(kind).read_bytes(), kind)

    def test_left_out(self) -> None:
        """What is not kept is in nothing of the new set: no day, no person, no word."""
        both = self.written("both", [1, 2], [])
        left = self.written("left", [], [Kept(both.directory, {ROOM: 1 << 2}, both.rooms)])
        self.assertEqual(left.days, {ROOM: 1 << 2})
        rows = self.connection.execute(f"SELECT word, units FROM '{left.path('words')}'").fetchall()
        self.assertEqual(rows, [("the", [2]), ("word2", [2])])
        names = self.connection.execute(f"SELECT username FROM '{left.path('names')}'").fetchall()
        self.assertEqual(names, [("ann",), ("on2",)])
