"""Kick's events to records."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.counters import Counters
from chatlog.kick.events import EventRecords, duplicate_key, other_chatroom, short_name, time_of
from chatlog.kick.pusher import parse
from chatlog.record import Encode, encode_basic, encode_full
from tests.kick import CHATROOM, chat, frame, plain, sender

RECEIVED = "2026-02-03T04:05:07.250Z"
PREFIX = "App\\Events\\"


def record_line(data: bytes, encode: Encode = encode_full, counters: Counters | None = None) -> bytes:
    """The encoded record of the frame ``data``."""
    event = parse(data)
    assert event is not None
    records = EventRecords(encode, counters or Counters())
    return records.line(event, data, "some_room", CHATROOM, RECEIVED)


def record(data: bytes) -> dict[str, Any]:
    """The record of the frame ``data``, read back."""
    line = record_line(data)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    decoded: dict[str, Any] = json.loads(line)
    return decoded


class TypeTests(SynchronousTestCase):
    """Which kind of record an event becomes, about whom, and with which text."""

    def assert_record(self, name: str, payload: Any, **expected: Any) -> None:
        """``name`` with and without its prefix becomes a record with these values, the others empty;
        its details are the whole payload and the short name."""
        for prefix in (PREFIX, ""):
            found = record(frame(prefix + name, payload))
            whole = {
                "timestamp": RECEIVED,
                "channel": "some_room",
                "username": "",
                "user_id": "",
                "message": "",
                "id": "",
                "platform": "kick",
                "channel_id": CHATROOM,
                "received": RECEIVED,
                "details": {**payload, "event": name}
                if isinstance(payload, dict)
                else {"payload": payload, "event": name},
            } | expected
            self.assertEqual(found, whole)

    def test_message(self) -> None:
        """A chat message: slug, id and text of its sender, its own id and the platform's time."""
        self.assert_record(
            "ChatMessageEvent",
            chat(),
            type="message",
            username="night-owl",
            user_id="5150",
            message="good evening [emote:12345:exampleWave]",
            id="0b5f3a52-1111-4222-8333-444455556666",
            timestamp="2026-02-03T04:05:06.000Z",
        )

    def test_reply_and_celebration(self) -> None:
        """Replies and celebrations are messages; what they answer or celebrate is in the details."""
        for kind, metadata in (
            (
                "reply",
                {
                    "original_sender": {"id": "88", "username": "Someone"},
                    "original_message": {"id": "ab", "content": "what?"},
                    "message_ref": "1770091506999",
                },
            ),
            (
                "celebration",
                {
                    "celebration": {
                        "id": "chceleb_01",
                        "type": "subscription_renewed",
                        "total_months": 5,
                        "created_at": "2020-01-01T00:00:00.123456Z",
                    }
                },
            ),
        ):
            self.assert_record(
                "ChatMessageEvent",
                chat(type=kind, metadata=metadata, thread_parent_id="cd"),
                type="message",
                username="night-owl",
                user_id="5150",
                message="good evening [emote:12345:exampleWave]",
                id="0b5f3a52-1111-4222-8333-444455556666",
                timestamp="2026-02-03T04:05:06.000Z",
            )

    def test_old_message(self) -> None:
        """The older shape, with a string for an id, no slug and no metadata, works as well."""
        payload = chat(sender={"id": "5150", "username": "Night_Owl"}, id=42)
        del payload["metadata"]
        self.assert_record(
            "ChatMessageEvent",
            payload,
            type="message",
            username="night_owl",
            user_id="5150",
            message="good evening [emote:12345:exampleWave]",
            id="42",
            timestamp="2026-02-03T04:05:06.000Z",
        )

    def test_delete(self) -> None:
        """A deletion has no author; the deleted message's id is in the details."""
        self.assert_record(
            "MessageDeletedEvent",
            {"id": "e-1", "message": {"id": "m-1"}, "aiModerated": True, "violatedRules": ["spam"]},
            type="delete",
            id="e-1",
        )

    def test_bans(self) -> None:
        """A ban that ends is a time-out, in the new shape and in the old; its length stays as sent."""
        who = {"user": {"id": 31, "username": "Loud_One", "slug": "loud-one"}, "id": "b-1"}
        moderator = {"banned_by": {"id": 0, "username": "moderator", "slug": "moderator"}}
        end = {"expires_at": "2026-02-03T04:10:06+00:00"}
        for more, kind in (
            ({"permanent": False, "duration": 5} | end, "timeout"),
            ({"permanent": True}, "ban"),
            ({"permanent": True, "expires_at": None}, "ban"),
            ({"permanent": True, "duration": 0} | end, "ban"),
            (end, "timeout"),
            ({}, "ban"),
            ({"expires_at": None}, "ban"),
        ):
            self.assert_record(
                "UserBannedEvent",
                who | moderator | more,
                type=kind,
                username="loud-one",
                user_id="31",
                id="b-1",
            )

    def test_unban(self) -> None:
        """An unban is about the one who is let in again."""
        self.assert_record(
            "UserUnbannedEvent",
            {
                "id": "u-1",
                "user": {"id": 31, "username": "Loud_One", "slug": "loud-one"},
                "unbanned_by": {"id": 2, "username": "Keeper", "slug": "keeper"},
                "permanent": True,
            },
            type="unban",
            username="loud-one",
            user_id="31",
            id="u-1",
        )

    def test_clear(self) -> None:
        """A cleared room."""
        self.assert_record("ChatroomClearEvent", {"id": "c-1"}, type="clear", id="c-1")
        self.assert_record("ChatroomClearEvent", [], type="clear")

    def test_room(self) -> None:
        """Changed room settings; the payload's id is the room's and not the event's."""
        self.assert_record(
            "ChatroomUpdatedEvent",
            {"id": int(CHATROOM), "slow_mode": {"enabled": True, "message_interval": 6}},
            type="room",
        )

    def test_subscriptions(self) -> None:
        """Both events of a subscription; a name without a slug is put in lower case."""
        self.assert_record(
            "SubscriptionEvent",
            {"chatroom_id": int(CHATROOM), "username": "Gold_Fan", "months": 3},
            type="subscription",
            username="gold_fan",
        )
        self.assert_record(
            "ChannelSubscriptionEvent",
            {"user_ids": [99], "username": "Gold_Fan", "channel_id": 4},
            type="subscription",
            username="gold_fan",
        )

    def test_gifts(self) -> None:
        """A gift is about the giver."""
        self.assert_record(
            "GiftedSubscriptionsEvent",
            {
                "chatroom_id": int(CHATROOM),
                "gifted_usernames": ["One", "Two"],
                "gifter_username": "Rich_Uncle",
                "gifter_total": 12,
            },
            type="gift",
            username="rich_uncle",
        )
        self.assert_record(
            "LuckyUsersWhoGotGiftSubscriptionsEvent",
            {"usernames": ["One", "Two"], "gifter_username": "Rich_Uncle", "channel": {"id": 4}},
            type="gift",
            username="rich_uncle",
        )
        self.assert_record(
            "KicksGifted",
            {
                "gift_transaction_id": "t-1",
                "message": "TAKE  IT!",
                "sender": {"id": 77, "username": "Rich_Uncle", "username_color": "#E9113C"},
                "gift": {"gift_id": "some_gift", "amount": 1000},
                "created_at": "2026-02-03T04:05:06.373823974Z",
            },
            type="gift",
            username="rich_uncle",
            user_id="77",
            message="TAKE  IT!",
            id="t-1",
            timestamp="2026-02-03T04:05:06.373Z",
        )

    def test_raid(self) -> None:
        """A host with viewers."""
        self.assert_record(
            "StreamHostEvent",
            {
                "chatroom_id": int(CHATROOM),
                "optional_message": "be nice",
                "number_viewers": 6,
                "host_username": "Other_Streamer",
            },
            type="raid",
            username="other_streamer",
            message="be nice",
        )

    def test_pins(self) -> None:
        """A pin shows the pinned message and its author, but happens when it arrives: the message may
        be hours older. Taking a pin away has no payload."""
        self.assert_record(
            "PinnedMessageCreatedEvent",
            {"message": chat(), "duration": "1200", "pinnedBy": {"id": 1, "username": "Keeper"}},
            type="pin",
            username="night-owl",
            user_id="5150",
            message="good evening [emote:12345:exampleWave]",
        )
        self.assert_record("PinnedMessageDeletedEvent", [], type="pin")

    def test_polls(self) -> None:
        """A poll's text is its title."""
        poll = {"title": "More?", "options": [{"id": 0, "label": "yes", "votes": 2}], "duration": 120}
        self.assert_record("PollUpdateEvent", {"poll": poll}, type="poll", message="More?")
        self.assert_record("PollDeleteEvent", [], type="poll")

    def test_reward(self) -> None:
        """A redeemed reward and what was typed with it."""
        self.assert_record(
            "RewardRedeemedEvent",
            {
                "reward_title": "Hydrate",
                "user_id": 7,
                "channel_id": 4,
                "username": "Some_Viewer",
                "user_input": "now",
            },
            type="reward",
            username="some_viewer",
            user_id="7",
            message="now",
        )

    def test_other_events(self) -> None:
        """Events that the table does not name are kept whole, about whom they name."""
        self.assert_record(
            "StreamHostedEvent",
            {
                "message": {
                    "id": "h-1",
                    "numberOfViewers": 8,
                    "optionalMessage": None,
                    "createdAt": "2026-02-03T04:05:06.859247Z",
                },
                "user": {"id": 21, "username": "Other_Streamer", "verified": False},
            },
            type="event",
            username="other_streamer",
            user_id="21",
            id="h-1",
            timestamp="2026-02-03T04:05:06.859Z",
        )
        self.assert_record(
            "FollowersUpdated",
            {"followersCount": 20, "channel_id": 4, "username": None, "created_at": 1770091506},
            type="event",
            timestamp="2026-02-03T04:05:06.000Z",
        )
        self.assert_record(
            "StopStreamBroadcast",
            {"livestream": {"id": 5, "channel": {"id": 4, "is_banned": False}}},
            type="event",
        )
        self.assert_record("PredictionUpdated", {"prediction": {"id": "p"}, "slug": "x"}, type="event")
        self.assert_record(
            "SomethingNew", {"sender": sender(), "id": 9}, type="event", username="night-owl",
            user_id="5150", id="9",
        )  # fmt: skip

    def test_deeper_names(self) -> None:
        """The last part of a name decides its kind; the details keep the name but for the prefix."""
        found = record(frame(PREFIX + "Chat\\ChatroomClearEvent", {"id": "c"}))
        self.assertEqual((found["type"], found["details"]["event"]), ("clear", "Chat\\ChatroomClearEvent"))
        found = record(frame("Other\\PollUpdateEvent", {}))
        self.assertEqual((found["type"], found["details"]["event"]), ("poll", "Other\\PollUpdateEvent"))
        self.assertEqual(short_name(PREFIX + "KicksGifted"), "KicksGifted")


