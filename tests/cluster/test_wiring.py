"""Recorders that share their rooms: who records what, and what is said of it."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatlog.rooms.room_list import ListAway
from tests.cluster.memory_engine import MemoryServer
from tests.cluster.recorders import WALL, Recorder, passes
from tests.fakes import MemoryFiles

ROOMS = tuple(f"room{n}" for n in range(30))


class ClusterCase(SynchronousTestCase):
    """A clock and an engine."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.server = MemoryServer(self.clock)

    def recorder(self, name: str, rooms: tuple[str, ...] = ROOMS, **more: object) -> Recorder:
        """A recorder that has started."""
        return Recorder(self.clock, self.server, name, rooms, **more).start()  # type: ignore[arg-type]

    def pair(self) -> tuple[Recorder, Recorder]:
        """Two recorders that have shared the rooms."""
        one, two = self.recorder("a"), self.recorder("b")
        passes(self.clock, 15)
        return one, two


class SharingTests(ClusterCase):
    """Rooms come to one recorder each, and move without a hole."""

    def test_alone(self) -> None:
        """The first recorder takes the rooms of its configuration."""
        one = self.recorder("a")
        passes(self.clock, 8)
        self.assertEqual(one.rooms(), set(ROOMS))
        self.assertEqual(one.facts()["moves"]["assigned"], 4096)

    def test_two_share(self) -> None:
        """A second one gets its part, and the first gives a room away only when the second has it."""
        one = self.recorder("a")
        passes(self.clock, 8)
        two = self.recorder("b", ())
        two.platforms.quiet = True
        passes(self.clock, 8)
        meant = two.rooms()
        self.assertTrue(meant)
        self.assertEqual(one.rooms(), set(ROOMS))
        for name in meant:
            two.platforms.acknowledge("twitch", name)
        passes(self.clock, 6)
        self.assertEqual(one.rooms(), set(ROOMS) - meant)
        self.assertEqual(two.platforms.gaps, [])

    def test_replicas(self) -> None:
        """With two replicas each room is recorded twice, and a death costs nothing."""
        one, two, three = (self.recorder(name, replicas=2) for name in "abc")
        passes(self.clock, 20)
        counts = [room for each in (one, two, three) for room in each.rooms()]
        self.assertEqual(sorted(counts), sorted(ROOMS * 2))
        three.die()
        passes(self.clock, 15)
        self.assertEqual(one.rooms() & two.rooms(), set(ROOMS))
        self.assertEqual(one.platforms.gaps + two.platforms.gaps, [])

    def test_joins_are_divided(self) -> None:
        """Those that name one budget divide it; others do not."""
        one, two = self.recorder("a", joins="home"), self.recorder("b", joins="home")
        three = self.recorder("c", joins="other")
        passes(self.clock, 15)
        for recorder, among in ((one, 2), (two, 2), (three, 1)):
            self.assertEqual(recorder.platforms.pools["twitch"].among, among)

    def test_rooms_without_a_member_go_first(self) -> None:
        """Rooms that somebody else records wait in the queue, and no longer once he is gone."""
        self.pair()[0].die()
        passes(self.clock, 2)
        three = self.recorder("c", ())
        three.platforms.quiet = True
        passes(self.clock, 6)
        pool = three.platforms.pools["twitch"]
        waiting = {name for name in three.rooms() if pool.is_elsewhere(name)}
        self.assertTrue(waiting)
        passes(self.clock, 4)
        self.assertTrue(waiting & set(pool.hurried))
        for name in pool.hurried:
            self.assertFalse(pool.is_elsewhere(name))


