"""Notices that the reactor is stuck, from a thread, and ends the process so that a new start can recover.

A reactor that does nothing reads no socket and writes no file, and nothing inside it can say so.
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

#: Seconds without a sign of life after which the process ends.
BLOCKED = 60
#: The exit status then.
FAILED = 1


def show_stacks(reason: str) -> None:
    """Write ``reason`` and the stacks of all threads to the process's standard error. Never raises.

    Not ``sys.stderr``: twistd puts an object there that leads into the log and has no descriptor, and
    the log belongs to a reactor that may be stuck.
    """
    with suppress(Exception):
        stderr = sys.__stderr__
        if stderr is not None:
            stderr.write(f"{reason}\n")
            stderr.flush()
            faulthandler.dump_traceback(stderr)
            stderr.flush()


def end_process(reason: str) -> None:
    """Say why, show what every thread is doing, and end at once: what is written stays written."""
    show_stacks(f"{reason}; chatlog ends, so that a new start can recover")
    os._exit(FAILED)


class Watchdog(Service):
    """Calls ``end(reason)`` when the reactor has done nothing for ``limit`` seconds.

    The thread counts its own seconds: a process that was stopped or a machine that slept is not taken
    for a reactor that is blocked.
    """

    name = "watchdog"

    def __init__(
        self,
        clock: IReactorTime,
        end: Callable[[str], None] = end_process,
        limit: int = BLOCKED,
        second: float = 1.0,
    ) -> None:
        """``second`` is how long the thread's seconds are."""
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
        """Count one second of the thread's; True when that was the last."""
        self._seconds += 1
        if self._seconds < self._limit:
            return False
        self._end(f"the reactor has done nothing for {self._limit} s")
        return True
