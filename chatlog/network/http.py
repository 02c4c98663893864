"""The HTTP client for the recorder's own requests, with limits for the size and the time of an answer. It
follows no redirects."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from OpenSSL.SSL import Error as OpenSSLError
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from chatlog import __version__
from chatlog.network import tls
from chatlog.network.dialing import Network
from chatlog.network.errors import CannotConnect, words
from chatlog.network.proxies import Proxy
from chatlog.printable import printable

# Twisted's web client is imported late, here and below: it takes megabytes, and most recorders do not need
# it.
if TYPE_CHECKING:
    from twisted.web.http_headers import Headers
    from twisted.web.iweb import IAgent

#: Seconds until an attempt to connect is given up.
CONNECT_WITHIN = 10.0


class Answer(NamedTuple):
    """The answer of a server. ``retry_after``: the seconds that the server asks to wait, 0.0 if it does
    not."""

    status: int
    body: bytes
    retry_after: float = 0.0


#: GETs a URL. Fires with the answer of any status, or fails with RequestFailed.
Get = Callable[[str], Deferred[Answer]]


class RequestFailed(Exception):
    """No complete answer came. The text says why, without the URL. ``answer`` has the status and an empty
    body; None if no status came."""

    def __init__(self, why: str, answer: Answer | None = None) -> None:
        super().__init__(why)
        self.answer = answer


class HttpClient:
    """Makes requests. ``agent(url)`` returns the agent for a URL; it is not called before the first
    request."""

    def __init__(self, clock: IReactorTime, agent: Callable[[str], IAgent]) -> None:
        self._clock = clock
        self._agent = agent

    def getter(self, limit: int, within: float) -> Get:
        """A function that GETs JSON: at most ``limit`` bytes, ``within`` so many seconds."""
        return lambda url: self.request("GET", url, limit, within, {"Accept": "application/json"})

    def post(self, url: str, body: bytes, limit: int, within: float) -> Deferred[Answer]:
        """POST JSON, with limits as in ``getter``."""
        return self.request("POST", url, limit, within, {"Content-Type": "application/json"}, body)

    def request(
        self, method: str, url: str, limit: int, within: float, headers: dict[str, str], body: bytes = b""
    ) -> Deferred[Answer]:
        """Make a request. Fails with RequestFailed, also if the answer has more than ``limit`` bytes or takes
        longer than ``within`` seconds."""
        return Deferred.fromCoroutine(self._request(method, url, limit, within, headers, body))

    async def _request(
        self, method: str, url: str, limit: int, within: float, headers: dict[str, str], body: bytes
    ) -> Answer:
        from twisted.web.http_headers import Headers

        begun: Answer | None = None
        expired: list[bool] = []
        waiting: Deferred[Any] | None = None

        def expire() -> None:
            expired.append(True)
            if waiting is not None:
                waiting.cancel()

        timer = self._clock.callLater(within, expire)
        try:
            sent = Headers({"User-Agent": [f"chatlog/{__version__}"]})
            for name, value in headers.items():
                sent.setRawHeaders(name, [value])
            producer: Any = _Body(body) if body else None
            waiting = self._agent(url).request(method.encode(), url.encode("utf-8"), sent, producer)
            response = await waiting
            begun = Answer(response.code, b"", retry_after(response.headers))
            rest = _Rest(limit)
            response.deliverBody(rest)
            waiting = rest.whole
            return begun._replace(body=await rest.whole)
        except Exception as error:
            cause = _cause(error)
            if expired:
                raise RequestFailed(f"no answer within {within:.0f} s", begun) from None
            if isinstance(cause, CancelledError):
                raise CancelledError from None
            raise RequestFailed(_why(cause, begun is not None), begun) from None
        finally:
            if timer.active():
                timer.cancel()


def http_client(network: Network, clock: IReactorTime | None = None) -> HttpClient:
    """A client that uses the network's proxies. It keeps no connection open between requests."""
    agents: dict[Proxy | None, IAgent] = {}

    def agent(url: str) -> IAgent:
        proxy = _plain_proxy(network, url)
        if proxy not in agents:
            agents[proxy] = _agent(network) if proxy is None else _proxy_agent(network, proxy)
        return agents[proxy]

    return HttpClient(network.reactor if clock is None else clock, agent)


def _plain_proxy(network: Network, url: str) -> Proxy | None:
    """The proxy for a URL without TLS, which gets the request itself and not a tunnel; else None."""
    from twisted.web.client import URI

    uri = URI.fromBytes(url.encode("utf-8"))
    if uri.scheme != b"http":
        return None
    return network.proxies.between("http", uri.host.decode("utf-8").strip("[]"), uri.port)


