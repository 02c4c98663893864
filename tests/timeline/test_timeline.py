"""The timeline of a room: when it was recorded, the gaps between, and what is asked about them."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.timeline.intervals import ConnectionIntervals
from chatlog.timeline.timeline import MOST, Gap, RoomTimeline

#: 2025-12-29T00:00:00Z
MIDNIGHT = 1766966400
HOUR = 3600


class GapTests(SynchronousTestCase):
    """The life of a gap, from its opening to its end."""

    def test_first_beginning_closes_no_gap(self) -> None:
        """Before a room is recorded for the first time nothing was promised."""
        self.assertIsNone(RoomTimeline().began(5.0))

    def test_gap_between_two_intervals(self) -> None:
        """A gap runs from the end of recording to its next beginning, with the first reason."""
        timeline = RoomTimeline()
        timeline.began(1.0)
        timeline.ended(2.0, "connection lost")
        timeline.ended(3.0, "reconnect")
        self.assertEqual((timeline.recorded, timeline.problem_since), (False, 2.0))
        self.assertEqual(timeline.began(4.0), Gap(2.0, 4.0, "connection lost"))
        self.assertIsNone(timeline.began(5.0))
        self.assertEqual((timeline.recorded, timeline.problem_since, timeline.since), (True, None, 4.0))

    def test_reason_that_changes(self) -> None:
        """When the cause changes, the gap is cut in two that touch; shown it is one, and counted two."""
        timeline = RoomTimeline()
        timeline.began(1.0)
        self.assertIsNone(timeline.reason_changed(1.5, "x"))
        timeline.ended(2.0, "connection lost")
        self.assertEqual(timeline.reason_changed(3.0, "refused: x"), Gap(2.0, 3.0, "connection lost"))
        self.assertIsNone(timeline.reason_changed(3.5, "refused: x"))
        self.assertEqual(timeline.began(4.0), Gap(3.0, 4.0, "refused: x"))
        self.assertEqual((timeline.gaps(0.0), timeline.count(0.0)), ([[2.0, 4.0]], 2))

    def test_gap_left_by_an_earlier_run(self) -> None:
        """What an earlier run left open is closed when the room is first recorded again."""
        timeline = RoomTimeline()
        timeline.resume(1.0, "restart")
        self.assertEqual(timeline.began(9.0), Gap(1.0, 9.0, "restart"))

    def test_clock_that_stepped_back(self) -> None:
        """A gap never ends before it began, even if the wall clock was set back meanwhile; only what would
        lie in the future is moved."""
        timeline = RoomTimeline()
        timeline.began(1.0)
        timeline.ended(100.0, "connection lost")
        self.assertEqual(timeline.began(50.0), Gap(100.0, 100.0, "connection lost"))
        timeline.ended(90.0, "connection lost")
        timeline.set_back(50.0, 60.0)
        self.assertEqual((timeline.since, timeline.missing_since), (40.0, 40.0))
        timeline.set_back(10.0, 55.0)
        self.assertEqual((timeline.since, timeline.missing_since), (40.0, 40.0))

    def test_first_recorded_before_the_clock_stepped_back(self) -> None:
        """A room that came when the clock was wrong is counted from the time that the clock says now: since
        it is wanted, and since it was recorded for the first time."""
        timeline = RoomTimeline(990.0)
        timeline.set_back(900.0, 100.0)
        self.assertEqual(timeline.seconds(0.0, 110.0), (0.0, 20.0))
        timeline.began(1000.0)
        timeline.set_back(900.0, 105.0)
        self.assertEqual((timeline.first, timeline.since), (100.0, 100.0))
        self.assertEqual(timeline.seconds(0.0, 110.0), (10.0, 0.0))
        timeline.set_back(900.0, 100.0)
        self.assertEqual((timeline.first, timeline.wanted), (100.0, 90.0))

    def test_clock_that_skipped(self) -> None:
        """A gap that was dated behind the time that a clock has skipped began before it."""
        timeline = RoomTimeline()
        timeline.began(1.0)
        timeline.ended(700.0, "connection lost")
        timeline.set_forward(600.0, 90.0)
        self.assertEqual(timeline.began(710.0), Gap(100.0, 710.0, "connection lost"))
        timeline.ended(720.0, "connection lost")
        timeline.set_forward(600.0, 730.0)
        timeline.set_back(600.0, 725.0)
        self.assertEqual((timeline.since, timeline.missing_since), (720.0, 720.0))

    def test_exactly_then(self) -> None:
        """A gap or an interval that begins at the very moment of the clock's new time does not lie in the
        future, and one that begins at the moment of a skip not behind it: both stay."""
        timeline = RoomTimeline(100.0)
        timeline.set_back(10.0, 100.0)
        self.assertEqual(timeline.wanted, 100.0)
        timeline.began(100.0)
        timeline.set_back(10.0, 100.0)
        self.assertEqual(timeline.since, 100.0)
        timeline.ended(200.0, "connection lost")
        timeline.set_back(10.0, 200.0)
        self.assertEqual((timeline.since, timeline.missing_since), (200.0, 200.0))
        timeline.set_forward(10.0, 200.0)
        self.assertEqual((timeline.since, timeline.missing_since), (200.0, 200.0))

    def test_around_another(self) -> None:
        """A loss around a gap that is known is one more gap, and no second counts twice."""
        timeline = RoomTimeline()
        timeline.began(0.0)
        timeline.missed(100.0, 200.0, "connection lost")
        timeline.missed(50.0, 300.0, "disk full")
        self.assertEqual((timeline.count(0.0), timeline.closed(0.0, 1000.0)), (2, 250.0))

    def test_within_what_is_known_in_part(self) -> None:
        """Of a time of which an earlier process lost a part, a new loss counts as far as it may be new: the
        part is taken as spread evenly."""
        timeline = RoomTimeline()
        timeline.lost_earlier(0.0, 100.0, 50.0)
        timeline.missed(20.0, 60.0, "disk full")
        self.assertEqual(timeline.closed(0.0, 100.0), 70.0)
        timeline.missed(90.0, 130.0, "disk full")
        self.assertEqual(timeline.closed(0.0, 200.0), 103.0)

    def test_before_the_first_time(self) -> None:
        """Of the time before a room was recorded first, nothing is recorded and nothing missing."""
        timeline = RoomTimeline()
        timeline.began(100.0)
        self.assertEqual(timeline.seconds(0.0, 50.0), (0.0, 0.0))

    def test_which_gaps_are_shown(self) -> None:
        """A gap that ended at the beginning of what is asked for is not shown; gaps half a minute apart are
        two, and closer ones are shown as one."""
        timeline = RoomTimeline()
        timeline.began(0.0)
        timeline.missed(10.0, 20.0, "connection lost")
        timeline.missed(50.0, 60.0, "connection lost")
        timeline.missed(80.0, 90.0, "connection lost")
        self.assertEqual(timeline.gaps(0.0), [[10.0, 20.0], [50.0, 90.0]])
        self.assertEqual(timeline.gaps(20.0), [[50.0, 90.0]])
        self.assertEqual((timeline.count(20.0), timeline.count(19.0)), (2, 3))

    def test_wanted_always(self) -> None:
        """A room of which nobody says since when it is wanted is wanted since ever."""
        self.assertEqual(RoomTimeline().problem_since, 0.0)

    def test_lost_by_an_earlier_process(self) -> None:
        """What an earlier process lost is missing, however little it is, and never less than it says: if it
        does not fit between the times, it began earlier."""
        for since, seconds, begun in ((100.0, 0.5, 100.0), (100.0, 20.0, 90.0), (80.0, 20.0, 80.0)):
            timeline = RoomTimeline()
            timeline.lost_earlier(since, 110.0, seconds)
            self.assertAlmostEqual(timeline.closed(0.0, 1000.0), seconds)
            self.assertEqual([stretch.start for stretch in timeline.stretches(0.0)], [begun])
        timeline = RoomTimeline()
        timeline.lost_earlier(100.0, 110.0, 0.0)
        self.assertEqual(list(timeline.stretches(0.0)), [])


class AnswerTests(SynchronousTestCase):
    """Seconds, shares, counts, places."""

    def setUp(self) -> None:
        self.now = float(MIDNIGHT)
        self.timeline = RoomTimeline(self.now)
        self.timeline.began(self.now)

    def lose(self, seconds: float) -> None:
        self.timeline.ended(self.now, "connection lost")
        self.now += seconds
        self.timeline.began(self.now)

    def hour(self) -> float:
        return self.timeline.share(self.now - HOUR, self.now)

    def test_nothing_missing(self) -> None:
        """A room that was recorded all the time is covered to 1, from the first moment on."""
        self.assertEqual((self.hour(), self.timeline.count(0), self.timeline.gaps(0)), (1.0, 0, []))
        self.now += 7200
        self.assertEqual(self.hour(), 1.0)

    def test_gap_leaves_the_hour(self) -> None:
        """A gap is part of the last hour for an hour, to the second, and of the day until it is over."""
        self.now += HOUR
        self.lose(360)
        self.assertAlmostEqual(self.hour(), 0.9)
        self.now += 3420
        self.assertAlmostEqual(self.hour(), 0.95)
        self.now += 180
        self.assertEqual(self.hour(), 1.0)
        self.assertAlmostEqual(self.timeline.share(MIDNIGHT, self.now), 1 - 360 / 7560)

    def test_open_gap(self) -> None:
        """A gap counts while it is open; and so does the time in which nothing could be written."""
        self.now += 1800
        self.timeline.ended(self.now, "connection lost")
        self.now += 1800
        self.assertAlmostEqual(self.hour(), 0.5)
        self.assertEqual((self.timeline.count(0), self.timeline.gaps(0)), (1, [[MIDNIGHT + 1800.0, None]]))
        self.now += HOUR
        self.assertEqual(self.hour(), 0.0)
        self.assertEqual(self.timeline.gaps(self.now - HOUR), [[self.now - HOUR, None]])
        self.timeline.began(self.now)
        self.now += 100
        self.assertAlmostEqual(self.timeline.seconds(self.now - 400, self.now, self.now - 50)[1], 350.0)
        self.assertEqual(self.timeline.gaps(self.now - 100, self.now - 50)[-1], [self.now - 50, None])

    def test_room_that_came_late(self) -> None:
        """A room is measured from when it was first recorded; one that never was is missing since it is
        wanted."""
        self.timeline = RoomTimeline(self.now + 100)
        self.now += 110
        self.assertEqual(self.timeline.seconds(MIDNIGHT, self.now), (0.0, 10.0))
        self.assertEqual((self.timeline.share(MIDNIGHT, self.now), self.timeline.count(MIDNIGHT)), (0.0, 1))
        self.assertEqual(self.timeline.gaps(MIDNIGHT), [[MIDNIGHT + 100.0, None]])
        self.timeline.began(self.now)
        self.now += 90
        self.lose(10)
        self.assertEqual(self.timeline.seconds(MIDNIGHT, self.now), (90.0, 10.0))

    def test_earlier_process(self) -> None:
        """Of what an earlier process lost it is known how much it was, and not where."""
        self.timeline = RoomTimeline(self.now + 1800)
        self.timeline.resume(self.now + 1740, "restart")
        self.timeline.lost_earlier(self.now, self.now + 1740, 0.0)
        self.timeline.lost_earlier(self.now, self.now + 1740, 120.0)
        self.now += 1800
        self.timeline.began(self.now)
        self.assertEqual(self.timeline.seconds(MIDNIGHT, self.now), (1620.0, 180.0))
        self.assertEqual(self.timeline.gaps(MIDNIGHT), [[self.now - 60, self.now]])
        self.assertEqual(self.timeline.count(MIDNIGHT), 2)

    def test_gap_of_no_time(self) -> None:
        """A gap that ends where it began is told, and counts nowhere."""
        self.timeline.ended(self.now, "connection lost")
        self.assertEqual(self.timeline.began(self.now), Gap(self.now, self.now, "connection lost"))
        self.assertEqual((self.timeline.count(0), self.timeline.gaps(0), self.hour()), (0, [], 1.0))

    def test_gaps_are_kept_for_a_day(self) -> None:
        """Of a room with many gaps those that are older than a day are forgotten, and all others kept, old
        ones together with others of their hour."""
        for _ in range(120):
            self.now += 850
            self.lose(50)
        kept = list(self.timeline.stretches(0))
        self.assertGreater(kept[0].end, self.now - 25 * HOUR)
        self.assertLess(kept[0].start, self.now - 24 * HOUR)
        self.assertEqual(sum(stretch.gaps for stretch in kept), 100)
        self.assertLess(len(kept), 35)
        self.assertEqual([stretch.gaps for stretch in kept[-4:]], [1, 1, 1, 1])

    def test_places(self) -> None:
        """Gaps lie where they were; one that began before the time that is asked for is cut off there."""
        self.now += 600
        self.lose(120)
        self.now += 600
        self.lose(60)
        self.assertEqual(
            self.timeline.gaps(MIDNIGHT + 660),
            [[MIDNIGHT + 660, MIDNIGHT + 720], [MIDNIGHT + 1320, MIDNIGHT + 1380]],
        )

    def test_memory_is_bounded(self) -> None:
        """A room that comes and goes all day takes no more than a hundred stretches, and its figures of the
        day, of every whole hour and of the last hour stay right."""
        for _ in range(1000):
            self.now += 40
            self.lose(40)
        self.assertLess(len(list(self.timeline.stretches(0))), 100)
        self.assertAlmostEqual(self.timeline.share(MIDNIGHT, self.now), 0.5)
        self.assertEqual(self.timeline.count(MIDNIGHT), 1000)
        self.assertApproximates(self.hour(), 0.5, 0.02)
        self.assertGreater(len(self.timeline.gaps(self.now - HOUR)), 40)
        for hour in range(20):
            since = MIDNIGHT + hour * HOUR
            self.assertApproximates(self.timeline.missing(since, since + HOUR), HOUR / 2, 40)

    @settings(deadline=None)
    @given(
        st.lists(st.tuples(st.integers(0, 9), st.integers(0, 900), st.integers(0, 900)), max_size=14),
        st.integers(0, 5000),
        st.integers(0, 5000),
    )
    def test_every_second(self, steps: list[tuple[int, int, int]], one: int, other: int) -> None:
        """Whatever happens to a room, its figures are those of a list in which every second is marked."""
        timeline = RoomTimeline(MIDNIGHT)
        timeline.began(MIDNIGHT)
        now = opened = 0
        missing: set[int] = set()
        is_open = False
        for kind, length, ago in steps:
            end = now + length
            if kind < 4:
                timeline.began(MIDNIGHT + now)
                missing.update(range(opened, now) if is_open else ())
                is_open = False
            elif kind < 8 and not is_open:
                timeline.ended(MIDNIGHT + now, "x")
                opened, is_open = now, True
            elif kind == 8 and is_open:
                timeline.reason_changed(MIDNIGHT + now, f"reason {now}")
                missing.update(range(opened, now))
                opened = now
            elif kind == 9:
                lost = max(0, now - ago), now
                timeline.missed(MIDNIGHT + lost[0], MIDNIGHT + lost[1], "disk full")
                missing.update(range(*lost))
            now = end
        missing.update(range(opened, now) if is_open else ())
        since, until = sorted((one, other))
        until = min(until, now)
        expected = sum(1 for second in missing if since <= second < until)
        found = timeline.missing(MIDNIGHT + since, MIDNIGHT + until)
        self.assertAlmostEqual(found, expected, 6)
        recorded, lost_seconds = timeline.seconds(MIDNIGHT + since, MIDNIGHT + until)
        self.assertAlmostEqual(recorded + lost_seconds, max(0, until - since), 6)
        shown = timeline.gaps(MIDNIGHT)
        for second in missing:
            at = MIDNIGHT + second
            shows = [start is not None and start <= at and (end is None or at < end) for start, end in shown]
            self.assertTrue(any(shows), (second, shown))

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.integers(1, 400), st.integers(1, 400)), min_size=20, max_size=400))
    def test_whole_hours(self, pattern: list[tuple[int, int]]) -> None:
        """However many gaps there were, the seconds of the day and of every whole hour are exact, but for a
        gap that reaches from an hour into the next."""
        timeline = RoomTimeline(MIDNIGHT)
        timeline.began(MIDNIGHT)
        now = 0
        gaps = []
        for well, gone in pattern:
            timeline.ended(MIDNIGHT + now + well, "x")
            gaps.append((now + well, now + well + gone))
            now += well + gone
            timeline.began(MIDNIGHT + now)

        def missing(since: int, until: int) -> float:
            return sum(max(0, min(end, until) - max(start, since)) for start, end in gaps)

        day = max(0, now - 24 * HOUR)
        if not day:
            found = timeline.missing(MIDNIGHT, MIDNIGHT + now)
            self.assertAlmostEqual(found, missing(0, now), 3)
            self.assertEqual(timeline.count(MIDNIGHT), len(gaps))
        for since in range(day // HOUR * HOUR + HOUR, now, HOUR):
            found = timeline.missing(MIDNIGHT + since, MIDNIGHT + since + HOUR)
            self.assertAlmostEqual(found, missing(since, since + HOUR), 3)


class SpanTests(SynchronousTestCase):
    """When a room was recorded, and when it was missing, as manifests tell it."""

    def both(self, timeline: RoomTimeline, since: float, until: float) -> tuple[list[Any], list[Any]]:
        return list(timeline.spans(since, until)), list(timeline.absences(since, until))

    def test_never_recorded(self) -> None:
        """It is missing since it is wanted."""
        self.assertEqual(self.both(RoomTimeline(100.0), 50.0, 200.0), ([], [(100.0, 200.0)]))

    def test_before_it_came(self) -> None:
        """The time before a room was recorded first is neither."""
        timeline = RoomTimeline(90.0)
        timeline.began(100.0)
        self.assertEqual(self.both(timeline, 0.0, 200.0), ([(100.0, 200.0)], []))

    def test_between_gaps(self) -> None:
        """What is recorded and what is missing are all of the time, without what has no length."""
        timeline = RoomTimeline()
        timeline.began(100.0)
        timeline.missed(120.0, 130.0, "disk full")
        timeline.ended(150.0, "connection lost")
        for since, until, recorded, missing in (
            (110.0, 200.0, [(110.0, 120.0), (130.0, 150.0)], [(120.0, 130.0), (150.0, 200.0)]),
            (120.0, 130.0, [], [(120.0, 130.0)]),
            (130.0, 140.0, [(130.0, 140.0)], []),
            (100.0, 110.0, [(100.0, 110.0)], []),
            (150.0, 160.0, [], [(150.0, 160.0)]),
        ):
            self.assertEqual(self.both(timeline, since, until), (recorded, missing), (since, until))

    def test_earlier_process(self) -> None:
        """An earlier process recorded it until then: from the beginning, or since it came."""
        for first, recorded in ((None, [(0.0, 50.0)]), (20.0, [(20.0, 50.0)])):
            timeline = RoomTimeline()
            timeline.resume(50.0, "restart", first)
            self.assertEqual(self.both(timeline, 0.0, 80.0), (recorded, [(50.0, 80.0)]))

    def test_stretches(self) -> None:
        """They are in order, however they were found, and only those that reach beyond the time."""
        timeline = RoomTimeline()
        timeline.began(0.0)
        timeline.missed(50.0, 60.0, "clock")
        timeline.missed(10.0, 20.0, "clock")
        self.assertEqual([stretch.start for stretch in timeline.stretches(0.0)], [10.0, 50.0])
        self.assertEqual([stretch.start for stretch in timeline.stretches(20.0)], [50.0])

    def test_no_more_is_folded_than_must_be(self) -> None:
        """Of many young gaps as many are kept apart as there is room for."""
        timeline = RoomTimeline()
        timeline.began(0.0)
        for n in range(120):
            timeline.missed(n * 10.0, n * 10.0 + 1.0, "connection lost")
        self.assertEqual((len(list(timeline.stretches(0.0))), timeline.count(0.0)), (MOST, 120))
        around = RoomTimeline()
        around.began(0.0)
        for n in range(MOST):
            around.missed(n * 10.0 + 1.0, n * 10.0 + 2.0, "connection lost")
        around.missed(0.0, MOST * 10.0, "overflow")
        self.assertEqual((len(list(around.stretches(0.0))), around.closed(0.0, 9e9)), (MOST, MOST * 10.0))

    def test_folded_within_its_hour(self) -> None:
        """Old gaps are folded, and each hour keeps the seconds that it missed."""
        timeline = RoomTimeline()
        timeline.began(0.0)
        for hour in range(10):
            timeline.missed(hour * 3600.0 + 60.0, hour * 3600.0 + 120.0, "connection lost")
            timeline.missed(hour * 3600.0 + 3480.0, hour * 3600.0 + 3540.0 + hour, "connection lost")
        self.assertLess(len(list(timeline.stretches(0.0))), timeline.count(0.0))
        for hour in range(10):
            self.assertEqual(timeline.closed(hour * 3600.0, (hour + 1) * 3600.0), 120.0 + hour)

    def test_parts_around_another(self) -> None:
        """Each part of a loss is as long as it is, and one that is known already is no second one."""
        timeline = RoomTimeline()
        timeline.began(0.0)
        timeline.missed(40.0, 50.0, "connection lost")
        timeline.missed(30.0, 70.0, "overflow")
        missing = [(stretch.start, stretch.end, stretch.missing) for stretch in timeline.stretches(0.0)]
        self.assertEqual(missing, [(30.0, 40.0, 10.0), (40.0, 50.0, 10.0), (50.0, 70.0, 20.0)])
        again = RoomTimeline()
        again.began(0.0)
        for _ in range(2):
            again.missed(40.0, 50.0, "connection lost")
        self.assertEqual(again.count(0.0), 1)

    def test_shown_to_a_tenth(self) -> None:
        """The gaps that are shown begin and end at tenths of a second."""
        timeline = RoomTimeline()
        timeline.began(0.0)
        timeline.missed(100.04, 101.06, "connection lost")
        timeline.missed(110.0, 111.16, "connection lost")
        timeline.missed(200.12, 210.18, "connection lost")
        timeline.ended(300.12, "connection lost")
        self.assertEqual(timeline.gaps(0.0), [[100.0, 111.2], [200.1, 210.2], [300.1, None]])

    def test_not_wanted_yet(self) -> None:
        """A room misses nothing before it is wanted."""
        self.assertEqual(RoomTimeline(100.0).seconds(0.0, 50.0), (0.0, 0.0))

    def test_less_than_a_second(self) -> None:
        """The share of a moment is right too."""
        timeline = RoomTimeline()
        timeline.began(100.0)
        timeline.missed(100.0, 100.25, "clock")
        self.assertEqual(timeline.share(100.0, 100.5), 0.5)


class IntervalTests(SynchronousTestCase):
    """What several connections of one room had between them."""

    def intervals(self, *past: tuple[float, float]) -> ConnectionIntervals:
        intervals = ConnectionIntervals()
        for start, end in past:
            intervals.ended(start, end)
        return intervals

    def test_after_a_time(self) -> None:
        """What ended exactly then did not end after it."""
        self.assertEqual(self.intervals((1, 9), (1, 10), (2, 11)).after(10), [(2, 11)])

    def test_parts_that_no_connection_had(self) -> None:
        """Whatever lies outside of every interval is uncovered, in order; intervals may touch, overlap and
        lie within each other, and come in any order."""
        table: list[tuple[list[tuple[float, float]], list[float], list[tuple[float, float]]]] = [
            ([], [], [(10, 20)]),
            ([(0, 20)], [], []),
            ([(0, 30)], [], []),
            ([(0, 10)], [], [(10, 20)]),
            ([(20, 30)], [], [(10, 20)]),
            ([(12, 14), (16, 18)], [], [(10, 12), (14, 16), (18, 20)]),
            ([(16, 18), (12, 14)], [], [(10, 12), (14, 16), (18, 20)]),
            ([(0, 15), (12, 13), (13, 17)], [], [(17, 20)]),
            ([(0, 12)], [15], [(12, 15)]),
            ([(0, 12)], [12], []),
            ([], [20], [(10, 20)]),
            ([], [25], [(10, 20)]),
            ([(22, 30)], [], [(10, 20)]),
            ([], [0], []),
            ([(11, 13)], [18, 12], [(10, 11)]),
        ]
        for past, present, expected in table:
            self.assertEqual(self.intervals(*past).uncovered(10, 20, present), expected, (past, present))

    def test_nothing_to_cover(self) -> None:
        """Of no time nothing is missing."""
        self.assertEqual(self.intervals().uncovered(10, 10), [])
        self.assertEqual(self.intervals().uncovered(11, 10, [0]), [])

    def test_memory_is_bounded(self) -> None:
        """A connection that comes and goes for ever makes nothing grow; the latest intervals count."""
        intervals = self.intervals(*((n, n + 0.5) for n in range(1000)))
        self.assertLess(len(intervals.after(0)), 50)
        self.assertEqual(intervals.uncovered(998.5, 1000), [(998.5, 999), (999.5, 1000)])
