"""Stopping in stages, retry delays, threads of our own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatlog.services import STOP_LIMIT, Backoff, OwnedThreads, Poller, StagedService


class Child(Service):
    """Records when it was stopped, and stops when ``gone`` fires."""

    def __init__(self, name: str, stopped: list[str], gone: Deferred[None] | None = None) -> None:
        self.setName(name)
        self.stopped = stopped
        self.gone = gone

    def stopService(self) -> Any:
        super().stopService()
        self.stopped.append(str(self.name))
        return self.gone


class Broken(Service):
    """Cannot even be stopped."""

    name = "broken"

    def stopService(self) -> None:
        raise RuntimeError("no")


class StagedServiceTests(SynchronousTestCase):
    """The order and the bounds of the end."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.parent = StagedService(self.clock)
        self.stopped: list[str] = []

    def add(self, name: str, gone: Deferred[None] | None = None) -> Child:
        """A child that the parent starts after those added before."""
        child = Child(name, self.stopped, gone)
        child.setServiceParent(self.parent)
        return child

    def test_last_first_and_one_by_one(self) -> None:
        """Sources, added last, have stopped before the recorder is stopped, and so on."""
        slow: Deferred[None] = Deferred()
        self.add("uploader")
        self.add("recorder")
        self.add("sources", slow)
        self.parent.startService()
        stopped = self.parent.stopService()
        self.assertEqual(self.stopped, ["sources"])
        slow.callback(None)
        self.assertEqual(self.stopped, ["sources", "recorder", "uploader"])
        self.successResultOf(stopped)

    def test_nobody_is_waited_for_without_end(self) -> None:
        """A part that hangs costs its limit and no more, and the log names it."""
        self.add("recorder")
        self.add("hanging", Deferred())
        patient = self.add("patient", Deferred())
        patient.stop_limit = 3.0  # type: ignore[attr-defined]
        self.parent.startService()
        with capturedLogs() as events:
            stopped = self.parent.stopService()
            self.clock.advance(2.9)
            self.assertEqual(self.stopped, ["patient"])
            self.clock.advance(0.1)
            self.assertEqual(self.stopped, ["patient", "hanging"])
            self.clock.advance(STOP_LIMIT)
        self.assertEqual(self.stopped, ["patient", "hanging", "recorder"])
        self.successResultOf(stopped)
        self.assertEqual([event["name"] for event in events if "name" in event], ["patient", "hanging"])

    def test_trouble_of_one_is_not_that_of_all(self) -> None:
        """When one part cannot be stopped, the others are stopped all the same."""
        self.add("recorder")
        Broken().setServiceParent(self.parent)
        self.parent.startService()
        self.successResultOf(self.parent.stopService())
        self.assertEqual(self.stopped, ["recorder"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class BackoffTests(SynchronousTestCase):
    """Delays between tries."""

    def test_doubles_to_the_most(self) -> None:
        """Delays lie between half a step and the whole, and steps double up to the longest."""
        asked: list[tuple[float, float]] = []

        def uniform(low: float, high: float) -> float:
            asked.append((low, high))
            return high

        backoff = Backoff(1.0, 5.0, uniform)
        self.assertEqual([backoff.next() for _ in range(5)], [1.0, 2.0, 4.0, 5.0, 5.0])
        self.assertEqual(asked[0], (0.5, 1.0))
        backoff.reset()
        self.assertEqual(backoff.next(), 1.0)


class OwnedThreadsTests(SynchronousTestCase):
    """Calls that block, off the reactor's thread."""

    def setUp(self) -> None:
        self.delivered = threading.Semaphore(0)
        self.calls: list[Callable[[], Any]] = []
        self.threads = OwnedThreads("test", 2, self.deliver)
        self.addCleanup(self.threads.stop)

    def deliver(self, function: Callable[..., Any], *args: Any) -> None:
        """What the reactor would call in its own thread."""
        self.calls.append(lambda: function(*args))
        self.delivered.release()

    def result(self) -> None:
        """Let what was delivered happen."""
        self.assertTrue(self.delivered.acquire(timeout=10))
        self.calls.pop(0)()

    def test_results_arrive_on_the_other_side(self) -> None:
        """The call runs in a thread of its own name; its result fires where it is delivered."""
        done = self.threads.run(lambda a, b: (a + b, threading.current_thread().name), 1, 2)
        self.assertNoResult(done)
        self.result()
        total, name = self.successResultOf(done)
        self.assertEqual(total, 3)
        self.assertTrue(name.startswith("test-"))

    def test_failures_arrive_too(self) -> None:
        """An exception of the call is the Deferred's failure, and the thread lives on."""

        def fail() -> None:
            raise OSError("disk")

        done = self.threads.run(fail)
        self.result()
        self.failureResultOf(done, OSError)
        again = self.threads.run(lambda: "alive")
        self.result()
        self.assertEqual(self.successResultOf(again), "alive")

    def test_no_thread_before_the_first_call(self) -> None:
        """A process that goes to the background after it was put together keeps its threads: there are
        none yet."""
        OwnedThreads("unused", 3, self.deliver)
        self.assertEqual(self.threads_called("unused"), [])

    def threads_called(self, prefix: str) -> list[str]:
        """The threads of this process whose names begin so."""
        names = sorted(thread.name for thread in threading.enumerate())
        return [name for name in names if name.startswith(prefix)]

    def test_as_many_as_are_needed(self) -> None:
        """One call after another needs one thread; calls that wait at the same time each have one, up to the
        size."""
        threads = OwnedThreads("few", 2, self.deliver)
        self.addCleanup(threads.stop)
        for _ in range(3):
            threads.run(lambda: None)
            self.result()
        self.assertEqual(self.threads_called("few"), ["few-0"])
        gate = threading.Event()
        for _ in range(3):
            threads.run(gate.wait, 10.0)
        self.assertEqual(self.threads_called("few"), ["few-0", "few-1"])
        gate.set()
        for _ in range(3):
            self.result()


class PollerTests(SynchronousTestCase):
    """``Poller`` goes on whatever happens."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.times: list[float] = []
        self.broken = False
        self.poller = Poller(self.clock, 5.0, self.poll)

    def poll(self) -> None:
        self.times.append(self.clock.seconds())
        if self.broken:
            raise RuntimeError("broken")

    def test_interval(self) -> None:
        """The first call comes after the interval, the last before the stop, and it can begin again."""
        self.poller.start()
        self.clock.pump([1.0] * 12)
        self.poller.stop()
        self.clock.pump([1.0] * 12)
        self.assertEqual(self.times, [5, 10])
        self.poller.start()
        self.clock.pump([1.0] * 6)
        self.assertEqual(self.times, [5, 10, 29])

    def test_stop_without_start(self) -> None:
        """What never began may be stopped."""
        self.poller.stop()
        self.assertEqual(self.times, [])

    def test_failing(self) -> None:
        """What raises is called again all the same; it is logged when it begins, and once more when it
        begins again."""
        self.poller.start()
        self.broken = True
        self.clock.pump([5.0] * 10)
        self.assertEqual(len(self.times), 10)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.broken = False
        self.clock.advance(5)
        self.broken = True
        self.clock.pump([5.0] * 10)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
