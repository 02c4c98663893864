"""What is left when the machine dies, or the disk fails, at any one call of a whole recording.

One recording of a few rooms, with syncs, rotations, seals and a stop, is run again and again; each run
is cut off one call later. Then the next process starts on what the disk holds.
"""

from __future__ import annotations

import contextlib
import copy
import errno
import json
import random
from collections import Counter
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatlog.spool.spool import SpoolError
from tests.fakes import Crashed, ImmediateThreads, MemoryFiles, QueuedThreads
from tests.recording import HALF_PAST_TEN, Recording, line


class Story:
    """One recording, what was sent to it, and what it reported as durable."""

    def __init__(self, files: MemoryFiles, threads: Any, ship: bool, **settings: Any) -> None:
        self.rig = Recording(files, threads, **settings)
        self.ship = ship
        self.issued: list[bytes] = []
        self.durable: set[bytes] = set()
        #: Names and contents of the files that were uploaded and deleted.
        self.shipped: dict[str, bytes] = {}
        self.passed = 0
        self.done = False

    def run(self) -> None:
        """Record for a while and stop."""
        rig = self.rig
        try:
            rig.start()
            for number in range(8):
                for room in range(1 + number % 3):
                    self._append(f"room{room}", number)
                self._pass(0.5)
                if number == 4:
                    rig.recorder.rotate_now()
            for room in range(10):
                self._append(f"crowd{room}", room)
            self._pass(1.5)
            self._append("room0", 99)
            rig.recorder.stopService()
            self._pump()
            self._note()
            self.done = True
        except (Crashed, SpoolError):
            pass

    def _append(self, room: str, number: int) -> None:
        text = line(len(self.issued), room, pad=50 * number)
        self.issued.append(text)
        self.rig.append(room, text)

    def _pass(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.5)):
            self.rig.advance()
            if self.rig.files.dead:
                raise Crashed
            self.passed += 1
            # Threads take their time: commits end when more has been written.
            if self.passed % 3 == 0:
                self._pump()
            self._note()

    def _pump(self) -> None:
        if isinstance(self.rig.threads, QueuedThreads):
            self.rig.threads.pump()

    def _note(self) -> None:
        rig = self.rig
        if rig.counters.durable == len(self.issued):
            self.durable = set(self.issued)
        if self.ship and not rig.files.dead:
            for name in rig.sealed:
                path = rig.spool.path("sealed", name)
                self.shipped[name] = rig.files.content(path)
                rig.files.remove(path)
            rig.sealed.clear()


class Oracle(SynchronousTestCase):
    """Knows what must be true of an archive, whatever happened."""

    def _lines(self, rig: Recording, story: Story) -> Counter[bytes]:
        """All lines of the archive, shipped files once."""
        files = dict(story.shipped)
        for area in ("sealed", "open"):
            for name, data in rig.contents(area).items():
                if name in files:
                    self.assertEqual(files[name], data, f"two files are called {name}")
                files[name] = data
        lines: Counter[bytes] = Counter()
        for name, data in files.items():
            self.assertTrue(data.endswith(b"\n"), f"{name} does not end with a whole line")
            lines.update(data.splitlines(keepends=True))
        for each in lines:
            self.assertIsInstance(json.loads(each), dict)
        return lines

    def _recover(self, files: MemoryFiles, wall: float = HALF_PAST_TEN) -> Recording:
        """The next process: starts, records a line, recovers, stops."""
        rig = Recording(files, wall=wall).start()
        rig.append("room0", line(-1))
        rig.advance(2)
        self.successResultOf(rig.recorder.stopService())
        # What was sealed stays, whatever happens to the machine now.
        files.lose()
        self.assertEqual(rig.contents("open"), {})
        return rig

    def _check(self, rig: Recording, story: Story, at: str) -> None:
        lines = self._lines(rig, story)
        self.assertEqual(lines.pop(line(-1)), 1)
        self.assertEqual(set(lines) - set(story.issued), set(), f"{at}: a line that nobody wrote")
        self.assertEqual([each for each in lines if lines[each] > 1], [], f"{at}: a line twice")
        missing = story.durable - set(lines)
        self.assertEqual(missing, set(), f"{at}: a durable line is gone")
        self.assertGreaterEqual(len(lines), story.rig.counters.durable, at)

    def _calls(self, **options: Any) -> int:
        files = MemoryFiles()
        story = Story(files, ImmediateThreads(), **options)
        story.run()
        self.assertTrue(story.done)
        self.assertEqual(len(story.durable), len(story.issued))
        return files.calls