class TakeoverTests(ClusterCase):
    """A recorder dies, and comes back."""

    def test_death(self) -> None:
        """The rooms of the dead are recorded within its lease and a look; each has a gap that begins with its
        last word and names it."""
        one, two = self.pair()
        had = two.rooms()
        two.die()
        last = max(line.at for line in one.joined.service.member.roster.present.values())
        passes(self.clock, 11.5)
        self.assertEqual(one.rooms(), set(ROOMS))
        gaps = dict(one.platforms.gaps)
        self.assertEqual(set(gaps), had)
        for gap in gaps.values():
            self.assertEqual(gap.reason, "taken over from b")
            self.assertEqual(gap.start, last)
            self.assertLessEqual(gap.end - gap.start, 11.5)
        facts = one.facts()
        self.assertEqual([lost["name"] for lost in facts["lost"]], ["b"])
        self.assertGreater(facts["moves"]["takeover"], 0)
        self.assertLessEqual(facts["takeover_seconds"], 12.5)

    def test_an_engine_that_takes_no_lines(self) -> None:
        """An engine that shows the lines of others and takes none, as one does whose memory is full: the
        others take over, nothing is left here, and after a lease the engine counts as away, with its
        reason."""
        one, two = self.pair()
        had = two.rooms()
        two.engine.full = "its memory is full"
        passes(self.clock, 5)
        self.assertTrue(two.facts()["engine"]["up"])
        passes(self.clock, 12)
        engine = two.facts()["engine"]
        self.assertEqual((engine["up"], engine["trouble"]), (False, "its memory is full"))
        self.assertGreater(engine["age"], 10)
        self.assertEqual((one.rooms(), two.rooms() & had), (set(ROOMS), had))
        two.engine.full = ""
        passes(self.clock, 20)
        self.assertTrue(two.facts()["engine"]["up"])
        self.assertEqual((one.rooms() | two.rooms(), one.rooms() & two.rooms()), (set(ROOMS), set()))

    def test_a_quick_restart_moves_nothing(self) -> None:
        """Whoever is back before its lease ends records the same rooms at once, and nobody else moves."""
        one, two = self.pair()
        had, before = two.rooms(), list(one.platforms.said)
        two.die()
        passes(self.clock, 3)
        again = Recorder(self.clock, self.server, "b", ROOMS, two.files).start()
        passes(self.clock, 0.25)
        self.assertEqual(again.rooms(), had)
        passes(self.clock, 15)
        self.assertEqual(one.platforms.said, before)
        self.assertEqual(again.rooms(), had)

    def test_a_late_restart(self) -> None:
        """Whoever comes back later leaves to others what they have taken over, says that its own gap has
        ended, and then gets its share back without a gap."""
        one, two = self.pair()
        had = two.rooms()
        two.die()
        passes(self.clock, 30)
        again = Recorder(self.clock, self.server, "b", ROOMS, two.files)
        again.joined.rooms.load()
        again.timelines.start(None)
        for name in had:
            again.timelines.of(("twitch", name)).resume(WALL + 10.0, "restart", WALL)
        again.joined.service.startService()
        passes(self.clock, 3)
        self.assertEqual(again.rooms(), set())
        self.assertEqual((again.coverage.waits, again.coverage.settled), (True, []))
        passes(self.clock, 10)
        self.assertEqual(again.rooms(), had)
        self.assertEqual(one.rooms(), set(ROOMS) - had)
        self.assertTrue(all(gap.reason == "restart" for _, gap in again.platforms.gaps))
        self.assertLessEqual(again.coverage.settled[0], had)

    def test_a_list_that_has_changed(self) -> None:
        """Whoever comes back waits for the present list before it says which rooms are no longer its own: one
        that it has not heard of is wanted all the same."""
        one = self.recorder("a", ROOMS)
        passes(self.clock, 8)
        one.die()
        other = self.recorder("b", (*ROOMS, "late"))
        passes(self.clock, 20)
        self.assertIn("late", other.rooms())
        other.die()
        passes(self.clock, 15)
        again = self.recorder("a", ROOMS, files=one.files)
        passes(self.clock, 20)
        self.assertEqual([set(ROOMS) | {"late"}], again.coverage.settled[:1])

    def test_the_name_is_taken(self) -> None:
        """Another process of a name records nothing, until the first one is gone."""
        self.recorder("a", ROOMS)
        passes(self.clock, 8)
        double = self.recorder("a", ROOMS)
        passes(self.clock, 20)
        self.assertEqual(double.rooms(), set())
        self.assertIsNotNone(double.facts()["taken_since"])
        self.assertEqual(len(self.flushLoggedErrors()), 0)


class EngineTests(ClusterCase):
    """The engine is away, or forgets."""

    def test_away(self) -> None:
        """While the engine does not answer, everything is recorded on, and nothing moves."""
        one, two = self.pair()
        before = one.rooms(), two.rooms()
        one.engine.away = two.engine.away = "cannot be reached"
        passes(self.clock, 60)
        self.assertEqual((one.rooms(), two.rooms()), before)
        self.assertFalse(one.facts()["engine"]["up"])
        self.assertEqual(one.facts()["engine"]["trouble"], "cannot be reached")
        one.engine.away = two.engine.away = ""
        passes(self.clock, 20)
        self.assertEqual((one.rooms(), two.rooms()), before)
        self.assertTrue(one.facts()["engine"]["up"])

    def test_emptied(self) -> None:
        """An engine that has lost everything gets the list back, and nothing moves."""
        one, two = self.pair()
        before = one.rooms(), two.rooms()
        said = len(one.platforms.said), len(two.platforms.said)
        self.server.forget()
        passes(self.clock, 20)
        self.assertEqual((one.rooms(), two.rooms()), before)
        self.assertEqual((len(one.platforms.said), len(two.platforms.said)), said)
        self.assertEqual(sum(len(each.data) > 0 for each in self.server.chunks.values()) > 0, True)

    def test_start_without_engine(self) -> None:
        """Who starts while the engine is away records what it recorded last."""
        two = self.pair()[1]
        had = two.rooms()
        two.die()
        passes(self.clock, 30)
        again = Recorder(self.clock, self.server, "b", ROOMS, two.files)
        again.engine.away = "cannot be reached"
        again.start()
        passes(self.clock, 6)
        self.assertEqual(again.rooms(), had)


