"""Kick's events to records."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.counters import Counters
from chatlog.kick.events import EventRecords
from chatlog.kick.pusher import parse
from chatlog.kick.times import time_of
from chatlog.record import Encode, encode_full
from tests.kick import CHATROOM, chat, frame, sender

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
            user_id="5150",
        )  # fmt: skip

    def test_deeper_names(self) -> None:
        """The last part of a name decides its kind; the details keep the name but for the prefix."""
        found = record(frame(PREFIX + "Chat\\ChatroomClearEvent", {"id": "c"}))
        self.assertEqual((found["type"], found["details"]["event"]), ("clear", "Chat\\ChatroomClearEvent"))
        found = record(frame("Other\\PollUpdateEvent", {}))
        self.assertEqual((found["type"], found["details"]["event"]), ("poll", "Other\\PollUpdateEvent"))


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

    @settings(max_examples=150, deadline=None)
    @given(st.text(max_size=45) | st.integers() | st.floats())
    def test_anything(self, value: object) -> None:
        """No value makes it raise."""
        time_of(value)


class PublicKindsTests(SynchronousTestCase):
    """The events that are public by now, each with the id and the time that are its own, and no others."""

    def test_goal(self) -> None:
        """Updates of a goal carry the goal's id and when it was set up: neither is the event's. When it was
        updated is, to the nanosecond."""
        goal = {
            "id": "chgoal_01K0EXAMPLE",
            "channel_id": "channel_01JEXAMPLE",
            "type": "followers",
            "target_value": 100000,
            "current_value": 87106,
            "status": "active",
            "created_at": "2025-09-17T18:21:12.158724Z",
            "updated_at": "2026-02-03T04:05:06.670407152Z",
            "achieved_at": None,
        }
        for name in ("GoalProgressUpdateEvent", "GoalUpdatedEvent", "GoalCanceledEvent", "GoalAchievedEvent"):
            found = record(frame(name, goal))
            self.assertEqual(
                (found["type"], found["id"], found["timestamp"]), ("event", "", "2026-02-03T04:05:06.670Z")
            )
            self.assertEqual(found["details"], {**goal, "event": name})
        achieved = record(frame("GoalAchievedEvent", goal | {"achieved_at": "2026-02-03T04:05:06.1Z"}))
        self.assertEqual(achieved["timestamp"], "2026-02-03T04:05:06.100Z")
        created = record(frame("GoalCreatedEvent", goal))
        self.assertEqual((created["id"], created["timestamp"]), ("", "2026-02-03T04:05:06.670Z"))
        del goal["updated_at"]
        created = record(frame("GoalCreatedEvent", goal | {"created_at": "2026-02-03T04:05:05Z"}))
        self.assertEqual((created["id"], created["timestamp"]), ("", "2026-02-03T04:05:05.000Z"))
        self.assertEqual(record(frame("GoalProgressUpdateEvent", goal))["timestamp"], RECEIVED)

    def test_objects_with_ids_and_times(self) -> None:
        """What an event is about has an id and a time as well: a prediction, a livestream, a room, a pin, a
        poll, a reward. They are in the details only."""
        old = {"id": "object-1", "created_at": "2025-01-02T03:04:05Z"}
        for name, payload in (
            ("PredictionUpdated", {"prediction": old}),
            ("PredictionDeleted", {"prediction": old}),
            ("StreamerIsLive", {"livestream": old | {"session_title": "hi"}}),
            ("StopStreamBroadcast", {"livestream": old}),
            ("LivestreamUpdated", {"livestream": old}),
            ("ChatroomUpdatedEvent", old),
            ("ChatSettingsChanged", old),
            ("PinnedMessageCreatedEvent", old | {"message": chat(created_at="2025-01-02T03:04:05Z")}),
            ("PollUpdateEvent", old | {"poll": old}),
            ("RewardRedeemedEvent", old),
            ("SubscriptionEvent", old),
            ("ChannelSubscriptionEvent", old),
            ("GiftedSubscriptionsEvent", old | {"correlation_id": "pi_1"}),
            ("LuckyUsersWhoGotGiftSubscriptionsEvent", {"channel": old}),
            ("GiftsLeaderboardUpdated", {"channel": old}),
            ("KicksLeaderboardUpdated", old),
            ("ChatMoveToSupportedChannelEvent", {"channel": {"current_livestream": old}}),
            ("SomethingNew", old),
        ):
            found = record(frame(name, payload))
            self.assertEqual((found["id"], found["timestamp"]), ("", RECEIVED), name)

    def test_times_of_long_ago(self) -> None:
        """A number that is a time before the year 1000 is no trouble, and not the event's."""
        for name in ("ChatroomUpdatedEvent", "SubscriptionEvent", "GoalUpdatedEvent", "SomethingNew"):
            payload = {"created_at": -30610224001, "updated_at": -30610224001}
            self.assertEqual(record(frame(name, payload))["timestamp"], RECEIVED, name)

    def test_update_times(self) -> None:
        """When an object was updated is the time of the event that tells it."""
        now = {"created_at": "2025-01-02T03:04:05Z", "updated_at": "2026-02-03T05:05:06.25+01:00"}
        for name, payload in (
            ("PredictionUpdated", {"prediction": now}),
            ("LivestreamUpdated", {"livestream": now}),
            ("ChatroomUpdatedEvent", now),
            ("GoalUpdatedEvent", now),
            ("SomethingNew", now),
        ):
            self.assertEqual(record(frame(name, payload))["timestamp"], "2026-02-03T04:05:06.250Z", name)

    def test_who(self) -> None:
        """About whom the rarer events are."""
        for name, payload, username, user_id, message in (
            (
                "ChatMessageSentEvent",
                {
                    "message": {"id": "m-1", "message": None, "optional_message": "10 months!"},
                    "user": {"id": 30, "username": "Gold_Fan"},
                },
                "gold_fan",
                "30",
                "10 months!",
            ),
            (
                "GiftsLeaderboardUpdated",
                {"gifter_id": 9, "gifter_username": "Rich_Uncle", "gifted_quantity": 5},
                "rich_uncle",
                "9",
                "",
            ),
            (
                "ChatMoveToSupportedChannelEvent",
                {"slug": "next", "hosted": {"id": 5, "username": "Next", "slug": "next-one"}},
                "next-one",
                "",
                "",
            ),
            ("FollowersUpdated", {"username": "New_Friend", "followed": True}, "new_friend", "", ""),
            ("NewActivityFeedEvent", {"type": "new_subscriber", "username": "Gold_Fan"}, "gold_fan", "", ""),
            ("SubscriptionEvent", {"username": "Gold_Fan", "custom_message": "yes"}, "gold_fan", "", "yes"),
        ):
            found = record(frame(name, payload))
            self.assertEqual(
                (found["username"], found["user_id"], found["message"]), (username, user_id, message), name
            )

    def test_known(self) -> None:
        """None of the public events counts as unknown, with its prefix or without."""
        counters = Counters()
        names = (
            "ChatMessageEvent MessageDeletedEvent UserBannedEvent UserUnbannedEvent ChatroomClearEvent "
            "ChatroomUpdatedEvent ChatSettingsChanged SubscriptionEvent ChannelSubscriptionEvent "
            "GiftedSubscriptionsEvent LuckyUsersWhoGotGiftSubscriptionsEvent KicksGifted StreamHostEvent "
            "StreamHostedEvent RewardRedeemedEvent PinnedMessageCreatedEvent PinnedMessageDeletedEvent "
            "PollUpdateEvent PollDeleteEvent GoalCreatedEvent GoalUpdatedEvent GoalProgressUpdateEvent "
            "GoalAchievedEvent GoalCanceledEvent PredictionCreated PredictionUpdated PredictionDeleted "
            "StreamerIsLive StopStreamBroadcast LivestreamUpdated UpdatedLiveStreamEvent StartStream "
            "ChatMoveToSupportedChannelEvent FollowersUpdated FollowersUpdatedForChannelOwner "
            "NewActivityFeedEvent NewSubscriberUpdatedEvent GiftsLeaderboardUpdated KicksLeaderboardUpdated "
            "PointsUpdated VideoPrivatedEvent ChannelBannedForceRefresh ChatMessageSentEvent "
            "ChatMessageDeletedEvent"
        )
        for name in names.split():
            for prefix in (PREFIX, ""):
                payloads: tuple[Any, ...] = ({}, {"id": 1}, [])
                for payload in payloads:
                    record_line(frame(prefix + name, payload), counters=counters)
        self.assertEqual(counters.unknown, {})


