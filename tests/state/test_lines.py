"""The format of the state: a line is whole, or it does not count."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.state.lines import VERSION, decode, encode, first_line, version_of

NUMBERS = st.one_of(st.integers(-(1 << 53), 1 << 53), st.floats(allow_nan=False, allow_infinity=False))
#: Halves of surrogate pairs too: a server's words may hold anything.
TEXTS = st.text(st.characters(exclude_categories=()))
ENTRIES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=20,
)


class LineTests(SynchronousTestCase):
    @settings(max_examples=200, deadline=None)
    @given(st.integers(0, 1 << 40), ENTRIES)
    def test_what_was_written_is_read(self, number: int, entry: Any) -> None:
        """Whatever JSON can hold comes back, in one line."""
        line = encode(number, entry)
        self.assertEqual((line.count(b"\n"), line[-1:]), (1, b"\n"))
        self.assertEqual(decode(line[:-1]), (number, entry))

    @settings(max_examples=200, deadline=None)
    @given(ENTRIES, st.data())
    def test_damage_is_seen(self, entry: Any, data: st.DataObject) -> None:
        """A line of which a byte is another, or that was cut off, is none."""
        line = encode(7, entry)[:-1]
        at = data.draw(st.integers(0, len(line) - 1))
        other = data.draw(st.integers(0, 255).filter(lambda byte: byte != line[at]))
        self.assertIsNone(decode(line[:at] + bytes([other]) + line[at + 1 :]))
        self.assertIsNone(decode(line[:at]))

    @given(st.binary(max_size=100))
    def test_anything(self, data: bytes) -> None:
        """Anything else is no line, and no reason to fail."""
        self.assertIsNone(decode(data))
        self.assertEqual(version_of(data), 0)

    def test_version(self) -> None:
        """The first line names the file and states the version; what is none, or odd, states none."""
        self.assertEqual(decode(first_line("held")[:-1]), (0, {"state": "held", "version": VERSION}))
        self.assertEqual(version_of(first_line("held")[:-1]), VERSION)
        odds: tuple[object, ...] = ([], 5, {}, {"version": "9"}, {"version": None})
        for odd in odds:
            self.assertEqual(version_of(encode(0, odd)[:-1]), 0)
