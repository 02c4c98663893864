"""From a channel's name to its ids: configuration, cache and lookup."""

from __future__ import annotations

import errno
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import Agent

from chatlog.files import OsFiles
from chatlog.kick.ids import REMEMBERED, ChannelIds, IdCache, remedy
from chatlog.kick.lookup import ANSWER_LIMIT, LookupRefused, http_get, ids_in
from chatlog.settings import KickChannel
from tests.fakes import MemoryFiles

DIRECTORY = "/spool"
PATH = "/spool/kick_ids.json"


def answer(chatroom_id: Any = 7001, channel_id: Any = 7000, **more: Any) -> bytes:
    """What the site says about a channel."""
    chatroom = {"id": chatroom_id, "channel_id": channel_id, "chat_mode": "public"}
    return json.dumps({"id": channel_id, "user_id": 5, "chatroom": chatroom} | more).encode()


class Site:
    """Answers lookups when the test says so. ``asked`` are the addresses, ``waiting`` the questions."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.waiting: list[Deferred[tuple[int, bytes]]] = []

    def get(self, url: str) -> Deferred[tuple[int, bytes]]:
        self.asked.append(url)
        question: Deferred[tuple[int, bytes]] = Deferred()
        self.waiting.append(question)
        return question

    def say(self, status: int, body: bytes) -> None:
        """Answer the oldest question."""
        self.waiting.pop(0).callback((status, body))


class IdsCase(SynchronousTestCase):
    """Lookups with a clock, a site and a file system of the test's own."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(5000)
        self.site = Site()
        self.files = MemoryFiles()
        self.files.directories.add(DIRECTORY)
        self.found: list[KickChannel] = []
        self.logged: list[LogEvent] = []
        observer: Any = self.logged.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.ids = self.make()

    def make(self, lookup: str | None = "https://a.example/channels/{slug}", **more: Any) -> ChannelIds:
        """A running service."""
        ids = ChannelIds(
            lookup,
            self.site.get,
            IdCache(self.files, DIRECTORY),
            self.clock,
            self.found.append,
            uniform=lambda least, most: most,
            **more,
        )
        ids.startService()
        self.addCleanup(ids.stopService)
        return ids

    def lines(self, level: str = "warn") -> list[str]:
        """The log's lines of that level, fields filled in."""
        return [
            str(event["log_format"]).format(**event)
            for event in self.logged
            if event["log_level"].name == level
        ]

    def want(self, *slugs: str) -> None:
        """Channels without ids."""
        for slug in slugs:
            self.ids.add(KickChannel(slug))
        self.clock.advance(0)


