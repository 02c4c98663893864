"""When it is worth a word that a platform sends what no rule knows."""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from chatlog.status.drift import Unknown


class DriftTests(SynchronousTestCase):
    """Kinds and rooms count, and not how often people tap a button."""

    def test_combos(self) -> None:
        """The kinds of one combo in one room are none; the same in two rooms are, and so are many kinds."""
        combo = {("started", "ann"): 90, ("tapped", "ann"): 5000, ("ended", "ann"): 90}
        self.assertFalse(Unknown(Counter(combo)).is_drift(100))
        self.assertTrue(Unknown(Counter(combo | {("tapped", "bob"): 5000})).is_drift(100))
        self.assertTrue(Unknown(Counter({(f"kind{n}", "ann"): 30 for n in range(5)})).is_drift(100))
        self.assertFalse(Unknown(Counter({("tapped", "ann"): 10**6})).is_drift(100))
        self.assertFalse(Unknown(Counter({("tapped", f"room{n}"): 1 for n in range(99)})).is_drift(100))
