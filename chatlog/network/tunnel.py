"""Connects through an HTTP proxy with CONNECT (RFC 9110, section 9.3.6)."""

from __future__ import annotations

import re
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from chatlog import __version__
from chatlog.network import tls
from chatlog.network.errors import CannotConnect, words
from chatlog.network.proxies import Proxy
from chatlog.printable import printable

#: The most bytes of a proxy's answer.
ANSWER_LIMIT = 16384
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: ([^\r\n]*))?\r?\n")
_END = re.compile(rb"\r?\n\r?\n")


@implementer(IStreamClientEndpoint)
class TunnelEndpoint:
    """Connects to ``host`` through ``proxy``; ``way`` is the endpoint of the proxy. ``timeout`` is in
    seconds. Fails with CannotConnect, which names the proxy and never its password."""

    def __init__(
        self, reactor: Any, way: IStreamClientEndpoint, proxy: Proxy, host: str, port: int, timeout: float
    ) -> None:
        self._reactor = reactor
        self._way = way
        self._proxy = proxy
        host = host.partition("%")[0]
        self._target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._timeout = timeout

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Fires with the protocol that ``factory`` built, once the proxy has connected it."""
        return Deferred.fromCoroutine(self._connect(factory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        end = self._reactor.seconds() + self._timeout
        tunnel = _Tunnel(self._proxy, self._target, factory)
        outer: Any = _Once(tunnel)
        if self._proxy.tls:
            outer = tls.tls_wrapper(self._proxy.host, None)(outer)
        try:
            await self._way.connect(outer)
        except Exception as error:
            raise CannotConnect(f"the proxy {self._proxy}: {words(error)}") from None
        try:
            left = max(0.0, end - self._reactor.seconds())
            return await tunnel.opened.addTimeout(left, self._reactor)
        except TimeoutError:
            raise CannotConnect(
                f"the proxy {self._proxy} has not connected {self._target} within {self._timeout:.0f} s"
            ) from None


class _Once(ClientFactory):
    noisy = False

    def __init__(self, tunnel: _Tunnel) -> None:
        self._tunnel = tunnel

    def buildProtocol(self, addr: Any) -> Any:
        return self._tunnel


class _Tunnel(Protocol):
    """Asks the proxy for a connection, then passes everything through. ``opened`` fires with the protocol of
    ``factory``. Cancelling ``opened`` ends the connection."""

    transport: Any

    def __init__(self, proxy: Proxy, target: str, factory: IProtocolFactory) -> None:
        self._proxy = proxy
        self._target = target
        self._factory = factory
        self._answer = b""
        self._inner: Any = None
        self._given_up = False
        self.opened: Deferred[IProtocol] = Deferred(lambda _: self._give_up())

    def connectionMade(self) -> None:
        lines = [
            f"CONNECT {self._target} HTTP/1.1",
            f"Host: {self._target}",
            f"User-Agent: chatlog/{__version__}",
        ]
        if self._proxy.authorization:
            lines.append(f"Proxy-Authorization: {self._proxy.authorization}")
        self.transport.write("\r\n".join([*lines, "", ""]).encode("ascii"))

    def dataReceived(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.dataReceived(data)
            return
        if self.opened.called:
            return
        self._answer += data
        end = _END.search(self._answer)
        if end is None:
            if len(self._answer) > ANSWER_LIMIT or not b"HTTP/".startswith(self._answer[:5]):
                self._refuse(f"what answers at {self._proxy} is not an HTTP proxy")
            return
        status = _STATUS.match(self._answer)
        if status is None:
            self._refuse(f"what answers at {self._proxy} is not an HTTP proxy")
        elif status[1][:1] == b"1":
            # An interim answer: the final one follows.
            self._answer, rest = b"", self._answer[end.end() :]
            self.dataReceived(rest)
        elif status[1][:1] == b"2":
            self._open(self._answer[end.end() :])
        else:
            self._refuse(_refusal(self._proxy, self._target, int(status[1]), status[2] or b""))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._inner is not None:
            self._inner.connectionLost(reason)
        elif not self.opened.called and not self._given_up:
            why = tls.trouble(reason) or "it closed the connection"
            self.opened.errback(CannotConnect(f"the proxy {self._proxy}: {why}"))

    def _give_up(self) -> None:
        self._given_up = True
        self.transport.abortConnection()

    def _open(self, rest: bytes) -> None:
        self._answer = b""
        inner: Any = self._factory.buildProtocol(self.transport.getPeer())
        if inner is None:
            self.transport.abortConnection()
            self.opened.errback(CannotConnect("the connection is no longer wanted"))
            return
        self._inner = inner
        # Received data goes directly to the protocol.
        self.dataReceived = inner.dataReceived  # type: ignore[method-assign]
        inner.makeConnection(self.transport)
        self.opened.callback(inner)
        if rest:
            inner.dataReceived(rest)

    def _refuse(self, why: str) -> None:
        self._answer = b""
        self.opened.errback(CannotConnect(why))
        self.transport.abortConnection()


def _refusal(proxy: Proxy, target: str, status: int, phrase: bytes) -> str:
    """The text for a proxy's refusal."""
    said = printable(phrase.decode("utf-8", "replace").strip(), 80)
    said = f"{status} {said}" if said else str(status)
    if status == 407:
        what = (
            "does not take the user name and password in"
            if proxy.authorization
            else ("asks for a user name and a password; write http://USER:PASSWORD@HOST:PORT in")
        )
        return f"the proxy {proxy} {what} {proxy.variable} ({said})"
    if status in (502, 503, 504):
        return f"the proxy {proxy} cannot reach {target} ({said})"
    if status in (401, 403, 405, 451):
        return f"the proxy {proxy} does not allow a connection to {target} ({said})"
    return f"the proxy {proxy} does not connect to {target} ({said})"
