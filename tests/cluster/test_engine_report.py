"""What the log says of an engine that cannot be used as it is."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatlog.cluster.engine_report import EVERY, EngineReport
from tests.cluster.memory_engine import MemoryEngine, MemoryServer


class EngineReportTests(SynchronousTestCase):
    """At the start, and from then on now and then."""

    def test_said_once(self) -> None:
        """Each thing is said at the start or when it is found, and again only when it was mended meanwhile.
        Nothing is said after the end."""
        clock = Clock()
        server = MemoryServer(clock)
        report = EngineReport(MemoryEngine(server), clock)
        server.wrong = ["memory: too old"]
        with capturedLogs() as events:
            report.startService()
            server.wrong.append("memory: full")
            clock.advance(EVERY)
            clock.advance(EVERY)
            server.wrong.remove("memory: too old")
            clock.advance(EVERY)
            server.wrong.append("memory: too old")
            clock.advance(EVERY)
            report.stopService()
            server.wrong = ["memory: gone"]
            clock.advance(EVERY)
        said = [str(formatEvent(event)) for event in events]
        self.assertEqual(said, ["memory: too old", "memory: full", "memory: too old"])
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_late_answer(self) -> None:
        """What an engine says while the recorder ends is nobody's concern any more."""
        clock = Clock()
        server = MemoryServer(clock)
        engine = MemoryEngine(server)
        engine.away = "it is closed"
        report = EngineReport(engine, clock)
        with capturedLogs() as events:
            report.startService()
            report.stopService()
        self.assertEqual(len(events), 1)
