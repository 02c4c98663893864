"""RoomTimeline of a room: when it was recorded, and the holes between."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.timeline.intervals import ConnectionIntervals
from chatlog.timeline.timeline import Gap, RoomTimeline


class CoverageTests(SynchronousTestCase):
    def test_first_beginning_closes_no_hole(self) -> None:
        """Before a room is recorded for the first time nothing was promised."""
        self.assertIsNone(RoomTimeline().began(5.0))

    def test_hole_between_two_intervals(self) -> None:
        """A hole runs from the end of coverage to its next beginning, with the first reason."""
        timeline = RoomTimeline()
        timeline.began(1.0)
        timeline.ended(2.0, "connection lost")
        timeline.ended(3.0, "reconnect")
        self.assertEqual(timeline.began(4.0), Gap(2.0, 4.0, "connection lost"))
        self.assertIsNone(timeline.began(5.0))

    def test_reason_that_turns(self) -> None:
        """When the cause changes, the hole is cut in two that touch."""
        timeline = RoomTimeline()
        timeline.began(1.0)
        timeline.ended(2.0, "connection lost")
        self.assertEqual(timeline.turned(3.0, "refused: x"), Gap(2.0, 3.0, "connection lost"))
        self.assertIsNone(timeline.turned(3.5, "refused: x"))
        self.assertEqual(timeline.began(4.0), Gap(3.0, 4.0, "refused: x"))

    def test_nothing_turns_while_covered(self) -> None:
        """A recorded room has no hole whose cause could change."""
        timeline = RoomTimeline()
        timeline.began(1.0)
        self.assertIsNone(timeline.turned(2.0, "x"))

    def test_hole_left_by_an_earlier_run(self) -> None:
        """What an earlier run left open is closed when the room is first recorded again."""
        timeline = RoomTimeline()
        timeline.missing(1.0, "restart")
        self.assertEqual(timeline.began(9.0), Gap(1.0, 9.0, "restart"))

    def test_clock_that_stepped_back(self) -> None:
        """A hole never ends before it began, even if the wall clock was set back meanwhile."""
        timeline = RoomTimeline()
        timeline.began(1.0)
        timeline.ended(100.0, "connection lost")
        self.assertEqual(timeline.began(50.0), Gap(100.0, 100.0, "connection lost"))


class SpansTests(SynchronousTestCase):
    """What several connections of one room had between them."""

    def spans(self, *past: tuple[float, float]) -> ConnectionIntervals:
        spans = ConnectionIntervals()
        for start, end in past:
            spans.ended(start, end)
        return spans

    def test_parts_that_nobody_had(self) -> None:
        """Whatever lies outside of every span is uncovered, in order; spans may touch, overlap and lie
        within each other, and come in any order."""
        table: list[tuple[list[tuple[float, float]], list[float], list[tuple[float, float]]]] = [
            ([], [], [(10, 20)]),
            ([(0, 20)], [], []),
            ([(0, 30)], [], []),
            ([(0, 10)], [], [(10, 20)]),
            ([(20, 30)], [], [(10, 20)]),
            ([(12, 14), (16, 18)], [], [(10, 12), (14, 16), (18, 20)]),
            ([(16, 18), (12, 14)], [], [(10, 12), (14, 16), (18, 20)]),
            ([(0, 15), (12, 13), (13, 17)], [], [(17, 20)]),
            ([(0, 12)], [15], [(12, 15)]),
            ([(0, 12)], [12], []),
            ([], [20], [(10, 20)]),
            ([], [0], []),
            ([(11, 13)], [18, 12], [(10, 11)]),
        ]
        for past, present, expected in table:
            self.assertEqual(self.spans(*past).uncovered(10, 20, present), expected, (past, present))

    def test_nothing_to_cover(self) -> None:
        """Of no time nothing is missing."""
        self.assertEqual(self.spans().uncovered(10, 10), [])
        self.assertEqual(self.spans().uncovered(11, 10, [0]), [])

    def test_memory_is_bounded(self) -> None:
        """A connection that comes and goes for ever makes nothing grow; the latest spans count."""
        spans = ConnectionIntervals()
        for n in range(1000):
            spans.ended(n, n + 0.5)
        self.assertLess(len(spans.after(0)), 50)
        self.assertEqual(spans.uncovered(998.5, 1000), [(998.5, 999), (999.5, 1000)])
