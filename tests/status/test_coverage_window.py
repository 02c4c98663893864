"""Today, the last hour, and which gaps somebody knows of already."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.status.coverage_window import CoverageWindow
from chatlog.timeline.timeline import RoomTimeline

#: 2025-12-29T00:00:00Z
MIDNIGHT = 1766966400.0
NOON = MIDNIGHT + 43200


class WindowTests(SynchronousTestCase):
    def test_what_is_known(self) -> None:
        """Neither window reaches back beyond what is known of an earlier process."""
        for known, today, hour in (
            (NOON - 60, NOON - 60, NOON - 60),
            (NOON - 7200, NOON - 7200, NOON - 3600),
            (NOON - 86400, MIDNIGHT, NOON - 3600),
        ):
            window = CoverageWindow(known, NOON)
            self.assertEqual((window.today, window.hour(NOON)), (today, hour))

    def test_midnight(self) -> None:
        """A gap across midnight belongs to both days, each with its part of it."""
        window = CoverageWindow(NOON, NOON)
        timeline = RoomTimeline(NOON)
        timeline.began(NOON)
        midnight = MIDNIGHT + 86400
        timeline.ended(midnight - 60, "connection lost")
        self.assertFalse(window.poll(midnight - 1))
        self.assertAlmostEqual(timeline.missing(window.today, midnight), 60)
        self.assertTrue(window.poll(midnight + 1))
        timeline.began(midnight + 60)
        self.assertFalse(window.poll(midnight + 600))
        self.assertEqual(window.today, midnight)
        self.assertAlmostEqual(timeline.share(window.today, midnight + 600), 0.9)
        self.assertEqual(timeline.count(window.today), 1)

    def test_clock_that_is_set_back(self) -> None:
        """A clock that is set back makes no share that is none."""
        window = CoverageWindow(NOON, NOON)
        timeline = RoomTimeline(NOON)
        timeline.began(NOON)
        now = NOON + 3600
        for set_back in (0, 5400, 50000, 90000):
            now -= set_back
            timeline.set_back(set_back, now)
            window.poll(now)
            for _ in range(10):
                now += 600
                timeline.ended(now - 60, "connection lost")
                timeline.began(now)
                window.poll(now)
                for since in (window.today, window.hour(now)):
                    self.assertTrue(0.0 <= timeline.share(since, now) <= 1.0)

    def test_explained(self) -> None:
        """A gap of a reason that has its own alarm, or that reaches into an outage of its platform, is
        explained as a whole; others are not, and after an hour they are gone."""
        window = CoverageWindow(MIDNIGHT, NOON)
        timeline = RoomTimeline(MIDNIGHT)
        timeline.began(MIDNIGHT)
        timeline.missed(NOON - 600, NOON - 500, "restart")
        timeline.missed(NOON - 400, NOON - 300, "disk full")
        self.assertEqual(window.unexplained("twitch", timeline, NOON), 0.0)
        timeline.missed(NOON - 200, NOON - 100, "connection lost")
        self.assertEqual(window.unexplained("twitch", timeline, NOON), 100.0)
        window.outage("kick", NOON - 150, NOON - 120)
        self.assertEqual(window.unexplained("twitch", timeline, NOON), 100.0)
        self.assertEqual(window.unexplained("twitch", timeline, NOON + 3450), 50.0)
        window.outage("twitch", NOON - 150, NOON - 140)
        window.outage("twitch", NOON - 150, NOON - 120)
        self.assertEqual(window.unexplained("twitch", timeline, NOON), 0.0)
