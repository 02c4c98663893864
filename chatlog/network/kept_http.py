"""An HTTP client that keeps its connections between requests, for a server that is asked every second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import wrapClientTLS
from zope.interface import implementer

from chatlog.network.dialing import Network
from chatlog.network.errors import CannotConnect
from chatlog.network.http import HttpClient
from chatlog.network.tls import client_options
from chatlog.printable import printable

# Twisted's web client is imported late: it takes megabytes, and most recorders do not need it.
if TYPE_CHECKING:
    from twisted.web.iweb import IAgent

#: Connections to one server that are kept, and the seconds for which they are.
_KEPT = 2
_KEPT_FOR = 60


class KeptHttp:
    """Makes requests over connections that are kept, without a proxy. ``ca_file``: certificate authorities to
    trust beside those of the system. ``within``: seconds to connect."""

    def __init__(self, network: Network, ca_file: str | None, within: float) -> None:
        from twisted.web.client import Agent, HTTPConnectionPool
        from twisted.web.iweb import IAgentEndpointFactory

        @implementer(IAgentEndpointFactory)
        class Endpoints:
            def endpointForURI(self, uri: Any) -> Any:
                scheme, host = uri.scheme.decode("ascii"), uri.host.decode("utf-8").strip("[]")
                if scheme not in ("http", "https"):
                    raise CannotConnect(f"the scheme {printable(scheme, 20)} is not supported")
                endpoint = network.direct(host, uri.port, within)
                return (
                    endpoint if scheme == "http" else wrapClientTLS(client_options(host, ca_file), endpoint)
                )

        self._pool = HTTPConnectionPool(network.reactor)
        self._pool.maxPersistentPerHost = _KEPT
        self._pool.cachedConnectionTimeout = _KEPT_FOR
        # A request may have been carried out before its connection broke.
        self._pool.retryAutomatically = False
        agent: IAgent = Agent.usingEndpointFactory(network.reactor, Endpoints(), self._pool)
        self.client = HttpClient(network.reactor, lambda url: agent)

    def close(self) -> Deferred[None]:
        """End the connections that are kept."""
        closed: Deferred[None] = self._pool.closeCachedConnections()
        return closed
