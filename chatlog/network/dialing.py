"""Connects factories that expect a connector (``ReconnectingClientFactory``): by all addresses of a name, and
through a proxy if one is configured."""

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
    """Connects a factory. A reactor has this method too, for addresses only."""

    def connectTCP(self, host: str, port: int, factory: Any, timeout: float) -> IConnector:
        """Begin to connect ``factory``, within ``timeout`` seconds in all."""


class Network:
    """The ways to servers: name resolution and proxies. All connections to host names are made here."""

    def __init__(self, reactor: Any, proxies: Proxies = DIRECT) -> None:
        self.reactor = reactor
        self.proxies = proxies
        self._names = Names(reactor)

    def endpoint(self, scheme: str, host: str, port: int, timeout: float) -> IStreamClientEndpoint:
        """An endpoint for a server that speaks ``scheme``, without TLS to that server."""
        proxy = self.proxies.between(scheme, host, port)
        if proxy is None:
            return self.direct(host, port, timeout)
        way = self.direct(proxy.host, proxy.port, timeout)
        return TunnelEndpoint(self.reactor, way, proxy, host, port, timeout)

    def direct(self, host: str, port: int, timeout: float) -> IStreamClientEndpoint:
        """An endpoint for a server, without a proxy."""
        return NamedEndpoint(self.reactor, self._names, host, port, timeout)

    def speaking(self, scheme: str) -> Dialer:
        """A dialer for servers that speak ``scheme``: ``ircs``, ``wss``, ..."""
        return Dialer(self, scheme)


class Dialer:
    """Connects factories like a reactor's ``connectTCP``."""

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
    """Connects a factory over an endpoint, as often as the factory asks for it. It calls the factory like the
    reactor's connector: ``startedConnecting``, ``clientConnectionFailed``, ``clientConnectionLost``.
    ``state`` is ``disconnected``, ``connecting`` or ``connected``."""

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
        """Give the attempt up, which calls ``clientConnectionFailed``. Raises NotConnectingError."""
        if self.state != "connecting":
            raise NotConnectingError("nothing is being connected")
        self.state = "disconnected"
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.cancel()
        self._call("clientConnectionFailed", Failure(UserError()))

    def disconnect(self) -> None:
        """End the attempt or the connection."""
        if self.state == "connecting":
            self.stopConnecting()
        elif self.state == "connected":
            self._transport.loseConnection()

    def getDestination(self) -> IAddress:
        """The server, by its name."""
        return self._destination

    # -- events of the connection ------------------------------------------------------------------

    def made(self, transport: Any) -> None:
        """The connection is made."""
        self.state = "connected"
        self._attempt = None
        self._transport = transport

    def lost(self, reason: Failure) -> None:
        """The connection is lost, and its protocol has been called."""
        self.state = "disconnected"
        self._transport = None
        self._call("clientConnectionLost", reason)

    def _failed(self, reason: Failure) -> None:
        if self.state == "connecting":
            self.state = "disconnected"
            self._attempt = None
            self._call("clientConnectionFailed", reason)

    def _call(self, method: str, reason: Failure) -> None:
        getattr(self._factory, method)(self, reason)
        if self.state == "disconnected" and self._started:
            # The factory has not begun to connect again.
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
    """Sits between the transport and a protocol, and informs the connector when the connection ends."""

    def __init__(self, connector: Connector, inner: Any) -> None:
        self._connector = connector
        self._inner = inner
        # Received data goes directly to the protocol.
        self.dataReceived = inner.dataReceived  # type: ignore[method-assign]

    def connectionMade(self) -> None:
        self._connector.made(self.transport)
        self._inner.makeConnection(self.transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        try:
            self._inner.connectionLost(reason)
        finally:
            self._connector.lost(reason)
