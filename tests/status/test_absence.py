"""How much of today and of the last hour is missing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.status.absence import Absence
from chatlog.timeline.timeline import Gap, RoomTimeline

KEY = ("twitch", "a")
#: 2025-12-29T00:00:00Z
MIDNIGHT = 1766966400.0


class AbsenceTests(SynchronousTestCase):
    """One room, and time that goes by in steps of five seconds."""

    def begin(self, at: float) -> None:
        self.now = at
        self.absence = Absence(at)
        self.timeline = RoomTimeline()
        self.timeline.began(at)

    def run_for(self, seconds: float) -> int:
        """The number of days that began."""
        days = 0
        for _ in range(int(seconds / 5)):
            self.now += 5
            days += self.absence.look(self.now)
        return days

    def lose(self, seconds: float) -> None:
        """The room is gone for so many seconds."""
        self.timeline.ended(self.now, "connection lost")
        self.run_for(seconds)
        hole = self.timeline.began(self.now)
        assert hole is not None
        self.absence.closed(KEY, hole)

    def today(self) -> float:
        return self.absence.today(KEY, self.timeline, self.now)

    def hour(self) -> float:
        return self.absence.last_hour(KEY, self.timeline, self.now, self.now)

    def test_nothing_missing(self) -> None:
        """A room that was recorded all the time is covered to 1, from the first moment on."""
        self.begin(MIDNIGHT + 3600)
        self.assertEqual((self.today(), self.hour()), (1.0, 1.0))
        self.run_for(7200)
        self.assertEqual((self.today(), self.hour()), (1.0, 1.0))
        self.assertEqual(self.absence.gaps(KEY, self.timeline), 0)

    def test_restart(self) -> None:
        """What an earlier process is known to have recorded counts after a restart: a minute away is a
        minute, and not most of what there is."""
        self.begin(MIDNIGHT + 3600 + 1800)
        self.timeline = RoomTimeline()
        self.timeline.missing(self.now - 60, "restart")
        self.absence.earlier(MIDNIGHT + 3600, {KEY: 120.0})
        hole = self.timeline.began(self.now)
        assert hole is not None
        self.absence.closed(KEY, hole)
        self.assertAlmostEqual(self.today(), 1 - 180 / 1800)
        self.assertAlmostEqual(self.hour(), 1 - 180 / 1800)
        self.run_for(1800)
        self.assertAlmostEqual(self.today(), 1 - 180 / 3600)
        self.assertAlmostEqual(self.hour(), 1 - 180 / 3600)
        self.run_for(3700)
        self.assertEqual(self.hour(), 1.0)

    def test_first_start(self) -> None:
        """Where there was no earlier process, nothing changes."""
        self.begin(MIDNIGHT + 3600)
        self.absence.earlier(self.now, {})
        self.run_for(60)
        self.assertEqual((self.today(), self.hour()), (1.0, 1.0))

    def test_hole_leaves_the_hour(self) -> None:
        """A hole is part of the last hour for an hour, and of the day until midnight."""
        self.begin(MIDNIGHT + 3600)
        self.run_for(3600)
        self.lose(360)
        self.assertAlmostEqual(self.hour(), 0.9, places=6)
        self.run_for(3300)
        self.assertLess(self.hour(), 0.95)
        self.run_for(700)
        self.assertEqual(self.hour(), 1.0)
        self.assertAlmostEqual(self.today(), 1 - 360 / 7960, places=6)

    def test_open_hole(self) -> None:
        """A hole counts while it is open."""
        self.begin(MIDNIGHT + 3600)
        self.run_for(1800)
        self.timeline.ended(self.now, "connection lost")
        self.run_for(1800)
        self.assertAlmostEqual(self.hour(), 0.5, places=6)
        self.run_for(3600)
        self.assertEqual(self.hour(), 0.0)

    def test_midnight(self) -> None:
        """A hole across midnight belongs to both days, each with its part of it."""
        self.begin(MIDNIGHT + 82800)
        self.run_for(3540)
        self.timeline.ended(self.now, "connection lost")
        self.assertEqual(self.run_for(60), 1)
        hole = self.timeline.began(self.now + 60)
        assert hole is not None
        self.assertEqual(self.run_for(60), 0)
        self.absence.closed(KEY, hole)
        self.run_for(540)
        self.assertAlmostEqual(self.today(), 0.9, places=6)
        self.assertEqual(self.absence.gaps(KEY, self.timeline), 1)

    def test_room_that_came_late(self) -> None:
        """A room that was added during the day is measured from when it was first recorded."""
        self.begin(MIDNIGHT)
        self.run_for(36000)
        self.timeline = RoomTimeline()
        self.timeline.began(self.now)
        self.run_for(90)
        self.lose(10)
        self.assertAlmostEqual(self.today(), 0.9, places=6)
        self.assertAlmostEqual(self.hour(), 0.9, places=6)

    def test_never_recorded(self) -> None:
        """A room that was wanted and never recorded is covered to nothing since then, also if that was
        later than the day began."""
        self.begin(MIDNIGHT)
        self.run_for(100)
        room = RoomTimeline()
        self.assertEqual(self.absence.today(KEY, room, self.now), 0.0)
        for wanted in (MIDNIGHT, self.now - 20.0):
            self.assertEqual(self.absence.last_hour(KEY, room, wanted, self.now), 0.0)

    def test_wall_clock_set_back(self) -> None:
        """A clock that is set back makes no share that is none."""
        self.begin(MIDNIGHT + 3600)
        self.run_for(3600)
        self.now -= 5400
        for _ in range(10):
            self.run_for(600)
            self.lose(60)
            for share in (self.today(), self.hour()):
                self.assertTrue(0.0 <= share <= 1.0, share)

    @given(st.lists(st.tuples(st.integers(0, 200), st.integers(1, 200)), max_size=30))
    def test_sum(self, pattern: list[tuple[int, int]]) -> None:
        """Whatever the pattern of losses, the day's share is exactly what was recorded of it, and the
        hour's is right but for what is forgotten of its first five minutes."""
        self.begin(MIDNIGHT)
        missing: list[Gap] = []
        for well, gone in pattern:
            self.run_for(well * 5)
            start = self.now
            self.lose(gone * 5)
            missing.append(Gap(start, self.now, ""))
        self.run_for(5)

        def share(since: float) -> float:
            lost = sum(max(0.0, hole.end - max(hole.start, since)) for hole in missing)
            return 1 - lost / (self.now - since)

        if self.now < MIDNIGHT + 86400:
            self.assertAlmostEqual(self.today(), share(MIDNIGHT), places=6)
        self.assertApproximates(self.hour(), share(max(MIDNIGHT, self.now - 3600)), 300 / 3600)

    def holes(self) -> list[list[float | None]]:
        return self.absence.holes(KEY, self.timeline, self.now, self.now)

    def test_where(self) -> None:
        """Where the holes of the last hour lie: each with its two ends, the open one without its end; what
        is older is gone, and a hole that began before the hour is cut off there."""
        self.begin(MIDNIGHT)
        self.run_for(600)
        self.lose(120)
        self.run_for(600)
        self.lose(60)
        two = [[MIDNIGHT + 600, MIDNIGHT + 720], [MIDNIGHT + 1320, MIDNIGHT + 1380]]
        self.assertEqual(self.holes(), two)
        self.run_for(3600 - 720)
        self.assertEqual(self.holes(), [[MIDNIGHT + 660, MIDNIGHT + 720], two[1]])
        self.timeline.ended(self.now, "connection lost")
        began = self.now
        self.run_for(65)
        self.assertEqual(self.holes(), [two[1], [began, None]])
        self.run_for(7200)
        self.assertEqual(self.holes(), [[self.now - 3600, None]])

    def test_where_is_bounded(self) -> None:
        """A room that comes and goes all the time has few holes to show; those that lie close together are
        one, and one room's holes are not another's."""
        self.begin(MIDNIGHT)
        for _ in range(2000):
            self.lose(5)
            self.run_for(5)
        self.assertEqual(len(self.holes()), 1)
        for _ in range(200):
            self.run_for(40)
            self.lose(40)
        self.assertLess(len(self.holes()), 50)
        self.assertEqual(
            self.absence.holes(("kick", "a"), RoomTimeline(), self.now, self.now), [[self.now, None]]
        )

    def test_where_a_part_turned(self) -> None:
        """A hole whose cause changed is one hole here."""
        self.begin(MIDNIGHT)
        self.run_for(60)
        for start, end in ((10.0, 20.0), (20.0, 35.0)):
            self.absence.closed(KEY, Gap(MIDNIGHT + start, MIDNIGHT + end, "x"))
        self.assertEqual(self.holes(), [[MIDNIGHT + 10, MIDNIGHT + 35]])
