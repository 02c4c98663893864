"""Asking a running daemon: what is sent, and what is made of the answers."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from twisted.trial.unittest import SynchronousTestCase

from chatlog.commands.api_client import ApiClient, ApiError
from chatlog.config.settings import Secret

TOKEN = Secret("a-secret-of-the-page")


class Answered:
    """A connection that takes the request down and gives one answer."""

    def __init__(self, status: int = 200, body: bytes = b"", error: Exception | None = None) -> None:
        self.status = status
        self.body = body
        self.error = error
        self.where: tuple[str, int] | None = None
        self.asked: list[Any] = []
        self.closed = False

    def connect(self, host: str, port: int) -> Any:
        self.where = host, port
        return self

    def request(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> None:
        self.asked.append((method, path, body and json.loads(body)))
        self.headers = headers
        if self.error is not None:
            raise self.error

    def getresponse(self) -> Any:
        return self

    def read(self, size: int) -> bytes:
        return self.body[:size]

    def close(self) -> None:
        self.closed = True

    def client(self, listen: str = "127.0.0.1:8080", token: Secret | None = TOKEN) -> ApiClient:
        return ApiClient(listen, token, self.connect)


class AskingTests(SynchronousTestCase):
    """What is sent."""

    def test_where(self) -> None:
        """Who listens on every address is asked on this machine."""
        for listen, where in (
            ("127.0.0.1:8080", ("127.0.0.1", 8080)),
            ("0.0.0.0:80", ("127.0.0.1", 80)),
            ("[::]:80", ("::1", 80)),
            (":80", ("127.0.0.1", 80)),
            ("[fe80::1]:81", ("fe80::1", 81)),
            ("box.example:82", ("box.example", 82)),
        ):
            server = Answered(body=b'{"platforms": []}')
            server.client(listen).status()
            self.assertEqual(server.where, where, listen)
            self.assertTrue(server.closed)

    def test_requests(self) -> None:
        """Each request as docs and page have it, with the token."""
        server = Answered()
        client = server.client()
        client.add("twitch", "ann")
        client.add("kick", "b-c", 12)
        client.remove("kick", "b-c")
        client.remove("twitch", "../x")
        self.assertEqual(
            server.asked,
            [
                ("POST", "/api/v1/rooms", {"platform": "twitch", "name": "ann"}),
                ("POST", "/api/v1/rooms", {"platform": "kick", "name": "b-c", "chatroom_id": 12}),
                ("DELETE", "/api/v1/rooms/kick/b-c", None),
                ("DELETE", "/api/v1/rooms/twitch/..%2Fx", None),
            ],
        )
        self.assertEqual(server.headers["Authorization"], "Bearer a-secret-of-the-page")

    def test_without_token(self) -> None:
        """Nothing is sent that could only be refused."""
        server = Answered()
        for call in (lambda c: c.add("twitch", "a"), lambda c: c.remove("twitch", "a")):
            error = self.assertRaises(ApiError, call, server.client(token=None))
            self.assertIn("http.token", str(error))
        self.assertEqual(server.asked, [])

    def test_rooms(self) -> None:
        """However many there are, each of them once."""
        rooms = [{"platform": "twitch", "name": f"room{n}"} for n in range(2500)]

        class Paged(Answered):
            def read(self, size: int) -> bytes:
                query = parse_qs(urlsplit(self.asked[-1][1]).query)
                # A room has come in between.
                offset = max(int(query["offset"][0]) - 1, 0)
                page = rooms[offset : offset + int(query["limit"][0])]
                return json.dumps({"total": 2500, "matching": 2500, "rooms": page}).encode()

        server = Paged()
        self.assertEqual(server.client().rooms(), rooms)
        self.assertEqual(len(server.asked), 3)

    def test_added_already(self) -> None:
        """Whether the room was there before."""
        self.assertFalse(Answered(body=b'{"added": false}').client().add("twitch", "ann"))
        self.assertTrue(Answered(201, b'{"added": true}').client().add("twitch", "ann"))


class ErrorTests(SynchronousTestCase):
    """The texts of errors."""

    def said(self, server: Answered) -> str:
        return str(self.assertRaises(ApiError, server.client().status))

    def test_nobody_there(self) -> None:
        """The address, the reason, and what to check."""
        for error, words in (
            (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
            (TimeoutError("timed out"), "timed out"),
            (http.client.BadStatusLine("\x1b[31mhello"), r"\x1b[31mhello"),
        ):
            said = self.said(Answered(error=error))
            self.assertIn(f"no answer from 127.0.0.1:8080 ({words})", said)
            self.assertIn("http.listen", said)

    def test_refused(self) -> None:
        """The server's text is passed on; a refused token gets a remedy; the token never appears."""
        body = b'{"error": {"code": "x", "message": "no such room: \\u001b[2J"}}'
        self.assertEqual(self.said(Answered(404, body)), r"no such room: \x1b[2J")
        for status in (401, 403):
            said = self.said(Answered(status, body))
            self.assertIn("127.0.0.1:8080 does not accept the http.token of this configuration; ", said)
            self.assertNotIn("a-secret", said)

    def test_another_program(self) -> None:
        """What is no answer of a Chatlog is no traceback."""
        for body in (b"<html>", b"[]", b"{}", b'{"platforms": 1}', b"", b"[" * 100_000, b"\xff"):
            self.assertIn("not Chatlog", self.said(Answered(body=body)), body[:10])
        self.assertEqual(self.said(Answered(500, b"oh")), "127.0.0.1:8080: HTTP 500")
        for body in (b"{}", b"[1]", b'{"rooms": {}}'):
            self.assertRaises(ApiError, Answered(body=body).client().rooms)
