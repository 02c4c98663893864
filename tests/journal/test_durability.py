"""Until when everything is in files and on the disk, and the gap records that a crash would take along."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.journal.durability import Durability

ANN, BOB = ("twitch", "ann"), ("twitch", "bob")


class UntilTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.durability = Durability(interval=0.5)

    def flushed(self, at: float, now: float, lag: float, recovered: bool = False) -> tuple[float, float]:
        self.durability.flushed(at, now, lag, recovered)
        return self.durability.until

    def test_the_start(self) -> None:
        """Before anything is known, nothing is certain; at the start everything is, but for what an earlier
        run may not have brought to the disk."""
        self.assertEqual(self.durability.until, (0.0, 0.0))
        self.durability.start(100.0, None)
        self.assertEqual(self.durability.until, (100.0, 100.0))
        self.durability.start(100.0, 70.0)
        self.assertEqual(self.durability.until, (100.0, 70.0))

    def test_flushes(self) -> None:
        """Without a lag all that is in files is on the disk; with one, what is older than the lag and the
        time between two flushes, for a record may have waited so long for its flush."""
        self.durability.start(100.0, None)
        self.assertEqual(self.flushed(110.0, 110.1, 0.0), (110.0, 110.0))
        self.assertEqual(self.flushed(120.0, 120.1, 3.0), (120.0, 116.5))

    def test_an_earlier_run(self) -> None:
        """No more is certain than an earlier run's records are, until these are on the disk."""
        self.durability.start(100.0, 70.0)
        self.assertEqual(self.flushed(110.0, 110.0, 0.0), (110.0, 70.0))
        self.assertEqual(self.flushed(60.0, 111.0, 0.0), (60.0, 60.0))
        self.assertEqual(self.flushed(112.0, 112.0, 0.0, recovered=True), (112.0, 112.0))
        self.assertEqual(self.flushed(113.0, 113.0, 0.0), (113.0, 113.0))

    def test_after_an_incomplete_flush(self) -> None:
        """What could not be written is written later, and is then older than it seems. So the first complete
        flush moves nothing on until it is on the disk itself: no sync before it counts."""
        self.durability.start(100.0, None)
        self.assertEqual(self.flushed(110.0, 110.0, 1.0), (110.0, 108.5))
        self.durability.not_flushed()
        self.assertEqual(self.flushed(120.0, 120.0, 1.0), (120.0, 108.5))
        self.assertEqual(self.flushed(121.0, 121.0, 1.0), (121.0, 108.5))
        self.assertEqual(self.flushed(121.5, 121.5, 1.0), (121.5, 120.0))
        self.durability.not_flushed()
        self.assertEqual(self.flushed(130.0, 130.0, 0.0), (130.0, 130.0))

    def test_the_first_flush_is_complete(self) -> None:
        """A run in which everything could be written has nothing to catch up with, wherever the clock is."""
        self.assertEqual(self.flushed(-5.0, -5.0, 1.0), (-5.0, -6.5))
        self.durability.start(100.0, None)
        self.assertEqual(self.flushed(100.5, 100.5, 1.0), (100.5, 99.0))


class GapTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.durability = Durability(interval=0.5)
        self.durability.start(100.0, None)

    def test_a_record_that_is_not_safe(self) -> None:
        """From the time at which a record is to be written until it is on the disk, the room may be missing
        since its gap began; it is written with the next flush, and is safe once that is."""
        self.durability.gap(ANN, 90.0)
        self.assertEqual((self.durability.gap_since(ANN), self.durability.gap_since(BOB)), (90.0, None))
        self.assertEqual(self.durability.flushed(101.0, 101.0, 0.0, False), [])
        self.assertEqual(self.durability.gap_since(ANN), 90.0)
        self.assertEqual(self.durability.flushed(102.0, 102.0, 1.0, False), [])
        self.assertEqual(self.durability.flushed(102.5, 102.5, 1.0, False), [ANN])
        self.assertIsNone(self.durability.gap_since(ANN))
        self.assertEqual(self.durability.flushed(103.0, 103.0, 0.0, False), [])

    def test_without_a_lag(self) -> None:
        """If everything is on the disk, so are the records of the flush before."""
        self.durability.gap(ANN, 90.0)
        self.durability.flushed(101.0, 101.0, 5.0, False)
        self.assertEqual(self.durability.flushed(101.0, 101.0, 0.0, False), [ANN])

    def test_several_gaps(self) -> None:
        """Of several gaps the earliest counts, whichever is told first, until the record of the last one is
        safe."""
        for first, second in ((90.0, 95.0), (95.0, 90.0)):
            self.setUp()
            self.durability.gap(ANN, first)
            self.durability.flushed(101.0, 101.0, 0.0, False)
            self.durability.gap(ANN, second)
            self.assertEqual(self.durability.gap_since(ANN), 90.0)
            self.assertEqual(self.durability.flushed(102.0, 102.0, 0.0, False), [])
            self.assertEqual(self.durability.gap_since(ANN), 90.0)
            self.assertEqual(self.durability.flushed(103.0, 103.0, 0.0, False), [ANN])

    def test_rooms_that_go(self) -> None:
        """A room that is no longer recorded is no longer told of, also if nothing was; others stay."""
        self.durability.gap(ANN, 90.0)
        self.durability.gap(BOB, 91.0)
        self.durability.forget(ANN)
        self.durability.forget(ANN)
        self.assertIsNone(self.durability.gap_since(ANN))
        self.assertEqual(self.durability.gap_since(BOB), 91.0)
        self.durability.flushed(101.0, 101.0, 0.0, False)
        self.assertEqual(self.durability.flushed(102.0, 102.0, 0.0, False), [BOB])
