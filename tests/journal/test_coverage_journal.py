"""What a run leaves behind for the next one, and the gaps that the next one finds."""

from __future__ import annotations

import errno
import random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatlog.journal.coverage_journal import CoverageJournal
from chatlog.journal.evidence import Evidence
from chatlog.journal.snapshots import RoomSnapshot, flush_entry, head, replay
from chatlog.recorder.buffers import RoomBuffers
from chatlog.recorder.room import Loss
from chatlog.rooms.connection import Connection
from chatlog.rooms.connections import Limits
from chatlog.rooms.subscriptions import Room
from chatlog.state.journal import LARGEST, Journal
from chatlog.state.lines import encode
from chatlog.timeline.timeline import Gap, RoomTimeline
from chatlog.timeline.timelines import CoverageTotals, Timelines
from tests.fakes import ImmediateThreads, MemoryFiles, QueuedThreads, environment
from tests.played import Played
from tests.state import numbered
from tests.state.test_lines import ENTRIES

START = 1_700_000_000.0
JOURNAL = "/data/state/coverage"


class Run:
    """One life of a process with two Twitch rooms, ``a`` and ``b``, on a file system that may have seen
    earlier ones. Time passes by ``advance``, with a flush every half second."""

    def __init__(
        self,
        files: MemoryFiles,
        at: float,
        boot: str = "this start",
        wanted: tuple[str, ...] = ("a", "b"),
        rooms: tuple[str, ...] = ("a", "b"),
        threads: ImmediateThreads | QueuedThreads | None = None,
        lanes: int = 1,
        quiet: bool = False,
        shared: bool = False,
    ) -> None:
        """``shared``: the rooms are shared with others."""
        self.files = files
        self.clock = Clock()
        self.offset = at
        self.gaps: list[tuple[str, Gap]] = []
        #: The rooms whose records were lost, with their ids.
        self.losses: list[tuple[str, str]] = []
        self.played = Played(self.now, quiet)
        self.complete = self.recovered = True
        self.lag = 0.0
        self.wanted = [("twitch", name) for name in wanted]
        around = environment(self.clock, self.now, files, threads, boot=boot)
        self.journal = journal = Journal(around, "/data", "coverage")
        self.timelines = Timelines(self.now, lambda: self.wanted)
        self.timelines.with_spans = shared
        self.buffers = RoomBuffers()
        coverage = CoverageJournal(journal, around, self, self.timelines, 0.5, self.buffers.room)
        self.coverage = coverage
        if shared:
            coverage.waits = True
        limits = Limits(90, 1000, 10.0, lanes)
        self.pool = self.played.pool(
            around, coverage.closed, limits, added=coverage.added, removed=coverage.removed
        )
        self.coverage.watch(self.pool)
        for name in rooms:
            self.add(name)
        self.coverage.startService()
        self.pool.startService()
        self.clock.advance(0)

    def now(self) -> float:
        return self.offset + self.clock.seconds()

    def closed(self, platform: str, room: Room, gap: Gap) -> None:
        self.gaps.append((room.name, gap))

    def lost(self, loss: Loss, identifier: str) -> None:
        self.losses.append((loss.channel, identifier))

    @property
    def links(self) -> list[Connection]:
        return self.played.connections

    def heard(self, link: Connection, at: float) -> None:
        """The connection is heard, unless it was later than that."""
        wire = self.played.wire(link)
        wire.last = max(at, wire.last or at)

    def add(self, name: str, identifier: str = "") -> None:
        self.pool.add(Room(name, None, identifier))  # type: ignore[arg-type]

    def remove(self, name: str) -> None:
        self.wanted.remove(("twitch", name))
        self.pool.remove(name)

    def acknowledge(self, *names: str) -> None:
        [link] = self.links
        if not link.up:
            self.played.up(link)
            self.clock.advance(0)
        for name in names:
            self.pool.acknowledged(link, name)

    def lose(self, name: str, count: int, first: float, last: float) -> None:
        """So many records of the room could not be kept."""
        self.coverage.lost_records([Loss("twitch", name, count, first, last)])

    def flush(self) -> None:
        self.coverage.flushed(self.now(), self.complete, self.lag, self.recovered)

    def advance(self, seconds: float) -> None:
        for _ in range(round(seconds * 2)):
            self.clock.advance(0.5)
            self.flush()

    def kill(self) -> None:
        self.files.kill()

    def stop(self) -> None:
        """An orderly end: pools, coverage journal, and the recorder's last flush."""
        self.pool.stopService()
        for link in self.links:
            if link.up:
                self.played.down(link, self.now() - 20.0, "connection lost")
        self.coverage.stopService()
        self.flush()

    def rows(self, since: float) -> list[CoverageTotals]:
        return list(self.timelines.rows(since, self.now()))


class JournalCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.files = MemoryFiles()
        self.files.make_directories("/data")

    def run_from(self, at: float, **options: object) -> Run:
        run = Run(self.files, at, **options)  # type: ignore[arg-type]
        self.addCleanup(lambda: run.pool.running and run.pool.stopService())
        return run


