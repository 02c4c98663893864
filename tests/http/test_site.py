"""The site on the wire: paths, methods, headers, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import Any

import orjson
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from chatlog.config.settings import ArchiveSettings
from chatlog.http.answers import json_answer
from chatlog.http.requests import BODY_LIMIT, CONNECTIONS, DISCARDED, IDLE_LIMIT, BoundedSite, send
from tests.http.wire import BEARER, SiteCase

LIVE = "GET /api/v1/rooms/twitch/room0/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
GET = "GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n"
#: Paths that are there, by the type of their answer.
PATHS = {
    "/": "text/html",
    "/rooms/twitch/room0": "text/html",
    "/assets/base.css": "text/css",
    "/assets/app.js": "text/javascript",
    "/assets/icon.svg": "image/svg+xml",
    "/healthz": "application/json",
    "/readyz": "application/json",
    "/metrics": "text/plain",
    "/api/v1/status": "application/json",
    "/api/v1/rooms": "application/json",
    "/api/v1/rooms/twitch/room0": "application/json",
    "/api/v1/connections": "application/json",
    "/api/v1/uploads": "application/json",
    "/api/v1/spool": "application/json",
    "/api/v1/platforms": "application/json",
    "/api/v1/process": "application/json",
    "/api/v1/counters": "application/json",
    "/api/v1/alarms": "application/json",
    "/api/v1/openapi.json": "application/json",
}


class Slow(Resource):
    """Answers nothing before it is told to."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self._asked: list[Any] = []

    def render(self, request: Any) -> int:
        """Keep the request."""
        request.notifyFinish().addErrback(lambda _: self._asked.remove(request))
        self._asked.append(request)
        return NOT_DONE_YET

    def answer(self) -> None:
        """Answer everything that is asked."""
        while self._asked:
            send(self._asked.pop(), json_answer(200, {}))


