"""What is made of the lines of others: of IRC, of text and of JSON."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.formats.irc import irc_line
from chatlog.importing.irc_lines import IrcLines
from chatlog.importing.items import BY_ID, BY_MILLISECOND, BY_SECOND, Item, LineError, Maker, counted
from chatlog.importing.json_lines import JsonLines
from chatlog.importing.text_lines import text_item
from chatlog.verify.record_check import check

NOW = "2026-03-01T12:00:00.000Z"
FROM = "justlog 1/2025/3/1/channel.txt"
TAGS = (
    "@badges=subscriber/12;color=#FF0000;display-name=Ann;id=1-2;mod=0;room-id=11;"
    "tmi-sent-ts=1740823200123;user-id=22"
)
CHAT = f"{TAGS} :ann!ann@ann.tmi.twitch.tv PRIVMSG #pixelharbor :hello, wörld"


def irc(line: str, before: str = "", platform: str = "twitch") -> Item | None:
    return IrcLines(Maker(NOW), platform).item(line.encode("utf-8", "surrogateescape"), FROM, before)


def record(item: Item | None) -> dict[str, Any]:
    """The record of an item, which is one as `chatlog verify` wants it."""
    assert item is not None
    return check(item.line.removesuffix(b"\n"), *item.room)


class IrcLinesTests(SynchronousTestCase):
    """justlog's and rustlog's lines."""

    def test_a_message(self) -> None:
        """A message has its own time and all its tags; it says when it was imported, and where from. The line
        can be put together again."""
        item = irc(CHAT)
        found = record(item)
        self.assertEqual(
            {
                key: found[key]
                for key in ("timestamp", "channel", "username", "user_id", "message", "type", "id")
            },
            {
                "timestamp": "2025-03-01T10:00:00.123Z",
                "channel": "pixelharbor",
                "username": "ann",
                "user_id": "22",
                "message": "hello, wörld",
                "type": "message",
                "id": "1-2",
            },
        )
        self.assertEqual((found["received"], found["channel_id"]), (NOW, "11"))
        self.assertEqual(found["details"]["imported"], FROM)
        self.assertEqual(irc_line(found), CHAT)
        assert item is not None
        self.assertEqual((item.by, item.room), (BY_ID, ("twitch", "pixelharbor")))

    def test_kinds(self) -> None:
        """Everything that justlog keeps has its kind."""
        sent = "tmi-sent-ts=1740823200123"
        cases = {
            f"@{sent};ban-duration=600;target-user-id=5 :tmi.twitch.tv CLEARCHAT #a :bob": ("timeout", "bob"),
            f"@{sent};target-user-id=5 :tmi.twitch.tv CLEARCHAT #a :bob": ("ban", "bob"),
            f"@{sent} :tmi.twitch.tv CLEARCHAT #a": ("clear", ""),
            f"@{sent};login=bob;target-msg-id=7 :tmi.twitch.tv CLEARMSG #a :bad": ("delete", "bob"),
            f"@{sent};id=3;login=bob;msg-id=resub;user-id=5 :tmi.twitch.tv USERNOTICE #a": (
                "subscription",
                "bob",
            ),
            f"@{sent};id=4;user-id=5 :bob!bob@bob.tmi.twitch.tv PRIVMSG #a :\x01ACTION waves\x01": (
                "action",
                "bob",
            ),
        }
        for line, (kind, who) in cases.items():
            found = record(irc(line))
            self.assertEqual((found["type"], found["username"]), (kind, who), line)

    def test_no_time(self) -> None:
        """A line that tells no time has that of the line before it; where there is none, it is refused."""
        line = ":tmi.twitch.tv CLEARCHAT #a :bob"
        self.assertEqual(
            record(irc(line, "2025-03-01T09:00:00.000Z"))["timestamp"], "2025-03-01T09:00:00.000Z"
        )
        for bad in (
            line,
            CHAT.replace("1740823200123", "17"),
            CHAT.replace("1740823200123", "9999999999999"),
        ):
            self.assertRaises(LineError, irc, bad)

    def test_talk(self) -> None:
        """The talk of servers, and empty lines, are no records."""
        for line in ("", "\r", "PING :tmi.twitch.tv", ":tmi.twitch.tv 001 me :Welcome", ":a!a@a JOIN #a"):
            self.assertIsNone(irc(line), line)

    def test_no_room(self) -> None:
        """A line whose room could not be a room's directory is refused."""
        for channel in ("../etc", "A/B", "a.b", ""):
            self.assertRaises(LineError, irc, CHAT.replace("pixelharbor", channel))

    def test_kick(self) -> None:
        """Lines of a server for Kick are records of Kick."""
        line = "@id=k1;tmi-sent-ts=1740823200123 :ann-b!ann-b@ann-b.kick.com PRIVMSG #copper-fox :hi"
        item = irc(line, platform="kick")
        self.assertEqual(item and item.room, ("kick", "copper-fox"))
        self.assertEqual(record(item)["username"], "ann-b")

    @given(st.binary(max_size=200))
    def test_any_bytes(self, line: bytes) -> None:
        """Whatever a file holds, a line is a record, or talk, or refused."""
        for data in (line, TAGS.encode() + b" " + line, CHAT.encode() + line.replace(b"\n", b"")):
            try:
                item = IrcLines(Maker(NOW)).item(data, FROM, "2025-03-01T09:00:00.000Z")
            except LineError:
                continue
            if item is not None:
                record(item)


