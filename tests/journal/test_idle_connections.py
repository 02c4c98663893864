"""Connections that say nothing when the process dies: whether they were alive, nobody knows."""

from __future__ import annotations

import errno
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatlog.journal.evidence import IDLE, IdleConnections
from chatlog.timeline.timeline import Gap
from tests.journal.test_coverage_journal import START, JournalCase, Run


def _no_writes(operation: str, path: str) -> None:
    if operation in ("write", "create"):
        raise OSError(errno.ENOSPC, "No space left on device", path)


class IdleTests(JournalCase):
    def run_from(self, at: float, **options: Any) -> Run:
        return super().run_from(at, quiet=True, **options)

    def idle_for(self, *seconds: float) -> float:
        """When the gap begins after a kill at START + 60; each link has then been quiet for so long."""
        run = self.run_from(START, lanes=len(seconds))
        for link in run.links:
            run.played.up(link)
        run.clock.advance(0)
        for link in run.links:
            for name in run.pool.rooms:
                run.pool.acknowledged(link, name)
        while run.now() < START + 60.0:
            run.advance(0.5)
            for link, quiet in zip(run.links, seconds, strict=True):
                run.heard(link, min(run.now(), START + 60.0 - quiet))
        run.flush()
        run.kill()
        return self.gap_after(run)

    def gap_after(self, killed: Run, boot: str = "one start") -> float:
        run = self.run_from(killed.now() + 20.0, boot=boot)
        run.acknowledge("a")
        [(_, gap)] = run.gaps
        self.assertEqual((gap.end, gap.reason), (killed.now() + 20.0, "restart"))
        return gap.start

    def test_killed(self) -> None:
        """A gap begins when the connection was heard for the last time: perhaps it had been dead since."""
        self.assertEqual(self.idle_for(20.0), START + 40.0)
        self.assertEqual(self.idle_for(0.0), START + 60.0)

    def test_two_connections(self) -> None:
        """One of the connections that have the room is enough."""
        self.assertEqual(self.idle_for(20.0, 0.0), START + 60.0)
        self.assertEqual(self.idle_for(20.0, 30.0), START + 40.0)

    def gone_and_back(self, boot: str = "one start") -> Run:
        """Killed at START + 60. Of two connections one has been quiet since START + 20; the other was lost at
        START + 30 and had the room again at START + 40."""
        run = self.run_from(START, lanes=2, boot=boot)
        first, second = run.links
        for link in run.links:
            run.played.up(link)
        run.clock.advance(0)
        for link in run.links:
            for name in run.pool.rooms:
                run.pool.acknowledged(link, name)
        while run.now() < START + 60.0:
            run.advance(0.5)
            run.heard(first, min(run.now(), START + 20.0))
            run.heard(second, run.now())
            if run.now() == START + 30.0:
                run.played.down(second, run.now(), "connection lost")
            if run.now() == START + 40.0:
                run.played.up(second)
                run.clock.advance(0)
                run.pool.acknowledged(second, "a")
        run.flush()
        self.assertEqual(run.gaps, [])
        run.kill()
        return run

    def test_hole_that_was_over(self) -> None:
        """Where the other connection was gone for a while and is back, what none of them had in between is a
        gap of its own, and what they had since is not missing."""
        self.gone_and_back()
        run = self.run_from(START + 80.0)
        run.acknowledge("a")
        between = Gap(START + 30.0, START + 40.0, "connection lost")
        self.assertEqual(run.gaps, [("a", between), ("a", Gap(START + 60.0, START + 80.0, "restart"))])
        run.advance(5)
        run.kill()
        self.assertEqual(self.gap_after(run), START + 80.0)

    def test_hole_that_was_over_and_another_kill(self) -> None:
        """It is not forgotten by a process that dies before the room is there, or before it has written
        anything; it is not told twice by one that dies later."""
        self.gone_and_back()
        self.run_from(START + 80.0, rooms=()).kill()
        run = self.run_from(START + 90.0, rooms=())
        run.advance(5)
        run.kill()
        run = self.run_from(START + 100.0)
        self.assertEqual(run.gaps, [("a", Gap(START + 30.0, START + 40.0, "connection lost"))])
        run.flush()
        run.kill()
        run = self.run_from(START + 110.0)
        run.acknowledge("a")
        self.assertEqual(run.gaps, [("a", Gap(START + 60.0, START + 110.0, "restart"))])

    def test_hole_of_a_room_that_is_not_wanted(self) -> None:
        """It has its gap record as well if the room was taken off the list while the recorder was dead."""
        self.gone_and_back()
        run = self.run_from(START + 80.0, wanted=("b",), rooms=("b",))
        run.flush()
        between = Gap(START + 30.0, START + 40.0, "connection lost")
        self.assertEqual(run.gaps, [("a", between), ("a", Gap(START + 60.0, START + 80.0, "restart"))])
        run.advance(5)
        run.kill()
        run = self.run_from(START + 90.0, wanted=("b",), rooms=("b",))
        run.flush()
        self.assertEqual(run.gaps, [])

    def test_heard_again(self) -> None:
        """What was quiet and is no more has lost nothing; what is quiet again is so since then."""
        run = self.run_from(START)
        run.acknowledge("a")
        [link] = run.links
        run.advance(20)
        run.heard(link, run.now())
        run.advance(5)
        run.kill()
        self.assertEqual(self.gap_after(run), START + 20.0)
        run = self.run_from(START + 1000.0)
        run.acknowledge("a")
        [link] = run.links
        run.advance(20)
        run.heard(link, run.now())
        run.flush()
        run.kill()
        self.assertEqual(self.gap_after(run), START + 1020.0)

    def test_moved(self) -> None:
        """A room that has moved to another connection is none of the old one's business."""
        run = self.run_from(START)
        run.acknowledge("a")
        [old] = run.links
        run.advance(10)
        old.asked_to_leave()
        new = run.links[1]
        run.played.up(new)
        run.clock.advance(0)
        run.pool.acknowledged(new, "a")
        for _ in range(4):
            run.heard(new, run.now())
            run.advance(0.5)
        run.kill()
        self.assertEqual(self.gap_after(run), START + 12.0)

    def test_power_cut_after_the_restart(self) -> None:
        """The machine that dies before the killed process's records are safe changes nothing about it."""
        run = self.run_from(START, boot="a")
        run.acknowledge("a")
        run.advance(30)
        run.kill()
        second = self.run_from(START + 40.0, boot="a")
        second.recovered = False
        second.advance(3)
        second.kill()
        self.assertEqual(self.gap_after(second, boot="b"), START)

    def test_journal_that_could_not_be_written(self) -> None:
        """Nothing that is quiet no more stays so in a journal that could not be written for a while."""
        run = self.run_from(START)
        run.acknowledge("a")
        [link] = run.links
        run.advance(10)
        self.files.rule = _no_writes
        run.heard(link, run.now())
        run.flush()
        self.files.rule = lambda operation, path: None
        for _ in range(4):
            run.heard(link, run.now())
            run.advance(0.5)
        run.kill()
        self.assertEqual(self.gap_after(run), START + 12.0)

    def test_journal_that_could_not_be_begun_anew(self) -> None:
        """What an earlier run noted of its quiet connections says nothing about those of this one, which have
        the same numbers, also where the journal could not be begun anew."""
        run = self.run_from(START, lanes=2)
        for link in run.links:
            run.played.up(link)
            run.pool.acknowledged(link, "a")
        run.advance(30)
        run.kill()
        self.files.rule = _no_writes
        second = self.run_from(START + 40.0)
        second.acknowledge("a")
        self.files.rule = lambda operation, path: None
        second.flush()
        second.links[0].asked_to_leave()
        second.played.up(second.links[1])
        second.pool.acknowledged(second.links[1], "a")
        for _ in range(20):
            second.heard(second.links[1], second.now() + 0.5)
            second.advance(0.5)
        second.kill()
        self.assertEqual(self.gap_after(second), START + 50.0)


