"""All chat, live, over WebSocket: the lines that the recorder on this machine writes, each in a message.

A client that does not read its messages is dropped, so it delays no other. Without clients, no file is read.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from chatlog.archive.lines import record_of
from chatlog.archive.tailing import Tail
from chatlog.archive_http.log_formats import live_forms
from chatlog.archive_http.streaming import Threads
from chatlog.http.answers import Answer

T = TypeVar("T")

#: The most clients at a time.
CLIENTS = 32
#: Seconds between two polls, and between two pings.
EVERY = 0.5
PING_EVERY = 30.0
#: The most pings that a client may leave unanswered.
_UNANSWERED = 2
_PLAIN = "text/plain; charset=utf-8"

#: What a client listens to: the platform, and whether the lines are JSON.
Kind = tuple[str, bool]


class Firehose:
    """All clients. ``tail`` is polled in ``threads``."""

    _log = Logger()

    def __init__(self, tail: Tail, threads: Threads, clock: IReactorTime) -> None:
        self._tail = tail
        self._threads = threads
        self._clock = clock
        self._clients: dict[Any, Kind] = {}
        self._factory: Any = None
        self._polling = False
        self._polls = LoopingCall(self._poll)
        self._pings = LoopingCall(self._ping)
        self._polls.clock = self._pings.clock = clock

    def __len__(self) -> int:
        return len(self._clients)

    @property
    def is_there(self) -> bool:
        """Whether the files of a recorder are on this machine."""
        return self._tail.is_there

    def take(self, request: Any, platform: str, as_json: bool) -> Answer | None:
        """Take over the connection of a request. Returns an answer if that is not possible."""
        if (request.getHeader("upgrade") or "").lower() != "websocket":
            text = "this is a WebSocket; connect to it with ws:// or wss://"
            return Answer(426, text.encode(), _PLAIN, {"Upgrade": "websocket"})
        if not self.is_there:
            return Answer(404, b"there is no recorder beside this archive", _PLAIN)
        if len(self._clients) >= CLIENTS:
            text = f"{CLIENTS} clients are listening already"
            return Answer(429, text.encode(), _PLAIN, {"Retry-After": "30"})
        if self._factory is None:
            # The module takes some MB.
            from chatlog.archive_http.firehose_clients import factory

            self._factory = factory(self, self._clock)
        client = self._factory.buildProtocol(None)
        client.kind = platform, as_json
        _hand_over(request, client)
        return None

    # -- clients -------------------------------------------------------------------------------------

    def joined(self, client: Any) -> None:
        """A client is connected."""
        self._clients[client] = client.kind
        if not self._polls.running:
            self._tail.forget()
            self._polls.start(EVERY).addErrback(self._broke)
            self._pings.start(PING_EVERY, now=False)

    def left(self, client: Any) -> None:
        """A client has disconnected."""
        self._clients.pop(client, None)
        if not self._clients:
            self._end()

    def stop(self) -> None:
        """Drop all clients."""
        for client in list(self._clients):
            client.drop()
        self._clients.clear()
        self._end()

    def _end(self) -> None:
        for loop in (self._polls, self._pings):
            if loop.running:
                loop.stop()

    def _broke(self, failure: Any) -> None:
        self._log.failure("while reading what the recorder writes", failure=failure)
        self.stop()

    def _ping(self) -> None:
        for client in list(self._clients):
            client.unanswered += 1
            if client.unanswered > _UNANSWERED:
                client.drop()
            else:
                client.sendPing()

    # -- what was said -------------------------------------------------------------------------------

    def _poll(self) -> Deferred[None]:
        if self._polling:
            # The last client left, and another came, during a poll.
            return succeed(None)
        self._polling = True
        kinds = frozenset(self._clients.values())
        return self._threads.run(self._said, kinds).addBoth(self._polled).addCallback(self._give)

    def _polled(self, result: T) -> T:
        self._polling = False
        return result

    def _said(self, kinds: frozenset[Kind]) -> dict[Kind, list[bytes]]:
        """The lines since the last poll, in the formats that clients have asked for. Runs in a thread."""
        said: dict[Kind, list[bytes]] = {kind: [] for kind in kinds}
        for line in self._tail.poll():
            record = record_of(line)
            if record is None:
                continue
            platform = str(record.get("platform", "twitch"))
            wanted = [kind for kind in kinds if kind[0] == platform]
            if wanted and (forms := live_forms(record)) is not None:
                for kind in wanted:
                    said[kind].append(forms[kind[1]])
        return said

    def _give(self, said: dict[Kind, list[bytes]]) -> None:
        frame: Callable[[bytes], bytes] = lambda data: self._factory.prepareMessage(data).payloadHybi  # noqa: E731
        framed = {kind: b"".join(map(frame, messages)) for kind, messages in said.items() if messages}
        for client, kind in list(self._clients.items()):
            if data := framed.get(kind):
                client.give(data)


def _hand_over(request: Any, client: Any) -> None:
    """Pass the connection of a request to a WebSocket protocol, with the request's bytes once more."""
    channel = request.channel
    transport, channel.transport = channel.transport, None
    channel.setTimeout(None)
    # The site no longer counts the connection, and does not drop it.
    channel.site.disconnected(channel)
    with suppress(AttributeError):
        transport.unregisterProducer()
    transport.protocol = client
    client.makeConnection(transport)
    with suppress(AttributeError):
        transport.resumeProducing()
    lines = [b"%b %b HTTP/1.1" % (request.method, request.uri)]
    for name, values in request.requestHeaders.getAllRawHeaders():
        lines.append(b"%b: %b" % (name, b",".join(values)))
    client.dataReceived(b"\r\n".join([*lines, b"", b""]))
