"""Holes that nobody explains, and recorders that are lost, from the manifests of a cluster."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.uploader.manifest_rows import HeadRow, RoomRow
from chatlog.verify.spans_check import SpansCheck

HOUR = 3600.0
Spans = tuple[tuple[float, float], ...] | None


class SpansTests(SynchronousTestCase):
    """Recorders ``a`` and ``b`` share the room ``ann``."""

    def setUp(self) -> None:
        self.check = SpansCheck()

    def hour(
        self,
        instance: str,
        hour: int,
        spans: Spans = None,
        missing: float = 0.0,
        reason: str = "",
        closed: bool = False,
        cluster: str = "main",
    ) -> None:
        """A manifest of an hour; ``spans`` in seconds of it."""
        since = hour * HOUR
        head = HeadRow(since, since + HOUR, "1", instance, cluster=cluster, closed=closed)
        self.check.period(head, f"{instance}{hour}")
        recorded = HOUR if spans is None else sum(end - start for start, end in spans)
        self.check.room(head, RoomRow("twitch", "ann", recorded, missing, reason, spans=spans))

    def kinds(self) -> list[str]:
        """The kinds of the problems."""
        return [problem.kind for problem in self.check.problems()]

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
        """A hole that somebody counts as missing is explained; one that nobody counts is not."""
        for missing, expected in ((12.0, []), (0.0, ["unexplained-hole"])):
            self.check = SpansCheck()
            self.hour("a", 1, ((0.0, 1800.0),))
            self.hour("a", 2, ())
            self.hour("b", 1, ((1812.0, HOUR),), missing)
            self.hour("b", 2)
            self.assertEqual(self.kinds(), expected)
            self.assertEqual(list(self.check.united()), [("main", 1, 12.0)])

    def test_removed_and_added_again(self) -> None:
        """Nobody records a room that is not on the list."""
        self.hour("a", 1, ((0.0, 600.0),), reason="removed")
        self.hour("a", 3)
        self.hour("a", 4)
        self.assertEqual(self.kinds(), [])

    def test_lost(self) -> None:
        """Whoever has no manifest for hours while others have, and has not handed over, is lost; the time of
        which it would have told is not a hole besides."""
        self.hour("a", 1)
        self.hour("b", 2, ((1812.0, HOUR),), 12.0)
        for hour in (3, 4, 5, 6):
            self.hour("b", hour)
        self.assertEqual(self.kinds(), ["lost-instance"])

    def test_closed(self) -> None:
        """Whoever has handed everything over may stay away for ever."""
        self.hour("a", 1, closed=True)
        for hour in range(2, 8):
            self.hour("b", hour)
        self.assertEqual(self.kinds(), [])

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
