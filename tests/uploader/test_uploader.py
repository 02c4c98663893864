"""The uploader: oldest first, for ever, and what it says about it."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.settings import UploaderSettings
from chatlog.counters import Counters
from chatlog.services import Backoff
from chatlog.spool.usage import Usage
from chatlog.store.store import (
    CLOCK,
    CORRUPT,
    EXISTS,
    MISCONFIGURED,
    OBJECT,
    REFUSED,
    TRANSIENT,
    UNSUPPORTED,
    StoreError,
)
from chatlog.uploader.deposit import Stored
from chatlog.uploader.store_state import REFUSED_AGAIN, REPORT_AGAIN
from chatlog.uploader.tally import Tally
from chatlog.uploader.turns import OWN_FIRST, OWN_MOST, PASSING_MOST, SLOW, SPARE
from chatlog.uploader.uploader import RETRY, SCAN_AGAIN, Uploader, threads_for
from chatlog.uploader.whose_trouble import DOUBTS, LATER, UNSENT_MOST
from tests.fakes import ImmediateThreads, MemoryFiles, QueuedThreads, environment
from tests.stores import MemoryStore

NOON = 1767009600.0


def name(n: int) -> str:
    """The name of the n-th file, one a minute."""
    return f"twitch_ann_20251229_10{n:02d}.jsonl"


def key(n: int) -> str:
    """The key of its object."""
    return f"2025/12/29/twitch/ann/{name(n)}"


class RecordedUsage(Usage):
    """Records its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.all_freed: list[int] = []
        self.all_changed: list[int] = []

    def freed(self, size: int) -> None:
        self.all_freed.append(size)

    def changed(self, by: int) -> None:
        self.all_changed.append(by)


