"""What is taken over from whom, and how long that takes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.cluster.line import Line
from chatlog.cluster.takeovers import Takeovers


class TakeoversTests(SynchronousTestCase):
    """The slots of two recorders that are gone."""

    def setUp(self) -> None:
        self.takeovers = Takeovers()
        self.lines = {
            name: Line(name, 10, recording={"twitch": slots}, at=at)
            for name, slots, at in (("a", 0b0011, 100.0), ("b", 0b0110, 200.0), ("idle", 0, 300.0))
        }
        self.new = self.takeovers.see(self.lines, {})

    def test_who_had_it(self) -> None:
        """A slot comes from whoever published it last; who recorded nothing is not missed."""
        self.assertEqual(self.new, ["a", "b"])
        for slot, name in ((0, "a"), (1, "b"), (2, "b")):
            line = self.takeovers.source("twitch", slot)
            assert line is not None
            self.assertEqual(line.name, name)
        self.assertIsNone(self.takeovers.source("twitch", 3))
        self.assertIsNone(self.takeovers.source("kick", 0))

    def test_back(self) -> None:
        """Who is back is gone no more."""
        self.takeovers.see({}, {"a": self.lines["a"]})
        self.assertEqual(self.takeovers.lost, {"b": 200.0})

    def test_how_long(self) -> None:
        """A takeover lasts from the last word until all its slots are published."""
        for slot in (1, 2):
            self.takeovers.begun("twitch", slot, self.lines["b"])
        self.assertEqual(self.takeovers.pending, {"b": 2})
        self.assertEqual(self.takeovers.published("twitch", 0b0010, 210.0), [])
        self.assertEqual(self.takeovers.published("twitch", 0b0100, 212.0), [("b", 12.0)])
        self.assertEqual((self.takeovers.seconds, self.takeovers.pending), (12.0, {}))
