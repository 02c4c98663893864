"""The recorder: from a room's door to sealed files."""

from __future__ import annotations

import errno
import json
import os
import resource
import time
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, LogLevel, capturedLogs, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from chatlog.config.settings import RecorderSettings
from chatlog.counters import Counters
from chatlog.files import OsFiles
from chatlog.naming import parse_name
from chatlog.record import encode_full
from chatlog.recorder.buffers import KEPT
from chatlog.recorder.descriptors import MOST, RESERVE, default_limit, raised_limit
from chatlog.recorder.hooks import Hooks
from chatlog.recorder.recorder import Recorder
from chatlog.recorder.room import Loss
from chatlog.reserved_space import SIZE
from chatlog.rooms.gap import gap_line, loss_line
from chatlog.services import OwnedThreads
from chatlog.spool.spool import Spool, SpoolError
from chatlog.timeline.timeline import Gap
from tests.fakes import MemoryFiles, environment
from tests.recording import HALF_PAST_TEN, Recording, line


class RoomTests(SynchronousTestCase):
    """``Recorder.room`` and what may be asked of a room."""

    def test_same_handle(self) -> None:
        """A room is made once; the same pair always gives the same handle."""
        recorder = Recording().recorder
        room = recorder.room("twitch", "any_room")
        self.assertIs(recorder.room("twitch", "any_room"), room)
        self.assertIsNot(recorder.room("kick", "any_room"), room)
        self.assertEqual(len(recorder), 2)
        self.assertEqual({each.platform for each in recorder}, {"twitch", "kick"})

    def test_removed_rooms_are_forgotten(self) -> None:
        """Of rooms that come and go nothing is left a day after they were removed, once their files are
        finished; what cannot be written keeps its room, and is written all the same."""
        recording = Recording().start()
        recording.append("stays", line(0))
        for number in range(1000):
            recording.append(f"r{number}", line(1))
            recording.buffers.removed("twitch", f"r{number}", recording.clock.seconds())
        recording.advance(1)
        recording.clock.advance(KEPT / 2)
        recording.advance(5)
        self.assertEqual((len(recording.recorder), len(recording.sealed)), (1001, 1001))
        recording.files.capacity = 0
        recording.append("late", line(2))
        recording.buffers.removed("twitch", "late", recording.clock.seconds())
        recording.clock.advance(2 * KEPT)
        recording.advance(1)
        self.assertEqual([room.channel for room in recording.recorder], ["stays", "late"])
        recording.files.capacity = None
        recording.advance(1)
        self.assertIn(line(2), [*recording.contents("open").values(), *recording.contents("sealed").values()])

    def test_no_path_gets_in(self) -> None:
        """A name that could lead out of the spool, or that names could not be read back from, is
        refused."""
        recorder = Recording().recorder
        for platform, channel in [
            ("twitch", "../../etc"),
            ("twitch", ""),
            ("twitch", "Upper"),
            ("twitch", "a" * 65),
            ("twitch", "a\n"),
            ("tw/itch", "fine"),
            ("twitch_x", "fine"),
            ("", "fine"),
        ]:
            with self.assertRaises(ValueError):
                recorder.room(platform, channel)
        self.assertEqual(len(recorder), 0)


