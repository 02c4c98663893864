"""Reading and writing the JSON of records."""

from __future__ import annotations

import base64
import json
import math
from datetime import datetime
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.record import (
    TooDeep,
    encode_full,
    from_json,
    from_json_closely,
    from_json_exactly,
    from_json_loosely,
    has_half,
    rfc3339,
    to_line,
    to_line_exactly,
)

#: Anything that JSON can hold, halves of surrogate pairs included.
TEXTS = st.text(st.characters(exclude_categories=()), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


class TimeTests(SynchronousTestCase):
    def test_years(self) -> None:
        """Every year has four digits, so that times can be read again, and sort as text."""
        for milliseconds, text in (
            (-62135596800000, "0001-01-01T00:00:00.000Z"),
            (-30610224000001, "0999-12-31T23:59:59.999Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (1767004245123, "2025-12-29T10:30:45.123Z"),
            (253402300799999, "9999-12-31T23:59:59.999Z"),
        ):
            self.assertEqual(rfc3339(milliseconds), text)
            self.assertEqual(round(datetime.fromisoformat(text).timestamp() * 1000), milliseconds)


class CodecTests(SynchronousTestCase):
    """One way in and one way out."""

    @settings(max_examples=200, deadline=None)
    @given(VALUES)
    def test_there_and_back(self, value: Any) -> None:
        """What was written is read as it was, on one line, whatever it is."""
        line = to_line_exactly(value)
        self.assertEqual(line.count(b"\n"), 1)
        self.assertEqual(from_json_exactly(line), value)
        self.assertFalse(from_json_closely(line)[1])

    @settings(max_examples=200, deadline=None)
    @given(VALUES)
    def test_every_reader_takes_it(self, value: Any) -> None:
        """What the archive has is one line of UTF-8 without half of a surrogate pair, escaped or not,
        whatever a server sent; and it is written the same again."""
        line = to_line(value)
        self.assertEqual(line.count(b"\n"), 1)
        self.assertFalse(has_half(from_json_exactly(line.decode("utf-8"))))
        self.assertEqual(to_line(from_json_exactly(line)), line)
        if not has_half(value):
            self.assertEqual(from_json_exactly(line), value)

    def test_the_raw_form_is_kept(self) -> None:
        """A record with half of a surrogate pair, in whatever text, has U+FFFD there, and the whole record
        with the half in ``raw_base64``, unless what came is there already."""
        time = "2025-12-29T10:30:45.123Z"
        for message, details in (("a\ud83d", {}), ("a", {"x": [{"y": "\udc00"}]}), ("a", {"\ud83d": 1})):
            fields = (time, "c", "ann", "1", message, "message", "i", "kick", "4", time)
            found = orjson.loads(encode_full(*fields, details))
            raw = found["details"].pop("raw_base64")
            exact = from_json(base64.b64decode(raw))
            self.assertEqual((exact["message"], exact["details"]), (message, details))
            self.assertEqual(found["message"], message.replace("\ud83d", "\ufffd"))
            found = orjson.loads(encode_full(*fields, {**details, "raw_base64": "eA=="}))
            self.assertEqual(found["details"]["raw_base64"], "eA==")
        self.assertNotIn(b"raw_base64", encode_full(*fields, {"n": 2**70, "smile": "\U0001f600"}))

    def test_halves_and_long_numbers(self) -> None:
        """Half of a surrogate pair is read, and U+FFFD is written in its place; halves that belong together
        are one character; an integer of any length is, where all digits are asked for."""
        self.assertEqual(from_json(b'{"a":"\\ud83d"}'), {"a": "\ud83d"})
        self.assertEqual(
            from_json_exactly(b"[123456789012345678901234567890]"), [123456789012345678901234567890]
        )
        self.assertEqual(to_line(["\ud83d", 2**70]), '["\ufffd",1180591620717411303424]\n'.encode())
        self.assertEqual(to_line(["\ud83d" + "\ude00"]), '["\U0001f600"]\n'.encode())
        self.assertEqual(to_line_exactly(["\ud83d", 2**70]), b'["\\ud83d",1180591620717411303424]\n')

    def test_refused(self) -> None:
        """What is no JSON is a ValueError, however the standard library would have it."""
        for text in (
            "", "{", "[1,]", "NaN", "[Infinity]", "-Infinity", "1e999", "'a'", "{1:2}", "01", "\ufeff{}",
            "9" * 5000, '["\\ud83d",NaN]', '{"a":1}{"b":2}', "[" * 5000,
        ):  # fmt: skip
            self.assertRaises(ValueError, from_json, text)
            self.assertRaises(ValueError, from_json, text.encode())
        self.assertRaises(UnicodeDecodeError, from_json, b'"\xff"')
        self.assertRaises(TooDeep, from_json, "[" * 5000 + "]" * 5000)

    def test_what_does_not_come_back(self) -> None:
        """A key that came twice at any depth, and a number that is not written as it came, are noticed;
        another way to write the same text or the same spaces is not."""
        for text in (
            '{"a":1,"a":1}', '{"a":{"b":[{"c":1,"d":2,"c":3}]}}', '{"a":1,"\\u0061":2}', "[1.10]", "[1e5]",
            "[1E16]", "[-0]", "[0.1000000000000000055511151231257827]", "[9007199254740993.0]", "[1e-400]",
        ):  # fmt: skip
            self.assertTrue(from_json_closely(text)[1], text)
        for text in (
            '{"a":1,"b":{"a":1}}', "[1.5, -0.0, 1e+16, 1e-7, 1e-07, 9007199254740993, 123456789012345678901]",
            ' { "a\\/b" : "\\u00e4" } ', '"{\\"a\\":1,\\"a\\":2}"',
        ):  # fmt: skip
            self.assertFalse(from_json_closely(text)[1], text)

    def test_what_json_has_no_room_for(self) -> None:
        """A number beyond all that can be written again, and a control character in a string, are noticed and
        do not spoil the rest; what is no JSON otherwise is a ValueError."""
        for text, value in (
            ('{"a":1e400,"b":[2]}', {"a": None, "b": [2]}),
            ('[NaN,Infinity,-Infinity,-1E999,"NaN"]', [None, None, None, None, "NaN"]),
            (f"[{'9' * 5000},-{'9' * 5000},1]", [None, None, 1]),
            ('{"a":"one\ntwo\x00","b":"\\ud83d"}', {"a": "one\ntwo\x00", "b": "\ud83d"}),
        ):
            self.assertEqual(from_json_closely(text), (value, True), text)
            self.assertEqual(from_json_loosely(text.encode()), value)
        for text in ("", "{", "[1,]", "[nan]", "[+1]", "[01]", '["a', '["a\n', '{"a":NaN', "[NaN]]"):
            self.assertRaises(ValueError, from_json_closely, text)
            self.assertRaises(ValueError, from_json_loosely, text)
        self.assertRaises(UnicodeDecodeError, from_json_loosely, b'"\xff"')

    @settings(max_examples=200, deadline=None)
    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_numbers_of_programs(self, value: float) -> None:
        """A number in its shortest form, as programs write it, comes back."""
        self.assertFalse(from_json_closely(json.dumps([value]))[1])
        self.assertTrue(math.isclose(from_json(json.dumps(value)), value, rel_tol=0.0, abs_tol=0.0))
