"""The firehose: what is recorded, live, over WebSocket."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import Any

import orjson
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from chatlog.archive_http.firehose import CLIENTS, EVERY, PING_EVERY
from chatlog.archive_http.firehose_clients import BACKLOG
from chatlog.naming import FileName
from tests.archive_http.served import ArchiveCase, line, privmsg

KEY = base64.b64encode(b"0123456789abcdef").decode()
FILE = "twitch_testchan_20260302_1200.jsonl"


def upgrade(path: str, host: str = "127.0.0.1:8081") -> str:
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\nOrigin: https://logs.example.org\r\n\r\n"
    )


class Listener:
    """A client that listens."""

    def __init__(self, case: ArchiveCase, path: str = "/firehose", full: int = 1 << 30) -> None:
        self.connection = case.connect(full).send(upgrade(path))
        self.greeting, _, self._rest = self.connection.take().partition(b"\r\n\r\n")

    @property
    def client(self) -> Any:
        """Who the transport belongs to by now."""
        transport: Any = self.connection.transport
        return transport.protocol

    def messages(self) -> list[bytes]:
        """What came since."""
        return [payload for kind, payload in self.frames() if kind == 1]

    def frames(self) -> list[tuple[int, bytes]]:
        data = self._rest + self.connection.transport.value()
        self.connection.transport.clear()
        found = []
        while data:
            size, start = data[1] & 127, 2
            if size > 125:
                width = 2 if size == 126 else 8
                size, start = int.from_bytes(data[2 : 2 + width], "big"), 2 + width
            found.append((data[0] & 15, data[start : start + size]))
            data = data[start + size :]
        self._rest = b""
        return found

    def pong(self) -> None:
        self.client.dataReceived(b"\x8a\x80\0\0\0\0")

    def leave(self) -> None:
        self.client.connectionLost(Failure(ConnectionDone()))


class FirehoseTests(ArchiveCase):
    def setUp(self) -> None:
        super().setUp()
        self.said = 0

    def path(self, area: str, name: str = FILE) -> str:
        return os.path.join(self.world.spool, area, name)

    def record(self, *lines: bytes, name: str = FILE) -> None:
        """The recorder writes."""
        with open(self.path("open", name), "ab") as file:
            file.write(b"".join(lines))

    def look(self) -> None:
        self.scene.clock.advance(EVERY)

    def say(self, text: str, **more: str) -> bytes:
        self.said += 1
        return privmsg(self.said * 1000, text, **more)

    def test_lines(self) -> None:
        """What is said from now on comes as lines, in order, whole ones only, one a message."""
        self.record(self.say("before"))
        listener = Listener(self)
        accepted = base64.b64encode(
            hashlib.sha1(f"{KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
        )
        self.assertIn(b"HTTP/1.1 101", listener.greeting)
        self.assertIn(accepted, listener.greeting)
        self.look()
        self.assertEqual(listener.messages(), [])
        third = self.say("three")
        self.record(self.say("one"), self.say("two"), third[:20])
        self.look()
        self.assertEqual([m.rpartition(b":")[2] for m in listener.messages()], [b"one", b"two"])
        self.record(third[20:])
        self.look()
        [message] = listener.messages()
        self.assertTrue(message.startswith(b"@badge-info=;"))
        self.assertTrue(message.endswith(b":alice!alice@alice.tmi.twitch.tv PRIVMSG #testchan :three"))

    def test_bad_requests(self) -> None:
        """A request that is no good WebSocket one is refused, and leaves no line in the log: anybody may send
        any number of them. Nor does a client that breaks the protocol later."""
        head = "GET /firehose HTTP/1.1\r\nHost: 127.0.0.1:8081\r\nUpgrade: websocket\r\n"
        for rest in (
            "",
            "Connection: Upgrade\r\n",
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\n",
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 99\r\n",
            "Connection: Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n",
            "Connection: Upgrade\r\nSec-WebSocket-Version: x\r\nSec-WebSocket-Key: x\r\n",
        ):
            connection = self.connect().send(f"{head}{rest}\r\n")
            self.assertRegex(connection.take(), rb"\AHTTP/1.1 4\d\d ", rest)
        for frame in (b"\x81\x05hello", b"\xff\xff" + bytes(14), b"\x81\xfe\xff\xff" + bytes(4)):
            Listener(self).client.dataReceived(frame)
        self.assertEqual([event for event in self.logged if event["log_level"].name != "debug"], [])

    def test_json(self) -> None:
        """With jsonBasic a message has the five keys and its channel; a deletion names what it deletes."""
        listener = Listener(self, "/firehose?jsonBasic=true")
        deleted = line(
            "@login=bob;target-msg-id=id-7;tmi-sent-ts=1772323200000 :tmi.twitch.tv CLEARMSG #testchan :bad"
        )
        self.record(self.say("hi"), deleted)
        self.look()
        said, removed = map(orjson.loads, listener.messages())
        self.assertEqual(list(said), ["text", "displayName", "timestamp", "id", "tags", "channel"])
        self.assertEqual((said["text"], said["displayName"], said["channel"]), ("hi", "Alice", "testchan"))
        self.assertEqual(removed["tags"]["target-msg-id"], "id-7")

    def test_opted_out(self) -> None:
        """Who opted out is left out at once, before the recorder has noticed, and nobody else is."""
        self.world.opt_out("22222", "alice")
        listener = Listener(self)
        deleted = line(
            "@login=alice;target-msg-id=id-7;tmi-sent-ts=1772323200000 :tmi.twitch.tv CLEARMSG #testchan :bad"
        )
        self.record(self.say("hi"), deleted, self.say("hello", user="bob", user_id="5"))
        self.look()
        [message] = listener.messages()
        self.assertTrue(message.endswith(b":hello"))

    def test_platforms(self) -> None:
        """Twitch is at the root, Kick below /kick."""
        twitch, kick = Listener(self), Listener(self, "/kick/firehose")
        other = self.say("of kick").replace(b'"platform":"twitch"', b'"platform":"kick"')
        self.record(self.say("of twitch"))
        self.record(other, name="kick_testchan_20260302_1200.jsonl")
        self.look()
        self.assertIn(b"of twitch", b"".join(twitch.messages()))
        [message] = kick.messages()
        self.assertIn(b"@alice.kick.com PRIVMSG #testchan :of kick", message)

    def test_files_that_move_on(self) -> None:
        """Nothing is missed when a file is finished, packed and stored between two looks, nor when the
        recorder begins another."""
        listener = Listener(self)
        first, *rest = [self.say(f"t{n}") for n in range(9)]
        self.record(first)
        self.look()
        self.record(rest[0])
        os.rename(self.path("open"), self.path("sealed"))
        self.record(rest[1], name="twitch_testchan_20260302_1300.jsonl")
        self.look()
        # And one that was stored at once.
        name = FileName("twitch", "testchan", "20260302_1300")
        self.world.put(1772456400.0, [rest[1], rest[2]], room=("twitch", "testchan"))
        os.remove(self.path("open", str(name)))
        self.look()
        texts = [message.rpartition(b":")[2] for message in listener.messages()]
        self.assertEqual(texts, [b"t0", b"t1", b"t2", b"t3"])

    def test_a_slow_client(self) -> None:
        """A client that takes nothing is dropped when too much waits for it; the others notice nothing."""
        slow, other = Listener(self, full=1000), Listener(self)
        slow.client.pauseProducing()
        for _ in range(40):
            self.record(*(self.say("x" * 400) for _ in range(100)))
            self.look()
        self.assertTrue(slow.connection.transport.disconnected or slow.connection.closed)
        self.assertEqual(len(other.messages()), 4000)
        self.assertLess(len(slow.connection.transport.value()), BACKLOG)
        self.assertEqual(len(self.firehose), 1)

    def test_a_pause(self) -> None:
        """A client that takes what waited for it misses nothing."""
        listener = Listener(self)
        listener.client.pauseProducing()
        self.record(self.say("one"))
        self.look()
        self.assertEqual(listener.messages(), [])
        listener.client.resumeProducing()
        self.record(self.say("two"))
        self.look()
        self.assertEqual([m.rpartition(b":")[2] for m in listener.messages()], [b"one", b"two"])

    def test_a_client_that_is_gone(self) -> None:
        """One that answers no ping is dropped; one that does stays."""
        silent, alive = Listener(self), Listener(self)
        for _ in range(4):
            self.scene.clock.advance(PING_EVERY)
            if alive.frames()[-1:] and not alive.connection.closed:
                alive.pong()
        self.assertTrue(silent.connection.closed)
        self.assertFalse(alive.connection.closed)
        self.assertEqual(len(self.firehose), 1)

    def test_nobody_listens(self) -> None:
        """While nobody listens nothing is read; who comes later gets what is said from then on."""
        Listener(self).leave()
        self.assertEqual(len(self.firehose), 0)
        self.record(self.say("unheard"))
        listener = Listener(self)
        self.look()
        self.record(self.say("heard"))
        self.look()
        self.assertEqual([m.rpartition(b":")[2] for m in listener.messages()], [b"heard"])

    def test_refused(self) -> None:
        """What is no WebSocket, another site's name, and too many clients are refused in a sentence."""
        reply = self.ask("/firehose")
        self.assertEqual((reply.status, reply.headers["upgrade"]), (426, "websocket"))
        self.assertIn(
            b"421", self.connect().send(upgrade("/firehose", "evil.example")).take().split(b"\r\n")[0]
        )
        listeners = [Listener(self) for _ in range(CLIENTS)]
        self.assertIn(b"429", self.connect().send(upgrade("/firehose")).take().split(b"\r\n")[0])
        for listener in listeners:
            listener.leave()

    def test_hostile_frames(self) -> None:
        """A client that sends what it likes harms nobody but itself."""
        other = Listener(self)
        for data in (
            os.urandom(300),
            b"\x81\xff" + b"\xff" * 8 + b"\0" * 4,
            b"\x01\xfe\xff\xff" + b"\0" * 70_000,
        ):
            listener = Listener(self)
            listener.client.dataReceived(data)
            self.assertLess(len(getattr(listener.client, "data", b"")), 200_000)
        self.record(self.say("still here"))
        self.look()
        self.assertEqual(len(other.messages()), 1)

    def test_capability(self) -> None:
        """Clients see that it is there, where a recorder is."""
        self.assertIn("firehose", orjson.loads(self.ask("/capabilities").body))
        for area in ("open", "sealed", "packed"):
            os.rmdir(os.path.join(self.world.spool, area))
        reply = self.ask("/capabilities")
        self.assertNotIn("firehose", orjson.loads(reply.body))
        self.assertNotIn("firehose", reply.headers["x-rustlog-capabilities"])
        self.assertIn(b"404", self.connect().send(upgrade("/firehose")).take().split(b"\r\n")[0])
