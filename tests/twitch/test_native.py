"""The parser in Rust: it makes the bytes that Python makes, and only where it belongs to this version."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, SynchronousTestCase

import chatlog
from chatlog import record
from chatlog.environment import ReadChat
from chatlog.rooms.subscriptions import Room
from chatlog.simulator.chat import Chat
from chatlog.simulator.twitch_chat import TwitchChat
from chatlog.twitch import events, irc
from chatlog.twitch.intake import Intake
from chatlog.twitch.lines import MAX_LINE, LineSplitter, Oversized
from chatlog.twitch.native import SWITCH, find
from tests.fakes import NATIVE, environment
from tests.simulator.test_chat import room, said
from tests.twitch.generated_lines import chat_lines
from tests.twitch.sample_lines import CHAT_TAGS, RECEIVED, SENT, chat, tagged, usernotice

#: Where it must be there: .ci/native says so.
WANTED = "CHATLOG_TESTS_NEED_NATIVE"


def in_python(line: bytes, full: bool, received: str = RECEIVED) -> tuple[str, bytes]:
    """The channel and the record of a line by the general parser."""
    message = irc.parse(line)
    encode = record.encode_full if full else record.encode_basic
    return message.channel, events.event_record(message, received, encode)


class SameBytesTests(SynchronousTestCase):
    """Both parsers, for every line."""

    read_chat: ReadChat

    def setUp(self) -> None:
        if NATIVE.read_chat is None:
            if os.environ.get(WANTED):
                self.fail(NATIVE.words)
            raise SkipTest(NATIVE.words)
        self.read_chat = NATIVE.read_chat

    def compare(self, line: bytes, received: str = RECEIVED) -> bool:
        """Whether Rust takes a line; if so, it gives what Python gives."""
        full, basic = (self.read_chat(line, received, detail) for detail in (True, False))
        self.assertEqual(full is None, basic is None)
        if full is None or basic is None:
            return False
        self.assertEqual(full, in_python(line, True, received))
        self.assertEqual(basic, in_python(line, False, received))
        self.assertEqual((type(full[0]), type(full[1])), (str, bytes))
        return True

    def taken(self, line: bytes) -> None:
        """A line that Rust has to take."""
        self.assertTrue(self.compare(line), line)

    def left(self, line: bytes, received: str = RECEIVED) -> None:
        """A line that Rust has to leave to Python."""
        self.assertFalse(self.compare(line, received), line)

    def test_ordinary_chat(self) -> None:
        """Chat as Twitch sends it is taken, with any text."""
        for text in (
            "hello there",
            "",
            " ",
            "é :x  ",
            '"quoted" \\o/',
            "a\u2028b\x85\x7f",
            "\U0010ffff",
            "a\x01b",
        ):
            self.taken(chat(text))
        for code in range(32):
            text = "x" + chr(code) + "y"
            (self.left if text == "x\ny" else self.taken)(chat(text))

    def test_every_escape(self) -> None:
        """The escapes of tags, and what only looks like one, mean the same to both."""
        for first in (*map(chr, range(128)), "é", "😂", ""):
            for written in (f"\\{first}", f"a\\{first}b", f"\\\\{first}", f"\\{first}\\"):
                if not set(written) & set(" ;\n"):
                    self.taken(chat().replace(b"flags=;", f"flags={written};".encode()))
        for first in ("", "a", "\\\\", "\\:"):
            for value in ("a=b", "=", '"', '","x":"y', "\t", "\0", "\\", "\x7f", "{}"):
                self.taken(chat().replace(b"flags=;", f"flags={first}{value};".encode()))

    def test_escapes_in_what_is_a_key_of_its_own(self) -> None:
        """Id, user and room stand in the record twice, each time unescaped."""
        for tag in ("id", "user_id", "room_id"):
            for value in ('a"b', "a b;c\\", "\r\n\t", "é", ""):
                line = chat(**{tag: value})
                (self.left if tag == "room_id" and not value else self.taken)(line)

    def test_tags(self) -> None:
        """Tags unheard of are taken, in any order; tags that are repeated, have no value, are called like
        keys of ours or are too many are left."""
        self.taken(chat(brand_new="x", **{"vendor.example/new": "y"}))
        self.taken(f"{tagged(dict(reversed(CHAT_TAGS.items())))} :a!a@a.tmi.twitch.tv PRIVMSG #b :x".encode())
        for item in ("mod=0", "mod=1", "id=", "solo", "", "=", "=x", "é=x", 'a"b=x', "a\\sb=x", "@x=y"):
            self.left(chat().replace(b"@", f"@{item};".encode(), 1))
            self.left(chat().replace(b" ", f";{item} ".encode(), 1))
        for key in events.OWN_DETAILS:
            self.left(chat().replace(b"@", f"@{key}=x;".encode(), 1))
            self.taken(chat().replace(b"@", f"@{key}s=x;".encode(), 1))
        for key in CHAT_TAGS:
            tags = {other: value for other, value in CHAT_TAGS.items() if other != key}
            line = f"{tagged(tags)} :a!a@a.tmi.twitch.tv PRIVMSG #b :x".encode()
            (self.left if key in ("room-id", "tmi-sent-ts") else self.taken)(line)
        for count in (64, 65, 100):
            self.taken(chat(**{f"x{n}": str(n) for n in range(count)}))
        self.left(chat(**{f"x{n}": str(n) for n in range(2000)}))

    def test_times(self) -> None:
        """A time of this year is taken; all others are for Python to judge."""
        for sent in (SENT, "1767225600000", "1798761599999"):
            self.taken(chat(tmi_sent_ts=sent))
        odd = [
            "1767225599999",
            "1798761600000",
            "0000000000000",
            "9999999999999",
            "",
            "1",
            "soon",
            SENT + "0",
        ]
        odd += [
            "-176850719987",
            "+176850719987",
            " 176850719987",
            "176850719987²",
            "1_76850719987",
            "\uff11" * 13,
        ]
        for sent in odd:
            self.left(chat(tmi_sent_ts=sent))
        for received in ("", "soon", RECEIVED[:-1], RECEIVED + "\n", '2026-01-15T20:00:00.2"0Z', "é" * 12):
            self.left(chat(), received)
        self.left(chat(tmi_sent_ts="1293840000000"), "2011-01-01T00:00:00.000Z")

    def test_every_day(self) -> None:
        """Dates are Python's, through leap years and the turn of the century."""
        for day in (*range(15_400, 24_000, 7), *range(47_400, 47_700), *range(115_700, 115_740)):
            received = record.rfc3339(day * 86_400_000)
            self.assertTrue(
                self.compare(chat(tmi_sent_ts=f"{day * 86_400_000 + 45_296_789}"), received), received
            )

    def test_everything_else(self) -> None:
        """What is no ordinary chat is left."""
        for line in (
            b"",
            b"@",
            b"@ ",
            b" ",
            b"PING :x",
            usernotice("resub", "x"),
            chat("\x01ACTION waves\x01"),
            chat("\x01"),
            chat("byte").replace(b"byte", b"\xff"),
            chat("half").replace(b"half", b"\xed\xa0\xbd"),
            chat("cut").replace(b"cut", b"\xf0\x9f\x98"),
            chat("long").replace(b"long", b"\xc0\xaf"),
            chat().replace(b"@some_viewer", b"@other", 1),
            chat().replace(b"#someroom", b"#SomeRoom"),
            chat().replace(b"#someroom", b"#some.room"),
            chat().replace(b"#someroom ", b"#someroom x "),
            chat().replace(b" PRIVMSG", b"  PRIVMSG"),
            chat().replace(b" :some", b"  :some"),
            chat().replace(b" :some", b" some"),
            Oversized(chat()),
        ):
            self.assertIsNone(self.read_chat(line, RECEIVED, True), line)
        room_for = MAX_LINE - len(chat(""))
        self.taken(chat("\x02" * room_for))
        self.left(chat("x" * (room_for + 1)))

    def test_what_the_simulator_sends(self) -> None:
        """Every kind of line that the simulator knows; chat that Python takes the short way is taken."""
        chats: Chat = TwitchChat("7")
        short = taken = 0
        received = "2025-10-02T03:04:05.678Z"
        for wire, *_ in said(chats, room("twitch"), 3000):
            for line in LineSplitter().feed(wire):
                short += events.chat_record(line, received, record.encode_full) is not None
                taken += self.compare(line, received)
        self.assertGreater(short, 1000)
        self.assertGreaterEqual(taken, short)

    @settings(deadline=None, max_examples=300)
    @given(chat_lines())
    def test_lines_that_are_nearly_chat(self, line: bytes) -> None:
        """They are Python's bytes or left alone, and what Python takes the short way is taken, unless its
        tags have odd names."""
        taken = self.compare(line)
        head = line.partition(b" ")[0].decode("utf-8", "replace")
        usual = all(irc_key(item.partition("=")[0]) for item in head[1:].split(";"))
        if (
            events.chat_record(line, RECEIVED, record.encode_full) is not None
            and usual
            and f"ts={SENT};" in head
        ):
            self.assertTrue(taken, line)

    @settings(deadline=None, max_examples=300)
    @given(st.data())
    def test_damaged_lines(self, data: st.DataObject) -> None:
        """A byte more, less, or another one, anywhere in a line of chat, changes nothing about that."""
        line = bytearray(chat(reply_parent_msg_body='one; two \\ "three"'))
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(0, len(line) - 1))
            piece = data.draw(
                st.one_of(st.binary(max_size=3), st.sampled_from([b";", b"=", b"\\", b'"', b" :", b"\xc3"]))
            )
            line[at : at + data.draw(st.integers(0, 2))] = piece
        self.compare(bytes(line))

    @settings(deadline=None, max_examples=200)
    @given(st.one_of(st.binary(), st.text("@:;=#! \\ab\x01é\r").map(str.encode)), st.text(), st.booleans())
    def test_any_bytes(self, line: bytes, received: str, full: bool) -> None:
        """Any bytes, and any time of the read, are left alone: never an error."""
        self.assertIsNone(self.read_chat(line, received.encode("utf-8", "replace").decode(), full))
        self.assertIsNone(self.read_chat(line, RECEIVED, full))


