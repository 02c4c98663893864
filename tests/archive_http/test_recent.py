"""A chat client that was just opened gets the latest lines, as recent-messages gives them."""

from __future__ import annotations

import orjson

from chatlog.twitch.recent import address, chat_in, lines_in
from tests.archive_http.served import MARCH, ROOM, ArchiveCase, line, privmsg

NOW = 36 * 3600_000
PATH = "/api/v2/recent-messages/testchan"
BAN = ":tmi.twitch.tv CLEARCHAT #testchan :bob"


def event(ms: int, tags: str, rest: str) -> bytes:
    return line(f"@{tags};room-id=11111;tmi-sent-ts={int(MARCH * 1000) + NOW + ms} {rest}")


class RecentTests(ArchiveCase):
    def setUp(self) -> None:
        super().setUp()
        self.world.put(
            MARCH + 34 * 3600.0,
            [
                privmsg(NOW - 5000, "first"),
                privmsg(NOW - 4000, "bad", "bob", "b", "33333"),
                privmsg(NOW - 3000, "worse", "carol", "c", "44444"),
                event(-2000, "ban-duration=600;target-user-id=33333", BAN),
                event(-1000, "login=carol;target-msg-id=c", ":tmi.twitch.tv CLEARMSG #testchan :worse"),
                privmsg(NOW - 500, "last"),
            ],
            room=ROOM,
        )

    def messages(self, query: str = "") -> list[str]:
        answer = self.ask(f"{PATH}?{query}").json
        self.assertEqual((answer["error"], answer["error_code"]), (None, None))
        return list(answer["messages"])

    def texts(self, query: str = "") -> list[str]:
        return [message.rpartition(":")[2] for message in self.messages(query)]

    def test_lines(self) -> None:
        """The oldest first, each marked as history and with the time at which it was received."""
        self.assertEqual(self.texts(), ["first", "bad", "worse", "bob", "worse", "last"])
        for message in self.messages():
            self.assertTrue(message.startswith("@historical=1;rm-received-ts=1772366400000;"), message)

    def test_what_moderators_hit(self) -> None:
        """Messages that were deleted, or whose author was silenced, are marked."""
        marked = [";rm-deleted=1;" in message for message in self.messages()]
        self.assertEqual(marked, [False, True, True, False, False, False])
        # Also when what hit them is not asked for.
        before = int(MARCH * 1000) + NOW - 2500
        self.assertEqual(sum(";rm-deleted=1;" in message for message in self.messages(f"before={before}")), 2)

    def test_choices(self) -> None:
        """The parameters that clients send."""
        at = int(MARCH * 1000) + NOW
        for query, wanted in (
            ("limit=2", ["worse", "last"]),
            (f"before={at - 3000}", ["first", "bad"]),
            (f"after={at - 2000}", ["worse", "last"]),
            (f"after={at - 5000}&before={at - 3000}", ["bad"]),
            ("hide_moderation_messages=true", ["first", "bad", "worse", "last"]),
            ("hide_moderated_messages=true", ["first", "bob", "worse", "last"]),
            ("limit=0", []),
        ):
            self.assertEqual(self.texts(query), wanted, query)
        notice = self.messages("clearchat_to_notice=true")[3]
        self.assertIn("msg-id=rm-clearchat", notice)
        self.assertTrue(notice.endswith(" NOTICE #testchan :bob has been timed out for 600 seconds."), notice)

    def test_errors(self) -> None:
        """The words by which clients know what is wrong."""
        for channel, status, code in (
            ("elsewhere", 200, "channel_not_joined"),
            ("no%20name", 400, "invalid_channel_login"),
            ("testchan?limit=x", 400, "invalid_query"),
        ):
            reply = self.ask(f"/api/v2/recent-messages/{channel}")
            self.assertEqual((reply.status, reply.json["error_code"]), (status, code))
            self.assertEqual(reply.json["messages"], [])

    def test_another_recorder(self) -> None:
        """Another Chatlog fills its gaps from it."""
        path = address("http://host/api/v2", "testchan").removeprefix("http://host")
        reply = self.ask(path)
        found = lines_in(reply.status, orjson.dumps(reply.json))
        kept = [chat for each in found if (chat := chat_in(each, "testchan", "11111")) is not None]
        self.assertEqual(len(kept), 6)
