"""The Pusher protocol: frames in, events out, and what a client sends."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.kick import pusher
from chatlog.kick.pusher import Event, parse
from chatlog.rooms.closing import Closing
from tests.kick import CHANNEL, chat, frame, plain


def understood(data: bytes) -> Event:
    """The event in ``data``, which must be one."""
    event = parse(data)
    assert event is not None
    return event


class ParseTests(SynchronousTestCase):
    """Bytes of a frame to an event."""

    def test_payload_in_a_string(self) -> None:
        """The usual frame: a JSON document inside a string, slashes escaped, is decoded twice."""
        event = understood(frame("App\\Events\\ChatMessageEvent", chat()))
        self.assertEqual(event.name, "App\\Events\\ChatMessageEvent")
        self.assertEqual(event.channel, CHANNEL)
        self.assertEqual(event.data, chat())
        self.assertTrue(event.decoded)
        self.assertTrue(event.clean)
        self.assertIsNone(event.more)

    def test_other_payloads(self) -> None:
        """A payload may be an object, a list, a list in a string, a scalar, nothing, or no JSON."""
        for data, expected, decoded in (
            ({"code": 4001}, {"code": 4001}, True),
            ([1, 2], [1, 2], True),
            ("[]", [], True),
            ("{}", {}, True),
            ("null", None, True),
            ("17", 17, True),
            ('"text"', "text", True),
            (None, None, True),
            ("", "", True),
            (True, True, True),
            ("half a {", "half a {", False),
            ('{"a":1', '{"a":1', False),
            ('{"a":NaN}', {"a": None}, True),
            ('{"a":1e999}', {"a": None}, True),
            ('{"a":+1}', '{"a":+1}', False),
        ):
            event = understood(plain("Some", data))
            self.assertEqual((event.data, event.decoded), (expected, decoded), data)

    def test_no_data_and_no_channel(self) -> None:
        """A frame with a name alone is an event, of no channel."""
        event = understood(b'{"event":"Some"}')
        self.assertEqual(event, Event("Some", "", None))

    def test_not_a_frame(self) -> None:
        """What is no JSON object with an event's name is not understood, and nothing is raised."""
        for data in (
            b"",
            b"hello",
            b"\x00\xff\xfe",
            b"[]",
            b"null",
            b'"text"',
            b"{}",
            b'{"event":""}',
            b'{"event":7,"data":"{}"}',
            b'{"event":null}',
            b'{"data":"{}","channel":"x"}',
            b'{"event":"Some"',
            b'{"event":"Some"}{"event":"Other"}',
            '{"event":"Some"}'.encode("utf-16"),
        ):
            self.assertIsNone(parse(data), data)

    def test_json_bombs(self) -> None:
        """Nesting of any depth, outside or in the payload, neither raises nor ends the process."""
        for depth in (1500, 200_000):
            bomb = "[" * depth + "]" * depth
            self.assertIsNone(parse(b'{"event":"Some","data":' + bomb.encode() + b"}"))
            event = understood(plain("Some", bomb))
            self.assertEqual((event.data, event.decoded), (bomb, False))
            surrogate = '["\\ud800",' + "[" * depth + "]" * depth + "]"
            self.assertFalse(understood(plain("Some", surrogate)).decoded)

    def test_many_brackets(self) -> None:
        """Many that are no nesting are none, in texts and beside each other."""
        for text in ("[{" * 2000, '\\"[' * 2000):
            self.assertTrue(understood(plain("Some", f'["\\ud800","{text}"]')).decoded, text[:9])
        self.assertTrue(understood(plain("Some", '["\\ud800"' + ",[]" * 2000 + "]")).decoded)

    def test_size_limit(self) -> None:
        """A frame beyond the limit is not looked into; one of exactly the limit is."""
        head, tail = b'{"event":"Some","data":"', b'"}'
        fill = b"x" * (pusher.MAX_FRAME - len(head) - len(tail))
        self.assertIsNotNone(parse(head + fill + tail))
        self.assertIsNone(parse(head + fill + b"x" + tail))

    def test_integers_keep_their_digits(self) -> None:
        """Integers beyond 64 bits come through exactly, in a string payload and in an object."""
        for number in (2**63, 2**64 - 1, 2**64, 10**25, -(2**63) - 1, -(10**30), 9007199254740993):
            self.assertEqual(understood(frame("Some", {"id": number})).data, {"id": number})
            self.assertEqual(understood(plain("Some", {"id": number})).data, {"id": number})

    def test_endless_integer(self) -> None:
        """An integer of thousands of digits is no number; the rest is read all the same."""
        event = understood(plain("Some", '{"id":' + "9" * 5000 + ',"a":1}'))
        self.assertEqual((event.data, event.decoded, event.whole), ({"id": None, "a": 1}, True, False))

    def test_lone_surrogates(self) -> None:
        """Half of a surrogate pair is valid JSON and is kept, whichever layer escaped it."""
        inner = understood(plain("Some", '{"content":"a\\ud83d b"}'))
        self.assertEqual(inner.data, {"content": "a\ud83d b"})
        outer = understood(b'{"event":"Some","data":"{\\"content\\":\\"\\ud83d\\"}"}')
        self.assertEqual(outer.data, {"content": "\ud83d"})

    def test_escaped_and_raw_text_are_the_same(self) -> None:
        """Text arrives as UTF-8 or escaped with surrogate pairs; both give the same event."""
        raw = understood(plain("Some", '{"content":"ñ🔥"}'))
        escaped = understood(b'{"event":"Some","data":"{\\"content\\":\\"\\\\u00f1\\\\ud83d\\\\udd25\\"}"}')
        self.assertEqual(raw.data, {"content": "ñ🔥"})
        self.assertEqual(escaped.data, {"content": "ñ🔥"})

    def test_bytes_that_are_not_utf8(self) -> None:
        """A frame with bad bytes is still understood, with replacement characters, and marked."""
        event = understood(frame("Some", {"content": "??"}).replace(b"??", b"\xff\xc3"))
        self.assertEqual(event.data, {"content": "\ufffd\ufffd"})
        self.assertFalse(event.clean)

    def test_bad_bytes_and_long_numbers(self) -> None:
        """Bad bytes do not keep a long number from coming through exactly."""
        event = understood(frame("Some", {"content": "??", "id": 10**22}).replace(b"??", b"\xff\xff"))
        self.assertEqual(event.data["id"], 10**22)
        self.assertFalse(event.clean)

    def test_what_else_a_frame_has(self) -> None:
        """Keys besides event, channel and data are kept, and so is a channel that is no string."""
        event = understood(b'{"event":"Some","channel":"c","data":"{}","user_id":"9","n":[1]}')
        self.assertEqual(event.more, {"user_id": "9", "n": [1]})
        event = understood(b'{"event":"Some","user_id":"9","data":"{}"}')
        self.assertEqual(event.more, {"user_id": "9"})
        event = understood(b'{"event":"Some","channel":{"a":1},"data":"{}"}')
        self.assertEqual((event.channel, event.more), ("", {"channel": {"a": 1}}))
        event = understood(b'{"event":"Some","channel":5,"data":"{}","x":null}')
        self.assertEqual((event.channel, event.more), ("", {"channel": 5, "x": None}))

    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=400))
    def test_any_bytes(self, data: bytes) -> None:
        """No bytes at all make the parser raise."""
        parse(data)

    @settings(max_examples=200, deadline=None)
    @given(st.integers(0, 600), st.integers(0, 255))
    def test_any_damage(self, place: int, byte: int) -> None:
        """A frame with one byte changed or its end missing never makes the parser raise."""
        whole = bytearray(frame("App\\Events\\ChatMessageEvent", chat()))
        place %= len(whole)
        parse(bytes(whole[:place]))
        whole[place] = byte
        parse(bytes(whole))

    @settings(max_examples=200, deadline=None)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
            max_leaves=12,
        ).filter(lambda value: "inf" not in repr(value))
    )
    def test_any_payload(self, payload: Any) -> None:
        """Whatever JSON is published arrives as the same value."""
        event = understood(frame("Some", payload))
        self.assertEqual(event.data, payload)
        self.assertTrue(event.decoded)


