"""What of a record belongs to a person."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.counters import Counters
from chatlog.kick.events import EventRecords
from chatlog.kick.pusher import Event
from chatlog.record import encode_full, from_json
from chatlog.redaction import Person, named_in, redacted, redacted_line
from chatlog.twitch import irc
from chatlog.twitch.events import event_record, unparsed_record

NOW = "2025-12-29T10:30:45.123Z"
ANN = Person("1234", frozenset({"ann"}))


def twitch(line: str | bytes) -> bytes:
    raw = line if isinstance(line, bytes) else line.encode()
    return event_record(irc.parse(raw), NOW, encode_full)


def kick(name: str, payload: dict[str, Any]) -> bytes:
    records = EventRecords(encode_full, Counters())
    event = Event(f"App\\Events\\{name}", "chatrooms.1.v2", payload)
    return records.line(event, json.dumps(payload).encode(), "room", "1", NOW)


def chat(user_id: str, name: str, text: str, more: str = "") -> str:
    tags = (
        f"display-name={name.title()};{more}id=m-{name};room-id=7;tmi-sent-ts=1767004245123;user-id={user_id}"
    )
    return f"@{tags} :{name}!{name}@{name}.tmi.twitch.tv PRIVMSG #room :{text}"


REPLY = (
    "reply-parent-display-name=Ann;reply-parent-msg-body=what\\sI\\ssaid;reply-parent-msg-id=m-ann;"
    "reply-parent-user-id=1234;reply-parent-user-login=ann;reply-thread-parent-display-name=Ann;"
    "reply-thread-parent-msg-id=m-ann;reply-thread-parent-user-id=1234;reply-thread-parent-user-login=ann;"
)
GIFT = (
    "@display-name=Bob;id=g;login=bob;msg-id=subgift;msg-param-gift-months=1;msg-param-recipient-display-name=Ann;"
    "msg-param-recipient-id=1234;msg-param-recipient-user-name=ann;msg-param-sub-plan-name=ann;room-id=7;"
    "system-msg=Bob\\sgifted\\sa\\sTier\\s1\\ssub\\sto\\sAnn!;user-id=5 :tmi.twitch.tv USERNOTICE #room"
)
COMBO = (
    "@display-name=Bob;id=g;login=bob;msg-id=onetapstreakexpired;msg-param-contributor-1=Ann;"
    "msg-param-contributor-1-taps=3;msg-param-contributor-2=Cid;room-id=7;system-msg=sent\\s3!;user-id=5"
    " :tmi.twitch.tv USERNOTICE #room"
)
UPGRADE = (
    "@id=g;login=bob;msg-id=giftpaidupgrade;msg-param-sender-login=ann;msg-param-sender-name=Ann;room-id=7;"
    "system-msg=Bob\\sis\\scontinuing\\sthe\\sGift\\sSub\\sthey\\sgot\\sfrom\\sAnn!;user-id=5"
    " :tmi.twitch.tv USERNOTICE #room"
)
PERSON = {"id": 1234, "username": "Ann", "slug": "ann"}
OTHER = {"id": 5, "username": "Bob", "slug": "bob"}


def message(sender: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "k1", "chatroom_id": 1, "content": "hello", "type": "message", "sender": sender, **more}


#: What is left out as a whole.
THEIRS = {
    "a message": twitch(chat("1234", "ann", "hi")),
    "a message under another name": twitch(chat("1234", "newname", "hi")),
    "a time-out": twitch("@ban-duration=5;room-id=7;target-user-id=1234 :tmi.twitch.tv CLEARCHAT #room :ann"),
    "a ban without an id": twitch(":tmi.twitch.tv CLEARCHAT #room :ann"),
    "a deletion, which has no id": twitch(
        "@login=Ann;target-msg-id=m :tmi.twitch.tv CLEARMSG #room :what I said"
    ),
    "a raid": twitch(
        "@id=r;login=ann;msg-id=raid;msg-param-login=ann;user-id=1234 :tmi.twitch.tv USERNOTICE #room"
    ),
    "a moderator's mode": twitch(":jtv MODE #room +o ann"),
    "a line cut off": unparsed_record(b"@user-id=1234;flags= :ann!ann@ann.tmi", NOW, encode_full),
    "a frame cut off": unparsed_record(b'{"data":"{\\"sender\\":{\\"id\\":1234,\\"user', NOW, encode_full),
    "Kick's message": kick("ChatMessageEvent", message(PERSON)),
    "Kick's pin": kick("PinnedMessageCreatedEvent", {"message": message(PERSON), "duration": "5"}),
    "Kick's ban": kick("UserBannedEvent", {"id": "b", "user": PERSON, "banned_by": OTHER, "permanent": True}),
    "Kick's host": kick("StreamHostEvent", {"host_username": "Ann", "number_viewers": 5}),
    "Kick's subscription": kick("SubscriptionEvent", {"chatroom_id": 1, "username": "Ann", "months": 2}),
    "Kick's gifts by them": kick(
        "GiftedSubscriptionsEvent", {"gifted_usernames": ["b"], "gifter_username": "Ann"}
    ),
}
#: What stays without them.
OTHERS = {
    "a reply": twitch(chat("5", "bob", "@Ann really?", REPLY)),
    "a gift": twitch(GIFT),
    "a combo": twitch(COMBO),
    "an upgrade": twitch(UPGRADE),
    "a notice": twitch(
        "@msg-id=timeout_success :tmi.twitch.tv NOTICE #room :You have timed out Ann for 5 minutes."
    ),
    "a tag twice": twitch(chat("5", "bob", "hi", "user-id=1234;")),
    "no UTF-8": twitch(chat("5", "bob", "caf", REPLY).encode() + b"\xe9"),
    "Kick's reply": kick(
        "ChatMessageEvent",
        message(
            OTHER, metadata={"original_sender": PERSON, "original_message": {"id": "k", "content": "I said"}}
        ),
    ),
    "Kick's gifts": kick(
        "GiftedSubscriptionsEvent", {"gifted_usernames": ["cid", "Ann", "eve"], "gifter_username": "Bob"}
    ),
    "Kick's moderator": kick(
        "UserBannedEvent", {"id": "b", "user": OTHER, "banned_by": PERSON, "permanent": True}
    ),
    "Kick's leaderboard": kick(
        "GiftsLeaderboardUpdated",
        {
            "leaderboard": [{"user_id": 1234, "username": "Ann", "quantity": 3}, OTHER],
            "gifter_username": "Bob",
        },
    ),
    "an unknown event": kick("SomethingNew", {"a": {"b": [{"user": PERSON, "n": 1}]}, "raider_id": 1234}),
}
#: What has nothing of them.
NOBODY = {
    "another message": twitch(chat("5", "bob", "hi Ann, ann, 1234")),
    "the name's new owner": twitch(chat("99", "ann", "hi")),
    "a reply to the new owner": twitch(chat("5", "bob", "@Ann yes", REPLY.replace("1234", "99"))),
    "numbers": twitch(
        GIFT.replace("recipient-id=1234", "recipient-id=6").replace("gift-months=1", "gift-months=1234")
    ),
    "their own room": twitch(
        chat("5", "bob", "hi").replace("room-id=7", "room-id=1234").replace("#room", "#ann")
    ),
    "a notice of the room": twitch("@msg-id=slow_on :tmi.twitch.tv NOTICE #room :Ann mode is on."),
    "an unparsed mention": unparsed_record(
        b"@user-id=5 :bob!bob@bob PRIVMSG #room :Ann 1234", NOW, encode_full
    ),
    "Kick's channel": kick("LivestreamUpdated", {"livestream": {"id": 1234, "channel": PERSON}}),
    "a clear": twitch("@room-id=7 :tmi.twitch.tv CLEARCHAT #room"),
}


class Redaction(SynchronousTestCase):
    """Erasure and opt-out take out the same."""

    def test_their_records_go(self) -> None:
        """What a person wrote, and what is about nobody else, is left out as a whole."""
        for what, line in THEIRS.items():
            self.assertIsNone(redacted_line(line, ANN), f"{what}: {line!r}")

    def test_others_records_stay_without_them(self) -> None:
        """A record of somebody else stays, and neither the person's id, name nor text is left in it."""
        for what, line in OTHERS.items():
            left = redacted_line(line, ANN)
            assert left is not None, what
            self.assertNotEqual(left, line, what)
            for trace in (b"1234", b"Ann", b'"ann"', b"I said"):
                if not (what == "a gift" and trace == b'"ann"'):
                    self.assertNotIn(trace, left, what)
            record, before = from_json(left), from_json(line)
            self.assertEqual(list(record), list(before), what)
            self.assertEqual(record["username"], before["username"], what)

    def test_nothing_else_is_touched(self) -> None:
        """Mentions, numbers, rooms and a name's new owner are not the person; the line is the very same."""
        for what, line in NOBODY.items():
            self.assertIs(redacted_line(line, ANN), line, what)

    def test_others_in_the_same_record(self) -> None:
        """Who else is named in a list keeps the place."""
        gifts = from_json(redacted_line(OTHERS["Kick's gifts"], ANN) or b"")
        self.assertEqual(gifts["details"]["gifted_usernames"], ["cid", "", "eve"])
        combo = from_json(redacted_line(OTHERS["a combo"], ANN) or b"")
        self.assertEqual(combo["details"]["msg-param-contributor-2"], "Cid")
        self.assertEqual(combo["details"]["msg-param-contributor-1"], "")

    def test_a_reply_keeps_its_length(self) -> None:
        """The name that Twitch puts before an answer goes, and emotes behind it keep their positions."""
        record = from_json(redacted_line(OTHERS["a reply"], ANN) or b"")
        self.assertEqual(record["message"], "@*** really?")
        self.assertEqual(record["details"]["reply-parent-msg-id"], "m-ann")
        self.assertEqual(record["details"]["reply-parent-msg-body"], "")

    def test_single_messages(self) -> None:
        """A message by its id goes, with its deletion and its copies in replies; the person's others stay."""
        one = Person(messages=frozenset({"m-ann", "k"}))
        self.assertIsNone(redacted_line(THEIRS["a message"], one))
        deletion = twitch("@login=ann;target-msg-id=m-ann :tmi.twitch.tv CLEARMSG #room :x")
        self.assertIsNone(redacted_line(deletion, one))
        for what in ("a reply", "Kick's reply"):
            self.assertNotIn(b"I said", redacted_line(OTHERS[what], one) or b"I said")
        other = THEIRS["Kick's message"]
        self.assertIs(redacted_line(other, one), other)

    def test_five_keys(self) -> None:
        """Records in basic detail have an author and nothing else."""
        line = (
            b'{"timestamp":"%b","channel":"r","username":"ann","user_id":"1234","message":"x"}\n'
            % NOW.encode()
        )
        self.assertIsNone(redacted_line(line, ANN))
        other = line.replace(b"1234", b"99")
        self.assertIs(redacted_line(other, ANN), other)

    def test_the_raw_line(self) -> None:
        """A whole line that is kept beside the record names the person in its tags, and not in its text."""
        raw = base64.b64encode(chat("5", "bob", "hi", REPLY).encode()).decode()
        self.assertTrue(named_in(base64.b64decode(raw).decode(), ANN))
        self.assertFalse(named_in(chat("5", "bob", ":ann and login ann"), ANN))

    @given(
        st.recursive(
            st.none() | st.integers() | st.text(max_size=8) | st.sampled_from(["ann", "1234", 1234]),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        [
                            "id",
                            "user_id",
                            "username",
                            "slug",
                            "sender",
                            "message",
                            "original_sender",
                            "original_message",
                            "raw",
                            "raw_base64",
                            "payload",
                            "params",
                            "system-msg",
                            "reply-parent-user-id",
                            "command",
                        ]
                    ),
                    inner,
                    max_size=5,
                )
            ),
            max_leaves=20,
        )
    )
    @settings(max_examples=50)
    def test_any_payload(self, details: Any) -> None:
        """Whatever a platform sends, nothing is raised, the record that was given stays as it is, and doing
        it again changes nothing more."""
        for type in ("message", "event", "unparsed", "notice", "pin"):
            record = {"username": "bob", "user_id": "5", "message": "x", "type": type, "details": details}
            before = json.dumps(record)
            once = redacted(record, ANN)
            self.assertEqual(json.dumps(record), before)
            if once is not None and once is not record:
                self.assertIs(redacted(once, ANN), once)