def irc_key(key: str) -> bool:
    """Whether it is a name that a tag may have."""
    return key != "" and key.isascii() and all(letter.isalnum() or letter in "-_/.+" for letter in key)


class FindTests(SynchronousTestCase):
    """When it is used."""

    def find(self, module: Any = None, **environ: str) -> tuple[bool, bool, str]:
        """Whether this module is used, whether it is refused, and what is said."""

        def load() -> object:
            if isinstance(module, Exception):
                raise module
            return module

        found = find(environ, load)
        return found.read_chat is not None, found.is_refused, found.words

    def test_not_installed(self) -> None:
        """Without it Python parses, and nothing is wrong."""
        used, refused, words = self.find(ModuleNotFoundError("no", name="chatlog_native"))
        self.assertEqual((used, refused), (False, False))
        self.assertIn("in Python; docs/performance.md", words)

    def test_switched_off(self) -> None:
        """A variable of the environment turns it off, and then it is not even loaded."""
        for value in ("0", "off", "no", "False", " OFF "):
            used, refused, words = self.find(ValueError("loaded"), **{SWITCH: value})
            self.assertEqual((used, refused), (False, False))
            self.assertIn(SWITCH, words)

    def test_refused(self) -> None:
        """One of another version, one that cannot be loaded, and one that makes other records is not used;
        the sentence says why."""

        def like_python(line: bytes, received: str, full: bool) -> tuple[str, bytes] | None:
            return events.chat_record(line, received, record.encode_full if full else record.encode_basic)

        def other(line: bytes, received: str, full: bool) -> tuple[str, bytes] | None:
            found = like_python(line, received, full)
            return found and (found[0], found[1].replace(b"\\\\s", b"\\s"))

        now = chatlog.__version__
        right = SimpleNamespace(__version__=now, chat_record=like_python)
        self.assertEqual(self.find(right), (True, False, f"chat is parsed in Rust (chatlog-native {now})"))
        for module, why in (
            (
                SimpleNamespace(__version__="0.9.0", chat_record=like_python),
                f"it is 0.9.0, and this is Chatlog {now}",
            ),
            (SimpleNamespace(chat_record=like_python), f"it is of no version, and this is Chatlog {now}"),
            (SimpleNamespace(__version__=now), "no attribute 'chat_record'"),
            (SimpleNamespace(__version__=now, chat_record=other), "it makes other records than this Chatlog"),
            (SimpleNamespace(__version__=now, chat_record=lambda *given: None), "it makes other records"),
            (SimpleNamespace(__version__=now, chat_record=lambda: None), "takes 0 positional arguments"),
            (ImportError("wrong ELF class"), "wrong ELF class"),
            (ModuleNotFoundError("no sibling", name="chatlog_native.chatlog_native"), "no sibling"),
        ):
            used, refused, words = self.find(module)
            self.assertEqual((used, refused), (False, True))
            self.assertIn("chatlog-native cannot be used, ", words)
            self.assertIn(why, words)


