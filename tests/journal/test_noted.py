"""What the journal of the coverage holds, entry by entry, and what the next run makes of it: everything that
it needs, and nothing twice."""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from chatlog.journal.coverage_journal import CoverageJournal
from chatlog.recorder.buffers import RoomBuffers
from chatlog.recorder.room import Loss
from chatlog.state.journal import LARGEST, Journal
from chatlog.state.state_file import StateFile
from chatlog.timeline.timeline import Gap
from chatlog.timeline.timelines import Timelines
from tests.fakes import QueuedThreads, environment
from tests.journal.test_coverage_journal import JOURNAL, START, JournalCase, Run


class NotedCase(JournalCase):
    """Runs whose journal is read while they go on."""

    def entries(self) -> list[dict[str, Any]]:
        return [entry for _, entry in StateFile(self.files, "/data", "coverage").read()]

    def rooms(self, entry: dict[str, Any]) -> list[str]:
        """The rooms that an entry names, in its order."""
        return [room["room"] for room in entry.get("rooms", ())]

    def room(self, name: str) -> dict[str, Any]:
        """What was noted last of the room."""
        noted = [room for entry in self.entries() for room in entry.get("rooms", ()) if room["room"] == name]
        return dict(noted[-1])

    def next_entry(self, run: Run) -> dict[str, Any]:
        """The entry of the next flush."""
        count = len(self.entries())
        run.advance(0.5)
        [entry] = self.entries()[count:]
        return entry

    def next_gaps(self, **options: Any) -> list[tuple[str, Gap]]:
        """What a run at START + 60 reports, once it has the rooms."""
        run = self.run_from(START + 60.0, **options)
        run.acknowledge(*(room.name for room in run.pool.rooms.values()))
        return run.gaps


