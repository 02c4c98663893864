"""The cache of files is tidied although nobody reads through it."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive_http.tidying import EVERY, FIRST, Tidying


class Threads(Clock):
    """A reactor whose threads are none."""

    def callInThread(self, call: Callable[[], object]) -> None:
        call()


class TidyingTests(SynchronousTestCase):
    def test_again_and_again(self) -> None:
        """Soon after the start, then every few hours, until the server ends."""
        reactor, done = Threads(), []
        service = Tidying(reactor, lambda: done.append(reactor.seconds()))
        service.startService()
        reactor.advance(FIRST)
        reactor.advance(EVERY)
        self.assertEqual(done, [FIRST, FIRST + EVERY])
        service.stopService()
        self.assertEqual(reactor.getDelayedCalls(), [])
