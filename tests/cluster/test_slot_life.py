"""What becomes of a slot at one member, and at two whose events come in any order."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.cluster.slot_life import Orders, SlotLife, View
from tests.cluster.mutants import BreakBeforeMake, NoSecondLook
from tests.cluster.walk import ONE, Walk

#: Another member's slot that it publishes, and one that it does not.
SERVED = View(0, ONE, ONE, 0.0)
ALONE = View(0, 0, 0, 0.0)
MINE = View(ONE, 0, 0, 0.0)
NOTHING: frozenset[str] = frozenset()


class SlotTests(SynchronousTestCase):
    """One slot."""

    def setUp(self) -> None:
        self.life = SlotLife()

    def see(self, view: View, began: float = 0.0) -> Orders:
        """A reading that begins and ends at once."""
        self.life.reading_begins()
        return self.life.see(view._replace(began=began))

    def hold(self) -> None:
        """The slot is recorded and published."""
        self.see(MINE)
        self.life.ready(ONE)

    def test_starts(self) -> None:
        """A wanted slot is started at once, and published only when its rooms are recorded."""
        self.assertEqual(self.see(MINE), Orders(first=ONE))
        self.assertEqual(self.life.published, 0)
        self.assertTrue(self.life.ready(ONE))
        self.assertEqual(self.life.published, ONE)
        self.assertEqual(self.see(MINE), Orders())

    def test_slots_without_a_member_come_first(self) -> None:
        """Slots that another member still records wait behind those that nobody does."""
        self.assertEqual(self.see(View(0b11, 0, 0b10, 0.0)), Orders(0b01, 0b10, 0))

    def test_hands_over(self) -> None:
        """A slot is withdrawn, then left once the withdrawal is confirmed and still all is well, and ends
        when the overlap has passed."""
        self.hold()
        self.assertEqual(self.see(SERVED), Orders())
        self.assertEqual((self.life.published, self.life.recorded), (0, ONE))
        self.see(SERVED, 1.0)
        self.assertEqual(self.life.leaving, 0)
        self.life.confirmed(0)
        self.see(SERVED, 2.0)
        self.assertEqual(self.life.leaving, ONE)
        self.assertEqual(self.see(SERVED, 3.9), Orders())
        self.assertEqual(self.see(SERVED, 4.0), Orders(stop=ONE))
        self.assertEqual(self.life.recorded, 0)

    def test_a_look_from_before_the_confirmation_does_not_count(self) -> None:
        """Only what is read after the withdrawal was confirmed allows to leave."""
        self.hold()
        self.see(SERVED)
        self.life.reading_begins()
        self.life.confirmed(0)
        self.life.see(SERVED)
        self.assertEqual(self.life.leaving, 0)

    def test_a_line_from_before_the_withdrawal_does_not_count(self) -> None:
        """A confirmed line that still has the slot allows nothing."""
        self.hold()
        self.see(SERVED)
        self.life.confirmed(ONE)
        self.see(SERVED)
        self.assertEqual(self.life.leaving, 0)

    def test_kept_while_no_other_member_records(self) -> None:
        """A slot that is no longer wanted is recorded until all its targets record it."""
        self.hold()
        for began in (1.0, 20.0, 400.0):
            self.assertEqual(self.see(ALONE, began), Orders())
        self.assertEqual(self.life.published, ONE)

    def test_taken_back(self) -> None:
        """Until the last moment a slot is held again if a target fails."""
        for confirmed in (False, True):
            self.life = SlotLife()
            self.hold()
            self.see(SERVED)
            if confirmed:
                self.life.confirmed(0)
                self.see(SERVED)
            self.assertEqual(self.see(ALONE, 9.0), Orders())
            self.assertEqual(self.life.published, ONE)

    def test_frozen(self) -> None:
        """While the engine is silent nothing is given up, and what was begun goes on."""
        self.hold()
        self.see(SERVED)
        self.life.confirmed(0)
        self.see(SERVED)
        self.assertTrue(self.life.freeze())
        self.assertEqual(self.life.published, ONE)
        self.assertFalse(self.life.freeze())

    def test_a_start_that_is_no_longer_needed(self) -> None:
        """A slot that is being started is given up if its target records it, and finished if it does not."""
        self.see(MINE)
        self.assertEqual(self.see(ALONE), Orders())
        self.assertEqual(self.see(SERVED), Orders(stop=ONE))

    def test_grows(self) -> None:
        """A slot with a new room is not published until that room is recorded too, and is not dropped
        either."""
        self.hold()
        self.assertTrue(self.life.grows(ONE))
        self.assertEqual(self.life.published, 0)
        self.assertEqual(self.see(SERVED), Orders())
        self.assertEqual(self.life.recorded, ONE)
        self.see(ALONE)
        self.assertTrue(self.life.published)


class WalkTests(SynchronousTestCase):
    """Two members, every order of events."""

    def test_never_without_a_recorder(self) -> None:
        """Whatever happens between two members, and in whatever order: one of them records the slot."""
        for both in (True, False):
            found = Walk(SlotLife, both, NOTHING, 1)
            self.assertEqual(found.hole, ())
            self.assertGreater(len(found.ways), 3000)

    def test_mutants(self) -> None:
        """Without the second reading, or without waiting for the other, there is an order that makes a
        hole."""
        self.assertNotEqual(Walk(BreakBeforeMake, False, NOTHING, 1).hole, ())
        self.assertNotEqual(Walk(NoSecondLook, True, NOTHING, 1).hole, ())
