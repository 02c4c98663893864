"""Daily upkeep: which commands run, one after the other, and what becomes of those that fail."""

from __future__ import annotations

from math import inf

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive_http.chores import DAY, FIRST, Chores, chores_of
from chatlog.config.settings import ArchiveSettings, Settings
from tests.test_companion import Processes


class ChoresTests(SynchronousTestCase):
    """Processes that are none."""

    def setUp(self) -> None:
        capturing = capturedLogs()
        self.logged = capturing.__enter__()
        self.addCleanup(capturing.__exit__, None, None, None)
        self.reactor = Processes()
        self.yielded: list[int] = []
        self.since = 0.0

    def now(self) -> float:
        return self.since + self.reactor.seconds()

    def start(self, *chores: tuple[str, ...]) -> Chores:
        service = Chores(self.reactor, "here.yaml", {"A": "1"}, chores, self.yielded.append, self.now)
        service.startService()
        self.addCleanup(service.stopService)
        return service

    def lines(self) -> list[str]:
        return [event["log_format"].format(**event) for event in self.logged]

    def test_what_is_asked_for(self) -> None:
        """Nothing runs that the configuration does not ask for."""
        for settings, wanted in (
            (ArchiveSettings(), []),
            (ArchiveSettings(keep=(("default", inf),)), []),
            (ArchiveSettings(keep=(("default", inf), ("twitch/a", 86400.0))), [("expire", "--by-itself")]),
            (ArchiveSettings(tier_after=86400.0), [("tier", "--by-itself")]),
            (
                ArchiveSettings(compact=True, keep=(("default", 86400.0),)),
                [("expire", "--by-itself"), ("compact",)],
            ),
        ):
            self.assertEqual(list(chores_of(Settings(archive=settings))), wanted)

    def test_one_after_the_other(self) -> None:
        """Each has a process of its own; the next begins when one has ended, and all again a day later."""
        self.start(("expire", "--by-itself"), ("tier",))
        self.reactor.advance(FIRST - 1)
        self.assertEqual(self.reactor.spawned, [])
        self.reactor.advance(1)
        [first] = self.reactor.spawned
        self.assertEqual(first.arguments[-4:], ["expire", "--by-itself", "--config", "here.yaml"])
        first.protocol.outReceived(b"2 objects are gone\nwritten down\n")
        first.end()
        _, second = self.reactor.spawned
        self.assertEqual(second.arguments[-3:], ["tier", "--config", "here.yaml"])
        second.end()
        self.assertEqual(self.yielded, [100, 101])
        self.assertEqual(self.lines(), ["chatlog expire --by-itself: 2 objects are gone / written down"])
        self.reactor.advance(DAY)
        self.assertEqual(len(self.reactor.spawned), 3)

    def test_when(self) -> None:
        """The first round begins ten minutes after the start, and the next ones at half past two by UTC, when
        yesterday can be indexed; no two within half an hour."""
        for started, second in ((0.0, 2.5), (1.0, 2.5), (2.0, 26.5), (3.0, 26.5), (23.5, 26.5)):
            self.reactor = Processes()
            self.since = started * 3600.0
            self.start(("compact",))
            self.reactor.advance(FIRST)
            self.reactor.spawned[0].end()
            wait = (second - started) * 3600.0 - FIRST
            self.reactor.advance(wait - 1.0)
            self.assertEqual(len(self.reactor.spawned), 1, started)
            for rounds in (2, 3):
                self.reactor.advance(1.0 if rounds == 2 else DAY)
                self.assertEqual(len(self.reactor.spawned), rounds, started)
                self.reactor.spawned[-1].end()

    def test_failures(self) -> None:
        """One that fails is told, and holds up no other; one that takes more than a day is not begun
        twice."""
        self.start(("expire",), ("tier",))
        self.reactor.advance(FIRST)
        self.reactor.spawned[0].protocol.errReceived(b"cannot delete\n")
        self.reactor.spawned[0].end(status=2)
        self.reactor.advance(DAY)
        self.assertEqual(len(self.reactor.spawned), 2)
        self.reactor.refuses = True
        self.reactor.spawned[1].end(number=9)
        self.reactor.advance(DAY)
        first, second, *others = self.lines()
        self.assertEqual(
            first, "chatlog expire: it ended with status 2; it is tried again tomorrow: cannot delete"
        )
        self.assertIn("it was ended by signal 9", second)
        self.assertEqual(len(others), 2)
        self.assertIn("Cannot allocate memory", others[0])

    def test_stop(self) -> None:
        """A command under way ends with the server, and nothing else begins."""
        service = self.start(("expire",), ("tier",))
        self.reactor.advance(FIRST)
        service.stopService()
        [child] = self.reactor.spawned
        self.assertEqual(child.signals, ["TERM"])
        child.end(number=15)
        self.assertEqual(len(self.reactor.spawned), 1)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        service.startService()