class FlushTests(NotedCase):
    """What one flush notes."""

    def test_before_the_start(self) -> None:
        """A flush before the earlier run's journal was read leaves it alone."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.advance(10)
        run.kill()
        before = self.files.content(JOURNAL)
        around = environment(Clock(), run.now, self.files)
        timelines = Timelines(run.now, lambda: [("twitch", "a")])
        early = CoverageJournal(
            Journal(around, "/data", "coverage"), around, run, timelines, 0.5, RoomBuffers().room
        )
        for _ in range(3):
            early.flushed(START + 30.0, True, 0.0, True)
        self.assertEqual(self.files.content(JOURNAL), before)
        self.assertEqual(self.next_gaps(), [("a", Gap(START + 10.0, START + 60.0, "restart"))])

    def test_only_what_changed(self) -> None:
        """A room is noted when it is recorded for the first time, and when something changes; one that was
        never recorded, or that nobody knows, is not."""
        run = self.run_from(START)
        self.assertEqual(self.rooms(self.next_entry(run)), [])
        run.coverage.dismissed("twitch", "never seen")
        run.coverage.dismissed("twitch", "b")
        self.assertEqual(self.rooms(self.next_entry(run)), [])
        self.assertEqual(len(run.buffers), 0)
        run.acknowledge("a")
        self.assertEqual(self.rooms(self.next_entry(run)), ["a"])
        self.assertEqual(self.rooms(self.next_entry(run)), [])
        run.pool.refused(run.links[0], "a", "gone")
        self.assertEqual(self.rooms(self.next_entry(run)), ["a"])
        self.assertEqual(self.rooms(self.next_entry(run)), [])

    def test_removed_once(self) -> None:
        """A room that is removed while it is missing is noted once more, and then never again."""
        run = self.run_from(START)
        run.acknowledge("a", "b")
        run.advance(5)
        run.pool.refused(run.links[0], "b", "gone")
        run.advance(5)
        run.remove("b")
        self.assertEqual(self.rooms(self.next_entry(run)), ["b"])
        self.assertEqual([self.rooms(self.next_entry(run)) for _ in range(4)], [[]] * 4)

    def test_gap_that_was_over_when_it_was_found(self) -> None:
        """Until its record is certain to be in a file, and for a flush longer, a gap that was over when it
        was found counts as open: of a clock that jumped, and of records that could not be kept."""
        for seconds, start in ((0.5, START + 5.0), (1.5, START + 11.5)):
            self.setUp()
            run = self.run_from(START)
            run.acknowledge("a", "b")
            run.advance(10)
            run.lose("a", 3, START + 5.0, START + 7.0)
            run.advance(seconds)
            run.kill()
            gaps = [("a", Gap(start, START + 60.0, "restart"))]
            gaps += [("b", Gap(START + 10.0 + seconds, START + 60.0, "restart"))]
            self.assertEqual(self.next_gaps(), gaps, seconds)
        for seconds, start in ((0.5, START + 10.0), (1.5, START + 31.5)):
            self.setUp()
            run = self.run_from(START)
            run.acknowledge("a")
            run.advance(10)
            run.offset += 20.0
            run.flush()
            run.advance(seconds)
            run.kill()
            self.assertEqual(
                self.next_gaps(), [("a", Gap(start, START + 60.0, "restart"))], f"clock {seconds}"
            )

    def test_missing_room(self) -> None:
        """Of a room that is missing, since when and why is all there is to note; what was lost of it before
        changes nothing of that."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.advance(10)
        run.pool.refused(run.links[0], "a", "gone")
        run.lose("a", 3, START + 5.0, START + 7.0)
        self.next_entry(run)
        noted = self.room("a")
        self.assertEqual((noted["missing"], noted["reason"]), (START + 10.0, "refused: gone"))
        self.assertNotIn("heard", noted)

    def test_lost_of_a_room_that_is_gone(self) -> None:
        """Records that are lost are told with the room's id, and of a room that was removed meanwhile too."""
        run = self.run_from(START, rooms=("a",))
        run.add("b", "1234")
        run.acknowledge("a", "b")
        run.advance(5)
        run.lose("b", 3, START + 1.0, START + 2.0)
        run.remove("b")
        run.advance(5)
        run.lose("b", 3, START + 3.0, START + 4.0)
        run.advance(5)
        self.assertEqual(run.losses, [("b", "1234"), ("b", "")])
        run.kill()
        self.assertEqual([name for name, _ in self.next_gaps(wanted=("a",), rooms=("a",))], ["a"])

    def test_platform_without_a_pool(self) -> None:
        """Records that are lost of a platform that is not recorded any more are told all the same."""
        run = self.run_from(START)
        run.coverage.lost_records([Loss("kick", "c", 3, START - 9.0, START - 8.0)])
        self.assertEqual(run.losses, [("c", "")])

    def test_before_the_machine_slept(self) -> None:
        """A gap that began before the machine slept began when it did."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.advance(10)
        run.clock.advance(0.25)
        run.pool.parted(run.links[0], "a")
        run.clock.advance(0.25)
        run.offset += 20.0
        run.flush()
        run.acknowledge("a")
        self.assertEqual(run.gaps, [("a", Gap(START + 10.25, START + 30.5, "parted by the server"))])

    def test_jump_that_is_only_added(self) -> None:
        """After a jump forwards the file grows on; it is written anew only if its times would lie in the
        future."""
        for jump, renames in ((20.0, 0), (-20.0, 1)):
            self.setUp()
            run = self.run_from(START)
            run.acknowledge("a")
            run.advance(10)
            self.files.log.clear()
            run.offset += jump
            run.advance(5)
            self.assertEqual([operation for operation, _ in self.files.log].count("rename"), renames, jump)

    def test_clock_that_is_two_seconds_off(self) -> None:
        """Two seconds may be the clock being set right: only more is a jump."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.advance(10)
        run.offset += 2.0
        run.advance(5)
        self.assertEqual(run.gaps, [])
        run.offset += 2.5
        run.advance(5)
        self.assertEqual(run.gaps, [("a", Gap(START + 17.0, START + 20.0, "clock"))])


