"""Connections through a proxy, byte by byte."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IProtocol
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatlog.network.dialing import Network
from chatlog.network.errors import CannotConnect
from chatlog.network.proxies import proxies_in
from chatlog.network.tunnel import ANSWER_LIMIT

PROXY = "http://zoe:word@192.0.2.7:3128"


class Inner(Protocol):
    """What speaks through the tunnel."""

    def __init__(self) -> None:
        self.got = b""
        self.lost: list[Failure] = []

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"hello")

    def dataReceived(self, data: bytes) -> None:
        self.got += data

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        self.lost.append(reason)


class Aborting(StringTransport):
    """A connection that ends when it is asked to."""

    protocol: Any = None
    aborted = False

    def abortConnection(self) -> None:
        if not self.aborted:
            self.aborted = True
            self.protocol.connectionLost(Failure(ConnectionAborted()))


class TunnelCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        network = Network(self.reactor, proxies_in({"HTTPS_PROXY": PROXY})[0])
        factory = ClientFactory.forProtocol(Inner)
        self.opened: Deferred[IProtocol] = network.endpoint("ircs", "a.example", 6697, 20.0).connect(factory)
        self.outer: Any = self.reactor.tcpClients[0][2].buildProtocol(None)
        self.transport = Aborting()
        self.transport.protocol = self.outer

    def connect(self) -> None:
        self.outer.makeConnection(self.transport)

    def why(self) -> str:
        return str(self.failureResultOf(self.opened, CannotConnect).value)


class OpenTests(TunnelCase):
    def test_byte_by_byte(self) -> None:
        """The proxy is told where to connect and who asks; what comes after its answer is the server's, to
        the byte, however it is cut."""
        self.connect()
        asked = self.transport.value()
        self.assertTrue(asked.startswith(b"CONNECT a.example:6697 HTTP/1.1\r\nHost: a.example:6697\r\n"))
        self.assertIn(b"\r\nProxy-Authorization: Basic em9lOndvcmQ=\r\n", asked)
        self.assertTrue(asked.endswith(b"\r\n\r\n"))
        self.transport.clear()
        answer = (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Connection established\r\nVia: x\r\n\r\nHTTP/1.1 hi"
        )
        for position in range(len(answer)):
            self.outer.dataReceived(answer[position : position + 1])
        inner: Any = self.successResultOf(self.opened)
        self.assertEqual((inner.got, self.transport.value()), (b"HTTP/1.1 hi", b"hello"))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_all_at_once(self) -> None:
        """An answer that comes together with the server's first words."""
        self.connect()
        self.outer.dataReceived(b"HTTP/1.0 200 OK\r\n\r\nfirst")
        self.outer.dataReceived(b" second")
        inner: Any = self.successResultOf(self.opened)
        self.assertEqual(inner.got, b"first second")
        self.outer.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(len(inner.lost), 1)


class RefusedTests(TunnelCase):
    def test_answers(self) -> None:
        """Whatever the proxy answers, there is one sentence that names it and never its password."""
        for answer, part in (
            (
                b"HTTP/1.1 407 Who\r\n\r\n",
                "does not take the user name and password",
            ),
            (
                b"HTTP/1.1 403 Forbidden\r\nX: 9\r\n\r\n",
                "does not allow a connection to a.example:",
            ),
            (b"HTTP/1.1 502 Bad Gateway\r\n\r\n<html>", "cannot reach a.example:6697 (502 Bad Gateway)"),
            (b"HTTP/1.1 504\r\n\r\n", "cannot reach a.example:6697 (504)"),
            (b"HTTP/1.1 301 \x1b[31m\xff\r\n\r\n", "does not connect to a.example:6697 (301"),
            (b"HTTP/1.1 20 OK\r\n\r\n", "is not an HTTP proxy"),
            (b"SSH-2.0-OpenSSH_9.6\r\n", "is not an HTTP proxy"),
            (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * ANSWER_LIMIT, "is not an HTTP proxy"),
            (b"", "closed the connection"),
        ):
            self.setUp()
            self.connect()
            if answer:
                self.outer.dataReceived(answer)
                self.assertTrue(self.transport.aborted)
            else:
                self.outer.connectionLost(Failure(ConnectionDone()))
            why = self.why()
            self.assertIn(part, why)
            self.assertIn("192.0.2.7:3128", why)
            self.assertNotIn("\x1b", why)
            for secret in ("word@", "zoe", "em9l"):
                self.assertNotIn(secret, why)

    def test_no_answer(self) -> None:
        """A proxy that says nothing is given up in time, and nothing stays behind."""
        self.connect()
        self.reactor.advance(20)
        self.assertEqual(self.why(), "the proxy 192.0.2.7:3128 has not connected a.example:6697 within 20 s")
        self.assertTrue(self.transport.aborted)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_cancelled(self) -> None:
        """An attempt that is given up leaves nothing behind, before and after the proxy was reached."""
        self.opened.cancel()
        self.failureResultOf(self.opened)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.setUp()
        self.connect()
        self.opened.cancel()
        self.failureResultOf(self.opened)
        self.assertTrue(self.transport.aborted)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
