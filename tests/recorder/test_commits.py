"""Group commits: what is durable when, sealing, recovery beside recording, the end."""

from __future__ import annotations

import errno
import os
from typing import Any

from twisted.logger import ILogObserver, LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.fakes import MemoryFiles, QueuedThreads
from tests.recording import Recording, line


class DurableTests(SynchronousTestCase):
    """``Counters.durable`` and ``Recorder.durable_lag``."""

    def test_after_the_sync(self) -> None:
        """A line is durable when a sync that began after its write has ended, not before; and what
        was written while the sync ran waits for the next."""
        threads = QueuedThreads()
        rig = Recording(threads=threads).start()
        threads.pump()
        rig.append("one", line(1))
        rig.advance(1)
        self.assertEqual(len(threads.jobs), 1)
        rig.append("two", line(2))
        rig.advance(0.5)
        self.assertEqual((rig.counters.written, rig.counters.durable), (2, 0))
        threads.pump(1)
        self.assertEqual(rig.counters.durable, 1)
        rig.files.lose()
        self.assertEqual(rig.contents("open")["twitch_one_20251229_1030.jsonl"], line(1))
        self.assertNotIn(line(2), rig.contents("open").values())

    def test_never_two_at_once(self) -> None:
        """However long a sync takes, the next one waits for it."""
        threads = QueuedThreads()
        rig = Recording(threads=threads).start()
        threads.pump()
        for number in range(10):
            rig.append("one", line(number))
            rig.advance(1)
        self.assertEqual(len(threads.jobs), 1)
        threads.pump()
        rig.advance(1)
        self.assertEqual(len(threads.jobs), 1)

    def test_interval(self) -> None:
        """With lines at every tick there is one sync every sync_interval; with none there is none."""
        for flush, sync, most in ((0.5, 1.0, 1.0), (0.5, 0.7, 0.5), (0.5, 0.1, 0.5), (0.25, 5.0, 5.0)):
            rig = Recording(flush_interval=flush, sync_interval=sync).start()
            rig.files.log.clear()
            for number in range(round(20 / flush)):
                rig.append("one", line(number))
                rig.advance(flush)
                self.assertLess(rig.recorder.durable_lag, max(sync, flush))
            syncs = sum(operation == "sync" for operation, _ in rig.files.log)
            self.assertEqual(syncs, round(20 / most))
            rig.advance(10)
            syncs = sum(operation == "sync" for operation, _ in rig.files.log)
            self.assertLessEqual(syncs, round(20 / most) + 1)
            self.assertEqual(rig.recorder.durable_lag, 0.0)

    def test_lag(self) -> None:
        """The lag is the age of the oldest write that is not durable, also while a sync runs."""
        threads = QueuedThreads()
        rig = Recording(threads=threads).start()
        threads.pump()
        self.assertEqual(rig.recorder.durable_lag, 0.0)
        rig.append("one", line(1))
        rig.advance(0.5)
        # It is not on the disk, however short that may be.
        self.assertGreater(rig.recorder.durable_lag, 0.0)
        self.assertLess(rig.recorder.durable_lag, 0.001)
        rig.advance(3)
        self.assertEqual(rig.recorder.durable_lag, 3.0)
        rig.append("one", line(2))
        rig.advance(0.5)
        rig.clock.advance(0.2)
        threads.pump()
        self.assertAlmostEqual(rig.recorder.durable_lag, 0.2)

    def test_what_an_earlier_run_left(self) -> None:
        """What a killed process had written is on the disk once a sync has covered it, however busy the
        next one is; where there is nothing of the kind, from the start."""
        threads = QueuedThreads()
        first = Recording(threads=threads).start()
        self.assertTrue(first.recorder.recovered_durable)
        first.append("one", line(1))
        first.advance(0.5)
        first.files.kill()
        rig = Recording(first.files, threads=threads).start()
        durable = []
        for number in range(8):
            durable.append(rig.recorder.recovered_durable)
            if number >= 2:
                threads.pump()
            rig.append("two", line(number))
            rig.advance(0.5)
        self.assertEqual(durable[:3], [False] * 3)
        self.assertTrue(durable[-1])
        rig.files.lose()
        self.assertIn(line(1), b"".join(rig.contents("sealed").values()))

    def test_and_nothing_else_happens(self) -> None:
        """An idle process brings what another left to the disk as well."""
        first = Recording().start()
        first.append("one", line(1))
        first.advance(0.5)
        first.files.kill()
        rig = Recording(first.files).start()
        rig.advance(3)
        self.assertTrue(rig.recorder.recovered_durable)

    def test_evicted_files_too(self) -> None:
        """Files that are closed to save descriptors are synced like the others."""
        rig = Recording(descriptors=1).start()
        for room in range(5):
            rig.append(f"room{room}", line(room))
        rig.advance(1)
        self.assertEqual(rig.counters.durable, 5)
        rig.files.lose()
        self.assertEqual(len(rig.contents("open")), 5)

    def test_no_descriptors(self) -> None:
        """A sync for which nothing could be opened is no failed sync: it is done a little later, and
        so is everything that goes with it; one line says so."""
        seen = _watch(self)
        for operation in ("reopen", "sync_directory"):
            rig = Recording().start()
            seen[:] = [event for event in seen if event.get("place") is None]
            rig.append("one", line(1))
            rig.advance(1)

            def rule(called: str, path: str, operation: str = operation) -> None:
                if called in (operation, "sync_all"):
                    raise OSError(errno.EMFILE, "Too many open files", path)

            rig.files.rule = rule
            rig.append("one", line(2))
            rig.append("two", line(3))
            rig.advance(0.5)
            rig.recorder.rotate_now()
            rig.append("two", line(4))
            rig.advance(5)
            self.assertEqual((rig.fatal, rig.sealed, rig.counters.durable), ([], [], 1), operation)
            self.assertGreater(rig.recorder.durable_lag, 4)
            rig.files.rule = lambda called, path: None
            rig.advance(2)
            self.assertEqual((len(rig.sealed), rig.counters.durable), (2, 4), operation)
            self.assertEqual(rig.recorder.durable_lag, 0.0)
            rig.files.lose()
            self.assertEqual(len(rig.contents("sealed")), 2)
            self.assertEqual(list(rig.contents("open").values()), [line(4)])
        self.assertEqual([event["log_level"] for event in seen], [LogLevel.error, LogLevel.info] * 2)

    def test_no_descriptors_for_the_directories(self) -> None:
        """A sealed file is told of only when its directory entry is on the disk, even if that takes a
        while and nothing else happens."""
        rig = Recording().start()
        rig.append("one", line(1))
        rig.advance(2)

        def rule(called: str, path: str) -> None:
            if called == "sync_directory" and path == "/data/sealed":
                raise OSError(errno.EMFILE, "Too many open files", path)

        rig.files.rule = rule
        rig.recorder.rotate_now()
        rig.advance(3)
        self.assertEqual((rig.fatal, rig.sealed), ([], []))
        rig.files.rule = lambda called, path: None
        rig.advance(2)
        self.assertEqual(rig.sealed, ["twitch_one_20251229_1030.jsonl"])
        rig.files.lose()
        self.assertEqual(rig.contents("sealed"), {"twitch_one_20251229_1030.jsonl": line(1)})

    def test_removed_files(self) -> None:
        """A file that somebody removed does not keep the others from being synced, and the room goes
        on in a new one."""
        rig = Recording(descriptors=1).start()
        for room in range(3):
            rig.append(f"room{room}", line(room))
        rig.clock.advance(0.5)
        rig.files.remove("/data/open/twitch_room0_20251229_1030.jsonl")
        rig.append("room0", line(7))
        rig.advance(2)
        self.assertEqual(rig.fatal, [])
        self.assertEqual(rig.contents("open")["twitch_room0_20251229_1030n0002.jsonl"], line(7))


