"""The pool between its connections and everybody else: what it tells, whom it asks, what it leaves alone."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatlog.rooms.connection import Phase
from chatlog.rooms.pool import Pool, RoomEvents
from chatlog.rooms.subscriptions import Room, State
from chatlog.timeline.timeline import Gap
from tests.fakes import environment
from tests.played import LIMITS, Played, nothing
from tests.rooms.test_lanes import LaneCase
from tests.rooms.test_pool import PoolCase


class ToldTests(PoolCase):
    """What others hear of the rooms."""

    def test_life_of_a_room(self) -> None:
        """Others hear when a room is added, is no longer recorded, and is removed; whoever looks only at what
        has changed misses nothing."""
        pool = self.make(1)
        self.assertEqual(self.told, [("added", "twitch", "room0")])
        self.assertEqual(pool.changed, set())
        self.all_recorded(pool)
        self.assertEqual(pool.changed, {"room0"})
        for lose in (
            lambda: self.played.down(self.links[0], self.wall()),
            lambda: pool.parted(self.links[0], "room0"),
            lambda: pool.refused(self.links[0], "room0", "msg_banned"),
        ):
            pool.changed.clear()
            self.told.clear()
            lose()
            self.assertEqual((self.told, pool.changed), ([("uncovered", "twitch", "room0")], {"room0"}))
            pool.changed.clear()
            if not self.links[0].up:
                self.up(pool, self.links[0])
            pool.acknowledged(self.links[0], "room0")
            self.assertEqual(pool.changed, {"room0"})
        pool.changed.clear()
        self.told.clear()
        pool.remove("room0")
        self.assertEqual((self.told, pool.changed), ([("removed", "twitch", "room0")], {"room0"}))

    def test_another_reason(self) -> None:
        """A room that is missing for another reason now has changed, and the part before is told."""
        pool = self.make(1)
        self.all_recorded(pool)
        self.run_for(5)
        self.played.down(self.links[0], self.wall())
        self.run_for(5)
        self.up(pool, self.links[0])
        pool.changed.clear()
        pool.refused(self.links[0], "room0", "tos_ban")
        self.assertEqual(pool.changed, {"room0"})
        self.assertEqual(self.gaps, [("room0", Gap(self.START + 5, self.START + 10, "connection lost"))])

    def test_one_lane_of_two(self) -> None:
        """A room that loses one connection of two has changed, but is recorded all the same."""
        pool = self.make(1, lanes=2)
        self.all_recorded(pool)
        pool.changed.clear()
        self.told.clear()
        self.played.down(self.links[0], self.wall())
        self.assertEqual((pool.changed, self.told), ({"room0"}, []))

    def test_known_already(self) -> None:
        """A server that acknowledges a room again says nothing new."""
        pool = self.make(1)
        self.all_recorded(pool)
        pool.changed.clear()
        since = pool.rooms["room0"].recorded_since(1)
        self.run_for(10)
        pool.acknowledged(self.links[0], "room0")
        self.assertEqual(pool.rooms["room0"].recorded_since(1), since)
        self.assertEqual(pool.changed, set())

    def test_rooms_of_nobody(self) -> None:
        """What a server says of a room that was not asked for there changes nothing."""
        pool = self.make(1)
        self.all_recorded(pool)
        pool.refused(self.links[0], "stranger", "msg_banned")
        pool.parted(self.links[0], "stranger")
        self.assertEqual((list(pool.rooms), pool.states()), (["room0"], {State.RECORDED: 1}))


class AskedTests(PoolCase):
    """When which room is asked for, and when it is left."""

    def times(self, name: str) -> list[int]:
        """How often the room was asked for on each connection."""
        return [self.played.asked(link).count(name) for link in self.links]

    def test_added_later(self) -> None:
        """A room that is added is asked for at once, where a connection has a place for it."""
        pool = self.make(1)
        self.all_recorded(pool)
        pool.add(Room("late", records=None))  # type: ignore[arg-type]
        self.clock.advance(0)
        self.assertEqual(self.played.asked(self.links[0]), ["room0", "late"])

    def test_refused_room_of_a_lost_connection(self) -> None:
        """A refused room waits for its time, also if its connection is lost and comes back meanwhile."""
        pool = self.make(2)
        link = self.links[0]
        self.up(pool, link)
        pool.acknowledged(link, "room0")
        pool.refused(link, "room1", "msg_banned")
        self.run_for(10)
        self.played.down(link, self.wall())
        self.assertIs(pool.rooms["room1"].state, State.REFUSED)
        self.up(pool, link)
        self.run_for(10)
        self.assertEqual((self.times("room0"), self.times("room1")), ([2], [1]))
        self.run_for(285)
        self.assertEqual(pool.rooms["room1"].subscriptions[0].connection, self.links[1])

    def test_lost_before_the_answer(self) -> None:
        """A request that was under way when its connection was lost is repeated on the new one, which has its
        full time to answer."""
        pool = self.make(3, requests=2)
        link = self.links[0]
        self.up(pool, link)
        self.played.down(link, self.wall())
        self.assertEqual(pool.states(), {State.WANTED: 3})
        self.run_for(20)
        self.up(pool, link)
        self.run_for(11)
        self.assertEqual(self.played.asked(link), ["room0", "room1", "room0", "room1", "room2"])
        self.assertEqual(pool.states(), {State.REQUESTED: 3})

    def test_no_answer(self) -> None:
        """A request without an answer counts as silent after thirty seconds, and is repeated after thirty
        more: on another connection, and the first is told that it is over."""
        pool = self.make(1)
        link = self.links[0]
        self.up(pool, link)
        self.run_for(29.75)
        self.assertIs(pool.rooms["room0"].state, State.REQUESTED)
        self.run_for(0.25)
        self.assertIs(pool.rooms["room0"].state, State.SILENT)
        self.run_for(29.75)
        self.assertNotIn(("leave", "room0"), self.played.calls(link))
        self.run_for(0.25)
        self.assertEqual([each.connection for each in pool.rooms["room0"].subscriptions], [self.links[1]])
        self.assertEqual(self.played.calls(link).count(("leave", "room0")), 1)
        # The answer comes after all.
        pool.acknowledged(link, "room0")
        self.assertEqual(self.played.calls(link).count(("leave", "room0")), 1)
        self.assertEqual(pool.states(), {State.WANTED: 1})

    def test_connection_that_is_gone(self) -> None:
        """A room that moves away from a connection that is down leaves nothing there."""
        pool = self.make(1)
        link = self.links[0]
        self.up(pool, link)
        pool.refused(link, "room0", "msg_banned")
        self.played.down(link, self.wall())
        self.run_for(301)
        self.assertEqual([each.connection for each in pool.rooms["room0"].subscriptions], [self.links[1]])
        self.up(pool, link)
        self.assertNotIn(("leave", "room0"), self.played.calls(link))

    def test_silent_on_a_connection_that_retires(self) -> None:
        """A room without an answer is asked for again where it is while its connection retires, for it has a
        place on the next one already."""
        pool = self.make(2)
        old = self.links[0]
        self.up(pool, old)
        pool.acknowledged(old, "room0")
        self.run_for(31)
        old.asked_to_leave()
        self.run_for(31)
        self.assertEqual(self.played.asked(old).count("room1"), 2)
        self.assertNotIn(("leave", "room1"), self.played.calls(old))
        self.assertEqual(
            [each.connection for each in pool.rooms["room1"].subscriptions], [old, self.links[1]]
        )

    def test_removed_in_time(self) -> None:
        """A room that is removed before it was asked for is neither asked for nor left; one that was asked
        for is left, and nobody waits for its answer."""
        pool = self.make(3, requests=2)
        link = self.links[0]
        self.up(pool, link)
        for name in ("room1", "room2"):
            pool.remove(name)
        with capturedLogs() as logged:
            self.run_for(40)
        self.assertEqual(self.played.asked(link), ["room0", "room1"])
        left = [call for call in self.played.calls(link) if call[0] == "leave"]
        self.assertEqual(left[:1], [("leave", "room1")])
        self.assertNotIn(("leave", "room2"), left)
        self.assertEqual([event["room"] for event in logged if "room" in event], ["room0"])

    def test_hurry(self) -> None:
        """Rooms that somebody else has as well can wait for the others; who knows that one cannot hurries it.
        Rooms that are not there are passed over."""
        pool = self.make(0, requests=1)
        pool.is_elsewhere = lambda name: name != "room2"
        for n in range(4):
            pool.add(Room(f"room{n}", records=None))  # type: ignore[arg-type]
        link = self.links[0]
        self.up(pool, link)
        self.assertEqual(self.played.asked(link), ["room2"])
        pool.hurry(["stranger", "room3"])
        self.run_for(40)
        self.assertEqual(self.played.asked(link), ["room2", "room3", "room0", "room1"])

    def test_nobody_else(self) -> None:
        """Where nobody else records, no room that is missing waits for those that lack a second
        connection."""
        pool = self.make(2, requests=1, lanes=2)
        self.run_for(3)
        one, other = self.links
        self.up(pool, other)
        pool.acknowledged(other, "room0")
        self.up(pool, one)
        self.run_for(22)
        self.assertEqual((self.played.asked(other), self.played.asked(one)), (["room0", "room1"], ["room1"]))

    def test_shared_budget(self) -> None:
        """So many recorders share one budget: each asks for its part of the rooms, and for one at least."""
        for among, expected in ((1, 12), (2, 6), (5, 2), (100, 1)):
            pool = self.make(20, requests=12)
            pool.share_requests(among)
            self.up(pool, self.links[0])
            self.run_for(5)
            self.assertEqual(len(self.played.asked(self.links[0])), expected)

    def test_copies_on_demand(self) -> None:
        """Copies are looked for where they are expected, for as long as that."""
        pool = self.make(2)
        self.all_recorded(pool)
        self.run_for(5)
        room = pool.rooms["room0"]
        pool.expect_copies(room, 10.0)
        self.run_for(9)
        self.assertIsNotNone(room.duplicates)
        self.assertIsNone(pool.rooms["room1"].duplicates)
        self.run_for(2)
        self.assertIsNone(room.duplicates)


class RetiringTests(LaneCase):
    """Connections that are given up."""

    def test_closed_when_its_last_room_has_moved(self) -> None:
        """A connection that retires is closed three seconds after its last room has moved, for events under
        way; not as long as one room is still there."""
        for rooms in (1, 2):
            pool = self.make(rooms)
            old = self.links[0]
            self.all_recorded(pool)
            old.asked_to_leave()
            new = self.links[1]
            self.up(pool, new)
            pool.acknowledged(new, "room0")
            if rooms == 2:
                self.run_for(20)
                self.assertNotIn(("close",), self.played.calls(old))
                pool.acknowledged(new, "room1")
            self.run_for(2.75)
            self.assertNotIn(("close",), self.played.calls(old))
            self.run_for(0.25)
            self.assertIn(("close",), self.played.calls(old))
            self.assertEqual(pool.states(), {State.RECORDED: rooms})

    def test_emptied(self) -> None:
        """A connection whose rooms are removed stays if it is the only one."""
        pool = self.make(1)
        self.all_recorded(pool)
        pool.remove("room0")
        self.run_for(10)
        self.assertNotIn(("close",), self.played.calls(self.links[0]))

    def test_gone_for_good(self) -> None:
        """A connection that the server closes before its rooms have moved is not there any more, and its
        rooms are on the next one alone; one that comes back keeps its rooms."""
        pool = self.make(1)
        old = self.links[0]
        self.all_recorded(pool)
        self.played.down(old, self.wall())
        self.assertEqual(pool.connections, [old])
        self.all_recorded(pool)
        old.asked_to_leave()
        self.played.down(old, self.wall())
        self.assertEqual(pool.connections, [self.links[1]])
        self.assertEqual([each.connection for each in pool.rooms["room0"].subscriptions], [self.links[1]])

    def test_what_it_had(self) -> None:
        """What a connection had before it was given up is not missing when the other lane is found dead."""
        pool = self.recording()
        self.until(10)
        self.one.asked_to_leave()
        self.until(20)
        self.back(pool, self.links[2])
        self.until(30)
        self.played.down(self.other, self.at(15), "connection lost")
        self.assertEqual(self.gaps, [])

    def test_what_it_had_not(self) -> None:
        """What it did not have any more is."""
        pool = self.recording()
        self.until(10)
        self.one.asked_to_leave()
        self.until(20)
        self.played.down(self.one, self.at(12), "connection lost")
        self.until(22)
        self.back(pool, self.links[2])
        self.until(30)
        self.played.down(self.other, self.at(15), "connection lost")
        self.assertEqual(self.gaps, [("room0", Gap(self.at(15), self.at(22), "connection lost"))])


class ServiceTests(PoolCase):
    """A pool that is started and stopped."""

    def test_name(self) -> None:
        """It has the platform's name, by which the log speaks of it."""
        pool = self.make(0)
        self.assertEqual((pool.name, pool.platform), ("twitch", "twitch"))

    def test_stopped(self) -> None:
        """A pool that is stopped ends every connection, also those that wait for their turn, and does nothing
        any more."""
        pool = self.make(4, per_link=2, requests=1)
        self.assertTrue(pool.running)
        self.up(pool, self.links[0])
        self.successResultOf(pool.stopService())
        self.assertEqual((pool.running, pool.connections), (False, []))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertIn(("close",), self.played.calls(self.links[0]))
        self.assertIs(self.links[1].phase, Phase.CLOSED)

    def test_never_started(self) -> None:
        """One that was never started can be stopped."""
        pool = Played(float).pool(environment(Clock()))
        self.successResultOf(pool.stopService())

    def test_checks(self) -> None:
        """Every connection is looked after once a second. After the machine slept, none is judged by its
        silence before what has arrived meanwhile is read."""
        pool = self.make(1)
        self.all_recorded(pool)
        checks = self.played.calls(self.links[0])
        checks.clear()
        self.run_for(10)
        self.assertEqual(checks.count(("check",)), 10)
        checks.clear()
        self.clock.advance(60)
        self.run_for(1.75)
        self.assertNotIn(("check",), checks)
        self.run_for(2)
        self.assertIn(("check",), checks)


