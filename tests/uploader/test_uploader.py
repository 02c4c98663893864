"""The uploader: oldest first, for ever, and what it says about it."""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.settings import UploaderSettings
from chatlog.counters import Counters
from chatlog.services import Backoff
from chatlog.store.store import CLOCK, CORRUPT, EXISTS, REFUSED, StoreError
from chatlog.uploader.shipment import Stored
from chatlog.uploader.uploader import ASIDE_AGAIN, CORRUPT_TIMES, LATER, REFUSED_AGAIN, TELL_AGAIN, Uploader
from tests.fakes import ImmediateThreads, MemoryFiles, QueuedThreads
from tests.stores import MemoryStore

NOON = 1767009600.0


def name(n: int) -> str:
    """The name of the n-th file, one a minute."""
    return f"twitch_ann_20251229_10{n:02d}.jsonl"


def key(n: int) -> str:
    """The key of its object."""
    return f"2025/12/29/twitch/ann/{name(n)}"


class UploaderCase(SynchronousTestCase):
    """A spool, a store, a clock."""

    def make(self, threads: Any = None, concurrency: int = 2, compression: str = "none") -> Uploader:
        self.files = MemoryFiles()
        for area in ("sealed", "packed", "manifest"):
            self.files.make_directories(f"/data/{area}")
        self.store = MemoryStore()
        self.clock = Clock()
        self.counters = Counters()
        self.freed: list[int] = []
        self.packed: list[int] = []
        self.stored: list[Stored] = []
        return Uploader(
            UploaderSettings(compression, concurrency),
            self.store,
            "/data",
            self.files,
            self.counters,
            self.clock,
            lambda: NOON + self.clock.seconds(),
            threads or ImmediateThreads(),
            on_freed=self.freed.append,
            on_packed=self.packed.append,
            on_stored=self.stored.append,
            backoff=Backoff(1.0, 60.0, lambda low, high: high),
        )

    def finish(self, *numbers: int) -> list[str]:
        """Files that the recorder has finished."""
        for n in numbers:
            self.files.put(f"/data/sealed/{name(n)}", b'{"timestamp":"t"}\n' * n)
        return [name(n) for n in numbers]

    def start(self, uploader: Uploader) -> Uploader:
        uploader.startService()
        self.addCleanup(uploader.stopService)
        self.clock.advance(0)
        return uploader

    def puts(self) -> list[str]:
        return [called for operation, called in self.store.calls if operation == "put"]

    def fail_with(self, *kinds: str) -> None:
        """Every put and every preparation fails with the first of these, until the list is changed."""
        self.kinds = list(kinds)

        def before(operation: str, called: str) -> None:
            if operation in ("put", "prepare") and self.kinds:
                raise StoreError(f"words about {self.kinds[0]}", self.kinds[0], self.kinds[0])

        self.store.before = before


class ShippingTests(UploaderCase):
    """When the store is well."""

    def test_earlier_runs_first(self) -> None:
        """Files of earlier runs are found at the start and shipped, oldest first; then those that are
        finished later."""
        uploader = self.make(concurrency=1)
        self.finish(5, 3, 4)
        self.start(uploader)
        self.assertEqual(self.puts(), [key(3), key(4), key(5)])
        uploader.sealed(self.finish(6))
        self.assertEqual(self.puts()[-1], key(6))
        self.assertEqual(self.files.names("/data/sealed"), [])
        self.assertEqual((uploader.waiting_files, uploader.oldest_waiting), (0, None))
        self.assertEqual((self.counters.uploaded, self.counters.verified, self.counters.deleted), (4, 4, 4))
        self.assertEqual(sum(self.freed), 18 * (3 + 4 + 5 + 6))
        self.assertEqual(uploader.last_success, NOON)

    def test_packed(self) -> None:
        """What is compressed on the way is counted, and told with the bytes that it saves."""
        uploader = self.make(compression="zstd")
        self.finish(30, 40)
        self.start(uploader)
        self.assertEqual((self.counters.packed, self.counters.deleted), (2, 2))
        self.assertEqual(len(self.packed), 2)
        self.assertEqual(sum(self.freed), 18 * (30 + 40) + sum(self.packed))

    def test_several_at_a_time(self) -> None:
        """As many as configured are under way at once, and never more."""
        threads = QueuedThreads()
        uploader = self.make(threads, concurrency=3)
        self.finish(*range(1, 9))
        self.start(uploader)
        threads.pump(1)  # what earlier runs left
        threads.pump(1)  # the store is asked
        self.assertEqual((uploader.in_flight, uploader.waiting_files), (3, 8))
        threads.pump()
        self.assertEqual((uploader.in_flight, uploader.waiting_files), (0, 0))

    def test_told_twice(self) -> None:
        """A file that the recorder names while it is found in the directory is shipped once."""
        threads = QueuedThreads()
        uploader = self.make(threads)
        names = self.finish(1)
        uploader.startService()
        self.addCleanup(uploader.stopService)
        uploader.sealed(names)
        self.clock.advance(0)
        threads.pump()
        self.assertEqual(self.puts(), [key(1)])

    def test_the_oldest_is_known(self) -> None:
        """How long the oldest file has been waiting is known, also while it is under way."""
        uploader = self.make()
        self.finish(7, 2)
        self.fail_with(REFUSED)
        self.start(uploader)
        self.assertEqual(uploader.oldest_waiting, 1767002520.0)

    def test_vanished_file(self) -> None:
        """A file that somebody removed is said to be gone; the others are shipped."""
        uploader = self.start(self.make())
        names = self.finish(1, 2)
        self.files.remove(f"/data/sealed/{name(1)}")
        with capturedLogs() as events:
            uploader.sealed(names)
        self.assertEqual([e["name"] for e in events if e["log_level"] is LogLevel.error], [name(1)])
        self.assertEqual(self.puts(), [key(2)])


