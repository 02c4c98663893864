"""Nothing that Kick sends is missing from a record, and no event is taken for another."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.counters import Counters
from chatlog.kick.events import OWN_DETAILS, EventRecords, chatroom_of, duplicate_key
from chatlog.kick.pusher import parse
from chatlog.record import encode_basic, encode_full
from tests.kick import CHATROOM, chat, frame, plain
from tests.kick.test_events import PREFIX, RECEIVED, record, record_line

#: Numbers that are written again as they come, and others.
COME_BACK = ("0", "-1", "1.5", "-0.0", "9007199254740993", "123456789012345678901234567890", "1e+16")
OTHERS = ("-0", "1.10", "1e5", "1E16", "0.1000000000000000055511151231257827", "12345678901234567.8")


@st.composite
def json_texts(draw: st.DrawFn) -> str:
    """An object as text, with spaces or without, keys that may come twice and numbers of every form."""
    space = draw(st.sampled_from(["", "", " ", "\n\t"]))

    def value(depth: int) -> str:
        kind = draw(
            st.sampled_from(["number", "text", "list", "object"] if depth < 3 else ["number", "text"])
        )
        if kind == "number":
            return str(draw(st.sampled_from(COME_BACK + COME_BACK + OTHERS)))
        if kind == "text":
            return json.dumps(draw(st.text(max_size=4)), ensure_ascii=draw(st.booleans()))
        if kind == "list":
            return (
                f"[{space}" + f",{space}".join(value(depth + 1) for _ in range(draw(st.integers(0, 2)))) + "]"
            )
        return an_object(depth + 1)

    def an_object(depth: int) -> str:
        keys = draw(st.lists(st.sampled_from(["a", "b", "c", "d/e", "id"]), max_size=4))
        return (
            "{"
            + f",{space}".join(f"{json.dumps(key)}{space}:{space}{value(depth)}" for key in keys)
            + space
            + "}"
        )

    return an_object(0)


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
        self.assertEqual(found["message"], "a\ufffd")
        self.assertEqual(found["details"]["content"], "a\ufffd")
        self.assertEqual(base64.b64decode(found["details"]["raw_base64"]), data)
        self.assertEqual(found["details"]["n"], 123456789012345678901234567890)

    def test_half_a_character_in_any_dress(self) -> None:
        """However the half was escaped, and in whatever part of the frame it is, the record is UTF-8 that
        every reader takes, with the frame beside it; of a whole character nothing is kept twice."""
        for data in (
            plain("ChatMessageEvent", '{"content":"a\\uD83d b"}'),
            plain("ChatMessageEvent", '{"content":"x","sender":{"identity":{"badges":["\\udc00"]}}}'),
            b'{"event":"SomethingNew","data":"{\\"a\\":\\"\\u005cudfff\\"}"}',
            b'{"event":"SomethingNew","data":"{\\"\\ud83d\\":1}"}',
            b'{"event":"SomethingNew","data":{"raw":"\\ud83d"}}',
            b'{"event":"SomethingNew","data":{"a":1},"more":"\\ud83d"}',
        ):
            line = record_line(data)
            self.assertEqual(base64.b64decode(orjson.loads(line)["details"]["raw_base64"]), data)
            self.assertNotIn(b"\\ud", line.lower().replace(b"\\\\", b""))
        found = record(plain("ChatMessageEvent", '{"content":"\\ud83d\\ude00 \ufffd"}'))
        self.assertEqual(found["message"], "\U0001f600 \ufffd")
        self.assertNotIn("raw_base64", found["details"])

    def test_json_that_says_more(self) -> None:
        """Where the JSON says more than its meaning, a key twice or a number that is not written again as it
        came, at whatever depth and in whichever layer, the frame is kept as text beside it."""
        for data in (
            '{"id":"a","id":"b","content":"x"}',
            '{"content":"x","sender":{"identity":{"badges":[{"type":1,"text":2,"type":3}]}}}',
            '{"content":"x","\\u0063ontent":"y"}',
            '{"content":"x","n":1.10}',
            '{"content":"x","n":[{"m":12345678901234567.8}]}',
            '{"content":"x","n":1e5,"s":"https:\\/\\/example.net"}',
            '{"content":"x","n":-0}',
            '{"content":"x","n":0.1000000000000000055511151231257827}',
            '{"content":"x","a":1,"b":1e9,"a":12345678}',
        ):
            whole = plain("ChatMessageEvent", data)
            found = record(whole)
            self.assertEqual(found["details"]["raw"].encode(), whole)
            self.assertEqual(found["type"], "message")
            self.assertEqual(found["details"]["event"], "ChatMessageEvent")
        for whole in (
            b'{"event":"SomethingNew","channel":"c","data":"{}","data":"{\\"a\\":1}"}',
            b'{"event":"SomethingNew","data":"{\\"a\\":1}","channel":"c", "data":"{\\"a\\":1}"}',
            b'{"event":"SomethingNew","channel":"c","data":{"a":1,"a":1}}',
            b'{"event":"SomethingNew","channel":"c","data":{"a":1},"more":{"x":1.50}}',
        ):
            found = record(whole)
            self.assertEqual((found["details"]["raw"].encode(), found["details"]["a"]), (whole, 1))

    def test_json_in_another_dress(self) -> None:
        """Spaces, escapes, another order and numbers of any length lose nothing: the
        frame is not kept twice. Neither is JSON in a text looked into."""
        for data in (
            ' { "content" : "x" , "n" : [ 1.5 , -0.0 , 1 ] } ',
            '{"content":"\\u00e4\\/\\ud83d\\ude00","n":123456789012345678901234567890}',
            '{"content":"x","metadata":"{\\"a\\":1,\\"a\\":1.10}"}',
            '{"content":"x","n":9007199254740993}',
            '{"content":"a:1e5,\\"b\\":1.10"}',
        ):
            self.assertNotIn("raw", record(plain("ChatMessageEvent", data))["details"], data)
        found = record(b'\xef\xbb\xbf{ "channel":"c", "data": {"a":1}, "event":"SomethingNew" }')
        self.assertEqual(found["details"], {"a": 1, "event": "SomethingNew"})

    def test_payload_with_keys_of_ours(self) -> None:
        """A payload with any key that ours has is whole under ``payload``, so that nobody takes one for the
        other."""
        for key in ("event", "payload", "frame", "raw", "raw_base64"):
            payload = {key: 5, "user": {"username": "Somebody"}}
            found = record(frame("SomethingNew", payload))
            self.assertEqual(found["details"], {"payload": payload, "event": "SomethingNew"})
            self.assertEqual(found["username"], "somebody")
        whole = plain("SomethingNew", '{"raw":1,"raw":2}')
        details = {"payload": {"raw": 2}, "event": "SomethingNew", "raw": whole.decode()}
        self.assertEqual(record(whole)["details"], details)

    def test_numbers_beyond_all(self) -> None:
        """A number that no record can hold, and a control character where none belongs, cost nobody the
        message: the rest is read, the number is null, and the frame is kept as it came."""
        for number in ("NaN", "Infinity", "-Infinity", "1e400", "-1e999", "9" * 5000):
            text = f'{{"n":[{number}],"content":"hello","sender":{{"slug":"somebody"}}}}'
            for whole in (
                plain("ChatMessageEvent", text),
                b'{"event":"ChatMessageEvent","channel":"c","data":%b}' % text.encode(),
            ):
                counters = Counters()
                found = json.loads(record_line(whole, counters=counters))
                self.assertEqual(
                    (found["type"], found["username"], found["message"]), ("message", "somebody", "hello")
                )
                self.assertEqual((found["details"]["n"], found["details"]["raw"]), ([None], whole.decode()))
                self.assertEqual(counters.unparsed, 0)
        whole = plain("ChatMessageEvent", '{"content":"one\ntwo","sender":{"slug":"somebody"}}')
        found = record(whole)
        self.assertEqual((found["message"], found["details"]["raw"]), ("one\ntwo", whole.decode()))
        beside = record(b'{"event":"SomethingNew","channel":"c","data":"{\\"a\\":1}","time":Infinity}')
        self.assertEqual((beside["details"]["a"], beside["details"]["frame"]), (1, {"time": None}))

    def test_numbers_that_are_none(self) -> None:
        """What nobody takes for a number makes the payload no JSON: it is kept as the text it is."""
        for number in ("01", "+1", "1.", "nan", "0x1"):
            text = f'{{"n":{number}}}'
            found = record(plain("SomethingNew", text))
            self.assertEqual(found["details"], {"payload": text, "event": "SomethingNew"})
            whole = plain("ChatMessageEvent", text)
            self.assertEqual(record(whole)["details"], {"raw": whole.decode()})

    def test_deep_payload(self) -> None:
        """A payload nested deeper than can be written again is kept as the raw frame; how deep that is
        depends on the version of Python."""
        for depth in (100, 300, 1000):
            data = frame("SomethingNew", {"a": 1}).replace(b"1}", b"[" * depth + b"]" * depth + b"}")
            found = record(data)
            if found["type"] == "unparsed":
                self.assertEqual(found["details"]["raw"].encode(), data)
            else:
                self.assertEqual(found["type"], "event")
                self.assertEqual(json.dumps(found["details"]["a"]), "[" * depth + "]" * depth)

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
                "GoalProgressUpdateEvent", "GoalCreatedEvent", "PredictionUpdated", "LivestreamUpdated",
                "ChatMoveToSupportedChannelEvent", "ChatMessageSentEvent", "FollowersUpdated",
            ]
        ),
        st.dictionaries(
            st.sampled_from(
                [
                    "id", "sender", "user", "message", "content", "created_at", "username", "slug",
                    "poll", "title", "gifter", "gifter_username", "permanent", "expires_at", "event",
                    "payload", "frame", "raw", "raw_base64", "updated_at", "livestream", "prediction",
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
        self.assertEqual(details if OWN_DETAILS.isdisjoint(payload) else details["payload"], payload)

    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(json_texts())
    def test_any_json(self, text: str) -> None:
        """However it is written, the frame is kept beside the record exactly where reading its payload once
        more, key by key and number by number, finds more than the record tells."""
        whole = plain("SomethingNew", text)
        details = record(whole)["details"]
        seen: list[object] = []

        def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
            if len({key for key, _ in found}) < len(found):
                seen.append(found)
            return dict(found)

        def number(token: str) -> float:
            if token not in COME_BACK:
                seen.append(token)
            return float(token)

        json.loads(text, object_pairs_hook=pairs, parse_float=number, parse_int=number)
        self.assertEqual("raw" in details, bool(seen), seen)
        if seen:
            self.assertEqual(details["raw"].encode(), whole)


class IdentityTests(SynchronousTestCase):
    """Which room and which event a frame is."""

    def key(self, data: bytes) -> tuple[object, bool]:
        """The duplicate key of the frame ``data``."""
        event = parse(data)
        assert event is not None
        return duplicate_key(event, data)

    def test_chatroom(self) -> None:
        """The chatroom that a payload names, whatever way, if it names one."""

        def named(payload: Mapping[str, Any] | list[int]) -> str:
            event = parse(frame("ChatMessageEvent", payload))
            assert event is not None
            return chatroom_of(event)

        self.assertEqual(named(chat()), CHATROOM)
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
