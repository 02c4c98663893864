"""Chat messages: their records, and the short way that nearly every line takes."""

from __future__ import annotations

import base64
import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog import record
from chatlog.twitch import events, irc
from tests.twitch.generated_lines import chat_lines
from tests.twitch.sample_lines import (
    CHAT_TAGS,
    RECEIVED,
    SENT,
    SENT_AS_TIME,
    chat,
    line_parts,
    recorded,
    tagged,
    usernotice,
)


class ChatTests(SynchronousTestCase):
    """PRIVMSG in all its forms."""

    def test_every_key(self) -> None:
        """A chat message becomes a record of all eleven keys in their order, with every tag."""
        found = recorded(chat())
        self.assertEqual(
            list(found.items()),
            [
                ("timestamp", SENT_AS_TIME),
                ("channel", "someroom"),
                ("username", "some_viewer"),
                ("user_id", "1000002"),
                ("message", "hello there"),
                ("type", "message"),
                ("id", "00000000-0000-4000-8000-000000000001"),
                ("platform", "twitch"),
                ("channel_id", "1000001"),
                ("received", RECEIVED),
                ("details", CHAT_TAGS | {"command": "PRIVMSG"}),
            ],
        )

    def test_texts(self) -> None:
        """The text comes as it was sent, spaces, quotes and invisible characters included."""
        for text in [
            "",
            " ",
            "  two  spaces  ",
            ":) :",
            'say "hi" \\o/ {braces} %s',
            "ünïcödé ここから 오늘 😂",
            "a\u2028b\u2029c\x85d\x0be\x1cf",
            "tail \U000e0000",
            "a\rb",
            "\x01VERSION\x01",
            "\x01ACTIONS\x01",
            "a \x01ACTION b\x01",
        ]:
            found = recorded(chat(text))
            self.assertEqual((found["message"], found["type"]), (text, "message"))
            self.assertNotIn("params", found["details"])

    def test_action(self) -> None:
        """The wrapper of /me is removed, also where it is damaged; damage stays visible in the parameters."""
        for text, message, whole in [
            ("\x01ACTION waves\x01", "waves", True),
            ("\x01ACTION  waves twice \x01", " waves twice ", True),
            ("\x01ACTION \x01", "", True),
            ("\x01ACTION waves\x01\x01", "waves\x01", True),
            ("\x01ACTION waves", "waves", False),
            ("\x01ACTION\x01", "", False),
            ("\x01ACTION", "", False),
            ("\x01ACTION ", "", False),
        ]:
            found = recorded(chat(text))
            self.assertEqual((found["message"], found["type"]), (message, "action"), repr(text))
            self.assertEqual(
                found["details"].get("params"), None if whole else ["#someroom", text], repr(text)
            )

    def test_tags_unescaped(self) -> None:
        """Tags are kept unescaped under their own names, known or not."""
        found = recorded(
            chat(
                display_name="Riot Games ",
                reply_parent_msg_body='one; two \\ three\r\n"four"=5',
                brand_new_tag="é",
            )
        )
        self.assertEqual(found["details"]["display-name"], "Riot Games ")
        self.assertEqual(found["details"]["reply-parent-msg-body"], 'one; two \\ three\r\n"four"=5')
        self.assertEqual(found["details"]["brand-new-tag"], "é")

    def test_values_that_look_like_json(self) -> None:
        """No value of a tag can pass for another tag, or for another value."""
        for value in ['a","flags":"b', 'a","x":"b', '"', '":"', "{}", "[1,2]", "null", "a=b", "=", ",", ":"]:
            line = f"{tagged(CHAT_TAGS)} :a!a@a.tmi.twitch.tv PRIVMSG #someroom :x"
            line = line.replace("flags=;", f"flags={value};")
            self.assertEqual(recorded(line.encode())["details"]["flags"], value)
            details = CHAT_TAGS | {"flags": value, "command": "PRIVMSG"}
            self.assertEqual(recorded(line.encode())["details"], details)
        for written, value in [("\\u0041", "u0041"), ("\\/", "/"), ("\\b", "b"), ("\\t", "t"), ('\\"', '"')]:
            line = f"{tagged(CHAT_TAGS)} :a!a@a.tmi.twitch.tv PRIVMSG #someroom :x"
            line = line.replace("flags=;", f"flags={written};")
            self.assertEqual(recorded(line.encode())["details"]["flags"], value)

    def test_tags_of_our_own_names(self) -> None:
        """A tag that is called like a key of ours hides nothing and is not hidden."""
        line = chat(command="EVIL", params="p", source="s", raw="r", raw_base64="b")
        line = line.replace(b"raw-base64=", b"raw_base64=")
        found = recorded(line)
        self.assertIsNone(events.chat_record(line, RECEIVED, record.encode_full))
        expected = {"@command": "EVIL", "@params": "p", "@source": "s", "@raw": "r", "@raw_base64": "b"}
        self.assertEqual(found["details"], CHAT_TAGS | expected | {"command": "PRIVMSG"})
        found = recorded(b"@command=a;@command=b :tmi.twitch.tv FOO #someroom")
        self.assertEqual(found["details"], {"@command": "b", "@@command": "a", "command": "FOO"})

    def test_each_own_name_leaves_the_short_way(self) -> None:
        """One such tag alone is treated the same by both ways."""
        for key in events.OWN_DETAILS:
            tags = CHAT_TAGS | {key: "x"}
            line = f"{tagged(tags)} :a!a@a.tmi.twitch.tv PRIVMSG #someroom :x".encode()
            self.assertEqual(recorded(line)["details"]["@" + key], "x")

    def test_tag_twice(self) -> None:
        """Of a tag that comes twice the last value counts, and the line is kept whole."""
        line = chat().replace(b"@", b"@badges=moderator/1;", 1)
        found = recorded(line)
        self.assertEqual(found["details"]["badges"], "subscriber/12,premium/1")
        self.assertEqual(found["details"]["raw"].encode(), line)
        self.assertEqual(found["type"], "message")

    def test_sources(self) -> None:
        """The username is the login of the source, and an unusual source is kept."""
        for source, username in [
            (":!somebody@somebody.tmi.twitch.tv ", "somebody"),
            (":somebody!other@somebody.tmi.twitch.tv ", "somebody"),
            (":somebody@host ", "somebody"),
            (":tmi.twitch.tv ", ""),
            ("", ""),
        ]:
            found = recorded(f"@room-id=1 {source}PRIVMSG #someroom :x".encode())
            self.assertEqual(found["username"], username)
            self.assertEqual(found["details"]["source"], source.strip(" :"))
        self.assertNotIn("source", recorded(b":ab!ab@ab.tmi.twitch.tv PRIVMSG #someroom :x")["details"])

    def test_without_tags(self) -> None:
        """A line without tags is a message all the same; time and room are what the recorder knows."""
        found = recorded(b":ab!ab@ab.tmi.twitch.tv PRIVMSG #someroom :x", channel_id="77")
        self.assertEqual(
            (found["timestamp"], found["user_id"], found["id"], found["channel_id"]), (RECEIVED, "", "", "77")
        )
        self.assertEqual(found["details"], {"command": "PRIVMSG"})

    def test_rewards_and_bits_stay_messages(self) -> None:
        """What was paid for or redeemed with a text is a chat message, marked by its tags."""
        for changed in [
            {"custom_reward_id": "00000000-0000-4000-8000-00000000000a"},
            {"bits": "100"},
            {"msg_id": "highlighted-message"},
            {"source_room_id": "1000009", "source_id": "00000000-0000-4000-8000-00000000000b"},
        ]:
            found = recorded(chat(**changed))
            self.assertEqual(found["type"], "message")
            self.assertEqual(found["channel_id"], "1000001")
            self.assertLessEqual({key.replace("_", "-") for key in changed}, set(found["details"]))

    def test_strange_parameters(self) -> None:
        """A message with missing or additional parameters keeps them all."""
        for line, params in [
            (b":a!a@a.tmi.twitch.tv PRIVMSG #someroom", ["#someroom"]),
            (b":a!a@a.tmi.twitch.tv PRIVMSG", []),
            (b":a!a@a.tmi.twitch.tv PRIVMSG #someroom x :y z", ["#someroom", "x", "y z"]),
            (b":a!a@a.tmi.twitch.tv PRIVMSG #SomeRoom :x", ["#SomeRoom", "x"]),
            (b":a!a@a.tmi.twitch.tv PRIVMSG someone :x", ["someone", "x"]),
        ]:
            self.assertEqual(recorded(line)["details"]["params"], params)

    def test_basic_detail(self) -> None:
        """In basic detail both ways write the five keys of chat and nothing else."""
        expected = {
            "timestamp": SENT_AS_TIME,
            "channel": "someroom",
            "username": "some_viewer",
            "user_id": "1000002",
            "message": "hello there",
        }
        short = events.chat_record(chat(), RECEIVED, record.encode_basic)
        assert short is not None
        self.assertEqual(json.loads(short[1]), expected)
        self.assertEqual(events.event_record(irc.parse(chat()), RECEIVED, record.encode_basic), short[1])
        raid = irc.parse(usernotice("raid"))
        self.assertEqual(events.event_record(raid, RECEIVED, record.encode_basic), b"")


