"""Looks that go on whatever happens."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatlog.looks import Looks


class LooksTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.times: list[float] = []
        self.broken = False
        self.looks = Looks(self.clock, 5.0, self.look)

    def look(self) -> None:
        self.times.append(self.clock.seconds())
        if self.broken:
            raise RuntimeError("broken")

    def test_interval(self) -> None:
        """The first call comes after the interval, the last before the stop, and it can begin again."""
        self.looks.start()
        self.clock.pump([1.0] * 12)
        self.looks.stop()
        self.clock.pump([1.0] * 12)
        self.assertEqual(self.times, [5, 10])
        self.looks.start()
        self.clock.pump([1.0] * 6)
        self.assertEqual(self.times, [5, 10, 29])

    def test_stop_without_start(self) -> None:
        """What never began may be stopped."""
        self.looks.stop()
        self.assertEqual(self.times, [])

    def test_failing(self) -> None:
        """What raises is called again all the same; it is logged when it begins, and once more when it
        begins again."""
        self.looks.start()
        self.broken = True
        self.clock.pump([5.0] * 10)
        self.assertEqual(len(self.times), 10)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.broken = False
        self.clock.advance(5)
        self.broken = True
        self.clock.pump([5.0] * 10)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
