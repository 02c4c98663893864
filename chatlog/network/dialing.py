"""Connecting: by every address of a name, through a proxy where there is one, for factories that are told
by a connector what becomes of their connection (``ReconnectingClientFactory``)."""

from __future__ import annotations

from typing import Any
from typing import Protocol as Typed

from twisted.internet.address import HostnameAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import NotConnectingError, UserError
from twisted.internet.interfaces import IAddress, IConnector, IProtocol, IStreamClientEndpoint
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from chatlog.network.addresses import NamedEndpoint
from chatlog.network.names import Names
from chatlog.network.proxies import DIRECT, Proxies
from chatlog.network.tunnel import TunnelEndpoint


class Dials(Typed):
    """What connects a factory; a reactor can do it as well, to addresses."""

    def connectTCP(self, host: str, port: int, factory: Any, timeout: float) -> IConnector:
        """Begin to connect ``factory``, within ``timeout`` seconds in all."""


class Network:
    """The ways from this machine to servers. Everything that connects to a server by its name does it
    here."""

    def __init__(self, reactor: Any, proxies: Proxies = DIRECT) -> None:
        self.reactor = reactor
        self.proxies = proxies
        self._names = Names(reactor)

    def endpoint(self, scheme: str, host: str, port: int, timeout: float) -> IStreamClientEndpoint:
        """The way to a server that speaks ``scheme``. TLS with that server is not part of it."""
        proxy = self.proxies.between(scheme, host, port)
        if proxy is None:
            return self.direct(host, port, timeout)
        way = self.direct(proxy.host, proxy.port, timeout)
        return TunnelEndpoint(self.reactor, way, proxy, host, port, timeout)

    def direct(self, host: str, port: int, timeout: float) -> IStreamClientEndpoint:
        """The way to a server without any proxy."""
        return NamedEndpoint(self.reactor, self._names, host, port, timeout)

    def speaking(self, scheme: str) -> Dialer:
        """What connects factories to servers that speak ``scheme``: ``ircs``, ``wss``, ..."""
        return Dialer(self, scheme)


class Dialer:
    """Connects factories as a reactor's ``connectTCP`` does."""

    def __init__(self, network: Network, scheme: str) -> None:
        self._network = network
        self._scheme = scheme

    def connectTCP(self, host: str, port: int, factory: Any, timeout: float) -> Connector:
        """Begin to connect ``factory``, within ``timeout`` seconds in all."""
        endpoint = self._network.endpoint(self._scheme, host, port, timeout)
        connector = Connector(endpoint, HostnameAddress(host.encode("ascii", "replace"), port), factory)
        connector.connect()
        return connector


@implementer(IConnector)
class Connector:
    """Connects a factory over an endpoint, again whenever the factory asks for it, and tells the factory
    what a connector of the reactor tells: ``startedConnecting``, ``clientConnectionFailed``,
    ``clientConnectionLost``. ``state`` is ``disconnected``, ``connecting`` or ``connected``."""

    def __init__(self, endpoint: IStreamClientEndpoint, destination: IAddress, factory: Any) -> None:
        self.state = "disconnected"
        self._endpoint = endpoint
        self._destination = destination
        self._factory = factory
        self._started = False
        self._attempt: Deferred[IProtocol] | None = None
        self._transport: Any = None

    def connect(self) -> None:
        """Begin to connect."""
        if self.state != "disconnected":
            raise RuntimeError("it is connected already, or being connected")
        self.state = "connecting"
        if not self._started:
            self._started = True
            self._factory.doStart()
        self._factory.startedConnecting(self)
        if self.state != "connecting":
            return
        attempt = self._endpoint.connect(_WireFactory(self, self._factory))
        if self.state == "connecting":
            self._attempt = attempt
        attempt.addCallbacks(lambda _: None, self._failed)

    def stopConnecting(self) -> None:
        """Give the attempt up; the factory is told that it failed. Raises NotConnectingError."""
        if self.state != "connecting":
            raise NotConnectingError("nothing is being connected")
        self.state = "disconnected"
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.cancel()
        self._tell("clientConnectionFailed", Failure(UserError()))

    def disconnect(self) -> None:
        """End the attempt, or the connection."""
        if self.state == "connecting":
            self.stopConnecting()
        elif self.state == "connected":
            self._transport.loseConnection()

    def getDestination(self) -> IAddress:
        """The server, by its name."""
        return self._destination

    # -- what becomes of it ------------------------------------------------------------------------

    def made(self, transport: Any) -> None:
        """Called by the connection itself."""
        self.state = "connected"
        self._attempt = None
        self._transport = transport

    def lost(self, reason: Failure) -> None:
        """Called by the connection itself, after its protocol was told."""
        self.state = "disconnected"
        self._transport = None
        self._tell("clientConnectionLost", reason)

    def _failed(self, reason: Failure) -> None:
        if self.state == "connecting":
            self.state = "disconnected"
            self._attempt = None
            self._tell("clientConnectionFailed", reason)

    def _tell(self, what: str, reason: Failure) -> None:
        getattr(self._factory, what)(self, reason)
        if self.state == "disconnected" and self._started:
            # The factory has not connected again at once.
            self._started = False
            self._factory.doStop()


class _WireFactory(ClientFactory):
    """Puts a _Wire around the protocol of a factory."""

    noisy = False

    def __init__(self, connector: Connector, factory: Any) -> None:
        self._connector = connector
        self._factory = factory

    def buildProtocol(self, addr: Any) -> Any:
        protocol = self._factory.buildProtocol(addr)
        return None if protocol is None else _Wire(self._connector, protocol)


class _Wire(Protocol):
    """Lies between the transport and a protocol, and tells the connector when the connection ends."""

    def __init__(self, connector: Connector, inner: Any) -> None:
        self._connector = connector
        self._inner = inner
        # What arrives goes straight on.
        self.dataReceived = inner.dataReceived  # type: ignore[method-assign]

    def connectionMade(self) -> None:
        self._connector.made(self.transport)
        self._inner.makeConnection(self.transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        try:
            self._inner.connectionLost(reason)
        finally:
            self._connector.lost(reason)
