"""Keeps the cache of files young while nobody reads through it: somebody may have been erased elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall

#: Seconds from the start until it is done first, and from one time to the next.
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