class CrashTests(Oracle):
    """The machine, or the process, dies at any call."""

    def _sweep(self, seeds: int, ship: bool, **settings: Any) -> None:
        torn = lost = 0
        for n in range(1, self._calls(ship=ship, **settings) + 1):
            for seed in range(seeds):
                files = MemoryFiles()
                files.crash_at(n)
                threads = QueuedThreads() if seed % 2 else ImmediateThreads()
                story = Story(files, threads, ship, **settings)
                story.run()
                chance = random.Random(f"{n} {seed}")
                if seed == 0:
                    files.kill()
                else:
                    files.crash(chance)
                rig = self._recover(files)
                self._check(rig, story, f"call {n}, seed {seed}")
                assert rig.recorder.recovered is not None
                torn += rig.recorder.recovered.torn_bytes > 0
                lost += len(story.issued) > sum(self._lines(rig, story).values()) - 1
        self.flushLoggedErrors(Crashed)
        # The sweep would prove little if the disk had never lost or broken anything.
        self.assertGreater(torn, 10)
        self.assertGreater(lost, 10)

    def test_power_cut_anywhere(self) -> None:
        """A line that was said to be durable is in the archive exactly once, wherever the machine
        died; every line there is whole and was written by somebody; no name is used twice."""
        self._sweep(seeds=3, ship=False)

    def test_power_cut_with_uploads(self) -> None:
        """The same, with files leaving the spool as soon as they are sealed."""
        self._sweep(seeds=2, ship=True, rotate_size=400)

    def test_killed_anywhere(self) -> None:
        """A process that is killed loses no line that it had written, synced or not."""
        for n in range(1, self._calls(ship=False) + 1):
            files = MemoryFiles()
            files.crash_at(n)
            story = Story(files, ImmediateThreads(), ship=False)
            story.run()
            files.kill()
            rig = self._recover(files)
            lines = self._lines(rig, story)
            self.assertGreaterEqual(sum(lines.values()) - 1, story.rig.counters.written)
            self._check(rig, story, f"call {n}")
        self.flushLoggedErrors(Crashed)

    def test_dies_during_recovery(self) -> None:
        """A recovery that is cut off twenty times ends with the same files as one that is not."""
        for seed in range(40):
            chance = random.Random(f"recovery {seed}")
            files = MemoryFiles()
            files.crash_at(chance.randrange(40, 75))
            story = Story(files, ImmediateThreads(), ship=False)
            story.run()
            files.crash(chance)
            other = copy.deepcopy(files)
            once = _quiet_recovery(other)
            for turn in range(20):
                files.crash_at(chance.randrange(1, 40))
                with contextlib.suppress(Crashed):
                    _quiet_recovery(files)
                if turn % 2:
                    files.kill()
                else:
                    files.crash(chance)
            again = _quiet_recovery(files)
            self.assertEqual(again.contents("sealed"), once.contents("sealed"), f"seed {seed}")
            self.assertEqual(again.contents("torn"), once.contents("torn"), f"seed {seed}")
            self.assertEqual(again.contents("open"), {})
        self.flushLoggedErrors(Crashed)


def _quiet_recovery(files: MemoryFiles) -> Recording:
    rig = Recording(files)
    try:
        rig.start()
    except SpoolError as error:
        raise Crashed from error
    rig.advance(2)
    rig.recorder.stopService()
    if files.dead:
        raise Crashed
    return rig


class ErrorTests(Oracle):
    """The disk fails once, at any call, and works again afterwards."""

    def _errors(self, code: int) -> Counter[str]:
        outcomes: Counter[str] = Counter()
        for n in range(1, self._calls(ship=False) + 1):
            files = MemoryFiles()
            files.fail(n, code)
            story = Story(files, ImmediateThreads(), ship=False)
            story.run()
            operation, path = files.log[n - 1]
            at = f"{operation} {path}"
            if not story.done:
                outcomes["refused"] += 1
                files.kill()
                continue
            if story.rig.fatal:
                # Only a sync may end the process.
                self.assertIn(operation, ("sync", "sync_all", "sync_directory"), at)
                outcomes["fatal"] += 1
            else:
                outcomes["survived"] += 1
                self.assertEqual(story.rig.recorder.trouble, "", at)
            self.assertEqual(+story.rig.counters.dropped, Counter(), at)
            files.kill()
            rig = self._recover(files)
            lines = self._lines(rig, story)
            del lines[line(-1)]
            self.assertEqual(lines, Counter(story.issued), at)
        self.assertGreater(outcomes["survived"], 30)
        return outcomes

    def test_no_space(self) -> None:
        """No space, once, anywhere: every line is in the archive exactly once."""
        self.assertGreater(self._errors(errno.ENOSPC)["fatal"], 3)

    def test_io_error(self) -> None:
        """A device error, once, anywhere: the same; and a failed sync is never tried again."""
        self.assertGreater(self._errors(errno.EIO)["fatal"], 3)

    def test_no_descriptors(self) -> None:
        """Too many open files, once, anywhere: the same, and never a reason to end the process."""
        self.assertEqual(self._errors(errno.EMFILE)["fatal"], 0)

    def test_half_a_line_that_was_cut_off(self) -> None:
        """A write that the disk took in part is cut off again, and that is on the disk before the file is
        sealed: a machine that crashes later does not bring the half line back."""
        rig = Recording(MemoryFiles()).start()
        rig.append("room", line(1))
        rig.advance(3)
        rig.files.capacity = rig.files.used() + 5
        rig.append("room", line(2))
        rig.advance(3)
        [name] = rig.contents("sealed")
        self.assertEqual(rig.files.tree[f"/data/sealed/{name}"].pending, [])
        rig.files.crash(random.Random(1))
        self.assertEqual(rig.files.content(f"/data/sealed/{name}"), line(1))
