"""The site as a client on the wire sees it: bytes in, bytes out, and nothing in between that tidies up."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
import zstandard
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.platform import Channel
from chatlog.config.settings import HttpSettings, KickSettings, Secret, TwitchSettings
from chatlog.http.api import Api
from chatlog.http.live import Live
from chatlog.http.requests import BoundedSite
from chatlog.http.site import Root
from chatlog.platforms import PLATFORMS
from chatlog.rooms.room_changes import RoomChanges
from chatlog.rooms.room_list import RoomList
from chatlog.suppression.left_out import LeftOut
from tests.scene import Scene

TOKEN = "a-token-of-the-tests"
BEARER = f"Authorization: Bearer {TOKEN}"


@dataclass
class Reply:
    """An answer. ``headers`` have lower-case names; ``body`` is what was sent, unpacked."""

    status: int
    headers: dict[str, str]
    body: bytes
    sent: int

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def code(self) -> str:
        """Of an error, what programs go by."""
        return str(self.json["error"]["code"])


class Stage(Protocol):
    """A test case with a site, and a scene with the clock of its reactor."""

    @property
    def scene(self) -> Any: ...

    @property
    def site(self) -> BoundedSite: ...


class Connection:
    """A client. ``taking`` is whether it takes what it is sent; ``full`` bytes fit into the sockets."""

    def __init__(self, case: Stage, full: int = 1 << 30) -> None:
        self.clock = case.scene.clock
        self.transport = Transport(self, full)
        self.protocol: Any = case.site.buildProtocol(IPv4Address("TCP", "192.0.2.1", 4000))
        self.protocol.makeConnection(self.transport)
        self.lost = False

    def send(self, data: bytes | str) -> Connection:
        """Bytes arrive at the server, which gets a few turns of its reactor."""
        if not self.transport.deaf and not self.lost:
            self.protocol.dataReceived(data.encode() if isinstance(data, str) else data)
        for _ in range(5):
            self.clock.advance(0)
        return self

    def take(self) -> bytes:
        """The client reads everything it was sent."""
        data: bytes = self.transport.value()
        self.transport.clear()
        if self.transport.pausing and not self.lost:
            self.transport.pausing = False
            self.protocol.resumeProducing()
        self.clock.advance(0)
        return data

    def replies(self, head: bool = False) -> list[Reply]:
        """All answers so far."""
        return parsed(self.take(), head)

    def leave(self) -> None:
        """The client goes."""
        self.lose(ConnectionDone())

    def lose(self, reason: Exception) -> None:
        if not self.lost:
            self.lost = True
            self.protocol.connectionLost(Failure(reason))

    @property
    def closed(self) -> bool:
        return self.lost or self.transport.disconnecting


class Transport(StringTransport):
    """Tells its protocol to pause when there is more in it than fits, as a socket does."""

    def unregisterProducer(self) -> None:
        """As a socket does, also without a producer."""
        if self.producer is not None:
            super().unregisterProducer()

    def __init__(self, connection: Connection, full: int) -> None:
        super().__init__()
        self._connection = connection
        self._full = full
        self.pausing = False

    @property
    def deaf(self) -> bool:
        return self.producerState == "paused" or self.disconnecting

    def write(self, data: bytes) -> None:
        super().write(data)
        self._look()

    def writeSequence(self, data: Any) -> None:
        super().writeSequence(data)
        self._look()

    def _look(self) -> None:
        if len(self.value()) > self._full and not self.pausing:
            self.pausing = True
            self._connection.protocol.pauseProducing()

    def abortConnection(self) -> None:
        super().abortConnection()
        self._connection.clock.callLater(0, self._connection.lose, ConnectionLost())


class SiteCase(SynchronousTestCase):
    """The real site in front of a real recorder with three rooms of Twitch and none of Kick."""

    http = HttpSettings(token=Secret(TOKEN))

    def setUp(self) -> None:
        capturing = capturedLogs()
        self._logged = capturing.__enter__()
        self.addCleanup(capturing.__exit__, None, None, None)
        self.scene = Scene(
            3,
            http=self.http,
            platforms={"twitch": TwitchSettings(("room0",)), "kick": KickSettings(())},
        )
        self.scene.pools["kick"] = self.scene.new_pool("kick")
        self.files = self.scene.recording.files
        self.rooms = RoomChanges(
            RoomList(self.files, "/data", self.scene.settings, PLATFORMS),
            self._added,
            lambda platform, name: self.scene.pools[platform].remove(name),
        )
        self.rotations = 0
        self.api = Api(self.scene.status, self.rooms, self._rotate, self.scene.clock.seconds)
        #: Who opted out.
        self.left_out = LeftOut()
        self.live = Live(self.files, "/data", self.scene.clock, self.left_out)
        root = Root(self.scene.status, self.scene.recorder, self.api, self.live, self.scene.clock.seconds)
        self.site = BoundedSite(root, self.scene.clock)
        self.site.doStart()
        self.scene.start()
        self.addCleanup(self.scene.stop)
        self.addCleanup(self.site.doStop)

    def _added(self, platform: str, channel: Channel) -> None:
        self.scene.add(channel if isinstance(channel, str) else channel.slug, platform)

    def _rotate(self) -> None:
        self.rotations += 1

    @property
    def logged(self) -> list[Any]:
        """What was logged so far, but for what the recorder, the rooms and connections had to say."""
        others = ("chatlog.rooms.", "chatlog.recorder.")
        return [event for event in self._logged if not str(event.get("log_namespace")).startswith(others)]

    def connect(self, full: int = 1 << 30) -> Connection:
        return Connection(self, full)

    def ask(self, line: str, *headers: str, body: bytes = b"", host: str = "127.0.0.1:8080") -> Reply:
        """Send a request and read its only answer."""
        head = [f"{line} HTTP/1.1", *([f"Host: {host}"] if host else []), *headers]
        if body:
            head.append(f"Content-Length: {len(body)}")
        connection = self.connect().send("\r\n".join([*head, "", ""]).encode() + body)
        [reply] = connection.replies(head=line.startswith("HEAD"))
        connection.leave()
        return reply

    def post(self, path: str, value: Any, *headers: str) -> Reply:
        """Send JSON with the token, unless other headers are given."""
        return self.ask(f"POST {path}", *(headers or (BEARER,)), body=orjson.dumps(value))


def parsed(data: bytes, head: bool = False) -> list[Reply]:
    """The answers in a stream of bytes; fails if there is anything else in it. ``head``: they are answers
    to HEAD."""
    found = []
    while data:
        start, _, data = data.partition(b"\r\n\r\n")
        first, *lines = start.decode("ascii").split("\r\n")
        assert first.startswith("HTTP/1.1 "), first
        headers = dict(line.split(": ", 1) for line in lines)
        headers = {name.lower(): value for name, value in headers.items()}
        status = int(first.split(" ")[1])
        if headers.get("transfer-encoding") == "chunked" and not head:
            whole, data = _unchunked(data)
            found.append(Reply(status, headers, _plain(whole, headers), len(whole)))
            continue
        size = 0 if head or status in (204, 304) else int(headers.get("content-length", 0))
        body, data = data[:size], data[size:]
        assert len(body) == size, "the answer is cut off"
        found.append(Reply(status, headers, _plain(body, headers), size))
    return found


def _plain(body: bytes, headers: dict[str, str]) -> bytes:
    coding = headers.get("content-encoding") if body else None
    if coding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    return gzip.decompress(body) if coding == "gzip" else body


def _unchunked(data: bytes) -> tuple[bytes, bytes]:
    """The body that begins the data, and what follows it."""
    pieces: list[bytes] = []
    while True:
        size, _, data = data.partition(b"\r\n")
        piece, end, data = data[: int(size, 16)], data[int(size, 16) :][:2], data[int(size, 16) + 2 :]
        assert end == b"\r\n", "the answer is cut off"
        if not piece:
            return b"".join(pieces), data
        pieces.append(piece)
