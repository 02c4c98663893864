"""The server as a service: where it listens, and that nothing about it stops the recorder."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.error import CannotListenError
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from chatlog.config.settings import HttpSettings, Secret
from chatlog.http.server import AGAIN, HttpServer


class TakenReactor(MemoryReactorClock):
    """A reactor whose ports are taken as long as ``taken`` says why."""

    taken: Exception | None = None

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        if self.taken is not None:
            raise self.taken
        return super().listenTCP(port, factory, backlog, interface)


class ServerCase(SynchronousTestCase):
    """A server on a reactor in memory."""

    def setUp(self) -> None:
        self.reactor = TakenReactor()
        capturing = capturedLogs()
        self.logged = capturing.__enter__()
        self.addCleanup(capturing.__exit__, None, None, None)

    def serve(self, listen: str, token: str | None = None) -> HttpServer:
        """A server that is started."""
        settings = HttpSettings(listen=listen, token=Secret(token) if token else None)
        server = HttpServer(settings, self.reactor, Resource())
        server.startService()
        return server

    def lines(self, level: LogLevel) -> list[str]:
        """What was logged on a level."""
        return [
            event["log_format"].format(**event)
            for event in self.logged
            if event["log_level"] is level and event["log_namespace"].startswith("chatlog.http")
        ]


class ListenTests(ServerCase):
    """Where it listens."""

    def test_address(self) -> None:
        """On the configured address and port, of either kind of address, and the log says where."""
        for listen, expected in (
            ("127.0.0.1:8080", (8080, "127.0.0.1")),
            ("[::1]:81", (81, "::1")),
            ("0.0.0.0:82", (82, "0.0.0.0")),
        ):
            self.serve(listen, "token")
            port, _, _, interface = self.reactor.tcpServers[-1]
            self.assertEqual((port, interface), expected)
        self.assertEqual(len(self.lines(LogLevel.info)), 3)
        self.assertEqual(self.lines(LogLevel.error), [])

    def test_public_without_token(self) -> None:
        """Whoever lets others read without having thought of a token is warned once; not if only this
        machine can read, nor with a token."""
        self.serve("127.0.0.1:8080")
        self.serve("localhost:8080")
        self.serve("0.0.0.0:8080", "token")
        self.assertEqual(self.lines(LogLevel.warn), [])
        self.serve("0.0.0.0:8080")
        [line] = self.lines(LogLevel.warn)
        self.assertIn("0.0.0.0:8080", line)
        self.assertIn("http.token", line)

    def test_token_is_not_logged(self) -> None:
        """The token is in no line."""
        self.serve("0.0.0.0:8080", "the-token-itself")
        self.assertNotIn("the-token-itself", repr(self.logged))


class TakenTests(ServerCase):
    """A port that another program uses."""

    def test_retried(self) -> None:
        """A port that is taken stops nothing: one error says so, however often it is tried, and when it is
        free the page is there."""
        taken = CannotListenError("127.0.0.1", 8080, OSError(98, "Address already in use"))
        self.reactor.taken = taken
        server = self.serve("127.0.0.1:8080")
        self.assertIsNone(server.port)
        self.reactor.pump([AGAIN] * 10)
        [line] = self.lines(LogLevel.error)
        self.assertIn("127.0.0.1:8080", line)
        self.assertIn("Address already in use", line)
        self.assertEqual(self.lines(LogLevel.info), [])
        self.reactor.taken = None
        self.reactor.advance(AGAIN)
        self.assertIsNotNone(server.port)
        self.assertEqual(len(self.lines(LogLevel.info)), 1)

    def test_other_errors(self) -> None:
        """The same for an address that this machine does not have, or an unknown name."""
        for error in (OSError(99, "Cannot assign requested address"), socket.gaierror(-2, "Name not known")):
            self.reactor.taken = error
            server = self.serve("192.0.2.1:8080", "token")
            self.assertIsNone(server.port)
        first, second = self.lines(LogLevel.error)
        self.assertIn("Cannot assign requested address", first)
        self.assertIn("Name not known", second)

    def test_stopped_while_waiting(self) -> None:
        """When the recorder stops, it is not tried any more."""
        self.reactor.taken = CannotListenError("127.0.0.1", 8080, OSError(98, "Address already in use"))
        server = self.serve("127.0.0.1:8080")
        self.successResultOf(server.stopService())
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_really_taken(self) -> None:
        """With real sockets as well."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            number = other.getsockname()[1]

            class Real(Clock):
                listenTCP = staticmethod(reactor.listenTCP)

            clock = Real()
            server = HttpServer(HttpSettings(listen=f"127.0.0.1:{number}"), clock, Resource())
            server.startService()
            self.assertIsNone(server.port)
            self.assertEqual(len(self.lines(LogLevel.error)), 1)
            self.assertIn(str(number), self.lines(LogLevel.error)[0])
            server.stopService()


class StopTests(ServerCase):
    """The end."""

    def test_stop(self) -> None:
        """It stops at once, and ends every connection."""
        server = self.serve("127.0.0.1:8080")
        factory = self.reactor.tcpServers[0][1]

        transport = StringTransport()
        protocol: Any = factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 4000))
        protocol.makeConnection(transport)
        self.successResultOf(server.stopService())
        self.assertTrue(transport.disconnected)
        self.assertIsNone(server.port)
        self.assertLess(server.stop_limit, 1)
