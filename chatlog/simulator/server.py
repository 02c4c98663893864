"""The common part of both servers: listening on loopback, and their connections."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.task import LoopingCall, deferLater
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol

from chatlog.simulator.rooms import Room
from chatlog.simulator.traffic import Traffic


class _UnbufferedTLSFactory(TLSMemoryBIOFactory):
    """Sends every write as a TLS record of its own; Twisted's factory joins small writes."""

    protocol = TLSMemoryBIOProtocol


class Connection(Protocol):
    """The methods of a connection that a server needs; faults use further ones."""

    number: int
    joined: dict[tuple[Room, int], None]

    def check(self, now: float) -> None:
        """Called every second."""

    def cut(self) -> None:
        """Reset the connection."""

    def finish(self) -> None:
        """Close the connection normally."""


C = TypeVar("C", bound=Connection)


class Platform(ABC, Generic[C]):
    """A server on 127.0.0.1. ``port`` is its port while it listens."""

    def __init__(self, reactor: Any, traffic: Traffic) -> None:
        self._reactor = reactor
        self.clock = reactor
        self.traffic = traffic
        self.connections: dict[int, C] = {}
        self.login_refused = False
        self.stalled = False
        self.port = 0
        self._tls: Any = None
        self._listening: Any = None
        self._checks = LoopingCall(self.check)
        self._checks.clock = reactor

    @abstractmethod
    def make_factory(self) -> Any:
        """The factory of the connections."""

    def listen(self, port: int = 0, tls: Any = None, own_records: bool = False) -> int:
        """Begin to listen on ``port`` (0: any) of 127.0.0.1, with TLS if ``tls`` is the options of a
        certificate; the port. ``own_records``: no two writes share a TLS record."""
        factory = self.make_factory()
        if tls is not None:
            wrap = _UnbufferedTLSFactory if own_records else TLSMemoryBIOFactory
            factory = wrap(tls, False, factory)
            factory.noisy = False
        self._factory = factory
        self.port = port
        self.accept()
        self.begin()
        return self.port

    def begin(self) -> None:
        """Check the connections every second from now on."""
        if not self._checks.running:
            self._checks.start(1.0, now=False)

    def accept(self) -> None:
        """Listen, unless it listens already."""
        if self._listening is None:
            self._listening = self._reactor.listenTCP(self.port, self._factory, interface="127.0.0.1")
            self.port = self._listening.getHost().port

    def refuse_connections(self) -> Deferred[None]:
        """Stop listening; existing connections stay. ``accept`` undoes this, on the same port."""
        listening, self._listening = self._listening, None
        return succeed(None) if listening is None else maybeDeferred(listening.stopListening)

    def check(self) -> None:
        """Check every connection."""
        now = self.clock.seconds()
        for connection in list(self.connections.values()):
            connection.check(now)

    def finish(self, seconds: float = 2.0) -> Deferred[None]:
        """Listen no more and close every connection in good order, those that hang after ``seconds``
        without it; fires when all are gone."""
        return Deferred.fromCoroutine(self._finish(seconds))

    async def _finish(self, seconds: float) -> None:
        await self.refuse_connections()
        for connection in list(self.connections.values()):
            connection.finish()
        end = self.clock.seconds() + seconds
        while self.connections and self.clock.seconds() < end:
            await deferLater(self.clock, 0.05)
        await self.stop()

    def stop(self) -> Deferred[None]:
        """Stop listening and reset every connection."""
        if self._checks.running:
            self._checks.stop()
        for connection in list(self.connections.values()):
            connection.cut()
        return self.refuse_connections()