class Link:
    """A connection that was heard so many seconds ago, of what was sent so many seconds earlier."""

    def __init__(self, ago: float, late: float = 0.0, number: int = 1) -> None:
        self.ago = ago
        self.late = late
        self.number = number

    def heard(self) -> tuple[float, float]:
        return self.ago, self.late


class Links:
    """A pool of these connections."""

    def __init__(self, *links: Link) -> None:
        self.connections = links


class ChangeTests(SynchronousTestCase):
    """What is written of a connection that is idle."""

    def setUp(self) -> None:
        self.link = Link(0.0)
        self.idle = IdleConnections({"twitch": Links(self.link)})  # type: ignore[dict-item]

    def changes(self, at: float, ago: float) -> list[float | None]:
        self.link.ago = ago
        return list(self.idle.changes(at).values())

    def test_begins(self) -> None:
        """A connection is idle once nothing came for longer than IDLE seconds, since its last byte."""
        self.assertEqual(self.changes(START, IDLE), [])
        self.assertEqual(self.changes(START, IDLE + 0.5), [START - IDLE - 0.5])

    def test_goes_on(self) -> None:
        """While it stays idle, nothing more is written of it: it makes no difference that its time of the
        last byte is told a little differently."""
        self.changes(START, 10.0)
        self.idle.note()
        for later in (0.0, 0.5, 0.9):
            self.assertEqual(self.changes(START + 60.0 + later, 70.0), [])
            self.idle.note()
        self.assertEqual(self.idle.noted, {("twitch", 1): START - 10.0})

    def test_heard_in_between(self) -> None:
        """A byte that came a second or more after the one that is noted counts."""
        for later in (1.0, 1.5, 3.0):
            self.changes(START, 10.0)
            self.idle.note()
            self.assertEqual(self.changes(START + 60.0, 70.0 - later), [START - 10.0 + later])
            self.idle.note()
            self.assertEqual(self.changes(START + 70.0, 0.0), [None])
            self.idle.note()

    def test_unsure(self) -> None:
        """Once nobody knows what is written, everything is written anew."""
        self.changes(START, 10.0)
        self.idle.note()
        self.idle.unsure()
        self.assertEqual(self.changes(START + 1.0, 11.0), [START - 10.0])
        self.idle.unsure()
        self.assertEqual(self.changes(START + 2.0, 0.0), [None])

    def test_late(self) -> None:
        """Of a platform's connections the latest one counts, however little it is late; a platform that is
        not late at all is not named."""
        late = Link(0.0, 0.25, 1), Link(0.0, 0.5, 2), Link(0.0, 0.125, 3)
        pools = {"twitch": Links(*late), "kick": Links(Link(0.0))}
        idle = IdleConnections(pools)  # type: ignore[arg-type]
        idle.changes(START)
        self.assertEqual(idle.late, {"twitch": 0.5})
