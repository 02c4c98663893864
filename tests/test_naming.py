"""Names of files and keys of objects."""

from __future__ import annotations

from string import ascii_lowercase

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.naming import (
    CHANNEL,
    INSTANCE,
    FileName,
    ManifestName,
    parse_manifest_name,
    parse_name,
    utc_minute,
)

CHANNELS = st.from_regex(r"[a-z0-9_-]{1,64}", fullmatch=True)
#: Numbers near those where a name gets longer.
NUMBERS = st.one_of(st.integers(1, 12), st.integers(9990, 10010), st.integers(99_990, 100_010))


class NameTests(SynchronousTestCase):
    """``FileName`` and ``parse_name``."""

    def test_form(self) -> None:
        """Names and keys look as documented."""
        name = FileName("twitch", "any_room", "20251229_1030")
        self.assertEqual(str(name), "twitch_any_room_20251229_1030.jsonl")
        self.assertEqual(str(name.numbered(3)), "twitch_any_room_20251229_1030n0003.jsonl")
        self.assertEqual(name.key(), "2025/12/29/twitch/any_room/twitch_any_room_20251229_1030.jsonl")
        self.assertEqual(
            FileName("kick", "a-b", "20250101_0000", "blue", 2).key("/logs/chat/", ".zst"),
            "logs/chat/2025/01/01/kick/a-b/kick_a-b_20250101_0000n0002_blue.jsonl.zst",
        )

    @given(
        st.sampled_from(["twitch", "kick"]),
        CHANNELS,
        st.from_regex(r"2[0-9]{7}_[0-2][0-9][0-5][0-9]", fullmatch=True),
        st.one_of(st.just(""), st.from_regex(r"[a-z0-9]{1,32}", fullmatch=True)),
        st.integers(1, 999_999_999),
        st.booleans(),
    )
    def test_round_trip(
        self, platform: str, channel: str, minute: str, instance: str, n: int, old: bool
    ) -> None:
        """Every name can be read back, also where channel or instance look like another part."""
        name = FileName(platform, channel, minute, instance, n, old and n > 1)
        self.assertEqual(parse_name(str(name)), name)
        manifest = ManifestName(minute, "" if instance == "main" else instance, n, old and n > 1)
        self.assertEqual(parse_manifest_name(str(manifest)), manifest)

    @given(
        st.lists(st.tuples(st.integers(0, 3), NUMBERS), min_size=2, max_size=20, unique=True),
        st.sampled_from(["", "a", "n0002", "0002", "z9"]),
        st.sampled_from(["", ".gz", ".zst"]),
        st.permutations("_-."),
    )
    def test_sorted_in_time(
        self, files: list[tuple[int, int]], instance: str, suffix: str, marks: list[str]
    ) -> None:
        """The names of a room sort as its files were written: by bytes, as stores list and ``LC_ALL=C ls``
        does, and in the order of languages, which have the marks first, each in its own order, then
        digits, then letters."""
        files = sorted(files)
        keys = [
            FileName("twitch", "a_b", f"20251229_103{minute}", instance, n).key(suffix=suffix)
            for minute, n in files
        ]
        self.assertEqual(sorted(keys), keys)
        order = {sign: place for place, sign in enumerate([*marks, "/", *"0123456789", *ascii_lowercase])}
        self.assertEqual(sorted(keys, key=lambda key: [order[sign] for sign in key]), keys)
        manifests = [str(ManifestName(f"20251229_103{minute}", instance, n)) + suffix for minute, n in files]
        self.assertEqual(sorted(manifests), manifests)

    def test_old_names(self) -> None:
        """Names with their number at the end, as they were made before, are read, keep their keys, and are
        followed by names of today's form."""
        name = parse_name("twitch_any_room_20251229_1030_blue-2.jsonl")
        self.assertEqual(name, FileName("twitch", "any_room", "20251229_1030", "blue", 2, old=True))
        key = "2025/12/29/twitch/any_room/twitch_any_room_20251229_1030_blue-2.jsonl.gz"
        self.assertEqual(name.key(suffix=".gz"), key)
        self.assertEqual(str(name.numbered(3)), "twitch_any_room_20251229_1030n0003_blue.jsonl")
        manifest = parse_manifest_name("main_20251229_1000-2.jsonl")
        self.assertEqual(manifest, ManifestName("20251229_1000", n=2, old=True))
        self.assertEqual(str(manifest), "main_20251229_1000-2.jsonl")
        self.assertEqual(str(manifest.numbered(3)), "main_20251229_1000n0003.jsonl")

    def test_channels_like_times(self) -> None:
        """A channel may even be called like a minute."""
        for channel in (
            "20251229_1030",
            "a_20251229_1030_b",
            "20251229_1030-2",
            "20251229_1030n0002",
            "_",
            "-",
            "_server",
        ):
            for instance in ("", "20251229", "1030", "n0002"):
                for old in (False, True):
                    name = FileName("kick", channel, "20260101_0000", instance, 4, old)
                    self.assertEqual(parse_name(str(name)), name)

    def test_strangers(self) -> None:
        """What this project would not have named is refused."""
        for text in (
            "",
            "notes.txt",
            "twitch_any_room.jsonl",
            "twitch_any_room_20251229_1030.jsonl.gz",
            "twitch_any_room_20251229_1030.jsonl\n",
            "../twitch_any_room_20251229_1030.jsonl",
            "twitch_Made_up_20251229_1030.jsonl",
            "twitch__20251229_103.jsonl",
            "twitch_any_room_20251229_1030-.jsonl",
            "twitch_any_room_20251229_1030-1.jsonl",
            "twitch_any_room_20251229_1030-02.jsonl",
            "twitch_any_room_20251229_1030n2.jsonl",
            "twitch_any_room_20251229_1030n0001.jsonl",
            "twitch_any_room_20251229_1030n10000.jsonl",
            "twitch_any_room_20251229_1030o0002.jsonl",
            "twitch_any_room_20251229_1030n0002-3.jsonl",
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
        self.assertEqual(str(name), text)

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