class RestartTests(JournalCase):
    def test_first_start(self) -> None:
        """A recorder that starts for the first time finds no gap."""
        run = self.run_from(START)
        run.acknowledge("a", "b")
        run.advance(5)
        self.assertEqual(run.gaps, [])

    def test_killed(self) -> None:
        """After a kill, every room that was recorded has a gap from the last flush to its first
        acknowledgement, because of the restart."""
        run = self.run_from(START)
        run.acknowledge("a", "b")
        run.advance(10)
        run.kill()
        run = self.run_from(START + 60.0)
        run.advance(3)
        run.acknowledge("a")
        run.advance(2)
        run.acknowledge("b")
        self.assertEqual(
            run.gaps,
            [
                ("a", Gap(START + 10.0, START + 63.0, "restart")),
                ("b", Gap(START + 10.0, START + 65.0, "restart")),
            ],
        )

    def test_killed_again_and_again(self) -> None:
        """A process that dies before a room is back does not lose where the gap began."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.advance(10)
        run.kill()
        for n in range(5):
            run = self.run_from(START + 20.0 + 5 * n)
            run.advance(n)
            run.kill()
        run = self.run_from(START + 100.0)
        run.acknowledge("a")
        self.assertEqual(run.gaps, [("a", Gap(START + 10.0, START + 100.0, "restart"))])

    def test_killed_while_a_hole_was_open(self) -> None:
        """A gap that was open when the process died goes on, with its own beginning and reason."""
        run = self.run_from(START)
        run.acknowledge("a", "b")
        run.advance(10)
        run.pool.parted(run.links[0], "a")
        run.advance(5)
        run.kill()
        run = self.run_from(START + 60.0)
        run.acknowledge("a", "b")
        self.assertEqual(
            run.gaps,
            [
                ("a", Gap(START + 10.0, START + 60.0, "parted by the server")),
                ("b", Gap(START + 15.0, START + 60.0, "restart")),
            ],
        )

    def test_hole_that_closed_before_the_kill(self) -> None:
        """A gap that was written down once is not written down again."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.advance(10)
        run.played.down(run.links[0], run.now() - 1.0, "connection lost")
        run.advance(5)
        run.acknowledge("a")
        self.assertEqual(run.gaps, [("a", Gap(START + 9.0, START + 15.0, "connection lost"))])
        run.advance(5)
        run.kill()
        run = self.run_from(START + 60.0)
        run.acknowledge("a")
        self.assertEqual(run.gaps, [("a", Gap(START + 20.0, START + 60.0, "restart"))])

    def test_stopped_in_order(self) -> None:
        """At an orderly end, a recorded room is missing from that moment on; a gap that is open is
        written down, and what follows is the restart's."""
        run = self.run_from(START)
        run.acknowledge("a", "b")
        run.advance(10)
        run.pool.refused(run.links[0], "b", "msg_banned")
        run.advance(10.25)
        run.stop()
        self.assertEqual(run.gaps, [("b", Gap(START + 10.0, run.now(), "refused: msg_banned"))])
        end = run.now()
        run = self.run_from(START + 90.0)
        run.acknowledge("a", "b")
        self.assertEqual(
            run.gaps,
            [("a", Gap(end, START + 90.0, "restart")), ("b", Gap(end, START + 90.0, "restart"))],
        )

    def test_room_that_was_never_acknowledged(self) -> None:
        """What was never recorded has no gap after a restart either."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.advance(5)
        run.kill()
        run = self.run_from(START + 60.0)
        run.acknowledge("b")
        self.assertEqual(run.gaps, [])

    def test_room_that_is_no_longer_configured(self) -> None:
        """A room taken out of the configuration is forgotten: when it comes back, it is new."""
        run = self.run_from(START)
        run.acknowledge("a", "b")
        run.advance(5)
        run.kill()
        run = self.run_from(START + 60.0, wanted=("b",), rooms=("b",))
        run.advance(5)
        run.kill()
        run = self.run_from(START + 90.0)
        run.acknowledge("a", "b")
        self.assertEqual(run.gaps, [("b", Gap(START + 5.0, START + 90.0, "restart"))])

    def test_room_that_is_added_late(self) -> None:
        """A room whose ids have to be looked up first is not forgotten meanwhile, not even when the
        process dies again before they are found."""
        run = self.run_from(START)
        run.acknowledge("a", "b")
        run.advance(5)
        run.kill()
        run = self.run_from(START + 60.0, rooms=("b",))
        run.advance(5)
        run.kill()
        run = self.run_from(START + 90.0, rooms=("b",))
        run.advance(2)
        run.add("a")
        run.acknowledge("a")
        self.assertEqual(run.gaps, [("a", Gap(START + 5.0, START + 92.0, "restart"))])

    def test_room_that_is_removed(self) -> None:
        """A room removed while running leaves nothing behind."""
        run = self.run_from(START)
        run.acknowledge("a", "b")
        run.advance(5)
        run.pool.remove("a")
        run.advance(5)
        run.kill()
        run = self.run_from(START + 60.0)
        run.acknowledge("a")
        self.assertEqual(run.gaps, [])

    def test_what_was_late(self) -> None:
        """What a busy machine had not read yet was sent before the last flush: the gap begins earlier by as
        much as the latest arrivals of the platform were late, and not before the room was recorded."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.advance(10)
        run.played.wire(run.links[0]).late = 2.5
        run.advance(1)
        run.acknowledge("b")
        run.flush()
        run.kill()
        run = self.run_from(START + 60.0)
        run.acknowledge("a", "b")
        expected = [
            ("a", Gap(START + 8.5, START + 60.0, "restart")),
            ("b", Gap(START + 11.0, START + 60.0, "restart")),
        ]
        self.assertEqual(run.gaps, expected)
        run.advance(5)
        run.kill()
        run = self.run_from(START + 90.0)
        run.acknowledge("a")
        self.assertEqual(run.gaps, [("a", Gap(START + 65.0, START + 90.0, "restart"))])

    def test_killed_between_acknowledgement_and_flush(self) -> None:
        """Until a gap record is in a file, the gap counts as open."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.advance(5)
        run.played.down(run.links[0], run.now(), "connection lost")
        run.advance(5)
        run.acknowledge("a")
        run.kill()
        run = self.run_from(START + 60.0)
        run.acknowledge("a")
        self.assertEqual(run.gaps, [("a", Gap(START + 5.0, START + 60.0, "connection lost"))])

    def test_nothing_can_be_written(self) -> None:
        """While records wait in memory, the time counts as not recorded: a kill would lose them."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.advance(5)
        run.complete = False
        run.advance(30)
        run.kill()
        run = self.run_from(START + 60.0)
        run.acknowledge("a")
        self.assertEqual(run.gaps, [("a", Gap(START + 5.0, START + 60.0, "restart"))])