class DetailsTests(SynchronousTestCase):
    """Nothing that arrived is missing from a record."""

    def test_keys_in_order(self) -> None:
        """A record's keys come in the documented order."""
        line = record_line(frame("ChatMessageEvent", chat()))
        self.assertEqual(
            list(json.loads(line)),
            [
                "timestamp", "channel", "username", "user_id", "message", "type", "id", "platform",
                "channel_id", "received", "details",
            ],
        )  # fmt: skip

    def test_payload_with_an_event_of_its_own(self) -> None:
        """A payload's own ``event`` is not overwritten: the payload is whole under ``payload``."""
        payload = {"event": "mine", "payload": 1, "user": {"username": "Somebody"}}
        found = record(frame("SomethingNew", payload))
        self.assertEqual(found["details"], {"payload": payload, "event": "SomethingNew"})
        self.assertEqual(found["username"], "somebody")

    def test_payload_that_is_no_object(self) -> None:
        """Lists, numbers, texts and nothing at all stay whole under ``payload``."""
        for data, expected in (
            ("[1,2]", [1, 2]),
            ([1, 2], [1, 2]),
            ("5", 5),
            ("true", True),
            (None, None),
            ("", ""),
            ("plain words", "plain words"),
        ):
            found = record(plain("SomethingNew", data))
            self.assertEqual(found["type"], "event")
            self.assertEqual(found["details"], {"payload": expected, "event": "SomethingNew"})

    def test_what_else_a_frame_has(self) -> None:
        """Keys beside event, channel and data are under ``frame``, whatever the payload has there."""
        data = b'{"event":"SomethingNew","channel":"c","data":"{\\"a\\":1}","user_id":"5"}'
        found = record(data)
        self.assertEqual(found["details"], {"a": 1, "event": "SomethingNew", "frame": {"user_id": "5"}})
        data = b'{"event":"SomethingNew","channel":"c","data":"{\\"frame\\":1}","user_id":"5"}'
        found = record(data)
        self.assertEqual(
            found["details"],
            {"payload": {"frame": 1}, "event": "SomethingNew", "frame": {"user_id": "5"}},
        )

    def test_bytes_that_are_not_utf8(self) -> None:
        """Text with bad bytes stays readable, and the complete frame is kept beside it."""
        data = frame("ChatMessageEvent", chat(content="caf??")).replace(b"??", b"\xe9\xff")
        found = record(data)
        self.assertEqual(found["type"], "message")
        self.assertEqual(found["message"], "caf\ufffd\ufffd")
        self.assertEqual(base64.b64decode(found["details"]["raw_base64"]), data)

    def test_lone_surrogates_and_long_integers(self) -> None:
        """Valid JSON that is hard to write again is written all the same."""
        data = plain("ChatMessageEvent", '{"content":"a\\ud83d","n":123456789012345678901234567890}')
        found = record(data)
        self.assertEqual(found["message"], "a\ud83d")
        self.assertEqual(found["details"]["n"], 123456789012345678901234567890)

    def test_deep_payload(self) -> None:
        """A payload nested deeper than can be written again is kept as the raw frame."""
        for depth in (100, 300, 1000):
            data = frame("SomethingNew", {"a": 1}).replace(b"1}", b"[" * depth + b"]" * depth + b"}")
            found = record(data)
            if found["type"] == "unparsed":
                self.assertEqual(found["details"]["raw"].encode(), data)
            else:
                self.assertEqual(json.dumps(found["details"]["a"]), "[" * depth + "]" * depth)
        self.assertEqual(found["type"], "unparsed")

    def test_junk_payload(self) -> None:
        """A known event whose payload is no JSON, and a message without an object, were not
        understood: the whole frame is kept and it is counted."""
        for name, data in (
            ("ChatMessageEvent", '{"id":"x","content":"cut o'),
            ("ChatMessageEvent", "[]"),
            ("ChatMessageEvent", None),
            ("UserBannedEvent", "{junk"),
        ):
            counters = Counters()
            whole = plain(PREFIX + name, data)
            found = json.loads(record_line(whole, counters=counters))
            self.assertEqual(found["type"], "unparsed")
            self.assertEqual(found["details"], {"raw": whole.decode()})
            self.assertEqual(found["timestamp"], RECEIVED)
            self.assertEqual(counters.unparsed, 1)

    def test_unparsed(self) -> None:
        """A frame that is none is kept as text, and whole where it is not text."""
        counters = Counters()
        records = EventRecords(encode_full, counters)
        found = json.loads(records.unparsed(b"what?\xff", "_server", "", RECEIVED))
        self.assertEqual((found["type"], found["channel"], found["channel_id"]), ("unparsed", "_server", ""))
        self.assertEqual(found["details"]["raw"], "what?\ufffd")
        self.assertEqual(base64.b64decode(found["details"]["raw_base64"]), b"what?\xff")
        self.assertEqual(counters.unparsed, 1)

    def test_unexpected_shapes(self) -> None:
        """Fields of the wrong type leave their key empty and are still in the details."""
        payload = chat(content=["x"], sender="nobody", id=None, created_at={"a": 1})
        found = record(frame("ChatMessageEvent", payload))
        self.assertEqual(found["type"], "message")
        for key in ("username", "user_id", "message", "id"):
            self.assertEqual(found[key], "")
        self.assertEqual(found["timestamp"], RECEIVED)
        self.assertEqual(found["details"], {**payload, "event": "ChatMessageEvent"})
        payload = chat(sender={"id": True, "username": 5, "slug": ["x"]})
        found = record(frame("ChatMessageEvent", payload))
        self.assertEqual((found["username"], found["user_id"]), ("", ""))

    def test_counting(self) -> None:
        """Events that no rule knows are counted; the others are not."""
        counters = Counters()
        record_line(frame("ChatMessageEvent", chat()), counters=counters)
        self.assertEqual(counters.unknown["kick"], 0)
        record_line(frame("SomethingNew", {}), counters=counters)
        self.assertEqual(counters.unknown["kick"], 1)
        self.assertEqual(counters.unparsed, 0)

    def test_basic_detail(self) -> None:
        """The basic detail has five keys for a chat message and nothing for anything else."""
        line = record_line(frame("ChatMessageEvent", chat()), encode_basic)
        self.assertEqual(
            json.loads(line),
            {
                "timestamp": "2026-02-03T04:05:06.000Z",
                "channel": "some_room",
                "username": "night-owl",
                "user_id": "5150",
                "message": "good evening [emote:12345:exampleWave]",
            },
        )
        self.assertEqual(record_line(frame("ChatroomClearEvent", {"id": "x"}), encode_basic), b"")
        self.assertEqual(record_line(plain("ChatMessageEvent", "{cut"), encode_basic), b"")

    @settings(max_examples=200, deadline=None)
    @given(
        st.sampled_from(
            [
                "ChatMessageEvent", "MessageDeletedEvent", "UserBannedEvent", "UserUnbannedEvent",
                "ChatroomClearEvent", "ChatroomUpdatedEvent", "SubscriptionEvent",
                "GiftedSubscriptionsEvent", "KicksGifted", "StreamHostEvent", "StreamHostedEvent",
                "PinnedMessageCreatedEvent", "PollUpdateEvent", "RewardRedeemedEvent", "SomethingNew",
            ]
        ),
        st.dictionaries(
            st.sampled_from(
                [
                    "id", "sender", "user", "message", "content", "created_at", "username", "slug",
                    "poll", "title", "gifter", "gifter_username", "permanent", "expires_at", "event",
                ]
            ),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.text(),
                lambda inner: st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["id", "username", "slug", "content", "title", "x"]), inner, max_size=3
                ),
                max_leaves=8,
            ),
        ),
    )  # fmt: skip
    def test_any_payload(self, name: str, payload: dict[str, Any]) -> None:
        """Whatever the payload, there is one record of one line with the whole payload in it, and its
        first ten values are strings."""
        found = record(frame(PREFIX + name, payload))
        details = found.pop("details")
        self.assertTrue(all(isinstance(value, str) for value in found.values()))
        self.assertEqual(details.pop("event"), name)
        self.assertEqual(details["payload"] if "event" in payload else details, payload)


