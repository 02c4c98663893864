"""From a channel's name to its ids: configuration, cache and lookup."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.settings import KickChannel
from chatlog.kick.ids import ChannelIds, IdCache, remedy
from chatlog.network.http import Answer, RequestFailed
from tests.fakes import MemoryFiles
from tests.kick import lookup_answer as answer

DIRECTORY = "/spool"


class Site:
    """Answers lookups when the test says so. ``asked`` are the addresses, ``waiting`` the questions."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.waiting: list[Deferred[Answer]] = []

    def get(self, url: str) -> Deferred[Answer]:
        self.asked.append(url)
        question: Deferred[Answer] = Deferred()
        self.waiting.append(question)
        return question

    def say(self, status: int, body: bytes) -> None:
        """Answer the oldest question."""
        self.waiting.pop(0).callback(Answer(status, body))


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

    def make(
        self,
        lookup: str | None = "https://a.example/channels/{slug}",
        found: Callable[[KickChannel], None] | None = None,
        **more: Any,
    ) -> ChannelIds:
        """A running service."""
        ids = ChannelIds(
            lookup,
            self.site.get,
            IdCache(self.files, DIRECTORY),
            self.clock,
            found or self.found.append,
            {},
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
        """A question that is given up without an answer is asked again later."""
        self.want("night_owl")
        self.site.waiting.pop().errback(Failure(RequestFailed("no answer within 10 s")))
        self.assertEqual(self.ids.missing, {"night_owl": "no answer within 10 s"})
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
        self.assertIn("Kick knows no channel of that name: check the spelling", line)

    def test_unknown_channel_ends_a_refusal(self) -> None:
        """Hearing that a channel does not exist means that lookups work."""
        self.want("a", "typo", "c")
        self.site.say(503, b"")
        self.clock.advance(60)
        self.site.say(404, b"")
        self.assertEqual(self.lines("info"), ["kick: looking up ids works again"])
        self.clock.advance(0.5)
        self.assertEqual(self.site.asked[-1][-1], "c")

    def test_refused_channel_goes_last(self) -> None:
        """A channel whose lookup was refused waits behind those that are added later."""
        self.want("a")
        self.site.say(403, b"")
        self.clock.advance(30)
        self.want("b")
        self.clock.advance(30)
        self.site.say(403, b"")
        self.clock.advance(120)
        self.assertEqual([url[-1] for url in self.site.asked], ["a", "a", "b"])

    def test_many_channels(self) -> None:
        """The log names twenty channels and counts all of them; there is one timer for all."""
        self.want(*[f"room{n:02}" for n in range(25)])
        self.site.say(403, b"")
        (line,) = self.lines()
        self.assertIn("25 channels", line)
        self.assertIn("room19, ...", line)
        self.assertNotIn("room20", line)
        self.ids.add(KickChannel("late"))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_network_down(self) -> None:
        """An error of the network is a refusal of all; its words are the reason, without a traceback."""
        self.want("a")
        self.site.waiting.pop().errback(Failure(ConnectionRefusedError("nobody\nhome")))
        self.assertNotIn("\n", self.ids.missing["a"])
        self.assertIn("nobody\\nhome", self.ids.missing["a"])
        self.clock.advance(60)
        self.assertEqual(len(self.site.asked), 2)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_answers_at_once(self) -> None:
        """A getter that answers or fails without waiting is fine."""
        answers = [fail(ValueError("x")), succeed(Answer(200, answer())), succeed(Answer(200, answer()))]
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

        self.ids = self.make(found=take)
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
        self.clock.advance(59)
        self.assertEqual(len(self.site.asked), 1)
        self.clock.advance(1)
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