class FatalTests(SynchronousTestCase):
    """The disk cannot be trusted any more."""

    def _failing(self, operation: str) -> Recording:
        rig = Recording().start()
        for room in range(20 if operation == "sync_all" else 1):
            rig.append(f"room{room}", line(room))

        def rule(called: str, path: str) -> None:
            if called == operation:
                raise OSError(errno.EIO, "Input/output error", path)

        rig.files.rule = rule
        rig.advance(5)
        return rig

    def test_sync_fails(self) -> None:
        """A failed sync is told once and never tried again: the system would report success. Nothing
        is counted as durable, nothing is sealed, and lines are still written."""
        for operation in ("sync", "sync_all", "sync_directory"):
            rig = self._failing(operation)
            tries = sum(called == operation for called, _ in rig.files.log)
            self.assertEqual(len(rig.fatal), 1, operation)
            self.assertIn("Input/output error", rig.fatal[0])
            self.assertEqual(rig.recorder.fatal, rig.fatal[0])
            rig.files.rule = lambda called, path: None
            rig.append("late", line(99))
            rig.recorder.rotate_now()
            rig.advance(10)
            self.successResultOf(rig.recorder.stopService())
            self.assertEqual(sum(called == operation for called, _ in rig.files.log), tries)
            self.assertEqual((rig.counters.durable, rig.contents("sealed")), (0, {}))
            self.assertIn(line(99), rig.contents("open").values())
            # The next process finds everything that reached the files.
            again = Recording(files=rig.files).start()
            again.advance(2)
            self.assertEqual(len(again.contents("sealed")), rig.counters.written)

    def test_close_fails(self) -> None:
        """Some file systems say only when a file is closed that they did not keep it, and a sync says nothing
        later; that is as serious as a sync that fails."""
        rig = Recording().start()
        rig.append("one", line(1))
        rig.advance(0.5)

        def rule(called: str, path: str) -> None:
            if called == "close" and "twitch_one" in path:
                raise OSError(errno.EIO, "Input/output error", path)

        rig.files.rule = rule
        rig.recorder.rotate_now()
        rig.files.rule = lambda called, path: None
        rig.advance(5)
        self.assertEqual(len(rig.fatal), 1)
        self.assertIn("could not be closed: Input/output error", rig.fatal[0])
        self.assertEqual((rig.counters.durable, rig.contents("sealed")), (0, {}))

    def test_sync_without_syncfs(self) -> None:
        """Where everything cannot be synced at once, a file that cannot be opened is none that is safe: a
        forgotten one of a server ends the process, too few descriptors put it off, and one that is gone is
        the only one that may be."""
        for code, fatal, durable in (
            (errno.ESTALE, 1, 0),
            (errno.EIO, 1, 0),
            (errno.EMFILE, 0, 0),
            (errno.ENOENT, 0, 1),
        ):
            rig = Recording(files=MemoryFiles(syncs_all=False)).start()
            rig.append("one", line(1))

            def rule(called: str, path: str, code: int = code) -> None:
                if called == "reopen":
                    raise OSError(code, os.strerror(code), path)

            rig.files.rule = rule
            rig.advance(3)
            self.assertEqual((len(rig.fatal), rig.counters.durable), (fatal, durable), os.strerror(code))

    def test_sync_hangs(self) -> None:
        """A sync that does not come back for 20 seconds is given up, once; ticks go on meanwhile."""
        threads = QueuedThreads()
        rig = Recording(threads=threads).start()
        threads.pump()
        rig.append("one", line(1))
        rig.advance(20.5)
        self.assertEqual(rig.fatal, [])
        rig.append("one", line(2))
        rig.advance(1)
        self.assertEqual(len(rig.fatal), 1)
        self.assertIn("20 s", rig.fatal[0])
        rig.advance(100)
        self.assertEqual(len(rig.fatal), 1)
        self.assertEqual(list(rig.contents("open").values()), [line(1) + line(2)])
        self.successResultOf(rig.recorder.stopService())

    def test_surprises(self) -> None:
        """A commit that fails in an unexpected way does not count as a success."""
        rig = Recording().start()
        rig.append("one", line(1))

        def rule(called: str, path: str) -> None:
            if called == "sync":
                raise RuntimeError("made up")

        rig.files.rule = rule
        rig.advance(2)
        self.assertEqual(len(rig.fatal), 1)
        self.assertEqual(rig.counters.durable, 0)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class SealTests(SynchronousTestCase):
    """From open/ to sealed/."""

    def test_seal_is_tried_again(self) -> None:
        """A file that cannot be sealed is tried again until it can; one line says when that began
        and one when it ended."""
        seen = _watch(self)
        rig = Recording().start()
        rig.append("one", line(1))
        rig.advance(1)

        def rule(called: str, path: str) -> None:
            if called == "rename":
                raise OSError(errno.EIO, "Input/output error", path)

        rig.files.rule = rule
        rig.recorder.rotate_now()
        rig.advance(10)
        self.assertEqual((rig.sealed, rig.fatal), ([], []))
        rig.files.rule = lambda called, path: None
        rig.advance(1)
        self.assertEqual(rig.sealed, ["twitch_one_20251229_1030.jsonl"])
        self.assertEqual(
            [event["log_level"] for event in seen if "seal" in event.get("text", event["log_format"])],
            [LogLevel.error, LogLevel.info],
        )

    def test_in_batches(self) -> None:
        """Thousands of files are sealed in several commits; each is reported once."""
        rig = Recording(descriptors=50).start()
        for room in range(2500):
            rig.append(f"room{room}", line(room))
        rig.advance(1)
        rig.recorder.rotate_now()
        rig.advance(5)
        self.assertEqual(len(rig.sealed), 2500)
        self.assertEqual(len(set(rig.sealed)), 2500)
        self.assertEqual(rig.counters.sealed, 2500)

    def test_listener_fails(self) -> None:
        """An error in the callback for sealed files is logged and has no other effect."""
        rig = Recording().start()

        def broken(names: list[str]) -> None:
            raise RuntimeError("made up")

        rig.take = broken
        rig.append("one", line(1))
        rig.advance(1)
        rig.recorder.rotate_now()
        rig.advance(2)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        rig.append("one", line(2))
        rig.advance(1)
        self.assertEqual(rig.counters.durable, 2)

    def test_broken_file(self) -> None:
        """A file whose half line could not be cut off is not sealed before that line is gone; the
        room goes on in a new file at once and no line is doubled."""
        rig = Recording().start()
        rig.append("one", line(1))
        rig.advance(0.5)

        def rule(called: str, path: str) -> None:
            if called == "truncate":
                raise OSError(errno.EIO, "Input/output error", path)

        rig.files.rule = rule
        rig.files.capacity = rig.files.used() + len(line(2)) + 10
        rig.append("one", line(2), line(3), line(4))
        rig.clock.advance(0.5)
        self.assertIn(line(3)[:10], rig.files.content("/data/open/twitch_one_20251229_1030.jsonl"))
        rig.files.capacity = None
        rig.advance(3)
        # As long as it cannot be cut off the file stays where it is; every hour it is tried again.
        self.assertEqual(rig.sealed, [])
        rig.files.rule = lambda called, path: None
        rig.wall += 3600
        rig.advance(3)
        self.successResultOf(rig.recorder.stopService())
        self.assertEqual(
            rig.contents("sealed"),
            {
                "twitch_one_20251229_1030.jsonl": line(1) + line(2),
                "twitch_one_20251229_1030n0002.jsonl": line(3) + line(4),
            },
        )
        self.assertEqual(list(rig.contents("torn").values()), [line(3)[:10]])


