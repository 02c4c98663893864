"""The timelines of all rooms, and the rows of a manifest."""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from chatlog.timeline.timelines import Key, Timelines

A: Key = ("twitch", "a")
B: Key = ("kick", "b")


class TimelinesTests(SynchronousTestCase):
    """Two rooms on a clock that the test sets; the period began at 1000."""

    def setUp(self) -> None:
        self.now = 1000.0
        self.wanted = [A, B]
        self.timelines = Timelines(lambda: self.now, lambda: self.wanted)
        self.timelines.start(None)

    def rows(self, since: float = 1000.0) -> list[tuple[object, ...]]:
        return [tuple(row[1:5]) for row in self.timelines.rows(since, self.now)]

    def test_every_wanted_room_has_a_row(self) -> None:
        """Rooms that were never recorded are missing since they are wanted, each under its own name."""
        self.timelines.of(A).began(1000.0)
        self.now = 1060.0
        self.assertEqual(self.rows(), [("b", 0.0, 60.0, "not acknowledged"), ("a", 60.0, 0.0, "")])
        self.wanted.append(("twitch", "late"))
        self.timelines.of(("twitch", "late"))
        self.now = 1070.0
        self.assertEqual(self.rows()[-1], ("late", 0.0, 10.0, "not acknowledged"))

    def test_what_was_recorded(self) -> None:
        """Only rooms that were recorded at least once are gone through; what is not known has no timeline."""
        self.timelines.of(A).began(1000.0)
        self.assertEqual([key for key, _ in self.timelines], [A])
        self.assertIsNone(self.timelines.get(("twitch", "other")))
        self.assertIs(self.timelines.get(A), self.timelines.of(A))

    def test_neither_wanted_nor_recorded(self) -> None:
        """A room that is not wanted and was never recorded has no row."""
        self.timelines.of(("twitch", "passing"))
        self.now = 1010.0
        self.assertEqual([row[0] for row in self.rows()], ["b", "a"])

    def test_suppressed(self) -> None:
        """What was left out for people who opted out is counted once: in the period in whose rows it was
        told."""
        counts = Counter({A: 3})
        timelines = Timelines(lambda: self.now, lambda: self.wanted, counts)
        self.assertEqual([row.suppressed for row in timelines.rows(1000.0, self.now)], [0, 3])
        counts[A] += 2
        timelines.start_period(self.now)
        self.assertEqual([row.suppressed for row in timelines.rows(self.now, self.now)], [0, 2])

    def test_suppressed_later(self) -> None:
        """A single one that comes after the rows is told in the next period; a period whose rows nobody asked
        for passes its own on; and rooms of which all is told take no memory."""
        counts: Counter[Key] = Counter({A: 1, B: 1})
        timelines = Timelines(lambda: self.now, lambda: self.wanted, counts)
        list(timelines.rows(1000.0, self.now))
        counts[A] += 1
        timelines.start_period(self.now)
        self.assertEqual(counts, {A: 1})
        self.assertNotIn(B, list(counts))
        timelines.start_period(self.now)
        self.assertEqual([row.suppressed for row in timelines.rows(self.now, self.now)], [0, 1])

    def test_before_it_is_known_what_is_wanted(self) -> None:
        """Until then a room of an earlier process outlives the end of a period; afterwards it does not."""
        self.timelines.of(A).resume(900.0, "restart")
        self.wanted.remove(A)
        for settled, kept in ((False, True), (True, False)):
            self.timelines.settled = settled
            self.timelines.start_period(self.now)
            self.assertEqual(self.timelines.get(A) is not None, kept)

    def test_removed_with_a_gap(self) -> None:
        """What was missing before a room was removed counts as well when it is added again."""
        self.timelines.of(A).began(1000.0)
        self.timelines.of(A).ended(1090.0, "connection lost")
        self.now = 1100.0
        self.timelines.remove(A)
        self.now = 1150.0
        self.timelines.of(A)
        self.timelines.of(A).began(1160.0)
        self.now = 1170.0
        self.assertEqual(self.rows()[-1], ("a", 100.0, 10.0, ""))

    def test_removed(self) -> None:
        """A removed room has its seconds until then, in this period and in no other; added again, it has
        those of both times, and none of the time between."""
        self.timelines.of(A).began(1000.0)
        self.now = 1100.0
        self.timelines.remove(A)
        self.timelines.remove(B)
        self.wanted.clear()
        self.now = 1150.0
        self.assertEqual(self.rows(), [("a", 100.0, 0.0, "removed")])
        self.wanted.append(A)
        self.timelines.of(A)
        self.assertEqual(self.rows(), [("a", 100.0, 0.0, "removed")])
        self.timelines.of(A).began(1150.0)
        self.now = 1170.0
        self.assertEqual(self.rows(), [("a", 120.0, 0.0, "")])
        self.timelines.start_period(1170.0)
        self.now = 1180.0
        self.assertEqual(self.rows(1170.0), [("a", 10.0, 0.0, "")])

    def test_removed_before_it_came_into_a_pool(self) -> None:
        """A room of an earlier process that is taken off the list while its ids are looked up is told of as
        removed until the period ends, and not after that."""
        self.timelines.of(B).resume(900.0, "restart")
        self.wanted.remove(B)
        self.now = 1010.0
        self.assertEqual(self.rows()[0], ("b", 0.0, 10.0, "removed"))
        self.timelines.start_period(1010.0)
        self.assertEqual([row[0] for row in self.rows(1010.0)], ["a"])

    def test_earlier_process(self) -> None:
        """What is known goes back to the period of the earlier process, unless the clock says that it is yet
        to come."""
        for since, known in ((400.0, 400.0), (5000.0, 1000.0), (None, 1000.0)):
            self.timelines.start(since)
            self.assertEqual((self.timelines.known_since, self.timelines.period), (known, known))

    def test_spans(self) -> None:
        """Of recorders that share rooms, each row says when the room was recorded here: with its gaps, what
        was left to somebody else, and what came back."""
        self.timelines.with_spans = True
        self.timelines.is_elsewhere = lambda key: key == A
        timeline = self.timelines.of(A)
        timeline.began(1010.0)
        timeline.missed(1020.0, 1025.0, "connection lost")
        self.now = 1040.0
        self.wanted.remove(A)
        self.timelines.remove(A)
        [_, row] = self.timelines.rows(1000.0, self.now)
        self.assertEqual((row.spans, row.reason), (((1010.0, 1020.0), (1025.0, 1040.0)), "handed over"))
        self.assertEqual(row.gaps, ((1020.0, 1025.0),))
        self.assertEqual([(key, past.until) for key, past in self.timelines.removed.items()], [(A, 1040.0)])
        self.assertEqual(self.timelines.removed[A].totals.suppressed, 0)
        self.now = 1060.0
        self.wanted.append(A)
        self.timelines.of(A).began(1060.0)
        self.now = 1100.0
        rows = {row.channel: row.spans for row in self.timelines.rows(1000.0, self.now)}
        self.assertEqual(rows["a"], ((1010.0, 1020.0), (1025.0, 1040.0), (1060.0, 1100.0)))
        self.assertEqual(rows["b"], ())

    def test_no_spans(self) -> None:
        """One that is alone does not say so."""
        self.timelines.of(A).began(1010.0)
        self.now = 1020.0
        rows = list(self.timelines.rows(1000.0, self.now))
        self.assertEqual({(row.spans, row.gaps, row.suppressed) for row in rows}, {(None, (), 0)})
