"""Recognising copies within bounded memory."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.duplicates import Duplicates


class DuplicatesTests(SynchronousTestCase):
    def test_identified_events_are_recorded_once(self) -> None:
        """An event with an id is taken once, whichever connection repeats it and when."""
        seen = Duplicates()
        self.assertFalse(seen.seen("a", 1, 0.0, True))
        self.assertTrue(seen.seen("a", 2, 0.1, True))
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
        self.assertFalse(seen.seen("slow on", 2, 11.0, False))

    def test_memory_is_bounded(self) -> None:
        """However much passes, at most twice the limit is remembered, and the last ``limit`` keys
        are always recognised."""
        seen = Duplicates(limit=100)
        for n in range(1000):
            self.assertFalse(seen.seen(n, 1, 0.0, True))
            self.assertLessEqual(len(seen), 200)
        for n in range(900, 1000):
            self.assertTrue(seen.seen(n, 2, 0.0, True))
