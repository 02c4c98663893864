"""The pool: rooms spread over links, acknowledged, refused, silent, moved, retired."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatlog.rooms.connection import Connection
from chatlog.rooms.connections import Limits
from chatlog.rooms.pool import Pool
from chatlog.rooms.subscriptions import Room, State
from chatlog.timeline.timeline import Gap
from tests.fakes import environment
from tests.played import Played


class PoolCase(SynchronousTestCase):
    """A pool of recording links on a clock that starts at a known wall time."""

    START = 1_700_000_000.0
    #: How many rooms are on the list that cannot be in the pool yet.
    absent = 0

    def make(self, rooms: int, per_link: int = 90, requests: int = 1000, lanes: int = 1) -> Pool:
        self.clock = Clock()
        self.played = Played(self.wall)
        self.gaps: list[tuple[str, Gap]] = []
        self.told: list[tuple[str, str, str]] = []

        def teller(what: str) -> Callable[[str, Room], object]:
            return lambda platform, room: self.told.append((what, platform, room.name))

        pool = self.played.pool(
            environment(self.clock, self.wall),
            lambda platform, room, gap: self.gaps.append((room.name, gap)),
            Limits(per_link, requests, 10.0, lanes),
            added=teller("added"),
            uncovered=teller("uncovered"),
            removed=teller("removed"),
            absent=lambda: self.absent,
        )
        for n in range(rooms):
            pool.add(Room(f"room{n}", records=None))  # type: ignore[arg-type]
        self.addCleanup(pool.stopService)
        pool.startService()
        return pool

    @property
    def links(self) -> list[Connection]:
        return self.played.connections

    def wall(self) -> float:
        return self.START + self.clock.seconds()

    def run_for(self, seconds: float) -> None:
        self.clock.pump([0.25] * int(seconds * 4))

    def up(self, pool: Pool, link: Connection) -> None:
        self.played.up(link)
        self.clock.advance(0)

    def all_recorded(self, pool: Pool) -> None:
        for link in self.links:
            if not link.up:
                self.up(pool, link)
            for name in list(link.subscriptions):
                pool.acknowledged(link, name)


class SpreadTests(PoolCase):
    def test_rooms_per_connection(self) -> None:
        """No connection ever carries more rooms than configured, and no more connections are made
        than that needs."""
        pool = self.make(200, per_link=90)
        self.assertEqual([len(link.subscriptions) for link in self.links], [90, 90, 20])
        self.assertEqual(len(pool.connections), 3)

    def test_connections_open_two_seconds_apart(self) -> None:
        """The servers are not stormed: one new connection every two seconds."""
        self.make(300, per_link=90)
        opened = []
        for _ in range(10):
            opened.append(sum(("open",) in self.played.calls(link) for link in self.links))
            self.run_for(1)
        self.assertEqual(opened[:7], [1, 1, 2, 2, 3, 3, 4])

    def test_requests_share_one_bucket(self) -> None:
        """However many connections there are, the process asks for at most 20 rooms in 10 s."""
        pool = self.make(94, per_link=50, requests=20)
        for link in self.links:
            self.up(pool, link)
        times: list[float] = []
        for step in range(60 * 4):
            total = sum(len(self.played.asked(link)) for link in self.links)
            times.extend([step / 4] * (total - len(times)))
            self.clock.advance(0.25)
        self.assertEqual(len(times), 94)
        for first, later in zip(times, times[20:], strict=False):
            self.assertGreaterEqual(later - first, 10.0)
        self.assertLess(times[-1], 47.0)

    def test_nothing_is_asked_before_the_welcome(self) -> None:
        """Rooms are requested only on a connection that the server has welcomed."""
        pool = self.make(3)
        self.run_for(5)
        self.assertEqual(self.played.asked(self.links[0]), [])
        self.up(pool, self.links[0])
        self.assertEqual(self.played.asked(self.links[0]), ["room0", "room1", "room2"])


class AcknowledgeTests(PoolCase):
    def test_only_acknowledged_rooms_count(self) -> None:
        """A room counts as recorded when the server has confirmed it, not when it was asked for."""
        pool = self.make(2)
        self.up(pool, self.links[0])
        pool.acknowledged(self.links[0], "room0")
        self.assertEqual(pool.states(), {State.RECORDED: 1, State.REQUESTED: 1})
        self.assertTrue(pool.rooms["room0"].timeline.recorded)
        self.assertFalse(pool.rooms["room1"].timeline.recorded)

    def test_silent_room_moves_and_its_neighbours_stay(self) -> None:
        """A room without an answer is tried on another connection, again and again with growing
        pauses; the rooms beside it are not touched."""
        pool = self.make(3)
        link = self.links[0]
        self.up(pool, link)
        pool.acknowledged(link, "room0")
        pool.acknowledged(link, "room1")
        self.run_for(29)
        self.assertEqual(pool.rooms["room2"].state, State.REQUESTED)
        self.run_for(3)
        self.assertEqual(pool.rooms["room2"].state, State.SILENT)
        self.run_for(33)
        self.assertEqual(len(self.links), 2)
        self.up(pool, self.links[1])
        self.assertEqual(self.played.asked(self.links[1]), ["room2"])
        self.assertEqual(pool.rooms["room0"].state, State.RECORDED)
        self.assertNotIn(("close",), self.played.calls(link))
        self.run_for(31)
        self.assertEqual(pool.rooms["room2"].state, State.SILENT)
        self.run_for(55)
        self.assertEqual(
            self.played.asked(link).count("room2") + self.played.asked(self.links[1]).count("room2"), 2
        )
        self.run_for(10)
        self.assertEqual(
            self.played.asked(link).count("room2") + self.played.asked(self.links[1]).count("room2"), 3
        )
        self.run_for(7200)
        self.assertLessEqual(len(pool.connections), 2)

    def test_acknowledgement_timer_starts_when_the_request_leaves(self) -> None:
        """Rooms that wait in the bucket for longer than the timer are not mistaken for silent."""
        pool = self.make(200, per_link=200, requests=20)
        link = self.links[0]
        self.up(pool, link)
        silent = set()
        acknowledged = 0
        for _ in range(130):
            for name in self.played.asked(link)[acknowledged:]:
                pool.acknowledged(link, str(name))
                acknowledged += 1
            self.run_for(1)
            silent |= {room.name for room in pool.rooms.values() if room.state is State.SILENT}
        self.assertEqual(silent, set())
        self.assertEqual(pool.states(), {State.RECORDED: 200})

    def test_refused_room_waits_longer_each_time(self) -> None:
        """A refusal is tried again after 5 minutes, then 10, doubling; the reason is kept."""
        pool = self.make(2)
        link = self.links[0]
        self.up(pool, link)
        pool.acknowledged(link, "room0")
        pool.refused(link, "room1", "msg_banned")
        self.assertEqual(
            (pool.rooms["room1"].state, pool.rooms["room1"].reason), (State.REFUSED, "msg_banned")
        )
        self.run_for(299)
        self.assertEqual(sum(self.played.asked(each).count("room1") for each in self.links), 1)
        self.run_for(6)
        self.up(pool, self.links[1])
        self.assertEqual(self.played.asked(self.links[1]), ["room1"])
        pool.refused(self.links[1], "room1", "msg_banned")
        self.run_for(595)
        self.assertEqual(sum(self.played.asked(each).count("room1") for each in self.links), 2)
        self.run_for(10)
        self.assertEqual(sum(self.played.asked(each).count("room1") for each in self.links), 3)

    def test_parted_room_comes_back(self) -> None:
        """A room that the server takes away is asked for again, and the gap is written down."""
        pool = self.make(1)
        self.up(pool, self.links[0])
        pool.acknowledged(self.links[0], "room0")
        self.run_for(5)
        pool.parted(self.links[0], "room0")
        self.assertFalse(pool.rooms["room0"].timeline.recorded)
        self.run_for(35)
        self.up(pool, self.links[1])
        pool.acknowledged(self.links[1], "room0")
        [(name, gap)] = self.gaps
        self.assertEqual((name, gap.reason, gap.start), ("room0", "parted by the server", self.START + 5))
        self.assertEqual(gap.end, self.wall())

    def test_unknown_acknowledgement(self) -> None:
        """A room that nobody asked for is left again and changes nothing."""
        pool = self.make(1)
        self.up(pool, self.links[0])
        pool.acknowledged(self.links[0], "stranger")
        self.assertIn(("leave", "stranger"), self.played.calls(self.links[0]))
        self.assertNotIn("stranger", pool.rooms)


class LossTests(PoolCase):
    def test_hole_is_dated_back_to_the_last_byte(self) -> None:
        """A gap begins when the last byte was heard, not when the loss was noticed, and ends when
        the room is acknowledged again."""
        pool = self.make(1)
        link = self.links[0]
        self.all_recorded(pool)
        self.run_for(50)
        self.played.down(link, self.START + 10, "connection lost")
        self.run_for(5)
        self.up(pool, link)
        self.run_for(1)
        pool.acknowledged(link, "room0")
        self.assertEqual(self.gaps, [("room0", Gap(self.START + 10, self.START + 56, "connection lost"))])

    def test_lost_link_asks_for_its_rooms_again(self) -> None:
        """After a reconnect every room of the connection is requested again."""
        pool = self.make(3)
        link = self.links[0]
        self.all_recorded(pool)
        self.played.down(link, self.wall(), "connection lost")
        self.assertEqual(pool.states(), {State.WANTED: 3})
        self.played.calls(link).clear()
        self.up(pool, link)
        self.assertEqual(self.played.asked(link), ["room0", "room1", "room2"])

    def test_requests_in_the_bucket_are_void_after_a_loss(self) -> None:
        """What waited in the bucket for a connection that is gone costs no allowance."""
        pool = self.make(40, requests=20)
        link = self.links[0]
        self.up(pool, link)
        self.assertEqual(len(self.played.asked(link)), 20)
        self.played.down(link, self.wall(), "connection lost")
        self.run_for(12)
        self.assertEqual(len(self.played.asked(link)), 20)
        self.up(pool, link)
        self.assertEqual(len(self.played.asked(link)), 40)

    def test_a_room_never_recorded_has_no_hole(self) -> None:
        """Before the first acknowledgement nothing was promised, so nothing is missing."""
        pool = self.make(1)
        link = self.links[0]
        self.up(pool, link)
        self.played.down(link, self.wall(), "connection lost")
        self.run_for(3)
        self.up(pool, link)
        pool.acknowledged(link, "room0")
        self.assertEqual(self.gaps, [])

    def test_refusal_after_a_loss_is_a_hole_of_its_own(self) -> None:
        """When a lost room is then refused, both causes are written down, one after the other."""
        pool = self.make(1)
        link = self.links[0]
        self.all_recorded(pool)
        self.played.down(link, self.wall(), "connection lost")
        self.run_for(5)
        self.up(pool, link)
        pool.refused(link, "room0", "tos_ban")
        self.run_for(310)
        self.up(pool, self.links[1])
        pool.acknowledged(self.links[1], "room0")
        self.assertEqual([gap.reason for _, gap in self.gaps], ["connection lost", "refused: tos_ban"])
        self.assertEqual(self.gaps[0][1].end, self.gaps[1][1].start)


class RetireTests(PoolCase):
    def test_rooms_move_without_a_hole(self) -> None:
        """When the server announces a close, every room is acknowledged on the new connection before
        the old one is given up, and no gap arises."""
        pool = self.make(3)
        old = self.links[0]
        self.all_recorded(pool)
        old.asked_to_leave()
        new = self.links[1]
        self.assertIn(("open",), self.played.calls(new))
        self.assertEqual(pool.states(), {State.RECORDED: 3})
        self.up(pool, new)
        pool.acknowledged(new, "room0")
        self.assertNotIn(("close",), self.played.calls(old))
        pool.acknowledged(new, "room1")
        pool.acknowledged(new, "room2")
        self.run_for(4)
        self.assertIn(("close",), self.played.calls(old))
        self.played.down(old, self.wall(), "reconnect")
        self.assertEqual(self.gaps, [])
        self.assertEqual(pool.states(), {State.RECORDED: 3})
        self.assertEqual(pool.connections, [new])

    def test_server_that_closes_early(self) -> None:
        """If the old connection goes before a room was acknowledged on the new one, only that room
        has a gap, from the last byte of the old connection."""
        pool = self.make(2)
        old = self.links[0]
        self.all_recorded(pool)
        self.run_for(10)
        old.asked_to_leave()
        new = self.links[1]
        self.up(pool, new)
        pool.acknowledged(new, "room0")
        self.played.down(old, self.wall(), "reconnect")
        self.run_for(2)
        pool.acknowledged(new, "room1")
        self.assertEqual(self.gaps, [("room1", Gap(self.START + 10, self.START + 12, "reconnect"))])

    def test_copies_are_watched_for_while_two_connections_overlap(self) -> None:
        """Copies are looked for from the announcement until some seconds after the old connection
        has gone, and not at any other time."""
        pool = self.make(1)
        room = pool.rooms["room0"]
        self.all_recorded(pool)
        self.assertIsNone(room.duplicates)
        self.links[0].asked_to_leave()
        self.assertIsNotNone(room.duplicates)
        self.all_recorded(pool)
        self.played.down(self.links[0], self.wall(), "reconnect")
        self.run_for(5)
        self.assertIsNotNone(room.duplicates)
        self.run_for(10)
        self.assertIsNone(room.duplicates)

    def test_refused_room_is_told_of_once(self) -> None:
        """A room that was refused and is refused on the new connection again is no news."""
        pool = self.make(2)
        old = self.links[0]
        self.up(pool, old)
        pool.acknowledged(old, "room0")
        with capturedLogs() as events:
            pool.refused(old, "room1", "msg_banned")
            old.asked_to_leave()
            new = self.links[1]
            self.up(pool, new)
            pool.refused(new, "room1", "msg_banned")
        self.assertEqual([event.get("room") for event in events if "reason" in event], ["room1"])

    def test_refused_room_in_words(self) -> None:
        """The log says in words for people why a room is not recorded, the platform's own behind them."""
        pool = self.make(2)
        self.up(pool, self.links[0])
        with capturedLogs() as events:
            pool.refused(self.links[0], "room0", "msg_banned")
            pool.refused(self.links[0], "room1", "a new sort of refusal")
        self.assertEqual(
            [event["reason"] for event in events if "reason" in event],
            [
                "the account that reads is banned there [msg_banned]",
                "Twitch says: a new sort of refusal",
            ],
        )

    def test_second_announcement_is_the_same(self) -> None:
        """A server that repeats its announcement does not multiply connections."""
        pool = self.make(1)
        self.all_recorded(pool)
        self.links[0].asked_to_leave()
        self.links[0].asked_to_leave()
        self.assertEqual(len(self.links), 2)