class SendingTests(SynchronousTestCase):
    """What a client sends."""

    def test_frames(self) -> None:
        """Subscribing, giving up, ping and pong have the form that the protocol's page gives."""
        self.assertEqual(
            json.loads(pusher.subscribe("chatrooms.1.v2")),
            {"event": "pusher:subscribe", "data": {"auth": "", "channel": "chatrooms.1.v2"}},
        )
        self.assertEqual(
            json.loads(pusher.unsubscribe("chatrooms.1.v2")),
            {"event": "pusher:unsubscribe", "data": {"channel": "chatrooms.1.v2"}},
        )
        self.assertEqual(json.loads(pusher.PING), {"event": "pusher:ping", "data": {}})
        self.assertEqual(json.loads(pusher.PONG), {"event": "pusher:pong", "data": {}})


class ProtocolEventTests(SynchronousTestCase):
    """What the protocol's own events say."""

    def test_activity_timeout(self) -> None:
        """The server's seconds of silence, or the protocol's 120 where it says nothing sensible."""
        for data, expected in (
            ('{"socket_id":"1.2","activity_timeout":45}', 45.0),
            ({"activity_timeout": 30}, 30.0),
            ('{"activity_timeout":7.5}', 7.5),
            ('{"socket_id":"1.2"}', 120.0),
            ('{"activity_timeout":0}', 120.0),
            ('{"activity_timeout":-3}', 120.0),
            ('{"activity_timeout":"45"}', 120.0),
            ('{"activity_timeout":true}', 120.0),
            ('{"activity_timeout":1e9}', 120.0),
            ("[]", 120.0),
            (None, 120.0),
        ):
            event = understood(plain(pusher.ESTABLISHED, data, None))
            self.assertEqual(pusher.activity_timeout(event), expected, data)

    def test_error(self) -> None:
        """An error's code and text, with no code where it is null, missing or no number."""
        for data, expected in (
            ({"code": 4001, "message": "No app"}, (4001, "No app")),
            ('{"code":4100,"message":"Full"}', (4100, "Full")),
            ({"code": None, "message": "Never mind"}, (None, "Never mind")),
            ({"code": "4001", "message": "Text"}, (None, "Text")),
            ({"code": True, "message": "Text"}, (None, "Text")),
            ({"code": 4009}, (4009, "{'code': 4009}")),
            ("plain words", (None, "plain words")),
            (None, (None, "")),
        ):
            self.assertEqual(pusher.error(understood(plain(pusher.ERROR, data, None))), expected, data)

    def test_already_subscribed(self) -> None:
        """The error about an existing subscription names the channel; nothing else does."""
        text = "Existing subscription to channel chatrooms.7070701.v2"
        self.assertEqual(pusher.already_subscribed(text), "chatrooms.7070701.v2")
        self.assertEqual(pusher.already_subscribed("Existing subscription to channel "), "")
        self.assertEqual(pusher.already_subscribed("Existing subscription to channel a b"), "")
        self.assertEqual(pusher.already_subscribed("No such thing"), "")

    def test_refusal(self) -> None:
        """A refused subscription gives the server's words in one line."""
        data = '{"type":"AuthError","error":"no\\nway","status":401}'
        event = understood(plain("pusher_internal:subscription_error", data))
        self.assertEqual(pusher.refusal(event), "AuthError no\\nway 401")
        event = understood(plain("pusher:subscription_error", "[]"))
        self.assertEqual(pusher.refusal(event), "[]")

    def test_readable(self) -> None:
        """Text of a server cannot break out of a line of the log or fill it."""
        self.assertEqual(pusher.readable("a\r\n\x1b[31mb\u2028c"), "a\\r\\n\\x1b[31mb\\u2028c")
        self.assertLess(len(pusher.readable("x" * 5000)), 250)
        self.assertEqual(pusher.readable(None), "")
        self.assertEqual(pusher.readable({"a": "\n"}), "{'a': '\\n'}")

    def test_brackets_and_quotes(self) -> None:
        """A frame that is made to take long to find out how deep it is does not: each byte is looked at once.
        Brackets within strings do not count."""
        quote, escape = b'"', b"\\"
        for hostile in (quote + (escape + quote) * 300_000, (quote + escape) * 300_000, quote * 600_000):
            self.assertIsNone(parse(b"[" * 1001 + hostile))
        text = json.dumps({"event": "x", "data": "\ud800" + '[{"' * 1000})
        self.assertEqual(understood(text.encode()).name, "x")

    def test_deep_protocol_events(self) -> None:
        """Payloads nested as deep as can be read do not make the protocol's own events raise."""
        for name in (pusher.ERROR, "pusher:subscription_error"):
            event = understood(plain(name, "[" * 1000 + "]" * 1000))
            self.assertEqual(pusher.error(event)[0], None)
            self.assertLess(len(pusher.refusal(event)), 250)


class ClosingTests(SynchronousTestCase):
    """Close codes and what they ask for."""

    def test_classes(self) -> None:
        """Each hundred of codes has its own consequence; plain WebSocket codes mean backing off."""
        for codes, expected in (
            ((4000, 4001, 4009, 4099), Closing.REFUSED),
            ((4100, 4199, 4300, 4301, 4999), Closing.LATER),
            ((4200, 4201, 4202, 4299), Closing.AT_ONCE),
            ((1000, 1001, 1006, 1011, 3000, 0, -1, None), Closing.BACK_OFF),
        ):
            for code in codes:
                self.assertIs(pusher.closing(code), expected, code)
