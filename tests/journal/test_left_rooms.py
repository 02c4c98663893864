"""Rooms that a recorder had and has no more: what its manifest says of them, and the records of what it
missed, also if it is killed before it could say so."""

from __future__ import annotations

import errno

from chatlog.timeline.timeline import Gap
from chatlog.timeline.timelines import CoverageTotals
from tests.journal.test_coverage_journal import START, JournalCase, Run


def no_writes(operation: str, path: str) -> None:
    """The disk refuses everything."""
    if operation in ("write", "create"):
        raise OSError(errno.EIO, "Input/output error", path)


def without_times(rows: list[CoverageTotals]) -> list[tuple[object, ...]]:
    """Room, seconds recorded, seconds missing, and why."""
    return [tuple(row[1:5]) for row in rows]


class RowsTests(JournalCase):
    """The seconds of rooms that were removed in the period of a run that was killed."""

    def removed(self, **options: object) -> Run:
        """A run that removes ``b`` after 100 seconds, and is killed after 150."""
        run = self.run_from(START, **options)
        run.acknowledge("a", "b")
        run.advance(100)
        run.remove("b")
        run.advance(50)
        run.kill()
        return run

    def test_removed_before_the_kill(self) -> None:
        """A room that was removed, or handed over, before the kill keeps its row, over several kills."""
        self.removed()
        for at, kills in ((160.0, 1), (170.0, 2)):
            run = self.run_from(START + at, wanted=("a",), rooms=("a",))
            [_, row] = run.rows(START)
            self.assertEqual(row[1:5], ("b", 100.0, 0.0, "removed"), kills)
            run.advance(5)
            run.kill()

    def test_spans(self) -> None:
        """The row still says when the room was recorded."""
        run = self.run_from(START, shared=True)
        run.timelines.is_elsewhere = lambda key: True
        run.acknowledge("a", "b")
        run.advance(20)
        run.lose("b", 1, START + 5.0, START + 7.0)
        run.remove("b")
        run.advance(50)
        run.kill()
        run = self.run_from(START + 160.0, wanted=("a",), rooms=("a",), shared=True)
        [_, row] = run.rows(START)
        self.assertEqual(row[2:5], (18.0, 2.0, "handed over"))
        self.assertEqual(row.spans, ((START, START + 5.0), (START + 7.0, START + 20.0)))
        self.assertEqual(row.gaps, ((START + 5.0, START + 7.0),))

    def test_back_again(self) -> None:
        """A room that came back before the kill has the seconds of both times, and is missing since the
        kill alone."""
        run = self.run_from(START, shared=True)
        run.acknowledge("a", "b")
        run.advance(100)
        run.remove("b")
        run.advance(50)
        run.wanted.append(("twitch", "b"))
        run.add("b")
        run.clock.advance(0)
        run.acknowledge("b")
        run.advance(20)
        run.kill()
        run = self.run_from(START + 180.0, shared=True)
        run.acknowledge("a", "b")
        run.advance(5)
        [_, row] = run.rows(START)
        self.assertEqual(row[2:5], (125.0, 10.0, ""))
        times = ((0.0, 100.0), (150.0, 170.0), (180.0, 185.0))
        self.assertEqual(row.spans, tuple((START + start, START + end) for start, end in times))
        self.assertEqual(row.gaps, ((START + 170.0, START + 180.0),))

    def test_next_period(self) -> None:
        """No second is told in two periods."""
        run = self.run_from(START)
        run.acknowledge("a", "b")
        run.advance(100)
        run.remove("b")
        run.advance(5)
        run.timelines.start_period(run.now())
        run.advance(5)
        run.kill()
        run = self.run_from(START + 160.0, wanted=("a",), rooms=("a",))
        self.assertEqual([row.channel for row in run.rows(START + 105.0)], ["a"])

    def test_power_failure(self) -> None:
        """What was recorded before the room was removed, and had not reached the disk, is missing."""
        run = self.run_from(START)
        run.acknowledge("a", "b")
        run.advance(10)
        run.lag = 4.0
        run.advance(5)
        run.remove("b")
        run.advance(1)
        run.kill()
        run = self.run_from(START + 60.0, boot="another start", wanted=("a",), rooms=("a",))
        run.advance(0.5)
        self.assertEqual(run.gaps, [("b", Gap(START + 11.5, START + 60.5, "restart"))])

    def test_entry_that_is_lost(self) -> None:
        """Where the disk refused the entry that says so, the next one that has everything does."""
        run = self.run_from(START)
        run.acknowledge("a", "b")
        run.advance(10)
        self.files.rule = no_writes
        run.remove("b")
        run.advance(5)
        self.files.rule = lambda operation, path: None
        run.advance(10)
        run.kill()
        run = self.run_from(START + 60.0, wanted=("a",), rooms=("a",))
        run.advance(1)
        self.assertEqual(run.gaps, [])
        [_, row] = run.rows(START)
        self.assertEqual(row[1:5], ("b", 10.0, 0.0, "removed"))


