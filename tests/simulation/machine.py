"""A machine in virtual time: its disk, its processes, and the threads and reactors of those."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatlog.store.store import REFUSED, TRANSIENT, StoreError
from tests.fakes import Crashed, MemoryFiles
from tests.simulation.network import Network
from tests.simulation.timeline import Timeline, VirtualReactor
from tests.stores import MemoryStore

T = TypeVar("T")


class ProcessReactor(VirtualReactor):
    """The reactor of a daemon. ``on_stop()`` is called when it is asked to stop; ``status`` is the exit
    status."""

    def __init__(
        self, timeline: Timeline, network: Network, on_stop: Callable[[], object], seed: str
    ) -> None:
        super().__init__(timeline)
        self._turns = random.Random(seed).randrange(1 << 40)
        self._network = network
        self._on_stop = on_stop
        self._stopping = False
        self.status = 0

    def turn(self) -> None:
        # The daemon draws its delays from the module's own generator, and Autobahn seeds that with chance.
        self._turns += 1
        random.seed(self._turns)

    @property
    def nameResolver(self) -> Any:
        return Resolver()

    def connectTCP(
        self, host: str, port: int, factory: Any, timeout: float = 30.0, bindAddress: None = None
    ) -> Any:
        return self._network.connect(self, host, factory, timeout)

    def callFromThread(self, call: Callable[..., Any], *args: Any) -> None:
        self.callLater(0, call, *args)

    def callWhenRunning(self, call: Callable[..., Any], *args: Any) -> None:
        self.callLater(0, call, *args)

    def addSystemEventTrigger(self, phase: str, event: str, call: Any, *args: Any) -> Any:
        self.status = args[0] if args else 0
        return (phase, event, call)

    def removeSystemEventTrigger(self, trigger: Any) -> None:
        pass

    def stop(self) -> None:
        if not self._stopping:
            self._stopping = True
            self._on_stop()


class Resolver:
    """Knows every name: the network connects by names."""

    def resolveHostName(self, receiver: Any, name: str) -> None:
        receiver.addressResolved(IPv4Address("TCP", name, 0))
        receiver.resolutionComplete()


class VirtualThreads:
    """A pool of threads: a call happens after a while, and is told of after another. ``pace()`` gives
    these seconds."""

    def __init__(self, reactor: VirtualReactor, size: int, pace: Callable[[], float]) -> None:
        self._reactor = reactor
        self._free = size
        self._pace = pace
        self._jobs: deque[tuple[Deferred[Any], Callable[[], Any]]] = deque()

    def run(self, function: Callable[..., T], *args: Any) -> Deferred[T]:
        result: Deferred[T] = Deferred()
        self._jobs.append((result, lambda: function(*args)))
        self._begin()
        return result

    def _begin(self) -> None:
        if self._free and self._jobs:
            self._free -= 1
            self._reactor.callLater(self._pace(), self._work, *self._jobs.popleft())

    def _work(self, result: Deferred[Any], job: Callable[[], Any]) -> None:
        outcome: Any
        try:
            outcome = job()
        except Crashed:
            return
        except Exception:
            outcome = Failure()
        self._reactor.callLater(0.001, self._done, result, outcome)

    def _done(self, result: Deferred[Any], outcome: Any) -> None:
        self._free += 1
        self._begin()
        result.callback(outcome)


class Disk(MemoryFiles):
    """A disk that keeps no log of what was asked of it, for it would be long."""

    def _call(self, operation: str, path: str) -> None:
        super()._call(operation, path)
        self.log.clear()


class RemoteStore(MemoryStore):
    """A store over a network. ``mood`` is ``""`` or what is wrong with it: ``away``, ``refuses``,
    ``forgets`` (takes an object and does not keep it), ``mute`` (keeps it, and its answer is lost)."""

    def __init__(self, disk: Disk, chance: random.Random) -> None:
        super().__init__()
        self._disk = disk
        self._chance = chance
        self.mood = ""
        self.before = self._before
        self.after_put = self._after_put

    def _before(self, operation: str, key: str) -> None:
        self.calls.clear()
        if self._disk.dead:
            raise Crashed
        if self.mood == "away":
            raise StoreError("no answer", TRANSIENT, "timeout")
        if self.mood == "refuses":
            raise StoreError("access denied", REFUSED, "AccessDenied")

    def _after_put(self, key: str) -> None:
        if self.mood == "forgets" and self._chance.random() < 0.5:
            del self.objects[key]
        elif self.mood == "mute" and self._chance.random() < 0.5:
            raise StoreError("the answer was lost", TRANSIENT, "reset")
