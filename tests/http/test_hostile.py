"""Hostile requests on real sockets, against the real site with a recorder."""

from __future__ import annotations

import random
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from chatlog.config.settings import HttpSettings, S3Settings, Secret, TwitchSettings
from chatlog.http.requests import BODY_LIMIT, CONNECTIONS
from chatlog.http.service import http_service
from chatlog.platforms import PLATFORMS
from chatlog.rooms.room_changes import RoomChanges
from chatlog.rooms.room_list import RoomList
from chatlog.status.vitals import Vitals
from tests.http.test_site import PATHS
from tests.scene import Scene

#: Configured, and to be in no answer and no line of the log.
SECRETS = ("token-nobody-may-see", "oauth-nobody-may-see", "key-nobody-may-see", "secret-nobody-may-see")
#: What would be in an answer that shows files, code or the inside of the program.
INSIDE = (b"root:", b"Traceback", b"site-packages", b"twisted", b"import ", b"/data", b"chatlog/http")
CLOSE = b"Host: 127.0.0.1\r\nConnection: close\r\n\r\n"


class Client(Protocol):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.data = b""
        self.ended: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ended.callback(self.data)

    def send(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)

    def leave(self) -> None:
        transport: Any = self.transport
        transport.abortConnection()


class HostileCase(TestCase):
    """A recorder of three rooms that is served on a port of its own. At the end of every test it still
    answers, and has logged nothing."""

    timeout = 60

    def setUp(self) -> None:
        token, oauth, key, secret = map(Secret, SECRETS)
        self.scene = Scene(
            3,
            http=HttpSettings(listen="127.0.0.1:0", token=token),
            platforms={"twitch": TwitchSettings(("room0",), "me", oauth)},
            s3=S3Settings("bucket", access_key_id=key, secret_access_key=secret),
        )
        rooms = RoomChanges(
            RoomList(self.scene.recording.files, "/data", self.scene.settings, PLATFORMS),
            lambda platform, channel: None,
            lambda platform, name: None,
        )
        self.service: Any = http_service(
            self.scene.settings,
            reactor,
            self.scene.status,
            self.scene.recorder,
            rooms,
            self.scene.recording.files,
        )
        self.scene.start().recorded()
        self.service.startService()
        capturing = capturedLogs()
        self.logged = capturing.__enter__()
        self.addCleanup(capturing.__exit__, None, None, None)

    async def tearDown(self) -> None:  # type: ignore[override]
        answer = await self.ask(b"GET /healthz HTTP/1.1\r\n" + CLOSE)
        self.assertTrue(answer.startswith(b"HTTP/1.1 "), answer[:100])
        self.scene.stop()
        await self.service.stopService()
        own = "chatlog.rooms", "twisted.internet.endpoints"
        logged = [event for event in self.logged if not event["log_namespace"].startswith(own)]
        self.assertEqual(logged, [])

    @property
    def connections(self) -> int:
        """How many the server has."""
        return len(self.service.site)

    async def connect(self) -> Client:
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.service.port.getHost().port)
        client: Client = await connectProtocol(endpoint, Client())
        return client

    async def ask(self, request: bytes) -> bytes:
        """Send something after which the server ends the connection; the answer."""
        client = await self.connect()
        client.send(request)
        return await client.ended

    async def leave(self, clients: list[Client]) -> None:
        """They all go."""
        for client in clients:
            client.leave()
        for client in clients:
            await client.ended

    def harmless(self, answer: bytes, request: bytes) -> int:
        """Fail if an answer is one of ours that should not be; its status."""
        self.assertTrue(
            answer.startswith(b"HTTP/1.1 4") or answer.startswith(b"HTTP/1.1 2"), (request, answer[:200])
        )
        for secret in SECRETS:
            self.assertNotIn(secret.encode(), answer, request)
        return int(answer.split(b" ")[1])