class PathTests(SiteCase):
    """What there is, and what there is not."""

    def test_everything_that_is_there(self) -> None:
        """Every documented path answers, in the type it promises."""
        self.scene.recorded()
        for path, kind in PATHS.items():
            reply = self.ask(f"GET {path}")
            self.assertEqual((reply.status, reply.headers["content-type"].split(";")[0]), (200, kind), path)
            self.assertTrue(reply.body, path)

    def test_head(self) -> None:
        """HEAD gives the same as GET without the body: size, type and ETag."""
        for path in PATHS:
            if path in ("/metrics", "/api/v1/process"):
                continue
            get, head = self.ask(f"GET {path}"), self.ask(f"HEAD {path}")
            for reply in (get, head):
                reply.headers.pop("date")
            self.assertEqual((head.status, head.headers, head.sent), (get.status, get.headers, 0), path)

    def test_nothing_there(self) -> None:
        """Other paths are 404, also those that climb out of the page's directory."""
        for path in (
            "/x",
            "/assets/",
            "/assets/../site.py",
            "/assets/%2e%2e/site.py",
            "/assets/..%2fsite.py",
            "/assets/..%5csite.py",
            "/assets/%00",
            "/assets//etc/passwd",
            "//etc/passwd",
            "/%2fetc/passwd",
            "/api/v1/",
            "/api/v1/now",
            "/api/v1/rooms/",
            "/api/v1/rooms/youtube/ann",
            "/api/v1/rooms/twitch/nobody",
            "/api/v1/rooms/twitch/nobody/live",
            "/api/v1/rooms/twitch/%00/live",
            "/api/v1/rooms/twitch/..%2f..%2flock/live",
            "/api/v1/rooms/twitch/ROOM0",
            "/rooms/youtube/ann",
            "http://127.0.0.1/api/v1/status",
        ):
            reply = self.ask(f"GET {path}")
            self.assertEqual(reply.status, 404, path)
            self.assertIn("error", reply.json, path)
        self.assertEqual(self.logged, [])

    def test_page_of_no_room(self) -> None:
        """The page of a room that is not recorded is 404, says so, and names rooms that may have been meant;
        what was asked for is put into it as text."""
        for path, shown, near in (
            (
                "/rooms/twitch/rom0",
                b"<bdi>twitch/rom0</bdi> is not recorded",
                b'<a href="/rooms/twitch/room0">',
            ),
            ("/rooms/kick/room0", b"<bdi>kick/room0</bdi>", b'<a href="/rooms/twitch/room0">'),
            ("/rooms/twitch/ROOM0", b"<bdi>twitch/ROOM0</bdi>", b'<a href="/rooms/twitch/room0">'),
            ("/rooms/twitch/nobody", b"<bdi>twitch/nobody</bdi>", b'<a href="/#add=twitch/nobody">'),
            ("/rooms/twitch/%3Cscript%3Ealert(1)", b"<bdi>twitch/&lt;script&gt;alert(1)</bdi>", b"All rooms"),
            ("/rooms/twitch/%22%27%E2%80%AE%00", b"<bdi>twitch/&quot;&#x27;\\u202e\\x00</bdi>", b"All rooms"),
            ("/rooms/twitch/" + "a" * 5000, b"<bdi>twitch/" + b"a" * 64 + b"</bdi>", b"All rooms"),
        ):
            self.scene.advance(10)
            reply = self.ask(f"GET {path}")
            self.assertEqual((reply.status, reply.headers["content-type"]), (404, "text/html; charset=utf-8"))
            self.assertIn(shown, reply.body)
            self.assertIn(near, reply.body, path)
            self.assertNotIn(b"{", reply.body)
            self.assertEqual(self.ask(f"HEAD {path}").status, 404)
        self.assertEqual(self.logged, [])

    def test_page_of_a_room_to_come(self) -> None:
        """A room that is on the list has a page, whether it is recorded or not."""
        self.scene.missing["kick"] = {"ann": "looking up its ids"}
        self.assertEqual(self.ask("GET /rooms/kick/ann").status, 200)
        self.scene.missing["kick"] = {}
        self.assertEqual(self.ask("GET /rooms/kick/ann").status, 404)

    def test_path_that_is_no_text(self) -> None:
        """A path that is not UTF-8, or not even ASCII on the wire, is 400."""
        for path in ("/%ff", "/rooms/twitch/%c3%28"):
            reply = self.ask(f"GET {path}")
            self.assertEqual((reply.status, reply.code), (400, "bad_path"), path)
        self.assertEqual(self.ask("GET /ü").status, 400)

    def test_methods(self) -> None:
        """A method that a path does not have is 405 and names those that it has."""
        for line, allowed in (
            ("POST /", "GET, HEAD"),
            ("DELETE /api/v1/rooms", "GET, HEAD, POST"),
            ("PUT /api/v1/rooms/twitch/room0", "DELETE, GET, HEAD"),
            ("GET /api/v1/rotate", "POST"),
            ("OPTIONS /api/v1/rooms", "GET, HEAD, POST"),
            ("HEAD /api/v1/rooms/twitch/room0/live", "GET"),
            ("BREW /metrics", "GET, HEAD"),
            ("get /", "GET, HEAD"),
        ):
            reply = self.ask(line, BEARER)
            self.assertEqual((reply.status, reply.headers["allow"]), (405, allowed), line)

    def test_proxy(self) -> None:
        """A client that uses the server as a proxy gets the answer that it is none."""
        self.assertEqual(self.ask("OPTIONS *").status, 400)
        self.assertEqual(self.ask("CONNECT example.invalid:443").status, 404)


