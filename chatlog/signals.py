"""Handles signals, from the first line of Chatlog that ``twistd chatlog`` runs to the end of the process.

Before the reactor runs, INT, TERM and QUIT end the process at once: nothing has begun that a new start would
have to repair. HUP waits until the reactor runs. While it runs, the first INT, TERM or QUIT stops the
services, which has its own time limit. Further ones change nothing. A member of a cluster hands its rooms
over first, and the second such signal stops the services.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

#: The signals that end the process.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)
#: Signals without a meaning here, which by default would end the process. They are ignored.
_OTHERS = (signal.SIGUSR1, signal.SIGUSR2)
_SAID = {
    signal.SIGINT: b"chatlog: interrupted before it ran\n",
    signal.SIGTERM: b"chatlog: ended by a signal before it ran\n",
    signal.SIGQUIT: b"chatlog: ended by a signal before it ran\n",
}


class Early:
    """The handler of all signals until the reactor runs."""

    def __init__(self) -> None:
        #: Whether a HUP waits.
        self.hangup = False
        #: Called before the process ends.
        self.clear: Callable[[], None] = lambda: None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self.hangup = True
            return
        with suppress(OSError):
            os.write(2, _SAID[signal.Signals(number)])
        with suppress(Exception):
            self.clear()
        # By the signal itself, so that the parent process sees it in the status. Not by QUIT, which would
        # leave a core file.
        number = signal.SIGTERM if number == signal.SIGQUIT else number
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def early() -> Early | None:
    """The present handler if the reactor does not run yet, else None."""
    found = signal.getsignal(signal.SIGHUP)
    return found if isinstance(found, Early) else None


def begin() -> None:
    """Handle signals from now on. Handlers of a shell or a debugger stay. A second call does nothing."""
    if early() is not None:
        return
    handler = Early()
    for number in ENDING:
        if signal.getsignal(number) in (signal.default_int_handler, signal.SIG_DFL):
            signal.signal(number, handler)
    signal.signal(signal.SIGHUP, handler)


class Running:
    """Handles signals while the reactor runs and while it stops. ``hangup()`` is called for every HUP.
    ``drain(end)``, if there is one, is called for the first INT, TERM or QUIT: it hands everything over and
    then calls ``end()``. A second one ends the process at once."""

    def __init__(
        self,
        reactor: Any,
        hangup: Callable[[], None],
        drain: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self._reactor = reactor
        self._hangup = hangup
        self._drain = drain
        self._ending = False

    def take(self) -> None:
        """Install the handlers. Call this when the reactor runs: it sets its own handler for TERM when it
        starts."""
        before = early()
        ours = (
            before,
            signal.default_int_handler,
            signal.SIG_DFL,
            self._reactor.sigInt,
            self._reactor.sigTerm,
        )
        for number in ENDING:
            if signal.getsignal(number) in ours:
                signal.signal(number, self._end)
        for number in _OTHERS:
            # twistd may use one of them to reopen its log file.
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, self._read_again)
        self._reactor.addSystemEventTrigger("before", "shutdown", self._ends)
        if before is not None and before.hangup:
            self._read_again(signal.SIGHUP, None)

    def _ends(self) -> None:
        self._ending = True

    def _end(self, number: int, frame: FrameType | None) -> None:
        drain, self._drain = self._drain, None
        if drain is not None and not self._ending:
            self._reactor.callFromThread(drain, lambda: self._end_now(number))
        else:
            self._end_now(number)

    def _end_now(self, number: int) -> None:
        # A second call would make the reactor raise an error, which would be logged.
        if not self._ending:
            self._ending = True
            end = self._reactor.sigInt if number == signal.SIGINT else self._reactor.sigTerm
            end(number if number == signal.SIGINT else signal.SIGTERM, None)

    def _read_again(self, number: int, frame: FrameType | None) -> None:
        if not self._ending:
            self._reactor.callFromThread(self._hangup)