class BelievedTimesTests(SynchronousTestCase):
    """Times that can be none of an event's."""

    def test_absurd(self) -> None:
        """A time before there was Kick, or more than a year ahead, is not taken: the time of arrival is."""
        for value in (
            0, -1, 1, -62135596800, "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "2015-02-03T04:05:06Z",
            "2022-11-30T23:59:59Z", "2027-02-03T04:05:08Z", "2099-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
            17700915060, 10**18 * 5,
        ):  # fmt: skip
            found = record(frame("ChatMessageEvent", chat(created_at=value)))
            self.assertEqual(found["timestamp"], RECEIVED, value)
            self.assertEqual(found["details"]["created_at"], value)

    def test_believed(self) -> None:
        """A time that is merely old, or a little ahead, is the platform's word; in whatever unit."""
        for value, expected in (
            ("2023-01-02T03:04:05Z", "2023-01-02T03:04:05.000Z"),
            ("2026-12-31T23:59:59Z", "2026-12-31T23:59:59.000Z"),
            ("2027-02-03T04:05:07Z", "2027-02-03T04:05:07.000Z"),
            (1770091506123, "2026-02-03T04:05:06.123Z"),
            (1770091506123456, "2026-02-03T04:05:06.123Z"),
            (1770091506123456789, "2026-02-03T04:05:06.123Z"),
        ):
            found = record(frame("ChatMessageEvent", chat(created_at=value)))
            self.assertEqual(found["timestamp"], expected, value)

    def test_a_machine_without_a_clock(self) -> None:
        """Where our own clock has lost the year, the platform's word counts."""
        data = frame("ChatMessageEvent", chat())
        event = parse(data)
        assert event is not None
        line = EventRecords(encode_full, Counters()).line(event, data, "r", "1", "1970-01-01T00:00:09.000Z")
        self.assertEqual(json.loads(line)["timestamp"], "2026-02-03T04:05:06.000Z")
