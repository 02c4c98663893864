"""Rooms as people name them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.room_names import is_address, parse_room
from chatlog.platforms import PLATFORMS


class RoomNameTests(SynchronousTestCase):
    """One parser for the command line, the API and the configuration."""

    def test_names(self) -> None:
        """Platform and name in any case, with a sign in front, or by the address of the channel."""
        for text, room in (
            ("twitch/xQc", "twitch/xqc"),
            ("Kick/foo-bar", "kick/foo-bar"),
            ("twitch:ann", "twitch/ann"),
            ("#Ann", "twitch/ann"),
            ("twitch/#ann", "twitch/ann"),
            (" twitch/@ann, ", "twitch/ann"),
            ("https://www.twitch.tv/xqc", "twitch/xqc"),
            ("HTTP://TWITCH.TV/XQC/?referrer=raid#top", "twitch/xqc"),
            ("m.twitch.tv/ann/", "twitch/ann"),
            ("https://www.twitch.tv/popout/ann/chat?popout=", "twitch/ann"),
            ("https://www.twitch.tv/embed/ann/chat?parent=x", "twitch/ann"),
            ("https://www.twitch.tv/moderator/ann", "twitch/ann"),
            ("https://dashboard.twitch.tv/u/ann/stream-manager", "twitch/ann"),
            ("https://player.twitch.tv/?channel=ann&parent=x", "twitch/ann"),
            ("https://www.twitch.tv/ann/videos", "twitch/ann"),
            ("https://kick.com/Ann/chatroom", "kick/ann"),
            ("kick.com/popout/ann/chat", "kick/ann"),
            ("https://player.kick.com/ann", "kick/ann"),
            ("//kick.com/ann", "kick/ann"),
            ("<https://www.twitch.tv/ann>", "twitch/ann"),
            ("kick/https://kick.com/ann", "kick/ann"),
        ):
            self.assertEqual(str(parse_room(text, PLATFORMS)), room, text)

    def test_with_a_platform(self) -> None:
        """Where the platform is known, the name alone is enough; another platform's address is none."""
        self.assertEqual(str(parse_room("Ann", PLATFORMS, "kick")), "kick/ann")
        with self.assertRaises(ValueError) as caught:
            parse_room("https://kick.com/ann", PLATFORMS, "twitch")
        self.assertIn("is a channel of Kick, and not of Twitch", str(caught.exception))

    def test_no_rooms(self) -> None:
        """What is no room costs a sentence that says what would be one."""
        for text, words in (
            ("bob", "write twitch/bob or kick/bob"),
            ("a b", "write twitch/NAME or kick/NAME"),
            ("youtube/bob", "names no platform that is recorded; write twitch/NAME or kick/NAME"),
            ("twitch/", "is not a room"),
            ("twitch/a/b", "is not a room"),
            ("#", "is not a room"),
            ("", "does not say on which platform"),
            ("https://youtube.com/@x", "not an address of Twitch (twitch.tv) or Kick (kick.com)"),
            ("https://nottwitch.tv/x", "not an address of Twitch"),
            ("https://www.twitch.tv/directory", "but not that of a channel"),
            ("https://www.twitch.tv/videos/123", "but not that of a channel"),
            ("https://clips.twitch.tv/Abc", "but not that of a channel"),
            ("kick.com", "but not that of a channel"),
            ("http://[", "cannot be read as an address"),
        ):
            with self.assertRaises(ValueError) as caught:
                parse_room(text, PLATFORMS)
            self.assertIn(words, str(caught.exception))

    @given(st.text(max_size=200), st.sampled_from(["", "twitch", "kick"]))
    def test_any_text(self, text: str, platform: str) -> None:
        """Any text is a room or a sentence."""
        is_address(text)
        try:
            room = parse_room(text, PLATFORMS, platform)
        except ValueError as error:
            self.assertLess(len(str(error)), 1500)
        else:
            self.assertTrue(room.name)
            self.assertNotIn("/", room.name)
