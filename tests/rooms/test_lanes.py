"""Two lanes: every room on two connections, of which one may always be lost."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from chatlog.rooms.connection import Connection
from chatlog.rooms.pool import Pool
from chatlog.rooms.subscriptions import State
from chatlog.timeline.timeline import Gap
from tests.rooms.test_pool import PoolCase


class LaneCase(PoolCase):
    """``one`` and ``other`` are the connections of the two lanes of a pool with few rooms."""

    one: Connection
    other: Connection

    def recording(self, rooms: int = 1) -> Pool:
        pool = self.make(rooms, lanes=2)
        self.run_for(3)
        self.all_recorded(pool)
        self.one, self.other = self.links
        return pool

    def back(self, pool: Pool, link: Connection) -> None:
        self.up(pool, link)
        for name in list(link.subscriptions):
            pool.acknowledged(link, name)

    def at(self, seconds: float) -> float:
        return self.START + seconds

    def until(self, seconds: float) -> None:
        self.run_for(seconds - self.clock.seconds())


class HalfOpenTests(LaneCase):
    """A connection that is dead counts as recording until it is found out. What is missing is what the
    other one did not have in the meantime."""

    def test_dead_lane_beside_a_living_one(self) -> None:
        """If the other lane was there all the time, nothing is missing."""
        pool = self.recording()
        self.until(60)
        self.played.down(self.one, self.at(20), "connection lost")
        self.assertTrue(pool.rooms["room0"].timeline.recorded)
        self.back(pool, self.one)
        self.assertEqual(self.gaps, [])

    def test_other_lane_was_away_in_the_meantime(self) -> None:
        """If the other lane was away while this one was dead already, that is a gap of just that time,
        written down as soon as it is known."""
        pool = self.recording()
        self.until(20)
        self.played.down(self.other, self.at(20), "connection lost")
        self.until(25)
        self.back(pool, self.other)
        self.assertEqual(self.gaps, [])
        self.until(50)
        self.played.down(self.one, self.at(10), "connection lost")
        self.assertEqual(self.gaps, [("room0", Gap(self.at(20), self.at(25), "connection lost"))])
        self.assertTrue(pool.rooms["room0"].timeline.recorded)
        self.assertIn("room0", pool.changed)

    def test_other_lane_went_away_and_stayed_away(self) -> None:
        """If the other lane was lost last, the gap begins with its loss and not with the death of the
        first."""
        pool = self.recording()
        self.until(30)
        self.played.down(self.other, self.at(30), "connection lost")
        self.until(50)
        self.played.down(self.one, self.at(10), "connection lost")
        self.assertFalse(pool.rooms["room0"].timeline.recorded)
        self.until(55)
        self.back(pool, self.other)
        self.assertEqual(self.gaps, [("room0", Gap(self.at(30), self.at(55), "connection lost"))])

    def test_both_die_together(self) -> None:
        """When the network goes, both lanes die; the gap begins with the last byte of the later one,
        whichever is found out first."""
        for first, second in ((0, 1), (1, 0)):
            pool = self.recording()
            lanes = [self.one, self.other]
            self.until(50)
            self.played.down(lanes[first], self.at(10 + first), "connection lost")
            self.until(52)
            self.played.down(lanes[second], self.at(10 + second), "connection lost")
            self.until(60)
            self.back(pool, self.one)
            self.assertEqual(self.gaps, [("room0", Gap(self.at(11), self.at(60), "connection lost"))])
            self.until(61)
            self.back(pool, self.other)
            self.assertEqual(len(self.gaps), 1)

    def test_lane_that_flaps_beside_a_dead_one(self) -> None:
        """Several gaps come to light at once, each with its own ends; the time between them, in which
        the other lane recorded, is in none of them."""
        pool = self.recording()
        for away, back in ((20, 22), (30, 33)):
            self.until(away)
            self.played.down(self.other, self.at(away - 0.5), "connection lost")
            self.until(back)
            self.back(pool, self.other)
        self.until(40)
        self.played.down(self.other, self.at(40), "connection lost")
        self.until(50)
        self.played.down(self.one, self.at(10), "connection lost")
        self.until(51)
        self.back(pool, self.one)
        self.assertEqual(
            [(gap.start - self.START, gap.end - self.START) for _, gap in self.gaps],
            [(19.5, 22.0), (29.5, 33.0), (40.0, 51.0)],
        )

    def test_wall_clock_that_is_set_back(self) -> None:
        """How long the other lane has been there is not measured by the wall clock: set back, it makes
        no gap out of nothing."""
        self.recording()
        self.until(30)
        self.START -= 3600.0
        self.until(40)
        self.played.down(self.one, self.wall() - 15.0, "connection lost")
        self.assertEqual(self.gaps, [])


class TruthTests(LaneCase):
    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(
            st.lists(
                st.tuples(st.integers(1, 40), st.integers(0, 40), st.integers(1, 20)), min_size=1, max_size=6
            ),
            min_size=2,
            max_size=2,
        )
    )
    def test_holes_are_the_truth(self, lives: list[list[tuple[int, int, int]]]) -> None:
        """However two connections live and die, and however late each death is found out: the gaps are
        exactly the times in which neither of them was alive, and none is told twice."""
        pool = self.make(1, lanes=2)
        self.run_for(3)
        began = int(self.clock.seconds())
        events: list[tuple[int, int, int | None]] = []
        alive: set[int] = set()
        for lane, life in enumerate(lives):
            at = began
            for lived, unnoticed, away in life:
                events.append((at, lane, None))
                alive.update(range(at, at + lived))
                events.append((at + lived + unnoticed, lane, at + lived))
                at += lived + unnoticed + away
            events.append((at, lane, None))
        for at, lane, died in sorted(events, key=lambda event: event[:2]):
            self.clock.advance(at - self.clock.seconds())
            link = self.links[lane]
            if died is None:
                self.back(pool, link)
            else:
                self.played.down(link, self.at(died), "connection lost")
        missing: list[int] = []
        for _, gap in self.gaps:
            missing += range(round(gap.start - self.START), round(gap.end - self.START))
        self.assertTrue(pool.rooms["room0"].timeline.recorded)
        self.assertEqual(len(missing), len(set(missing)))
        # Nothing is lost any more once one of the lanes is there to stay.
        finals = [max(at for at, lane, _ in events if lane == n) for n in (0, 1)]
        expected = {second for second in range(began, min(finals)) if second not in alive}
        self.assertEqual(set(missing), expected)


class OneLaneTests(LaneCase):
    """What befalls a room on one lane only is repaired there, and the other lane goes on."""

    def test_refused_on_one_lane(self) -> None:
        """A refusal on one lane leaves the room recorded; the lane asks again later, elsewhere on the
        same lane, and there is no gap."""
        pool = self.recording(rooms=2)
        self.played.down(self.other, self.wall(), "connection lost")
        self.up(pool, self.other)
        pool.acknowledged(self.other, "room1")
        pool.refused(self.other, "room0", "msg_banned")
        self.assertEqual(pool.states(), {State.RECORDED: 2})
        self.run_for(310)
        elsewhere = self.links[2]
        self.assertEqual(elsewhere.lane, self.other.lane)
        self.back(pool, elsewhere)
        self.assertEqual([each.state for each in pool.rooms["room0"].subscriptions], [State.RECORDED] * 2)
        self.assertEqual(self.gaps, [])

    def test_silent_on_one_lane(self) -> None:
        """The same if the server leaves one of the two requests without an answer."""
        pool = self.make(1, lanes=2)
        self.run_for(3)
        one, other = self.links
        self.back(pool, one)
        self.up(pool, other)
        self.run_for(35)
        self.assertEqual(
            {each.state for each in pool.rooms["room0"].subscriptions}, {State.RECORDED, State.SILENT}
        )
        self.run_for(60)
        self.assertEqual(len(self.links), 3)
        self.back(pool, self.links[2])
        self.assertEqual(self.gaps, [])
        self.assertEqual({each.connection.lane for each in pool.rooms["room0"].subscriptions}, {0, 1})

    def test_parted_on_one_lane(self) -> None:
        """A room that the server takes away on one lane is still recorded by the other."""
        pool = self.recording()
        pool.parted(self.one, "room0")
        self.assertTrue(pool.rooms["room0"].timeline.recorded)
        self.run_for(40)
        self.up(pool, self.links[2])
        pool.acknowledged(self.links[2], "room0")
        self.assertEqual(self.gaps, [])

    def test_parted_on_both_lanes(self) -> None:
        """Taken away on both, the gap begins when the second one goes."""
        pool = self.recording()
        self.until(10)
        pool.parted(self.one, "room0")
        self.until(12)
        pool.parted(self.other, "room0")
        self.until(50)
        for link in self.links[2:]:
            self.back(pool, link)
        self.assertEqual(self.gaps, [("room0", Gap(self.at(12), self.at(50), "parted by the server"))])

    def test_reconnect_on_one_lane(self) -> None:
        """When a server announces that it closes one lane, that lane moves to a new connection; every
        room has two seats again at the end, and never had none."""
        pool = self.recording(rooms=3)
        self.one.asked_to_leave()
        new = self.links[2]
        self.assertEqual(new.lane, self.one.lane)
        self.back(pool, new)
        self.run_for(4)
        self.assertIn(("close",), self.played.calls(self.one))
        self.played.down(self.other, self.wall(), "connection lost")
        self.assertEqual(pool.states(), {State.RECORDED: 3})
        self.back(pool, self.other)
        for room in pool.rooms.values():
            self.assertEqual({each.connection for each in room.subscriptions}, {new, self.other})
        self.assertEqual(self.gaps, [])

    def test_both_announce_at_once(self) -> None:
        """Both connections may be asked to reconnect at the same moment."""
        pool = self.recording(rooms=2)
        self.one.asked_to_leave()
        self.other.asked_to_leave()
        for link in self.links[2:]:
            self.back(pool, link)
        for link in (self.one, self.other):
            self.played.down(link, self.wall(), "reconnect")
        self.assertEqual({link.lane for link in pool.connections}, {0, 1})
        self.assertEqual(pool.states(), {State.RECORDED: 2})
        self.assertEqual(self.gaps, [])


class RoomTests(LaneCase):
    def test_every_room_once_before_any_room_twice(self) -> None:
        """At the start the first lane opens and joins before the second: rooms are recorded as early as
        with one lane."""
        pool = self.make(100, per_link=50, requests=20, lanes=2)
        asked: list[tuple[int, object]] = []
        for _ in range(4 * 120):
            self.clock.advance(0.25)
            for link in self.links:
                if ("open",) in self.played.calls(link) and not link.up:
                    self.up(pool, link)
                new = [name for name in self.played.asked(link) if (link.number, name) not in asked]
                asked += [(link.number, name) for name in new]
                for name in new:
                    pool.acknowledged(link, str(name))
        self.assertEqual(len(asked), 200)
        self.assertEqual(len({name for _, name in asked[:100]}), 100)

    def test_lost_room_overtakes(self) -> None:
        """A room that nobody records is asked for before rooms that only lack their second connection,
        even if its request had been waiting behind them."""
        pool = self.make(40, requests=20, lanes=2)
        self.run_for(3)
        one, other = self.links
        self.up(pool, one)
        for _ in range(60):
            for name in self.played.asked(one):
                pool.acknowledged(one, str(name))
            self.run_for(1)
        self.up(pool, other)
        self.assertEqual(len(self.played.asked(other)), 20)
        self.assertNotIn("room39", self.played.asked(other))
        pool.parted(one, "room39")
        self.run_for(11)
        self.assertEqual(self.played.asked(other)[20], "room39")

    def test_copies_are_looked_for_all_the_time(self) -> None:
        """With two lanes every room is watched for copies from the beginning, however long."""
        pool = self.recording(rooms=2)
        self.run_for(300)
        for room in pool.rooms.values():
            self.assertIsNotNone(room.duplicates)

    def test_removed(self) -> None:
        """A removed room is left on both lanes, and its neighbours stay on both."""
        pool = self.recording(rooms=2)
        room = pool.remove("room0")
        assert room is not None
        for link in (self.one, self.other):
            self.assertIn(("leave", "room0"), self.played.calls(link))
            self.assertEqual(list(link.subscriptions), ["room1"])
        self.assertIsNone(room.duplicates)
        self.assertEqual(self.gaps, [])


class StopTests(LaneCase):
    """What a connection had to say that nobody heard, at the end."""

    def test_connection_that_answers(self) -> None:
        """A connection that takes part in its end was heard until then: what comes is the restart's."""
        pool = self.make(1)
        self.all_recorded(pool)
        self.until(60)
        pool.stopService()
        self.played.down(self.links[0], self.at(40), "closed")
        coverage = pool.rooms["room0"].timeline
        self.assertEqual((coverage.missing_since, coverage.reason), (self.at(60), "restart"))

    def test_connection_that_does_not_answer(self) -> None:
        """One that does not was perhaps dead: nothing is sure after its last byte."""
        pool = self.make(1)
        self.all_recorded(pool)
        self.until(60)
        pool.stopService()
        self.played.wire(self.links[0]).answers = False
        self.played.down(self.links[0], self.at(40), "closed")
        coverage = pool.rooms["room0"].timeline
        self.assertEqual((coverage.missing_since, coverage.reason), (self.at(40), "connection lost"))

    def test_end_that_does_not_come_in_time(self) -> None:
        """The same if nobody waits any longer for the connection to end."""
        pool = self.make(1)
        self.all_recorded(pool)
        self.until(60)
        link = self.links[0]
        wire = self.played.wire(link)
        wire.endless, wire.last = True, self.at(53)
        stopped = pool.stopService()
        stopped.cancel()
        self.successResultOf(stopped)
        timeline = pool.rooms["room0"].timeline
        self.assertEqual((timeline.missing_since, timeline.reason), (self.at(53), "connection lost"))

    def test_dead_lane_at_the_end(self) -> None:
        """With a second lane that answers, nothing is missing before the end, whichever ends first."""
        for dead_first in (True, False):
            pool = self.recording()
            self.until(60)
            pool.stopService()
            self.played.wire(self.one).answers = False
            for link in (self.one, self.other) if dead_first else (self.other, self.one):
                heard = self.at(20) if link is self.one else self.at(59)
                self.played.down(link, heard, "closed")
            coverage = pool.rooms["room0"].timeline
            self.assertEqual((coverage.missing_since, self.gaps), (self.at(60), []))