class HeaderTests(SiteCase):
    """What goes with every answer."""

    def test_every_answer(self) -> None:
        """Nothing from elsewhere is run, framed or guessed at, and the server does not reveal its
        software."""
        replies = [
            self.ask("GET /"),
            self.ask("GET /nothing"),
            self.ask("POST /"),
            self.ask("POST /api/v1/rotate"),
            self.ask("GET /", host="evil.invalid"),
            self.ask("POST /api/v1/rooms", f"Content-Length: {BODY_LIMIT * 100}"),
            self.ask("OPTIONS *"),
        ]
        self.assertEqual([reply.status for reply in replies], [200, 404, 405, 401, 421, 413, 400])
        for reply in replies:
            policy = reply.headers["content-security-policy"]
            self.assertIn("default-src 'none'", policy)
            self.assertNotIn("unsafe", policy)
            self.assertEqual(reply.headers["x-content-type-options"], "nosniff")
            self.assertEqual(reply.headers["x-frame-options"], "DENY")
            self.assertEqual(reply.headers["referrer-policy"], "no-referrer")
            self.assertNotIn("server", reply.headers)
            self.assertNotIn("access-control-allow-origin", reply.headers)

    def test_archive_beside(self) -> None:
        """A room's page may ask the archive server on this machine for what was said earlier, where there is
        one; no other page may, and that changes what the page's tag is."""
        self.assertIn(
            "connect-src 'self';", self.ask("GET /rooms/twitch/room0").headers["content-security-policy"]
        )
        tag = self.ask("GET /rooms/twitch/room0").headers["etag"]
        self.scene.status.settings = replace(
            self.scene.status.settings, archive=ArchiveSettings(listen="127.0.0.1:8081")
        )
        reply = self.ask("GET /rooms/twitch/room0", f"If-None-Match: {tag}", host="localhost:8080")
        self.assertEqual(reply.status, 200)
        allowed = "connect-src 'self' http://localhost:8081;"
        self.assertIn(allowed, reply.headers["content-security-policy"])
        self.assertNotIn(allowed, self.ask("GET /").headers["content-security-policy"])

    def test_unchanged(self) -> None:
        """What was fetched before and has not changed is not sent again."""
        for path in ("/", "/assets/base.css", "/api/v1/status", "/api/v1/rooms", "/api/v1/openapi.json"):
            tag = self.ask(f"GET {path}").headers["etag"]
            for given in (tag, f'W/"x", {tag}'):
                again = self.ask(f"GET {path}", f"If-None-Match: {given}")
                self.assertEqual((again.status, again.body, again.headers["etag"]), (304, b"", tag), path)
            self.assertEqual(self.ask(f"GET {path}", 'If-None-Match: W/"x"').status, 200, path)

    def test_changed(self) -> None:
        """What has changed is sent, under another tag."""
        tag = self.ask("GET /api/v1/status").headers["etag"]
        self.scene.advance(2)
        self.assertEqual(self.ask("GET /api/v1/status", f"If-None-Match: {tag}").status, 200)

    def test_compressed(self) -> None:
        """Clients that take gzip get less to read, and the same; small answers stay as they are."""
        plain = self.ask("GET /assets/base.css")
        for accepted in ("gzip", "br, GZIP;q=0.5, *"):
            packed = self.ask("GET /assets/base.css", f"Accept-Encoding: {accepted}")
            self.assertEqual(packed.headers["content-encoding"], "gzip")
            self.assertEqual(packed.body, plain.body)
            self.assertLess(packed.sent, plain.sent)
        for accepted in ("br", "gzip;q=0", "gzip; q=0.00", "x-gzip-not"):
            self.assertNotIn(
                "content-encoding", self.ask("GET /assets/base.css", f"Accept-Encoding: {accepted}").headers
            )
        self.assertNotIn("content-encoding", self.ask("GET /healthz", "Accept-Encoding: gzip").headers)
        for reply in (plain, packed):
            self.assertEqual(reply.headers["vary"], "Accept-Encoding")


