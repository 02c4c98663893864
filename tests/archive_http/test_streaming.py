"""A long answer is made at the pace of its client, and costs nothing once the client has left."""

from __future__ import annotations

import re

from chatlog.archive_http.log_formats import RAW
from chatlog.archive_http.streaming import STALLED
from tests.archive_http.served import MARCH, ROOM, ArchiveCase, privmsg
from tests.fakes import QueuedThreads
from tests.http.wire import parsed

DAY = "/channel/testchan/2026/3/1?raw"
#: Enough for several pieces.
MANY = 3000


class LongCase(ArchiveCase):
    most = 2

    def setUp(self) -> None:
        self.queue = QueuedThreads()
        self.threads = self.queue
        super().setUp()
        self.said = [privmsg(n * 1000, f"message {n} " + "x" * 100) for n in range(MANY)]
        self.world.put(MARCH, self.said, room=ROOM)
        self.put_manifest()

    def begin(self, path: str = DAY, *headers: str, full: int = 1 << 30) -> object:
        head = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]
        self.connection = self.connect(full).send("\r\n".join(head))
        return self.connection


class LongTests(LongCase):
    def test_whole(self) -> None:
        """Every message is there, plain or packed, and the end can be told from a break."""
        for coding in ("", "gzip", "zstd", "gzip;q=0, zstd;q=0"):
            self.begin(DAY, f"Accept-Encoding: {coding}")
            self.queue.pump()
            [reply] = self.connection.replies()
            self.assertEqual(reply.headers.get("content-encoding", ""), coding if "q" not in coding else "")
            found = re.findall(rb"message (\d+) ", reply.body)
            self.assertEqual([int(n) for n in found], list(range(MANY)))
            self.assertEqual(reply.headers["x-chatlog-gaps"], "none")
            self.connection.leave()
        self.assertEqual(len(self.desk), 0)

    def test_several_on_one_connection(self) -> None:
        """What is asked on the same connection afterwards is answered as well."""
        self.begin(DAY)
        self.connection.send(f"GET {DAY}&limit=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        for _ in range(200):
            self.queue.pump()
            self.scene.clock.advance(0)
        first, second = parsed(self.connection.take())
        self.assertEqual(first.body.count(b"\r\n"), MANY)
        self.assertEqual(second.body.count(b"\r\n"), 1)

    def test_slow_client(self) -> None:
        """Nothing is made for a client that does not take it, and no thread waits for it."""
        self.begin(full=1000)
        self.queue.pump()
        self.assertEqual(len(self.queue.jobs), 0)
        self.assertLess(len(self.connection.transport.value()), 300_000)
        data = b""
        for _ in range(100):
            data += self.connection.take()
            self.queue.pump()
        [reply] = parsed(data)
        self.assertEqual(reply.body.count(b"\r\n"), MANY)

    def test_client_that_takes_nothing(self) -> None:
        """It is dropped after a while, and its reading is over."""
        self.begin(full=1000)
        self.queue.pump()
        self.scene.clock.pump([1.0] * int(STALLED + 3))
        self.assertTrue(self.connection.closed)
        self.queue.pump()
        self.assertEqual(len(self.desk), 0)

    def test_client_that_leaves(self) -> None:
        """Its reading ends, at whatever moment it goes."""
        for jobs in (0, 1, 2):
            self.begin(full=1000)
            self.queue.pump(jobs)
            self.connection.leave()
            self.queue.pump()
            self.assertEqual(len(self.desk), 0, jobs)

    def test_too_many(self) -> None:
        """Beyond a number of requests at once others are told to come again, and soon may."""
        first, second = self.connect(), self.connect()
        for connection in (first, second):
            connection.send(f"GET {DAY} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        third = self.ask(DAY)
        self.assertEqual((third.status, third.headers["retry-after"]), (429, "5"))
        self.assertEqual(third.headers["access-control-allow-origin"], "*")
        self.assertEqual(self.ask("/api/v1/archive/rooms").code, "too_many_requests")
        self.assertEqual(self.ask("/healthz").status, 200)
        first.leave()
        self.queue.pump()
        self.assertEqual(parsed(second.take())[0].status, 200)
        self.begin()
        self.queue.pump()
        self.assertEqual(self.connection.replies()[0].status, 200)

    def test_a_search_tells_that_it_is_alive(self) -> None:
        """While nothing is found a line each second says how far it has come."""
        self.begin("/api/v1/archive/search?q=absent")
        self.queue.pump(2)
        self.scene.clock.pump([1.0] * 3)
        self.queue.pump()
        [reply] = self.connection.replies()
        rows = reply.body.splitlines()
        self.assertGreaterEqual(sum(b'"progress"' in row for row in rows), 3)
        self.assertIn(b'"end"', rows[-1])

    def test_a_file_that_goes_bad(self) -> None:
        """What is damaged is named at the end of a long answer."""
        path = self.world.put(MARCH + 4 * 3600.0, self.said[:10], room=ROOM)
        with open(path, "r+b") as file:
            file.truncate(30)
        self.begin()
        self.queue.pump()
        [reply] = self.connection.replies()
        self.assertEqual(reply.body.count(b" PRIVMSG "), MANY)
        self.assertIn(b"msg-id=chatlog-unread", reply.body.splitlines()[-1])


class FormTests(ArchiveCase):
    def test_no_line_of_chat(self) -> None:
        """What is no line of chat has no place in a log."""
        for kind in ("gap", "unparsed"):
            self.assertEqual(RAW.item({"type": kind, "details": {"raw": "x"}}), b"")