class TroubleTests(UploaderCase):
    """When the store is not well."""

    def lines(self, seconds: float, step: float = 1.0) -> list[tuple[str, str]]:
        """Level and text of what the log says in a time."""
        with capturedLogs() as events:
            for _ in range(round(seconds / step)):
                self.clock.advance(step)
        return [
            (e["log_level"].name, e["log_format"].format(**e))
            for e in events
            if e["log_level"] >= LogLevel.info
        ]

    def test_passing_trouble(self) -> None:
        """One file is tried, ever more slowly, one line is said when it begins and one when it ends; then
        the queue drains at once."""
        uploader = self.start(self.make())
        self.fail_with("transient")
        with capturedLogs() as events:
            uploader.sealed(self.finish(*range(1, 20)))
        self.assertEqual(len([e for e in events if e["log_level"] is LogLevel.warn]), 1)
        self.assertEqual((uploader.state, uploader.last_error), ("retrying", "words about transient"))
        tries = len(self.puts())
        self.assertEqual(self.lines(600), [])
        # Delays of 1, 2, 4, 8, 16, 32, 60, 60 ... seconds.
        self.assertLess(len(self.puts()) - tries, 20)
        self.assertGreater(len(self.puts()) - tries, 12)
        self.assertEqual(set(self.puts()[2:]), {key(1)})
        self.kinds.clear()
        told = self.lines(61)
        self.assertEqual([level for level, _ in told], ["info", "info"])
        self.assertIn("takes files again", told[0][1])
        self.assertEqual((uploader.waiting_files, uploader.state), (0, "ok"))
        self.assertEqual(self.files.names("/data/sealed"), [])

    def test_refusal(self) -> None:
        """While the store refuses us it is asked once a minute; its words are in the log when it begins
        and every ten minutes; no file goes."""
        uploader = self.start(self.make())
        self.fail_with(REFUSED)
        with capturedLogs() as events:
            uploader.sealed(self.finish(1, 2, 3))
        errors = [e for e in events if e["log_level"] is LogLevel.error]
        self.assertEqual([e["error"] for e in errors], ["words about refused"])
        tries = len(self.puts())
        told = self.lines(TELL_AGAIN + 5 * REFUSED_AGAIN, step=10.0)
        self.assertEqual([level for level, _ in told], ["error"])
        self.assertEqual(len(self.puts()) - tries, 15)
        self.assertEqual(len(self.files.names("/data/sealed")), 3)
        self.assertEqual(uploader.state, "refused")

    def test_change_of_trouble(self) -> None:
        """Another kind of trouble is said when it comes."""
        uploader = self.start(self.make())
        self.fail_with("transient")
        uploader.sealed(self.finish(1))
        self.kinds[0] = CLOCK
        told = self.lines(5)
        self.assertEqual([level for level, _ in told], ["error"])
        self.assertEqual(uploader.state, "clock wrong")

    def test_store_is_asked_at_the_start(self) -> None:
        """A bucket that is wrong is known at the start, before there is any file."""
        uploader = self.make()
        self.fail_with(REFUSED)
        with capturedLogs() as events:
            self.start(uploader)
        self.assertEqual(len([e for e in events if e["log_level"] is LogLevel.error]), 1)
        self.assertEqual(uploader.state, "refused")
        self.kinds.clear()
        self.clock.advance(REFUSED_AGAIN)
        self.assertEqual(uploader.state, "ok")

    def test_a_file_that_is_always_other_in_the_store(self) -> None:
        """When a store keeps other bytes again and again, the file is put aside for an hour, the others
        go on, and nothing is deleted."""
        uploader = self.start(self.make(concurrency=1))

        def spoil(called: str) -> None:
            if "_1001" in called:
                self.store.objects[called] = b"x" * len(self.store.objects[called])

        self.store.after_put = spoil
        uploader.sealed(self.finish(1, 2))
        for _ in range(300):
            self.clock.advance(1.0)
        self.assertEqual(self.files.names("/data/sealed"), [name(1)])
        self.assertEqual((uploader.quarantined, uploader.waiting_files), (1, 1))
        self.assertEqual(self.counters.upload_retries[CORRUPT], CORRUPT_TIMES - 1)
        self.store.after_put = lambda called: None
        self.clock.advance(ASIDE_AGAIN)
        self.assertEqual((uploader.quarantined, self.files.names("/data/sealed")), (0, []))

    def test_no_space(self) -> None:
        """A full disk, or one descriptor too few, is no trouble of a file's: it is said once, no file is
        put aside, and all of them have left soon after there is space again."""
        for code in (errno.ENOSPC, errno.EMFILE):
            uploader = self.make()
            codes = [code]

            def write_down(stored: Stored, codes: list[int] = codes) -> None:
                if codes:
                    raise OSError(codes[0], "not now")

            uploader._shipment._on_stored = write_down
            self.start(uploader)
            with capturedLogs() as events:
                uploader.sealed(self.finish(1, 2, 3))
                self.clock.pump([LATER] * 3)
                self.assertEqual((uploader.quarantined, uploader.waiting_files), (0, 3))
                self.assertEqual(uploader.oldest_waiting, NOON - 2 * 3600 + 60)
            self.assertEqual(len([event for event in events if event["log_level"] >= LogLevel.warn]), 1)
            codes.clear()
            self.clock.advance(LATER)
            self.assertEqual(self.files.names("/data/sealed"), [])
            self.assertEqual((uploader.waiting_files, uploader.oldest_waiting), (0, None))

    def test_a_key_that_is_there_and_is_not(self) -> None:
        """A store that contradicts itself about one key costs that file its turn, not the others theirs."""
        uploader = self.start(self.make(concurrency=1))

        def before(operation: str, called: str) -> None:
            if operation == "put" and "_1001" in called:
                raise StoreError("exists", EXISTS)

        self.store.before = before
        uploader.sealed(self.finish(1, 2, 3))
        for _ in range(300):
            self.clock.advance(1.0)
        self.assertEqual(self.files.names("/data/sealed"), [name(1)])
        self.assertEqual((uploader.quarantined, uploader.state), (1, "ok"))

    def test_surprise(self) -> None:
        """An error that nobody thought of puts one file aside and stops nothing."""
        uploader = self.start(self.make())

        def before(operation: str, called: str) -> None:
            if operation == "put" and "_1001" in called:
                raise RuntimeError("surprise")

        self.store.before = before
        uploader.sealed(self.finish(1, 2))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.files.names("/data/sealed"), [name(1)])
        self.assertEqual(uploader.state, "ok")


class StopTests(UploaderCase):
    """The end."""

    def test_nothing_new_begins(self) -> None:
        """After the stop nothing is begun, no timer is left, and what was under way may end."""
        threads = QueuedThreads()
        uploader = self.make(threads, concurrency=1)
        self.finish(1, 2)
        uploader.startService()
        self.clock.advance(0)
        threads.pump(2)
        self.assertEqual(uploader.in_flight, 1)
        uploader.stopService()
        threads.pump()
        self.assertEqual(self.puts(), [key(1)])
        self.assertEqual(self.files.names("/data/sealed"), [name(2)])
        self.assertEqual(self.clock.getDelayedCalls(), [])
