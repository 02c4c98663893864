"""An export for TwitchDownloader keeps every rule of its reader, whatever was said."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.formats.chatjson import comment, document, streamer_of
from chatlog.record import encode_full, from_json, to_line
from chatlog.twitch import irc
from chatlog.twitch.events import chat_record, event_record

RECEIVED = "2025-12-29T10:30:45.123Z"
SHOWN = {"highlighted-message", "sub", "resub", "subgift", ""}


def broken_rules(chat: Any) -> list[str]:
    """What TwitchDownloader would throw on, or not show, in a whole file."""
    found = []
    if not isinstance(chat.get("streamer"), dict) or not isinstance(chat["streamer"].get("id"), int):
        found.append("no streamer")
    if not 0 <= chat["streamer"]["id"] < 2**31:
        found.append("the streamer's id is no int32")
    if not chat["video"]["end"] > chat["video"]["start"]:
        found.append("the video ends where it begins")
    offsets = [one["content_offset_seconds"] for one in chat["comments"]]
    if offsets != sorted(offsets):
        found.append("comments are not sorted")
    for one in chat["comments"]:
        message = one["message"]
        if not isinstance(one["commenter"]["display_name"], str) or not one["commenter"]["display_name"]:
            found.append("no display name")
        if not isinstance(message["body"], str):
            found.append("no body")
        if not message["fragments"]:
            found.append("no fragments")
        if "".join(fragment["text"] for fragment in message["fragments"]) != message["body"]:
            found.append("the fragments are not the body")
        if message["user_color"] == "":
            found.append("an empty colour")
        if message.get("user_notice_params", {}).get("msg_id", "") not in SHOWN:
            found.append("a msg_id that hides the comment")
        units = len(message["body"].encode("utf-16-le")) // 2
        for emote in message["emoticons"]:
            if not 0 <= emote["begin"] < emote["end"] <= units + 1:
                found.append("an emote outside of the text")
    return found


def record_of(line: bytes) -> dict[str, Any]:
    found = chat_record(line, RECEIVED, encode_full)
    record = from_json(found[1] if found else event_record(irc.parse(line), RECEIVED, encode_full))
    assert isinstance(record, dict)
    return record


def whole(*comments: dict[str, Any] | None) -> Any:
    encoded = [to_line(one) for one in comments if one is not None]
    pieces = document(encoded, streamer_of("twitch", "a", "7"), RECEIVED, 60.0)
    return json.loads(b"".join(pieces))


def chat_line(tags: str, text: str) -> bytes:
    return (
        f"@{tags};room-id=7;tmi-sent-ts=1767004245123 :ann!ann@ann.tmi.twitch.tv PRIVMSG #a :{text}".encode()
    )


class ChatJsonTests(SynchronousTestCase):
    def test_emotes_and_badges(self) -> None:
        """Emotes are cut out at characters, also behind those that UTF-16 needs two units for."""
        line = chat_line(
            "badges=subscriber/12;color=;display-name=Ann;emotes=25:2-6;id=1", "\U0001f600 Kappa!"
        )
        made = comment(record_of(line), 1.5)
        assert made is not None
        self.assertEqual(
            made["message"]["fragments"],
            [
                {"text": "\U0001f600 ", "emoticon": None},
                {"text": "Kappa", "emoticon": {"emoticon_id": "25"}},
                {"text": "!", "emoticon": None},
            ],
        )
        self.assertEqual(made["message"]["emoticons"], [{"_id": "25", "begin": 3, "end": 9}])
        self.assertEqual(made["message"]["user_badges"], [{"_id": "subscriber", "version": "12"}])
        self.assertIsNone(made["message"]["user_color"])
        self.assertEqual(broken_rules(whole(made)), [])

    def test_a_subscription(self) -> None:
        """A subscription begins with the display name and the words it is known by."""
        line = (
            b"@display-name=Ann;id=1;login=ann;msg-id=resub;room-id=7;"
            b"system-msg=Ann\\ssubscribed\\sat\\sTier\\s1.;tmi-sent-ts=1767004245123;user-id=5 "
            b":tmi.twitch.tv USERNOTICE #a :thanks"
        )
        made = comment(record_of(line), 0.0)
        assert made is not None
        self.assertEqual(made["message"]["body"], "Ann subscribed at Tier 1. thanks")
        self.assertGreater(len(made["message"]["fragments"][0]["text"]), len("Ann"))
        self.assertEqual(made["message"]["user_notice_params"], {"msg_id": "resub"})

    def test_a_raid_is_not_hidden(self) -> None:
        """A raid has its words, a blank at the end, and no msg_id that would hide it."""
        line = (
            b"@display-name=Ann;id=1;login=ann;msg-id=raid;room-id=7;system-msg=5\\sraiders\\sfrom\\sAnn\\s"
            b"have\\sjoined!;tmi-sent-ts=1767004245123;user-id=5 :tmi.twitch.tv USERNOTICE #a"
        )
        made = comment(record_of(line), 0.0)
        assert made is not None
        self.assertEqual(made["message"]["body"], "5 raiders from Ann have joined! ")
        self.assertNotIn("user_notice_params", made["message"])

    def test_what_chat_did_not_show(self) -> None:
        """Gaps, bans and settings of the room are no comments."""
        line = b"@room-id=7;target-user-id=5;tmi-sent-ts=1767004245123 :tmi.twitch.tv CLEARCHAT #a :ann"
        self.assertIsNone(comment(record_of(line), 0.0))

    def test_kick(self) -> None:
        """Kick's emotes are cut out; ids of Kick are not taken for Twitch's."""
        details = {"sender": {"username": "Ann", "identity": {"color": "#FF0000", "badges": []}}}
        line = encode_full(
            RECEIVED,
            "a",
            "ann",
            "5",
            "hi [emote:37226:LUL] x",
            "message",
            "1",
            "kick",
            "7",
            RECEIVED,
            details,
        )
        made = comment(from_json(line), 0.0)
        assert made is not None
        self.assertEqual(
            [part["emoticon"] for part in made["message"]["fragments"]],
            [None, {"emoticon_id": "37226"}, None],
        )
        self.assertEqual(streamer_of("kick", "a", "7")["id"], 0)
        self.assertEqual(broken_rules(whole(made)), [])

    @given(
        st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=20),
        st.text("0123456789:-,/Kx", max_size=20),
        st.text(st.characters(codec="ascii", exclude_characters="\r\n\0 ;="), max_size=8),
    )
    def test_any_message(self, text: str, emotes: str, value: str) -> None:
        """No text, emotes or tags break a rule."""
        line = chat_line(
            f"bits={value};color={value};display-name={value};emotes={emotes};id=1;msg-id={value}", text
        )
        self.assertEqual(broken_rules(whole(comment(record_of(line), 0.0))), [])
