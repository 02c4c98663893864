"""The archive server as a child of the recorder: started with it, ended with it, and never in its way."""

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

#: Seconds until it is started again, at first and at most; and for which it has to run to count as well.
FIRST, MOST, WELL = 1.0, 60.0, 60.0
#: How much nicer it is than the recorder, and how much rather the system ends it where memory is short.
NICER, SOONER = 10, 500


def yield_to_the_recorder(pid: int) -> None:
    """Give the process less of the processor, and the first place where memory is short; where the system
    lets us."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, 0) + NICER)
    with suppress(OSError), open(f"/proc/{pid}/oom_score_adj", "w") as file:
        file.write(str(SOONER))


class ArchiveCompanion(Service):
    """Runs ``twistd chatlog-archive`` with the configuration at ``config``. ``reactor`` starts processes;
    ``yielding(pid)`` makes one yield to the recorder."""

    _log = Logger()
    name = "archive"
    #: It ends within a second; what does not is killed.
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
        # Not earlier: a process that goes to the background would leave it behind.
        self._reactor.callWhenRunning(self._start)

    def _start(self) -> None:
        self._again = None
        if not self.running or self._child is not None:
            return
        arguments = ("-n", "--pidfile=", "chatlog-archive", "--beside", "--config", self._config)
        line = command("twisted.scripts.twistd:run", "twistd", *arguments)
        child = self._child = _Child(self._ended, self._reactor.seconds())
        try:
            # Its standard input is a pipe that ends with us, however we end; its log is ours.
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
    """One run of it."""

    transport: Any

    def __init__(self, ended: Callable[[_Child, Failure], None], started: float) -> None:
        self._ended = ended
        self.started = started

    def end(self, number: int) -> None:
        """Send it a signal; fine if it is gone."""
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess(signal.Signals(number).name.removeprefix("SIG"))

    def processEnded(self, reason: Failure) -> None:
        self._ended(self, reason)