class RecoveryTests(SynchronousTestCase):
    """Files of an earlier run."""

    def _earlier(self, rooms: int = 3) -> Recording:
        rig = Recording().start()
        for room in range(rooms):
            rig.append(f"room{room}", line(room))
        rig.advance()
        rig.files.tree["/data/open/twitch_room0_20251229_1030.jsonl"].data += b'{"half'
        rig.files.put("/data/open/notes.txt", b"somebody's")
        rig.files.kill()
        return rig

    def test_beside_recording(self) -> None:
        """Recording does not wait for recovery; recovered files are sealed and told of, and one log
        line says what was found."""
        seen = _watch(self)
        files = self._earlier().files
        threads = QueuedThreads()
        rig = Recording(files=files, threads=threads).start()
        self.assertIsNone(rig.recorder.recovered)
        rig.append("new", line(7))
        rig.advance(0.5)
        self.assertIn(line(7), rig.contents("open").values())
        usage = rig.recorder.spool_bytes
        threads.pump()
        report = rig.recorder.recovered
        assert report is not None
        self.assertEqual((report.files, report.lines, report.torn_bytes), (3, 3, 6))
        self.assertEqual(rig.recorder.spool_bytes, usage - 6)
        rig.advance(1)
        threads.pump()
        self.assertEqual(sorted(rig.sealed), [f"twitch_room{n}_20251229_1030.jsonl" for n in range(3)])
        self.assertEqual(
            rig.contents("torn"), {f"twitch_room0_20251229_1030.jsonl.{len(line(0))}": b'{"half'}
        )
        self.assertEqual(rig.contents("open").keys(), {"notes.txt", "twitch_new_20251229_1030n0002.jsonl"})
        said = [event for event in seen if "recovered" in event["log_format"]]
        self.assertEqual([(event["files"], event["lines"], event["torn"]) for event in said], [(3, 3, 6)])
        self.assertEqual([event["names"] for event in seen if "names" in event], [["notes.txt"]])

    def test_stopped_meanwhile(self) -> None:
        """A stop does not wait for a long recovery; the next start goes on with it."""
        files = self._earlier(rooms=200).files
        threads = QueuedThreads()
        rig = Recording(files=files, threads=threads).start()
        stopped = rig.recorder.stopService()
        # One batch may be under way; the directory is not let go before that is done.
        self.assertNoResult(stopped)
        self.assertEqual(len(threads.jobs), 1)
        threads.pump()
        self.successResultOf(stopped)
        self.assertEqual(len(rig.contents("open")), 201)
        again = Recording(files=files).start()
        again.advance(2)
        self.assertEqual(len(again.contents("sealed")), 200)

    def test_cannot_be_read(self) -> None:
        """A file that cannot be mended stays, is named in the log, and is tried at the next start."""
        seen = _watch(self)
        files = self._earlier().files

        def rule(called: str, path: str) -> None:
            if called == "read" and "room1" in path:
                raise OSError(errno.EIO, "Input/output error", path)

        files.rule = rule
        rig = Recording(files=files).start()
        rig.advance(2)
        self.assertEqual(len(rig.sealed), 2)
        self.assertEqual(
            [e["name"] for e in seen if e["log_level"] is LogLevel.error],
            ["twitch_room1_20251229_1030.jsonl"],
        )
        self.successResultOf(rig.recorder.stopService())
        files.rule = lambda called, path: None
        again = Recording(files=files).start()
        again.advance(2)
        self.assertEqual(again.sealed, ["twitch_room1_20251229_1030.jsonl"])


