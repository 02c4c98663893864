"""Connecting to Kick's Pusher server, coming back, stopping."""

from __future__ import annotations

import json
from typing import Any

import trustme
from autobahn.twisted.websocket import WebSocketServerFactory
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.ssl import DefaultOpenSSLContextFactory
from twisted.internet.task import LoopingCall
from twisted.internet.testing import MemoryReactor
from twisted.protocols.policies import WrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from chatlog import __version__
from chatlog.kick.client import KickFactory, address, connect
from chatlog.network import pacing
from chatlog.network.tls import tls_wrapper
from chatlog.rooms.closing import Closing
from tests.fakes import environment
from tests.kick import CHANNEL, frame
from tests.kick.wire import WELCOME, ConnectionCase, PusherServer, RecordingOwner, acknowledgement


class Around(WrappingFactory):
    """What lies between TCP and TLS."""


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
        self.assertIsNone(self.client.welcomed_at)
        self.say(WELCOME, WELCOME)
        self.assertEqual(self.owner.calls, [("welcomed",)])
        self.assertIsNotNone(self.client.welcomed_at)
        self.assertIs(self.factory.chat, self.client)

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
        self.assertIs(connect(reactor, self.factory, Around), self.factory)
        outer: Any
        host, port, outer, timeout, _ = reactor.tcpClients[0]
        self.assertEqual((host, port, timeout), ("127.0.0.1", 9, 20))
        self.assertIsInstance(outer, Around)
        self.assertIs(outer.wrappedFactory, self.factory)

    def test_connect_with_tls(self) -> None:
        """TLS lies inside of what the caller puts around, on the default port."""
        factory = self.new_factory("wss://a.example/app/k")
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
        factory = self.new_factory("wss://a.example/app/k")
        reactor = MemoryReactor()
        error = self.assertRaises(ValueError, connect, reactor, factory, Around)
        self.assertIn("a.example", str(error))
        self.assertEqual(reactor.tcpClients, [])


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
        """Asked to come back at once, it does, half a second later at most; asked again within ten seconds,
        it takes its time."""
        self.assertEqual(self.closed(4200), 0.5)
        self.assertEqual(self.closed(4201), 1)
        self.assertEqual(self.closed(4202), 2)
        self.clock.advance(10)
        self.assertEqual(self.closed(4200), 0.5)
        self.clock.advance(9)
        self.assertEqual(self.closed(4200), 4)

    def test_full_server(self) -> None:
        """A server that is full is not asked again before a second has passed, however the dice fall, and
        then more and more slowly, also if the next attempts do not get through to it."""
        self.jitter = lambda least, most: least
        self.assertEqual([self.closed(code) for code in (4100, 4199, 4301, 4100)], [1, 1, 2, 4])
        self.lose(60.0)
        self.assertEqual(self.closed(4100), 1)
        self.factory.clientConnectionFailed(
            self.connector,  # type: ignore[arg-type]
            Failure(ConnectionRefusedError()),
        )
        self.assertGreaterEqual(self.attempt(), 1)

    def test_refused(self) -> None:
        """A refusal is retried after five to fifteen minutes."""
        self.assertEqual([self.closed(4001) for _ in range(3)], [600, 900, 900])
        self.jitter = lambda least, most: least
        self.lose(60.0)
        self.assertEqual(self.closed(4003), 300)

    def test_failing_owner(self) -> None:
        """An owner that fails to take note of a loss does not keep the connection from coming back."""
        self.owner.fail.add("lost")
        self.assertEqual(self.lose(1.0), 1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_stop_trying_in_lost(self) -> None:
        """An owner may end the attempts when it hears of a loss."""
        self.established()
        self.owner.ended = lambda *what: self.factory.stopTrying()  # type: ignore[method-assign]
        self.connector.connecting = False
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
        factory = self.new_factory()
        self.successResultOf(factory.stop())


class GreetingServer(PusherServer):
    """Welcomes whoever comes, and acknowledges what is asked for."""

    def onOpen(self) -> None:
        self.sendMessage(WELCOME)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.sendMessage(acknowledgement(json.loads(payload)["data"]["channel"]))
        self.sendMessage(frame("Some", {}))


class WaitingOwner(RecordingOwner):
    """Fires ``done`` at the first loss, or at the first event."""

    def __init__(self) -> None:
        super().__init__()
        self.done: Deferred[None] = Deferred()

    def _took(self, name: str, *values: Any) -> None:
        super()._took(name, *values)
        if name in ("lost", "event") and not self.done.called:
            self.done.callback(None)


class TlsTests(TestCase):
    """The real thing on loopback: TCP, pacing, TLS, WebSocket."""

    def setUp(self) -> None:
        self.authority = trustme.CA()
        self.ca_file = self.mktemp()
        self.authority.cert_pem.write_to_path(self.ca_file)
        self.owner = WaitingOwner()
        self.pacer = pacing.Pacer(reactor)

    async def meet(self, name: str, ca_file: str | None) -> list[tuple[Any, ...]]:
        """What the owner hears from a connection to a server whose certificate is for ``name``."""
        path = self.mktemp()
        self.authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(path)
        servers = WebSocketServerFactory("wss://localhost", reactor=reactor)
        servers.protocol = GreetingServer
        servers.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=0)
        options = DefaultOpenSSLContextFactory(path, path)
        secure: Any = TLSMemoryBIOFactory(options, False, servers)
        port: Any = reactor.listenTCP(0, secure, interface="127.0.0.1")
        server = f"wss://localhost:{port.getHost().port}/app/k"
        factory = KickFactory(self.owner, server, self.owner, self.owner, environment(reactor, lambda: 0.0))
        ticks = LoopingCall(self.pacer.tick)
        ticks.start(0.02)
        tls = tls_wrapper("localhost", ca_file)
        connect(reactor, factory, lambda inner: pacing.Paced(inner, self.pacer), tls)
        self.owner.welcomed = lambda: factory.chat.subscribe([CHANNEL])  # type: ignore
        try:
            await self.owner.done
        finally:
            await factory.stop()
            ticks.stop()
            await port.stopListening()
        return self.owner.calls

    async def test_recording(self) -> None:
        """Subscriptions are answered and events arrive, read once a tick; stopping ends it."""
        calls = await self.meet("localhost", self.ca_file)
        self.assertEqual([call[0] for call in calls], ["acknowledged", "event", "lost"])
        self.assertEqual(calls[2][2:], ("stopped", Closing.BACK_OFF))

    async def test_other_host(self) -> None:
        """A certificate for another host is refused before anything is said, and is the reason."""
        ((name, heard_ago, reason, _),) = await self.meet("other.example", self.ca_file)
        self.assertEqual((name, heard_ago), ("lost", None))
        self.assertIn("certificate is for another name", reason)

    async def test_unknown_authority(self) -> None:
        """So is one that nobody known has signed."""
        ((name, heard_ago, reason, _),) = await self.meet("localhost", None)
        self.assertEqual((name, heard_ago), ("lost", None))
        self.assertIn("certificate", reason)
