"""The connection to Kick's Pusher server: welcome, subscriptions, keepalive, loss, coming back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.error import ConnectionDone, ConnectionRefusedError, UserError
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactor
from twisted.logger import LogEvent, globalLogPublisher
from twisted.protocols.policies import WrappingFactory
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, IOPump
from twisted.test.iosim import connect as join
from twisted.trial.unittest import SynchronousTestCase

from chatlog import __version__
from chatlog.kick import pusher
from chatlog.kick.client import KickFactory, address, connect
from chatlog.kick.connection import MESSAGE_LIMIT, KickProtocol, Silent
from chatlog.kick.pusher import Closing, Event
from tests.kick import CHANNEL, chat, frame, plain

RECEIVED = "2026-02-03T04:05:06.500Z"
WELCOME = frame(pusher.ESTABLISHED, {"socket_id": "12.34", "activity_timeout": 120}, None)


def acknowledgement(channel: str = CHANNEL) -> bytes:
    """What the server answers to a subscription."""
    return plain(pusher.SUBSCRIBED, "{}", channel)


class RecordingOwner:
    """Takes down what a connection reports. ``fail`` names methods that raise."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.fail: set[str] = set()

    def _took(self, name: str, *values: Any) -> None:
        self.calls.append((name, *values))
        if name in self.fail:
            raise RuntimeError(name)

    def connected(self) -> None:
        self._took("connected")

    def event(self, event: Event, frame: bytes, received: str) -> None:
        self._took("event", event.name, event.channel, frame, received)

    def not_understood(self, frame: bytes, received: str) -> None:
        self._took("not_understood", frame, received)

    def subscribed(self, channel: str) -> None:
        self._took("subscribed", channel)

    def subscription_refused(self, channel: str, reason: str) -> None:
        self._took("subscription_refused", channel, reason)

    def lost(self, heard_ago: float | None, reason: str, closing: Closing) -> None:
        self._took("lost", heard_ago, reason, closing)


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
    """The client's side of a connection; tells the factory of the end, as a connector does."""

    def __init__(self, protocol: KickProtocol, ended: Callable[[Failure], None]) -> None:
        super().__init__(protocol, False)
        self._ended = ended

    def reportDisconnect(self) -> None:
        super().reportDisconnect()
        self._ended(Failure(ConnectionDone()))


class FakeConnector:
    """Counts attempts to connect."""

    def __init__(self) -> None:
        self.factory: KickFactory | None = None
        self.attempts = 0
        self.connecting = True

    def connect(self) -> None:
        self.attempts += 1
        self.connecting = True

    def disconnect(self) -> None:
        if self.connecting:
            self.connecting = False
            assert self.factory is not None
            self.factory.clientConnectionFailed(self, Failure(UserError()))  # type: ignore[arg-type]


class Around(WrappingFactory):
    """What lies between TCP and TLS."""


