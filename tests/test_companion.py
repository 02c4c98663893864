"""The archive server is started with the recorder, again when it ends, and ended with it."""

from __future__ import annotations

import signal
from typing import Any

from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatlog.companion import WELL, ArchiveCompanion
from chatlog.services import Backoff


class Spawned:
    """A process that was started."""

    def __init__(self, pid: int, protocol: Any, arguments: list[str], fds: dict[int, Any]) -> None:
        self.pid = pid
        self.protocol = protocol
        self.arguments = arguments
        self.fds = fds
        self.signals: list[str] = []
        self.gone = False
        protocol.transport = self

    def signalProcess(self, name: str) -> None:
        if self.gone:
            raise ProcessExitedAlready
        self.signals.append(name)

    def end(self, status: int = 0, number: int | None = None) -> None:
        self.gone = True
        reason = ProcessTerminated(status, number) if status or number else ProcessDone(0)
        self.protocol.processEnded(Failure(reason))


class Processes(Clock):
    """A reactor that starts processes which are none."""

    def __init__(self) -> None:
        super().__init__()
        self.spawned: list[Spawned] = []
        self.refuses = False

    def callWhenRunning(self, function: Any) -> None:
        function()

    def spawnProcess(self, protocol: Any, program: str, args: list[str], env: Any, childFDs: Any) -> None:
        if self.refuses:
            raise OSError(12, "Cannot allocate memory")
        self.spawned.append(Spawned(100 + len(self.spawned), protocol, args, childFDs))


class CompanionTests(SynchronousTestCase):
    def setUp(self) -> None:
        capturing = capturedLogs()
        self.logged = capturing.__enter__()
        self.addCleanup(capturing.__exit__, None, None, None)
        self.reactor = Processes()
        self.yielded: list[int] = []
        backoff = Backoff(1.0, 60.0, lambda low, high: high)
        self.companion = ArchiveCompanion(self.reactor, "my.yaml", {}, backoff, self.yielded.append)
        self.companion.startService()

    def test_started(self) -> None:
        """It has the recorder's configuration, yields to the recorder, and hangs on a pipe of it."""
        [child] = self.reactor.spawned
        self.assertEqual(child.arguments[-4:], ["chatlog-archive", "--beside", "--config", "my.yaml"])
        self.assertEqual(child.fds, {0: "w", 1: 1, 2: 2})
        self.assertEqual(self.yielded, [child.pid])

    def test_started_again(self) -> None:
        """It is started again, later each time; when it ran well for a while, soon."""
        for wait in (1.0, 2.0, 4.0):
            self.reactor.spawned[-1].end(1)
            count = len(self.reactor.spawned)
            self.reactor.advance(wait - 0.1)
            self.assertEqual(len(self.reactor.spawned), count)
            self.reactor.advance(0.1)
            self.assertEqual(len(self.reactor.spawned), count + 1)
        self.reactor.advance(WELL)
        self.reactor.spawned[-1].end(0, signal.SIGKILL)
        self.reactor.advance(1.0)
        self.assertEqual(len(self.reactor.spawned), 5)
        self.assertEqual(len(self.logged), 4)

    def test_cannot_be_started(self) -> None:
        """A system that starts no process is asked again; the recorder goes on."""
        self.reactor.refuses = True
        self.reactor.spawned[-1].end(1)
        self.reactor.advance(1.0)
        self.reactor.refuses = False
        self.reactor.advance(2.0)
        self.assertEqual(len(self.reactor.spawned), 2)

    def test_ended(self) -> None:
        """It is ended with the recorder, which waits for it, and killed where it does not end."""
        stopped = self.companion.stopService()
        [child] = self.reactor.spawned
        self.assertEqual(child.signals, ["TERM"])
        self.assertNoResult(stopped)
        self.reactor.advance(self.companion.stop_limit)
        self.assertEqual(child.signals, ["TERM", "KILL"])
        child.end(0, signal.SIGKILL)
        self.successResultOf(stopped)
        self.reactor.advance(100.0)
        self.assertEqual(len(self.reactor.spawned), 1)

    def test_ended_while_it_waits(self) -> None:
        """A recorder that ends starts nothing more."""
        self.reactor.spawned[-1].end(1)
        self.successResultOf(self.companion.stopService())
        self.reactor.advance(100.0)
        self.assertEqual(len(self.reactor.spawned), 1)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
