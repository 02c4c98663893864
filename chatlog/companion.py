"""Runs the archive server as a child process of the recorder, with a lower priority than the recorder."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatlog.commands.lifeline import command
from chatlog.services import Backoff

#: Seconds until the archive server is started again, at first and at most. A run of the third number of
#: seconds counts as successful.
FIRST, MOST, WELL = 1.0, 60.0, 60.0
#: The increments of its nice value, and of its OOM score: if memory is short, the system ends it before the
#: recorder.
NICER, SOONER = 10, 500


def yield_to_the_recorder(pid: int) -> None:
    """Lower the process's priority for the processor, and let the system end it first if memory is short; as
    far as the system permits."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, 0) + NICER)
    with suppress(OSError), open(f"/proc/{pid}/oom_score_adj", "w") as file:
        file.write(str(SOONER))


class ArchiveCompanion(Service):
    """Runs ``twistd chatlog-archive`` with the configuration at ``config``. ``reactor`` starts processes;
    ``yielding(pid)`` makes one yield to the recorder."""

    _log = Logger()
    name = "archive"
    #: Seconds until a process that should end is killed; usually it ends within a second.
    stop_limit = 5.0

    def __init__(
        self,
        reactor: Any,
        config: str,
        environ: Mapping[str, str],
        backoff: Backoff | None = None,
        yielding: Callable[[int], None] = yield_to_the_recorder,
    ) -> None:
        self._reactor = reactor
        self._config = config
        self._environ = environ
        self._backoff = backoff or Backoff(FIRST, MOST)
        self._yielding = yielding
        self._child: _Child | None = None
        self._again: IDelayedCall | None = None
        self._kill: IDelayedCall | None = None
        self._stopped: Deferred[None] | None = None

    def startService(self) -> None:
        super().startService()
        # Not earlier: a process that daemonizes after this would lose its child.
        self._reactor.callWhenRunning(self._start)

    def _start(self) -> None:
        self._again = None
        if not self.running or self._child is not None:
            return
        arguments = ("-n", "--pidfile=", "chatlog-archive", "--beside", "--config", self._config)
        line = command("twisted.scripts.twistd:run", "twistd", *arguments)
        child = self._child = _Child(self._ended, self._reactor.seconds())
        try:
            # Its standard input is a pipe that closes when the recorder ends for any reason. It logs to the
            # recorder's log.
            self._reactor.spawnProcess(
                child, line[0], line, env=dict(self._environ), childFDs={0: "w", 1: 1, 2: 2}
            )
        except OSError as error:
            self._child = None
            self._wait(error.strerror or "it cannot be started")
            return
        self._yielding(child.transport.pid)

    def _ended(self, child: _Child, reason: Failure) -> None:
        self._child = None
        if self._kill is not None and self._kill.active():
            self._kill.cancel()
        if self._stopped is not None:
            self._stopped.callback(None)
        elif self.running:
            if self._reactor.seconds() - child.started >= WELL:
                self._backoff.reset()
            error: Any = reason.value
            ended = f"signal {error.signal}" if getattr(error, "signal", None) else f"status {error.exitCode}"
            self._wait(f"it has ended with {ended}")

    def _wait(self, why: str) -> None:
        delay = self._backoff.next()
        self._log.warn(
            "the archive is not served: {why}; it is started again in {delay:.0f} s, and recording goes on",
            why=why,
            delay=delay,
        )
        self._again = self._reactor.callLater(delay, self._start)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self._child is None:
            return succeed(None)
        self._stopped = Deferred()
        self._child.end(signal.SIGTERM)
        self._kill = self._reactor.callLater(self.stop_limit / 2, self._child.end, signal.SIGKILL)
        return self._stopped


class _Child(ProcessProtocol):
    """One run of the archive server."""

    transport: Any

    def __init__(self, ended: Callable[[_Child, Failure], None], started: float) -> None:
        self._ended = ended
        self.started = started

    def end(self, number: int) -> None:
        """Send the process a signal, if it still exists."""
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess(signal.Signals(number).name.removeprefix("SIG"))

    def processEnded(self, reason: Failure) -> None:
        self._ended(self, reason)