class FlushTests(SynchronousTestCase):
    """The tick."""

    def test_one_write_per_room(self) -> None:
        """All lines of a room that came since the last tick go to its file in one write, in order."""
        rig = Recording().start()
        rig.files.log.clear()
        rig.append("one", line(1), line(2))
        rig.append("two", line(3))
        rig.append("one", line(4))
        rig.advance()
        writes = [path for operation, path in rig.files.log if operation == "write" and "open/" in path]
        self.assertEqual(
            writes,
            ["/data/open/twitch_one_20251229_1030.jsonl", "/data/open/twitch_two_20251229_1030.jsonl"],
        )
        self.assertEqual(
            rig.contents("open"),
            {
                "twitch_one_20251229_1030.jsonl": line(1) + line(2) + line(4),
                "twitch_two_20251229_1030.jsonl": line(3),
            },
        )
        self.assertEqual((rig.counters.appended, rig.counters.written), (4, 4))
        self.assertEqual(rig.counters.written_bytes, sum(map(len, map(line, (1, 2, 3, 4)))))
        room = rig.recorder.room("twitch", "one")
        self.assertEqual((room.written, room.written_at), (3, HALF_PAST_TEN + 0.5))

    def test_sockets_first(self) -> None:
        """What the sockets deliver because of a tick is written in the same tick."""
        rig = Recording()
        rig.deliver = lambda: rig.clock.callLater(0, rig.append, "one", line(1))
        rig.start()
        rig.clock.advance(0.5)
        self.assertEqual(list(rig.contents("open").values()), [line(1)])

    def test_silent_room(self) -> None:
        """A room that got nothing makes no file."""
        rig = Recording().start()
        rig.recorder.room("twitch", "silent")
        rig.advance(5)
        self.successResultOf(rig.recorder.stopService())
        self.assertEqual((rig.contents("open"), rig.contents("sealed")), ({}, {}))

    def test_errors_do_not_stop_the_ticks(self) -> None:
        """Whatever goes wrong in a tick, the next one comes."""
        rig = Recording()

        def broken() -> None:
            raise RuntimeError("made up")

        rig.deliver = broken
        rig.start()
        rig.append("one", line(1))
        rig.advance(5)
        # The same trouble at every tick is said once.
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(list(rig.contents("open").values()), [line(1)])

    def test_surprises(self) -> None:
        """An unexpected error loses no line, and logs one traceback, not one at every tick."""
        rig = Recording().start()

        def rule(operation: str, path: str) -> None:
            if operation == "write" and "_one_" in path:
                raise RuntimeError("made up")

        rig.files.rule = rule
        for number in range(10):
            rig.append("one", line(number))
            rig.append("two", line(number))
            rig.advance()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertIn("RuntimeError", rig.recorder.trouble)
        rig.files.rule = _anything
        rig.advance()
        whole = b"".join(map(line, range(10)))
        self.assertEqual(list(rig.contents("open").values()), [whole, whole])

    def test_few_descriptors(self) -> None:
        """Many more rooms than descriptors: every line still arrives, in order, and the limit holds."""
        rig = Recording(descriptors=4)
        rig.files.most_fds = 6
        rig.start()
        for number in range(3):
            for room in range(50):
                rig.append(f"room{room}", line(number))
            rig.advance()
        self.assertEqual(rig.recorder.trouble, "")
        self.assertEqual(len(rig.contents("open")), 50)
        self.assertEqual(set(rig.contents("open").values()), {line(0) + line(1) + line(2)})

    def test_default_limit(self) -> None:
        """By default the recorder leaves descriptors to the sockets, and never takes more
        than are of use."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        for limit, expected in ((300, 44), (1024, 768), (100, 16), (resource.RLIM_INFINITY, MOST)):
            self.assertEqual(default_limit(limit), expected)
        self.assertEqual(default_limit(), default_limit(soft))

    def test_raised_limit(self) -> None:
        """A system that gives 1024 descriptors at first does not make thousands of rooms expensive: the
        recorder takes as many as it may have and can use, and never gives any back."""
        most, infinity = MOST + RESERVE, resource.RLIM_INFINITY
        for soft, hard, expected in (
            (1024, 524_288, most),
            (1024, 4096, 4096),
            (1024, 1024, 1024),
            (1024, infinity, most),
            (65_536, 524_288, 65_536),
            (infinity, infinity, infinity),
        ):
            self.assertEqual(raised_limit(soft, hard), expected)

    def test_descriptors_run_out(self) -> None:
        """When the system gives fewer descriptors than hoped for, the recorder lives with fewer."""
        rig = Recording(descriptors=1000).start()
        rig.files.most_fds = 10
        for number in range(3):
            for room in range(50):
                rig.append(f"room{room}", line(number))
            rig.advance()
        self.assertEqual(rig.recorder.trouble, "")
        rig.files.most_fds = None
        self.assertEqual(set(rig.contents("open").values()), {line(0) + line(1) + line(2)})


class RotationTests(SynchronousTestCase):
    """When files end."""

    def test_on_the_hour(self) -> None:
        """Every file ends at the UTC hour, also that of a room that has gone silent."""
        rig = Recording().start()
        rig.append("silent", line(1))
        rig.advance(1)
        rig.advance(29 * 60)
        rig.append("busy", line(2))
        rig.advance(57)
        self.assertEqual(rig.sealed, [])
        rig.advance(5)
        self.assertEqual(
            sorted(rig.sealed), ["twitch_busy_20251229_1059.jsonl", "twitch_silent_20251229_1030.jsonl"]
        )
        self.assertEqual(rig.contents("open"), {})
        rig.append("busy", line(3))
        rig.advance(1)
        self.assertEqual(list(rig.contents("open")), ["twitch_busy_20251229_1100.jsonl"])
        self.assertEqual(rig.counters.sealed, 2)

    def test_size(self) -> None:
        """A file ends when it has reached the size; the next of that minute has a number."""
        rig = Recording(rotate_size=100).start()
        for number in range(3):
            rig.append("one", line(number, pad=100))
            rig.advance()
        self.successResultOf(rig.recorder.stopService())
        self.assertEqual(
            rig.contents("sealed"),
            {
                "twitch_one_20251229_1030.jsonl": line(0, pad=100),
                "twitch_one_20251229_1030n0002.jsonl": line(1, pad=100),
                "twitch_one_20251229_1030n0003.jsonl": line(2, pad=100),
            },
        )

    def test_many_rooms(self) -> None:
        """Thousands of rooms rotate over a few ticks, so that no tick has to make all the new files;
        a file that was made meanwhile is not ended again."""
        rig = Recording(descriptors=50, rotate_size=150).start()
        for room in range(600):
            rig.append(f"room{room}", line(room))
        rig.advance(1)
        rig.wall += 3600
        before = 0
        for number in range(4):
            for room in range(600):
                rig.append(f"room{room}", line(number))
            if number == 1:
                # Ends by its size, before its turn comes.
                rig.append("room599", line(0, pad=200))
            rig.advance(0.5)
            made = [path for operation, path in rig.files.log if operation == "create" and "1130" in path]
            self.assertLessEqual(len(made) - before, 251)
            before = len(made)
            rig.wall += 60
        rig.advance(2)
        self.assertEqual(len([name for name in rig.sealed if "_1030" in name]), 600)
        self.assertEqual([name for name in rig.sealed if "_11" in name], [])

    def test_clock_goes_back(self) -> None:
        """When the time of day jumps to another period, files rotate; no name is used twice."""
        rig = Recording().start()
        names: list[str] = []
        for jump in (0, -3600, 3600, -7200, 0, 7200):
            rig.wall += jump
            rig.append("one", line(len(names)))
            rig.advance(0.5)
            rig.recorder.rotate_now()
            rig.advance(2)
            names = list(rig.sealed)
            for name in names:
                if name in rig.contents("sealed"):
                    rig.files.remove(rig.spool.path("sealed", name))
        self.assertEqual(len(names), 6)
        self.assertEqual(len(set(names)), 6)

    def test_restart_in_the_same_minute(self) -> None:
        """A name is not used again by the next process, even if its file has left the spool."""
        rig = Recording().start()
        rig.append("one", line(1))
        rig.advance()
        self.successResultOf(rig.recorder.stopService())
        rig.files.remove(rig.spool.path("sealed", "twitch_one_20251229_1030.jsonl"))
        again = Recording(files=rig.files).start()
        again.append("one", line(2))
        again.advance()
        self.assertEqual(list(again.contents("open")), ["twitch_one_20251229_1030n0002.jsonl"])


class StopTests(SynchronousTestCase):
    """The end of a run."""

    def test_everything_is_sealed(self) -> None:
        """Stopping writes, syncs and seals everything and lets go of the lock and the clock."""
        rig = Recording().start()
        rig.append("one", line(1))
        self.successResultOf(rig.recorder.stopService())
        self.assertEqual(rig.contents("sealed"), {"twitch_one_20251229_1030.jsonl": line(1)})
        self.assertEqual(rig.counters.durable, 1)
        self.assertEqual(rig.clock.getDelayedCalls(), [])
        Recording(files=rig.files).start()

    def test_start_again(self) -> None:
        """A recorder that was stopped can be started again."""
        rig = Recording().start()
        rig.append("one", line(1))
        self.successResultOf(rig.recorder.stopService())
        rig.start()
        rig.append("one", line(2))
        rig.advance(2)
        self.successResultOf(rig.recorder.stopService())
        self.assertEqual(len(rig.contents("sealed")), 2)

    def test_never_started(self) -> None:
        """A recorder whose directory is in use by another does not touch it when it is stopped."""
        first = Recording().start()
        second = Recording(files=first.files)
        self.assertRaises(SpoolError, second.start)
        second.append("one", line(1))
        calls = first.files.calls
        self.successResultOf(second.recorder.stopService())
        self.assertEqual(first.files.calls, calls)
        self.assertEqual(second.clock.getDelayedCalls(), [])


class FullTests(SynchronousTestCase):
    """Nothing can be written."""

    def test_max_size(self) -> None:
        """The spool's own limit works like a full disk: what is there stays, new lines wait, then the
        newest are dropped; what is freed can be used at once."""
        size = len(line(0))
        rig = Recording(max_size=10 * size, buffer_limit=3 * size).start()
        rig.append("one", *map(line, range(9)))
        rig.advance()
        self.assertEqual(rig.recorder.spool_bytes, 9 * size)
        rig.append("one", line(9))
        rig.advance()
        self.assertEqual(rig.recorder.trouble, "")
        rig.append("one", line(1), line(2), line(3), line(4), line(5))
        rig.advance(5)
        self.assertIn("max_size", rig.recorder.trouble)
        self.assertEqual(rig.recorder.spool_bytes, 10 * size)
        self.assertEqual(rig.counters.dropped["overflow"], 2)
        # What was open has been sealed, so that it can be uploaded and make space.
        self.assertEqual(rig.sealed, ["twitch_one_20251229_1030.jsonl"])
        rig.spool.usage.changed(-4 * size)
        rig.advance()
        self.assertEqual(rig.recorder.trouble, "")
        self.assertEqual(rig.recorder.spool_bytes, 9 * size)
        rig.spool.usage.freed(5 * size)
        self.assertEqual(rig.recorder.spool_bytes, 4 * size)
        self.assertEqual(list(rig.contents("open").values()), [line(1) + line(2) + line(3)])

    def test_little_space_that_comes_and_goes(self) -> None:
        """On a disk that others have filled up to a little more than what is put by, what fits there is
        written, leaves, and the next is written: recording does not wait for more space than it needs."""
        rig = Recording().start()
        rig.append("one", line(0))
        rig.advance(1)
        rig.files.block = 4096
        # Others take all but what is put by and 600 KB.
        rig.files.capacity = rig.files.used() + 600_000
        for number in range(1, 400):
            rig.append("one", line(number, pad=10_000))
            rig.advance(1)
            for name in rig.sealed:
                # The uploader.
                size = rig.files.size(f"/data/sealed/{name}")
                rig.files.remove(f"/data/sealed/{name}")
                rig.spool.usage.freed(size)
            rig.sealed.clear()
        rig.advance(60)
        self.assertEqual((rig.counters.written, rig.counters.dropped["overflow"]), (400, 0))

    def test_since_when(self) -> None:
        """Since when nothing is written, when something was for the last time, and how much was lost since,
        are known as long as it lasts."""
        size = len(line(0))
        rig = Recording(buffer_limit=2 * size).start()
        self.assertEqual((rig.recorder.trouble_since, rig.recorder.written_at), (None, None))
        rig.append("one", line(1))
        rig.advance(0.5)
        written = rig.now()
        self.assertEqual((rig.recorder.trouble_since, rig.recorder.written_at), (None, written))
        rig.advance(10)
        before = rig.now()
        rig.files.rule = _no_writes
        rig.append("one", *map(line, range(5)))
        rig.advance(20)
        self.assertEqual((rig.recorder.trouble_since, rig.recorder.written_at), (before, written))
        self.assertEqual(rig.recorder.dropped, 3)
        rig.files.rule = _anything
        rig.advance(1)
        self.assertEqual((rig.recorder.trouble_since, rig.recorder.written_at), (None, rig.now()))
        self.assertEqual(rig.recorder.dropped, 0)

    def test_clock_set_back_while_records_are_lost(self) -> None:
        """When somebody sets the clock back while records are dropped, what is said of them is as long as it
        took, ends when the last one was lost, and never ends before it begins."""
        for by in (0.7, 40.0, 3600.0):
            rig = Recording(buffer_limit=0).start()
            rig.append("one", line(0))
            rig.advance(1)
            rig.files.rule = _no_writes
            for number in range(20):
                rig.append("one", line(number))
                rig.append("two", *([line(number)] if number < 5 else []))
                rig.advance(0.5)
                if number == 9:
                    rig.wall -= by
            rig.files.rule = _anything
            last = rig.now()
            self.assertAlmostEqual(rig.recorder.trouble_since or 0, last - 10, 3)
            rig.advance(1)
            rig.append("one", line(99))
            rig.advance(1)
            one, two = sorted(rig.losses, key=lambda loss: loss.channel)
            self.assertAlmostEqual(one.first, last - 10, 3)
            self.assertAlmostEqual(one.last, last, 3)
            self.assertAlmostEqual(two.first, last - 10, 3)
            self.assertAlmostEqual(two.last, last - 7.5, 3)

    def test_max_size_counts_the_earlier_run(self) -> None:
        """Files that were waiting before the start count too."""
        files = MemoryFiles()
        files.put("/data/sealed/twitch_one_20251229_0900.jsonl", bytes(1000))
        rig = Recording(files=files, max_size=1000).start()
        rig.append("one", line(1))
        rig.advance()
        self.assertIn("max_size", rig.recorder.trouble)

    def test_sealed_once_a_minute(self) -> None:
        """A disk that stays full, or is full again and again, does not make a heap of small files."""
        rig = Recording().start()
        for number in range(60):
            rig.files.rule = _no_writes if number % 2 else _anything
            rig.append("one", line(number))
            rig.advance(1)
        self.assertLessEqual(len(rig.sealed), 2)

    def test_said_once(self) -> None:
        """One line says when lines could not be written any more and one when they can again."""
        seen: list[Any] = []

        @implementer(ILogObserver)
        def observer(event: Any) -> None:
            if event.get("log_namespace", "").startswith("chatlog"):
                seen.append(event)

        rig = Recording().start()
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        rig.files.rule = _no_writes
        for number in range(20):
            rig.append("one", line(number))
            rig.append("two", line(number))
            rig.advance()
        self.assertEqual([event["log_level"] for event in seen], [LogLevel.error])
        rig.files.rule = _anything
        rig.advance()
        self.assertEqual([event["log_level"] for event in seen], [LogLevel.error, LogLevel.info])
        rig.advance(5)
        self.assertEqual(len(seen), 2)

    def test_loss_is_reported_room_by_room(self) -> None:
        """A room that can be written again has its loss reported at once, before newer records come,
        even if others still wait."""
        rig = Recording(buffer_limit=1).start()
        rig.files.rule = _no_writes
        rig.append("one", line(1))
        rig.append("two", line(2))
        rig.advance()

        def rule(operation: str, path: str) -> None:
            if operation == "write" and "_two_" in path:
                raise OSError(errno.EIO, "Input/output error", path)

        rig.files.rule = rule
        rig.append("one", line(3))
        rig.append("two", line(4))
        rig.advance()
        self.assertEqual([(loss.channel, loss.count) for loss in rig.losses], [("one", 1)])
        rig.files.rule = _anything
        rig.append("two", line(5))
        rig.advance()
        self.assertEqual([(loss.channel, loss.count) for loss in rig.losses], [("one", 1), ("two", 2)])

    def test_gap_record_without_room(self) -> None:
        """Where a gap record itself has to be dropped, what tells of the dropped records tells of its hole
        as well; a message that looks like one changes nothing."""
        rig = Recording(buffer_limit=1).start()
        rig.files.rule = _no_writes
        start = HALF_PAST_TEN - 100.0
        gap = gap_line(encode_full, "twitch", "one", "5", Gap(start, HALF_PAST_TEN, "restart"))
        joke = gap.replace(b'"type":"gap"', b'"type":"message","x":{"type":"gap"}')
        rig.append("one", line(1))
        rig.append("two", joke)
        rig.advance()
        rig.append("one", gap, line(2))
        rig.advance()
        rig.files.rule = _anything
        for number in range(3, 10):
            if not rig.losses:
                rig.append("one", line(number))
                rig.append("two", line(number))
                rig.advance()
        since = {loss.channel: loss.since for loss in rig.losses}
        self.assertEqual(since, {"one": start, "two": None})
        [loss] = [loss for loss in rig.losses if loss.channel == "one"]
        details = json.loads(loss_line(encode_full, loss, "5"))["details"]
        self.assertEqual(details["from"], "2025-12-29T10:28:20.000Z")
        self.assertEqual(details["dropped"], loss.count)

    def test_complete(self) -> None:
        """Nobody says that everything is in files as long as a line waits, and be it the record of what
        was lost."""
        rig = Recording(buffer_limit=1).start()
        rig.on_losses = lambda losses: rig.append("one", line(99))
        rig.append("one", line(1))
        rig.advance()
        self.assertTrue(rig.recorder.complete)
        rig.files.rule = _no_writes
        rig.append("one", line(2))
        rig.advance()
        self.assertFalse(rig.recorder.complete)
        rig.files.rule = _anything
        for number in range(3, 10):
            if not rig.losses:
                rig.append("one", line(number))
                rig.advance()
        self.assertEqual((rig.recorder.trouble, len(rig.losses)), ("", 1))
        self.assertFalse(rig.recorder.complete)
        rig.advance()
        self.assertTrue(rig.recorder.complete)
        self.assertIn(line(99), b"".join(rig.contents("open").values()))

    def test_space_comes_back_slowly(self) -> None:
        """Waiting lines go out one by one as space comes; each is counted once, and lines that have
        waited are not dropped for newer ones."""
        size = len(line(0))
        rig = Recording(buffer_limit=3 * size, max_size=2 * size).start()
        rig.files.take = lambda size: min(size, len(line(0)))
        rig.append("one", line(0), line(1))
        rig.advance()
        rig.append("one", line(2), line(3), line(4))
        rig.advance()
        for number in range(5, 8):
            rig.files.capacity = rig.files.used() + size
            rig.spool.usage.freed(10 * size)
            rig.append("one", line(number))
            rig.advance()
            rig.spool.usage.changed(10 * size)
        rig.files.capacity = None
        rig.spool.usage.freed(10 * size)
        rig.advance(3)
        self.successResultOf(rig.recorder.stopService())
        written = b"".join(rig.contents("sealed")[name] for name in sorted(rig.contents("sealed"), key=len))
        dropped = rig.counters.dropped["overflow"]
        self.assertEqual(rig.counters.appended, 8)
        self.assertEqual(rig.counters.written, 8 - dropped)
        self.assertEqual(written[: 5 * size], b"".join(map(line, range(5))))
        self.assertEqual(sum(loss.count for loss in rig.losses), dropped)

    def test_no_news_is_no_good_news(self) -> None:
        """As long as nothing could be written, the log does not report that writing works again."""
        rig = Recording(buffer_limit=1).start()
        rig.files.rule = _no_writes
        rig.append("one", line(1))
        rig.advance(5)
        self.assertEqual(rig.recorder.buffered_bytes, 0)
        self.assertIn("No space", rig.recorder.trouble)
        self.assertEqual(rig.losses, [])

    def test_log_counts_the_dropped(self) -> None:
        """Once there is space again the log says how many records are lost, each time those that are new."""
        rig = Recording(buffer_limit=1).start()
        for count in (2, 3):
            before = rig.counters.dropped["overflow"]
            rig.files.rule = _no_writes
            for number in range(count):
                rig.append("one", line(number))
                rig.advance()
            rig.files.rule = _anything
            with capturedLogs() as events:
                rig.append("one", line(9))
                rig.advance(3)
            counts = [event["count"] for event in events if "found no room" in str(event.get("log_format"))]
            dropped = rig.counters.dropped["overflow"] - before
            self.assertGreaterEqual(dropped, count)
            self.assertEqual(counts, [dropped])

    def test_short_writes(self) -> None:
        """A system that takes a few bytes at a time gets the rest with more writes."""
        rig = Recording().start()
        rig.files.take = lambda size: min(size, 7)
        rig.append("one", line(1), line(2))
        rig.advance()
        self.assertEqual(list(rig.contents("open").values()), [line(1) + line(2)])
        self.assertEqual(rig.recorder.trouble, "")

    def test_writes_that_take_nothing(self) -> None:
        """A write that takes nothing, without an error, is one."""
        rig = Recording().start()
        rig.append("one", line(1))
        rig.advance()
        rig.files.take = lambda size: 0
        rig.append("one", line(2))
        rig.advance()
        self.assertNotEqual(rig.recorder.trouble, "")
        rig.files.take = lambda size: size
        rig.advance(3)
        self.assertEqual(
            sorted([*rig.contents("open").values(), *rig.contents("sealed").values()]), [line(1), line(2)]
        )

    def test_bad_file(self) -> None:
        """A file that gives trouble of its own is left, whole, and the room goes on in a new one; the
        others are not kept waiting."""
        rig = Recording().start()
        rig.append("one", line(1))
        rig.append("two", line(2))
        rig.advance()

        def rule(operation: str, path: str) -> None:
            if operation == "write" and path.endswith("one_20251229_1030.jsonl"):
                raise OSError(errno.EIO, "Input/output error", path)

        rig.files.rule = rule
        rig.append("one", line(3))
        rig.append("two", line(4))
        rig.clock.advance(0.5)
        self.assertEqual(rig.files.content("/data/open/twitch_two_20251229_1030.jsonl"), line(2) + line(4))
        rig.advance(3)
        self.assertEqual(rig.recorder.trouble, "")
        self.assertEqual(rig.contents("sealed"), {"twitch_one_20251229_1030.jsonl": line(1)})
        self.assertEqual(rig.contents("open")["twitch_one_20251229_1030n0002.jsonl"], line(3))

    def test_file_may_not_be_opened(self) -> None:
        """The same when a file that was closed to save a descriptor cannot be opened again."""
        rig = Recording(descriptors=1).start()
        rig.append("one", line(1))
        rig.append("two", line(2))
        rig.advance()

        def rule(operation: str, path: str) -> None:
            if operation == "reopen" and path.endswith("one_20251229_1030.jsonl"):
                raise PermissionError(errno.EACCES, "Permission denied", path)

        rig.files.rule = rule
        rig.append("one", line(3))
        rig.advance(3)
        self.assertEqual(rig.contents("sealed"), {"twitch_one_20251229_1030.jsonl": line(1)})
        self.assertEqual(rig.contents("open")["twitch_one_20251229_1030n0002.jsonl"], line(3))

    def test_disk_fails_for_good(self) -> None:
        """A disk on which nothing works does not fill up with files, and nothing is dropped before
        the memory set aside is full."""
        rig = Recording().start()
        rig.append("old", line(0))
        rig.advance()

        def rule(operation: str, path: str) -> None:
            if operation in ("write", "truncate"):
                raise OSError(errno.EIO, "Input/output error", path)

        rig.files.rule = rule
        for number in range(100):
            rig.append("old", line(number))
            rig.append("new", line(number))
            rig.advance()
        self.assertLessEqual(len(rig.files.names("/data/open")), 3)
        rig.files.rule = _anything
        rig.advance(2)
        self.successResultOf(rig.recorder.stopService())
        lines = b"".join(rig.contents("sealed").values()).splitlines(keepends=True)
        self.assertEqual(sorted(lines), sorted([line(0), *map(line, range(100)), *map(line, range(100))]))

    def test_half_a_line_at_the_start(self) -> None:
        """Half a line in a file that holds nothing else, and that could not be cut off, is cut off
        before anything is written behind it."""
        rig = Recording().start()
        rig.files.remove("/data/ballast")

        def rule(operation: str, path: str) -> None:
            if operation == "truncate":
                raise OSError(errno.EIO, "Input/output error", path)

        rig.files.rule = rule
        rig.files.capacity = rig.files.used() + 10
        rig.append("one", line(1))
        rig.advance(2)
        self.assertEqual(list(rig.contents("open").values()), [line(1)[:10]])
        rig.files.capacity = None
        rig.advance(2)
        self.assertEqual(list(rig.contents("open").values()), [line(1)[:10]])
        rig.files.rule = _anything
        rig.advance(2)
        self.assertEqual(list(rig.contents("open").values()), [line(1)])

    def test_empty_file_at_the_end(self) -> None:
        """A file to which nothing could be written is not left behind."""
        rig = Recording().start()
        rig.files.rule = _no_writes
        rig.append("one", line(1))
        rig.advance()
        self.assertEqual(list(rig.contents("open").values()), [b""])
        self.successResultOf(rig.recorder.stopService())
        self.assertEqual((rig.contents("open"), rig.contents("sealed")), ({}, {}))

    def test_gap_records_at_the_end(self) -> None:
        """What is appended because of losses is written even if the recorder is stopping."""
        rig = Recording(buffer_limit=1)

        def report(losses: list[Loss]) -> None:
            for loss in losses:
                rig.append(loss.channel, line(loss.count))

        rig.on_losses = report
        rig.start()
        rig.files.rule = _no_writes
        rig.append("one", line(7), line(8))
        rig.advance()
        rig.files.rule = _anything
        rig.append("one", line(9))
        self.successResultOf(rig.recorder.stopService())
        whole = b"".join(rig.contents("sealed").values())
        self.assertEqual((whole, rig.counters.dropped["overflow"]), (line(9) + line(2), 2))

    def test_no_space(self) -> None:
        """On a full disk lines wait in memory; whole lines only are in the file; when there is space
        again everything is written, in order, once."""
        rig = Recording().start()
        rig.append("one", line(1))
        rig.advance()
        rig.files.remove("/data/ballast")
        rig.files.capacity = rig.files.used() + 10
        rig.append("one", line(2), line(3))
        rig.advance(3)
        self.assertIn("No space left", rig.recorder.trouble)
        self.assertEqual(rig.recorder.buffered_bytes, len(line(2) + line(3)))
        rig.append("one", line(4))
        rig.advance(3)
        rig.files.capacity = None
        rig.advance(1)
        self.assertEqual(rig.recorder.trouble, "")
        self.successResultOf(rig.recorder.stopService())
        self.assertEqual(
            rig.contents("sealed"),
            {
                "twitch_one_20251229_1030.jsonl": line(1),
                "twitch_one_20251229_1030n0002.jsonl": line(2) + line(3) + line(4),
            },
        )
        self.assertEqual((rig.counters.appended, rig.counters.written), (4, 4))

    def test_full_disk_gets_emptied(self) -> None:
        """A disk that recording has filled up is not stuck: what is there can still be sealed and so
        uploaded, the last space is not used for recording, and then everything goes on."""
        rig = Recording(buffer_limit=200_000).start()
        rig.files.block = 4096
        rig.files.capacity = 3 * SIZE
        shipped: list[bytes] = []
        number = 0
        for turn in range(60):
            for _ in range(200 if turn < 30 else 10):
                rig.append(f"room{number % 20}", line(number, pad=1000))
                number += 1
            rig.advance()
            if turn == 30:
                self.assertIn("full", rig.recorder.trouble)
                self.assertGreater(len(rig.sealed), 19)
            if turn >= 30:
                for name in rig.sealed:
                    path = rig.spool.path("sealed", name)
                    shipped.append(rig.files.content(path))
                    rig.spool.usage.freed(rig.files.size(path))
                    rig.files.remove(path)
                rig.sealed.clear()
        self.assertEqual(rig.recorder.trouble, "")
        self.successResultOf(rig.recorder.stopService())
        shipped += rig.contents("sealed").values()
        lines = b"".join(shipped).splitlines(keepends=True)
        self.assertEqual(len(lines), len(set(lines)))
        self.assertEqual(len(lines), rig.counters.written)
        self.assertEqual(rig.counters.appended, number)
        self.assertEqual(rig.counters.written + rig.counters.dropped["overflow"], number)
        self.assertEqual(sum(loss.count for loss in rig.losses), rig.counters.dropped["overflow"])
        self.assertGreater(rig.counters.dropped["overflow"], 1000)

    def test_overflow(self) -> None:
        """Beyond the memory set aside the newest records are dropped, counted for every room, and
        reported when the room can be written again."""
        size = len(line(0))
        rig = Recording(buffer_limit=4 * size).start()
        rig.files.rule = _no_writes
        rig.append("one", line(0), line(1))
        rig.advance()
        rig.append("two", line(2), line(3), line(4))
        rig.append("one", line(5))
        rig.advance()
        rig.append("three", line(6))
        rig.advance()
        self.assertEqual(rig.counters.dropped["overflow"], 3)
        self.assertEqual(rig.recorder.buffered_bytes, 4 * size)
        self.assertEqual(rig.losses, [])
        rig.files.rule = _anything
        rig.advance()
        self.assertEqual(
            {name.split("_")[1]: data for name, data in rig.contents("open").items()},
            {"one": line(0) + line(1) + line(5), "two": line(2)},
        )
        lost = {loss.channel: loss for loss in rig.losses}
        self.assertEqual({name: loss.count for name, loss in lost.items()}, {"two": 2, "three": 1})
        self.assertEqual((lost["two"].first, lost["two"].last), (HALF_PAST_TEN + 0.5, HALF_PAST_TEN + 1.0))
        self.assertEqual(rig.counters.appended, 7)
        self.assertEqual(rig.counters.written + rig.counters.dropped["overflow"], 7)


def _anything(operation: str, path: str) -> None:
    pass


def _no_writes(operation: str, path: str) -> None:
    if operation == "write":
        raise OSError(errno.ENOSPC, "No space left on device", path)


class DiskTests(TestCase):
    """With real files, real threads and the real reactor."""

    async def _record(self, directory: str, rooms: int) -> Counters:
        counters = Counters()
        threads = OwnedThreads("disk", 1, cast(Any, reactor).callFromThread)
        self.addCleanup(threads.stop)
        recorder = Recorder(
            RecorderSettings(directory=directory, flush_interval=0.01, sync_interval=0.02),
            Spool(directory, OsFiles()),
            environment(reactor, time.time, OsFiles(), threads, counters),
            Hooks(lambda: None, lambda names: None, self.fail),
            descriptors=64,
        )
        recorder.startService()
        for number in range(20):
            for room in range(rooms):
                recorder.room("twitch", f"room{room}").append(line(number))
            await deferLater(reactor, 0.01)
            if number == 10:
                recorder.rotate_now()
        await recorder.stopService()
        return counters

    def test_everything_arrives(self) -> Deferred[None]:
        """Many rooms, few descriptors, a rotation in the middle, twice in the same minute: every line
        is in a sealed file once, in order."""
        return Deferred.fromCoroutine(self._twice())

    async def _twice(self) -> None:
        directory = self.mktemp()
        for _ in range(2):
            counters = await self._record(directory, 100)
            self.assertEqual(counters.written, 2000)
            self.assertEqual(counters.durable, 2000)
            self.assertEqual(os.listdir(f"{directory}/open"), [])
        lines: dict[str, list[tuple[str, bytes]]] = {}
        for name in os.listdir(f"{directory}/sealed"):
            with open(f"{directory}/sealed/{name}", "rb") as file:
                lines.setdefault(parse_name(name).channel, []).append((name, file.read()))
        self.assertEqual(len(lines), 100)
        for files in lines.values():
            whole = b"".join(data for _, data in sorted(files, key=_order))
            self.assertEqual(whole, b"".join(map(line, range(20))) * 2)


def _order(file: tuple[str, bytes]) -> tuple[str, int]:
    name = parse_name(file[0])
    return name.minute, name.n
