"""A network in virtual time: connections with a latency, that stall, break, are refused or lead nowhere."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    TCPTimedOutError,
)
from twisted.python.failure import Failure

from tests.simulation.timeline import VirtualReactor

_FIN = b""


class Pipe:
    """One direction of a connection. What was sent arrives in order, unless the receiver reads nothing."""

    def __init__(self, wire: Wire, reactor: VirtualReactor) -> None:
        self._wire = wire
        self.reactor = reactor
        #: (when it arrives, when it was sent, bytes), oldest first.
        self.queue: deque[tuple[float, float, bytes]] = deque()
        self.end: End
        self.paused = False
        self._last = 0.0
        self._planned = False

    def put(self, data: bytes) -> None:
        now = self._wire.now()
        self._last = max(self._last, now + self._wire.latency())
        self.queue.append((self._last, now, data))
        self._plan(self._last)

    def _plan(self, at: float) -> None:
        if not self._planned and not self.end.gone:
            self._planned = True
            self.reactor.callLater(max(0.0, at - self._wire.now()), self.deliver)

    def resume(self) -> None:
        self.paused = False
        if self.queue:
            self._plan(max(self.queue[0][0], self._wire.stalled_until))

    def deliver(self) -> None:
        """Let arrive what is there."""
        self._planned = False
        data = []
        # A little more, because clocks of processes that slept are not exact.
        now = self._wire.now() + 1e-6
        if self.end.gone or self.paused or not self.queue:
            return
        if now < self._wire.stalled_until:
            self._plan(self._wire.stalled_until)
            return
        while self.queue and self.queue[0][0] <= now and self.queue[0][2] != _FIN:
            data.append(self.queue.popleft()[2])
        if data:
            for part in self._wire.pieces(b"".join(data)):
                if not self.end.gone:
                    self.end.protocol.dataReceived(part)
        if self.queue and not self.paused and not self.end.gone:
            if self.queue[0][2] == _FIN and self.queue[0][0] <= now:
                self.queue.popleft()
                self.end.lose(ConnectionDone())
            else:
                self._plan(self.queue[0][0])


class End:
    """The transport on one side."""

    def __init__(self, wire: Wire, reactor: VirtualReactor, protocol: Any, out: Pipe, into: Pipe) -> None:
        self._wire = wire
        self._reactor = reactor
        self.protocol = protocol
        self._out = out
        self._into = into
        into.end = self
        self.gone = self.disconnecting = False
        self.on_gone: Callable[[Failure], object] = lambda reason: None

    def write(self, data: bytes) -> None:
        if data and not self.gone and not self.disconnecting:
            self._out.put(data)

    def writeSequence(self, parts: list[bytes]) -> None:
        self.write(b"".join(parts))

    def loseConnection(self) -> None:
        if not self.gone and not self.disconnecting:
            self.disconnecting = True
            self._out.put(_FIN)
            self._reactor.callLater(0, self.lose, ConnectionDone())

    def abortConnection(self) -> None:
        if not self.gone:
            self.disconnecting = True
            self._wire.reset(self)
            self._reactor.callLater(0, self.lose, ConnectionAborted())

    def lose(self, error: Exception) -> None:
        """The connection is gone for this side."""
        if self.gone:
            return
        self.gone = True
        reason = Failure(error)
        self._wire.ended()
        self.protocol.connectionLost(reason)
        self.on_gone(reason)

    def pauseProducing(self) -> None:
        self._into.paused = True

    def resumeProducing(self) -> None:
        self._into.resume()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        pass

    def unregisterProducer(self) -> None:
        pass

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass

    def setTcpKeepAlive(self, enabled: bool) -> None:
        pass

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.1", 1)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.2", 2)


class Wire:
    """A connection between a client and the server."""

    def __init__(
        self, network: Network, reactor: VirtualReactor, client: Any, server: Any, seed: int
    ) -> None:
        self._network = network
        self._chance = random.Random(seed)
        self._pace = self._chance.uniform(0.005, 0.15)
        self.stalled_until = 0.0
        self.splitting = self._chance.random() < 0.2
        self.up, self.down = Pipe(self, network.reactor), Pipe(self, reactor)
        self.client = End(self, reactor, client, self.up, self.down)
        self.server = End(self, network.reactor, server, self.down, self.up)

    def now(self) -> float:
        return self._network.reactor.timeline.now

    def latency(self) -> float:
        return self._pace * self._chance.uniform(1.0, 1.5)

    def pieces(self, data: bytes) -> list[bytes]:
        """The data as it is read."""
        if not self.splitting:
            return [data]
        cut = self._chance.randrange(len(data) + 1)
        return [part for part in (data[:cut], data[cut:]) if part]

    def reset(self, end: End) -> None:
        """One side has reset the connection; the other hears of it unless nothing gets through."""
        other = self.client if end is self.server else self.server
        if self.now() >= self.stalled_until:
            delay = self.latency()
            pipe = self.down if other is self.client else self.up
            pipe.reactor.callLater(delay, other.lose, ConnectionLost())

    def vanish(self, after: float) -> None:
        """The client's process is gone; the server hears of it ``after`` so many seconds."""
        self.client.gone = True
        self._network.reactor.callLater(after, self.server.lose, ConnectionLost())

    def ended(self) -> None:
        """A side is gone for good."""
        if self.server.gone and self in self._network.wires:
            self._network.wires.remove(self)
        if self.server.gone and self.client.gone:
            self.note()

    def note(self) -> None:
        """Write down what was sent and will never be read."""
        unread = [sent for _, sent, data in self.down.queue if data]
        if unread:
            self._network.unread(self.server.protocol.number, unread[0])


