"""What is wrong with the engine, in the log: at the start and from then on every ten minutes."""

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
    """Asks the engine, and says each thing that is wrong once until it is mended."""

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
        """Say nothing more."""
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