class TimeTests(SynchronousTestCase):
    """Times of the platform."""

    def test_forms(self) -> None:
        """Any zone, any fraction, seconds and milliseconds since the epoch become the record's form."""
        for value, expected in (
            ("2026-02-03T04:05:06+00:00", "2026-02-03T04:05:06.000Z"),
            ("2026-02-03T04:05:06Z", "2026-02-03T04:05:06.000Z"),
            ("2026-02-03t04:05:06z", "2026-02-03T04:05:06.000Z"),
            ("2026-02-03 04:05:06Z", "2026-02-03T04:05:06.000Z"),
            ("2026-02-03T04:05:06.5Z", "2026-02-03T04:05:06.500Z"),
            ("2026-02-03T04:05:06.859247Z", "2026-02-03T04:05:06.859Z"),
            ("2026-02-03T04:05:06.373823974Z", "2026-02-03T04:05:06.373Z"),
            ("2026-02-03T06:05:06.999+02:00", "2026-02-03T04:05:06.999Z"),
            ("2026-02-02T22:35:06-05:30", "2026-02-03T04:05:06.000Z"),
            (1770091506, "2026-02-03T04:05:06.000Z"),
            (1770091506.25, "2026-02-03T04:05:06.250Z"),
            (1770091506123, "2026-02-03T04:05:06.123Z"),
            ("1969-12-31T23:59:59.250Z", "1969-12-31T23:59:59.250Z"),
        ):
            self.assertEqual(time_of(value), expected, value)

    def test_none(self) -> None:
        """What is no time gives an empty string, so that the time of arrival is used."""
        values: tuple[object, ...] = (
            None, True, "", "yesterday", "2026-02-03T04:05:06", "2026-13-03T04:05:06Z",
            "2026-02-30T04:05:06Z", "2026-02-03T24:61:06Z", "2026-02-03T04:05:06+99:00",
            "2026-02-03T04:05:06Z\n", "\u0662\u0660\u0662\u0666-02-03T04:05:06Z", "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+05:00", "x" * 100_000, 10**30, -(10**30), 1e300, [], {}, float("inf"),
        )  # fmt: skip
        for value in values:
            self.assertEqual(time_of(value), "", repr(value)[:40])

    @settings(max_examples=300, deadline=None)
    @given(st.text(max_size=45) | st.integers() | st.floats())
    def test_anything(self, value: object) -> None:
        """No value makes it raise."""
        time_of(value)


