"""What the state holds after a power cut at any call, as those see it who keep something in it."""

from __future__ import annotations

import contextlib
import errno
import random
from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatlog.state.journal import Journal
from chatlog.timeline.timeline import Gap
from chatlog.twitch.deferred_gaps import DeferredGaps
from tests.fakes import Crashed, MemoryFiles, environment
from tests.journal.test_coverage_journal import START, Run


def gap(number: int) -> Gap:
    return Gap(START + number, START + number + 0.5, f"reason {number}")


class Life:
    """A process that defers gaps, one after the other, and writes the record of every second one. ``safe``
    are the numbers of those that are on the disk and wait; ``put`` of all."""

    def __init__(self, files: MemoryFiles) -> None:
        self.files = files
        self.clock = Clock()
        self.put: set[int] = set()
        self.safe: set[int] = set()
        self.done: set[int] = set()

    def run(self) -> None:
        """All of it, or up to where the machine dies."""
        journal = Journal(environment(self.clock, files=self.files), "/data", "deferred")
        deferred = DeferredGaps(journal)
        list(deferred.earlier())
        deferred.begin()
        for number in range(8):
            self.put.add(number)
            at = deferred.put("ann", gap(number))
            if number % 2:
                deferred.done(at)
                self.done.add(number)
            if number == 5:
                journal.write_anew()
            self.clock.advance(2.0)
            deferred.flushed(True, last=number == 7)
            if not self.files.tree["/data/state/deferred"].pending:
                self.safe = self.put - self.done


def left(files: MemoryFiles) -> list[Gap]:
    """The gaps that the next process finds."""
    journal = Journal(environment(Clock(), files=files), "/data", "deferred")
    return [found for _, found in DeferredGaps(journal).earlier()]


class PowerCutTests(SynchronousTestCase):
    def sweep(self, check: Callable[[int, int], None], calls: int) -> None:
        """Every call, each with several states of the disk."""
        for n in range(1, calls + 1):
            for seed in range(5):
                check(n, seed)
        self.flushLoggedErrors(Crashed)

    def die(self, files: MemoryFiles, n: int, seed: int) -> None:
        """The process dies, or the machine does and the disk keeps what it wants."""
        if seed == 0:
            files.kill()
        elif seed == 1:
            files.lose()
        else:
            files.crash(random.Random(f"{n} {seed}"))

    def files(self) -> MemoryFiles:
        files = MemoryFiles()
        files.make_directories("/data")
        return files

    def test_deferred_gaps(self) -> None:
        """A gap that was on the disk and whose record was not handed over is there, once; there is none that
        nobody deferred."""
        files = self.files()
        life = Life(files)
        life.run()
        self.assertEqual(left(files), [gap(number) for number in (0, 2, 4, 6)])
        lost = set()

        def check(n: int, seed: int) -> None:
            files = self.files()
            files.crash_at(n)
            life = Life(files)
            self.assertRaises(Crashed, life.run)
            self.die(files, n, seed)
            found = left(files)
            at = f"call {n}, seed {seed}"
            self.assertLessEqual({gap(number) for number in life.safe}, set(found), at)
            self.assertLessEqual(set(found), {gap(number) for number in life.put}, at)
            self.assertEqual(len(found), len(set(found)), at)
            lost.add(len(life.put) - len(found))

        self.sweep(check, files.calls)
        self.assertGreater(len(lost), 3)

    def test_one_error(self) -> None:
        """An error of the disk at any one call costs no gap."""
        files = self.files()
        Life(files).run()
        for n in range(1, files.calls + 1):
            for code in (errno.EIO, errno.ENOSPC):
                files = self.files()
                files.fail(n, code)
                Life(files).run()
                files.kill()
                self.assertEqual(left(files), [gap(number) for number in (0, 2, 4, 6)], files.log[n - 1])
        self.flushLoggedErrors()

    def test_coverage(self) -> None:
        """Every room that was recorded for some seconds has a gap, and it begins when the disk was last sure
        of it."""

        def story(run: Run) -> None:
            run.acknowledge("a")
            run.advance(4)
            run.played.down(run.links[0], run.now(), "connection lost")
            run.advance(2)
            run.acknowledge("a", "b")
            run.advance(4)
            run.journal.write_anew()
            run.advance(6)

        files = self.files()
        story(Run(files, START))

        def check(n: int, seed: int) -> None:
            files = self.files()
            files.crash_at(n)
            run = None
            with contextlib.suppress(Crashed):
                run = Run(files, START)
                story(run)
            end = START if run is None else run.now()
            if run is not None and run.pool.running:
                run.pool.stopService()
            self.die(files, n, seed)
            again = Run(files, end + 60.0, boot="another start")
            again.acknowledge("a", "b")
            again.pool.stopService()
            holes = dict(again.gaps)
            if end > START + 4.0:
                self.assertIn("a", holes, f"call {n}, seed {seed}")
            if end > START + 10.0:
                self.assertIn("b", holes, f"call {n}, seed {seed}")
            for hole in holes.values():
                self.assertLessEqual(hole.start, end, f"call {n}, seed {seed}")
                self.assertGreaterEqual(hole.start, end - 3.5, f"call {n}, seed {seed}")

        self.sweep(check, files.calls)
