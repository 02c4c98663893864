"""One GET: its limits, and what the answer says about coming again."""

from __future__ import annotations

import tracemalloc
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import Agent

from chatlog.network.fetch import Answer, TooLong, http_get


class Stubborn(StringTransport):
    """A connection that ends only when nobody asks the other side, as TLS does."""

    aborted = False

    def loseConnection(self) -> None:
        """The other side does not answer."""

    def abortConnection(self) -> None:
        self.aborted = True


class FetchTests(SynchronousTestCase):
    def ask(self, limit: int = 1000) -> tuple[Deferred[Answer], Any, Stubborn]:
        """A request that is on its way, its connection, and what was sent over it."""
        reactor: Any = MemoryReactorClock()
        request = http_get(Agent(reactor), limit)("http://127.0.0.1:81/somewhere?limit=1")
        protocol = reactor.tcpClients[-1][2].buildProtocol(None)
        transport = Stubborn()
        protocol.makeConnection(transport)
        return request, protocol, transport

    def test_answer(self) -> None:
        """Address and query are asked for as they are; status and body come back."""
        request, protocol, transport = self.ask()
        self.assertTrue(transport.value().startswith(b"GET /somewhere?limit=1 HTTP/1.1\r\n"))
        protocol.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody")
        self.assertEqual(self.successResultOf(request), Answer(200, b"body", 0.0))

    def test_when_to_come_again(self) -> None:
        """A server may say in seconds when it wants to be asked again; what is no such number is not
        understood, and no number is without end."""
        for said, seconds in (
            (b"120", 120.0),
            (b" 7 ", 7.0),
            (b"0", 0.0),
            (b"Wed, 21 Oct 2026 07:28:00 GMT", 0.0),
            (b"-5", 0.0),
            (b"1e9", 0.0),
            (b"9" * 400, 0.0),
            (b"\xb2", 0.0),
        ):
            request, protocol, _ = self.ask()
            head = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: " + said
            protocol.dataReceived(head + b"\r\nContent-Length: 0\r\n\r\n")
            self.assertEqual(self.successResultOf(request), Answer(429, b"", seconds), said)

    def test_endless_answer(self) -> None:
        """What is longer than the limit is not waited for, and its connection is closed."""
        request, protocol, transport = self.ask(limit=1000)
        protocol.dataReceived(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1000)
        self.assertNoResult(request)
        protocol.dataReceived(b"x")
        self.failureResultOf(request, TooLong)
        self.assertTrue(transport.aborted)

    def test_nothing_is_kept_of_an_endless_answer(self) -> None:
        """A server that goes on after that costs no memory."""
        request, protocol, _ = self.ask(limit=1000)
        protocol.dataReceived(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1001)
        self.failureResultOf(request, TooLong)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for _ in range(100):
            protocol.dataReceived(bytes(100_000))
        self.assertLess(tracemalloc.get_traced_memory()[0], 1_000_000)
