"""The look-alike of the service that remembers chat: what it answers, and what the judge makes of it."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Site

from chatlog.record import encode_full
from chatlog.simulator.chat import record_key
from chatlog.simulator.ledger import Ledger
from chatlog.simulator.recent import MOST, SimulatedRecent
from chatlog.twitch import irc, recent
from chatlog.twitch.events import event_record
from tests.simulator.stage import START, Stage


class RecentTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stage = Stage(self.mktemp())
        self.service = SimulatedRecent(self.stage.clock, self.stage.traffic)
        self.service.listen()

    def get(self, path: str) -> tuple[int, dict[str, str], Any]:
        """Status, headers and body of the answer to a GET."""
        transport: Any = StringTransport()
        transport.setTcpNoDelay = lambda enabled: None
        protocol = Site(self.service).buildProtocol(None)
        protocol.makeConnection(transport)
        protocol.dataReceived(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        protocol.connectionLost(None)
        head, _, body = transport.value().decode().partition("\r\n\r\n")
        lines = head.split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:])
        return int(lines[0].split()[1]), headers, json.loads(body)

    def lines(self, login: str, limit: int = MOST) -> list[str]:
        _, _, answer = self.get(f"/api/v2/recent-messages/{login}?limit={limit}")
        found: list[str] = answer["messages"]
        return found

    def test_joins_when_it_is_asked(self) -> None:
        """It knows nothing of a room before it was asked for it, and says so the first time."""
        self.stage.twitch_client("alpha")
        self.stage.traffic.say("twitch", "alpha", 5)
        _, _, answer = self.get("/api/v2/recent-messages/alpha")
        self.assertEqual((answer["messages"], answer["error_code"]), ([], "channel_not_joined"))
        self.stage.traffic.say("twitch", "alpha", 5, self.stage.traffic.chat("twitch").ordinary)
        status, _, answer = self.get("/api/v2/recent-messages/alpha")
        self.assertEqual((status, len(answer["messages"]), answer["error_code"]), (200, 5, None))
        self.assertEqual(len(self.lines("alpha", 2)), 2)
        self.assertEqual(self.service.requests[-1], ("alpha", 2))

    def test_bounded(self) -> None:
        """It remembers the latest lines, no more than the real one."""
        self.lines("alpha")
        self.stage.traffic.say("twitch", "alpha", MOST + 50, self.stage.traffic.chat("twitch").ordinary)
        self.assertEqual(len(self.lines("alpha")), MOST)

    def test_lines_as_the_real_one_writes_them(self) -> None:
        """Tags in another order with two more, a single word without its colon; the recorder's parser
        reads the same event from it."""
        client = self.stage.twitch_client("alpha")
        client.lines()
        self.lines("alpha")
        self.stage.traffic.say("twitch", "alpha", 300)
        live = [irc.parse(line.encode()) for line in client.lines() if "PRIVMSG" in line and ";id=" in line]
        kept = {
            message.tags["id"]: message
            for line in self.lines("alpha")
            for message in [irc.parse(line.encode())]
            if message.command == "PRIVMSG" and "id" in message.tags
        }
        self.assertGreater(len(live), 200)
        for message in live:
            other = kept[message.tags["id"]]
            self.assertEqual((other.params, other.source), (message.params, message.source))
            self.assertEqual(other.tags.pop("historical"), "1")
            self.assertGreater(int(other.tags.pop("rm-received-ts")), START * 1000)
            self.assertEqual(other.tags, message.tags)
            self.assertEqual(list(other.tags), sorted(other.tags))

    def test_refusals(self) -> None:
        """It can be told to refuse, with the time after which it may be asked again; names that can be
        none are refused always."""
        self.service.status, self.service.retry_after = 429, 7
        status, headers, _ = self.get("/api/v2/recent-messages/alpha")
        self.assertEqual((status, headers["Retry-After"]), (429, "7"))
        self.service.status, self.service.retry_after = 200, 0
        status, _, answer = self.get("/api/v2/recent-messages/No%20Name")
        self.assertEqual((status, answer["error_code"]), (400, "invalid_channel_login"))

    def test_events_that_only_it_heard(self) -> None:
        """What no recorder was connected for goes on being said where it listens. The judge does not
        expect it of a recorder, and knows it if the recorder has it."""
        self.lines("alpha")
        self.stage.traffic.say("twitch", "alpha", 200)
        client = self.stage.twitch_client("alpha")
        self.stage.traffic.say("twitch", "alpha", 10)
        self.stage.oracle.flush()
        with open(self.stage.oracle.path, "rb") as file:
            ledger = Ledger()
            ledger.read(file)
        self.assertEqual([ledger.undelivered(n) for n in range(200)], [True] * 200)
        self.assertFalse(any(ledger.undelivered(n) for n in range(201, len(ledger))))
        self.assertTrue(client)
        taken = 0
        for line in self.lines("alpha"):
            found = recent.chat_in(line.encode(), "alpha", "")
            if found is not None:
                encoded = event_record(found[0], "2025-12-29T10:30:00.000Z", self.marked)
                number, why = ledger.take(json.loads(encoded), -1)
                self.assertEqual(why, "", line)
                self.assertIsNotNone(number)
                taken += 1
        self.assertGreater(taken, 180)

    def test_key_of_what_came_back(self) -> None:
        """A record without an id has the same key whether it came live or from the service."""
        line = "@room-id=1;tmi-sent-ts=5 :tmi.twitch.tv CLEARCHAT #alpha :bob"
        live = json.loads(event_record(irc.parse(line.encode()), "", encode_full))
        kept = "@historical=1;rm-received-ts=9;room-id=1;tmi-sent-ts=5 :tmi.twitch.tv CLEARCHAT #alpha bob"
        back = json.loads(event_record(irc.parse(kept.encode()), "", self.marked))
        self.assertEqual(record_key(live), record_key(back))

    @staticmethod
    def marked(*parts: Any) -> bytes:
        return encode_full(*[*parts[:-1], {**parts[-1], "backfilled": True}])
