"""A reactor that does nothing ends the process."""

from __future__ import annotations

import subprocess
import sys

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatlog.watchdog import Watchdog

BLOCKED = """
import time
from twisted.internet import reactor
from chatlog.watchdog import Watchdog
dog = Watchdog(reactor, limit=3, second=0.1)
reactor.callWhenRunning(dog.startService)
def standstill():
    time.sleep(30)
reactor.callLater(0.2, standstill)
# As twistd does.
import sys
from twisted.logger import Logger, LoggingFile
sys.stderr = LoggingFile(Logger())
reactor.run()
"""


class WatchdogTests(SynchronousTestCase):
    """Signs of life, and what comes without them."""

    def test_a_blocked_reactor_ends_the_process(self) -> None:
        """A process whose reactor is stuck ends with status 1, so that a supervisor starts it again, and
        says where it was stuck."""
        done = subprocess.run(
            [sys.executable, "-c", BLOCKED], capture_output=True, timeout=60, text=True, check=False
        )
        self.assertEqual(done.returncode, 1)
        self.assertIn("the reactor has done nothing for 3 s", done.stderr)
        self.assertIn("in standstill", done.stderr)

    def test_a_reactor_that_works_is_left_alone(self) -> None:
        """With a sign of life every second nothing ends, however long it takes."""
        clock = Clock()
        ended: list[str] = []
        # The thread's own seconds are far too long to come into this.
        dog = Watchdog(clock, ended.append, limit=2, second=3600.0)
        dog.startService()
        self.addCleanup(dog.stopService)
        for _ in range(50):
            self.assertFalse(dog.second_passed())
            clock.advance(1.0)
        self.assertEqual(ended, [])
        self.assertFalse(dog.second_passed())
        self.assertTrue(dog.second_passed())
        self.assertEqual(ended, ["the reactor has done nothing for 2 s"])
