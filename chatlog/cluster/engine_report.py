"""Logs what is wrong with the engine: at the start, and then every ten minutes."""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from chatlog.cluster.engine import Engine

#: Seconds between two checks.
EVERY = 600.0


class EngineReport(Service):
    """Checks the engine, and logs each problem once until it is solved."""

    _log = Logger()
    name = "engine report"

    def __init__(self, engine: Engine, clock: IReactorTime) -> None:
        self._engine = engine
        self._said: set[str] = set()
        self._loop = LoopingCall(self._ask)
        self._loop.clock = clock

    def startService(self) -> None:
        """Ask for the first time."""
        super().startService()
        self._loop.start(EVERY)

    def stopService(self) -> Any:
        """Log nothing more."""
        self._loop.stop()
        return super().stopService()

    def _ask(self) -> None:
        # Not waited for: it never fails, and ends by itself.
        self._engine.check().addCallback(self._say)

    def _say(self, found: list[str]) -> None:
        if not self.running:
            return
        for sentence in found:
            if sentence not in self._said:
                self._log.warn("{sentence}", sentence=sentence)
        self._said = set(found)
