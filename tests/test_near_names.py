"""Names that are spelt like one that is not there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.near_names import MOST, near

NAMES = ("amberfox", "room0", "room1", "room10", "shroud", "summit1g", "trainwreckstv", "xqc")


class NearNamesTests(SynchronousTestCase):
    """The names that a user may have meant."""

    def test_slips(self) -> None:
        """Letters that are swapped, left out, doubled or in capitals, and parts of a name, lead to it."""
        for written, meant in (
            ("shruod", "shroud"),
            ("shrud", "shroud"),
            ("shrroud", "shroud"),
            ("SHROUD", "shroud"),
            ("trainwrecks", "trainwreckstv"),
            ("xqcow", "xqc"),
            ("amber_fox", "amberfox"),
            ("summit1", "summit1g"),
        ):
            self.assertEqual(near(written, NAMES), [meant], written)

    def test_order(self) -> None:
        """The likeliest comes first, and there are few."""
        self.assertEqual(near("room0", NAMES)[0], "room0")
        self.assertLessEqual(len(near("room", [f"room{n}" for n in range(100)])), MOST)

    def test_nothing_near(self) -> None:
        """A name that is like none of them leads nowhere."""
        for written in ("", "z", "nosuchroom", "日向", "%00", "<script>"):
            self.assertEqual(near(written, NAMES), [], written)

    @given(st.text(max_size=80), st.lists(st.text(max_size=30), max_size=20))
    def test_anything(self, written: str, names: list[str]) -> None:
        """Every returned name exists; a name that exists comes first."""
        found = near(written, names)
        self.assertLessEqual(set(found), set(names))
        if written in names:
            self.assertEqual(found[0].lower(), written.lower())