class LookupTests(IdsCase):
    """Asking the site."""

    def test_found(self) -> None:
        """A name is looked up at the configured address and its ids are told, once."""
        self.want("night_owl")
        self.assertEqual(self.site.asked, ["https://a.example/channels/night_owl"])
        self.assertEqual(self.ids.missing, {"night_owl": "looking up its ids"})
        self.site.say(200, answer())
        self.assertEqual(self.found, [KickChannel("night_owl", 7001, 7000)])
        self.assertEqual(self.ids.missing, {})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_names_in_the_address(self) -> None:
        """A name can never change the address's host or path."""
        self.want("../../x?y#z")
        self.assertEqual(self.site.asked, ["https://a.example/channels/..%2F..%2Fx%3Fy%23z"])

    def test_configured_ids_win(self) -> None:
        """Nothing is looked up for a channel with a chatroom id, and no cache changes it."""
        self.want("night_owl")
        self.site.say(200, answer())
        self.found.clear()
        channel = KickChannel("night_owl", 1, 2)
        self.ids.add(channel)
        self.ids.add(KickChannel("other", 3))
        self.assertEqual(self.found, [channel, KickChannel("other", 3)])
        self.clock.advance(10_000)
        self.assertEqual(len(self.site.asked), 1)

    def test_one_at_a_time_and_at_most_three_a_second(self) -> None:
        """The next question waits for the last answer, and for a third of a second."""
        self.want("a", "b", "c")
        self.clock.advance(5)
        self.assertEqual(len(self.site.asked), 1)
        self.site.say(200, answer())
        self.clock.advance(0)
        self.assertEqual(len(self.site.asked), 2)
        self.site.say(200, answer())
        self.clock.advance(0.3)
        self.assertEqual(len(self.site.asked), 2)
        self.clock.advance(0.1)
        self.assertEqual(len(self.site.asked), 3)

    def test_no_answer(self) -> None:
        """A question that is not answered in ten seconds is given up and asked again later."""
        self.want("night_owl")
        self.clock.advance(10)
        self.assertEqual(self.ids.missing, {"night_owl": "no answer in 10 seconds"})
        self.clock.advance(59)
        self.assertEqual(len(self.site.asked), 1)
        self.clock.advance(1)
        self.assertEqual(len(self.site.asked), 2)

    def test_refusals_stop_all_lookups(self) -> None:
        """A refusal is not provoked again by asking for the next name at once: one question after a
        minute, doubling up to an hour, each for another name; the log says it once, with the names and
        what to do."""
        self.want("a", "b", "c")
        refusal = b'{"error":"Request blocked by security policy.","reference":"0"}'
        waits = []
        for _ in range(8):
            self.site.say(403, refusal)
            (call,) = self.clock.getDelayedCalls()
            waits.append(round(call.getTime() - self.clock.seconds()))
            self.clock.advance(waits[-1])
        self.assertEqual(waits, [60, 120, 240, 480, 960, 1920, 3600, 3600])
        self.assertEqual([url[-1] for url in self.site.asked], list("abcabcabc"))
        (line,) = self.lines()
        self.assertIn("Request blocked by security policy.", line)
        self.assertIn("a, b, c", line)
        self.assertIn("https://kick.com/api/v2/channels/a", line)
        self.assertIn('"chatroom":{"id":', line)
        self.assertIn("{slug: a, chatroom_id: NUMBER}", line)
        self.assertIn("chatlog.yaml", line)

    def test_after_a_refusal(self) -> None:
        """Once one answer comes, the others follow without waiting, and the log says so once."""
        self.want("a", "b", "c")
        self.site.say(403, b"<!DOCTYPE html><title>Just a moment...</title>")
        self.clock.advance(60)
        for _ in range(3):
            self.site.say(200, answer())
            self.clock.advance(0.5)
        self.assertEqual([channel.slug for channel in self.found], ["b", "c", "a"])
        self.assertEqual(self.lines("info"), ["kick: looking up ids works again"])
        self.want("d")
        self.site.say(429, b"")
        self.assertEqual(len(self.lines()), 2)

    def test_unknown_channel(self) -> None:
        """A channel that does not exist is put off alone, longer each time; the log says it once."""
        self.want("typo", "good")
        self.site.say(404, b'{"message":"Not found"}')
        self.clock.advance(0.5)
        self.site.say(200, answer())
        self.assertEqual([channel.slug for channel in self.found], ["good"])
        self.assertEqual(self.ids.missing, {"typo": "HTTP 404: Not found"})
        self.clock.advance(58)
        self.assertEqual(len(self.site.asked), 2)
        self.clock.advance(2)
        self.assertEqual(len(self.site.asked), 3)
        self.site.say(404, b"")
        self.clock.advance(119)
        self.assertEqual(len(self.site.asked), 3)
        self.clock.advance(1)
        self.assertEqual(len(self.site.asked), 4)
        (line,) = self.lines()
        self.assertIn("typo", line)
        self.assertIn("404", line)

    def test_unknown_channel_ends_a_refusal(self) -> None:
        """Hearing that a channel does not exist means that lookups work."""
        self.want("a", "typo", "c")
        self.site.say(503, b"")
        self.clock.advance(60)
        self.site.say(404, b"")
        self.clock.advance(0.5)
        self.assertEqual(self.site.asked[-1][-1], "c")

    def test_network_down(self) -> None:
        """An error of the network is a refusal of all; its words are the reason, without a traceback."""
        self.want("a")
        self.site.waiting.pop().errback(Failure(ConnectionRefusedError("nobody\nhome")))
        self.assertNotIn("\n", self.ids.missing["a"])
        self.assertIn("nobody?home", self.ids.missing["a"])
        self.clock.advance(60)
        self.assertEqual(len(self.site.asked), 2)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_answers_at_once(self) -> None:
        """A getter that answers or fails without waiting is fine."""
        answers = [fail(ValueError("x")), succeed((200, answer())), succeed((200, answer()))]
        self.site.get = lambda url: answers.pop(0)  # type: ignore[method-assign]
        self.ids = self.make()
        self.want("a", "b")
        self.clock.advance(60)
        self.clock.advance(1)
        self.assertEqual(len(self.found), 2)

    def test_removed(self) -> None:
        """A channel that is removed is not asked for any more, and an answer that comes still is kept
        for later only."""
        self.want("a", "b")
        self.ids.remove("a")
        self.ids.remove("b")
        self.site.say(200, answer())
        self.assertEqual(self.found, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.ids.add(KickChannel("a"))
        self.assertEqual(self.found, [KickChannel("a", 7001, 7000)])

    def test_removed_before_it_was_asked_for(self) -> None:
        """A channel may go before its turn has come."""
        self.ids.add(KickChannel("a"))
        self.ids.remove("a")
        self.clock.advance(10)
        self.assertEqual(self.site.asked, [])
        self.assertEqual(self.ids.missing, {})

    def test_failing_owner(self) -> None:
        """An owner that cannot take one channel's ids still gets the next one's."""
        seen: list[str] = []

        def take(channel: KickChannel) -> None:
            seen.append(channel.slug)
            raise RuntimeError

        self.ids._found = take
        self.want("a", "b")
        self.site.say(200, answer())
        self.clock.advance(1)
        self.site.say(200, answer())
        self.assertEqual(seen, ["a", "b"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)

    def test_switched_off(self) -> None:
        """Without an address nothing is looked up; the log says what to do, and the rest works."""
        self.ids = self.make(None)
        self.want("a", "b")
        self.ids.add(KickChannel("c", 1))
        self.clock.advance(10_000)
        self.assertEqual(self.site.asked, [])
        self.assertEqual(self.found, [KickChannel("c", 1)])
        self.assertEqual(set(self.ids.missing), {"a", "b"})
        (line,) = self.lines()
        self.assertIn(remedy("a"), line)

    def test_channel_id_needed_too(self) -> None:
        """Where the channel id is needed, a channel with a chatroom id is told at once and once more
        when the other id is known."""
        self.ids = self.make(needs_channel_id=True)
        self.ids.add(KickChannel("a", 1))
        self.assertEqual(self.found, [KickChannel("a", 1)])
        self.clock.advance(0)
        self.site.say(200, answer(chatroom_id=99, channel_id=2))
        self.assertEqual(self.found[1:], [KickChannel("a", 1, 2)])
        self.ids.add(KickChannel("b", 3, 4))
        self.clock.advance(1)
        self.assertEqual(len(self.site.asked), 1)

    def test_channel_id_missing(self) -> None:
        """An answer without the channel id is used for what it has, and asked for again later."""
        self.ids = self.make(needs_channel_id=True)
        self.want("a")
        self.site.say(200, b'{"chatroom":{"id":5}}')
        self.assertEqual(self.found, [KickChannel("a", 5)])
        self.clock.advance(60)
        self.site.say(200, b'{"chatroom":{"id":5}}')
        self.assertEqual(len(self.found), 1)
        self.clock.advance(120)
        self.site.say(200, b'{"id":6,"chatroom":{"id":5}}')
        self.assertEqual(self.found[1:], [KickChannel("a", 5, 6)])
        self.assertEqual(self.ids.missing, {})

    def test_stopping(self) -> None:
        """Stopping ends a question under way and leaves nothing to happen; starting again goes on."""
        self.want("a", "b")
        self.ids.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.found, [])
        self.assertEqual(self.flushLoggedErrors(), [])
        self.ids.startService()
        self.clock.advance(1)
        self.assertEqual(len(self.site.asked), 2)
        self.ids.stopService()
        self.ids.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_before_the_start(self) -> None:
        """Channels may be added before the service runs; they are taken up when it starts."""
        self.ids.stopService()
        self.ids.add(KickChannel("a"))
        self.ids.add(KickChannel("b", 2))
        self.assertEqual(self.found, [])
        self.ids.startService()
        self.assertEqual(self.found, [KickChannel("b", 2)])
        self.clock.advance(0)
        self.assertEqual(len(self.site.asked), 1)


class CacheTests(IdsCase):
    """Ids that were found once."""

    def test_kept_across_restarts(self) -> None:
        """What was found is not looked up again by the next process."""
        self.want("a")
        self.site.say(200, answer())
        self.found.clear()
        self.ids = self.make()
        self.ids.add(KickChannel("a"))
        self.assertEqual(self.found, [KickChannel("a", 7001, 7000)])
        self.clock.advance(10_000)
        self.assertEqual(len(self.site.asked), 1)

    def test_readable_file(self) -> None:
        """The file can be read, and corrected, by a person; no second file stays behind."""
        self.want("a")
        self.site.say(200, answer())
        content = json.loads(self.files.content(PATH))
        self.assertEqual(content, {"a": {"chatroom_id": 7001, "channel_id": 7000}})
        self.assertEqual(self.files.names(DIRECTORY), ["kick_ids.json"])

    def test_damaged_files(self) -> None:
        """A file that is damaged in any way counts for what is whole in it."""
        for data, slugs in (
            (b"", ""),
            (b"\x00\xff", ""),
            (b'{"a":{"chatroom_id":1', ""),
            (b"[]", ""),
            (b"[" * 5000, ""),
            (b'{"a":5,"b":{"chatroom_id":"x"},"c":{"chatroom_id":-1},"d":{},"e":{"chatroom_id":7}}', "e"),
            (b" " * 5_000_000 + b'{"a":{"chatroom_id":7}}', ""),
        ):
            self.files.put(PATH, data)
            cache = IdCache(self.files, DIRECTORY)
            cache.load()
            self.assertEqual([slug for slug in "abcde" if cache.get(slug)], list(slugs))
            cache.put("new", (1, None))
            again = IdCache(self.files, DIRECTORY)
            again.load()
            self.assertEqual(again.get("new"), (1, None))

    def test_bounded(self) -> None:
        """The file does not grow without limit: the oldest entries go."""
        content = {f"c{n}": {"chatroom_id": n + 1} for n in range(REMEMBERED)}
        self.files.put(PATH, json.dumps(content).encode())
        cache = IdCache(self.files, DIRECTORY)
        cache.load()
        cache.put("new", (1, 2))
        self.assertIsNone(cache.get("c0"))
        self.assertEqual(cache.get("c1"), (2, None))
        self.assertEqual(len(json.loads(self.files.content(PATH))), REMEMBERED)

    def test_disk_full(self) -> None:
        """Ids that cannot be kept are used all the same; the log says so once, and the old file is
        still there."""
        self.want("a", "b", "c")
        self.site.say(200, answer())
        old = self.files.content(PATH)
        self.files.capacity = self.files.used()
        for _ in range(2):
            self.clock.advance(1)
            self.site.say(200, answer())
        self.assertEqual(len(self.found), 3)
        self.assertEqual(self.files.content(PATH), old)
        self.assertEqual(len(self.lines()), 1)
        self.assertEqual(self.files.fds, {})
        self.files.capacity = None
        self.want("d")
        self.clock.advance(1)
        self.site.say(200, answer())
        self.assertIn("d", json.loads(self.files.content(PATH)))

    def test_directory_is_not_writable(self) -> None:
        """Neither does a directory that cannot be read or written stop anything."""

        def refuse(operation: str, path: str) -> None:
            raise OSError(errno.EACCES, "Permission denied", path)

        self.files.rule = refuse
        self.ids = self.make()
        self.want("a")
        self.site.say(200, answer())
        self.assertEqual(self.found, [KickChannel("a", 7001, 7000)])

    def test_left_over_file(self) -> None:
        """A file that a dead process left half written is in nobody's way."""
        self.files.put(PATH + ".new", b"half")
        self.want("a")
        self.site.say(200, answer())
        self.assertIn("a", json.loads(self.files.content(PATH)))

    def test_forgotten(self) -> None:
        """Ids that proved wrong are dropped, and looked up when they are wanted again."""
        self.want("a")
        self.site.say(200, answer())
        self.ids.forget("a")
        self.ids.forget("never seen")
        self.assertEqual(json.loads(self.files.content(PATH)), {})
        self.clock.advance(1)
        self.want("a")
        self.assertEqual(len(self.site.asked), 2)

    def test_real_files(self) -> None:
        """It works on a real file system, in a directory that is not there yet."""
        directory = f"{self.mktemp()}/spool"
        IdCache(OsFiles(), directory).load()
        IdCache(OsFiles(), directory).put("a", (1, 2))
        again = IdCache(OsFiles(), directory)
        again.load()
        self.assertEqual(again.get("a"), (1, 2))


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

    def test_refusals(self) -> None:
        """Everything else is refused with one line that says what came."""
        for status, body, reason in (
            (403, b'{"error":"Request blocked by security policy."}', "HTTP 403: Request blocked by"),
            (403, b"<!DOCTYPE html><title>Just a moment...</title>", "HTTP 403: a web page"),
            (200, b"\n <html>", "HTTP 200: a web page"),
            (429, b"", "HTTP 429"),
            (404, b'{"message":"Not\nfound"}', "HTTP 404"),
            (404, json.dumps({"message": "Not\nfound"}).encode(), "HTTP 404: Not?found"),
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
        self.assertIn("bytes", str(self.failureResultOf(question, LookupRefused).value))
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
