"""Coverage of a room: when it was recorded, and the holes between."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.coverage import Coverage, Hole


class CoverageTests(SynchronousTestCase):
    def test_first_beginning_closes_no_hole(self) -> None:
        """Before a room is recorded for the first time nothing was promised."""
        self.assertIsNone(Coverage().began(5.0))

    def test_hole_between_two_intervals(self) -> None:
        """A hole runs from the end of coverage to its next beginning, with the first reason."""
        coverage = Coverage()
        coverage.began(1.0)
        coverage.ended(2.0, "connection lost")
        coverage.ended(3.0, "reconnect")
        self.assertEqual(coverage.began(4.0), Hole(2.0, 4.0, "connection lost"))
        self.assertIsNone(coverage.began(5.0))

    def test_reason_that_turns(self) -> None:
        """When the cause changes, the hole is cut in two that touch."""
        coverage = Coverage()
        coverage.began(1.0)
        coverage.ended(2.0, "connection lost")
        self.assertEqual(coverage.turned(3.0, "refused: x"), Hole(2.0, 3.0, "connection lost"))
        self.assertIsNone(coverage.turned(3.5, "refused: x"))
        self.assertEqual(coverage.began(4.0), Hole(3.0, 4.0, "refused: x"))

    def test_nothing_turns_while_covered(self) -> None:
        """A covered room has no hole whose cause could change."""
        coverage = Coverage()
        coverage.began(1.0)
        self.assertIsNone(coverage.turned(2.0, "x"))

    def test_hole_left_by_an_earlier_run(self) -> None:
        """What an earlier run left open is closed when the room is first recorded again."""
        coverage = Coverage()
        coverage.missing(1.0, "restart")
        self.assertEqual(coverage.began(9.0), Hole(1.0, 9.0, "restart"))

    def test_clock_that_stepped_back(self) -> None:
        """A hole never ends before it began, even if the wall clock was set back meanwhile."""
        coverage = Coverage()
        coverage.began(1.0)
        coverage.ended(100.0, "connection lost")
        self.assertEqual(coverage.began(50.0), Hole(100.0, 100.0, "connection lost"))