class PowerTests(JournalCase):
    def test_machine_started_anew(self) -> None:
        """When the machine itself died, the gap begins where the disk was sure to have everything."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.lag = 2.0
        run.advance(10)
        run.kill()
        run = self.run_from(START + 60.0, boot="another start")
        run.acknowledge("a")
        self.assertEqual(run.gaps, [("a", Gap(START + 7.5, START + 60.0, "restart"))])

    def test_gap_record_that_was_not_on_the_disk(self) -> None:
        """A gap whose gap record may have been lost with the machine is still open."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.advance(5)
        run.played.down(run.links[0], run.now(), "connection lost")
        run.advance(5)
        run.lag = 2.0
        run.advance(1)
        run.acknowledge("a")
        run.advance(1)
        run.kill()
        run = self.run_from(START + 60.0, boot="another start")
        run.acknowledge("a")
        self.assertEqual(run.gaps, [("a", Gap(START + 5.0, START + 60.0, "connection lost"))])

    def test_crash_soon_after_a_restart(self) -> None:
        """A process whose disk was stuck dies, the next one starts, and then the machine crashes before it
        has brought the rest to the disk: the gap begins where the first one's records end."""
        first = self.run_from(START, boot="a")
        first.acknowledge("a")
        first.advance(20)
        first.lag = 15.0
        first.advance(10)
        first.kill()
        second = self.run_from(START + 40.0, boot="a")
        second.recovered = False
        second.acknowledge("a")
        self.assertEqual(second.gaps[0][1].start, START + 30.0)
        second.advance(3)
        second.kill()
        third = self.run_from(START + 60.0, boot="b")
        third.acknowledge("a")
        gap = third.gaps[0][1]
        self.assertEqual(gap.start, START + 14.5)

    def test_crash_soon_after_an_orderly_end(self) -> None:
        """A process whose disk is stuck gives up in good order; what it says of its end is no more on the
        disk than the records before."""
        first = self.run_from(START, boot="a")
        first.acknowledge("a")
        first.advance(20)
        first.lag = 15.0
        first.advance(10)
        first.stop()
        second = self.run_from(START + 40.0, boot="a")
        second.recovered = False
        second.acknowledge("a")
        second.advance(3)
        second.kill()
        third = self.run_from(START + 60.0, boot="b")
        third.acknowledge("a")
        gap = third.gaps[0][1]
        self.assertEqual(gap.start, START + 14.5)

    def test_restart_after_which_all_is_on_the_disk(self) -> None:
        """Once the next process has brought everything of the first to the disk, a crash takes no more
        than its own, however busy it is."""
        first = self.run_from(START, boot="a")
        first.acknowledge("a")
        first.lag = 15.0
        first.advance(30)
        first.kill()
        second = self.run_from(START + 40.0, boot="a")
        second.recovered, second.lag = False, 0.5
        second.acknowledge("a")
        second.advance(2)
        second.recovered = True
        second.advance(8)
        second.kill()
        third = self.run_from(START + 60.0, boot="b")
        third.acknowledge("a")
        gap = third.gaps[0][1]
        self.assertEqual(gap.start, START + 49.0)

    def test_hole_that_was_over_when_it_was_found(self) -> None:
        """The gap record of a room that is recorded again may be lost with the machine; then its gap is
        found anew, and once the record is on the disk it is not."""
        for seconds, start in ((0.5, START + 9.0), (3.0, START + 112.0)):
            run = self.run_from(START)
            run.acknowledge("a")
            run.lag = 0.5
            run.advance(10)
            run.offset += 100.0
            run.flush()
            self.assertEqual(run.gaps, [("a", Gap(START + 10.0, START + 110.0, "clock"))])
            run.advance(seconds)
            run.kill()
            run = self.run_from(START + 160.0, boot=f"another start {seconds}")
            run.acknowledge("a")
            self.assertEqual(run.gaps, [("a", Gap(start, START + 160.0, "restart"))])
            self.files.remove(JOURNAL)

    def test_what_waited_in_memory(self) -> None:
        """What could not be written for a while is as old as it is, and not as young as its write."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.advance(10)
        run.complete = False
        run.advance(60)
        run.complete = True
        run.lag = 1e-6
        run.flush()
        run.kill()
        run = self.run_from(START + 160.0, boot="another start")
        run.acknowledge("a")
        self.assertEqual(run.gaps[0][1].start, START + 10.0)

    def test_machine_that_slept(self) -> None:
        """A write that waited while the machine slept is as old as the wall clock says."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.lag = 2.0
        run.advance(10)
        run.offset += 100.0
        run.flush()
        run.flush()
        run.kill()
        run = self.run_from(START + 160.0, boot="another start")
        run.acknowledge("a")
        self.assertEqual(run.gaps[0][1].start, START + 7.5)

    def test_machine_without_a_boot_id(self) -> None:
        """Where the system does not say whether it was started anew, the worse is assumed."""
        run = self.run_from(START, boot="")
        run.acknowledge("a")
        run.lag = 2.0
        run.advance(10)
        run.kill()
        run = self.run_from(START + 60.0, boot="")
        run.acknowledge("a")
        self.assertEqual(run.gaps[0][1].start, START + 7.5)

    def test_forced_to_the_disk(self) -> None:
        """The journal itself lags no more than a second behind on the disk."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.advance(10)
        self.files.lose()
        run = self.run_from(START + 60.0, boot="another start")
        run.acknowledge("a")
        self.assertGreaterEqual(run.gaps[0][1].start, START + 8.5)
        self.assertLessEqual(run.gaps[0][1].start, START + 10.0)

    def test_every_crash(self) -> None:
        """Wherever the machine dies, and whatever the disk then holds, each room that was recorded for
        some seconds has a gap, and none begins after the truth."""
        for seed in range(60):
            chance = random.Random(seed)
            self.setUp()
            run = self.run_from(START)
            run.acknowledge("a")
            run.advance(5)
            run.played.down(run.links[0], run.now(), "connection lost")
            run.advance(5)
            run.acknowledge("a", "b")
            run.advance(5)
            run.advance(chance.randrange(4))
            end = run.now()
            self.files.crash(chance)
            run = self.run_from(START + 60.0, boot="another start")
            run.acknowledge("a", "b")
            gaps = dict(run.gaps)
            self.assertEqual(set(gaps), {"a", "b"}, seed)
            for gap in gaps.values():
                self.assertLessEqual(gap.start, end)
                self.assertGreaterEqual(gap.start, end - 3.0)


class ClockTests(JournalCase):
    def test_clock_that_jumps_forward(self) -> None:
        """What the wall clock skips, because the machine slept or was set right, is a gap of every
        recorded room, dated from the last flush."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.advance(10)
        run.offset += 600.0
        run.advance(5)
        self.assertEqual(run.gaps, [("a", Gap(START + 10.0, START + 610.5, "clock"))])

    def test_connection_lost_on_waking_up(self) -> None:
        """A connection whose loss is noticed before anything else when a machine wakes up: its gap holds
        the time in which the machine slept."""
        run = self.run_from(START)
        run.acknowledge("a", "b")
        run.advance(10)
        run.clock.advance(0.2)
        run.offset += 600.0
        run.played.down(run.links[0], run.now() - 0.1, "connection lost")
        run.advance(5)
        run.played.up(run.links[0])
        run.acknowledge("a")
        [(name, gap)] = run.gaps
        self.assertEqual((name, gap.reason), ("a", "connection lost"))
        self.assertAlmostEqual(gap.start, START + 10.1, 3)
        self.assertAlmostEqual(gap.end, START + 615.2, 3)

    def test_silent_before_the_machine_slept(self) -> None:
        """A connection that was dead before the machine slept, and is found dead long after it, or that died
        soon after a room was acknowledged: the gap begins with its last byte."""
        for acknowledged in (10.0, 0.5):
            run = self.run_from(START)
            run.advance(10.0 - acknowledged)
            run.acknowledge("a", "b")
            run.advance(acknowledged)
            heard = run.now()
            run.advance(5)
            run.offset += 30.0
            run.advance(20)
            run.played.down(run.links[0], heard, "connection lost")
            run.advance(5)
            run.played.up(run.links[0])
            run.acknowledge("a")
            gaps = [gap for name, gap in run.gaps if name == "a" and gap.reason == "connection lost"]
            self.assertEqual(gaps, [Gap(heard, run.now(), "connection lost")])

    def test_held_up_since_before_the_room_came(self) -> None:
        """What a connection held up before it had the room was not promised on it: the gap begins with the
        acknowledgement, also if the clock was set back since."""
        for set_back in (0.0, 3600.0):
            run = self.run_from(START)
            run.advance(10)
            run.acknowledge("a", "b")
            acknowledged = run.now() - set_back
            run.offset -= set_back
            run.played.down(run.links[0], run.now() - 60.0, "connection lost")
            run.advance(5)
            run.played.up(run.links[0])
            run.acknowledge("a")
            gaps = [gap for name, gap in run.gaps if name == "a" and gap.reason == "connection lost"]
            self.assertEqual(gaps, [Gap(acknowledged, run.now(), "connection lost")])

    def test_killed_before_the_jump_was_written_down(self) -> None:
        """The gap record of a jump has to be in a file before the next run may rely on it."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.advance(10)
        run.offset += 600.0
        run.advance(0.5)
        run.kill()
        run = self.run_from(START + 700.0)
        run.acknowledge("a")
        self.assertEqual(run.gaps, [("a", Gap(START + 10.0, START + 700.0, "restart"))])

    def test_blocked_process(self) -> None:
        """A process that merely stood still has no gap on that account: its connections know."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.advance(10)
        run.clock.advance(100.0)
        run.advance(5)
        self.assertEqual(run.gaps, [])

    def test_clock_that_is_set_back(self) -> None:
        """An open gap keeps its length when the clock is set back."""
        run = self.run_from(START)
        run.acknowledge("a", "b")
        run.advance(10)
        run.pool.parted(run.links[0], "a")
        run.advance(5)
        run.offset -= 3600.0
        run.advance(2)
        run.acknowledge("a")
        self.assertEqual(run.gaps, [("a", Gap(START - 3590.0, START - 3583.0, "parted by the server"))])

    def test_killed_after_the_clock_was_set_back(self) -> None:
        """The next run is not confused by times that lie in its future."""
        run = self.run_from(START)
        run.acknowledge("a", "b")
        run.advance(10)
        run.offset -= 3600.0
        run.advance(5)
        run.kill()
        run = self.run_from(START - 3500.0)
        run.acknowledge("a")
        self.assertEqual(run.gaps, [("a", Gap(START - 3585.0, START - 3500.0, "restart"))])

    def test_clock_that_is_behind_at_the_start(self) -> None:
        """When the earlier run seems to lie in the future, the gap says that the clock was wrong."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.advance(10)
        run.kill()
        run = self.run_from(START - 3600.0)
        run.acknowledge("a")
        self.assertEqual(run.gaps, [("a", Gap(START + 10.0, START + 10.0, "clock"))])


class JournalTests(JournalCase):
    def test_written_once_a_flush(self) -> None:
        """However many rooms change, a flush makes one write, and without changes a short one."""
        names = tuple(f"room{n}" for n in range(50))
        run = self.run_from(START, wanted=names, rooms=names)
        run.advance(1)
        run.acknowledge(*names)
        for most in (50 * 100, 70):
            size = self.files.size(JOURNAL)
            self.files.log.clear()
            run.clock.advance(0.5)
            run.flush()
            self.assertEqual([operation for operation, _ in self.files.log].count("write"), 1)
            self.assertLess(self.files.size(JOURNAL) - size, most)

    def test_does_not_grow_for_ever(self) -> None:
        """The journal is written anew when it is large, and nothing gets lost on the way."""
        threads = QueuedThreads()
        run = self.run_from(START, threads=threads)
        run.acknowledge("a", "b")
        largest = 0
        for _ in range(20):
            # A server with much to say about a room.
            for n in range(10):
                run.pool.refused(run.links[0], "b", f"{n}" * 200)
                run.advance(0.5)
            for _ in range(2000):
                run.flush()
            largest = max(largest, self.files.size(JOURNAL))
            threads.pump()
            run.advance(10)
            threads.pump()
        self.assertLess(largest, 3 * LARGEST)
        self.assertGreater([operation for operation, _ in self.files.log].count("rename"), 1)
        run.kill()
        end = run.now()
        run = self.run_from(end + 60.0)
        run.acknowledge("a")
        self.assertEqual(run.gaps, [("a", Gap(end, end + 60.0, "restart"))])

    def being_written_anew(self, threads: QueuedThreads) -> bool:
        """Only that call has an argument: what is to be written."""
        return any(arguments for _, _, arguments in threads.jobs)

    def test_what_happens_while_it_is_written_anew(self) -> None:
        """Changes between the beginning and the end of writing anew are in the new journal."""
        threads = QueuedThreads()
        run = self.run_from(START, threads=threads)
        run.acknowledge("a", "b")
        run.advance(10)
        while not self.being_written_anew(threads):
            threads.pump()
            for _ in range(1000):
                run.flush()
        run.pool.parted(run.links[0], "a")
        run.advance(1)
        threads.pump()
        parted = run.now() - 1.0
        run.kill()
        run = self.run_from(parted + 60.0)
        run.acknowledge("a")
        self.assertEqual(run.gaps, [("a", Gap(parted, parted + 60.0, "parted by the server"))])

    def test_full_disk(self) -> None:
        """On a full disk the gap of the next run begins where the journal ends; once there is space
        again the journal is complete again, half a line or not."""
        run = self.run_from(START)
        run.acknowledge("a", "b")
        run.advance(5)
        self.files.capacity = self.files.used() + 10
        run.advance(1)
        run.pool.parted(run.links[0], "a")
        run.advance(4)
        self.assertEqual(len(self.flushLoggedErrors()), 0)
        self.files.capacity = None
        run.advance(1)
        run.kill()
        run = self.run_from(START + 60.0)
        run.acknowledge("a", "b")
        self.assertEqual(
            run.gaps,
            [
                ("a", Gap(START + 6.0, START + 60.0, "parted by the server")),
                ("b", Gap(START + 11.0, START + 60.0, "restart")),
            ],
        )

    def test_disk_full_at_the_start(self) -> None:
        """A journal that cannot be written anew at the start is continued."""
        run = self.run_from(START)
        run.acknowledge("a", "b")
        run.advance(5)
        run.kill()
        self.files.capacity = self.files.used()
        run = self.run_from(START + 60.0)
        run.acknowledge("a")
        run.advance(5)
        self.files.capacity = None
        run.advance(5)
        run.kill()
        run = self.run_from(START + 90.0)
        run.acknowledge("a", "b")
        self.assertEqual(
            run.gaps,
            [
                ("a", Gap(START + 70.0, START + 90.0, "restart")),
                ("b", Gap(START + 5.0, START + 90.0, "restart")),
            ],
        )

    def test_room_that_joins_while_the_disk_is_full(self) -> None:
        """A room that is recorded for the first time while nothing can be written has its gap record after a
        kill, from then on; those that were there before have theirs from the last whole flush."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.advance(5)
        self.files.capacity = self.files.used()
        run.complete = False
        run.advance(5)
        run.acknowledge("b")
        run.advance(5)
        self.assertEqual(len(self.flushLoggedErrors()), 0)
        run.kill()
        run = self.run_from(START + 60.0)
        run.acknowledge("a", "b")
        self.assertEqual(
            run.gaps,
            [
                ("a", Gap(START + 5.0, START + 60.0, "restart")),
                ("b", Gap(START + 10.0, START + 60.0, "restart")),
            ],
        )

    def test_room_that_joins_after_a_start_on_a_full_disk(self) -> None:
        """The same when the disk was full at the start already, with the note of an earlier run or, as there
        is no room for one, without."""
        for earlier in (True, False):
            self.setUp()
            if earlier:
                run = self.run_from(START - 100)
                run.acknowledge("a")
                run.advance(5)
                run.kill()
            else:
                # Something was there, or the disk would not be full.
                self.files.put("/data/state/coverage.ballast", bytes(1 << 16))
            self.files.capacity = self.files.used()
            run = self.run_from(START)
            run.complete = False
            run.advance(5)
            run.acknowledge("a", "b")
            run.advance(5)
            run.kill()
            run = self.run_from(START + 60.0)
            run.acknowledge("a", "b")
            since = START - 95.0 if earlier else START + 5.0
            self.assertEqual(
                run.gaps,
                [
                    ("a", Gap(since, START + 60.0, "restart")),
                    ("b", Gap(START + 5.0, START + 60.0, "restart")),
                ],
            )

    def test_room_that_joins_while_the_disk_is_full_and_is_recorded(self) -> None:
        """Once there is space again, it is like any other room; the reserved space is reserved again."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.advance(5)
        self.files.capacity = self.files.used()
        run.complete = False
        run.acknowledge("b")
        run.advance(5)
        self.assertFalse(self.files.exists("/data/state/coverage.ballast"))
        self.files.capacity = None
        run.complete = True
        run.advance(5)
        self.assertEqual(self.files.size("/data/state/coverage.ballast"), 1 << 16)
        run.kill()
        run = self.run_from(START + 60.0)
        run.acknowledge("a", "b")
        self.assertEqual([gap.start for _, gap in run.gaps], [START + 15.0] * 2)

    def test_unreadable(self) -> None:
        """A journal that cannot be read costs its gaps, not the recording."""

        def broken(operation: str, path: str) -> None:
            if operation == "read" and path == JOURNAL:
                raise OSError(errno.EIO, "Input/output error", path)

        run = self.run_from(START)
        run.acknowledge("a")
        run.advance(5)
        run.kill()
        self.files.rule = broken
        run = self.run_from(START + 60.0)
        run.acknowledge("a")
        self.assertEqual(run.gaps, [])

    @settings(deadline=None)
    @given(st.binary(max_size=200), st.lists(ENTRIES, max_size=3))
    def test_garbage(self, garbage: bytes, odd: list[object]) -> None:
        """Nothing in a journal can keep the recorder from starting, and a broken line does not cost the
        whole ones beside it."""
        room = ("twitch", "a"), RoomSnapshot(7.0, True)
        good = encode(7, flush_entry(9.0, 8.0, [room], {}, all=True, **head("x", 5.0)))
        replay(numbered(garbage), "x")
        replay(enumerate([*odd, {"rooms": odd, "links": odd, "since": odd}], 1), "x")
        replay(numbered(good + garbage), "x")
        past = replay(numbered(garbage + b"\n" + good), "x")
        self.assertEqual((past.end, past.rooms), (9.0, {("twitch", "a"): RoomSnapshot(7.0, True)}))

    def test_nonsense(self) -> None:
        """A journal that says nothing at all is an error in the log, and no reason not to record."""
        self.files.put(JOURNAL, b"\0" * 3000)
        seen: list[str] = []
        with capturedLogs() as events:
            run = self.run_from(START)
        seen += [str(event.get("log_format")) for event in events]
        self.assertTrue(any("makes no sense" in text for text in seen), seen)
        run.acknowledge("a")
        run.advance(1)
        self.assertEqual(run.gaps, [])

    def test_what_a_crash_left(self) -> None:
        """Where the disk has lost a part of the journal and kept what came later, that is not believed: it
        builds on what is lost. Once all rooms are said again it is; a batch that comes twice is fine."""
        here, gone = RoomSnapshot(7.0, True), RoomSnapshot(12.0, False, "x")
        room, lost = (("twitch", "a"), here), (("twitch", "a"), gone)
        first = encode(1, flush_entry(9.0, 8.0, [room], {}, **head("x", 5.0)))
        second = encode(2, flush_entry(13.0, 12.0, [lost], {}))
        third = encode(3, flush_entry(14.0, 13.0, [], {}))
        again = encode(4, flush_entry(15.0, 14.0, [lost], {}, all=True, **head("x", 5.0)))
        torn = b"\0" * 20 + second[20:]
        half = second[: len(second) // 2] + b"\n"
        for data, end, snapshot in (
            (first + second + third, 14.0, gone),
            (second + third, None, None),
            (first + third, 9.0, here),
            (first + torn + third, 9.0, here),
            (first + torn + third + again, 15.0, gone),
            (first + third + again, 15.0, gone),
            (first + half + second + third, 14.0, gone),
            (first + second + second + third, 14.0, gone),
            (first + second[:-40], 9.0, here),
            (first + second[:-1], 13.0, gone),
        ):
            past = replay(numbered(data), "x")
            rooms = {} if snapshot is None else {("twitch", "a"): snapshot}
            self.assertEqual((past.end, past.rooms), (end, rooms), data)

    def test_what_was_cut_off_and_not_said_again(self) -> None:
        """A connection that was quiet in a flush that was cut off, and no longer when it came again, was not
        quiet."""
        room = ("twitch", "a"), RoomSnapshot(7.0, True, evidence=Evidence(((1, 0.0),)))
        first = encode(1, flush_entry(9.0, 8.0, [room], {}, **head("x", 5.0)))
        half = encode(2, flush_entry(14.0, 13.0, [], {("twitch", 1): 6.5}))[:-2]
        past = replay(numbered(first + half + b"\n" + encode(2, flush_entry(14.0, 13.0, [], {}))), "x")
        self.assertEqual((past.end, past.rooms["twitch", "a"].heard), (14.0, None))

    def test_error_behind_the_new_name(self) -> None:
        """Where a journal that is written anew has its name, and then something fails, what follows goes to
        the file of that name."""
        run = self.run_from(START)
        run.acknowledge("a", "b")
        run.advance(1)
        failing = iter([OSError(errno.EMFILE, "Too many open files")])

        def rule(operation: str, path: str) -> None:
            if operation == "sync_directory" and (error := next(failing, None)):
                raise error

        self.files.rule = rule
        run.journal.write_anew()
        run.advance(20)
        run.kill()
        run = self.run_from(START + 30.0)
        run.acknowledge("a")
        [(_, gap)] = run.gaps
        self.assertLessEqual(abs(gap.start - START - 21.0), 0.6)

    def test_every_torn_batch(self) -> None:
        """Whatever part of the end of a journal a crash turns into zeros, no room is said to be recorded
        when it was not."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.advance(5)
        run.offset += 100.0
        run.lag = 0.5
        before = len(self.files.content(JOURNAL))
        run.flush()
        run.advance(0.5)
        data = self.files.content(JOURNAL)
        for start in range(before, len(data)):
            for end in (start + 1, start + 40, len(data)):
                zeros = b"\0" * (min(end, len(data)) - start)
                past = replay(numbered(data[:start] + zeros + data[end:]), "")
                snapshot = past.rooms["twitch", "a"]
                assert past.end is not None
                until = min(past.end, past.end if snapshot.heard is None else snapshot.heard)
                self.assertLessEqual(until, START + 5.0, data[start:end])

    def test_times_that_are_none(self) -> None:
        """Times that no record could hold are not taken from a journal."""
        times: tuple[object, ...] = (1e300, -5, None, "x", float("nan"), [1])
        for time in times:
            room = {"platform": "twitch", "room": "a", "missing": time, "reason": "x"}
            self.assertEqual(replay([(1, {"rooms": [room]})], "x").rooms, {}, time)

    def test_strange_reasons(self) -> None:
        """A server's words are kept, however odd, but not without end."""
        room = ("twitch", "a"), RoomSnapshot(7.0, False, "\ud800" + "x" * 1000)
        line = encode(1, flush_entry(9.0, 8.0, [room], {}))
        self.assertLess(len(line), 400)
        [snapshot] = replay(numbered(line), "x").rooms.values()
        self.assertEqual(snapshot.reason, "\ud800" + "x" * 199)