class StopTests(SynchronousTestCase):
    """Stopping while the disk is slow."""

    def test_waits_for_the_running_commit(self) -> None:
        """A stop waits for the commit that runs, then makes its own."""
        threads = QueuedThreads()
        rig = Recording(threads=threads).start()
        threads.pump()
        rig.append("one", line(1))
        rig.advance(1)
        rig.append("one", line(2))
        stopped = rig.recorder.stopService()
        self.assertNoResult(stopped)
        threads.pump(1)
        self.assertNoResult(stopped)
        threads.pump()
        self.successResultOf(stopped)
        self.assertEqual(list(rig.contents("sealed").values()), [line(1) + line(2)])
        self.assertEqual(rig.counters.durable, 2)
        # What is sealed at the end is the next run's to upload.
        self.assertEqual(rig.sealed, [])

    def test_does_not_wait_for_ever(self) -> None:
        """A disk that does not answer cannot hold up the end; the lock is kept until the process is
        gone, because a thread may still be at work."""
        threads = QueuedThreads()
        rig = Recording(threads=threads).start()
        threads.pump()
        rig.append("one", line(1))
        stopped = rig.recorder.stopService()
        rig.clock.advance(1.5)
        self.successResultOf(stopped)
        self.assertEqual(rig.clock.getDelayedCalls(), [])
        self.assertTrue(rig.files.tree["/data/lock"].locked)
        rig.files.kill()
        again = Recording(files=rig.files).start()
        again.advance(2)
        self.assertEqual(list(again.contents("sealed").values()), [line(1)])

    def test_full_disk(self) -> None:
        """Lines that cannot be written at the end are counted and mentioned."""
        seen = _watch(self)
        rig = Recording().start()

        def rule(called: str, path: str) -> None:
            if called == "write":
                raise OSError(errno.ENOSPC, "No space left on device", path)

        rig.files.rule = rule
        rig.append("one", line(1), line(2))
        self.successResultOf(rig.recorder.stopService())
        self.assertEqual(rig.counters.dropped["unwritten"], 2)
        self.assertEqual([e["count"] for e in seen if e["log_level"] is LogLevel.critical], [2])
        self.assertEqual((rig.contents("open"), rig.contents("sealed")), ({}, {}))


def _watch(case: SynchronousTestCase) -> list[Any]:
    """What is logged from now on."""
    seen: list[Any] = []

    @implementer(ILogObserver)
    def observer(event: Any) -> None:
        if event.get("log_namespace", "").startswith("chatlog"):
            seen.append(event)

    globalLogPublisher.addObserver(observer)
    case.addCleanup(globalLogPublisher.removeObserver, observer)
    return seen
