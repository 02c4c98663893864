"""Recognising copies within bounded memory."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.rooms.duplicates import REMEMBERED, WITHOUT_ID_WINDOW, Duplicates, Repeats


class DuplicatesTests(SynchronousTestCase):
    def test_identified_events_are_recorded_once(self) -> None:
        """An event with an id is taken once, whichever connection repeats it and when."""
        seen = Duplicates()
        self.assertIs(seen.seen("a", 1, 0.0, True), False)
        self.assertIs(seen.seen("a", 2, 0.1, True), True)
        self.assertTrue(seen.seen("a", 1, 500.0, True))

    def test_repetition_on_one_connection_happened_twice(self) -> None:
        """Without an id, the same connection saying the same again means it happened again, and each
        of the two is recorded once although both connections bring both."""
        seen = Duplicates()
        taken = [
            seen.seen("slow on", connection, now, False)
            for connection, now in [(1, 0.0), (2, 0.1), (1, 5.0), (2, 5.1)]
        ]
        self.assertEqual(taken, [False, True, False, True])

    def test_without_an_id_copies_lie_close_together(self) -> None:
        """What another connection says much later is a new event, even if the words are the same."""
        seen = Duplicates()
        self.assertFalse(seen.seen("slow on", 1, 0.0, False))
        self.assertFalse(seen.seen("slow on", 2, WITHOUT_ID_WINDOW + 1.0, False))

    def test_connection_that_was_not_there(self) -> None:
        """What was brought before a connection had the room is not what this one brings."""
        for since, copy in ((-5.0, True), (0.0, True), (1.5, True), (3.0, False)):
            seen = Duplicates()
            self.assertFalse(seen.seen("slow on", 1, 0.0, False))
            self.assertIs(seen.seen("slow on", 2, 10.0, False, since=since), copy)

    def test_connection_that_missed_the_first_of_two(self) -> None:
        """Of two events that look the same, a connection that brings only the second is not taken to
        bring the first; what both bring later is told apart as before."""
        seen = Duplicates()
        taken = [
            seen.seen("slow on", connection, now, False)
            for connection, now in [(1, 0.0), (1, 15.0), (2, 15.1), (1, 21.0), (2, 21.1), (2, 36.0)]
        ]
        self.assertEqual(taken, [False, False, True, False, True, False])

    def test_connection_that_lags_behind(self) -> None:
        """A connection that brings several events late, at once, adds none to what the other one has
        brought."""
        seen = Duplicates()
        for now in (0.0, 3.0, 6.0):
            self.assertFalse(seen.seen("slow on", 1, now, False))
        self.assertEqual([seen.seen("slow on", 2, 15.0, False) for _ in range(4)], [True, True, True, False])

    def test_memory_is_bounded(self) -> None:
        """However much passes, at most twice the limit is remembered, and the last ``limit`` keys
        are always recognised."""
        seen = Duplicates(limit=100)
        for n in range(1000):
            self.assertFalse(seen.seen(n, 1, 0.0, True))
            self.assertLessEqual(len(seen), 200)
        for n in range(900, 1000):
            self.assertTrue(seen.seen(n, 2, 0.0, True))

    def test_quiet_hours_take_no_memory(self) -> None:
        """What is older than the time a connection may lag is forgotten, however few events there are;
        what is younger never is for that reason."""
        seen = Duplicates(limit=1000)
        for n in range(500):
            seen.seen(n, 1, n * 10.0, True)
            seen.seen(("nameless", n), 1, n * 10.0, False)
        self.assertLessEqual(len(seen), 4 * (REMEMBERED / 10.0 + 2))
        for n in range(500 - int(REMEMBERED / 10.0), 500):
            self.assertTrue(seen.seen(n, 2, 5000.0, True))

    def test_events_without_an_id_are_bounded_too(self) -> None:
        """Neither many different ones nor the same one for ever make it grow."""
        seen = Duplicates(limit=1000)
        for n in range(10_000):
            seen.seen(("nameless", n), 1, 0.0, False)
            seen.seen("same", 1, 0.0, False)
        self.assertLessEqual(len(seen), 2000)
        known = sum(seen.seen("same", 2, 0.0, False) for _ in range(1000))
        self.assertEqual(known, 16)

    def test_what_is_held(self) -> None:
        """Its size is the number of different events that it holds, in both generations, with and without
        ids."""
        seen = Duplicates(limit=20)
        sizes = []
        for n in range(5):
            seen.seen(n, 1, 0.0, True)
            sizes.append(len(seen))
            seen.seen(("nameless", n), 1, 0.0, False)
            seen.seen(("nameless", n), 2, 0.0, False)
            sizes.append(len(seen))
        self.assertEqual(sizes, [1, 2, 3, 4, 5, 6, 7, 8, 9, 5])

    def test_at_the_edges(self) -> None:
        """Two connections that lie apart by exactly as much as they may bring no copies any more; one that
        got the room exactly two seconds later neither."""
        for apart, since, copy in (
            (WITHOUT_ID_WINDOW - 0.001, -60.0, True),
            (WITHOUT_ID_WINDOW, -60.0, False),
            (1.0, 1.999, True),
            (1.0, 2.0, False),
        ):
            seen = Duplicates()
            seen.seen("slow on", 1, 0.0, False)
            self.assertIs(seen.seen("slow on", 2, apart, False, since=since), copy, (apart, since))

    def test_a_third_connection(self) -> None:
        """What two connections have brought is no news from a third, and news from either of them."""
        seen = Duplicates()
        taken = [seen.seen("slow on", connection, 0.0, False) for connection in (1, 2, 3, 3, 1)]
        self.assertEqual(taken, [False, True, True, False, True])


class RepeatsTests(SynchronousTestCase):
    def test_the_same_bytes_again(self) -> None:
        """A line that came before is recognised, any other is not."""
        seen = Repeats()
        self.assertEqual([seen.seen(line) for line in (b"a", b"b", b"a", b"a ")], [False, False, True, False])

    def test_memory_is_bounded(self) -> None:
        """At least the last lines up to the limit are known, and never more than twice as many."""
        seen = Repeats(limit=100)
        for n in range(1000):
            self.assertFalse(seen.seen(b"%d" % n))
            self.assertLessEqual(len(seen.younger) + len(seen.older), 200)
        self.assertTrue(all(seen.seen(b"%d" % n) for n in range(900, 1000)))
