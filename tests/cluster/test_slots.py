"""Slots and sets of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.cluster.slots import ALL, SLOTS, decode, each, encode, slot_of, slot_set

sets = st.sets(st.integers(0, SLOTS - 1))


class SlotTests(SynchronousTestCase):
    """A room has its slot for ever."""

    def test_never_moves(self) -> None:
        """These are written down, for members of different versions must agree about them."""
        self.assertEqual([slot_of("twitch", "forsen"), slot_of("kick", "forsen")], [904, 3209])

    def test_even(self) -> None:
        """Slots have about the same number of rooms."""
        counts = [0] * SLOTS
        for number in range(40_960):
            counts[slot_of("twitch", f"room{number}")] += 1
        self.assertLess(max(counts), 30)

    @given(sets)
    def test_sets(self, slots: set[int]) -> None:
        """A set comes back as it was, also over the wire."""
        packed = slot_set(slots)
        self.assertEqual(list(each(packed)), sorted(slots))
        self.assertEqual(decode(encode(packed)), packed)

    def test_all(self) -> None:
        """There is a set of all."""
        self.assertEqual(slot_set(range(SLOTS)), ALL)

    def test_no_set(self) -> None:
        """What is no bitmap, or one of too many slots, is refused."""
        for text in ("?", "AAA", "\u00e9", "A" * 4 * 1024):
            with self.assertRaises(ValueError):
                decode(text)
