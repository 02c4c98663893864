"""Removes old entries from the cache of files, also while no request uses it: people may have been erased
from the archive by another machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall

#: Seconds from the start to the first round, and from one round to the next.
FIRST, EVERY = 30.0, 21600.0


class Tidying(Service):
    """Calls ``tidy`` in a thread, every few hours."""

    name = "tidying"

    def __init__(self, reactor: Any, tidy: Callable[[], object]) -> None:
        self._reactor = reactor
        self._tidy = tidy
        self._timer: IDelayedCall | None = None

    def startService(self) -> None:
        super().startService()
        self._timer = self._reactor.callLater(FIRST, self._again)

    def stopService(self) -> None:
        super().stopService()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _again(self) -> None:
        self._timer = self._reactor.callLater(EVERY, self._again)
        self._reactor.callInThread(self._tidy)
