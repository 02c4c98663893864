"""Signals, from the first line of ours that ``twistd chatlog`` runs until the process is gone.

Before the reactor runs, INT, TERM and QUIT end the process at once: nothing has been begun that a new start
does not find as it was. HUP waits until there is something to read again. While it runs, the first of them
asks for the orderly end, which has its own limit of time, and further ones change nothing.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

#: What asks for the end.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)
#: What would end a process that knows nothing of it, and asks for nothing that there is.
_OTHERS = (signal.SIGUSR1, signal.SIGUSR2)
_SAID = {
    signal.SIGINT: b"chatlog: interrupted before it ran\n",
    signal.SIGTERM: b"chatlog: told to end before it ran\n",
    signal.SIGQUIT: b"chatlog: told to end before it ran\n",
}


class Early:
    """Answers every signal until the reactor runs; it is the handler itself."""

    def __init__(self) -> None:
        #: Whether a HUP has come, and waits.
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
        # By the signal itself, so that whoever waits for this process learns it. QUIT leaves core files.
        number = signal.SIGTERM if number == signal.SIGQUIT else number
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def early() -> Early | None:
    """What answers now, if the reactor does not run yet."""
    found = signal.getsignal(signal.SIGHUP)
    return found if isinstance(found, Early) else None


def begin() -> None:
    """Answer signals from now on. What a shell or a debugger has set stays. Calling it again is fine."""
    if early() is not None:
        return
    handler = Early()
    for number in ENDING:
        if signal.getsignal(number) in (signal.default_int_handler, signal.SIG_DFL):
            signal.signal(number, handler)
    signal.signal(signal.SIGHUP, handler)


class Running:
    """Answers signals while the reactor runs, and while it stops. ``hangup()`` is called for every HUP."""

    def __init__(self, reactor: Any, hangup: Callable[[], None]) -> None:
        self._reactor = reactor
        self._hangup = hangup
        self._ending = False

    def take(self) -> None:
        """Take over. To be called once the reactor runs, for it sets a handler for TERM when it starts."""
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
            # twistd may have one of them for a new file of the log.
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, self._read_again)
        self._reactor.addSystemEventTrigger("before", "shutdown", self._ends)
        if before is not None and before.hangup:
            self._read_again(signal.SIGHUP, None)

    def _ends(self) -> None:
        self._ending = True

    def _end(self, number: int, frame: FrameType | None) -> None:
        # Asked a second time, the reactor would raise an error, which would be logged.
        if not self._ending:
            self._ending = True
            end = self._reactor.sigInt if number == signal.SIGINT else self._reactor.sigTerm
            end(number if number == signal.SIGINT else signal.SIGTERM, frame)

    def _read_again(self, number: int, frame: FrameType | None) -> None:
        if not self._ending:
            self._reactor.callFromThread(self._hangup)