class LaneTests(PoolCase):
    def test_every_room_on_two_connections(self) -> None:
        """With two lanes each room is requested on two different connections."""
        pool = self.make(100, per_link=90, lanes=2)
        self.assertEqual(
            sorted((link.lane, len(link.subscriptions)) for link in self.links),
            [(0, 10), (0, 90), (1, 10), (1, 90)],
        )
        for room in pool.rooms.values():
            self.assertEqual(len({each.connection.number for each in room.subscriptions}), 2)

    def test_losing_one_lane_makes_no_hole(self) -> None:
        """Any single connection may be lost without a gap."""
        pool = self.make(2, lanes=2)
        self.all_recorded(pool)
        for link in list(self.links):
            self.run_for(20)
            self.played.down(link, self.wall(), "connection lost")
            self.assertEqual(pool.states(), {State.RECORDED: 2})
            self.run_for(2)
            self.up(pool, link)
            for name in list(link.subscriptions):
                pool.acknowledged(link, name)
        self.assertEqual(self.gaps, [])
        self.assertIsNotNone(pool.rooms["room0"].duplicates)


class ChangeTests(PoolCase):
    def test_add_and_remove(self) -> None:
        """Rooms come and go at run time without touching the others; an emptied spare connection is
        closed."""
        pool = self.make(90, per_link=90)
        self.all_recorded(pool)
        pool.add(Room("late", records=None))  # type: ignore[arg-type]
        self.run_for(3)
        self.up(pool, self.links[1])
        pool.acknowledged(self.links[1], "late")
        self.assertEqual(pool.states(), {State.RECORDED: 91})
        pool.remove("late")
        self.assertIn(("leave", "late"), self.played.calls(self.links[1]))
        self.run_for(2)
        self.assertIn(("close",), self.played.calls(self.links[1]))
        self.assertEqual(pool.states(), {State.RECORDED: 90})
        self.assertIsNone(pool.remove("late"))

    def test_what_has_arrived_is_taken_first(self) -> None:
        """What was sent before a room was taken off the list, and waits to be read, is recorded: on every
        connection that delivers the room."""
        pool = self.make(1, lanes=2)
        self.run_for(3)
        self.all_recorded(pool)
        read: list[tuple[int, bool, bool]] = []
        for number, link in enumerate(self.links):
            wire = self.played.wire(link)
            wire.on_read = lambda number=number, link=link: read.append(  # type: ignore[misc]
                (number, "room0" in pool.rooms, ("leave", "room0") in self.played.calls(link))
            )
        pool.remove("room0")
        self.assertEqual(read, [(0, True, False), (1, True, False)])


class CountTests(PoolCase):
    """What the log says of how many rooms are recorded."""

    def test_all_that_are_on_the_list(self) -> None:
        """Rooms that cannot be joined yet, because their ids are not known, count among those that are to be
        recorded."""
        pool = self.make(3)
        self.absent = 2
        with capturedLogs() as logged:
            self.played.up(self.links[0])
            for name in list(pool.rooms):
                pool.acknowledged(self.links[0], name)
            self.clock.pump([1.0] * 40)
        lines = [formatEvent(event) for event in logged]
        self.assertIn("twitch: recording 3 of 5 rooms on 1 connection", lines)
