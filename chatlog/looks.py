"""Something done every few seconds that must go on whatever happens."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger


class Looks:
    """Calls ``look()`` every ``interval`` seconds between ``start`` and ``stop``. What goes wrong is
    logged when it begins, and the next call comes all the same."""

    _log = Logger()

    def __init__(self, clock: IReactorTime, interval: float, look: Callable[[], object]) -> None:
        self._look = look
        self._interval = interval
        self._failing = False
        self._loop = LoopingCall(self._guarded)
        self._loop.clock = clock

    def start(self) -> None:
        """Begin; the first call comes after the first interval."""
        self._loop.start(self._interval, now=False)

    def stop(self) -> None:
        """End. Fine if it never began."""
        if self._loop.running:
            self._loop.stop()

    def _guarded(self) -> None:
        try:
            self._look()
        except Exception:
            if not self._failing:
                self._failing = True
                self._log.failure("while looking at how the recorder is")
        else:
            self._failing = False
