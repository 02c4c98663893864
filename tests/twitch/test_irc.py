"""IRC messages: parsing what servers send, formatting what we send."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.twitch import irc
from chatlog.twitch.lines import MAX_LINE, Oversized

#: (line, tags, source, command, params)
MESSAGES: list[tuple[str, dict[str, str], str, str, list[str]]] = [
    # parameters and the trailing one
    ("FOO", {}, "", "FOO", []),
    ("foo bar baz qux", {}, "", "foo", ["bar", "baz", "qux"]),
    ("foo bar baz :qux", {}, "", "foo", ["bar", "baz", "qux"]),
    ("foo bar baz :qux quux", {}, "", "foo", ["bar", "baz", "qux quux"]),
    ("foo bar baz :", {}, "", "foo", ["bar", "baz", ""]),
    ("foo bar baz ::qux", {}, "", "foo", ["bar", "baz", ":qux"]),
    ("foo bar baz :  qux quux ", {}, "", "foo", ["bar", "baz", "  qux quux "]),
    ("foo bar : :x : y", {}, "", "foo", ["bar", " :x : y"]),
    ("foo b:r b:az", {}, "", "foo", ["b:r", "b:az"]),
    ("foo :", {}, "", "foo", [""]),
    # sources
    (":host FOO", {}, "host", "FOO", []),
    (":host AWAY ", {}, "host", "AWAY", []),
    (":host AWAY :", {}, "host", "AWAY", [""]),
    (":n!u@h foo bar :baz", {}, "n!u@h", "foo", ["bar", "baz"]),
    (":a\tb foo bar", {}, "a\tb", "foo", ["bar"]),
    (":n!~u\x02\x03@h foo", {}, "n!~u\x02\x03@h", "foo", []),
    # several spaces count as one, outside the trailing parameter
    (":irc.example 432  #room :No such name ", {}, "irc.example", "432", ["#room", "No such name "]),
    (":irc.example MODE #room-1 +o someone  ", {}, "irc.example", "MODE", ["#room-1", "+o", "someone"]),
    ("@a=b   :host   FOO   bar   :baz", {"a": "b"}, "host", "FOO", ["bar", "baz"]),
    # only the space separates
    ("foo bar\tbaz \u00a0 \u3000x", {}, "", "foo", ["bar\tbaz", "\u00a0", "\u3000x"]),
    ("foo bar\rbaz :q\rx", {}, "", "foo", ["bar\rbaz", "q\rx"]),
    # tags
    ("@a=b;c=32;k;rt=ql7 foo", {"a": "b", "c": "32", "k": "", "rt": "ql7"}, "", "foo", []),
    ("@a=b;c=;d :s foo x", {"a": "b", "c": "", "d": ""}, "s", "foo", ["x"]),
    ("@+a=1;v.example/k-2=3 foo", {"+a": "1", "v.example/k-2": "3"}, "", "foo", []),
    ("@a=1;b=2;a=3 foo", {"a": "3", "b": "2"}, "", "foo", []),
    ("@a=b=c;d== foo", {"a": "b=c", "d": "="}, "", "foo", []),
    ("@;;a=1; foo", {"a": "1"}, "", "foo", []),
    ("@=1 foo", {"": "1"}, "", "foo", []),
    ("@ foo bar", {}, "", "foo", ["bar"]),
    ("@a=: foo", {"a": ":"}, "", "foo", []),
    ("@a=é;ü=ß foo", {"a": "é", "ü": "ß"}, "", "foo", []),
    # escapes, in one pass
    (r"@a=x\\ny foo", {"a": r"x\ny"}, "", "foo", []),
    (r"@a=\\\\\:\\s\s\r\n foo", {"a": "\\\\;\\s \r\n"}, "", "foo", []),
    (r"@a=x\1y foo", {"a": "x1y"}, "", "foo", []),
    ("@a=x\\;b=y\\ foo", {"a": "x", "b": "y"}, "", "foo", []),
    (r"@a=\\\s\\\\\:\\ foo", {"a": "\\ \\\\;\\"}, "", "foo", []),
    (r"@a\sb=c foo", {r"a\sb": "c"}, "", "foo", []),
    # as Twitch writes them
    (
        "@msg-id=slow_on :tmi.twitch.tv NOTICE #someroom :This room is now in slow mode.",
        {"msg-id": "slow_on"},
        "tmi.twitch.tv",
        "NOTICE",
        ["#someroom", "This room is now in slow mode."],
    ),
    (
        "@badges=;display-name=테스트 :tmi.twitch.tv PRIVMSG #someroom :\x01ACTION waves\x01",
        {"badges": "", "display-name": "테스트"},
        "tmi.twitch.tv",
        "PRIVMSG",
        ["#someroom", "\x01ACTION waves\x01"],
    ),
    ("PING :tmi.twitch.tv", {}, "", "PING", ["tmi.twitch.tv"]),
    (":tmi.twitch.tv CAP * ACK :a b", {}, "tmi.twitch.tv", "CAP", ["*", "ACK", "a b"]),
    ("foo :\U000e0000 \u034f", {}, "", "foo", ["\U000e0000 \u034f"]),
    ("foo :a\0b", {}, "", "foo", ["a\0b"]),
]

NOT_MESSAGES = [
    "",
    " ",
    "  FOO",
    ":",
    ":source",
    ":source ",
    "@a=b",
    "@a=b ",
    "@",
    "@ ",
    "@a=b :source",
    ": :x",
    "\x16\x03\x01",
    "FO\xd6",
    "F.O x",
]

NAMES = st.text(st.characters(exclude_characters=" ;=\r\n\0", codec="utf-8"), min_size=1)
ANYTHING = st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8"))
MIDDLES = st.text(st.characters(exclude_characters=" \r\n\0", codec="utf-8"), min_size=1).filter(
    lambda text: not text.startswith(":")
)
#: Values that are hard to escape, more often than chance would have them.
VALUES = st.one_of(
    st.text(st.characters(exclude_characters="\0", codec="utf-8")),
    st.text(st.sampled_from("\\\\\\ ;:srnx\r\n=")),
)
COMMANDS = st.from_regex(r"[A-Za-z]{1,12}|[0-9]{3}", fullmatch=True)


def unescaped_one_by_one(value: str) -> str:
    """The rule of the specification, character by character."""
    text = ""
    characters = iter(value)
    for character in characters:
        if character == "\\":
            following = next(characters, "")
            text += {":": ";", "s": " ", "r": "\r", "n": "\n"}.get(following, following)
        else:
            text += character
    return text


class ParseTests(SynchronousTestCase):
    """One line in, its parts out."""

    def test_messages(self) -> None:
        """Every form of the grammar is read as its parts."""
        for line, tags, source, command, params in MESSAGES:
            message = irc.parse(line.encode())
            self.assertEqual(message, irc.Message(tags, source, command, params), repr(line))
            self.assertEqual(message.raw, line.encode())
            self.assertTrue(message.utf8)

    def test_not_messages(self) -> None:
        """What has no command is refused, and the error shows nothing of the line."""
        for line in NOT_MESSAGES:
            error = self.assertRaises(irc.ParseError, irc.parse, line.encode())
            self.assertEqual(str(error), "no command", repr(line))

    def test_oversized(self) -> None:
        """The head of an overlong line is not taken for a whole message."""
        line = Oversized(b"PRIVMSG #someroom :" + b"x" * MAX_LINE)
        self.assertRaises(irc.ParseError, irc.parse, line)

    def test_not_utf8(self) -> None:
        """Bytes that are not UTF-8 lose nothing, and can be read with replacement characters."""
        message = irc.parse(b"@a=\xff\\s\xfe :s FOO \xc3 :\xe2\x82 x")
        self.assertFalse(message.utf8)
        parts = [message.tags["a"], *message.params]
        self.assertEqual(
            [part.encode("utf-8", "surrogateescape") for part in parts],
            [b"\xff \xfe", b"\xc3", b"\xe2\x82 x"],
        )
        readable = irc.readable(message)
        self.assertEqual(readable.tags, {"a": "\ufffd \ufffd"})
        self.assertEqual((readable.source, readable.command), ("s", "FOO"))
        self.assertEqual(readable.params, ["\ufffd", "\ufffd x"])
        self.assertEqual(readable.raw, message.raw)

    def test_nick(self) -> None:
        """The login of the source is found in every form of it, and a server has none."""
        for source, nick in [
            ("someone!someone@someone.tmi.twitch.tv", "someone"),
            ("!someone@someone.tmi.twitch.tv", "someone"),
            ("someone@someone.tmi.twitch.tv", "someone"),
            ("a!b", "a"),
            ("tmi.twitch.tv", ""),
            ("jtv", ""),
            ("", ""),
            ("!", ""),
        ]:
            self.assertEqual(irc.Message({}, source, "FOO", []).nick, nick, source)

    def test_channel(self) -> None:
        """The channel is the first parameter where that has a "#"."""
        for params, channel in [
            (["#someroom", "x"], "someroom"),
            (["#SomeRoom"], "someroom"),
            (["someone", "#someroom"], ""),
            (["*"], ""),
            (["#"], ""),
            ([], ""),
        ]:
            self.assertEqual(irc.Message({}, "", "FOO", params).channel, channel, params)

    @settings(deadline=None)
    @given(st.one_of(VALUES, st.text("\\sx")))
    def test_unescape(self, value: str) -> None:
        """Unescaping does what the specification says character by character."""
        self.assertEqual(irc.unescape(value), unescaped_one_by_one(value))

    @settings(deadline=None)
    @given(VALUES)
    def test_escape(self, value: str) -> None:
        """An escaped value holds nothing that would end it, and comes back."""
        escaped = irc.escape(value)
        self.assertEqual(set(escaped) & set("; \r\n"), set())
        self.assertEqual(irc.unescape(escaped), value)

    @settings(deadline=None)
    @given(st.one_of(st.binary(), st.text("@:;= \\ab#\0\r\x01é").map(str.encode)))
    def test_any_bytes(self, line: bytes) -> None:
        """Any bytes at all are a message or a ParseError."""
        try:
            message = irc.parse(line)
        except irc.ParseError:
            return
        self.assertEqual(message.raw, line)
        self.assertEqual(irc.readable(message).command, message.command)
        for text in (message.source, message.command, *message.params):
            self.assertIn(text.encode("utf-8", "surrogateescape"), line)


class FormatTests(SynchronousTestCase):
    """Parts in, one line out."""

    def test_what_we_send(self) -> None:
        """The lines of a client, as servers expect them."""
        for line, expected in [
            (irc.format_line("PASS", "oauth:0123abc"), b"PASS oauth:0123abc\r\n"),
            (irc.format_line("NICK", "justinfan123"), b"NICK justinfan123\r\n"),
            (
                irc.format_line("CAP", "REQ", "a.tv/tags a.tv/commands"),
                b"CAP REQ :a.tv/tags a.tv/commands\r\n",
            ),
            (irc.format_line("PONG", ":x"), b"PONG ::x\r\n"),
            (irc.format_line("PONG", ""), b"PONG :\r\n"),
            (irc.format_line("PING"), b"PING\r\n"),
            (
                irc.format_line("FOO", "b a", source="s", tags={"a": "x y", "b": ""}),
                b"@a=x\\sy;b= :s FOO :b a\r\n",
            ),
        ]:
            self.assertEqual(line, expected)

    def test_refused(self) -> None:
        """Nothing can end the line early or become another part, and the error does not show it."""
        secret = "hunter2"
        for parts in [
            ("NICK", f"{secret}\r\nQUIT"),
            ("PASS", f"{secret}\n"),
            ("PASS", f"{secret}\r"),
            ("PASS", f"{secret}\0"),
            ("FOO", f"a {secret}", "b"),
            ("FOO", f":{secret}", "b"),
            ("FOO", "", "b"),
            ("", "a"),
            ("FOO BAR", "a"),
            ("FOO\r\nBAR",),
            ("FÖÖ",),
        ]:
            error = self.assertRaises(ValueError, irc.format_line, *parts)
            self.assertNotIn(secret, str(error))
        for source in ("a b", "a\r\nb", "a\0"):
            self.assertRaises(ValueError, irc.format_line, "FOO", source=source)
        for tags in ({"a b": ""}, {"": "x"}, {"a;b": ""}, {"a=b": ""}, {"a\n": ""}, {"a": "\0"}):
            self.assertRaises(ValueError, irc.format_line, "FOO", tags=tags)

    def test_channels(self) -> None:
        """Many channels go into few lines, none longer than IRC allows, none left out."""
        names = [f"a_rather_long_channel_{number:03}" for number in range(90)]
        lines = irc.format_channels("JOIN", names)
        self.assertEqual(len(lines), 5)
        joined = []
        for line in lines:
            self.assertLessEqual(len(line), 512)
            message = irc.parse(line.removesuffix(b"\r\n"))
            self.assertEqual((message.command, len(message.params)), ("JOIN", 1))
            joined += message.params[0].split(",")
        self.assertEqual(joined, [f"#{name}" for name in names])

    def test_short_channels(self) -> None:
        """Lines are as full as they may be and no fuller, whatever the lengths of the names."""
        for length in range(1, 26):
            names = ["x" * length] * 400
            lines = irc.format_channels("JOIN", names)
            self.assertEqual(b"".join(lines).count(b"#"), 400)
            self.assertLessEqual(max(map(len, lines)), 512)
            self.assertGreater(min(map(len, lines[:-1])), 512 - length - 2)

    def test_few_channels(self) -> None:
        """One channel is one line, however long, and no channel is no line."""
        self.assertEqual(irc.format_channels("JOIN", ["x" * 600]), [b"JOIN #" + b"x" * 600 + b"\r\n"])
        self.assertEqual(irc.format_channels("PART", ["someroom"]), [b"PART #someroom\r\n"])
        self.assertEqual(irc.format_channels("JOIN", []), [])

    def test_bad_channels(self) -> None:
        """A name that would be several, or another command, is refused."""
        for name in ("a,#b", "a b", "a\r\nQUIT"):
            self.assertRaises(ValueError, irc.format_channels, "JOIN", ["fine", name])

    @settings(deadline=None)
    @given(
        st.dictionaries(NAMES, VALUES),
        st.one_of(st.just(""), MIDDLES),
        COMMANDS,
        st.lists(MIDDLES),
        st.one_of(st.none(), ANYTHING),
    )
    def test_round_trip(
        self, tags: dict[str, str], source: str, command: str, params: list[str], last: str | None
    ) -> None:
        """What is formatted is parsed as the same parts."""
        if last is not None:
            params = [*params, last]
        line = irc.format_line(command, *params, source=source, tags=tags)
        self.assertTrue(line.endswith(b"\r\n"))
        self.assertEqual(line.count(b"\n"), 1)
        self.assertEqual(irc.parse(line.removesuffix(b"\r\n")), irc.Message(tags, source, command, params))

    @settings(deadline=None)
    @given(st.binary())
    def test_any_bytes_round_trip(self, line: bytes) -> None:
        """A parsed message, UTF-8 or not, is formatted to a line that means the same."""
        try:
            message = irc.parse(b":s FOO :" + line.translate(None, b"\r\n\0"))
        except irc.ParseError:
            self.fail("a message with any text is a message")
        again = irc.format_line(message.command, *message.params, source=message.source, tags=message.tags)
        self.assertEqual(irc.parse(again.removesuffix(b"\r\n")), message)