class Connector:
    """What a factory connects with, and connects again."""

    def __init__(
        self, network: Network, reactor: VirtualReactor, host: str, factory: Any, timeout: float
    ) -> None:
        self._network = network
        self._reactor = reactor
        self._host = host
        self._timeout = timeout
        self._call: Any = None
        self._wire: Wire | None = None
        self.factory = factory

    def connect(self) -> None:
        self.factory.doStart()
        self.factory.startedConnecting(self)
        trouble = self._network.trouble.get(self._host, "")
        if trouble == "nowhere":
            self._call = self._reactor.callLater(self._timeout, self._failed, TCPTimedOutError())
        elif trouble == "refused":
            self._call = self._reactor.callLater(0.05, self._failed, ConnectionRefusedError())
        else:
            self._call = self._reactor.callLater(0.1, self._made)

    def _failed(self, error: Exception) -> None:
        self._call = None
        self.factory.clientConnectionFailed(self, Failure(error))

    def _made(self) -> None:
        self._call = None
        address = IPv4Address("TCP", "192.0.2.1", 1)
        client = self.factory.buildProtocol(address)
        server = self._network.servers[self._host](address)
        self._wire = self._network.connected(self._reactor, client, server)
        self._wire.client.on_gone = partial(self.factory.clientConnectionLost, self)
        server.makeConnection(self._wire.server)
        client.makeConnection(self._wire.client)

    def stopConnecting(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
            self._call = None

    def disconnect(self) -> None:
        if self._call is not None:
            self.stopConnecting()
        elif self._wire is not None:
            self._wire.client.loseConnection()


class Network:
    """All connections. ``servers`` make the protocols of a host; ``trouble`` says of a host ``refused``
    or ``nowhere``. ``unread(number, since)`` is told what a connection's client never read."""

    def __init__(self, reactor: VirtualReactor, unread: Callable[[int, float], object]) -> None:
        self.reactor = reactor
        self.unread = unread
        self.servers: dict[str, Callable[[Any], Any]] = {}
        self.trouble: dict[str, str] = {}
        self.wires: list[Wire] = []
        self._numbers = 0

    def connect(self, reactor: VirtualReactor, host: str, factory: Any, timeout: float) -> Connector:
        connector = Connector(self, reactor, host, factory, timeout)
        connector.connect()
        return connector

    def connected(self, reactor: VirtualReactor, client: Any, server: Any) -> Wire:
        self._numbers += 1
        wire = Wire(self, reactor, client, server, self._numbers)
        self.wires.append(wire)
        return wire

    def of(self, reactor: VirtualReactor) -> list[Wire]:
        """The connections of a process."""
        return [wire for wire in self.wires if wire.down.reactor is reactor]
