"""What members say about themselves, and what is made of anything else."""

from __future__ import annotations

import contextlib
import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.cluster.line import LONGEST, Line, OtherProtocol, decoded
from chatlog.cluster.slots import ALL

SLOTS = {"twitch": ALL, "kick": 5}
LINE = Line("a", 100, "west", 2, True, frozenset({"kick"}), SLOTS, 7, "home", "http://a", "1", 9.5)

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


class LineTests(SynchronousTestCase):
    """The line of a member."""

    def test_round_trip(self) -> None:
        """What one member says is what the others read."""
        self.assertEqual(decoded("a", LINE.encoded()), LINE)

    def test_short(self) -> None:
        """A member with every slot of two platforms says so in less than 2,000 bytes."""
        line = Line("a", 1, recording={"twitch": ALL, "kick": ALL})
        self.assertLess(len(line.encoded()), 2000)

    def test_other_protocol(self) -> None:
        """A member that follows other rules is told apart from one that cannot be read."""
        entry = {**json.loads(LINE.encoded()), "protocol": 2}
        with self.assertRaises(OtherProtocol):
            decoded("a", json.dumps(entry))

    @given(st.sampled_from(sorted(json.loads(LINE.encoded()))), anything)
    def test_any_value(self, key: str, value: object) -> None:
        """A line with a strange value is read or refused with a ValueError, whatever it is."""
        with contextlib.suppress(ValueError):
            decoded("a", json.dumps({**json.loads(LINE.encoded()), key: value}))

    @given(st.text(max_size=50))
    def test_any_text(self, text: str) -> None:
        """So is any text."""
        with contextlib.suppress(ValueError):
            decoded("a", text)

    def test_bounds(self) -> None:
        """Lines that are too long or too deep are refused."""
        for text in ("1" * (LONGEST + 1), "[" * LONGEST):
            with self.assertRaises(ValueError):
                decoded("a", text)
