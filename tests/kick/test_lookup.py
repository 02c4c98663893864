"""One question to Kick's site about a channel, and what its answer says."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import Agent

from chatlog.kick.lookup import ANSWER_LIMIT, LookupRefused, http_get, ids_in
from tests.kick import lookup_answer as answer


class AnswerTests(SynchronousTestCase):
    """What an answer says."""

    def test_ids(self) -> None:
        """Ids may be numbers or strings, and the channel's may be in either place or nowhere."""
        for body, expected in (
            (answer(), (7001, 7000)),
            (answer("7001", "7000"), (7001, 7000)),
            (b'{"chatroom":{"id":3,"channel_id":4}}', (3, 4)),
            (b'{"id":4,"chatroom":{"id":3}}', (3, 4)),
            (b'{"id":"x","chatroom":{"id":3,"channel_id":null}}', (3, None)),
        ):
            self.assertEqual(ids_in(200, body), expected)

    def test_words_that_were_cut(self) -> None:
        """Half of a surrogate pair anywhere in the answer, or a byte order mark in front of it, does not
        hide the ids."""
        body = b'{"user":{"bio":"cut \\ud83d"},"\\udc00":1,"id":4,"chatroom":{"id":3}}'
        self.assertEqual(ids_in(200, body), (3, 4))
        self.assertEqual(ids_in(200, b"\xef\xbb\xbf" + body), (3, 4))

    def test_refusals(self) -> None:
        """Everything else is refused with one line that says what came."""
        for status, body, reason in (
            (403, b'{"error":"Request blocked by security policy."}', "HTTP 403: Request blocked by"),
            (403, b"<!DOCTYPE html><title>Just a moment...</title>", "HTTP 403: a web page"),
            (200, b"\n <html>", "HTTP 200: a web page"),
            (429, b"", "HTTP 429"),
            (404, b'{"message":"Not\nfound"}', "HTTP 404"),
            (404, json.dumps({"message": "Not\nfound"}).encode(), "HTTP 404: Not\\nfound"),
            (301, b"", "HTTP 301: it points elsewhere"),
            (500, b"\xff\xfe", "HTTP 500"),
            (200, b"", "HTTP 200: no ids in it"),
            (200, b"{}", "HTTP 200"),
            (200, b"[]", "HTTP 200"),
            (200, b'{"chatroom":[]}', "HTTP 200"),
            (200, b'{"chatroom":{"id":0}}', "HTTP 200"),
            (200, b'{"chatroom":{"id":-5}}', "HTTP 200"),
            (200, b'{"chatroom":{"id":true}}', "HTTP 200"),
            (200, b'{"chatroom":{"id":1.5}}', "HTTP 200"),
            (200, b'{"chatroom":{"id":99999999999999999999}}', "HTTP 200"),
            (403, answer(), "HTTP 403"),
        ):
            error = self.assertRaises(LookupRefused, ids_in, status, body)
            self.assertTrue(str(error).startswith(reason), str(error))
            self.assertTrue(str(error).isprintable())
            self.assertEqual(error.missing, status == 404)

    @settings(max_examples=200, deadline=None)
    @given(st.integers(100, 599), st.binary(max_size=200))
    def test_anything(self, status: int, body: bytes) -> None:
        """No answer makes it raise anything else."""
        try:
            ids_in(status, body)
        except LookupRefused as error:
            self.assertLess(len(str(error)), 300)


class HttpTests(SynchronousTestCase):
    """The question on the wire."""

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.get = http_get(Agent(self.reactor))

    def ask(self) -> tuple[Deferred[tuple[int, bytes]], Any, StringTransport]:
        """A question that is on its way, its connection and what was sent over it."""
        question = self.get("http://127.0.0.1:81/api/some_room")
        host, port, factory = self.reactor.tcpClients[-1][:3]
        self.assertEqual((host, port), ("127.0.0.1", 81))
        protocol = factory.buildProtocol(None)
        transport = StringTransport()
        protocol.makeConnection(transport)
        return question, protocol, transport

    def test_question_and_answer(self) -> None:
        """One GET that says who asks; status and body come back."""
        question, protocol, transport = self.ask()
        sent = transport.value()
        self.assertTrue(sent.startswith(b"GET /api/some_room HTTP/1.1\r\n"))
        self.assertIn(b"User-Agent: chatlog/", sent)
        protocol.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbo")
        self.assertNoResult(question)
        protocol.dataReceived(b"dy")
        self.assertEqual(self.successResultOf(question), (200, b"body"))

    def test_answer_without_a_length(self) -> None:
        """An answer that ends with its connection is an answer."""
        question, protocol, _ = self.ask()
        protocol.dataReceived(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\nno")
        protocol.connectionLost(Failure(ConnectionRefusedError()))
        self.assertEqual(self.successResultOf(question), (403, b"no"))

    def test_redirect(self) -> None:
        """A redirect is an answer, and nobody goes where it points."""
        question, protocol, _ = self.ask()
        protocol.dataReceived(
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:82/\r\nContent-Length: 0\r\n\r\n"
        )
        self.assertEqual(self.successResultOf(question), (302, b""))
        self.assertEqual(len(self.reactor.tcpClients), 1)

    def test_endless_answer(self) -> None:
        """An answer beyond the limit is refused and its connection closed."""
        question, protocol, transport = self.ask()
        protocol.dataReceived(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(ANSWER_LIMIT // 4096):
            protocol.dataReceived(b"x" * 4096)
        self.assertNoResult(question)
        protocol.dataReceived(b"x")
        error = self.failureResultOf(question, LookupRefused).value
        self.assertIn("bytes", str(error))
        self.assertFalse(error.missing)
        self.assertTrue(transport.disconnecting)
        protocol.dataReceived(b"x" * 4096)

    def test_given_up(self) -> None:
        """A question that is cancelled while its answer comes closes the connection."""
        question, protocol, transport = self.ask()
        protocol.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        question.cancel()
        self.failureResultOf(question)
        self.assertTrue(transport.disconnecting)

    def test_cut_answer(self) -> None:
        """An answer that breaks off is no answer."""
        question, protocol, _ = self.ask()
        protocol.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        protocol.connectionLost(Failure(ConnectionRefusedError()))
        self.failureResultOf(question)