class DismissedTests(JournalCase):
    """Rooms that nobody wants any more when the next run begins."""

    def killed(self, **options: object) -> None:
        """A run with the rooms ``a`` and ``b``, of which ``b`` is lost after 5 seconds; killed after 10."""
        run = self.run_from(START, **options)
        run.acknowledge("a", "b")
        run.advance(5)
        run.pool.refused(run.links[0], "b", "gone")
        run.advance(5)
        run.kill()

    def test_taken_off_meanwhile(self) -> None:
        """A room that is taken off the list while the recorder is dead was missing until that is known: it
        has its row and a gap record, and both only once."""
        self.killed()
        run = self.run_from(START + 60.0, wanted=(), rooms=())
        run.advance(10)
        self.assertEqual(
            run.gaps,
            [
                ("a", Gap(START + 10.0, START + 60.5, "restart")),
                ("b", Gap(START + 5.0, START + 60.5, "refused: gone")),
            ],
        )
        expected = [("a", 10.0, 50.5, "removed"), ("b", 5.0, 55.5, "removed")]
        self.assertEqual(without_times(run.rows(START)), expected)
        run.kill()
        run = self.run_from(START + 90.0, wanted=(), rooms=())
        run.advance(10)
        self.assertEqual(run.gaps, [])
        self.assertEqual(without_times(run.rows(START)), expected)

    def test_hour_that_ended_meanwhile(self) -> None:
        """Its row is in the hour in which it was recorded, and the hour after that has what is left of the
        gap."""
        self.killed()
        run = self.run_from(START + 60.0, wanted=(), rooms=())
        rows = list(run.timelines.rows(START, START + 40.0))
        self.assertEqual(without_times(rows), [("a", 10.0, 30.0, "removed"), ("b", 5.0, 35.0, "removed")])
        run.timelines.start_period(START + 40.0)
        run.advance(1)
        self.assertEqual(
            without_times(run.rows(START + 40.0)), [("a", 0.0, 20.5, "removed"), ("b", 0.0, 20.5, "removed")]
        )

    def test_waiting(self) -> None:
        """Where others know what is wanted, rooms of the earlier run wait for them: one that is wanted all
        the same goes on with its gap, over the end of a period as well; the others are dismissed."""
        self.killed(shared=True)
        run = self.run_from(START + 60.0, wanted=(), rooms=(), shared=True)
        run.advance(10)
        run.timelines.start_period(START + 65.0)
        self.assertEqual(run.gaps, [])
        run.wanted.append(("twitch", "a"))
        run.add("a")
        run.clock.advance(0)
        run.acknowledge("a")
        self.assertEqual(run.gaps, [("a", Gap(START + 10.0, START + 70.0, "restart"))])
        run.coverage.settle()
        run.coverage.settle()
        self.assertEqual(run.gaps[1:], [("b", Gap(START + 5.0, START + 70.0, "refused: gone"))])
        run.advance(5)
        self.assertEqual(
            without_times(run.rows(START + 65.0)), [("a", 5.0, 5.0, ""), ("b", 0.0, 5.0, "removed")]
        )

    def test_killed_while_waiting(self) -> None:
        """A run that is killed before it knew leaves everything to the next."""
        self.killed(shared=True)
        run = self.run_from(START + 60.0, wanted=(), rooms=(), shared=True)
        run.advance(10)
        run.kill()
        run = self.run_from(START + 90.0, wanted=(), rooms=(), shared=True)
        run.coverage.settle()
        self.assertEqual(
            run.gaps,
            [
                ("a", Gap(START + 10.0, START + 90.0, "restart")),
                ("b", Gap(START + 5.0, START + 90.0, "refused: gone")),
            ],
        )
        [row, _] = run.rows(START)
        self.assertEqual((row.spans, row.gaps), (((START, START + 10.0),), ((START + 10.0, START + 90.0),)))

    def test_taken_off_before_it_came_into_a_pool(self) -> None:
        """A room that is removed while its ids are looked up was missing until then."""
        self.killed()
        run = self.run_from(START + 60.0, rooms=("a",))
        run.acknowledge("a")
        run.advance(10)
        run.wanted.remove(("twitch", "b"))
        run.coverage.dismissed("twitch", "b")
        run.coverage.dismissed("twitch", "never seen")
        self.assertEqual(run.gaps[1:], [("b", Gap(START + 5.0, START + 70.0, "refused: gone"))])
        run.advance(10)
        run.kill()
        run = self.run_from(START + 90.0, wanted=("a",), rooms=("a",))
        run.acknowledge("a")
        self.assertEqual([name for name, _ in run.gaps], ["a"])


class GapTimesTests(JournalCase):
    def test_times_of_gaps(self) -> None:
        """After a restart it is still known when in the period a shared room was missing."""
        run = self.run_from(START, shared=True)
        run.acknowledge("a", "b")
        run.advance(20)
        run.lose("a", 1, START + 5.0, START + 7.0)
        run.lose("a", 1, START + 12.0, START + 13.0)
        run.advance(10)
        run.kill()
        run = self.run_from(START + 40.0, shared=True)
        run.acknowledge("a", "b")
        run.advance(10)
        [row, _] = run.rows(START)
        self.assertEqual(row[2:4], (37.0, 13.0))
        gaps = ((START + 5.0, START + 7.0), (START + 12.0, START + 13.0), (START + 30.0, START + 40.0))
        self.assertEqual(row.gaps, gaps)