class DrainTests(ClusterCase):
    """A recorder hands its rooms over before it ends."""

    def test_make_before_break(self) -> None:
        """No room is left before another recorder has it; then the spool is emptied, the last manifest is
        written, and the process ends."""
        one, two = self.pair()
        one.platforms.quiet = True
        had = two.rooms()
        ended: list[bool] = []
        two.writing.open_files = two.writing.waiting_files = 1
        two.joined.draining.end(lambda: ended.append(True))
        passes(self.clock, 10)
        self.assertEqual(two.rooms(), had)
        for name in had:
            one.platforms.acknowledge("twitch", name)
        passes(self.clock, 8)
        self.assertEqual(two.rooms(), set())
        self.assertEqual(one.platforms.gaps, [])
        self.assertIn("rotate", two.writing.said)
        self.assertNotIn("close", two.writing.said)
        two.writing.waiting_files = 0
        passes(self.clock, 5)
        self.assertEqual((two.writing.said.count("close"), ended), (1, [True]))
        self.assertEqual(one.facts()["lost"], [])

    def test_both(self) -> None:
        """Two that end together: neither says that the other has its rooms."""
        one, two = self.pair()
        ended: list[bool] = []
        with capturedLogs() as events:
            for each in (one, two):
                each.joined.draining.end(lambda: ended.append(True))
            passes(self.clock, 10)
        logged = [str(formatEvent(event)) for event in events]
        self.assertEqual(ended, [True, True])
        self.assertEqual([line for line in logged if "handed over" in line], [])
        self.assertEqual(len([line for line in logged if "there is no other recorder" in line]), 2)

    def test_no_other_member(self) -> None:
        """Alone, there is nobody to hand over to: it ends at once."""
        one = self.recorder("a")
        passes(self.clock, 8)
        ended: list[bool] = []
        one.joined.draining.end(lambda: ended.append(True))
        self.assertEqual(ended, [True])

    def test_in_time(self) -> None:
        """What cannot be handed over does not keep it from ending."""
        one, two = self.pair()
        one.platforms.quiet = True
        ended: list[bool] = []
        two.joined.draining.end(lambda: ended.append(True))
        passes(self.clock, 59)
        self.assertEqual(ended, [])
        passes(self.clock, 2)
        self.assertEqual(ended, [True])

    def test_and_back(self) -> None:
        """Who was drained without ending can take part again."""
        one, two = self.pair()
        had = two.rooms()
        two.joined.draining.hand_over()
        passes(self.clock, 10)
        self.assertEqual((two.rooms(), one.rooms()), (set(), set(ROOMS)))
        two.joined.draining.take_back()
        passes(self.clock, 10)
        self.assertEqual(two.rooms(), had)


class ListTests(ClusterCase):
    """The list of rooms belongs to all."""

    def test_changed_anywhere(self) -> None:
        """A room that one adds is recorded by whoever's it is, once; one that another removes is left."""
        one, two = self.pair()
        self.assertTrue(self.successResultOf(one.joined.rooms.add("twitch", "ann")))
        self.assertFalse(self.successResultOf(two.joined.rooms.add("twitch", "ann")))
        passes(self.clock, 5)
        self.assertEqual(sorted([*one.rooms(), *two.rooms()]), sorted([*ROOMS, "ann"]))
        self.assertTrue(self.successResultOf(two.joined.rooms.remove("twitch", "room0")))
        passes(self.clock, 3)
        self.assertNotIn("room0", one.rooms() | two.rooms())
        self.assertNotIn(("twitch", "room0"), one.joined.rooms.rooms())
        where = one.joined.facts.where("twitch", "ann")
        assert where is not None
        self.assertEqual(where["recorded_by"], where["meant_for"])

    def test_engine_away(self) -> None:
        """While the engine is away the list cannot be changed, and the error says so."""
        one = self.recorder("a")
        passes(self.clock, 8)
        one.engine.away = "cannot be reached"
        passes(self.clock, 8)
        failure = self.failureResultOf(one.joined.rooms.add("twitch", "ann"), ListAway)
        self.assertIn("cannot be reached", failure.getErrorMessage())

    def test_a_changed_file(self) -> None:
        """A changed configuration brings its difference; one with an old file changes nothing."""
        files = MemoryFiles()
        one = self.recorder("a", ROOMS[:10], files=files)
        passes(self.clock, 8)
        two = self.recorder("b", ROOMS[:10])
        passes(self.clock, 15)
        self.successResultOf(two.joined.rooms.add("twitch", "ann"))
        one.die()
        again = Recorder(self.clock, self.server, "a", ROOMS[5:12], files).start()
        passes(self.clock, 15)
        expected = {*ROOMS[5:12], "ann"}
        self.assertEqual(again.rooms() | two.rooms(), expected)
        # A new one with the first file does not bring back what was removed.
        self.recorder("c", ROOMS[:10])
        passes(self.clock, 15)
        self.assertEqual({name for _, name in again.joined.rooms.rooms()}, expected)