class TimestampTests(SynchronousTestCase):
    """Whose time a record carries."""

    def test_times(self) -> None:
        """Twitch's time, else that of the service that replays old lines, else the arrival; a time that can
        be none of an event's is none."""
        for sent, replayed, expected in [
            (SENT, None, SENT_AS_TIME),
            (SENT, "1768507199999", SENT_AS_TIME),
            (None, "1768507199999", "2026-01-15T19:59:59.999Z"),
            ("", "1768507199999", "2026-01-15T19:59:59.999Z"),
            ("1507246572675", None, "2017-10-05T23:36:12.675Z"),
            ("999999999999", None, RECEIVED),
            ("253402300799999", None, RECEIVED),
            (None, None, RECEIVED),
            ("", None, RECEIVED),
            ("soon", None, RECEIVED),
            ("-1768507199875", None, RECEIVED),
            ("1768507199.875", None, RECEIVED),
            ("1_768_507_199", None, RECEIVED),
            (" 176850719987", None, RECEIVED),
            ("".join(chr(ord(digit) + 0xFEE0) for digit in SENT), None, RECEIVED),
            ("176850719987²", None, RECEIVED),
            ("253402300800000", None, RECEIVED),
            ("9" * 5000, None, RECEIVED),
        ]:
            tags = {key: value for key, value in CHAT_TAGS.items() if key != "tmi-sent-ts"}
            if sent is not None:
                tags["tmi-sent-ts"] = sent
            if replayed is not None:
                tags["rm-received-ts"] = replayed
            line = f"{tagged(tags)} :a!a@a.tmi.twitch.tv PRIVMSG #someroom :x".encode()
            self.assertEqual(recorded(line)["timestamp"], expected, (sent, replayed))