class UploaderCase(SynchronousTestCase):
    """A spool, a store, a clock."""

    def make(
        self,
        threads: Any = None,
        concurrency: int = 2,
        compression: str = "none",
        on_stored: Callable[[Stored], object] | None = None,
        bundle: float = 0.0,
        usual_delays: bool = False,
        files: MemoryFiles | None = None,
    ) -> Uploader:
        """An uploader with a new spool, or with ``files``."""
        self.files = files or MemoryFiles()
        for area in ("sealed", "packed", "manifest"):
            self.files.make_directories(f"/data/{area}")
        self.store = MemoryStore()
        self.clock = Clock()
        self.counters = Counters()
        self.usage = RecordedUsage()
        self.stored: list[Stored] = []
        return Uploader(
            UploaderSettings(compression, concurrency, bundle=bundle),
            self.store,
            "/data",
            environment(self.clock, lambda: NOON + self.clock.seconds(), self.files, counters=self.counters),
            threads or ImmediateThreads(),
            self.usage,
            on_stored=on_stored or self.stored.append,
            backoff=None if usual_delays else Backoff(1.0, 60.0, lambda low, high: high),
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


def _refuse(operation: str) -> None:
    if operation == "put":
        raise StoreError("no", REFUSED, "no", of_all=True)


class SlowThreads:
    """Threads whose calls take a second, and five minutes for the files in ``slow``."""

    def __init__(self) -> None:
        self.slow: list[str] = []
        self._jobs: list[tuple[int, Deferred[Any], Callable[..., Any], tuple[Any, ...]]] = []
        self._now = 0

    def run(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        result: Deferred[Any] = Deferred()
        due = self._now + (300 if args and args[0].name in self.slow else 1)
        self._jobs.append((due, result, function, args))
        return result

    def advance(self) -> None:
        """A second later."""
        self._now += 1
        due = [job for job in self._jobs if job[0] <= self._now]
        self._jobs = [job for job in self._jobs if job[0] > self._now]
        for _, result, function, args in due:
            try:
                value = function(*args)
            except Exception:
                result.errback(Failure())
            else:
                result.callback(value)


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
        self.assertEqual(sum(self.usage.all_freed), 18 * (3 + 4 + 5 + 6))
        self.assertEqual(uploader.last_success, NOON)

    def test_names_that_are_taken(self) -> None:
        """Where other objects have the names of files, the log says once an hour that another recorder may
        store under the same name; each file is stored under a name of its own."""
        tally, wall = Tally(Counters(), lambda: now[0]), 3600.0
        now = [wall]
        with capturedLogs() as events:
            for hour in range(3):
                now[0] = wall * (hour + 1)
                for n in range(3):
                    tally.add(Stored(f"other {n}", key(n), 1, "0" * 64, 1, "", "", "data"), False, name(n))
                tally.add(Stored(name(5), key(5), 1, "0" * 64, 1, "", "", "data"), False, name(5))
        self.assertEqual([e["asked"] for e in events if "another object" in e["log_format"]], [name(0)] * 3)
        uploader = self.start(self.make())
        self.store.objects[key(1)] = b"of another recorder"
        with capturedLogs() as events:
            uploader.sealed(self.finish(1, 2))
        said = [(e["asked"], e["stored"]) for e in events if "another object" in e["log_format"]]
        self.assertEqual(said, [(name(1), "twitch_ann_20251229_1001n0002.jsonl")])
        self.assertEqual(len(self.store.objects), 3)

    def test_packed(self) -> None:
        """Files that are compressed are counted, with the bytes that this saves."""
        uploader = self.make(compression="zstd")
        self.finish(30, 40)
        self.start(uploader)
        self.assertEqual((self.counters.packed, self.counters.deleted), (2, 2))
        self.assertEqual(len(self.usage.all_changed), 2)
        self.assertEqual(sum(self.usage.all_freed), 18 * (30 + 40) + sum(self.usage.all_changed))

    def test_packed_and_refused(self) -> None:
        """A file that was compressed counts as that, also if the store does not take it."""
        uploader = self.start(self.make(compression="zstd"))
        self.fail_with(OBJECT)
        uploader.sealed(self.finish(30))
        self.assertEqual((self.counters.packed, len(self.usage.all_changed)), (1, 1))

    def test_none_waits(self) -> None:
        """It is said once that none waits any more, with how many files that were."""
        uploader = self.start(self.make(concurrency=1))
        with capturedLogs() as events:
            uploader.sealed(self.finish(*range(1, 9)))
        said = [formatEvent(event) or "" for event in events]
        self.assertEqual(
            [text for text in said if "none waits" in text], ["8 files are in the store, 648 B; none waits"]
        )
        with capturedLogs() as events:
            uploader.sealed(self.finish(9))
        self.assertIn("1 file is in the store, 162 B; none waits", [formatEvent(event) for event in events])

    def test_some_wait(self) -> None:
        """While others are on their way, it is not said that none waits."""
        threads = QueuedThreads()
        uploader = self.start(self.make(threads, concurrency=1))
        threads.pump()
        with capturedLogs() as events:
            uploader.sealed(self.finish(1, 2))
            threads.pump(1)
        said = [formatEvent(event) or "" for event in events]
        self.assertEqual((uploader.waiting_files, [text for text in said if "none waits" in text]), (1, []))

    def test_several_at_a_time(self) -> None:
        """As many as configured are under way at once, and never more."""
        threads = QueuedThreads()
        uploader = self.make(threads, concurrency=3)
        self.finish(*range(1, 9))
        self.start(uploader)
        threads.pump(1)  # what earlier runs left
        threads.pump(1)  # the store is asked
        self.assertEqual((uploader.in_flight, uploader.waiting_files), (3, 8))
        self.assertEqual(uploader.waiting_bytes, 18 * sum(range(1, 9)))
        threads.pump()
        self.assertEqual((uploader.in_flight, uploader.waiting_files, uploader.waiting_bytes), (0, 0, 0))

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

    def test_told_again(self) -> None:
        """A file that is named again while it waits counts once."""
        uploader = self.start(self.make())
        self.fail_with(REFUSED)
        for _ in range(3):
            uploader.sealed(self.finish(4))
        self.assertEqual((uploader.waiting_files, uploader.waiting_bytes), (1, 18 * 4))

    def test_what_earlier_runs_left_is_said(self) -> None:
        """How much waits at the start is in the log, and nothing is where nothing waits."""
        for numbers, expected in (
            ((4, 6), ["2 files of an earlier run wait for upload, 180 B"]),
            ((7,), ["1 file of an earlier run waits for upload, 126 B"]),
            ((), []),
        ):
            uploader = self.make()
            self.finish(*numbers)
            with capturedLogs() as events:
                self.start(uploader)
            said = [formatEvent(event) or "" for event in events]
            self.assertEqual([text for text in said if "earlier run" in text], expected)

    def test_directory_that_cannot_be_listed(self) -> None:
        """What earlier runs left is looked for again if that fails; it is said once a time."""
        uploader = self.make()
        self.finish(1)

        def broken(operation: str, path: str) -> None:
            if operation == "names":
                raise OSError(errno.EIO, "Input/output error")

        self.files.rule = broken
        with capturedLogs() as events:
            self.start(uploader)
        errors = [formatEvent(event) for event in events if event["log_level"] is LogLevel.error]
        self.assertEqual(len(errors), 1)
        self.assertIn("Input/output error", errors[0] or "")
        self.files.rule = lambda operation, path: None
        self.clock.advance(SCAN_AGAIN - 1)
        self.assertEqual(self.puts(), [])
        self.clock.advance(1)
        self.assertEqual(self.puts(), [key(1)])

    def test_the_oldest_is_known(self) -> None:
        """How long the oldest file has been waiting is known, also while it is under way."""
        uploader = self.make()
        self.finish(7, 2)
        self.fail_with(REFUSED)
        self.start(uploader)
        self.assertEqual(uploader.oldest_waiting, 1767002520.0)

    def test_vanished_file(self) -> None:
        """A removed file is reported; the others are uploaded."""
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
        """The store is asked ever more slowly whether it takes anything; one line is said when it begins and
        one when it ends; then the queue drains at once."""
        uploader = self.start(self.make())
        self.fail_with("transient")
        with capturedLogs() as events:
            uploader.sealed(self.finish(*range(1, 20)))
        self.assertEqual(len([e for e in events if e["log_level"] is LogLevel.warn]), 1)
        self.assertEqual((uploader.state, uploader.last_error), ("retrying", "words about transient"))
        tries = len(self.store.calls)
        self.assertEqual(self.lines(600), [])
        # Delays of 1, 2, 4, 8, 16, 32, 60, 60 ... seconds.
        self.assertLess(len(self.store.calls) - tries, 20)
        self.assertGreater(len(self.store.calls) - tries, 12)
        self.assertEqual(len(self.puts()), 2)
        self.kinds.clear()
        told = self.lines(61)
        self.assertEqual([level for level, _ in told], ["info", "info"])
        self.assertIn("takes files again", told[0][1])
        self.assertEqual((uploader.waiting_files, uploader.state, uploader.quarantined), (0, "ok", 0))
        self.assertEqual(self.files.names("/data/sealed"), [])

    def test_usual_delays(self) -> None:
        """By itself it waits from a second to a minute, and not always the same time."""
        uploader = self.start(self.make(usual_delays=True))
        self.fail_with("transient")
        uploader.sealed(self.finish(1))
        tries = len(self.store.calls)
        self.lines(600)
        self.assertGreaterEqual(len(self.store.calls) - tries, 600 // round(RETRY[1]))
        self.assertLess(len(self.store.calls) - tries, 600 // round(RETRY[0]))
        self.kinds.clear()
        self.lines(RETRY[1] + 1.0)
        self.assertEqual((uploader.waiting_files, uploader.state), (0, "ok"))

    def test_refusal(self) -> None:
        """While the store refuses us it is asked once a minute, as at the start; its words are in the log
        when it begins and every ten minutes, with what to do; no file goes."""
        uploader = self.start(self.make())
        self.fail_with(REFUSED)
        with capturedLogs() as events:
            uploader.sealed(self.finish(1, 2, 3))
        errors = [e for e in events if e["log_level"] is LogLevel.error]
        self.assertEqual([e["error"] for e in errors], ["words about refused"])
        tries = len(self.store.calls)
        told = self.lines(REPORT_AGAIN + 5 * REFUSED_AGAIN, step=10.0)
        self.assertEqual([level for level, _ in told], ["error"])
        self.assertEqual(self.store.calls[tries:], [("prepare", "")] * 15)
        self.assertEqual(len(self.files.names("/data/sealed")), 3)
        self.assertEqual(uploader.state, "refused")
        self.kinds.clear()
        self.clock.advance(REFUSED_AGAIN)
        self.assertEqual((uploader.state, uploader.waiting_files), ("ok", 0))

    def test_one_at_a_time(self) -> None:
        """In trouble that is certainly not that of a file, one file is tried at a time, however many may be
        under way; then as many as may."""
        threads = QueuedThreads()
        uploader = self.start(self.make(threads, concurrency=4))
        threads.pump()
        self.store.before = self.clock_wrong
        names = [f"twitch_bob{n}_20251229_11{n:02d}.jsonl" for n in range(1, 20)]
        for each in names:
            self.files.put(f"/data/sealed/{each}", b"{}\n")
        uploader.sealed(names)
        threads.pump()
        for _ in range(3):
            self.assertEqual((uploader.state, uploader.in_flight), ("clock wrong", 0))
            self.clock.advance(61)
            self.assertEqual(uploader.in_flight, 1)
            threads.pump()
        self.store.before = lambda operation, called: None
        self.clock.advance(61)
        threads.pump(1)
        self.assertEqual((uploader.state, uploader.in_flight), ("ok", 4))

    def test_one_under_way_succeeds(self) -> None:
        """As soon as an upload succeeds, the trouble is over, and all others go on without a delay."""
        threads = QueuedThreads()
        uploader = self.start(self.make(threads))
        threads.pump()
        names = [f"twitch_bob{n}_20251229_110{n}.jsonl" for n in range(1, 7)]

        def before(operation: str, called: str) -> None:
            if operation == "put" and names[0] in called and not self.counters.upload_retries:
                raise StoreError("the clock", CLOCK, "the clock", of_all=True)

        self.store.before = before
        for each in names:
            self.files.put(f"/data/sealed/{each}", b"{}\n")
        uploader.sealed(names)
        threads.pump()
        self.assertEqual(self.counters.upload_retries[CLOCK], 1)
        self.assertEqual((uploader.state, uploader.waiting_files), ("ok", 0))

    def test_what_to_do(self) -> None:
        """What is to be done about a refusal is in the log and can be asked for."""
        uploader = self.start(self.make())
        uploader.sealed([])

        def before(operation: str, called: str) -> None:
            raise StoreError("no key", REFUSED, "no key", "look at the key", of_all=True)

        self.store.before = before
        with capturedLogs() as events:
            uploader.sealed(self.finish(1))
        [text] = [formatEvent(e) or "" for e in events if e["log_level"] is LogLevel.error]
        self.assertIn("no key; look at the key", text)
        self.assertEqual((uploader.last_error, uploader.remedy), ("no key", "look at the key"))

    def test_change_of_trouble(self) -> None:
        """Another kind of trouble is reported at once."""
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

    def test_where_it_stores(self) -> None:
        """Where files are stored, and how the store is asked to keep what is there, is in the log once, and
        again when that changes."""
        uploader = self.make()
        how = ["a"]
        self.store.prepare = lambda: how[0]  # type: ignore[method-assign]
        with capturedLogs() as events:
            self.start(uploader)
            for now in ("a", "a", "b"):
                how[0] = now
                self.store.before = lambda operation, called: _refuse(operation)
                uploader.sealed(self.finish(1))
                self.store.before = lambda operation, called: None
                self.clock.advance(61)
        said = [formatEvent(event) or "" for event in events]
        expected = ["storing in memory: a", "storing in memory: b"]
        self.assertEqual([text for text in said if text.startswith("storing in")], expected)

    def test_mistake_while_the_store_is_asked(self) -> None:
        """An error that should not be is in the log with its place, and the store is asked again."""
        uploader = self.make()

        def before(operation: str, called: str) -> None:
            raise ValueError("a mistake")

        self.store.before = before
        self.start(uploader)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.store.before = lambda operation, called: None
        self.clock.advance(61)
        self.assertEqual(uploader.state, "ok")

    def test_asked_once_at_a_time(self) -> None:
        """While the store is asked, it is not asked a second time."""
        threads = QueuedThreads()
        uploader = self.make(threads)
        uploader.startService()
        self.addCleanup(uploader.stopService)
        self.clock.advance(0)
        threads.pump(1)
        for n in (1, 2, 3):
            uploader.sealed(self.finish(n))
        threads.pump()
        self.assertEqual([call for call in self.store.calls if call[0] == "prepare"], [("prepare", "")])
        self.assertEqual(uploader.waiting_files, 0)

    def test_a_file_that_is_always_other_in_the_store(self) -> None:
        """When a store keeps other bytes again and again, the file waits turns of its own, the others go on,
        and nothing is deleted."""
        uploader = self.start(self.make(concurrency=1))

        def spoil(called: str) -> None:
            if "_1001" in called:
                self.store.objects[called] = b"x" * len(self.store.objects[called])

        self.store.after_put = spoil
        uploader.sealed(self.finish(1, 2))
        self.assertEqual(self.files.names("/data/sealed"), [name(1)])
        for _ in range(300):
            self.clock.advance(1.0)
        self.assertEqual(self.files.names("/data/sealed"), [name(1)])
        self.assertEqual((uploader.quarantined, uploader.waiting_files), (1, 1))
        self.assertLess(self.counters.upload_retries[CORRUPT], 6)
        self.store.after_put = lambda called: None
        self.clock.advance(OWN_MOST)
        self.assertEqual((uploader.quarantined, self.files.names("/data/sealed")), (0, []))

    def test_no_space(self) -> None:
        """A full disk, or one descriptor too few, is not caused by a file: it is reported once, no file is
        quarantined, and all of them are uploaded soon after there is space again."""
        for code in (errno.ENOSPC, errno.EMFILE):
            codes = [code]

            def write_down(stored: Stored, codes: list[int] = codes) -> None:
                if codes:
                    raise OSError(codes[0], "not now")

            uploader = self.start(self.make(on_stored=write_down))
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

    def test_no_space_again(self) -> None:
        """A disk that is full again, after a file went, is reported again."""
        full: list[int] = []

        def write_down(stored: Stored) -> None:
            if full:
                raise OSError(full[0], "not now")

        uploader = self.start(self.make(on_stored=write_down))
        with capturedLogs() as events:
            for n in (1, 2):
                full.append(errno.ENOSPC)
                uploader.sealed(self.finish(n))
                full.clear()
                self.clock.advance(LATER)
        self.assertEqual(len([event for event in events if event["log_level"] >= LogLevel.warn]), 2)
        self.assertEqual(uploader.waiting_files, 0)

    def test_spool_without_rights(self) -> None:
        """A spool that cannot be written for a while: no file is quarantined at once, the reason names the
        spool, and a minute after it can be written at the latest, all files are uploaded."""
        for code in (errno.EACCES, errno.EPERM, errno.EROFS):
            codes = [code]

            def rule(operation: str, path: str, codes: list[int] = codes) -> None:
                if codes and operation in ("create", "rename", "remove"):
                    raise OSError(codes[0], "not now", path)

            uploader = self.start(self.make(compression="zstd"))
            self.files.rule = rule
            uploader.sealed(self.finish(1, 2, 3))
            self.assertEqual((uploader.quarantined, uploader.waiting_files), (0, 3))
            told = self.lines(7200, step=5.0)
            self.assertEqual(
                sorted(each.name for each in uploader.quarantined_files), [name(1), name(2), name(3)]
            )
            self.assertEqual([level for level, _ in told], ["error"] * 3)
            self.assertIn("recorder.directory: not now", told[0][1])
            codes.clear()
            self.assertEqual(self.puts(), [])
            self.lines(UNSENT_MOST, step=5.0)
            self.assertEqual((uploader.quarantined, uploader.waiting_files), (0, 0))

    def test_file_that_cannot_be_removed(self) -> None:
        """A file that is stored and cannot be removed is sent again at most every ten minutes, and goes when
        it can be removed."""
        codes = [errno.EROFS]

        def rule(operation: str, path: str) -> None:
            if codes and operation == "remove":
                raise OSError(codes[0], "Read-only file system", path)

        uploader = self.start(self.make())
        self.files.rule = rule
        uploader.sealed(self.finish(1))
        self.lines(7200, step=5.0)
        self.assertLess(len([call for call in self.store.calls if call[0] == "put"]), 7200 / PASSING_MOST + 6)
        codes.clear()
        self.lines(PASSING_MOST, step=5.0)
        self.assertEqual((uploader.quarantined, uploader.waiting_files), (0, 0))
        self.assertEqual(list(self.store.objects), [key(1)])

    def test_file_without_rights(self) -> None:
        """A single file that cannot be read is named within a minute; all others are uploaded."""

        def rule(operation: str, path: str) -> None:
            if operation == "open_read" and path.endswith(name(1)):
                raise OSError(errno.EACCES, "Permission denied", path)

        uploader = self.start(self.make())
        self.files.rule = rule
        uploader.sealed(self.finish(1, 2, 3))
        told = self.lines(60)
        self.assertEqual([level for level, _ in told], ["error"])
        self.assertIn(name(1), told[0][1])
        self.assertEqual((uploader.quarantined, uploader.waiting_files), (1, 1))
        self.assertEqual(self.puts(), [key(2), key(3)])

    def clock_wrong(self, operation: str, called: str) -> None:
        if operation == "put":
            raise StoreError("the clock", CLOCK, "the clock", of_all=True)

    def away(self, operation: str, called: str) -> None:
        raise StoreError("no answer", TRANSIENT, "timeout", of_all=True)

    def test_several_fail_at_once(self) -> None:
        """Uploads that fail together are one failure: the store is tried again after the first delay."""
        threads = QueuedThreads()
        uploader = self.start(self.make(threads, concurrency=4))
        threads.pump()
        self.store.before = self.away
        uploader.sealed(self.finish(*range(1, 9)))
        threads.pump()
        self.assertEqual((uploader.state, len(self.puts())), ("retrying", 4))
        self.clock.advance(1.0)
        self.assertEqual(uploader.in_flight, 1)

    def test_refused_while_in_trouble(self) -> None:
        """A store in passing trouble that then refuses is asked, and no file is tried, until it is well."""
        uploader = self.start(self.make())
        self.store.before = self.away
        uploader.sealed(self.finish(1))

        def refuse(operation: str, called: str) -> None:
            raise StoreError("denied", REFUSED, "403", of_all=True)

        self.store.before = refuse
        self.clock.advance(1.0)
        self.assertEqual((uploader.state, len(self.puts())), ("refused", 2))
        self.clock.pump([REFUSED_AGAIN] * 5)
        self.assertEqual(len(self.puts()), 2)

    def test_the_only_file(self) -> None:
        """Where one file alone waits for a store in trouble, it is the one that is tried."""
        uploader = self.start(self.make())
        self.store.before = self.clock_wrong
        uploader.sealed(self.finish(1))
        self.assertEqual((uploader.state, uploader.waiting_files), ("clock wrong", 1))
        self.store.before = lambda operation, called: None
        self.clock.advance(61)
        self.assertEqual((uploader.state, uploader.waiting_files), ("ok", 0))

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

    def test_a_page_in_front_of_the_store(self) -> None:
        """Where a page answers in place of the store from some time on, and says yes to all, that is trouble
        with the store and of no file; nothing is deleted."""
        uploader = self.start(self.make())
        uploader.sealed([])

        def before(operation: str, called: str) -> None:
            if operation in ("read", "prepare"):
                raise StoreError("no store", MISCONFIGURED, "no object store", "the address", of_all=True)

        def page(called: str) -> None:
            self.store.objects[called] = b"<html>"

        self.store.before, self.store.after_put = before, page
        uploader.sealed(self.finish(1, 2, 3))
        self.clock.pump([1.0] * 200)
        self.assertEqual((uploader.state, uploader.remedy), ("refused", "the address"))
        self.assertEqual((uploader.quarantined, uploader.waiting_files), (0, 3))
        self.assertEqual(len(self.files.names("/data/sealed")), 3)
        self.store.objects.clear()
        self.store.before, self.store.after_put = (lambda *_: None), (lambda _: None)
        self.clock.advance(REFUSED_AGAIN)
        self.assertEqual((uploader.state, self.files.names("/data/sealed")), ("ok", []))

    def test_surprise(self) -> None:
        """An unexpected error quarantines one file and stops nothing; the file is tried again."""
        uploader = self.start(self.make())

        def before(operation: str, called: str) -> None:
            if operation == "put" and "_1001" in called:
                raise RuntimeError("surprise")

        self.store.before = before
        uploader.sealed(self.finish(1, 2))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.files.names("/data/sealed"), [name(1)])
        self.assertEqual((uploader.state, uploader.quarantined, uploader.in_flight), ("ok", 1, 0))
        self.store.before = lambda operation, called: None
        self.clock.advance(OWN_MOST)
        self.assertEqual((self.files.names("/data/sealed"), uploader.quarantined), ([], 0))

    def test_counted(self) -> None:
        """Every time at which the store failed is counted, by the kind of its trouble."""
        uploader = self.start(self.make())
        for kind in (REFUSED, CLOCK):
            self.fail_with(kind)
            uploader.sealed(self.finish(1))
            self.clock.advance(REFUSED_AGAIN)
            counted = self.counters.upload_retries[kind]
            self.assertGreater(counted, 0)
            asked = len(self.store.calls)
            self.clock.advance(REFUSED_AGAIN)
            self.assertEqual(self.counters.upload_retries[kind] - counted, len(self.store.calls) - asked)
        self.assertEqual(set(self.counters.upload_retries), {REFUSED, CLOCK})


class RefusedObjectTests(UploaderCase):
    """When the store, or what is in front of it, does not take some of the files."""

    def refuse(self, kind: str, *numbers: int, code: str = "413") -> None:
        """These files are refused for ever; all else is well."""
        names = [f"_10{n:02d}." for n in numbers]

        def before(operation: str, called: str) -> None:
            if operation == "put" and any(part in called for part in names):
                raise StoreError("413 Payload Too Large", kind, code, "raise the limit")

        self.store.before = before

    def settle(self, seconds: int = 120) -> None:
        for _ in range(seconds):
            self.clock.advance(1.0)

    def test_one_that_goes_at_last(self) -> None:
        """When a file that failed several times is taken, it is said after how many tries, and all others
        that wait for their turn are tried at once."""
        uploader = self.start(self.make())
        self.refuse(OBJECT, 1, 2)
        uploader.sealed(self.finish(2, 3))
        self.settle(20)
        uploader.sealed(self.finish(1, 4))
        self.settle(6)
        self.assertEqual(uploader.quarantined, 2)
        self.store.before = lambda operation, called: None
        with capturedLogs() as events:
            self.settle(20)
        said = [formatEvent(event) or "" for event in events]
        tries = [text for text in said if "tries" in text]
        self.assertEqual(tries[0], f"{name(1)} is in the store after 3 tries")
        self.assertEqual((uploader.waiting_files, uploader.quarantined), (0, 0))

    def test_when_it_is_tried_again(self) -> None:
        """A file that is itself the cause is tried again when its time has come, however long the recorder
        has been running."""
        uploader = self.start(self.make())
        self.clock.advance(100_000)
        self.refuse(OBJECT, 1)
        uploader.sealed(self.finish(1, 2))
        tries = self.puts().count(key(1))
        self.clock.advance(OWN_FIRST - 1.0)
        self.assertEqual(self.puts().count(key(1)), tries)
        self.clock.advance(1.0)
        self.assertEqual(self.puts().count(key(1)), tries + 1)

    def test_others_go_on(self) -> None:
        """Whichever way one file is refused, and whichever it is, all others are in the store within a
        moment; it stays, is named with its size and the words, and is tried ever more rarely."""
        for kind in (OBJECT, REFUSED, TRANSIENT, CORRUPT, MISCONFIGURED, UNSUPPORTED):
            for bad in (1, 17, 33):
                uploader = self.start(self.make())
                self.refuse(kind, bad)
                with capturedLogs() as events:
                    uploader.sealed(self.finish(*range(1, 34)))
                    self.assertEqual(self.files.names("/data/sealed"), [name(bad)], (kind, bad))
                    self.settle()
                self.assertEqual((uploader.state, uploader.waiting_files), ("ok", 1), (kind, bad))
                [file] = uploader.quarantined_files
                self.assertEqual((file.name, file.size), (name(bad), 18 * bad))
                self.assertEqual(file.reason, "413 Payload Too Large; raise the limit")
                told = [formatEvent(e) or "" for e in events if e["log_level"] is LogLevel.error]
                self.assertEqual([name(bad) in text and "413" in text for text in told], [True], told)
                self.assertLess(self.puts().count(key(bad)), 7)
                self.assertIsNotNone(uploader.oldest_waiting)
                self.store.before = lambda operation, called: None
                self.clock.advance(OWN_MOST)
                self.assertEqual((uploader.quarantined_files, uploader.waiting_files), ([], 0))

    def test_many(self) -> None:
        """As many as there may be, the others are stored at once or nearly so."""
        for kind in (OBJECT, REFUSED, TRANSIENT):
            uploader = self.start(self.make())
            bad = range(1, 31)
            self.refuse(kind, *bad)
            with capturedLogs() as events:
                uploader.sealed(self.finish(*range(1, 59)))
                self.settle(400)
                self.assertEqual(self.files.names("/data/sealed"), [name(n) for n in bad], kind)
                late = len(self.puts())
                uploader.sealed(self.finish(59))
                self.assertEqual(self.puts()[late:], [key(59)])
            self.assertEqual((uploader.state, uploader.quarantined), ("ok", 30), kind)
            self.assertLess(len([e for e in events if e["log_level"] >= LogLevel.warn]), 16)

    def test_one_timer(self) -> None:
        """However many files come while others wait for their turn, one timer waits with them."""
        uploader = self.start(self.make())
        self.refuse(OBJECT, 1)
        uploader.sealed(self.finish(1))
        for n in range(2, 30):
            uploader.sealed(self.finish(n))
            self.clock.advance(0.01)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_named_when_the_store_is_well(self) -> None:
        """A file whose refusals might be of all files is named as soon as the store has twice been found
        well."""
        uploader = self.start(self.make())

        def before(operation: str, called: str) -> None:
            if operation == "put":
                raise StoreError("denied", REFUSED, "403", of_all=True)

        self.store.before = before
        uploader.sealed(self.finish(1))
        self.assertEqual((uploader.state, uploader.quarantined), ("ok", 0))
        self.clock.advance(OWN_FIRST)
        self.assertEqual((uploader.state, uploader.quarantined, len(self.puts())), ("ok", 1, 2))

    def test_the_store_is_asked_before_the_next(self) -> None:
        """When a refusal may be of all files, the store is asked before another one is tried."""
        uploader = self.start(self.make())

        def before(operation: str, called: str) -> None:
            if operation == "put" and len(self.puts()) == 1:
                raise StoreError("denied", REFUSED, "403", of_all=True)

        self.store.before = before
        uploader.sealed(self.finish(1, 2))
        asked = [call for call in self.store.calls if call[0] in ("put", "prepare")]
        self.assertEqual(asked[1:4], [("put", key(1)), ("prepare", ""), ("put", key(2))])
        self.settle(round(OWN_FIRST))
        self.assertEqual((uploader.state, uploader.waiting_files), ("ok", 0))

    def test_alone(self) -> None:
        """Where there is no other file, the store itself is asked whose trouble it is."""
        for kind in (REFUSED, TRANSIENT):
            uploader = self.start(self.make())
            self.refuse(kind, 1)
            prepared = self.store.calls.count(("prepare", ""))
            uploader.sealed(self.finish(1))
            self.settle()
            self.assertEqual((uploader.state, uploader.quarantined), ("ok", 1))
            self.assertLess(self.store.calls.count(("prepare", "")) - prepared, 4)

    def test_trouble_of_all_is_seen_behind_it(self) -> None:
        """A store that goes down while refused files wait is down, also if they are the only ones."""
        uploader = self.start(self.make())
        self.refuse(REFUSED, *range(1, 9))
        uploader.sealed(self.finish(*range(1, 9)))
        self.settle(60)
        self.assertEqual(uploader.state, "ok")
        self.fail_with(TRANSIENT)
        self.settle(2000)
        self.assertEqual(uploader.state, "retrying")
        self.kinds.clear()
        self.settle(70)
        self.assertEqual((uploader.state, uploader.waiting_files), ("ok", 0))

    def test_slots(self) -> None:
        """Files that hang and then fail, again and again, hold one place at a time, and where there is one
        only, for some seconds."""
        for concurrency, longest in ((1, SLOW + 3.0), (2, 5.0)):
            threads = SlowThreads()
            uploader = self.make(threads, concurrency)
            bad = [name(n) for n in range(1, 9)]
            threads.slow = bad
            self.refuse(OBJECT, *range(1, 9))
            self.finish(*range(1, 9))
            self.start(uploader)
            self.run_for(threads, 6000)
            self.assertEqual(uploader.quarantined, 8)
            for n in range(9, 59):
                uploader.sealed(self.finish(n))
                waited = 0
                while name(n) in self.files.names("/data/sealed"):
                    self.run_for(threads, 1)
                    waited += 1
                    self.assertLess(waited, longest)
                self.run_for(threads, 20)
            self.assertEqual(self.files.names("/data/sealed"), bad)
            self.assertEqual(uploader.oldest_waiting, NOON - 2 * 3600 + 60)

    def test_a_room_that_hangs(self) -> None:
        """A room with many files whose uploads all hang until they are given up, at their first try as at
        every later one, keeps the files of other rooms waiting for some seconds once, and no more; where
        there is one place only, for some seconds each time."""
        for concurrency, longest in ((1, SLOW + 5.0), (2, 5.0), (4, 5.0)):
            threads = SlowThreads()
            uploader = self.make(threads, concurrency)
            bad = self.finish(*range(1, 31))
            threads.slow = list(bad)
            self.refuse(TRANSIENT, *range(1, 31), code="timeout")
            self.start(uploader)
            self.run_for(threads, round(SLOW) + 3)
            for n in range(200):
                good = f"twitch_bob{n}_20251229_1100.jsonl"
                self.files.put(f"/data/sealed/{good}", b"{}\n")
                uploader.sealed([good])
                waited = 0
                while good in self.files.names("/data/sealed"):
                    self.run_for(threads, 1)
                    waited += 1
                    self.assertLess(waited, longest, (concurrency, n))
                self.assertLessEqual(uploader.in_flight, concurrency + SPARE)
                self.run_for(threads, 17)
            self.assertEqual(self.files.names("/data/sealed"), bad)
            self.assertEqual(uploader.state, "ok")
            threads.slow, self.store.before = [], lambda operation, called: None
            self.run_for(threads, 700)
            self.assertEqual((self.files.names("/data/sealed"), uploader.waiting_files), ([], 0))

    def test_the_store_is_asked_while_all_hang(self) -> None:
        """There are threads for the uploads that may hang together, and one for the question whose trouble
        it is; more are of no use."""
        for concurrency in (1, 2, 16):
            self.assertEqual(threads_for(UploaderSettings("none", concurrency)), concurrency + SPARE + 1)

    def test_slow_everywhere(self) -> None:
        """Where all uploads take their time, a few more are under way, and all arrive, each once."""
        threads = SlowThreads()
        uploader = self.make(threads, 2)
        names = self.finish(*range(1, 5))
        for n in range(4):
            names.append(f"twitch_bob{n}_20251229_1100.jsonl")
            self.files.put(f"/data/sealed/{names[-1]}", b"{}\n")
        threads.slow = names
        self.start(uploader)
        most = 0
        for _ in range(1300):
            self.run_for(threads, 1)
            most = max(most, uploader.in_flight)
        self.assertEqual(most, 2 + SPARE)
        self.assertEqual((len(self.puts()), len(set(self.puts()))), (8, 8))
        self.assertEqual((uploader.waiting_files, uploader.quarantined), (0, 0))

    def run_for(self, threads: SlowThreads, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(1.0)
            threads.advance()

    def test_enough_doubt(self) -> None:
        """It takes several refused files, and none that passes, to call the store refusing."""
        self.assertGreater(DOUBTS, 2)
        uploader = self.start(self.make())
        self.refuse(REFUSED, *range(1, DOUBTS))
        uploader.sealed(self.finish(*range(1, DOUBTS + 1)))
        self.assertEqual((uploader.state, uploader.waiting_files), ("ok", DOUBTS - 1))


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

    def test_in_the_middle(self) -> None:
        """A stop while files go one after the other leaves the next ones where they are."""

        def stop(stored: Stored) -> None:
            uploader.stopService()

        uploader = self.make(on_stored=stop)
        self.finish(1, 2, 3)
        uploader.startService()
        self.clock.advance(0)
        self.assertEqual(self.puts(), [key(1)])
        self.assertEqual(self.files.names("/data/sealed"), [name(2), name(3)])
