"""Reading all connections together, once a tick, instead of being woken for every message.

The most expensive part of a message is waking up for it, not parsing it. A small wrapper between the TCP
transport and TLS (or the protocol itself) pauses the transport after a read that emptied it, and the
``Pacer`` resumes all of them when the recorder's tick begins. In between the kernel holds the data that
arrives. Nothing is reordered and nothing waits for longer than a tick; a connection whose read came back full
is not paused, so a burst of megabytes is read to its end at once. The kernel holds only so much, though
(about 90 KB in small pieces, as long as the window has not grown), and a server that cannot send for long
gives a client up. So a connection that delivered more than ``PORTION`` is read again before as much can have
arrived again, without waiting for the tick.

A connection is paced only after ``begin``: handshakes and logins run at full speed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure

#: Twisted's TCP transport reads at most this many bytes at a time: a read this long may have left
#: more behind.
FULL_READ = 65536
#: A connection is read again before it can have brought more bytes than this.
PORTION = 40_000
#: ... but never more often than this, in seconds.
SOONEST = 0.005
#: Most reads of one connection when it does not wait for the tick.
_MOST_READS = 16


class PacedProtocol(ProtocolWrapper):
    """One connection: pauses its transport after every read that emptied it, once pacing began."""

    factory: Paced
    transport: Any
    _pacing = False
    # Bytes since the last pause, the time of that pause, and the read that is due before the tick.
    _bytes = 0
    _paused_at = 0.0
    _early: IDelayedCall | None = None
    _after_read: Callable[[], None] | None = None

    def after_each_read(self, call: Callable[[], None]) -> None:
        """Call ``call()`` whenever a read has been handled."""
        self._after_read = call

    def begin_pacing(self) -> None:
        """Read once a tick from now on; the next data waits for the tick already. So a connection that
        replaces an older one is not read before the older one is empty."""
        if not self._pacing:
            self._pacing = True
            self._bytes = 0
            self._pause()

    def end_pacing(self) -> None:
        """Read data as it arrives again; needed before a close that waits for the peer."""
        if self._pacing:
            self._stop_pacing()
            self.resume()

    def _stop_pacing(self) -> None:
        self._pacing = False
        self.factory.pacer.forget(self)
        if self._early is not None:
            self._early.cancel()
            self._early = None

    def resume(self) -> None:
        """Let the transport read until it is empty."""
        if self.connected:
            self.transport.resumeProducing()

    def read_now(self) -> None:
        """Hand on the data that the kernel holds, without waiting for the tick."""
        # A read that fails fails again in the reactor, which then ends the connection.
        for _ in range(_MOST_READS):
            full = self.factory.pacer.full_reads
            if not (self._pacing and self.connected):
                return
            self.transport.doRead()
            if self.factory.pacer.full_reads == full:
                return

    def dataReceived(self, data: bytes) -> None:
        # Pause first: the protocol may end pacing or close while it handles the data.
        if self._pacing:
            self._bytes += len(data)
            if len(data) < FULL_READ:
                self._pause()
            else:
                self.factory.pacer.full_reads += 1
        try:
            self.wrappedProtocol.dataReceived(data)
        finally:
            if self._after_read is not None:
                self._after_read()

    def _pause(self) -> None:
        self.transport.pauseProducing()
        pacer = self.factory.pacer
        pacer.paused(self)
        now = pacer.clock.seconds()
        if self._early is not None:
            self._early.cancel()
            self._early = None
        if self._bytes > PORTION:
            delay = (now - self._paused_at) * PORTION / self._bytes
            self._early = pacer.clock.callLater(max(delay, SOONEST), self._read_early)
        self._bytes = 0
        self._paused_at = now

    def _read_early(self) -> None:
        self._early = None
        self.factory.pacer.forget(self)
        self.resume()

    def loseConnection(self) -> None:
        # TLS waits for the peer's close_notify, which has to be read.
        self.end_pacing()
        ProtocolWrapper.loseConnection(self)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self._stop_pacing()
        ProtocolWrapper.connectionLost(self, reason)
        self._after_read = None


class Paced(WrappingFactory):
    """Wraps the factory of a connection so that its reads follow the pacer's ticks."""

    protocol = PacedProtocol
    noisy = False

    def __init__(self, wrapped: Any, pacer: Pacer) -> None:
        super().__init__(wrapped)
        self.pacer = pacer


class Pacer:
    """Knows the connections that are paused and resumes all of them at once.

    ``full_reads`` counts reads that filled their buffer: by it ``drain`` knows that a connection still has
    bytes waiting.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self.clock = clock
        # In the order in which they were paused. The kernel reports them in the order in which they are
        # resumed. So if two connections overlap, the older one is still read first.
        self._paused: dict[PacedProtocol, None] = {}
        self.full_reads = 0

    def paused(self, connection: PacedProtocol) -> None:
        """Called by a connection that paused itself."""
        self._paused[connection] = None

    def forget(self, connection: PacedProtocol) -> None:
        """Called by a connection that is gone or no longer paced."""
        self._paused.pop(connection, None)

    def tick(self) -> None:
        """Resume every paused connection; the data that the kernel holds is read in the next reactor turn."""
        paused, self._paused = self._paused, {}
        for connection in paused:
            connection.resume()

    async def drain(self, limit: float = 0.25) -> None:
        """Read the data that the kernel holds for every connection, but for no longer than ``limit`` seconds;
        for the moment before connections are closed."""
        end = self.clock.seconds() + limit
        while True:
            before = self.full_reads
            self.tick()
            # The first turn polls and reads, the second begins when every read is done.
            await self._turn()
            await self._turn()
            if self.full_reads == before or self.clock.seconds() >= end:
                return

    def _turn(self) -> Deferred[None]:
        return deferLater(self.clock, 0)


def begin(transport: Any) -> None:
    """Begin pacing the connection under ``transport``, through TLS if there is TLS in between."""
    start = getattr(transport, "begin_pacing", None)
    if start is not None:
        start()


def end(transport: Any) -> None:
    """Read the connection under ``transport`` as data arrives again."""
    stop = getattr(transport, "end_pacing", None)
    if stop is not None:
        stop()


def read_now(transport: Any) -> None:
    """Hand on the data that the kernel holds for the connection under ``transport``, if it is paced."""
    read = getattr(transport, "read_now", None)
    if read is not None:
        read()
