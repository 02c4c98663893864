"""An exported line of IRC is read by a parser as the line that was recorded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.formats.irc import irc_line
from chatlog.record import encode_full, from_json
from chatlog.twitch import irc
from chatlog.twitch.events import chat_record, event_record

RECEIVED = "2025-12-29T10:30:45.123Z"
VALUES = st.text(
    st.sampled_from('a1;:\\= "\u00e9\U0001f600') | st.characters(codec="utf-8", exclude_characters="\r\n\0"),
    max_size=8,
)
NAMES = st.sampled_from(
    [
        "id",
        "room-id",
        "user-id",
        "login",
        "badges",
        "system-msg",
        "command",
        "raw",
        "params",
        "msg-id",
    ]
)
COMMANDS = st.sampled_from(
    ["PRIVMSG", "USERNOTICE", "CLEARCHAT", "CLEARMSG", "NOTICE", "ROOMSTATE", "WHISPER"]
)


def record_of(line: bytes) -> dict[str, object]:
    found = chat_record(line, RECEIVED, encode_full)
    encoded = found[1] if found else event_record(irc.parse(line), RECEIVED, encode_full)
    record = from_json(encoded)
    assert isinstance(record, dict)
    return record


class IrcTests(SynchronousTestCase):
    def test_real_lines(self) -> None:
        """Lines as Twitch sends them come back byte for byte."""
        for line in (
            b"@badge-info=;badges=subscriber/12;color=#FF0000;display-name=Ann;emotes=;id=1-2;mod=0;room-id=7;"
            b"tmi-sent-ts=1767004245123;user-id=5 :ann!ann@ann.tmi.twitch.tv PRIVMSG #a :hello world",
            b"@id=1;room-id=7;tmi-sent-ts=1767004245123;user-id=5 :ann!ann@ann.tmi.twitch.tv PRIVMSG #a "
            b":\x01ACTION waves\x01",
            b"@ban-duration=600;room-id=7;target-user-id=5;tmi-sent-ts=1767004245123 "
            b":tmi.twitch.tv CLEARCHAT #a :ann",
            b"@login=ann;msg-id=resub;room-id=7;system-msg=ann\\shas\\ssubscribed;tmi-sent-ts=1767004245123;"
            b"user-id=5 :tmi.twitch.tv USERNOTICE #a :thanks",
            b"@login=ann;target-msg-id=1;tmi-sent-ts=1767004245123 :tmi.twitch.tv CLEARMSG #a :hello",
        ):
            self.assertEqual(irc_line(record_of(line)).encode(), line)

    def test_bytes_that_are_not_utf8(self) -> None:
        """What is not UTF-8 is read as the record shows it."""
        line = b"@id=1;room-id=7 :ann!ann@ann.tmi.twitch.tv PRIVMSG #a :caf\xe9"
        self.assertEqual(irc_line(record_of(line)), line.decode("utf-8", "replace"))

    @given(st.dictionaries(NAMES, VALUES, max_size=5), COMMANDS, st.lists(VALUES, max_size=2), st.booleans())
    def test_any_line(self, tags: dict[str, str], command: str, params: list[str], twice: bool) -> None:
        """Every tag, the source, the command and the text come back, whatever they are."""
        written = [f"{name}={value.translate(irc_escapes())}" for name, value in tags.items()]
        if twice and written:
            written.append(written[0])
        head = f"@{';'.join(written)} " if written else ""
        text = "".join(
            f" :{param}" if n else f" #{param.replace(' ', '') or 'a'}" for n, param in enumerate(params)
        )
        line = f"{head}:ann!ann@ann.tmi.twitch.tv {command}{text}".encode()
        sent = irc.parse(line)
        back = irc.parse(irc_line(record_of(line)).encode())
        self.assertEqual((back.tags, back.command, back.source), (sent.tags, sent.command, sent.source))
        self.assertEqual(back.params or [""], sent.params or [""])

    def test_no_record_breaks_a_line(self) -> None:
        """Nothing that a record holds makes two lines of one."""
        details = {"command": "PRIVMSG", "source": "a\r\nJOIN #b", "params": ["#a", "x\nQUIT"], "x": "\r"}
        line = encode_full(RECEIVED, "a", "ann\n", "1", "t", "message", "i", "twitch", "7", RECEIVED, details)
        self.assertNotRegex(irc_line(from_json(line)), r"[\r\n]")


def irc_escapes() -> dict[int, str]:
    return str.maketrans({"\\": "\\\\", ";": "\\:", " ": "\\s"})
