"""The HTTP client: its limits, its ways, and what an answer says about coming again."""

from __future__ import annotations

import base64
import tracemalloc
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatlog.network.dialing import Network
from chatlog.network.http import Answer, HttpClient, RequestFailed, http_client
from chatlog.network.proxies import proxies_in

LONGEST = 10.0


class Stubborn(StringTransport):
    """A connection that only an abort ends, like one with TLS."""

    aborted = False

    def loseConnection(self) -> None:
        """The other side does not answer."""

    def abortConnection(self) -> None:
        self.aborted = True


class HttpCase(SynchronousTestCase):
    """A client on a reactor in memory, in an environment."""

    def client(self, **environ: str) -> HttpClient:
        self.reactor: Any = MemoryReactorClock()
        return http_client(Network(self.reactor, proxies_in(environ)[0]))

    def connected(self) -> tuple[Any, Stubborn]:
        """The latest connection that was asked for, made."""
        protocol = self.reactor.tcpClients[-1][2].buildProtocol(None)
        transport = Stubborn()
        protocol.makeConnection(transport)
        return protocol, transport

    def why(self, request: Deferred[Answer]) -> str:
        return str(self.failureResultOf(request, RequestFailed).value)


class RequestTests(HttpCase):
    def ask(self, limit: int = 1000) -> tuple[Deferred[Answer], Any, Stubborn]:
        """A request that is on its way, its connection, and what was sent over it."""
        request = self.client().getter(limit, LONGEST)("http://127.0.0.1:81/somewhere?limit=1")
        return (request, *self.connected())

    def test_answer(self) -> None:
        """Path and query are sent unchanged, with a User-Agent; status and body come back."""
        request, protocol, transport = self.ask()
        self.assertEqual(self.reactor.tcpClients[0][:2], ("127.0.0.1", 81))
        self.assertTrue(transport.value().startswith(b"GET /somewhere?limit=1 HTTP/1.1\r\n"))
        self.assertIn(b"User-Agent: chatlog/", transport.value())
        protocol.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbo")
        self.assertNoResult(request)
        protocol.dataReceived(b"dy")
        self.assertEqual(self.successResultOf(request), Answer(200, b"body", 0.0))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_post(self) -> None:
        """What is posted is sent whole, as JSON."""
        request = self.client().post("http://127.0.0.1:81/hook", b'{"a":1}', 10, LONGEST)
        protocol, transport = self.connected()
        self.assertIn(b"Content-Type: application/json\r\n", transport.value())
        self.assertTrue(transport.value().endswith(b'\r\n\r\n{"a":1}'))
        protocol.dataReceived(b"HTTP/1.1 204 No Content\r\n\r\n")
        self.assertEqual(self.successResultOf(request), Answer(204, b""))

    def test_answer_without_a_length(self) -> None:
        """An answer that ends with its connection is an answer."""
        request, protocol, _ = self.ask()
        protocol.dataReceived(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\nno")
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.successResultOf(request), Answer(403, b"no"))

    def test_redirect(self) -> None:
        """A redirect is an answer, and is not followed."""
        request, protocol, _ = self.ask()
        protocol.dataReceived(
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:82/\r\nContent-Length: 0\r\n\r\n"
        )
        self.assertEqual(self.successResultOf(request), Answer(302, b""))
        self.assertEqual(len(self.reactor.tcpClients), 1)

    def test_cut_answer(self) -> None:
        """An answer that breaks off is no answer; what had come of it is known."""
        request, protocol, _ = self.ask()
        protocol.dataReceived(b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 100\r\n\r\nhalf")
        protocol.connectionLost(Failure(ConnectionDone()))
        error = self.failureResultOf(request, RequestFailed).value
        self.assertEqual((str(error), error.answer), ("the answer broke off", Answer(429, b"", 7.0)))

    def test_no_connection(self) -> None:
        """A server that refuses connections is reported as that."""
        request = self.client().getter(10, LONGEST)("http://127.0.0.1:81/")
        self.reactor.tcpClients[0][2].clientConnectionFailed(None, Failure(ConnectionRefusedError()))
        self.assertEqual(self.why(request), "cannot connect: connection refused")

    def test_lost_before_the_answer(self) -> None:
        """A connection that ends without an answer is reported as that."""
        request, protocol, _ = self.ask()
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.why(request), "the connection broke off before the answer")

    def test_time(self) -> None:
        """A request ends in time, whatever it was waiting for, and leaves nothing behind."""
        for steps in range(3):
            if steps:
                request, protocol, transport = self.ask()
                self.reactor.advance(LONGEST / 2)
                if steps == 2:
                    protocol.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
                self.reactor.advance(LONGEST / 2)
                self.assertTrue(transport.aborted)
            else:
                request = self.client().getter(10, LONGEST)("http://127.0.0.1:81/")
                self.reactor.advance(LONGEST)
            self.assertIn("within 10 s", self.why(request))
            self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_given_up(self) -> None:
        """A request that is cancelled while its answer comes closes the connection."""
        request, protocol, transport = self.ask()
        protocol.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        request.cancel()
        self.failureResultOf(request)
        self.assertTrue(transport.aborted)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_endless_answer(self) -> None:
        """What is longer than the limit is not waited for, and its connection is closed."""
        request, protocol, transport = self.ask(limit=1000)
        protocol.dataReceived(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1000)
        self.assertNoResult(request)
        protocol.dataReceived(b"x")
        self.assertEqual(self.why(request), "an answer of more than 1000 bytes")
        self.assertTrue(transport.aborted)

    def test_nothing_is_kept_of_an_endless_answer(self) -> None:
        """A server that goes on after that costs no memory."""
        request, protocol, _ = self.ask(limit=1000)
        protocol.dataReceived(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1001)
        self.failureResultOf(request, RequestFailed)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for _ in range(100):
            protocol.dataReceived(bytes(100_000))
        self.assertLess(tracemalloc.get_traced_memory()[0], 1_000_000)

    def test_when_to_come_again(self) -> None:
        """A server may say in seconds when it wants to be asked again, or give a date, which counts from the
        date of its answer; what is neither is not understood, and no number is without end."""
        date = b"\r\nDate: Wed, 21 Oct 2026 07:27:30 GMT"
        for said, seconds in (
            (b"120", 120.0),
            (b" 7 ", 7.0),
            (b"0.65", 0.65),
            (b"0", 0.0),
            (b"Wed, 21 Oct 2026 07:28:00 GMT" + date, 30.0),
            (b"Wed, 21 Oct 2026 07:27:00 GMT" + date, 0.0),
            (b"Wed, 21 Oct 2026 07:28:00 GMT", 0.0),
            (b"Wed, 99 Oct 2026 07:28:00 GMT" + date, 0.0),
            (b"-5", 0.0),
            (b"1e9", 0.0),
            (b"nan", 0.0),
            (b"9" * 400, 0.0),
            (b"\xb2", 0.0),
        ):
            request, protocol, _ = self.ask()
            head = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: " + said
            protocol.dataReceived(head + b"\r\nContent-Length: 0\r\n\r\n")
            self.assertEqual(self.successResultOf(request), Answer(429, b"", seconds), said)