class TextLinesTests(SynchronousTestCase):
    """OverRustle's lines."""

    def test_lines(self) -> None:
        """Time, name and text, of OverRustle and as rustlog shows them."""
        cases = {
            "[2017-06-04 00:00:03 UTC] Ann: hello: world": (
                "2017-06-04T00:00:03.000Z",
                "ann",
                "hello: world",
                "message",
            ),
            "[2017-06-04 00:00:03 UTC] ann: ": ("2017-06-04T00:00:03.000Z", "ann", "", "message"),
            "[2017-06-4 00:00:03] #PixelHarbor bob: x": ("2017-06-04T00:00:03.000Z", "bob", "x", "message"),
            "[2017-06-04 00:00:03.25] #pixelharbor bob: x": (
                "2017-06-04T00:00:03.250Z",
                "bob",
                "x",
                "message",
            ),
            "[2017-06-04 00:00:03 UTC] ann: ACTION waves": (
                "2017-06-04T00:00:03.000Z",
                "ann",
                "waves",
                "action",
            ),
        }
        for line, wanted in cases.items():
            found = record(text_item(Maker(NOW), line.encode(), "overrustle x", "twitch", "pixelharbor"))
            self.assertEqual((*(found[key] for key in ("timestamp", "username", "message", "type")),), wanted)
            self.assertEqual((found["channel"], found["id"]), ("pixelharbor", ""))
        self.assertIsNone(text_item(Maker(NOW), b"\r", "", "twitch", "a"))

    def test_refused(self) -> None:
        """What is none is refused, and so is a line without a room."""
        for line in (
            "hello",
            "[2017-13-04 00:00:03 UTC] ann: x",
            "[2017-06-04 25:00:03 UTC] ann: x",
            "[x] ann: y",
        ):
            self.assertRaises(LineError, text_item, Maker(NOW), line.encode(), "", "twitch", "a")
        self.assertRaises(
            LineError, text_item, Maker(NOW), b"[2017-06-04 00:00:03 UTC] a: x", "", "twitch", ""
        )

    def test_as_irc(self) -> None:
        """As a line of IRC it has the time that clients need."""
        item = text_item(Maker(NOW), b"[2017-06-04 00:00:03 UTC] Ann: hi", "overrustle x", "twitch", "a")
        line = irc_line(record(item))
        self.assertEqual(
            line, "@display-name=Ann;tmi-sent-ts=1496534403000 :ann!ann@ann.tmi.twitch.tv PRIVMSG #a :hi"
        )

    @given(st.text(max_size=80))
    def test_any_text(self, text: str) -> None:
        """Whatever a file holds, a line is a record or refused."""
        for line in (text, f"[2017-06-04 00:00:03 UTC] {text}"):
            try:
                item = text_item(Maker(NOW), line.encode("utf-8", "replace"), "", "twitch", "a")
            except LineError:
                continue
            if item is not None:
                record(item)


def from_json(value: object, channel: str = "") -> Item | None:
    return JsonLines(Maker(NOW), "twitch", channel).item(json.dumps(value).encode(), "jsonl x")


