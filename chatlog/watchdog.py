"""A thread that ends the process when the reactor is stuck, so that a new start can recover.

A stuck reactor reads no socket and writes no file, and code that runs in it cannot notice that.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

#: Seconds without a sign of life after which the process is ended.
BLOCKED = 60
#: The exit status in that case.
FAILED = 1


def show_stacks(reason: str) -> None:
    """Write ``reason`` and the stacks of all threads to the process's standard error. Never raises.

    It does not use ``sys.stderr``: twistd replaces that by an object without a descriptor that writes to the
    log, and the log needs the reactor, which may be stuck.
    """
    with suppress(Exception):
        stderr = sys.__stderr__
        if stderr is not None:
            stderr.write(f"{reason}\n")
            stderr.flush()
            faulthandler.dump_traceback(stderr)
            stderr.flush()


def end_process(reason: str) -> None:
    """Show the reason and the stacks of all threads, and end at once. What is written stays written."""
    show_stacks(f"{reason}; chatlog ends, so that a new start can recover")
    os._exit(FAILED)


class Watchdog(Service):
    """Calls ``end(reason)`` when the reactor has done nothing for ``limit`` seconds.

    The thread counts its own seconds, so that a suspended process or machine does not look like a blocked
    reactor.
    """

    name = "watchdog"

    def __init__(
        self,
        clock: IReactorTime,
        end: Callable[[str], None] = end_process,
        limit: int = BLOCKED,
        second: float = 1.0,
    ) -> None:
        """``second`` is the length of the thread's seconds."""
        self._end = end
        self._limit = limit
        self._second = second
        self._seconds = 0
        self._stopped = threading.Event()
        self._signs = LoopingCall(self._sign_of_life)
        self._signs.clock = clock

    def startService(self) -> None:
        super().startService()
        self._stopped.clear()
        self._signs.start(1.0)
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stopService(self) -> None:
        super().stopService()
        self._stopped.set()
        if self._signs.running:
            self._signs.stop()

    def _sign_of_life(self) -> None:
        self._seconds = 0

    def _watch(self) -> None:
        while not self._stopped.wait(self._second):
            if self.second_passed():
                return

    def second_passed(self) -> bool:
        """Count one second of the thread. Returns True if the limit is reached."""
        self._seconds += 1
        if self._seconds < self._limit:
            return False
        self._end(f"the reactor has done nothing for {self._limit} s")
        return True
