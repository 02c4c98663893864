"""The forms of a log, line by line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.lines import record_of
from chatlog.archive_http.log_formats import JSON, RAW, TEXT
from chatlog.record import encode_basic, encode_full
from chatlog.simulator.rooms import Room, number_of
from chatlog.simulator.twitch_chat import TwitchChat
from chatlog.simulator.write_archive import Records

_TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)


class FormatTests(SynchronousTestCase):
    def assert_same(self, line: bytes) -> None:
        record = record_of(line)
        assert record is not None
        for form in (TEXT, RAW, JSON):
            self.assertEqual(form.item_of(line), form.item(record), line)

    def test_whatever_chat_brings(self) -> None:
        """A line of the archive looks the same in a log, whether it is parsed for that or not."""
        room = Room("twitch", "room1", number_of("twitch", "a"), number_of("twitch", "b"), 0, 1)
        records = Records(TwitchChat("7", "formats"), room)
        lines = [line for n in range(3000) if (line := records.line(1766966400.0 + n, 1766966400.5 + n))]
        self.assertGreater(len(lines), 2000)
        for line in lines:
            self.assert_same(line)

    @given(_TEXTS, _TEXTS, st.sampled_from(("message", "action", "gap")), st.dictionaries(_TEXTS, _TEXTS))
    def test_whatever_a_record_holds(self, user: str, text: str, kind: str, details: dict[str, str]) -> None:
        """The same is true of records that no recorder writes."""
        time = "2025-12-29T10:30:45.123Z"
        for encode in (encode_full, encode_basic):
            for more in (details, {**details, "command": "PRIVMSG"}, {"raw": text, "command": "PRIVMSG"}):
                for platform in ("twitch", "kick"):
                    line = encode(time, "a", user, "1", text, kind, "x", platform, "7", time, more)
                    if line:
                        self.assert_same(line.rstrip(b"\n"))
