"""A journal: what it says of a disk that fails, when it is synced and written anew, and its end."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from twisted.internet.task import Clock
from twisted.logger import LogEvent, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatlog.state.journal import LARGEST, Journal
from tests.fakes import MemoryFiles, QueuedThreads, environment

PATH = "/data/state/held"


class JournalTests(SynchronousTestCase):
    """A journal whose whole contents are ``self.whole``."""

    def setUp(self) -> None:
        self.files = MemoryFiles()
        self.files.make_directories("/data")
        self.clock = Clock()
        self.threads = QueuedThreads()
        self.journal = Journal(
            environment(self.clock, files=self.files, disk=self.threads), "/data", "held", 1.0
        )
        self.whole: list[object] = ["whole"]
        self.incomplete = 0
        self.broken = ""
        self.calls: list[str] = []
        self.files.rule = self.rule

    def rule(self, operation: str, path: str) -> None:
        self.calls.append(operation)
        if operation == self.broken:
            raise OSError(errno.EIO, "Input/output error")

    def begin(self) -> None:
        self.journal.begin(lambda: self.whole, self.lose)

    def lose(self) -> None:
        self.incomplete += 1

    def read(self) -> list[object]:
        """What the next process reads."""
        again = Journal(environment(self.clock, files=self.files), "/data", "held")
        return [entry for _, entry in again.file.read()]

    def said(self, events: Sequence[LogEvent]) -> list[str]:
        return [(formatEvent(event) or "").split(":")[0] for event in events]

    def test_a_disk_that_fails_for_a_while(self) -> None:
        """It is said once that the journal cannot be written, and once that it is again."""
        self.begin()
        with capturedLogs() as events:
            self.broken = "write"
            self.assertEqual([self.journal.append(n) for n in (1, 2)], [False, False])
            self.broken = ""
            self.assertEqual([self.journal.append(n) for n in (3, 4)], [True, True])
        self.assertEqual(self.said(events), [f"{PATH} cannot be written", f"{PATH} is written again"])
        self.assertEqual(self.read(), ["whole", 3, 4])

    def test_a_disk_that_fails_at_the_start(self) -> None:
        """That is said too, everything is to be appended once more, and the journal is kept from then on."""
        self.broken = "rename"
        with capturedLogs() as events:
            self.begin()
            self.broken = ""
            self.assertEqual(self.incomplete, 1)
            self.assertTrue(self.journal.append("more"))
        self.assertEqual(self.said(events), [f"{PATH} cannot be written", f"{PATH} is written again"])
        self.assertEqual(self.read(), ["more"])

    def test_when_it_is_synced(self) -> None:
        """It is forced to the disk when something was appended, once an interval, and not twice at a time."""
        self.begin()
        self.journal.maintain(True)
        self.assertEqual(self.threads.pump(), 0)
        self.journal.append(1)
        self.journal.maintain(True)
        self.journal.append(2)
        self.journal.maintain(True)
        self.assertEqual(self.threads.pump(), 1)
        self.clock.advance(0.9)
        self.journal.maintain(True)
        self.assertEqual(self.threads.pump(), 0)
        self.clock.advance(0.1)
        for expected in (1, 0):
            self.journal.maintain(True)
            self.assertEqual(self.threads.pump(), expected)
            self.clock.advance(1.0)

    def test_by_itself(self) -> None:
        """Without another interval, that is once a second."""
        journal = Journal(environment(self.clock, files=self.files, disk=self.threads), "/data", "other")
        journal.begin(tuple, bool)
        for _ in range(2):
            journal.append(1)
            journal.maintain(True)
            self.assertEqual(self.threads.pump(), 1)
            self.clock.advance(1.0)

    def test_a_sync_that_fails(self) -> None:
        """Only a new file can be trusted then: it is written at the next opportunity. Before that an entry
        that is appended is no sign that all is well."""
        self.begin()
        self.journal.append("lost")
        with capturedLogs() as events:
            self.broken = "sync"
            self.journal.maintain(True)
            self.threads.pump()
            self.broken = ""
            self.journal.append("lost too")
            self.assertEqual(self.said(events), [f"{PATH} cannot be written"])
            self.whole = ["anew"]
            self.journal.maintain(False)
            self.threads.pump()
            self.journal.append("after")
        self.assertEqual(self.said(events), [f"{PATH} cannot be written", f"{PATH} is written again"])
        self.assertEqual(self.read(), ["anew", "after"])

    def test_directory_that_is_moved_away(self) -> None:
        """Where another program moves the spool away, or removes the file, the journal is soon written anew
        in its place, and the next process finds all of it."""
        self.begin()
        self.journal.append("before")
        self.files.remove(PATH)
        with capturedLogs() as events:
            self.journal.append("lost")
            self.journal.maintain(True)
            self.threads.pump()
            self.whole = ["anew"]
            self.journal.maintain(True)
            self.threads.pump()
            self.journal.append("after")
        self.assertEqual(self.said(events), [f"{PATH} cannot be written", f"{PATH} is written again"])
        self.assertEqual(self.read(), ["anew", "after"])

    def test_a_new_file_that_fails(self) -> None:
        """The journal goes on as it was, and everything is to be appended once more."""
        self.begin()
        self.journal.write_anew()
        self.broken = "rename"
        self.journal.maintain(True)
        self.journal.append("meanwhile")
        self.threads.pump()
        self.broken = ""
        self.assertEqual(self.incomplete, 1)
        self.journal.append("more")
        self.assertEqual(self.read(), ["whole", "meanwhile", "more"])
        renamed = self.calls.count("rename")
        self.clock.advance(1.0)
        self.journal.maintain(True)
        self.threads.pump()
        self.assertEqual(self.calls.count("rename"), renamed)

    def test_a_new_file_that_may_have_its_name(self) -> None:
        """Where a new file cannot be looked at, entries go to what has the name now."""
        self.begin()
        self.journal.append("before")
        self.whole = ["anew"]
        self.journal.write_anew()
        self.journal.maintain(True)
        self.broken = "size"
        self.threads.pump()
        self.broken = ""
        self.journal.append("more")
        self.assertEqual((self.incomplete, self.read()), (1, ["anew", "more"]))

    def test_large_contents(self) -> None:
        """What is large by itself is written anew when it has grown to twice its size, and not before."""
        self.whole = ["x" * round(0.6 * LARGEST)]
        self.begin()
        for size, expected in ((0.5 * LARGEST, 2), (0.2 * LARGEST, 1)):
            self.journal.append("y" * round(size))
            self.journal.maintain(True)
            self.threads.pump()
            self.assertEqual(len(self.read()), expected)
            self.clock.advance(1.0)

    def test_a_long_one(self) -> None:
        """A journal that has grown long is written anew when all is settled, and a very long one at once;
        what is appended meanwhile is in the new file."""
        for size, settled, expected in (
            (LARGEST, False, False),
            (LARGEST, True, True),
            (2 * LARGEST, False, True),
        ):
            self.begin()
            self.journal.append("x" * size)
            self.journal.maintain(settled)
            self.journal.append("meanwhile")
            self.threads.pump()
            self.assertEqual(self.read() == ["whole", "meanwhile"], expected, (size, settled))
            self.clock.advance(1.0)

    def test_the_end(self) -> None:
        """What is appended while a thread has the file is in it, and then it is closed; nothing is begun any
        more."""
        self.begin()
        self.journal.append(1)
        self.journal.maintain(True)
        self.journal.close()
        self.assertTrue(self.journal.append(2))
        self.threads.pump()
        self.assertEqual(self.files.fds, {})
        self.clock.advance(5.0)
        self.journal.maintain(True)
        self.assertEqual((self.threads.pump(), self.read()), (0, ["whole", 1, 2]))
        self.begin()
        self.journal.close()
        self.assertEqual(self.files.fds, {})