class ConnectionCase(SynchronousTestCase):
    """A factory, a clock, and connections in memory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.owner = RecordingOwner()
        self.settled: list[Any] = []
        self.closing: list[Any] = []
        self.factory = KickFactory(
            self.owner,
            "ws://127.0.0.1:9/app/somekey",
            self.clock,
            lambda: 1770091506.5,
            self.settled.append,
            self.closing.append,
            lambda least, most: most,
        )
        self.connector = FakeConnector()
        self.connector.factory = self.factory
        self.factory.startedConnecting(self.connector)  # type: ignore[arg-type]
        self.servers = WebSocketServerFactory("ws://127.0.0.1:9", reactor=self.clock)
        self.servers.protocol = PusherServer
        self.servers.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=0)
        self.logged: list[LogEvent] = []
        observer: Any = self.logged.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

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
            ClientTransport(self.client, self.ended),
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


class ConnectingTests(ConnectionCase):
    """How a connection begins."""

    def test_address(self) -> None:
        """The client adds what Pusher wants to know to the configured address."""
        query = f"protocol=7&client=chatlog&version={__version__}"
        self.assertEqual(address("wss://a.example/app/k"), f"wss://a.example/app/k?{query}")
        self.assertEqual(address("ws://a.example/app/k?x=1"), f"ws://a.example/app/k?x=1&{query}")

    def test_handshake(self) -> None:
        """The request asks for the key's path with protocol 7, names us and offers no compression."""
        self.open()
        self.assertEqual(self.server.path, "/app/somekey")
        self.assertEqual(
            json.loads(self.server.headers["query"]),
            {"protocol": ["7"], "client": ["chatlog"], "version": [__version__]},
        )
        self.assertEqual(self.server.headers["user-agent"], f"chatlog/{__version__}")
        self.assertNotIn("sec-websocket-extensions", self.server.headers)

    def test_welcome(self) -> None:
        """The owner is told once of the welcome, and not before it."""
        self.open()
        self.assertEqual(self.owner.calls, [])
        self.assertFalse(self.client.established)
        self.say(WELCOME, WELCOME)
        self.assertEqual(self.owner.calls, [("connected",)])
        self.assertTrue(self.client.established)
        self.assertIs(self.factory.connection, self.client)

    def test_no_welcome(self) -> None:
        """A server that says nothing for half a minute is given up."""
        self.open()
        self.tick(29)
        self.pump.flush()
        self.assertEqual(self.owner.calls, [])
        self.tick(1)
        self.pump.flush()
        self.assertEqual(self.owner.calls, [("lost", None, "no welcome from the server", Closing.BACK_OFF)])

    def test_no_handshake(self) -> None:
        """A server that does not even answer the handshake is given up as well."""
        self.raw_open()
        self.tick(30)
        self.pump.flush()
        self.assertEqual(self.reasons(), ["no welcome from the server"])

    def test_refused_handshake(self) -> None:
        """An HTTP error in place of a handshake is an attempt that failed; its words are the reason."""
        self.raw_open()
        self.raw(b"HTTP/1.1 403 Forbidden\r\nServer: x\r\n\r\n")
        ((name, heard_ago, reason, closing),) = self.owner.calls
        self.assertEqual((name, heard_ago, closing), ("lost", None, Closing.BACK_OFF))
        self.assertIn("403", reason)

    def test_nonsense_for_a_handshake(self) -> None:
        """Bytes that are no HTTP, bad UTF-8 and headers without end lose the attempt, nothing more."""
        for nonsense in (
            b"\xff\xfe\x00\r\n\r\n",
            b"220 mail.example ESMTP\r\n\r\n",
            b"HTTP/1.1 101 \xff\r\nA: \xc3\x28\r\n\r\n",
            b"\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 20_000,
        ):
            self.owner.calls.clear()
            self.raw_open()
            self.raw(nonsense)
            self.assertEqual(len(self.reasons()), 1, nonsense[:30])
            self.assertEqual(self.flushLoggedErrors(), [])

    def test_unasked_extension(self) -> None:
        """A server that turns compression on without being asked is refused."""
        self.raw_open()
        self.pump.pump()
        answer = self.pump.serverIO.getOutBuffer()
        assert answer is not None
        self.raw(answer.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"))
        self.assertEqual(len(self.reasons()), 1)

    def test_connect(self) -> None:
        """A plain address is connected to as it is, through what the caller puts around."""
        reactor = MemoryReactor()
        connector = connect(reactor, self.factory, Around)
        outer: Any
        host, port, outer, timeout, _ = reactor.tcpClients[0]
        self.assertEqual((host, port, timeout), ("127.0.0.1", 9, 20))
        self.assertIsInstance(outer, Around)
        self.assertIs(outer.wrappedFactory, self.factory)
        self.assertIs(self.factory.connector, connector)

    def test_connect_with_tls(self) -> None:
        """TLS lies inside of what the caller puts around, on the default port."""
        factory = KickFactory(self.owner, "wss://a.example/app/k", self.clock, lambda: 0.0)
        reactor = MemoryReactor()
        connect(reactor, factory, Around, WrappingFactory)
        outer: Any
        host, port, outer = reactor.tcpClients[0][:3]
        self.assertEqual((host, port), ("a.example", 443))
        self.assertIsInstance(outer, Around)
        self.assertIs(type(outer.wrappedFactory), WrappingFactory)
        self.assertIs(outer.wrappedFactory.wrappedFactory, factory)

    def test_tls_is_never_left_out(self) -> None:
        """A wss: address without TLS is a mistake and not a plain connection."""
        factory = KickFactory(self.owner, "wss://a.example/app/k", self.clock, lambda: 0.0)
        reactor = MemoryReactor()
        error = self.assertRaises(ValueError, connect, reactor, factory, Around)
        self.assertIn("a.example", str(error))
        self.assertEqual(reactor.tcpClients, [])


class FrameTests(ConnectionCase):
    """What arrives."""

    def test_event(self) -> None:
        """A published event is handed on with its bytes and the time of its arrival."""
        self.established()
        data = frame("App\\Events\\ChatMessageEvent", chat())
        self.say(data)
        self.assertEqual(
            self.owner.calls, [("event", "App\\Events\\ChatMessageEvent", CHANNEL, data, RECEIVED)]
        )

    def test_event_before_the_welcome(self) -> None:
        """An event is taken whenever it comes."""
        self.open()
        self.say(frame("Some", {}), WELCOME)
        self.assertEqual([call[0] for call in self.owner.calls], ["event", "connected"])

    def test_any_partition(self) -> None:
        """Frames come through the same a byte at a time, all in one read, and in fragments."""
        frames = [frame("Some", {"n": n, "text": "é" * n * 40}) for n in range(8)]
        expected = [("event", "Some", CHANNEL, data, RECEIVED) for data in frames]
        self.established()
        for data in frames:
            self.server.sendMessage(data)
        stream = self.pump.serverIO.getOutBuffer()
        assert stream is not None
        for place in range(len(stream)):
            self.client.dataReceived(stream[place : place + 1])
        self.assertEqual(self.owner.calls, expected)
        self.owner.calls.clear()
        self.client.dataReceived(stream)
        self.assertEqual(self.owner.calls, expected)
        self.owner.calls.clear()
        for data in frames:
            self.server.sendMessage(data, fragmentSize=11)
        self.pump.flush()
        self.assertEqual(self.owner.calls, expected)

    def test_welcome_in_the_same_read(self) -> None:
        """What comes in one read with the handshake's answer is taken."""
        self.raw_open()
        self.pump.pump()
        self.server.sendMessage(WELCOME)
        self.server.sendMessage(frame("Some", {}))
        stream = self.pump.serverIO.getOutBuffer()
        assert stream is not None
        self.client.dataReceived(stream)
        self.assertEqual([call[0] for call in self.owner.calls], ["connected", "event"])

    def test_junk(self) -> None:
        """A frame that is no event is handed on as it is, and the connection goes on."""
        self.established()
        self.say(b"", b"junk", b"[1]")
        self.server.sendMessage(b"\x00\xff", isBinary=True)
        self.say(frame("Some", {}))
        self.assertEqual(
            [call[:2] for call in self.owner.calls],
            [
                ("not_understood", b""),
                ("not_understood", b"junk"),
                ("not_understood", b"[1]"),
                ("not_understood", b"\x00\xff"),
                ("event", "Some"),
            ],
        )

    def test_bytes_that_are_not_utf8(self) -> None:
        """Bad UTF-8 in a text frame does not cost the connection."""
        self.established()
        data = frame("Some", {"content": "??"}).replace(b"??", b"\xff\xfe")
        self.server.sendMessage(data)
        self.pump.flush()
        self.assertEqual(self.owner.calls, [("event", "Some", CHANNEL, data, RECEIVED)])

    def test_large_frames(self) -> None:
        """A frame too large to be looked into is handed on whole; one beyond the limit costs the
        connection, which comes back, and its bytes are not kept."""
        self.established()
        large = frame("Some", {"content": "x" * (pusher.MAX_FRAME + 10)})
        self.say(large)
        self.assertEqual(self.owner.calls, [("not_understood", large, RECEIVED)])
        self.owner.calls.clear()
        self.say(b"y" * (MESSAGE_LIMIT + 1))
        (reason,) = self.reasons()
        self.assertIn("exceeds payload limit", reason)
        self.assertEqual(len(self.owner.calls), 1)
        self.assertGreater(self.next_attempt(), 0)

    def test_endless_fragments(self) -> None:
        """A message that goes on in fragments is given up at the limit as well."""
        self.established()
        self.server.beginMessage()
        for _ in range(3):
            self.server.sendMessageFrame(b"z" * pusher.MAX_FRAME)
        self.pump.flush()
        self.assertEqual(len(self.reasons()), 1)

    def test_protocol_violation(self) -> None:
        """A stream that is no WebSocket any more is given up."""
        self.established()
        self.raw(b"\xff\xff\xff\xff")
        self.assertEqual(len(self.reasons()), 1)
        self.assertEqual(self.losses(), [Closing.BACK_OFF])

    def test_failing_owner(self) -> None:
        """An event that its taker stumbles over is handed on as not understood; the connection and the
        frames after it are not affected, and the log says so once."""
        self.established()
        self.owner.fail.add("event")
        data = frame("Some", {})
        self.say(data, data, data)
        self.assertEqual([call[0] for call in self.owner.calls], ["event", "not_understood"] * 3)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.owner.fail.clear()
        self.say(data)
        self.assertEqual(self.owner.calls[-1][0], "event")

    def test_failing_owner_twice(self) -> None:
        """When not even that can be taken, the connection is dropped and comes back: a gap is known
        for what it is."""
        self.established()
        self.owner.fail |= {"event", "not_understood"}
        self.say(frame("Some", {}))
        self.assertEqual(self.reasons(), ["a frame could not be taken"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertGreater(self.next_attempt(), 0)


class TalkTests(ConnectionCase):
    """The protocol's own events."""

    def test_ping(self) -> None:
        """A ping is answered, on either level; nobody else hears of it."""
        self.established()
        self.say(plain("pusher:ping", {}, None))
        self.assertEqual(self.server.got, [{"event": "pusher:pong", "data": {}}])
        self.server.sendPing(b"are you there")
        self.pump.flush()
        self.assertEqual(self.server.pongs, 1)
        self.assertEqual(self.owner.calls, [])

    def test_subscribing(self) -> None:
        """A subscription is asked for, and its answer reported with the channel."""
        self.established()
        self.client.subscribe(CHANNEL)
        self.pump.flush()
        expected = {"event": "pusher:subscribe", "data": {"auth": "", "channel": CHANNEL}}
        self.assertEqual(self.server.got, [expected])
        self.say(acknowledgement())
        self.assertEqual(self.owner.calls, [("subscribed", CHANNEL)])

    def test_refused_subscription(self) -> None:
        """A refusal is reported in the server's words, whichever name it has."""
        self.established()
        words = '{"type":"AuthError","error":"nope","status":401}'
        for name in ("pusher_internal:subscription_error", "pusher:subscription_error"):
            self.say(plain(name, words, "private-thing.1"))
        expected = ("subscription_refused", "private-thing.1", "AuthError nope 401")
        self.assertEqual(self.owner.calls, [expected, expected])

    def test_asking_twice(self) -> None:
        """The server's complaint about a second subscription says that there is one."""
        self.established()
        message = f"Existing subscription to channel {CHANNEL}"
        self.say(plain(pusher.ERROR, {"code": None, "message": message}, None))
        self.assertEqual(self.owner.calls, [("subscribed", CHANNEL)])

    def test_harmless_errors(self) -> None:
        """An error without a code, or about one request, is logged once and costs nothing."""
        self.established()
        self.say(*[plain(pusher.ERROR, {"code": None, "message": f"n {n}"}, None) for n in range(5)])
        self.say(plain(pusher.ERROR, {"code": 4301, "message": "slow down"}, None))
        self.assertEqual(self.owner.calls, [])
        self.assertEqual(self.warnings(), ["kick: the server says: {message}"])
        self.say(frame("Some", {}))
        self.assertEqual(len(self.owner.calls), 1)

    def test_unknown_talk(self) -> None:
        """Events of the protocol that nobody knows yet are neither records nor errors."""
        self.established()
        self.say(plain("pusher:cache_miss", None), plain("pusher_internal:subscription_count", {"n": 1}))
        self.assertEqual(self.owner.calls, [])

    def test_giving_up_a_channel(self) -> None:
        """Unsubscribing tells the server."""
        self.established()
        self.client.unsubscribe(CHANNEL)
        self.pump.flush()
        self.assertEqual(self.server.got, [{"event": "pusher:unsubscribe", "data": {"channel": CHANNEL}}])

    def test_nothing_is_sent_when_closed(self) -> None:
        """Asking on a connection that is closing or gone does nothing."""
        self.established()
        self.client.close("over")
        self.client.subscribe(CHANNEL)
        self.client.unsubscribe(CHANNEL)
        self.pump.flush()
        self.client.subscribe(CHANNEL)
        self.assertEqual(self.server.got, [])
        self.assertEqual(self.reasons(), ["over"])

    def test_failing_owner(self) -> None:
        """An owner that fails to take a welcome costs the connection, which comes back."""
        self.owner.fail.add("connected")
        self.open()
        self.say(WELCOME)
        self.assertEqual(self.reasons(), ["could not take pusher:connection_established"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertGreater(self.next_attempt(), 0)


class SettlingTests(ConnectionCase):
    """When a connection begins to be read once a tick."""

    def test_after_the_last_answer(self) -> None:
        """Once, when every subscription is answered, one way or the other."""
        self.established()
        self.assertEqual(self.settled, [])
        for channel in ("a", "b", "c"):
            self.client.subscribe(channel)
        self.say(acknowledgement("a"), plain("pusher_internal:subscription_error", "{}", "b"))
        self.assertEqual(self.settled, [])
        self.say(acknowledgement("c"))
        self.assertEqual(self.settled, [self.client.transport])
        self.client.subscribe("d")
        self.say(acknowledgement("d"))
        self.assertEqual(len(self.settled), 1)

    def test_given_up_channel(self) -> None:
        """A channel that is given up is not waited for."""
        self.established()
        self.client.subscribe("a")
        self.client.subscribe("b")
        self.say(acknowledgement("a"))
        self.client.unsubscribe("b")
        self.assertEqual(len(self.settled), 1)

    def test_answer_that_never_comes(self) -> None:
        """An answer is not waited for longer than half a minute."""
        self.established()
        self.client.subscribe("a")
        self.tick(29)
        self.assertEqual(self.settled, [])
        self.tick(1)
        self.assertEqual(len(self.settled), 1)

    def test_goodbyes_are_read(self) -> None:
        """Whoever says goodbye first, the connection is read as it comes again."""
        self.established()
        self.client.close("over")
        self.assertEqual(self.closing, [self.client.transport])
        self.pump.flush()
        self.established()
        self.server.sendClose(4200, "restart")
        self.pump.pump()
        self.assertEqual(self.closing[-1], self.client.transport)


class KeepaliveTests(ConnectionCase):
    """How a dead path is found."""

    def pings(self) -> int:
        """How many pings the server got."""
        self.pump.pump()
        return sum(1 for frame in self.server.got if frame["event"] == "pusher:ping")

    def test_ping_after_silence(self) -> None:
        """A quiet connection is pinged after half a minute, and again after the next."""
        self.established()
        self.tick(29)
        self.assertEqual(self.pings(), 0)
        self.tick(1)
        self.assertEqual(self.pings(), 1)
        self.say(plain("pusher:pong", "{}", None))
        self.tick(29)
        self.assertEqual(self.pings(), 1)
        self.tick(1)
        self.assertEqual(self.pings(), 2)
        self.assertEqual(self.owner.calls, [])

    def test_shorter_activity_timeout(self) -> None:
        """Where the server wants to hear from us more often, it does."""
        self.open()
        self.say(frame(pusher.ESTABLISHED, {"activity_timeout": 10}, None))
        self.tick(9)
        self.assertEqual(self.pings(), 0)
        self.tick(1)
        self.assertEqual(self.pings(), 1)

    def test_no_ping_while_there_is_talk(self) -> None:
        """A connection on which anything arrives is not pinged."""
        self.established()
        for _ in range(10):
            self.tick(20)
            self.say(frame("Some", {}))
        self.assertEqual(self.pings(), 0)

    def test_dead_path(self) -> None:
        """Half a minute after an unanswered ping the connection is lost; the owner learns how long ago
        the last byte came."""
        self.established()
        self.tick(59)
        self.pump.pump()
        self.assertEqual(self.owner.calls, [])
        self.tick(1)
        self.pump.flush()
        self.assertEqual(self.owner.calls, [("lost", 60.0, "connection lost", Closing.BACK_OFF)])
        self.assertEqual(len(self.server.got), 1)

    def test_any_byte_counts(self) -> None:
        """Any byte answers a ping, even half of a frame."""
        self.established()
        self.tick(45)
        self.client.dataReceived(b"\x81")
        self.assertEqual(self.client.last_heard, self.clock.seconds())
        self.tick(29)
        self.pump.flush()
        self.assertEqual(self.owner.calls, [])


class EndTests(ConnectionCase):
    """How a connection ends."""

    def test_server_closes(self) -> None:
        """The code decides the class, and code and text are the reason."""
        for code, closing in (
            (4001, Closing.REFUSED),
            (4100, Closing.BACK_OFF),
            (4200, Closing.AT_ONCE),
            (4301, Closing.BACK_OFF),
            (1000, Closing.BACK_OFF),
        ):
            self.established()
            self.clock.advance(3)
            self.server.sendClose(code, "some\nreason")
            self.pump.flush()
            self.assertEqual(
                self.owner.calls, [("lost", 0.0, f"closed by the server: {code} some?reason", closing)]
            )
            self.assertIsNone(self.factory.connection)
            self.clock.advance(2000)

    def test_server_closes_without_a_code(self) -> None:
        """A goodbye without a code is a plain loss."""
        self.established()
        self.client.dataReceived(b"\x88\x00")
        self.tick(1)
        self.pump.flush()
        self.assertEqual(self.reasons(), ["closed by the server"])
        self.assertEqual(self.losses(), [Closing.BACK_OFF])

    def test_invalid_close_code(self) -> None:
        """A goodbye with a code that there cannot be is a plain loss as well."""
        self.established()
        self.raw(b"\x88\x02\x13\x88")
        self.assertEqual(self.losses(), [Closing.BACK_OFF])

    def test_server_closes_and_stays(self) -> None:
        """A server that says goodbye and keeps the connection open is not waited for."""
        self.established()
        self.client.dataReceived(b"\x88\x02\x0f\xa1")
        self.assertFalse(self.pump.clientIO.disconnecting)
        self.tick(1)
        self.assertTrue(self.pump.clientIO.disconnecting)
        self.pump.flush()
        self.assertEqual(self.reasons(), ["closed by the server: 4001"])
        self.assertEqual(self.losses(), [Closing.REFUSED])

    def test_connection_is_cut(self) -> None:
        """A connection that is just gone is lost, with the class of plain losses."""
        self.established()
        self.clock.advance(7)
        self.pump.serverIO.loseConnection()
        self.pump.flush()
        self.assertEqual(self.owner.calls, [("lost", 7.0, "connection lost", Closing.BACK_OFF)])

    def test_certificate(self) -> None:
        """What TLS does not like is the reason."""
        self.raw_open()
        self.client.connectionLost(Failure(ValueError("the certificate is for another host")))
        self.ended(Failure(ConnectionDone()))
        self.assertEqual(self.reasons(), ["connection lost: the certificate is for another host"])

    def test_error_with_a_code(self) -> None:
        """An error with a code of the first three classes ends the connection with that class, though
        the goodbye has another code."""
        for code, closing in ((4001, Closing.REFUSED), (4100, Closing.BACK_OFF), (4201, Closing.AT_ONCE)):
            self.established()
            self.say(plain(pusher.ERROR, {"code": code, "message": "because"}, None))
            self.assertEqual(
                self.owner.calls, [("lost", 0.0, f"error from the server: {code} because", closing)]
            )
            self.clock.advance(2000)

    def test_close(self) -> None:
        """Closing says goodbye with code 1000 and is over when the server has said it too."""
        self.established()
        self.client.close("no longer needed")
        self.pump.flush()
        self.assertEqual(self.server.close_code, 1000)
        self.assertEqual(self.reasons(), ["no longer needed"])

    def test_close_is_bounded(self) -> None:
        """A server that does not answer a goodbye is waited for half a second."""
        self.established()
        self.client.close("no longer needed")
        self.clock.advance(0.49)
        self.assertFalse(self.pump.clientIO.disconnecting)
        self.clock.advance(0.02)
        self.assertTrue(self.pump.clientIO.disconnecting)

    def test_events_until_the_end(self) -> None:
        """What arrives between our goodbye and the server's is still taken."""
        self.established()
        self.server.sendMessage(frame("Some", {}))
        self.client.close("no longer needed")
        self.pump.flush()
        self.assertEqual([call[0] for call in self.owner.calls], ["event", "lost"])


class ComingBackTests(ConnectionCase):
    """When the next attempt is made."""

    def lose(self, after: float = 0.0, welcome: bool = True) -> float:
        """A connection that is lost ``after`` seconds; the seconds until the next attempt."""
        self.open()
        if welcome:
            self.say(WELCOME)
        self.clock.advance(after)
        self.pump.serverIO.loseConnection()
        self.pump.flush()
        return self.attempt()

    def closed(self, code: int) -> float:
        """A connection that the server closes; the seconds until the next attempt."""
        self.established()
        self.server.sendClose(code)
        self.pump.flush(advanceClock=False)
        return self.attempt()

    def attempt(self) -> float:
        """Wait for the next attempt, which must come; the seconds until it."""
        delay = self.next_attempt()
        before = self.connector.attempts
        self.clock.advance(delay)
        self.assertEqual(self.connector.attempts, before + 1)
        return delay

    def test_cannot_connect(self) -> None:
        """Attempts that fail are made again after delays that double up to a minute."""
        delays = []
        for _ in range(8):
            self.factory.clientConnectionFailed(
                self.connector,  # type: ignore[arg-type]
                Failure(ConnectionRefusedError("no\nway")),
            )
            delays.append(self.attempt())
        self.assertEqual(delays, [1, 2, 4, 8, 16, 32, 60, 60])
        self.assertEqual(len(set(self.reasons())), 1)
        self.assertTrue(self.reasons()[0].startswith("cannot connect: "))
        self.assertNotIn("\n", self.reasons()[0])
        self.assertEqual(self.losses(), [Closing.BACK_OFF] * 8)

    def test_welcome_alone_resets_nothing(self) -> None:
        """A server that welcomes us and drops us gets growing delays too."""
        self.assertEqual([self.lose(5.0) for _ in range(4)], [1, 2, 4, 8])

    def test_no_welcome_resets_nothing(self) -> None:
        """Neither does a long connection without a welcome reset the delay."""
        self.assertEqual([self.lose(100.0, welcome=False) for _ in range(3)], [1, 2, 4])

    def test_stable_connection_resets(self) -> None:
        """After a minute of connection the delays start over."""
        self.assertEqual([self.lose(1.0) for _ in range(3)], [1, 2, 4])
        self.assertEqual(self.lose(60.0), 1)
        self.assertEqual(self.lose(1.0), 2)

    def test_at_once(self) -> None:
        """Asked to come back at once, it does; asked again within ten seconds, it takes its time."""
        self.assertEqual(self.closed(4200), 0)
        self.assertEqual(self.closed(4201), 1)
        self.assertEqual(self.closed(4202), 2)
        self.clock.advance(10)
        self.assertEqual(self.closed(4200), 0)

    def test_refused(self) -> None:
        """A refusal is retried after fifteen minutes at most, and the log says once what to do."""
        self.assertEqual([self.closed(4001) for _ in range(3)], [900, 900, 900])
        (line,) = self.warnings()
        self.assertIn("kick.server", line)

    def test_refusal_that_comes_back(self) -> None:
        """After a stable connection the next refusal is news again."""
        self.closed(4001)
        self.lose(60.0)
        self.closed(4001)
        self.assertEqual(len(self.warnings()), 2)

    def test_refused_delay(self) -> None:
        """The wait after a refusal is between five and fifteen minutes."""
        asked: list[tuple[float, float]] = []

        def uniform(least: float, most: float) -> float:
            asked.append((least, most))
            return least

        self.factory._uniform = uniform
        self.assertEqual(self.closed(4003), 300)
        self.assertEqual(asked, [(300.0, 900.0)])

    def test_failing_owner(self) -> None:
        """An owner that fails to take note of a loss does not keep the connection from coming back."""
        self.owner.fail.add("lost")
        self.assertEqual(self.lose(1.0), 1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_stop_trying_in_lost(self) -> None:
        """An owner may end the attempts when it hears of a loss."""
        self.established()
        self.owner.lost = lambda *what: self.factory.stopTrying()  # type: ignore[method-assign]
        self.connector.disconnect = lambda: None  # type: ignore[method-assign]
        self.connector.stopConnecting = lambda: None  # type: ignore[attr-defined]
        self.pump.serverIO.loseConnection()
        self.pump.flush()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_autobahn_says_nothing(self) -> None:
        """Attempts that fail in every way leave no line of the WebSocket library in the log."""
        self.lose(1.0, welcome=False)
        self.raw_open()
        self.raw(b"HTTP/1.1 500 Oops\r\n\r\n")
        self.attempt()
        self.established()
        self.raw(b"\xff\xff\xff\xff")
        self.assertEqual(self.warnings(), [])


class StoppingTests(ConnectionCase):
    """Stopping for good."""

    def tearDown(self) -> None:
        """Nothing may be left to happen."""
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.connector.attempts, 0)

    def test_connected(self) -> None:
        """Stopping says goodbye, and is done when the connection is gone."""
        self.established()
        stopped = self.factory.stop()
        self.assertNoResult(stopped)
        self.pump.flush()
        self.assertIsNone(self.successResultOf(stopped))
        self.assertEqual(self.server.close_code, 1000)
        self.assertEqual(self.reasons(), ["stopped"])

    def test_server_is_deaf(self) -> None:
        """Stopping takes no longer than half a second when the server does not answer."""
        self.established()
        stopped = self.factory.stop()
        self.clock.advance(0.5)
        self.assertTrue(self.pump.clientIO.disconnecting)
        self.pump.flush()
        self.successResultOf(stopped)

    def test_twice(self) -> None:
        """Stopping twice is fine."""
        self.established()
        first, second = self.factory.stop(), self.factory.stop()
        self.pump.flush()
        self.successResultOf(first)
        self.successResultOf(second)

    def test_before_the_handshake(self) -> None:
        """A connection without a handshake is ended at once."""
        self.raw_open()
        stopped = self.factory.stop()
        self.assertTrue(self.pump.clientIO.disconnecting)
        self.pump.flush()
        self.successResultOf(stopped)

    def test_while_connecting(self) -> None:
        """An attempt under way is given up."""
        self.successResultOf(self.factory.stop())
        self.assertFalse(self.connector.connecting)

    def test_while_waiting(self) -> None:
        """An attempt that was to come does not come."""
        self.established()
        self.pump.serverIO.loseConnection()
        self.pump.flush()
        self.assertGreater(self.next_attempt(), 0)
        self.successResultOf(self.factory.stop())

    def test_before_anything(self) -> None:
        """A factory that was never connected can be stopped."""
        factory = KickFactory(self.owner, "ws://127.0.0.1:9/app/k", self.clock, lambda: 0.0)
        self.successResultOf(factory.stop())
