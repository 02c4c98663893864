"""The WebSocket side of the firehose. Loaded when the first client comes."""

from __future__ import annotations

from typing import Any, Protocol

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol

#: The most bytes that wait for a client.
BACKLOG = 1 << 20
#: The most bytes of a client's message; the protocol needs no messages from clients.
_HEARD = 4096


class Hub(Protocol):
    """The owner of the clients."""

    def joined(self, client: Any) -> None: ...

    def left(self, client: Any) -> None: ...


class Silent:
    """Drops autobahn's log: anybody could fill it, with one bad request after the other."""

    def debug(self, *args: object, **fields: object) -> None:
        """Say nothing."""

    trace = info = warn = error = failure = critical = debug


class Client(WebSocketServerProtocol):
    """One client. ``kind``: what it listens to."""

    log = Silent()
    hub: Hub
    transport: Any
    kind: tuple[str, bool]

    def __init__(self) -> None:
        super().__init__()
        #: Pings since the last answer.
        self.unanswered = 0
        self._waiting: list[bytes] = []
        self._size = 0
        self._paused = False

    def onOpen(self) -> None:
        self.transport.registerProducer(self, True)
        self.hub.joined(self)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self._waiting.clear()
        self.hub.left(self)

    def onPong(self, payload: bytes) -> None:
        self.unanswered = 0

    def give(self, frames: bytes) -> None:
        """Send frames. A client with too many waiting bytes is dropped."""
        if not self._paused:
            self.sendData(frames)
            return
        self._size += len(frames)
        if self._size > BACKLOG:
            self.drop()
        else:
            self._waiting.append(frames)

    def drop(self) -> None:
        """End the connection at once."""
        self._waiting.clear()
        self.hub.left(self)
        self.transport.abortConnection()

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        while self._waiting and not self._paused:
            frames = self._waiting.pop(0)
            self._size -= len(frames)
            self.sendData(frames)

    def stopProducing(self) -> None:
        self._waiting.clear()


def factory(hub: Hub, clock: Any) -> WebSocketServerFactory:
    """A factory for the clients of a hub."""
    made = WebSocketServerFactory(reactor=clock)
    made.noisy = False
    made.log = Silent()
    # Autobahn's own timers would run on the global reactor.
    made.setProtocolOptions(
        openHandshakeTimeout=0,
        closeHandshakeTimeout=0,
        autoPingInterval=0,
        maxMessagePayloadSize=_HEARD,
        maxFramePayloadSize=_HEARD,
        tcpNoDelay=True,
    )

    def build(address: Any) -> Client:
        client = Client()
        client.hub = hub
        client.factory = made
        return client

    made.buildProtocol = build  # type: ignore[assignment, method-assign]
    return made