class RequestTests(HostileCase):
    """Requests that no browser sends."""

    async def test_no_requests(self) -> None:
        """What is no request at all is answered with 400, or with the end of the connection."""
        rng = random.Random(1)
        for beginning in (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.randbytes(200) + b"\r\n",
            b"\x00" * 1000 + b"\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"GET\r\n",
            b"GET / HTTP/9.9.9 x\r\n",
            b"GET /\r\n\r\n",
            b"\r\n\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost 127.0.0.1\r\n\r\n",
            b"GET / HTTP/1.1\r\n: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nA\x00B: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nX: a\x00b\r\n\r\n",
            b"SSH-2.0-OpenSSH_9.9\r\n",
            b"x" * 70_000,
            b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
            b"POST /api/v1/rooms HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"POST /api/v1/rooms HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 5000 + b"\r\n",
            b"POST /api/v1/rooms HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            b"POST /api/v1/rooms HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            b"POST /api/v1/rooms HTTP/1.1\r\nContent-Length: " + b"9" * 10_000 + b"\r\n\r\n",
            b"POST /api/v1/rooms HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        ):
            answer = await self.ask(beginning)
            self.assertIn(answer, (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"), beginning[:60])

    async def test_paths(self) -> None:
        """No form of a path leads out of what is served."""
        names = ("etc/passwd", "data/lock", "chatlog/http/site.py", "site.py", "api.py", "chatlog.yaml")
        ways = (
            "../",
            "%2e%2e/",
            "..%2f",
            "..%5c",
            "%252e%252e%252f",
            "....//",
            "/",
            "%00/",
            "./",
            "..;/",
            "%c0%ae%c0%ae/",
        )
        for name in names:
            for way in ways:
                for base in ("/", "/assets/", "/rooms/twitch/", "/api/v1/rooms/twitch/", "/api/v1/"):
                    for depth in (1, 6):
                        path = f"{base}{way * depth}{name}".encode()
                        answer = await self.ask(b"GET " + path + b" HTTP/1.1\r\n" + CLOSE)
                        status = self.harmless(answer, path)
                        if status == 200:
                            # Any name has a page, which asks for the room of that name.
                            self.assertTrue(path.startswith(b"/rooms/twitch/"), path)
                            self.assertIn(b"<!doctype html>", answer)
                        for inside in INSIDE:
                            self.assertNotIn(
                                inside, answer.partition(b"\r\n\r\n")[2] if status != 200 else b"", path
                            )

    async def test_targets(self) -> None:
        """Whole addresses, other hosts, queries without end and upgrades are answered, and lead nowhere."""
        number = b"9" * 4000
        for target, extra in (
            (b"http://127.0.0.1/", b""),
            (b"http://169.254.169.254/latest/meta-data/", b""),
            (b"//169.254.169.254/", b""),
            (b"http://127.0.0.1:22", b""),
            (b"*", b""),
            (b"", b""),
            (b"?", b""),
            (b"/?" + b"&" * 10_000, b""),
            (b"/api/v1/rooms?" + b"a=1&" * 3000, b""),
            (b"/api/v1/rooms?limit=" + number, b""),
            (b"/api/v1/rooms?offset=-" + number, b""),
            (b"/api/v1/rooms?offset=1e999", b""),
            (b"/api/v1/rooms?q=" + b"%ff" * 1000, b""),
            (b"/api/v1/rooms?q=%00&sort=__class__", b""),
            (b"/api/v1/rooms?sort=rate&sort=name&sort[]=x", b""),
            (b"/api/v1/rooms/twitch/" + b"a" * 10_000, b""),
            (b"/rooms/twitch/<script>alert(1)</script>", b""),
            (
                b"/",
                b"Upgrade: h2c\r\nHTTP2-Settings: AAMA\r\nConnection: Upgrade, HTTP2-Settings\r\n",
            ),
            (b"/api/v1/rooms/twitch/x/live", b"Upgrade: websocket\r\nSec-WebSocket-Key: x\r\n"),
            (b"/", b"Range: bytes=0-,0-,0-,0-\r\n"),
            (b"/", b"If-None-Match: " + b'"x", ' * 2000 + b"\r\n"),
            (b"/", b"Accept-Encoding: " + b"gzip;q=0, " * 1000 + b"\r\n"),
            (b"/", b"Cookie: " + b"a=b; " * 2000 + b"\r\n"),
            (b"/", b"X-Forwarded-For: \xff\xfe\r\nOrigin: \xff\r\nReferer: \x80\r\n"),
            (b"/", b"Expect: 200-maybe\r\n"),
        ):
            if extra.startswith(b"Upgrade: h2c"):
                # It says Connection itself, so the server goes on; the second request ends it.
                request = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + extra + b"\r\nGET / HTTP/1.1\r\n" + CLOSE
            else:
                request = b"GET " + target + b" HTTP/1.1\r\n" + extra + CLOSE
            answer = await self.ask(request)
            status = self.harmless(answer, request[:80])
            self.assertNotEqual(status, 101)
            self.assertNotIn(b"<script>alert", answer)

    async def test_every_path(self) -> None:
        """Every path with every method, with and without the right to: nothing of a secret, and no 5xx."""
        token = b"Authorization: Bearer " + SECRETS[0].encode() + b"\r\n"
        for path in (*PATHS, "/api/v1/rotate", "/api/v1/rooms/twitch/room9"):
            for method in (
                b"GET",
                b"HEAD",
                b"POST",
                b"PUT",
                b"PATCH",
                b"DELETE",
                b"OPTIONS",
                b"TRACE",
                b"X" * 100,
            ):
                for extra in (b"", b"Authorization: Bearer x\r\n", b"Authorization: \xff\r\n", token):
                    request = method + b" " + path.encode() + b" HTTP/1.1\r\n" + extra + CLOSE
                    answer = await self.ask(request)
                    if path == "/readyz" and answer.startswith(b"HTTP/1.1 503"):
                        continue
                    self.harmless(answer, request)

    async def test_bodies(self) -> None:
        """Bodies that are deep, long, broken or of another kind."""
        head = b"POST /api/v1/rooms HTTP/1.1\r\nAuthorization: Bearer " + SECRETS[0].encode() + b"\r\n"
        rng = random.Random(2)
        for body in (
            b"[" * 60_000,
            b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
            b'{"platform":"twitch","name":"' + b"a" * 60_000 + b'"}',
            b'{"platform":"twitch","name":"\\ud800"}',
            b'{"platform":"twitch","name":"a\\nb"}',
            b'{"platform":"kick","name":"a","chatroom_id":' + b"9" * 60_000 + b"}",
            b'{"platform":"kick","name":"a","chatroom_id":1e400}',
            b'{"platform":"kick","name":"a","chatroom_id":NaN}',
            b"platform=twitch&name=ann",
            b"--x\r\nContent-Disposition: form-data; name=platform\r\n\r\ntwitch\r\n--x--",
            rng.randbytes(1000),
            rng.randbytes(BODY_LIMIT + 1),
        ):
            for kind in (
                b"application/json",
                b"multipart/form-data; boundary=x",
                b"application/x-www-form-urlencoded",
            ):
                length = b"Content-Type: %s\r\nContent-Length: %d\r\n" % (kind, len(body))
                answer = await self.ask(head + length + CLOSE + body)
                self.assertIn(self.harmless(answer, body[:60]), (400, 413), body[:60])

    async def test_garbage(self) -> None:
        """Good requests with some of their bytes changed."""
        rng = random.Random(3)
        good = (
            b"POST /api/v1/rooms?limit=1 HTTP/1.1\r\nAuthorization: Bearer x\r\nContent-Length: 2\r\n" + CLOSE
        )
        clients = []
        for _ in range(300):
            data = bytearray(good + b"{}")
            for _ in range(rng.randrange(1, 8)):
                data[rng.randrange(len(data))] = rng.choice((0, 10, 13, 32, 58, 255, rng.randrange(256)))
            client = await self.connect()
            client.send(bytes(data))
            clients.append(client)
            if len(clients) >= CONNECTIONS // 2:
                # Some wait for more; those are left alone by now.
                await self.ask(b"GET /healthz HTTP/1.1\r\n" + CLOSE)
                await self.leave(clients)
                for each in clients:
                    if each.data:
                        self.harmless(each.data, bytes(data))
                clients.clear()
        await self.leave(clients)


class PressureTests(HostileCase):
    """Much of it at the same time."""

    async def test_half_requests(self) -> None:
        """Hundreds of connections that begin a request and go no further: only so many are kept, and a
        browser that comes then is served."""
        clients = []
        for n in range(4 * CONNECTIONS):
            client = await self.connect()
            client.send(b"GET / HTTP/1.1\r\nX-%d: " % n)
            clients.append(client)
        self.assertLessEqual(self.connections, CONNECTIONS)
        answer = await self.ask(b"GET /api/v1/status HTTP/1.1\r\n" + CLOSE)
        self.assertTrue(answer.startswith(b"HTTP/1.1 200"))
        await self.leave(clients)

    async def test_nobody_reads(self) -> None:
        """Connections that ask on and on and read nothing take little memory, and the recorder writes on."""
        vitals = Vitals(self.scene.clock)
        vitals.sample()
        before = vitals.resident
        clients = []
        for _ in range(20):
            client = await self.connect()
            transport: Any = client.transport
            transport.pauseProducing()
            client.send(b"GET /assets/app.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 1000)
            clients.append(client)
        for n in range(20):
            self.scene.say("room0")
            self.scene.advance(0.5)
            answer = await self.ask(b"GET /api/v1/rooms/twitch/room0 HTTP/1.1\r\n" + CLOSE)
            self.assertIn(b'"records_today":%d' % (n + 1), answer)
        vitals.sample()
        self.assertLess(vitals.resident - before, 30_000_000)
        await self.leave(clients)

    async def test_bodies_without_end(self) -> None:
        """A body that does not end is not read to its end."""
        for head in (b"Content-Length: 99999999999", b"Transfer-Encoding: chunked"):
            client = await self.connect()
            client.send(b"POST /api/v1/rooms HTTP/1.1\r\nHost: 127.0.0.1\r\n" + head + b"\r\n\r\n")
            for _ in range(200):
                client.send(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
            answer = await client.ended
            self.assertTrue(answer == b"" or answer.startswith(b"HTTP/1.1 413"), answer[:100])

    async def test_many_viewers(self) -> None:
        """One viewer beyond the limit is refused; the others see the chat."""
        clients = []
        for _ in range(33):
            client = await self.connect()
            client.send(b"GET /api/v1/rooms/twitch/room0/live HTTP/1.1\r\n" + CLOSE)
            clients.append(client)
        answer = await clients[-1].ended
        self.assertTrue(answer.startswith(b"HTTP/1.1 503"), answer[:100])
        self.scene.say("room0")
        self.scene.advance(0.5)
        await self.ask(b"GET /healthz HTTP/1.1\r\n" + CLOSE)
        await self.ask(b"GET /healthz HTTP/1.1\r\n" + CLOSE)
        self.assertEqual([b'"message":"0"' in client.data for client in clients[:-1]], [True] * 32)
        for client in clients[:-1]:
            client.leave()
            await client.ended