class JsonLinesTests(SynchronousTestCase):
    """JSON of ours and of others."""

    def test_ours(self) -> None:
        """A record of our own keeps everything; where it is from says when it arrived at first."""
        ours = record(irc(CHAT)) | {"received": "2025-03-01T10:00:00.500Z"}
        del ours["details"]["imported"]
        found = record(from_json(ours))
        self.assertEqual(found["details"].pop("imported"), "jsonl x; received 2025-03-01T10:00:00.500Z")
        self.assertEqual(found, ours | {"received": NOW})

    def test_gap(self) -> None:
        """A gap of another archive stays one."""
        gap = {
            "timestamp": "2025-03-01T10:31:02.100Z",
            "channel": "a",
            "username": "",
            "user_id": "",
            "message": "",
            "type": "gap",
            "id": "",
            "platform": "twitch",
            "channel_id": "",
            "received": "2025-03-01T10:31:02.100Z",
            "details": {
                "from": "2025-03-01T10:30:00.000Z",
                "to": "2025-03-01T10:31:02.100Z",
                "reason": "restart",
            },
        }
        self.assertEqual(record(from_json(gap))["type"], "gap")

    def test_basic(self) -> None:
        """The five keys that other loggers write are enough."""
        five = {
            "timestamp": "2025-03-01T10:00:00.123Z",
            "channel": "a",
            "username": "ann",
            "user_id": "22",
            "message": "hi",
        }
        item = from_json(five)
        found = record(item)
        self.assertEqual({key: found[key] for key in five}, five)
        self.assertEqual(item and item.by, BY_MILLISECOND)

    def test_rustlog(self) -> None:
        """Of rustlog's JSON the line itself is taken, or what the five keys say."""
        full = {
            "text": "x",
            "displayName": "Ann",
            "timestamp": "2025-03-01T10:00:00Z",
            "raw": CHAT,
            "tags": {},
        }
        self.assertEqual(record(from_json(full))["message"], "hello, wörld")
        basic = {
            "text": "hi",
            "displayName": "Ann",
            "timestamp": "2025-03-01T10:00:00.5Z",
            "id": "9",
            "tags": {"user-id": "22", "room-id": "11", "color": "#FF0000"},
        }
        found = record(from_json(basic, "a"))
        self.assertEqual((found["username"], found["user_id"], found["channel_id"]), ("ann", "22", "11"))
        self.assertEqual(
            (found["timestamp"], found["details"]["color"]), ("2025-03-01T10:00:00.500Z", "#FF0000")
        )

    def test_plain(self) -> None:
        """Others' names of keys and forms of times are understood."""
        for time in (
            1740823200.5,
            1740823200500,
            "1740823200500",
            "2025-03-01T11:00:00.5+01:00",
            "2025-03-01 10:00:00.500",
        ):
            found = record(from_json({"time": time, "room": "#A", "user": {"name": "Ann"}, "text": "hi"}))
            self.assertEqual(
                (found["timestamp"], found["channel"], found["username"], found["message"]),
                ("2025-03-01T10:00:00.500Z", "a", "ann", "hi"),
                time,
            )
        whole = from_json({"ts": 1740823200, "channel": "a", "nick": "ann", "body": "hi"})
        self.assertEqual(whole and whole.by, BY_SECOND)

    def test_refused(self) -> None:
        """What is no record is refused with what is missing."""
        for value, words in (
            ([], "no JSON object"),
            ({"channel": "a", "text": "hi"}, "time"),
            ({"time": "soon", "channel": "a"}, "time"),
            ({"time": 1740823200, "text": "hi"}, "--room"),
            ({"time": 1740823200, "channel": "../x"}, "not a room"),
            ({"time": 1e300, "channel": "a"}, "time"),
            ({"time": 2740823200, "channel": "a"}, "not a time in which chat was recorded"),
        ):
            self.assertIn(words, str(self.assertRaises(LineError, from_json, value)))
        self.assertRaises(LineError, JsonLines(Maker(NOW), "twitch", "a").item, b"{", "")

    @given(
        st.dictionaries(
            st.sampled_from(
                [
                    "timestamp",
                    "time",
                    "channel",
                    "username",
                    "message",
                    "id",
                    "type",
                    "details",
                    "tags",
                    "raw",
                ]
            ),
            st.recursive(
                st.one_of(
                    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20)
                ),
                lambda inner: (
                    st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
                ),
                max_leaves=5,
            ),
        )
    )
    def test_any_json(self, value: dict[str, Any]) -> None:
        """Whatever a file holds, a line is a record or refused."""
        for found in (value, {"timestamp": "2025-03-01T10:00:00.000Z", "channel": "a"} | value):
            try:
                item = from_json(found)
            except LineError:
                continue
            if item is not None:
                record(item)


class CountedTests(SynchronousTestCase):
    """Lines that cannot be told apart."""

    def test_said_twice(self) -> None:
        """Who says the same twice in a second said it twice; what has an id is there once."""
        again = text_item(Maker(NOW), b"[2017-06-04 00:00:03 UTC] ann: hi", "", "twitch", "a")
        known = irc(CHAT)
        assert again is not None and known is not None
        self.assertEqual([item.n for item in counted([again, known, again, known])], [1, 1, 2, 1])