class PeriodTests(NotedCase):
    """What the next run knows of the manifest's present period."""

    def test_lost_before_the_period_was_noted(self) -> None:
        """A gap whose end lies in the new period, and was noted before that began, still counts in it; rooms
        without one are not noted again."""
        run = self.run_from(START)
        run.acknowledge("a", "b")
        run.advance(10)
        run.pool.parted(run.links[0], "a")
        run.advance(5.5)
        run.acknowledge("a")
        run.advance(4.5)
        run.timelines.start_period(START + 15.0)
        self.assertEqual(self.rooms(self.next_entry(run)), ["a"])
        run.kill()
        run = self.run_from(START + 60.0)
        run.acknowledge("a", "b")
        run.advance(5)
        missing = [row.missing for row in run.rows(START + 15.0)]
        self.assertEqual(missing, [40.0, 39.5])

    def test_recorded_for_the_first_time(self) -> None:
        """When that was is noted only in the period in which it was."""
        run = self.run_from(START)
        run.advance(3)
        run.acknowledge("a")
        run.advance(2)
        self.assertEqual(self.room("a")["begun"], START + 3.0)
        run.timelines.start_period(START + 5.0)
        run.pool.refused(run.links[0], "a", "gone")
        run.advance(1)
        self.assertNotIn("begun", self.room("a"))

    def test_when_it_was_missing(self) -> None:
        """The times of the gaps are noted where rooms are shared, and only of rooms that have one."""
        for shared, closed in ((False, None), (True, [[START + 5.0, START + 5.5, 0.5]])):
            self.setUp()
            run = self.run_from(START, shared=shared)
            run.acknowledge("a", "b")
            run.advance(10)
            run.lose("a", 3, START + 5.0, START + 5.5)
            run.advance(2)
            self.assertEqual((self.room("a")["lost"], self.room("a").get("closed")), (0.5, closed))
            self.assertEqual({"lost", "closed"} & self.room("b").keys(), set())

    def test_missing_before_the_period(self) -> None:
        """A gap of the period before is none of this one."""
        run = self.run_from(START, shared=True)
        run.acknowledge("a")
        run.advance(10)
        run.lose("a", 3, START + 5.0, START + 7.0)
        run.advance(10)
        run.timelines.start_period(START + 20.0)
        run.pool.refused(run.links[0], "a", "gone")
        run.advance(1)
        self.assertEqual({"lost", "closed"} & self.room("a").keys(), set())


class PromiseTests(NotedCase):
    """Rooms that come while records wait in memory."""

    def waiting(self) -> Run:
        """A run that has ``a`` for ten seconds, and can write nothing any more."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.advance(10)
        run.complete = False
        return run

    def test_noted_once(self) -> None:
        """A room that is recorded for the first time is noted at the next flush, once; one that was recorded
        before is not."""
        run = self.waiting()
        run.acknowledge("b")
        run.pool.refused(run.links[0], "a", "gone")
        count = len(self.entries())
        run.advance(5)
        [entry] = self.entries()[count:]
        self.assertEqual(self.rooms(entry), ["b"])

    def test_removed_again(self) -> None:
        """One that is removed before the flush is nothing to note."""
        run = self.waiting()
        run.acknowledge("b")
        run.remove("b")
        count = len(self.entries())
        run.advance(5)
        self.assertEqual(self.entries()[count:], [])

    def test_second_time(self) -> None:
        """A room that was removed, and comes again while nothing can be written once more, is noted once
        more."""
        run = self.waiting()
        run.acknowledge("b")
        run.advance(1)
        run.complete = True
        run.advance(5)
        run.remove("b")
        run.advance(1)
        run.complete = False
        run.wanted.append(("twitch", "b"))
        run.add("b")
        run.clock.advance(0)
        run.acknowledge("b")
        began = run.now()
        run.advance(5)
        run.kill()
        self.assertIn(("b", Gap(began, START + 60.0, "restart")), self.next_gaps())

    def test_recorded_before_it_was_on_the_disk(self) -> None:
        """A room whose beginning is in files, though perhaps not on the disk yet, is noted as it is: a kill
        takes only what came after the last whole flush."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.lag = 3.0
        run.advance(9)
        run.acknowledge("b")
        run.advance(1)
        run.complete = False
        run.pool.refused(run.links[0], "b", "gone")
        run.advance(5)
        run.kill()
        self.assertIn(("b", Gap(START + 10.0, START + 60.0, "restart")), self.next_gaps())

    def test_machine_that_sleeps_at_once(self) -> None:
        """A room that was recorded for the first time when the machine fell asleep is missing since then,
        also if the process is killed before the next flush."""
        run = self.run_from(START)
        run.acknowledge("a")
        run.advance(10)
        run.clock.advance(0.25)
        run.acknowledge("b")
        run.offset += 20.0
        run.flush()
        run.kill()
        self.assertIn(("b", Gap(START + 10.25, START + 60.0, "restart")), self.next_gaps())


