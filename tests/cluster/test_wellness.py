"""When a recorder counts as hearing too little of a platform."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.cluster.wellness import AGAIN, POOR, Wellness


class WellnessTests(SynchronousTestCase):
    """One platform."""

    def setUp(self) -> None:
        self.wellness = Wellness()

    def judge(self, now: float, wanted: int, recorded: int, disk: bool = True) -> bool:
        """What it says at a time."""
        return self.wellness.judge(now, wanted, recorded, disk)

    def test_half_for_long(self) -> None:
        """Less than half of the rooms for 30 seconds is too little; half is not, nor is a moment."""
        self.assertFalse(self.judge(0.0, 10, 4))
        self.assertFalse(self.judge(POOR - 1.0, 10, 4))
        self.assertFalse(self.judge(POOR, 10, 5))
        self.assertFalse(self.judge(POOR + 1.0, 10, 4))
        self.assertTrue(self.judge(2 * POOR + 1.0, 10, 4))
        self.assertFalse(self.judge(2 * POOR + 2.0, 10, 9))

    def test_no_room(self) -> None:
        """Without rooms nothing is wrong."""
        self.assertFalse(self.judge(0.0, 0, 0))
        self.assertFalse(self.judge(100.0, 0, 0))

    def test_the_disk(self) -> None:
        """A disk that refuses for long makes it unwell, whatever it hears."""
        self.judge(0.0, 10, 10, disk=False)
        self.assertTrue(self.judge(POOR, 10, 10, disk=False))
        self.assertFalse(self.judge(POOR + 1.0, 10, 10))

    def test_tried_again(self) -> None:
        """Once its rooms are given away it is tried again, less and less often if that does not help."""
        now, waits = 0.0, []
        for _ in range(3):
            self.judge(now, 10, 0)
            now += POOR
            self.assertTrue(self.judge(now, 10, 0))
            began = now
            while self.judge(now, 0, 0):
                now += 1.0
            waits.append(now - began)
        self.assertEqual(waits, [AGAIN, 2 * AGAIN, 4 * AGAIN])