class ProxyTests(HttpCase):
    """Requests through a proxy."""

    def test_without_tls(self) -> None:
        """The proxy of HTTP_PROXY is asked for the whole address, with its login, which the server behind it
        does not get to see in the address."""
        client = self.client(HTTP_PROXY="http://ann:pass%40word@192.0.2.7:3128")
        request = client.getter(100, LONGEST)("http://a.example/path")
        self.assertEqual(self.reactor.tcpClients[0][:2], ("192.0.2.7", 3128))
        protocol, transport = self.connected()
        login = base64.b64encode(b"ann:pass@word")
        self.assertTrue(transport.value().startswith(b"GET http://a.example/path HTTP/1.1\r\n"))
        self.assertIn(b"Proxy-Authorization: Basic " + login, transport.value())
        protocol.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        self.assertEqual(self.successResultOf(request), Answer(200, b"ok"))

    def test_with_tls(self) -> None:
        """The proxy of HTTPS_PROXY is asked to connect, and sees neither path nor answer."""
        client = self.client(https_proxy="192.0.2.7:3128")
        request = client.getter(100, LONGEST)("https://a.example/secret")
        protocol, transport = self.connected()
        self.assertTrue(transport.value().startswith(b"CONNECT a.example:443 HTTP/1.1\r\n"))
        protocol.dataReceived(b"HTTP/1.1 403 Forbidden\r\n\r\n")
        self.assertEqual(
            self.why(request),
            "cannot connect: the proxy 192.0.2.7:3128 does not allow a connection to a.example:443 "
            "(403 Forbidden)",
        )
        self.assertNotIn(b"secret", transport.value())

    def test_proxy_that_is_down(self) -> None:
        """It is named, without its password."""
        client = self.client(http_proxy="http://ann:word@192.0.2.7:3128")
        request = client.getter(100, LONGEST)("http://a.example/path")
        self.reactor.tcpClients[0][2].clientConnectionFailed(None, Failure(ConnectionRefusedError()))
        self.assertEqual(self.why(request), "cannot connect: the proxy 192.0.2.7:3128: connection refused")

    def test_login_that_is_not_taken(self) -> None:
        """407 is the proxy's word, and not the server's."""
        client = self.client(http_proxy="http://ann:word@192.0.2.7:3128")
        request = client.getter(100, LONGEST)("http://a.example/path")
        protocol, _ = self.connected()
        protocol.dataReceived(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")
        self.assertIn("the proxy 192.0.2.7:3128 refuses the login in http_proxy", self.why(request))
