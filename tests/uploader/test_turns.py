"""Whose turn it is: every file has one, and trouble of some costs the others nothing."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.uploader.shipment import Item, item_of
from chatlog.uploader.turns import OWN_MOST, PASSING_MOST, SLOW, SPARE, Failing, OwnTrouble, Turns

NEVER = float("inf")


def file(n: int, room: str = "ann") -> Item:
    """The n-th file of a room, one a minute."""
    return item_of(f"twitch_{room}_20251229_10{n:02d}.jsonl", "data")


class TurnsCase(SynchronousTestCase):
    """Files that wait, of sizes that are their numbers."""

    def setUp(self) -> None:
        self.turns = Turns()

    def add(self, *items: Item) -> None:
        for item in items:
            self.turns.add(item, int(item.order[0][-2:]))

    def begun(self, now: float = 0.0, limit: int = 100, in_trouble: bool = False) -> list[Item]:
        """All that may begin now, in their order."""
        found = []
        while (item := self.turns.begin(now, limit, in_trouble)) is not None:
            found.append(item)
        return found


class OrderTests(TurnsCase):
    """Without trouble."""

    def test_oldest_first(self) -> None:
        """The oldest begins first, whichever came first; as many as may are under way, and no file twice."""
        self.add(file(5), file(3), file(4, "bob"), file(1))
        self.assertEqual((len(self.turns), self.turns.bytes), (4, 13))
        self.assertEqual((self.turns.size(file(3)), self.turns.size(file(2))), (3, 0))
        self.assertIn(file(3), self.turns)
        self.assertNotIn(file(2), self.turns)
        self.assertEqual(self.turns.oldest, file(1))
        self.assertEqual(self.begun(limit=2), [file(1), file(3)])
        self.assertEqual((self.turns.under_way, self.turns.oldest), (2, file(1)))
        self.assertIsNone(self.turns.begin(0.0, 2, False))
        self.assertEqual(self.turns.done(file(1)), 0)
        self.assertEqual((self.turns.under_way, self.turns.oldest), (1, file(3)))
        self.assertNotIn(file(1), self.turns)
        self.assertEqual(self.begun(limit=2), [file(4, "bob")])
        self.turns.done(file(3))
        self.turns.done(file(4, "bob"))
        self.assertEqual(self.begun(), [file(5)])
        self.turns.done(file(5))
        self.assertEqual((len(self.turns), self.turns.bytes, self.turns.oldest), (0, 0, None))

    def test_added_twice(self) -> None:
        """A file that is told of again has the size that was told last, and one turn."""
        self.add(file(1))
        self.turns.add(file(1), 70)
        self.assertEqual((len(self.turns), self.turns.bytes), (1, 70))
        self.assertEqual(self.begun(), [file(1)])

    def test_what_may_begin(self) -> None:
        """Whether anything else than what is in doubt could decide is known in every state."""
        self.assertFalse(self.turns.may_begin)
        self.add(file(1))
        self.assertTrue(self.turns.may_begin)
        self.begun()
        self.assertTrue(self.turns.may_begin)
        self.turns.doubt(file(1), Failing("x"))
        self.assertEqual((self.turns.may_begin, self.turns.doubted), (False, 1))
        self.turns.convict(0.0)
        self.assertEqual((self.turns.may_begin, self.turns.doubted), (False, 0))
        self.turns.hurry()
        self.assertTrue(self.turns.may_begin)


class SlowTests(TurnsCase):
    """Uploads that take long."""

    def test_place_is_given_away(self) -> None:
        """After ten seconds an upload counts no more, and it is known when that is; there are two such places
        beside the others at most."""
        self.add(*(file(1, room) for room in ("a", "b", "c", "d", "e")))
        self.assertEqual(len(self.begun(5.0, 1)), 1)
        self.assertEqual(self.turns.next_change(5.0, 1, False), 5.0 + SLOW)
        self.assertEqual(self.begun(5.0 + SLOW - 0.1, 1), [])
        self.assertEqual(len(self.begun(5.0 + SLOW, 1)), 1)
        self.assertEqual(self.turns.next_change(5.0 + SLOW, 1, False), 5.0 + 2 * SLOW)
        self.assertEqual(len(self.begun(5.0 + 2 * SLOW, 1)), 1)
        self.assertEqual(self.turns.under_way, 1 + SPARE)
        self.assertEqual(self.begun(1000.0, 1), [])
        self.assertIsNone(self.turns.next_change(5.0 + 2 * SLOW, 1, False))

    def test_nothing_waits(self) -> None:
        """Where no other file waits, it does not matter when an upload becomes slow."""
        self.assertIsNone(self.turns.next_change(0.0, 1, False))
        self.add(file(1))
        self.begun(0.0, 1)
        self.assertIsNone(self.turns.next_change(0.0, 1, False))
        self.add(file(2))
        self.assertEqual(self.turns.next_change(0.0, 1, False), SLOW)

    def test_room_that_is_slow(self) -> None:
        """A room with a slow upload begins no other while it has one under way; other rooms do."""
        self.add(file(1), file(2), file(3, "bob"))
        self.assertEqual(self.begun(0.0, 1), [file(1)])
        self.assertEqual(self.begun(SLOW, 1), [file(3, "bob")])
        self.turns.done(file(3, "bob"))
        self.assertEqual(self.begun(SLOW, 1), [])
        self.turns.done(file(1))
        self.assertEqual(self.begun(SLOW, 1), [file(2)])

    def test_oldest_of_the_others(self) -> None:
        """Of the other rooms the oldest begins, whatever its size."""
        self.add(file(1), file(2))
        self.turns.add(file(3, "bob"), 900)
        self.turns.add(file(4, "bob"), 1)
        self.turns.add(file(5, "bob"), 1)
        self.begun(0.0, 1)
        self.assertEqual(self.begun(SLOW, 2), [file(3, "bob"), file(4, "bob")])

    def test_while_the_store_is_in_trouble(self) -> None:
        """Then only what is slow does not count: rooms in trouble have no place of their own."""
        self.add(file(1), file(2, "bob"), file(3, "eve"))
        self.begun(0.0, 1)
        self.turns.strike(file(1), 0.0, Failing("x"))
        self.turns.hurry()
        self.assertEqual(self.begun(1.0, 1, True), [file(1)])
        self.assertEqual(self.begun(1.0 + SLOW, 1, True), [file(2, "bob")])


class DoubtTests(TurnsCase):
    """Files of which it is open whose trouble they have."""

    def test_another_decides(self) -> None:
        """In turns the smallest and the newest of the others decide, those of other rooms first."""
        self.add(file(1), file(2), *(file(n, "bob") for n in (3, 4, 5, 6)), file(7))
        self.assertEqual(self.begun(0.0, 1), [file(1)])
        self.turns.doubt(file(1), Failing("x"))
        deciders = []
        for _ in range(6):
            deciders += self.begun(0.0, 1)
            self.turns.done(deciders[-1])
        self.assertEqual(deciders[:4], [file(3, "bob"), file(6, "bob"), file(4, "bob"), file(5, "bob")])
        self.assertEqual(deciders[4:], [file(2), file(7)])
        self.assertEqual(self.turns.oldest, file(1))

    def test_order_after_a_decision(self) -> None:
        """Whichever has decided, the others go on in their order."""
        self.add(*(file(n, f"room{n}") for n in (1, 5, 2, 6, 7, 3, 4)))
        self.begun(0.0, 1)
        self.turns.doubt(file(1, "room1"), Failing("x"))
        self.assertEqual(self.begun(0.0, 1), [file(2, "room2")])
        self.turns.done(file(2, "room2"))
        self.turns.convict(0.0)
        self.assertEqual(self.begun(0.0), [file(n, f"room{n}") for n in (3, 4, 5, 6, 7)])

    def test_only_in_trouble(self) -> None:
        """Those in doubt are tried only while the store is in trouble, one at a time, after all others."""
        self.add(file(1), file(2), file(3))
        self.assertEqual(self.begun(0.0, 2), [file(1), file(2)])
        self.turns.doubt(file(1), Failing("x"))
        self.turns.doubt(file(2))
        self.assertEqual(self.begun(0.0, 1, True), [file(3)])
        self.turns.doubt(file(3), Failing("x"))
        self.assertEqual(self.begun(0.0, 5, False), [])
        self.assertEqual(self.begun(0.0, 5, True), [file(1)])
        self.assertEqual(self.turns.doubted, 2)

    def test_conviction(self) -> None:
        """When another passes, each has trouble of its own; one that only waited may go on."""
        self.add(file(1), file(2, "bob"))
        self.begun(0.0, 2)
        self.turns.doubt(file(1), Failing("x", 7))
        self.turns.doubt(file(2, "bob"))
        self.turns.convict(100.0)
        self.assertEqual((self.turns.strikes(file(1)), self.turns.strikes(file(2, "bob"))), (1, 0))
        self.assertEqual(self.begun(100.0, 1), [file(2, "bob")])
        self.assertEqual(self.turns.next_change(100.0, 2, False), 105.0)
        self.assertEqual(self.begun(104.9, 2), [])
        self.assertEqual(self.begun(105.0, 2), [file(1)])

    def test_acquittal(self) -> None:
        """When the store recovers, all may try again at once, those that waited too. Who failed meanwhile and
        does so again has trouble of its own; an older history stays."""
        self.add(file(1), file(2), file(3), file(4))
        self.begun(0.0, 4)
        self.turns.doubt(file(1), Failing("x"))
        self.turns.doubt(file(2))
        for _ in range(2):
            self.turns.strike(file(3), 0.0, Failing("x"))
        self.turns.doubt(file(4), Failing("x"))
        self.turns.done(file(4))
        self.turns.acquit()
        self.assertEqual([self.turns.strikes(file(n)) for n in (1, 2, 3)], [1, 0, 2])
        self.assertEqual(self.turns.doubted, 0)
        began = []
        for _ in range(6):
            for item in self.begun(0.0, 1):
                began.append(item)
                self.turns.done(item)
        self.assertEqual(set(began), {file(1), file(2), file(3)} | ({file(4)} & set(began)))
        self.assertEqual(self.turns.strikes(file(1)), 0)


class OwnTroubleTests(TurnsCase):
    """Files with trouble of their own."""

    def strike(self, item: Item, now: float = 0.0, failing: Failing | None = None) -> float:
        """It begins, if it has not yet, and fails; the seconds until its next turn."""
        self.begun(now)
        self.turns.strike(item, now, failing or Failing("refused"))
        found = self.turns.next_change(now, 100, False)
        assert found is not None
        return found - now

    def test_longer_and_longer(self) -> None:
        """A file waits 5, 20, 80 ... seconds for its next turn, an hour at most; where its trouble may pass
        ten minutes; and never less than its trouble wants."""
        self.add(file(1))
        waits = []
        for _ in range(30):
            waits.append(self.strike(file(1), 50.0))
            self.turns.hurry()
            self.assertEqual(self.begun(50.0), [file(1)])
        self.assertEqual(waits[:6], [5.0, 20.0, 80.0, 320.0, 1280.0, OWN_MOST])
        self.assertEqual(set(waits[6:]), {OWN_MOST})
        self.assertEqual(self.strike(file(1), 50.0, Failing("timeout", most=PASSING_MOST)), PASSING_MOST)
        self.add(file(2, "bob"))
        self.assertEqual(self.strike(file(2, "bob"), 50.0, Failing("unreadable", least=300.0)), 300.0)

    def test_reported(self) -> None:
        """A file is reported once, when its failures are as many as its trouble allows, with its reason, its
        size (that of the object, if it is known), its tries and its wait; and no more once it is stored."""
        self.add(file(9), file(8))
        self.strike(file(9), 0.0, Failing("slow", patience=2))
        self.assertEqual((self.turns.unreported(), self.turns.named_count), ([], 0))
        self.strike(file(9), 0.0, Failing("slow", patience=2))
        self.strike(file(8), 0.0, Failing("large", 500))
        large = OwnTrouble(file(8).name, 500, "large", 1, 5.0)
        slow = OwnTrouble(file(9).name, 9, "slow", 2, 20.0)
        self.assertEqual(self.turns.unreported(), [large, slow])
        self.assertEqual((self.turns.unreported(), self.turns.named()), ([], [large, slow]))
        self.assertEqual(self.turns.named_count, 2)
        self.assertEqual(self.turns.done(file(8)), 1)
        self.assertEqual((self.turns.named(), self.turns.named_count), ([slow], 1))

    def test_without_a_reason(self) -> None:
        """What only failed while the store was in trouble is not reported."""
        self.add(file(1))
        self.begun()
        self.turns.doubt(file(1), Failing("x"))
        self.turns.acquit()
        self.assertEqual((self.turns.strikes(file(1)), self.turns.unreported()), (1, []))

    def test_one_at_a_time(self) -> None:
        """Of those whose turn has come one is under way, in the order in which the turns came, and beside it
        one of their rooms that was not tried yet; all other rooms have their places."""
        self.add(file(1), file(2, "bob"))
        self.strike(file(1), 0.0)
        self.strike(file(2, "bob"), 1.0)
        self.assertEqual(self.turns.oldest, file(1))
        self.add(file(4), file(5), file(6, "eve"), file(7, "eve"))
        self.assertEqual(self.begun(10.0, 1), [file(1), file(4), file(6, "eve")])
        self.turns.done(file(1))
        self.assertEqual(self.begun(10.0, 3), [file(2, "bob"), file(5)])

    def test_no_place(self) -> None:
        """A turn that comes while there is no place is not waited for, but what makes place is."""
        self.add(file(1), file(2, "bob"))
        self.begun(0.0, 2)
        self.turns.strike(file(1), 0.0, Failing("x"))
        self.assertEqual(self.turns.next_change(0.0, 2, False), 5.0)
        self.assertEqual(self.turns.next_change(0.0, 1, False), SLOW)

    def test_put_off(self) -> None:
        """A file that is put off through nobody's fault comes later, and nothing is held against it."""
        self.add(file(1))
        self.begun()
        self.turns.put_off(file(1), 10.0, 5.0)
        self.assertEqual((self.turns.under_way, self.turns.strikes(file(1))), (0, 0))
        self.assertEqual(self.turns.oldest, file(1))
        self.assertEqual(self.turns.next_change(10.0, 1, False), 15.0)
        self.assertEqual(self.begun(14.0), [])
        self.assertEqual(self.begun(15.0), [file(1)])
        self.assertEqual(self.turns.done(file(1)), 0)
