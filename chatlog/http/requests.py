"""Requests and connections of the HTTP server, with limits for everything."""

from __future__ import annotations

import re
from http import HTTPStatus
from io import BytesIO
from typing import Any, AnyStr

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, datetimeToString
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from chatlog.http.answers import Answer, error
from chatlog.http.guard import HEADERS, POLICY

#: The most bytes of a request's body, seconds until a request must be complete, connections at a time.
BODY_LIMIT = 64 * 1024
IDLE_LIMIT = 30
CONNECTIONS = 64
#: The most bytes of a body that is too long which are still read, so that the client gets to see the answer.
DISCARDED = 1 << 20
#: A Content-Length line is never longer than this.
_LENGTH_LINE = 40
_NO_WEIGHT = re.compile(r"q\s*=\s*0(\.0*)?\Z")
_POLICY = f"{POLICY}: {HEADERS[POLICY]}\r\n"
_COMMON = (
    "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items() if name != POLICY)
    + "Vary: Accept-Encoding\r\n"
)
_TOO_LARGE = error(413, "too_large", f"a request may have at most {BODY_LIMIT} bytes")


class BoundedRequest(Request):
    """A request with a short body, kept in memory."""

    channel: Any
    _refused = False
    _size = 0

    def gotLength(self, length: int | None) -> None:
        # The framework's method keeps a body of unknown length in a file.
        self.content = BytesIO()
        if length is not None and length > BODY_LIMIT:
            self._refused = True
            if length > DISCARDED or self.requestHeaders.hasHeader(b"expect"):
                self.requestHeaders.removeHeader(b"expect")
                self.channel.refuse(_TOO_LARGE)

    def handleContentChunk(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > BODY_LIMIT:
            self._refused = True
        if not self._refused:
            super().handleContentChunk(data)
        elif self._size > DISCARDED:
            self.channel.refuse(_TOO_LARGE)

    def process(self) -> None:
        if self._refused:
            self.channel.refuse(_TOO_LARGE)
        elif self.path == b"*":
            send(self, error(400, "bad_path", "this server is not a proxy"))
        else:
            self.channel.answering = True
            # The framework's method looks for a resource and prepares headers.
            self.channel.site.resource.render(self)

    def getHeader(self, key: AnyStr) -> AnyStr | None:
        """The last value of a header; bytes that are not UTF-8 are replaced."""
        if isinstance(key, bytes):
            return super().getHeader(key)
        value = super().getHeader(key.encode("ascii"))
        return None if value is None else value.decode("utf-8", "replace")


class Channel(HTTPChannel):
    """One connection. A request must be complete within IDLE_LIMIT. Pipelined requests are answered one per
    turn of the reactor, and only while the client reads the answers."""

    site: BoundedSite
    #: Whether the answer is an endless stream.
    streaming = False
    #: Whether a whole request came that is not answered yet.
    answering = False
    _next: IDelayedCall | None = None
    _ended = False

    def drop(self) -> None:
        """End the connection at once."""
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()

    def refuse(self, answer: Answer) -> None:
        """Answer an incomplete request, and close the connection."""
        if not self._ended:
            self._ended = True
            transport: Any = self.transport
            transport.write(_raw(answer))
            self.loseConnection()

    def connectionMade(self) -> None:
        super().connectionMade()
        self.site.connected(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._ended = True
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self.site.disconnected(self)
        super().connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        # The framework's method extends the time limit with every byte.
        if not self._ended:
            LineReceiver.dataReceived(self, data)

    def headerReceived(self, line: bytes) -> bool:
        if line[:1] in b"Cc" and len(line) > _LENGTH_LINE and line[:14].lower() == b"content-length":
            self._respondToBadRequestAndDisconnect()
            return False
        found: bool = super().headerReceived(line)
        return found

    def requestDone(self, request: Any) -> None:
        self.answering = False
        if self._waitingForTransport:
            self._networkProducer.pauseProducing()
        self.paused = True
        super().requestDone(request)
        if self._buffer:
            self._go_on_soon()
        else:
            self.paused = False

    def resumeProducing(self) -> None:
        super().resumeProducing()
        if self.paused:
            self._go_on_soon()

    def _go_on_soon(self) -> None:
        if self._next is None and not self._waitingForTransport:
            self._next = self.callLater(0, self._go_on)

    def _go_on(self) -> None:
        self._next = None
        if not self._waitingForTransport:
            self.paused = False
            self.dataReceived(b"")

    def timeoutConnection(self) -> None:
        # The framework's method logs a message.
        self._abortingCall = self.callLater(self.abortTimeout, self.forceAbortClient)
        self.loseConnection()

    def forceAbortClient(self) -> None:
        self._abortingCall = None
        self.drop()


class BoundedSite(Site):
    """A site with at most CONNECTIONS connections. Beyond that, the oldest one is dropped that waits for no
    answer; if all others do, the oldest one that does not stream."""

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

    def __len__(self) -> int:
        return len(self._channels)

    def startFactory(self) -> None:
        """Do not start the access log's clock."""

    def stopFactory(self) -> None:
        """Nothing to stop."""

    def connected(self, channel: Channel) -> None:
        """A client has connected."""
        self._channels[channel] = None
        if len(self._channels) > CONNECTIONS:
            others = [c for c in self._channels if c is not channel and not c.streaming]
            oldest = next((c for c in others if not c.answering), others[0] if others else channel)
            # Removed now and not when connectionLost is called: more connections may come in this turn of the
            # reactor.
            del self._channels[oldest]
            oldest.drop()

    def drop_all(self) -> None:
        """Drop all connections."""
        for channel in list(self._channels):
            channel.drop()

    def disconnected(self, channel: Channel) -> None:
        """A connection has ended."""
        self._channels.pop(channel, None)

    def log(self, request: Any) -> None:
        """Write no access log."""


def send(request: Any, answer: Answer) -> None:
    """Answer the request, with the headers that every answer has.

    The answer is one write and bypasses the framework's headers: pages ask every few seconds, and this costs
    the recorder less.
    """
    more = list(answer.headers.items())
    body = answer.body
    status = answer.status
    if answer.etag:
        more.append(("ETag", answer.etag))
        if _names(request.getHeader("if-none-match"), answer.etag):
            status, body = 304, b""
    if body and _takes_gzip(request.getHeader("accept-encoding")) and (packed := answer.compressed()):
        more.append(("Content-Encoding", "gzip"))
        body = packed
    if status != 304:
        more += [("Content-Type", answer.type), ("Content-Length", str(len(body)))]
    if not request.channel.persistent:
        more.append(("Connection", "close"))
    head = _head(status, "no-cache" if answer.etag else "no-store", more)
    request.setResponseCode(status)
    request.startedWriting = 1
    request.channel.write(head if request.method == b"HEAD" else head + body)
    request.finish()


def _head(status: int, cache: str, more: list[tuple[str, str]]) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nDate: {datetimeToString().decode()}\r\n",
        "" if any(name == POLICY for name, _ in more) else _POLICY,
        _COMMON,
        f"Cache-Control: {cache}\r\n",
        *(f"{name}: {value}\r\n" for name, value in more),
        "\r\n",
    ]
    return "".join(lines).encode("ascii")


def _raw(answer: Answer) -> bytes:
    """The answer to an incomplete request, as bytes."""
    size = str(len(answer.body))
    more = [("Content-Type", answer.type), ("Content-Length", size), ("Connection", "close")]
    return _head(answer.status, "no-store", more) + answer.body


def _names(header: str | None, tag: str) -> bool:
    """Whether If-None-Match contains the tag."""
    return header is not None and tag in (each.strip() for each in header.split(","))


def _takes_gzip(header: str | None) -> bool:
    """Whether Accept-Encoding allows gzip."""
    for each in (header or "").split(","):
        coding, _, weight = each.partition(";")
        if coding.strip().lower() == "gzip":
            return not _NO_WEIGHT.match(weight.strip())
    return False
