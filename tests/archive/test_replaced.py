"""Objects that are replaced while somebody reads: erasing writes an object again, and deletes the old one."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.question import Question
from chatlog.archive.reader import Reader
from chatlog.record import from_json
from tests.archive.world import MIDNIGHT, ROOM, World, said

TEN = MIDNIGHT + 10 * 3600.0


class ReplacedTests(SynchronousTestCase):
    """A reader that has listed the day before something in it is replaced."""

    def setUp(self) -> None:
        self.world = World(self.mktemp())
        self.paths = [
            self.world.put(
                TEN + 60.0 * n, [said(TEN + 60.0 * n, f"{who} {n}", who) for who in ("ann", "bob")]
            )
            for n in range(3)
        ]
        self.reader = self.world.reader()
        self.assertEqual(self.texts(self.reader), ["ann 0", "bob 0", "ann 1", "bob 1", "ann 2", "bob 2"])

    def texts(self, reader: Reader, newest: bool = False) -> list[str]:
        answer = reader.ask(Question(ROOM, MIDNIGHT, MIDNIGHT + 86400.0, newest=newest))
        found = [from_json(found.line)["message"] for found in answer]
        self.unread = [unread.name for unread in answer.report.unread]
        return found

    def replace(self, number: int, n: int = 2) -> None:
        at = TEN + 60.0 * number
        self.world.put(at, [said(at, f"bob {number}", "bob")], n=n)
        os.unlink(self.paths[number])

    def test_followed(self) -> None:
        """The first answer after it has what is left, in its place, and nothing of what was erased."""
        for newest in (False, True):
            self.setUp()
            self.replace(1)
            expected = ["ann 0", "bob 0", "bob 1", "ann 2", "bob 2"]
            self.assertEqual(self.texts(self.reader, newest), expected[::-1] if newest else expected)
            self.assertEqual(self.unread, [])

    def test_several_of_a_file(self) -> None:
        """Two objects of one minute that were replaced come once each."""
        self.world.put(TEN, [said(TEN + 1, "bob too", "bob")], n=2)
        reader = self.world.reader()
        before = self.texts(reader)
        self.world.put(TEN, [said(TEN, "bob 0", "bob")], n=3)
        self.world.put(TEN, [said(TEN + 1, "bob too", "bob")], n=4)
        for path in (self.paths[0], self.paths[0].replace("1000", "1000n0002")):
            os.unlink(path)
        self.assertEqual(self.texts(reader), before[1:])
        self.assertEqual(self.unread, [])

    def test_lost(self) -> None:
        """An object that is gone without a successor is told, also if another of its minute is there."""
        self.world.put(TEN, [said(TEN + 1, "bob too", "bob")], n=2)
        reader = self.world.reader()
        self.texts(reader)
        os.unlink(self.paths[0])
        self.texts(reader)
        self.assertEqual(len(self.unread), 1)