class ProgressTests(PoolCase):
    """What the log says while rooms are asked for."""

    def lines(self, pool: Pool, acknowledged: str, seconds: float) -> list[str]:
        """The lines about how many rooms are recorded, in the seconds after this acknowledgement."""
        with capturedLogs() as logged:
            pool.acknowledged(self.links[0], acknowledged)
            self.run_for(seconds)
        return [line for event in logged if (line := formatEvent(event)) and "recording" in line]

    def test_while_rooms_wait(self) -> None:
        """As long as more rooms are about to be asked for, a line every half minute is enough; with the last
        one there is a line."""
        pool = self.make(3, requests=1)
        self.up(pool, self.links[0])
        self.assertEqual(self.lines(pool, "room0", 11), [])
        self.assertEqual(self.lines(pool, "room1", 8), [])
        self.assertEqual(self.lines(pool, "room1", 3), ["twitch: recording 2 of 3 rooms on 1 connection"])


class ListTests(SynchronousTestCase):
    """Rooms on the list that are not in the pool."""

    def test_none(self) -> None:
        """Where every room can be joined by its name, there are none."""
        clock = Clock()
        events = RoomEvents(nothing, nothing, nothing, nothing)
        pool = Pool("twitch", environment(clock), nothing, events, LIMITS, {})  # type: ignore[arg-type]
        pool.add(Room("room0", records=None))  # type: ignore[arg-type]
        with capturedLogs() as logged:
            pool.startService()
        self.addCleanup(pool.stopService)
        self.assertEqual(
            [formatEvent(event) for event in logged], ["twitch: recording 0 of 1 rooms on 0 connections"]
        )