def _agent(network: Network) -> IAgent:
    from twisted.internet.endpoints import wrapClientTLS
    from twisted.internet.ssl import optionsForClientTLS
    from twisted.web.client import Agent
    from twisted.web.iweb import IAgentEndpointFactory

    @implementer(IAgentEndpointFactory)
    class Endpoints:
        def endpointForURI(self, uri: Any) -> Any:
            scheme, host = uri.scheme.decode("ascii"), uri.host.decode("utf-8").strip("[]")
            if scheme not in ("http", "https"):
                raise CannotConnect(f"the scheme {printable(scheme, 20)} is not supported")
            if scheme == "http":
                # Without a proxy: requests through one do not come here.
                return network.direct(host, uri.port, CONNECT_WITHIN)
            endpoint = network.endpoint(scheme, host, uri.port, CONNECT_WITHIN)
            return wrapClientTLS(optionsForClientTLS(host), endpoint)

    agent: IAgent = Agent.usingEndpointFactory(network.reactor, Endpoints())
    return agent


def _proxy_agent(network: Network, proxy: Proxy) -> IAgent:
    from twisted.internet.endpoints import wrapClientTLS
    from twisted.internet.ssl import optionsForClientTLS
    from twisted.web.client import ProxyAgent
    from twisted.web.http_headers import Headers
    from twisted.web.iweb import IAgent

    endpoint = network.direct(proxy.host, proxy.port, CONNECT_WITHIN)
    if proxy.tls:
        endpoint = wrapClientTLS(optionsForClientTLS(proxy.host), endpoint)
    asking = ProxyAgent(endpoint, network.reactor)

    @implementer(IAgent)
    class Authorized:
        def request(self, method: bytes, uri: bytes, headers: Any = None, bodyProducer: Any = None) -> Any:
            headers = Headers() if headers is None else headers.copy()
            if proxy.authorization:
                headers.setRawHeaders("Proxy-Authorization", [proxy.authorization])
            asked = asking.request(method, uri, headers, bodyProducer)
            return asked.addCallbacks(self._answered, self._failed)

        def _answered(self, response: Any) -> Any:
            if response.code == 407:
                raise CannotConnect(f"the proxy {proxy} refuses the login in {proxy.variable} (407)")
            return response

        def _failed(self, failure: Failure) -> None:
            if failure.check(CannotConnect):
                raise CannotConnect(f"the proxy {proxy}: {words(failure.value)}")
            failure.raiseException()

    return Authorized()


def retry_after(headers: Headers) -> float:
    """The seconds in ``Retry-After`` (RFC 9110, section 10.2.3): a number, or a date relative to the answer's
    own date. 0.0 for anything else."""
    # Imported late: few servers send this header.
    from email.utils import parsedate_to_datetime

    said = _last(headers, b"Retry-After")
    if re.fullmatch(r"[0-9]{1,10}(\.[0-9]{1,6})?", said, re.ASCII):
        return float(said)
    try:
        until, now = parsedate_to_datetime(said), parsedate_to_datetime(_last(headers, b"Date"))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _last(headers: Headers, name: bytes) -> str:
    return (headers.getRawHeaders(name) or [b""])[-1].decode("ascii", "replace").strip()


def _cause(error: BaseException) -> BaseException:
    """The original error, which the web client wraps, sometimes twice."""
    reasons: Any = getattr(error, "reasons", None)
    while reasons:
        error = reasons[0].value
        reasons = getattr(error, "reasons", None)
    return error


def _why(error: BaseException, begun: bool) -> str:
    if isinstance(error, CannotConnect):
        return f"cannot connect: {error.why}"
    if isinstance(error, (ConnectionDone, ConnectionLost, ConnectionAborted)):
        return "the answer broke off" if begun else "the connection broke off before the answer"
    if isinstance(error, OpenSSLError):
        return tls.trouble(Failure(error))
    return str(error) if isinstance(error, TooLong) else words(error)


class TooLong(Exception):
    """The answer is longer than the limit."""


class _Rest(Protocol):
    """Collects the body of an answer, up to a limit. Cancelling ``whole`` ends the connection."""

    def __init__(self, limit: int) -> None:
        self.whole: Deferred[bytes] = Deferred(lambda _: self._give_up())
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def dataReceived(self, data: bytes) -> None:
        if self.whole.called:
            # The answer was given up, and the server still sends.
            return
        self._parts.append(data)
        self._size += len(data)
        if self._size > self._limit:
            self.whole.errback(TooLong(f"an answer of more than {self._limit} bytes"))
            self._give_up()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        from twisted.web.client import ResponseDone
        from twisted.web.http import PotentialDataLoss

        if not self.whole.called:
            if reason.check(ResponseDone, PotentialDataLoss):
                self.whole.callback(b"".join(self._parts))
            else:
                self.whole.errback(reason)

    def _give_up(self) -> None:
        self._parts.clear()
        # The web client's transport is a wrapper that can only close in agreement with the server, which over
        # TLS may never agree.
        transport: Any = self.transport
        transport = getattr(transport, "_producer", None) or transport
        if transport is not None:
            getattr(transport, "abortConnection", transport.loseConnection)()


class _Body:
    """A short body that is written at once (an IBodyProducer, without the import of the interface)."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.length = len(body)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:
        """Nothing to do: the body is written already."""

    def resumeProducing(self) -> None:
        """Nothing to do: the body is written already."""

    def stopProducing(self) -> None:
        """Nothing to do: the body is written already."""