class IdentityTests(SynchronousTestCase):
    """Which room and which event a frame is."""

    def key(self, data: bytes) -> tuple[object, bool]:
        """The duplicate key of the frame ``data``."""
        event = parse(data)
        assert event is not None
        return duplicate_key(event, data)

    def test_other_chatroom(self) -> None:
        """A payload that names another chatroom than the room's gives that id."""

        def named(payload: Mapping[str, Any] | list[int]) -> str:
            event = parse(frame("ChatMessageEvent", payload))
            assert event is not None
            return other_chatroom(event, CHATROOM)

        self.assertEqual(named(chat()), "")
        self.assertEqual(named(chat(chatroom_id=CHATROOM)), "")
        self.assertEqual(named(chat(chatroom_id=5)), "5")
        self.assertEqual(named(chat(chatroom_id="6")), "6")
        self.assertEqual(named(chat(chatroom_id=None)), "")
        self.assertEqual(named({"id": 9}), "")
        self.assertEqual(named([9]), "")

    def test_same_event_twice(self) -> None:
        """An event with an id of its own is the same whatever connection, prefix or bytes it has."""
        first = frame(PREFIX + "ChatMessageEvent", chat())
        second = frame("ChatMessageEvent", chat() | {"extra": 1})
        self.assertEqual(self.key(first), self.key(second))
        self.assertTrue(self.key(first)[1])

    def test_same_id_of_different_kinds(self) -> None:
        """Ids are shared by no two kinds of events."""
        keys = {
            self.key(frame(name, {"id": "same"}))
            for name in (
                "ChatMessageEvent",
                "MessageDeletedEvent",
                "UserBannedEvent",
                "UserUnbannedEvent",
                "ChatroomClearEvent",
            )
        }
        self.assertEqual(len(keys), 5)

    def test_ids_that_are_not_the_event_s(self) -> None:
        """Two changes of one room are two events, though both carry the room's id; so are two
        updates of something that no rule knows."""
        for name in ("ChatroomUpdatedEvent", "SomethingNew"):
            first = self.key(frame(name, {"id": 5, "slow_mode": True}))
            second = self.key(frame(name, {"id": 5, "slow_mode": False}))
            self.assertNotEqual(first, second)
            self.assertFalse(first[1])

    def test_without_an_id(self) -> None:
        """Events without an id are the same when their bytes are."""
        payload = {"chatroom_id": int(CHATROOM), "username": "Gold_Fan", "months": 3}
        first = self.key(frame("SubscriptionEvent", payload))
        self.assertEqual(first, self.key(frame("SubscriptionEvent", payload)))
        self.assertNotEqual(first, self.key(frame("SubscriptionEvent", payload | {"months": 4})))
        self.assertFalse(first[1])
        self.assertFalse(self.key(frame("PinnedMessageDeletedEvent", []))[1])

    def test_keys_are_small(self) -> None:
        """A key does not hold on to a long frame or a long id."""
        long = self.key(frame("ChatMessageEvent", chat(id="x" * 100_000)))
        self.assertLess(len(repr(long)), 200)
