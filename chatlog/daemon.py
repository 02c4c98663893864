"""The recorder as one service, which starts and stops in stages and can end the process with a failure."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger

from chatlog import logs
from chatlog.network import pacing
from chatlog.services import StagedService
from chatlog.spool.spool import Spool, SpoolError
from chatlog.starter import Starter
from chatlog.takeover import take_over
from chatlog.watchdog import show_stacks

#: The exit status after a failure. It makes a supervisor start the recorder again.
FAILED = 1


class Remarks(NamedTuple):
    """``notes``, and ``warnings`` about the environment."""

    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Daemon(StagedService):
    """All services in the order in which they start. They stop in reverse order: the sources first, then the
    recorder, then the uploader. ``remarks`` are logged at the start."""

    _log = Logger()

    def __init__(self, reactor: Any, options: Mapping[str, Any], remarks: Remarks) -> None:
        super().__init__(reactor)
        self._reactor = reactor
        self._options = options
        self._failed = False
        #: Writes the stacks of all threads.
        self.show_stacks: Callable[[str], None] = show_stacks
        self._remarks = remarks
        #: The log; None if twistd's own is used.
        self.console: logs.Console | None = None
        #: The process that started this one.
        self.starter = Starter(getattr(options, "parent", None))

    def setServiceParent(self, parent: Any) -> None:
        # twistd asks the application for its log observer after this and before it logs anything.
        self.console = logs.install(parent, self._options)
        super().setServiceParent(parent)

    def startService(self) -> None:
        for note in self._remarks.notes:
            self._log.info("{note}", note=note)
        for warning in self._remarks.warnings:
            self._log.warn("{warning}", warning=warning)
        try:
            super().startService()
        except SpoolError as error:
            if self.starter.waits:
                self._refuse(str(error))
            self.fail(str(error))
        # Only then: before that, the caller waits and must learn of every failure.
        self._reactor.callWhenRunning(self.starter.left)

    def _refuse(self, reason: str) -> None:
        """End the process while twistd waits in the foreground, so that twistd's status shows the failure."""
        self._log.critical("{reason}", reason=reason)
        self.starter.report(reason)
        self._end(FAILED)

    def _end(self, status: int) -> None:
        self.starter.remove_pidfile()
        os._exit(status)

    def lost_the_disk(self, reason: str) -> None:
        """End the process because the disk can no longer be trusted. Show the stacks of all threads: one of
        them may hang in a call to the disk."""
        self.show_stacks(reason)
        self.fail(f"{reason}; chatlog ends, so that a new start can recover")

    def end_at_once(self, reason: str) -> None:
        """Show the reason and the stacks of all threads, and end the process without the reactor, which may
        be stuck. What is written stays written. Any thread may call this."""
        self.show_stacks(f"{reason}; chatlog ends, so that a new start can recover")
        self._end(FAILED)

    def fail(self, reason: str) -> None:
        """Stop the services, and end the process with a status that makes a supervisor start it again."""
        if self._failed:
            return
        self._failed = True
        self._log.critical("{reason}", reason=reason)
        # twistd itself would report success.
        self._reactor.addSystemEventTrigger("after", "shutdown", self._end, FAILED)
        self._reactor.callWhenRunning(self._stop)

    def _stop(self) -> None:
        # A signal may have come first.
        with suppress(ReactorNotRunning):
            self._reactor.stop()


class Signals(Service):
    """Calls ``take()`` as soon as the reactor runs: it installs the signal handlers."""

    name = "signals"

    def __init__(self, reactor: Any, take: Callable[[], object]) -> None:
        self._reactor = reactor
        self._take = take

    def startService(self) -> None:
        self._reactor.callWhenRunning(self._take)
        super().startService()


class Lock(Service):
    """Locks the directory before anything in it is touched. Then takes over the state of the version before,
    and calls ``loads`` to read the state."""

    name = "lock"

    def __init__(self, spool: Spool, loads: Iterable[Callable[[], object]]) -> None:
        self._spool = spool
        self._loads = tuple(loads)

    def startService(self) -> None:
        """Raises SpoolError."""
        self._spool.lock()
        take_over(self._spool)
        for load in self._loads:
            load()
        super().startService()


class Sources(MultiService):
    """Everything that reads chat. At the stop, data that the kernel still holds is read first; then all
    connections are closed at once."""

    #: Seconds for the last reads and for closing the connections, which both have limits of their own.
    stop_limit = 0.75

    def __init__(self, pacer: pacing.Pacer) -> None:
        super().__init__()
        self.setName("sources")
        self._pacer = pacer

    def stopService(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await self._pacer.drain()
        await MultiService.stopService(self)
