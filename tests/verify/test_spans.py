"""Holes that nobody explains, and recorders that are lost, from the manifests of a cluster."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from chatlog.uploader.manifest_rows import HeadRow, RoomRow, seconds_of
from chatlog.verify.spans_check import SpansCheck

HOUR = 3600.0
#: The present time; nothing is so late.
NOW = 1000 * HOUR
Spans = tuple[tuple[float, float], ...] | None


class SpansTests(SynchronousTestCase):
    """Recorders ``a`` and ``b`` share the room ``ann``."""

    def setUp(self) -> None:
        self.check = SpansCheck(NOW)

    def hour(
        self,
        instance: str,
        hour: int,
        spans: Spans = None,
        gaps: tuple[tuple[float, float], ...] = (),
        reason: str = "",
        closed: bool = False,
        cluster: str = "main",
    ) -> None:
        """A manifest of an hour; ``spans`` and ``gaps`` in seconds of it."""
        since = hour * HOUR
        head = HeadRow(since, since + HOUR, "1", instance, cluster=cluster, closed=closed)
        self.check.period(head, f"{instance}{hour}")
        recorded = HOUR if spans is None else sum(end - start for start, end in spans)
        missing = sum(end - start for start, end in gaps)
        self.check.room(head, RoomRow("twitch", "ann", recorded, missing, reason, spans=spans, gaps=gaps))

    def kinds(self) -> list[str]:
        """The kinds of the problems."""
        return [problem.kind for problem in self.check.problems()]

    def holes(self) -> list[tuple[float, float]]:
        """When each hole begins that nobody explains, and how long it is."""
        found = [re.search(r"for ([0-9.]+) s from (.+Z),", each.what) for each in self.check.problems()]
        return [(seconds_of(each[2]), float(each[1])) for each in found if each is not None]

    def test_handed_over(self) -> None:
        """One after the other without a second between them: nothing is missing."""
        self.hour("a", 1)
        self.hour("a", 2, ((0.0, 1802.0),), reason="handed over")
        self.hour("b", 1, ())
        self.hour("b", 2, ((1800.0, HOUR),))
        self.hour("b", 3)
        self.hour("a", 3, ())
        self.assertEqual(self.kinds(), [])

    def test_taken_over(self) -> None:
        """A hole in which the room was somebody's is explained; one in which it was nobody's is not."""
        for gaps, expected in ((((1799.0, 1812.0),), []), ((), ["unexplained-hole"])):
            self.check = SpansCheck(NOW)
            self.hour("a", 1, ((0.0, 1800.0),))
            self.hour("a", 2, ())
            self.hour("b", 1, ((1812.0, HOUR),), gaps)
            self.hour("b", 2)
            self.assertEqual(self.kinds(), expected)
            self.assertEqual(list(self.check.united()), [("main", 1, 12.0)])

    def test_gap_of_another_time(self) -> None:
        """What is said of one hole explains no other one, also not one in the same hour, nor one that it
        touches."""
        self.hour("a", 1, ((0.0, 600.0), (700.0, 1800.0)), ((600.0, 700.0),))
        self.hour("b", 1, ((1850.0, HOUR),), ())
        self.assertEqual(self.holes(), [(HOUR + 1800.0, 50.0)])
        self.check = SpansCheck(NOW)
        self.hour("a", 1, ((0.0, 600.0), (700.0, HOUR)), ((620.0, 660.0),))
        self.assertEqual(self.holes(), [(HOUR + 600.0, 20.0), (HOUR + 660.0, 40.0)])

    def test_gaps_of_several(self) -> None:
        """Each may tell of a part of a hole, over the end of an hour too."""
        self.hour("a", 1, ((0.0, 3000.0),), ((3000.0, 3300.0),), reason="handed over")
        self.hour("b", 1, (), ((3290.0, HOUR),))
        self.hour("b", 2, ((40.0, HOUR),), ((0.0, 40.0),))
        self.assertEqual(self.kinds(), [])

    def test_too_many(self) -> None:
        """A room with more holes than can be kept apart is said to be one; nothing is guessed of it."""
        for hour in range(600):
            self.hour("a", hour, ((0.0, 10.0), (50.0, 60.0), (100.0, 110.0), (200.0, HOUR)))
        [problem] = self.check.problems()
        self.assertEqual((problem.kind, "holes" in problem.what), ("unexplained-hole", True))

    def test_removed_and_added_again(self) -> None:
        """Nobody records a room that is not on the list."""
        self.hour("a", 1, ((0.0, 600.0),), ((600.0, 630.0),), reason="removed")
        self.hour("a", 3)
        self.hour("a", 4)
        self.assertEqual(self.kinds(), [])

    def test_lost(self) -> None:
        """Whoever has no manifest for hours while others have, and has not handed over, is lost; the time of
        which it would have told is not a hole besides."""
        self.hour("a", 1)
        self.hour("b", 2, ((1812.0, HOUR),), ((1800.0, 1812.0),))
        for hour in (3, 4, 5, 6):
            self.hour("b", hour)
        self.assertEqual(self.kinds(), ["lost-instance"])

    def test_closed(self) -> None:
        """Whoever has handed everything over may stay away for ever."""
        self.hour("a", 1, closed=True)
        for hour in range(2, 8):
            self.hour("b", hour)
        self.assertEqual(self.kinds(), [])

    def test_back_soon(self) -> None:
        """Whoever has handed everything over may be back, and has told nothing of that yet: no hole after it
        is called unexplained before the others' manifests are of hours later."""
        self.hour("a", 1, closed=True)
        self.hour("b", 2, ((0.0, 600.0), (1200.0, HOUR)))
        self.hour("b", 3)
        self.assertEqual(self.kinds(), [])
        self.hour("b", 4)
        self.assertEqual(self.kinds(), ["unexplained-hole"])

    def test_all_are_upgraded(self) -> None:
        """Where all have handed over, one after the other, what the first ones record since then is not known
        for some hours; if none of them comes back, all is known."""
        for now, expected in ((3.1 * HOUR, []), (9 * HOUR, ["unexplained-hole"])):
            self.check = SpansCheck(now)
            self.hour("a", 1, closed=True)
            self.hour("b", 2, ((0.0, 600.0), (1200.0, HOUR)), closed=True)
            self.assertEqual(self.kinds(), expected)

    def test_first_hour(self) -> None:
        """Objects of a recorder that has no manifest yet show that it was at work: what it will tell is not
        guessed. Neither is what one tells that came back."""
        for instance, expected in (("b", []), ("a", []), ("c", ["unexplained-hole"])):
            self.check = SpansCheck(NOW)
            self.hour("a", 1, ((0.0, 600.0), (1200.0, HOUR)) if instance != "a" else None, closed=True)
            self.hour("c", 1, ())
            if instance == "a":
                for hour in (2, 3, 4, 5):
                    self.hour("c", hour, ((600.0, HOUR),))
            self.check.unnamed(instance, HOUR + 300.0)
            self.check.unnamed(instance, HOUR + 900.0)
            self.check.unnamed(instance, None)
            self.assertEqual(self.kinds(), expected)

    def test_alone(self) -> None:
        """A recorder without a cluster is not looked at."""
        self.hour("a", 1, ((0.0, 10.0), (50.0, HOUR)), cluster="")
        self.hour("b", 9, cluster="")
        self.assertEqual(self.kinds(), [])

    def test_in_any_order(self) -> None:
        """Manifests are united in whatever order, and again, they are read."""
        for hour in (3, 1, 2, 2):
            self.hour("a", hour)
        self.assertEqual(self.kinds(), [])