class SettleTests(NotedCase):
    """Rooms of the earlier run, once it is known what is wanted."""

    def setUp(self) -> None:
        super().setUp()
        run = self.run_from(START)
        run.acknowledge("a", "b")
        run.advance(10)
        run.kill()

    def test_in_a_pool(self) -> None:
        """A room that is in a pool goes on with its gap, wanted or not."""
        run = self.run_from(START + 60.0, wanted=("b",), rooms=("a",))
        run.advance(5)
        self.assertEqual(run.gaps, [])
        run.acknowledge("a")
        self.assertEqual(run.gaps, [("a", Gap(START + 10.0, START + 65.0, "restart"))])

    def test_once(self) -> None:
        """It happens once: a room that is taken off the list later is dismissed by whoever does that."""
        run = self.run_from(START + 60.0, rooms=())
        self.assertFalse(run.timelines.settled)
        run.advance(5)
        self.assertTrue(run.timelines.settled)
        run.wanted.remove(("twitch", "b"))
        run.advance(5)
        self.assertEqual(run.gaps, [])
        run.coverage.dismissed("twitch", "b")
        self.assertEqual(run.gaps, [("b", Gap(START + 10.0, START + 70.0, "restart"))])

    def test_wanted_again(self) -> None:
        """A room that was dismissed before it was ever recorded is missing since it is wanted again, and not
        since the first time."""
        run = self.run_from(START + 60.0, wanted=("a", "b", "c"))
        run.acknowledge("a", "b")
        run.advance(5)
        run.wanted.remove(("twitch", "c"))
        run.coverage.dismissed("twitch", "c")
        run.advance(5)
        run.wanted.append(("twitch", "c"))
        run.add("c")
        run.advance(5)
        [_, _, row] = run.rows(START)
        self.assertEqual(row[1:4], ("c", 0.0, 5.0))


class BeforeFloorTests(NotedCase):
    """An earlier run whose last records are not on the disk yet when the next one writes its journal anew."""

    def setUp(self) -> None:
        super().setUp()
        run = self.run_from(START, boot="a")
        run.acknowledge("a", "b")
        run.advance(10)
        run.lag = 5.0
        run.advance(10)
        run.kill()

    def second(self) -> Run:
        run = self.run_from(START + 30.0, boot="a")
        run.recovered = False
        run.acknowledge("a", "b")
        self.assertEqual([gap.start for _, gap in run.gaps], [START + 20.0] * 2)
        run.advance(3)
        return run

    def written_anew(self, run: Run) -> list[str]:
        """The journal is written anew at the next flush; the rooms of its first entry."""
        run.journal.write_anew()
        run.advance(1)
        return self.rooms(self.entries()[0])

    def test_crash(self) -> None:
        """A crash takes what was not on the disk of the earlier run along, and the gap begins there."""
        self.assertEqual(self.written_anew(self.second()), ["a", "b", "a", "b"])
        gaps = self.next_gaps(boot="b")
        self.assertEqual(
            [(name, gap.start) for name, gap in gaps], [("a", START + 14.5), ("b", START + 14.5)]
        )

    def test_once_it_is_on_the_disk(self) -> None:
        """As soon as it is, the earlier run is not noted any more."""
        run = self.second()
        run.recovered = True
        run.advance(0.5)
        self.assertEqual(self.written_anew(run), ["a", "b"])

    def test_removed(self) -> None:
        """Nor is a room of it that was removed."""
        run = self.second()
        run.remove("b")
        self.assertEqual(self.written_anew(run), ["a", "a", "b"])
        run.kill()
        gaps = self.next_gaps(boot="a", wanted=("a",), rooms=("a",))
        self.assertEqual([name for name, _ in gaps], ["a"])

    def test_earlier_run_that_is_all_on_the_disk(self) -> None:
        """Where everything of it was, each room is noted once from the start, whatever the files say."""
        run = self.second()
        run.recovered = True
        run.advance(5)
        run.kill()
        self.run_from(START + 60.0, boot="a").recovered = False
        self.assertEqual(self.rooms(self.entries()[0]), ["a", "b"])