class HostTests(SiteCase):
    """The name by which we are asked."""

    def test_names(self) -> None:
        """An address, localhost and what the configuration lists are ours; another name may be that of a
        page which means to read us with somebody else's browser."""
        for host in ("127.0.0.1", "127.0.0.1:8080", "[::1]:8080", "localhost", "LOCALHOST:1", "192.0.2.7"):
            self.assertEqual(self.ask("GET /api/v1/status", host=host).status, 200, host)
        for host in (
            "evil.invalid",
            "localhost.evil.invalid",
            "127.0.0.1.evil.invalid",
            "[::1",
            "a@evil.invalid",
        ):
            reply = self.ask("GET /api/v1/status", host=host)
            self.assertEqual((reply.status, reply.code), (421, "unknown_host"), host)

    def test_missing(self) -> None:
        """A request without a Host is refused like one with a foreign Host."""
        self.assertEqual(self.ask("GET /", host="").status, 421)
        old = self.connect().send("GET / HTTP/1.0\r\n\r\n")
        self.assertEqual(old.take().split(b" ")[1], b"421")
        self.assertTrue(old.closed)

    def test_no_text(self) -> None:
        """A Host that is not text counts as foreign, and causes no line in the log."""
        connection = self.connect().send(b"GET / HTTP/1.1\r\nHost: \xff\xfe\r\nOrigin: \xff\r\n\r\n")
        [reply] = connection.replies()
        self.assertEqual(reply.status, 421)
        self.assertEqual(self.logged, [])

    def test_machines(self) -> None:
        """Health checks and Prometheus come under any name, or none."""
        for path in ("/healthz", "/readyz", "/metrics"):
            for host in ("app.internal.invalid", ""):
                self.assertIn(self.ask(f"GET {path}", host=host).status, (200, 503), path)


