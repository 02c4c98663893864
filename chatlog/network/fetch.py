"""One GET over HTTP, with a limit to what comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from chatlog import __version__

if TYPE_CHECKING:
    from twisted.web.http_headers import Headers
    from twisted.web.iweb import IAgent


class Answer(NamedTuple):
    """What a server answered. ``retry_after``: seconds for which it does not want to be asked again,
    0.0 where it does not say."""

    status: int
    body: bytes
    retry_after: float = 0.0


#: GETs an address; gives the answer, whatever its status, or fails.
Get = Callable[[str], Deferred[Answer]]


class TooLong(Exception):
    """The answer is longer than the limit."""


class _Body(Protocol):
    """Collects the body of an answer, up to a limit."""

    def __init__(self, limit: int) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: self._give_up())
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def dataReceived(self, data: bytes) -> None:
        if self.done.called:
            # Given up, and the other side goes on all the same.
            return
        self._parts.append(data)
        self._size += len(data)
        if self._size > self._limit:
            self.done.errback(TooLong(f"an answer of more than {self._limit} bytes"))
            self._give_up()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # Imported late, here and below: the web client takes megabytes, and most recorders need none.
        from twisted.web.client import ResponseDone
        from twisted.web.http import PotentialDataLoss

        if not self.done.called:
            if reason.check(ResponseDone, PotentialDataLoss):
                self.done.callback(b"".join(self._parts))
            else:
                self.done.errback(reason)

    def _give_up(self) -> None:
        self._parts.clear()
        abort(self.transport)


def abort(transport: Any) -> None:
    """End the connection over which the body of an answer comes, without asking the other side."""
    # The web client hands out a stand-in that can only ask, and over TLS the answer may never come.
    transport = getattr(transport, "_producer", None) or transport
    if transport is not None:
        getattr(transport, "abortConnection", transport.loseConnection)()


def http_get(agent: IAgent, limit: int) -> Get:
    """GET for answers of up to ``limit`` bytes. Redirects are not followed."""
    from twisted.web.http_headers import Headers

    async def get(url: str) -> Answer:
        headers = Headers({"User-Agent": [f"chatlog/{__version__}"], "Accept": ["application/json"]})
        response = await agent.request(b"GET", url.encode("ascii"), headers, None)
        body = _Body(limit)
        response.deliverBody(body)
        return Answer(response.code, await body.done, _retry_after(response.headers))

    return lambda url: Deferred.fromCoroutine(get(url))


def _retry_after(headers: Headers) -> float:
    """The seconds in ``Retry-After``; its other form, a date, is left to the caller's own patience."""
    said = (headers.getRawHeaders(b"Retry-After") or [b""])[-1].strip()
    return float(said) if said.isdigit() and len(said) < 9 else 0.0
