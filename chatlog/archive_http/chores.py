"""Daily upkeep of the archive, from the archive server: commands, each in a process of its own, one after the
other, soon after the start, and then at half past two by UTC. A command that fails is logged, and tried again
the next time.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from twisted.application.service import Service
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatlog.archive.retention import Retention
from chatlog.commands.lifeline import command
from chatlog.companion import yield_to_the_recorder
from chatlog.config.settings import Settings
from chatlog.printable import printable

#: Seconds from the start until the first round, and the fewest until the next.
FIRST, LEAST = 600.0, 1800.0
#: The seconds of a day, by UTC, after which the rounds begin: then yesterday can be indexed.
DAILY = 2.5 * 3600.0
#: The most characters of a command's output that are logged.
_SAID = 4000
DAY = 86400.0


def chores_of(settings: Settings) -> Iterator[tuple[str, ...]]:
    """The commands that the settings ask for, without the option that names the configuration."""
    if not Retention(settings.archive.keep).is_forever:
        yield "expire", "--by-itself"
    if settings.archive.compact:
        yield ("compact",)
    if settings.archive.tier_after is not None:
        yield "tier", "--by-itself"


class Chores(Service):
    """Runs ``chatlog`` with each of ``chores`` daily, with the configuration at ``config``. ``yielding(pid)``
    makes a process yield to the recorder, and ``now()`` is the time of day."""

    _log = Logger()
    name = "chores"

    def __init__(
        self,
        reactor: Any,
        config: str,
        environ: Mapping[str, str],
        chores: Sequence[tuple[str, ...]],
        yielding: Callable[[int], None] = yield_to_the_recorder,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._yielding = yielding
        self._now = now
        self._reactor = reactor
        self._config = config
        self._environ = environ
        self._chores = list(chores)
        self._left: list[tuple[str, ...]] = []
        self._timer: IDelayedCall | None = None
        self._child: _Chore | None = None

    def startService(self) -> None:
        super().startService()
        if self._chores:
            self._timer = self._reactor.callLater(FIRST, self._begin)

    def stopService(self) -> None:
        """Stop; a command under way is ended, and is continued the next time."""
        super().stopService()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._child is not None:
            self._child.end()

    def _begin(self) -> None:
        wait = (DAILY - self._now()) % DAY
        self._timer = self._reactor.callLater(wait if wait >= LEAST else wait + DAY, self._begin)
        if self._child is None:
            self._left = list(self._chores)
            self._next()

    def _next(self) -> None:
        if not self._left or not self.running:
            return
        chore = self._left.pop(0)
        line = command("chatlog.cli:main", "chatlog", *chore, "--config", self._config)
        self._child = _Chore(self, chore)
        try:
            self._reactor.spawnProcess(
                self._child, line[0], line, env=dict(self._environ), childFDs={0: "w", 1: "r", 2: "r"}
            )
        except OSError as error:
            self.ended(chore, error.strerror or "it cannot be started", "")
            return
        self._yielding(self._child.transport.pid)

    def ended(self, chore: tuple[str, ...], why: str, said: str) -> None:
        """A command has ended, with ``why`` if it failed; ``said`` is its output."""
        self._child = None
        words, said = " ".join(chore), printable(" / ".join(said.split("\n")).strip(" /"), _SAID)
        if why:
            self._log.warn(
                "chatlog {words}: {why}; it is tried again tomorrow: {said}", words=words, why=why, said=said
            )
        elif said:
            self._log.info("chatlog {words}: {said}", words=words, said=said)
        self._next()


class _Chore(ProcessProtocol):
    """One run of a command."""

    transport: Any

    def __init__(self, chores: Chores, chore: tuple[str, ...]) -> None:
        self._chores = chores
        self._chore = chore
        self._said = b""

    def outReceived(self, data: bytes) -> None:
        self._said = (self._said + data)[: 4 * _SAID]

    errReceived = outReceived

    def end(self) -> None:
        """Ask the process to end."""
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess(signal.SIGTERM.name.removeprefix("SIG"))

    def processEnded(self, reason: Failure) -> None:
        error: Any = reason.value
        why = ""
        if getattr(error, "signal", None):
            why = f"it was ended by signal {error.signal}"
        elif error.exitCode:
            why = f"it ended with status {error.exitCode}"
        self._chores.ended(self._chore, why, self._said.decode("utf-8", "replace"))


def chores_in(reactor: Any, config: str, settings: Settings) -> Chores:
    """The daily upkeep of a configuration."""
    return Chores(reactor, config, os.environ, list(chores_of(settings)))