class AnyLineTests(SynchronousTestCase):
    """Lines that nobody thought of."""

    @settings(deadline=None, max_examples=500)
    @given(chat_lines())
    def test_short_way(self, line: bytes) -> None:
        """The short way gives exactly what the general one gives, or leaves the line to it."""
        for encode in (record.encode_full, record.encode_basic):
            short = events.chat_record(line, RECEIVED, encode)
            if short is not None:
                message = irc.parse(line)
                self.assertFalse(events.is_control(message.command))
                self.assertEqual(short[0], message.channel)
                self.assertEqual(short[1], events.event_record(message, RECEIVED, encode))

    def test_backslash_in_a_key(self) -> None:
        """Only values have escapes: a backslash in a tag's key stays one, whatever is in the other tags."""
        for key in ("badge-i\\nfo", "\\s", "a\\:", "x\\", "\\rx"):
            for text in ("", "one\\stwo", '"'):
                tags = {key: text, **CHAT_TAGS, "reply-parent-msg-body": text}
                for items in (tags, dict(reversed(tags.items()))):
                    line = f"{tagged(items)} :a!a@a.tmi.twitch.tv PRIVMSG #someroom :x".encode()
                    self.assertIn(key, recorded(line)["details"], line)

    def test_short_way_is_taken(self) -> None:
        """Ordinary chat goes the short way: with any text, with escaped tags, with tags unheard of."""
        for line in (
            chat(),
            chat("é :x  "),
            chat('"quoted"'),
            chat(display_name='Two "Words"'),
            chat(reply_parent_msg_body="a b\\;c"),
            chat(reply_parent_msg_body='"one" two; three\r\n"four"'),
            chat(new="x"),
        ):
            found = events.chat_record(line, RECEIVED, record.encode_full)
            assert found is not None
            self.assertEqual(found[0], "someroom")
            self.assertEqual(found[1], events.event_record(irc.parse(line), RECEIVED, record.encode_full))

    @settings(deadline=None, max_examples=500)
    @given(chat_lines())
    def test_nothing_is_lost(self, line: bytes) -> None:
        """From any record the parts of its line can be told, but for what the raw line is kept for."""
        try:
            message = irc.parse(line)
        except irc.ParseError:
            return
        found = recorded(line)
        if "raw_base64" in found["details"] and not message.utf8:
            self.assertEqual(base64.b64decode(found["details"]["raw_base64"]), line)
        elif not any(key.startswith("@") for key in message.tags):
            self.assertEqual(
                line_parts(found), (message.tags, message.source, message.command, message.params)
            )

    @settings(deadline=None)
    @given(st.one_of(st.binary(), st.text("@:;=# \\ab\x01é\r").map(str.encode)))
    def test_any_bytes(self, line: bytes) -> None:
        """Any bytes at all make one record line, talk, or an unparsed record: never an error."""
        self.assertIsNone(events.chat_record(line, RECEIVED, record.encode_full))
        try:
            encoded = events.event_record(irc.parse(line), RECEIVED, record.encode_full)
        except irc.ParseError:
            encoded = events.unparsed_record(
                line, RECEIVED, record.encode_full, events.channel_of(line) or "_server"
            )
        self.assertEqual(encoded.count(b"\n"), 1)
        self.assertEqual(len(json.loads(encoded)), 11)