class BodyTests(SiteCase):
    """What a client sends along."""

    def test_too_long(self) -> None:
        """A body that is too long is refused when it has come, and if it is far too long, before."""
        for size in (BODY_LIMIT + 1, DISCARDED):
            reply = self.ask("POST /api/v1/rooms", BEARER, body=b"x" * size)
            self.assertEqual(
                (reply.status, reply.code, reply.headers["connection"]), (413, "too_large", "close")
            )
        connection = self.connect().send(_post(f"Content-Length: {DISCARDED + 1}"))
        [reply] = connection.replies()
        self.assertEqual(reply.status, 413)
        self.assertTrue(connection.closed)
        self.assertEqual(self.logged, [])

    def test_longest(self) -> None:
        """A body of exactly the limit is read."""
        body = orjson.dumps({"platform": "twitch", "name": "ann"}).ljust(BODY_LIMIT)
        self.assertEqual(self.ask("POST /api/v1/rooms", BEARER, body=body).status, 201)

    def test_expectation(self) -> None:
        """A client with Expect: 100-continue gets a refusal at once; with a short body it may go on."""
        connection = self.connect().send(_post(f"Content-Length: {BODY_LIMIT + 1}", "Expect: 100-continue"))
        [reply] = connection.replies()
        self.assertEqual(reply.status, 413)
        connection = self.connect().send(_post("Content-Length: 2", "Expect: 100-continue"))
        self.assertEqual(connection.take(), b"HTTP/1.1 100 Continue\r\n\r\n")
        [reply] = connection.send("{}").replies()
        self.assertEqual(reply.status, 400)

    def test_chunks(self) -> None:
        """A body in chunks is read like another, and has the same limit."""
        connection = self.connect().send(_post("Transfer-Encoding: chunked"))
        for byte in b'{"platform":"twitch","name":"ann"}':
            connection.send(b"1\r\n%c\r\n" % byte)
        [reply] = connection.send("0\r\n\r\n").replies()
        self.assertEqual(reply.status, 201)
        chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
        connection = self.connect().send(_post("Transfer-Encoding: chunked"))
        [reply] = connection.send(chunk * 3 + b"0\r\n\r\n").replies()
        self.assertEqual((reply.status, connection.closed), (413, True))
        connection = self.connect().send(_post("Transfer-Encoding: chunked"))
        for _ in range(DISCARDED // 0x8000 + 1):
            connection.send(chunk)
        [reply] = connection.replies()
        self.assertEqual((reply.status, connection.closed), (413, True))

    def test_memory(self) -> None:
        """A body never becomes a file, not even while nobody knows how long it will be: the disk is the
        recorder's, and may be full."""
        for header in ("Transfer-Encoding: chunked", f"Content-Length: {DISCARDED}"):
            connection = self.connect().send(_post(header))
            [request] = connection.protocol.requests
            self.assertIsInstance(request.content, BytesIO)

    def test_lengths_that_are_none(self) -> None:
        """A length that is no number, or an absurd one, ends the connection with 400."""
        for length in ("x", "-1", "1e9", "9" * 5000, "0x10", "1, 1"):
            connection = self.connect().send(_post(f"Content-Length: {length}"))
            [reply] = connection.replies()
            self.assertEqual((reply.status, connection.closed), (400, True), length[:20])
        connection = self.connect().send(_post("Content-Length: 2", "Transfer-Encoding: chunked"))
        [reply] = connection.replies()
        self.assertEqual(reply.status, 400)
        self.assertEqual(self.logged, [])

    def test_head_too_long(self) -> None:
        """Headers that are too long or too many end the connection."""
        for head in (
            "GET / HTTP/1.1\r\nX: " + "x" * 20_000,
            "GET /" + "x" * 20_000,
            "GET / HTTP/1.1\r\n" + "X: y\r\n" * 10_000,
        ):
            connection = self.connect().send(head)
            self.assertTrue(connection.closed, head[:20])
            self.assertNotIn(b" 200 ", connection.take())
        self.assertEqual(self.logged, [])


class ConnectionTests(SiteCase):
    """Connections: how long, how many, and how much at a time."""

    def test_one_after_the_other(self) -> None:
        """Several requests that are sent at once are all answered, in their order."""
        connection = self.connect()
        connection.send("GET /healthz HTTP/1.1\r\n\r\nGET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n" + GET)
        self.assertEqual([reply.status for reply in connection.replies()], [200, 404, 200])
        self.assertFalse(connection.closed)

    def test_byte_by_byte(self) -> None:
        """However the network cuts a request, it is the same."""
        connection = self.connect()
        for byte in GET.encode() * 2:
            connection.send(bytes([byte]))
        self.assertEqual([reply.status for reply in connection.replies()], [200, 200])

    def test_close(self) -> None:
        """A client that is done after its answer says so, and the connection ends."""
        connection = self.connect().send("GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")
        self.assertTrue(connection.closed)

    def test_turn_by_turn(self) -> None:
        """Of many requests in one packet each waits for a turn of the reactor: in between the recorder
        does its work."""
        connection = self.connect()
        answered: list[int] = []

        def work() -> None:
            answered.append(connection.transport.value().count(b"HTTP/1.1 200"))
            if len(answered) < 20:
                self.scene.clock.callLater(0, work)

        self.scene.clock.callLater(0, work)
        connection.send(GET * 20)
        self.assertEqual(answered, list(range(1, 21)))

    def test_client_that_does_not_read(self) -> None:
        """Somebody who asks on and on and takes no answer gets no more of them than fit into the sockets;
        when he takes them the rest follows."""
        connection = self.connect(full=4000)
        for _ in range(10):
            connection.send(GET * 10)
        written = len(connection.transport.value())
        one = len(self.ask("GET /api/v1/status").body)
        self.assertLess(written, 4000 + 2 * (one + 1000))
        self.assertTrue(connection.transport.deaf)
        answered = 0
        while replies := connection.replies():
            answered += len(replies)
        self.assertEqual(answered, 10)

    def test_request_that_never_ends(self) -> None:
        """A request has half a minute to arrive, however busily its bytes trickle in."""
        for beginning in ("", "GET / HTTP/1.1\r\n", _post("Content-Length: 1000")):
            connection = self.connect().send(beginning)
            for _ in range(IDLE_LIMIT):
                self.assertFalse(connection.closed)
                connection.send("x" if "Length" in beginning else "X: y\r\n" if beginning else "")
                self.scene.clock.advance(1)
            self.assertTrue(connection.closed, beginning)
            self.scene.clock.advance(15)
            self.scene.clock.advance(0)
            self.assertTrue(connection.lost, beginning)
        self.assertEqual(self.logged, [])

    def test_idle(self) -> None:
        """Every answer begins a new half a minute; after one without a request the connection ends."""
        connection = self.connect()
        for _ in range(4):
            connection.send(GET)
            self.scene.clock.advance(IDLE_LIMIT - 1)
            self.assertFalse(connection.closed)
        self.scene.clock.advance(2)
        self.assertTrue(connection.closed)
        connection.leave()
        self.assertEqual(self.logged, [])

    def test_too_many(self) -> None:
        """However many connect, in one turn or over time, no more than the limit stay: the oldest go."""
        connections = [self.connect() for _ in range(CONNECTIONS + 10)]
        self.scene.clock.advance(0)
        self.assertEqual([c for c in connections if not c.lost], connections[10:])
        connections[-1].send(GET)
        self.assertEqual(connections[-1].replies()[0].status, 200)

    def test_streams_stay(self) -> None:
        """Viewers of a room are not dropped for new connections."""
        viewer = self.connect().send(
            "GET /api/v1/rooms/twitch/room0/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        connections = [self.connect() for _ in range(CONNECTIONS)]
        self.scene.clock.advance(0)
        self.assertEqual([viewer.lost, connections[0].lost, connections[1].lost], [False, True, False])

    def test_waiting_for_an_answer(self) -> None:
        """Who waits for an answer is not dropped while others wait for nothing. Once all wait, the oldest
        goes, and not who has just come."""
        answers = Slow()
        self.site = BoundedSite(answers, self.scene.clock)
        waiting = [self.connect().send(GET) for _ in range(3)]
        idle = [self.connect() for _ in range(CONNECTIONS - 3)]
        new = self.connect()
        self.scene.clock.advance(0)
        self.assertEqual(
            [c.lost for c in (*waiting, idle[0], idle[1], new)], [False] * 3 + [True, False, False]
        )
        waiting += [self.connect().send(GET) for _ in range(CONNECTIONS)]
        self.scene.clock.advance(0)
        self.assertEqual([c for c in waiting if not c.lost], waiting[3:])
        answers.answer()
        self.assertEqual([len(each.replies()) for each in waiting[3:]], [1] * CONNECTIONS)

    def test_answered(self) -> None:
        """Who was answered waits no more."""
        answers = Slow()
        self.site = BoundedSite(answers, self.scene.clock)
        first, second = self.connect().send(GET), self.connect()
        answers.answer()
        second.send(GET)
        for _ in range(CONNECTIONS - 1):
            self.connect()
        self.scene.clock.advance(0)
        self.assertEqual((first.lost, second.lost), (True, False))

    def test_end(self) -> None:
        """When the server stops, all connections end at once."""
        connections = [self.connect() for _ in range(3)]
        self.site.drop_all()
        self.scene.clock.advance(0)
        self.assertTrue(all(connection.lost for connection in connections))

    def test_nothing_is_logged(self) -> None:
        """A request leaves no line in the log, whatever it asks for."""
        for line in ("GET /", "GET /nothing", "POST /", "GET /metrics", "DELETE /api/v1/rooms/twitch/room0"):
            self.ask(line)
        self.assertEqual(self.logged, [])


class FailureTests(SiteCase):
    """Something that must not happen."""

    def test_mistake(self) -> None:
        """A mistake of ours is 500 without a word of where, and the log has the rest."""

        def fail() -> None:
            raise RuntimeError("here is /the/spool")

        self.scene.status.alarms = fail  # type: ignore[assignment]
        reply = self.ask("GET /api/v1/status")
        self.assertEqual((reply.status, reply.code), (500, "internal"))
        self.assertNotIn(b"spool", reply.body)
        [event] = self.logged
        self.assertEqual(event["log_failure"].type, RuntimeError)
        self.flushLoggedErrors(RuntimeError)


def _post(*headers: str) -> str:
    return "\r\n".join(["POST /api/v1/rooms HTTP/1.1", "Host: localhost", BEARER, *headers, "", ""])
