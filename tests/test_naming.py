"""Names of files and keys of objects."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.naming import CHANNEL, INSTANCE, FileName, parse_name, utc_minute

CHANNELS = st.from_regex(r"[a-z0-9_-]{1,64}", fullmatch=True)


class NameTests(SynchronousTestCase):
    """``FileName`` and ``parse_name``."""

    def test_form(self) -> None:
        """Names and keys look as documented."""
        name = FileName("twitch", "made_up", "20251229_1030")
        self.assertEqual(str(name), "twitch_made_up_20251229_1030.jsonl")
        self.assertEqual(str(name.numbered(3)), "twitch_made_up_20251229_1030-3.jsonl")
        self.assertEqual(name.key(), "2025/12/29/twitch/made_up/twitch_made_up_20251229_1030.jsonl")
        self.assertEqual(
            FileName("kick", "a-b", "20250101_0000", "blue", 2).key("/logs/chat/", ".zst"),
            "logs/chat/2025/01/01/kick/a-b/kick_a-b_20250101_0000_blue-2.jsonl.zst",
        )

    @given(
        st.sampled_from(["twitch", "kick"]),
        CHANNELS,
        st.from_regex(r"2[0-9]{7}_[0-2][0-9][0-5][0-9]", fullmatch=True),
        st.one_of(st.just(""), st.from_regex(r"[a-z0-9]{1,32}", fullmatch=True)),
        st.integers(1, 999_999_999),
    )
    def test_round_trip(self, platform: str, channel: str, minute: str, instance: str, n: int) -> None:
        """Every name can be read back, also where channel or instance look like another part."""
        name = FileName(platform, channel, minute, instance, n)
        self.assertEqual(parse_name(str(name)), name)

    def test_channels_like_times(self) -> None:
        """A channel may even be called like a minute."""
        for channel in ("20251229_1030", "a_20251229_1030_b", "20251229_1030-2", "_", "-", "_server"):
            for instance in ("", "20251229", "1030"):
                name = FileName("kick", channel, "20260101_0000", instance, 4)
                self.assertEqual(parse_name(str(name)), name)

    def test_strangers(self) -> None:
        """What this project would not have named is refused."""
        for text in (
            "",
            "notes.txt",
            "twitch_made_up.jsonl",
            "twitch_made_up_20251229_1030.jsonl.gz",
            "twitch_made_up_20251229_1030.jsonl\n",
            "../twitch_made_up_20251229_1030.jsonl",
            "twitch_Made_up_20251229_1030.jsonl",
            "twitch__20251229_103.jsonl",
            "twitch_made_up_20251229_1030-.jsonl",
        ):
            with self.assertRaises(ValueError):
                parse_name(text)

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """Any text at all is either refused or the very name that it is read as."""
        try:
            name = parse_name(text)
        except ValueError:
            return
        self.assertNotIn("/", str(name))

    def test_patterns(self) -> None:
        """Channels and instances can never be a path or hold what a shell or a log would trip over."""
        for text in ("..", ".", "a/b", "a b", "A", "", "a" * 65, "a\n", "é"):
            self.assertIsNone(CHANNEL.match(text), text)
        for text in ("a-b", "a_b", "", "A", "a" * 33, "a\n"):
            self.assertIsNone(INSTANCE.match(text), text)

    def test_minute(self) -> None:
        """Minutes are UTC and cut off, not rounded."""
        self.assertEqual(utc_minute(0), "19700101_0000")
        self.assertEqual(utc_minute(1767004200.0 + 59.999), "20251229_1030")