class FileTests(NotedCase):
    """The file itself."""

    def test_what_makes_no_sense(self) -> None:
        """The log says so of a damaged file that tells nothing of any room, and of no other."""
        words = "makes no sense"
        run = self.run_from(START)
        run.acknowledge("a")
        run.advance(5)
        run.kill()
        sound = self.files.content(JOURNAL)
        first, *rest = sound.splitlines(keepends=True)
        for content, expected in (
            (sound, False),
            (sound + b"nonsense\n", False),
            (first, False),
            (first + b"nonsense\n", True),
        ):
            self.files.put(JOURNAL, content)
            with capturedLogs() as logs:
                self.run_from(START + 60.0)
            said = any(words in str(event["log_format"]) for event in logs)
            self.assertEqual(said, expected, (content[-20:], rest))

    def test_silent_connection_when_it_cannot_be_written_anew(self) -> None:
        """Where the file could not be written anew, everything is noted once more: also that a connection has
        been silent, so that the gap begins with its last byte."""
        run = self.run_from(START, quiet=True)
        run.acknowledge("a")
        run.advance(10)

        def no_new_file(operation: str, path: str) -> None:
            if operation == "rename":
                raise OSError(errno.EIO, "Input/output error", path)

        self.files.rule = no_new_file
        run.journal.write_anew()
        run.advance(0.5)
        self.files.rule = lambda operation, path: None
        self.assertTrue(self.next_entry(run)["all"])
        run.kill()
        self.assertEqual(self.next_gaps(), [("a", Gap(START, START + 60.0, "restart"))])

    def test_closed_at_the_end(self) -> None:
        """The last flush of a run that stops closes the file, and none before does."""
        run = self.run_from(START)
        run.acknowledge("a")

        def opened() -> bool:
            return any(path == JOURNAL for _, path, _ in self.files.fds.values())

        run.advance(5)
        self.assertTrue(opened())
        run.stop()
        self.assertFalse(opened())

    def test_written_anew_when_nothing_happens(self) -> None:
        """A file that is too long is written anew once nothing has changed for more than five seconds; while
        rooms come and go, only when it is twice as long."""
        threads = QueuedThreads()
        run = self.run_from(START, threads=threads)
        run.acknowledge("a")

        def renamed() -> int:
            return [operation for operation, _ in self.files.log].count("rename")

        def advance(seconds: float) -> None:
            for _ in range(round(seconds * 2)):
                run.advance(0.5)
                threads.pump()

        def grow(until: float, seconds: float) -> None:
            turn = 0
            while self.files.size(JOURNAL) <= until:
                turn += 1
                run.pool.refused(run.links[0], "a", f"{turn}" * 40)
                run.flush()
                advance(seconds)

        advance(10)
        before = renamed()
        grow(LARGEST, 0)
        advance(5)
        self.assertEqual(renamed(), before)
        advance(0.5)
        self.assertEqual(renamed(), before + 1)
        self.assertLess(self.files.size(JOURNAL), 10_000)
        grow(1.9 * LARGEST, 0.5)
        self.assertEqual(renamed(), before + 1)
