"""The way out of a connection: whatever is done to it, bytes arrive in order and unchanged."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatlog.simulator.outlet import Outlet

DATA = bytes(range(256)) * 4


class OutletTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.written: list[bytes] = []
        self.outlet = Outlet(self.clock, self.written.append)

    def turn(self, times: int, seconds: float = 0.0) -> None:
        for _ in range(times):
            self.clock.advance(seconds)

    def test_straight(self) -> None:
        """Usually a write goes out as it is, at once."""
        self.outlet.write(DATA)
        self.assertEqual(self.written, [DATA])

    def test_split(self) -> None:
        """Split: small pieces, many of one byte, one a turn, nothing lost or reordered."""
        self.outlet.split()
        self.outlet.write(DATA)
        self.outlet.write(b"tail")
        self.turn(1000)
        self.assertEqual(b"".join(self.written), DATA + b"tail")
        self.assertGreater(len(self.written), 10)
        self.assertIn(1, map(len, self.written))

    def test_slow(self) -> None:
        """Slow: no more than so many bytes a second."""
        self.outlet.slow(100)
        self.outlet.write(DATA)
        self.turn(9, 0.1)
        self.assertLessEqual(sum(map(len, self.written)), 100)
        self.turn(200, 0.1)
        self.assertEqual(b"".join(self.written), DATA)

    def test_straight_again(self) -> None:
        """Going straight again sends at once what had to wait, before anything new."""
        self.outlet.slow(10)
        self.outlet.write(DATA)
        self.outlet.straight()
        self.outlet.write(b"new")
        self.turn(2, 0.1)
        self.assertEqual(b"".join(self.written), DATA + b"new")

    def test_full_transport(self) -> None:
        """While the transport is full bytes wait here, counted; they follow when it has room."""
        self.outlet.full = True
        self.outlet.write(DATA)
        self.assertEqual((self.written, self.outlet.waiting_bytes), ([], len(DATA)))
        self.assertEqual(self.outlet.waiting_since(), 0.0)
        self.outlet.resume()
        self.assertEqual((b"".join(self.written), self.outlet.waiting_bytes), (DATA, 0))

    def test_shut(self) -> None:
        """Shut: nothing goes out any more, and no timer is left."""
        self.outlet.split()
        self.outlet.write(DATA)
        before = len(self.written)
        self.outlet.shut()
        self.outlet.write(b"more")
        self.turn(10, 0.1)
        self.assertEqual(len(self.written), before)
        self.assertEqual(self.clock.getDelayedCalls(), [])
