"""Connections in memory between the client and a Pusher server, with an owner that takes notes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.error import ConnectionDone, NotConnectingError, UserError
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, IOPump
from twisted.test.iosim import connect as join
from twisted.trial.unittest import SynchronousTestCase

from chatlog.kick import pusher
from chatlog.kick.client import KickFactory, KickProtocol, Silent
from chatlog.kick.pusher import Event
from chatlog.rooms.chat_protocol import ChatProtocol
from chatlog.rooms.closing import Closing
from tests.fakes import environment
from tests.kick import CHANNEL, frame, plain

RECEIVED = "2026-02-03T04:05:06.500Z"
WELCOME = frame(pusher.ESTABLISHED, {"socket_id": "12.34", "activity_timeout": 120}, None)


def acknowledgement(channel: str = CHANNEL) -> bytes:
    """What the server answers to a subscription."""
    return plain(pusher.SUBSCRIBED, "{}", channel)


class RecordingOwner:
    """Takes down what a connection reports. ``fail`` names methods that raise."""

    number = 7

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.fail: set[str] = set()

    def _took(self, name: str, *values: Any) -> None:
        self.calls.append((name, *values))
        if name in self.fail:
            raise RuntimeError(name)

    def welcomed(self) -> None:
        self._took("welcomed")

    def event(self, event: Event, frame: bytes, received: str, number: int) -> None:
        assert number == self.number
        self._took("event", event.name, event.channel, frame, received)

    def not_understood(self, frame: bytes, received: str) -> None:
        self._took("not_understood", frame, received)

    def acknowledged(self, name: str) -> None:
        self._took("acknowledged", name)

    def refused(self, name: str, reason: str) -> None:
        self._took("refused", name, reason)

    def parted(self, name: str) -> None:
        self._took("parted", name)

    def asked_to_leave(self) -> None:
        self._took("asked_to_leave")

    def is_delivered_elsewhere(self, name: str) -> bool:
        return False

    def ended(self, chat: ChatProtocol | None, reason: str, closing: Closing) -> None:
        welcomed = chat is not None and chat.welcomed_at is not None
        self._took("lost", chat.heard_ago() if chat is not None and welcomed else None, reason, closing)

    # -- the rooms: each is called as its only channel ---------------------------------------------------

    def channels_of(self, name: str) -> list[str]:
        return [name]

    def room_of(self, channel: str) -> str:
        return channel


class PusherServer(WebSocketServerProtocol):
    """The other end: takes down what the client sends."""

    log = Silent()

    def __init__(self) -> None:
        super().__init__()
        self.got: list[Any] = []
        self.path = ""
        self.headers: dict[str, str] = {}
        self.close_code: int | None = None
        self.pongs = 0

    def onConnect(self, request: Any) -> None:
        self.path = request.path
        self.headers = dict(request.headers) | {"query": json.dumps(request.params)}

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.got.append(json.loads(payload))

    def onPong(self, payload: bytes) -> None:
        self.pongs += 1

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self.close_code = code


class ClientTransport(FakeTransport):
    """The client's side of a connection; tells the factory of the end, as a connector does. ``settled`` and
    ``closing`` take it down when reading begins to be paced, and when it ends."""

    def __init__(
        self,
        protocol: KickProtocol,
        ended: Callable[[Failure], None],
        settled: list[Any],
        closing: list[Any],
    ) -> None:
        super().__init__(protocol, False)
        self._ended = ended
        self.begin_pacing = lambda: settled.append(self)
        self.end_pacing = lambda: closing.append(self)

    def reportDisconnect(self) -> None:
        super().reportDisconnect()
        self._ended(Failure(ConnectionDone()))


class FakeConnector:
    """Counts attempts to connect."""

    def __init__(self, factory: KickFactory) -> None:
        self.factory = factory
        self.attempts = 0
        self.connecting = True

    def connect(self) -> None:
        self.attempts += 1
        self.connecting = True

    def stopConnecting(self) -> None:
        if not self.connecting:
            raise NotConnectingError("nothing is being connected")
        self.connecting = False
        self.factory.clientConnectionFailed(self, Failure(UserError()))  # type: ignore[arg-type]


class ConnectionCase(SynchronousTestCase):
    """A factory, a clock, and connections in memory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.owner = RecordingOwner()
        #: When reading began to be paced, and when it ended, on which transports.
        self.settled: list[Any] = []
        self.closing: list[Any] = []
        self.jitter = lambda least, most: most
        self.factory = self.new_factory()
        self.connector = FakeConnector(self.factory)
        self.factory.startedConnecting(self.connector)  # type: ignore[arg-type]
        self.servers = WebSocketServerFactory("ws://127.0.0.1:9", reactor=self.clock)
        self.servers.protocol = PusherServer
        self.servers.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=0)
        self.logged: list[LogEvent] = []
        observer: Any = self.logged.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def new_factory(self, server: str = "ws://127.0.0.1:9/app/somekey") -> KickFactory:
        """A factory whose delays ``jitter`` draws."""
        around = environment(self.clock, lambda: 1770091506.5)
        return KickFactory(
            self.owner, server, self.owner, self.owner, around, lambda least, most: self.jitter(least, most)
        )

    def open(self) -> None:
        """A connection whose WebSocket handshake is done."""
        self.raw_open()
        self.pump.flush()

    def raw_open(self) -> None:
        """A connection on which nothing has been exchanged."""
        self.connector.connecting = False
        self.client = self.factory.buildProtocol(None)
        self.server: Any = self.servers.buildProtocol(None)
        self.pump: IOPump = join(
            self.server,
            FakeTransport(self.server, True),
            self.client,
            ClientTransport(self.client, self.ended, self.settled, self.closing),
            greet=False,
            clock=self.clock,
        )

    def ended(self, reason: Failure) -> None:
        """What a connector does when its connection is gone."""
        self.factory.clientConnectionLost(self.connector, reason)  # type: ignore[arg-type]

    def say(self, *frames: bytes) -> None:
        """The server sends frames."""
        for data in frames:
            self.server.sendMessage(data)
        self.pump.flush()

    def established(self) -> None:
        """A connection that was welcomed; nothing taken down yet."""
        self.open()
        self.say(WELCOME)
        self.owner.calls.clear()

    def tick(self, seconds: int) -> None:
        """``seconds`` pass, with a check in each; what is sent does not arrive."""
        for _ in range(seconds):
            self.clock.advance(1)
            self.client.check()

    def raw(self, data: bytes) -> None:
        """Bytes arrive at the client, whatever they are."""
        self.client.dataReceived(data)
        self.pump.flush()

    def reasons(self) -> list[str]:
        """The reasons of the losses so far."""
        return [call[2] for call in self.owner.calls if call[0] == "lost"]

    def losses(self) -> list[Closing]:
        """The classes of the losses so far."""
        return [call[3] for call in self.owner.calls if call[0] == "lost"]

    def next_attempt(self) -> float:
        """Seconds until the next attempt, which must be the only thing that is waited for."""
        (call,) = self.clock.getDelayedCalls()
        return call.getTime() - self.clock.seconds()

    def warnings(self) -> list[str]:
        """The log's lines from warnings up."""
        return [
            str(event["log_format"])
            for event in self.logged
            if event["log_level"].name in ("warn", "error", "critical")
        ]
