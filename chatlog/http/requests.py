"""The HTTP server's side of a request: bounded, and without anything of the server in it."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from chatlog.http.answers import Answer, error
from chatlog.http.guard import HEADERS

#: Bytes of a request's body, seconds without a byte, and connections at the same time.
BODY_LIMIT = 64 * 1024
IDLE_LIMIT = 30
CONNECTIONS = 64


class BoundedRequest(Request):
    """A request whose body is refused when it is too long, before it is read."""

    _refused = False

    def gotLength(self, length: int | None) -> None:
        if length is not None and length > BODY_LIMIT:
            self._refuse()
            length = 0
        super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        if self._refused:
            return
        if self.content is not None and self.content.tell() + len(data) > BODY_LIMIT:
            self._refuse()
            return
        super().handleContentChunk(data)

    def _refuse(self) -> None:
        self._refused = True

    def process(self) -> None:
        if self._refused:
            # What follows of the body is not read.
            self.setHeader("connection", "close")
            send(self, error(413, "too_large", f"a request may have at most {BODY_LIMIT} bytes"))
            self.loseConnection()
            return
        super().process()


class Channel(HTTPChannel):
    """One connection."""

    site: BoundedSite
    #: Whether it is a stream that never ends.
    streaming = False

    def drop(self) -> None:
        """End the connection at once."""
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()

    def connectionMade(self) -> None:
        super().connectionMade()
        self.site.connected(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.site.disconnected(self)
        super().connectionLost(reason)


class BoundedSite(Site):
    """A site with few connections at a time: when there are too many, the oldest goes that does not
    stream."""

    protocol: Any = Channel
    displayTracebacks = False
    noisy = False

    def __init__(self, resource: Resource, clock: IReactorTime) -> None:
        super().__init__(
            resource,
            requestFactory=BoundedRequest,
            timeout=IDLE_LIMIT,
            reactor=clock,
            parsePOSTFormSubmission=False,
        )
        self._channels: dict[Channel, None] = {}

    def startFactory(self) -> None:
        """Without the access log's clock."""

    def stopFactory(self) -> None:
        """Nothing was started."""

    def connected(self, channel: Channel) -> None:
        """A connection was made."""
        self._channels[channel] = None
        if len(self._channels) > CONNECTIONS:
            oldest = next((c for c in self._channels if not c.streaming), channel)
            oldest.drop()

    def drop_all(self) -> None:
        """End every connection."""
        for channel in list(self._channels):
            channel.drop()

    def disconnected(self, channel: Channel) -> None:
        """A connection is gone."""
        self._channels.pop(channel, None)

    def log(self, request: Any) -> None:
        """Write no access log."""


def send(request: Any, answer: Answer) -> None:
    """Answer the request, with everything that goes with every answer."""
    request.setResponseCode(answer.status)
    for name, value in (*HEADERS.items(), *answer.headers.items()):
        request.setHeader(name, value)
    request.responseHeaders.removeHeader(b"server")
    request.setHeader("content-type", answer.type)
    body = answer.body
    if answer.etag:
        request.setHeader("etag", answer.etag)
        request.setHeader("cache-control", "no-cache")
        if request.getHeader("if-none-match") == answer.etag:
            request.setResponseCode(304)
            request.responseHeaders.removeHeader(b"content-type")
            request.finish()
            return
    request.setHeader("vary", "accept-encoding")
    if "gzip" in (request.getHeader("accept-encoding") or "") and (packed := answer.compressed()):
        request.setHeader("content-encoding", "gzip")
        body = packed
    request.setHeader("content-length", str(len(body)))
    if request.method != b"HEAD":
        request.write(body)
    request.finish()