class IntakeTests(SynchronousTestCase):
    """Lines on their way through the intake."""

    def test_the_parser_of_the_environment_is_used(self) -> None:
        """What it takes is recorded as it says, in the detail that is asked for; what it leaves alone is
        recorded all the same, and so is a line that it fails at."""
        asked: list[bool] = []

        def read_chat(line: bytes, received: str, full: bool) -> tuple[str, bytes] | None:
            asked.append(full)
            if b"fail" in line:
                raise ValueError("failed")
            return ("someroom", b"in Rust") if b"hello" in line else None

        for encode, full in ((record.encode_full, True), (record.encode_basic, False)):
            asked.clear()
            given = replace(environment(Clock(), encode=encode), read_chat=read_chat)
            kept: list[bytes] = []
            sink: Any = SimpleNamespace(append=kept.append)
            intake = Intake({"someroom": Room("someroom", sink)}, sink, given)
            intake.lines([chat("hello"), chat("other"), chat("fail")], Heard())
            self.assertEqual(asked, [full] * 3)
            self.assertEqual(kept[0], b"in Rust")
            self.assertEqual(json.loads(kept[1])["message"], "other")
            self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
            self.assertEqual(len(kept), 3 if full else 2)


class Heard:
    """A connection that gets control messages."""

    number = 1

    def control(self, message: irc.Message) -> None:
        raise AssertionError(message)