class TotalsTests(JournalCase):
    """Recorded and missing seconds of a period."""

    def test_recorded_and_missing(self) -> None:
        """Seconds count from the first acknowledgement; every gap is taken off, closed or open."""
        run = self.run_from(START)
        run.advance(5)
        run.acknowledge("a", "b")
        run.advance(10)
        run.pool.parted(run.links[0], "a")
        run.advance(3)
        run.acknowledge("a")
        run.advance(7)
        run.pool.refused(run.links[0], "b", "gone")
        run.advance(5)
        self.assertEqual(
            run.rows(START),
            [
                CoverageTotals("twitch", "a", 22.0, 3.0, ""),
                CoverageTotals("twitch", "b", 20.0, 5.0, "refused: gone"),
            ],
        )

    def test_lost_while_missing(self) -> None:
        """A second counts once, whether the room was missing in it, or records of it found no room, or both;
        whichever of the two is known first."""
        cases = [
            # The loss; then when room a was missing, all within the loss, around it, and across its ends.
            ((2, 20), (5, 9), 18.0),
            ((5, 9), (2, 20), 18.0),
            ((2, 9), (5, 20), 18.0),
            ((5, 20), (2, 9), 18.0),
            ((2, 5), (9, 20), 14.0),
            ((2, 5), (5, 9), 7.0),
        ]
        for (first, last), (start, end), missing in cases:
            for loss_first in (True, False):
                self.setUp()
                run = self.run_from(START)
                run.acknowledge("a", "b")
                for at in sorted({start, end, last, 30}):
                    run.advance(START + at - run.now())
                    if at == last and loss_first:
                        run.lose("a", 9, START + first, START + last)
                    if at == start:
                        run.pool.parted(run.links[0], "a")
                    if at == end:
                        run.acknowledge("a")
                if not loss_first:
                    run.lose("a", 9, START + first, START + last)
                row = run.rows(START)[0]
                self.assertAlmostEqual(row.missing, missing, 3, f"{first, last} {start, end} {loss_first}")
                self.assertAlmostEqual(row.recorded, 30.0 - missing, 3)

    def test_lost_while_still_missing(self) -> None:
        """The same of a gap that is still open, and in the period that comes next."""
        run = self.run_from(START)
        run.acknowledge("a", "b")
        run.advance(10)
        run.pool.parted(run.links[0], "a")
        run.advance(10)
        run.lose("a", 9, START + 5, START + 15)
        self.assertEqual(run.rows(START)[0][2:4], (5.0, 15.0))
        run.lose("a", 9, START + 8, START + 14)
        run.timelines.start_period(START + 12)
        self.assertEqual(run.rows(START + 12)[0][2:4], (0.0, 8.0))
        run.acknowledge("a")
        run.advance(2)
        self.assertEqual(run.rows(START + 12)[0][2:4], (2.0, 8.0))

    def test_next_period(self) -> None:
        """A gap counts in each period with the part that lies in it."""
        run = self.run_from(START)
        run.acknowledge("a", "b")
        run.advance(10)
        run.pool.parted(run.links[0], "a")
        run.advance(5)
        self.assertEqual(run.rows(START)[0], CoverageTotals("twitch", "a", 10.0, 5.0, "parted by the server"))
        run.timelines.start_period(run.now())
        run.advance(4)
        run.acknowledge("a")
        run.advance(6)
        self.assertEqual(
            run.rows(START + 15.0),
            [CoverageTotals("twitch", "a", 6.0, 4.0, ""), CoverageTotals("twitch", "b", 10.0, 0.0, "")],
        )

    def test_room_that_never_answered(self) -> None:
        """A room that was never acknowledged is missing as long as it has been wanted, also one that no
        pool has yet."""
        run = self.run_from(START, rooms=("a",))
        run.advance(10)
        self.assertEqual(
            run.rows(START),
            [
                CoverageTotals("twitch", "a", 0.0, 10.0, "not acknowledged"),
                CoverageTotals("twitch", "b", 0.0, 10.0, "not acknowledged"),
            ],
        )

    def test_room_that_never_answers_was_never_recorded(self) -> None:
        """Neither a restart within the period nor that it came late makes anything of it recorded time."""
        run = self.run_from(START, rooms=("a",), wanted=("a",))
        run.acknowledge("a")
        run.advance(10)
        run.kill()
        run = self.run_from(START + 20.0)
        run.acknowledge("a")
        run.advance(5)
        run.wanted.append(("twitch", "late"))
        run.add("late")
        run.advance(5)
        self.assertEqual(
            run.rows(START),
            [
                CoverageTotals("twitch", "a", 20.0, 10.0, ""),
                CoverageTotals("twitch", "b", 0.0, 10.0, "not acknowledged"),
                CoverageTotals("twitch", "late", 0.0, 5.0, "not acknowledged"),
            ],
        )

    def test_removed_while_missing(self) -> None:
        """The gap of a room that is removed ends with that, and has its gap record; so it has when the room
        is added again at once, and what was recorded of it before counts."""
        for again in (False, True):
            run = self.run_from(START, wanted=("a",), rooms=("a",))
            run.acknowledge("a")
            run.advance(10)
            run.pool.parted(run.links[0], "a")
            run.advance(5)
            run.remove("a")
            if again:
                run.wanted.append(("twitch", "a"))
                run.add("a")
            run.advance(0.5)
            [(name, gap)] = run.gaps
            self.assertEqual((name, gap.start, gap.reason), ("a", START + 10.0, "parted by the server"))
            self.assertLessEqual(abs(gap.end - START - 15.0), 0.6)
            [row] = run.rows(START)
            self.assertAlmostEqual(row.recorded, 10.0)
            self.assertLessEqual(abs(row.missing - 5.0), 0.6)
            run.kill()
            self.files.remove(JOURNAL)

    def test_across_a_kill(self) -> None:
        """The seconds of a period outlive the process."""
        run = self.run_from(START)
        run.advance(2)
        run.acknowledge("a")
        run.advance(10)
        run.pool.parted(run.links[0], "a")
        run.advance(3)
        run.acknowledge("a")
        run.advance(1)
        run.lose("a", 7, run.now() - 1.0, run.now())
        run.advance(4)
        run.kill()
        run = self.run_from(START + 40.0, rooms=())
        run.advance(5)
        self.assertEqual(run.rows(START)[0], CoverageTotals("twitch", "a", 14.0, 29.0, "restart"))
        run.add("a")
        run.acknowledge("a")
        run.advance(5)
        self.assertEqual(run.rows(START)[0], CoverageTotals("twitch", "a", 19.0, 29.0, ""))

    def test_period_that_is_not_the_journals(self) -> None:
        """When the process died between the end of a period and the note of it, the gaps of the old
        period are not counted again."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.advance(10)
        run.pool.parted(run.links[0], "a")
        run.advance(5)
        run.acknowledge("a")
        run.advance(5)
        self.assertEqual(run.rows(START + 20.0)[0], CoverageTotals("twitch", "a", 0.0, 0.0, ""))


class RemovedTests(SynchronousTestCase):
    """Rooms that come and go within a period."""

    def test_removed(self) -> None:
        """A room that is removed has its seconds until then, in this period and in no other."""
        run = Run(MemoryFiles(), START)
        run.acknowledge("a", "b")
        run.advance(100)
        run.remove("b")
        run.advance(50)
        rows = list(run.timelines.rows(START, run.now()))
        expected = [
            CoverageTotals("twitch", "a", 150.0, 0.0, ""),
            CoverageTotals("twitch", "b", 100.0, 0.0, "removed"),
        ]
        self.assertEqual(rows, expected)
        run.timelines.start_period(run.now())
        run.advance(10)
        [row] = run.timelines.rows(run.timelines.period, run.now())
        self.assertEqual(row[1:4], ("a", 10.0, 0.0))

    def test_added_again(self) -> None:
        """The time in between was not promised."""
        run = Run(MemoryFiles(), START)
        run.acknowledge("a", "b")
        run.advance(100)
        run.remove("b")
        run.advance(50)
        run.wanted.append(("twitch", "b"))
        run.add("b")
        run.clock.advance(0)
        run.acknowledge("b")
        run.advance(20)
        *_, row = run.timelines.rows(START, run.now())
        self.assertEqual(row, CoverageTotals("twitch", "b", 120.0, 0.0, ""))


class SetBackTests(SynchronousTestCase):
    def test_what_lies_in_the_future(self) -> None:
        """Only what would lie in the future is moved."""
        timeline = RoomTimeline()
        timeline.began(100.0)
        timeline.set_back(50.0, 60.0)
        self.assertEqual(timeline.since, 50.0)
        timeline.set_back(10.0, 55.0)
        self.assertEqual(timeline.since, 50.0)
