"""The whole of Twitch's part under faults, judged by what the server sent: seeds that replay exactly."""

from __future__ import annotations

import random
from collections.abc import Callable

from twisted.internet.error import ConnectionRefusedError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatlog.simulator.judgement import Judgement
from tests.twitch.simulated import World

SEEDS = ("one", "two", "three")


class TwoLanesTests(SynchronousTestCase):
    """With two lanes any single connection may go at any time."""

    def faults(self, world: World, chance: random.Random) -> dict[str, int]:
        """What happened, by its name; each to one connection, while all of them are well."""
        happened = dict.fromkeys(("cut", "finish", "half_open", "reconnect", "part", "split", "slow"), 0)

        # While a connection dribbles, it is not well either.
        well_at = [0.0]

        def perhaps() -> None:
            if not world.whole:
                # One that has just come back has to be heard first.
                well_at[0] = max(well_at[0], world.clock.seconds() + 0.5)
            if not world.whole or world.clock.seconds() < well_at[0] or chance.random() > 0.1:
                return
            connection = chance.choice(world.wires).server
            what = chance.choice(list(happened))
            happened[what] += 1
            if what == "cut":
                world.traffic.send()
                connection.cut()
            elif what == "finish":
                connection.finish()
            elif what == "half_open":
                connection.half_open(chance.uniform(1.0, 100.0))
            elif what == "reconnect":
                connection.announce_reconnect(chance.uniform(0.0, 10.0))
            elif what == "part":
                connection.part_room(chance.choice(list(world.pool.rooms)))
            else:
                well_at[0] = world.clock.seconds() + 4.0
                if what == "split":
                    connection.split(3.0)
                else:
                    connection.slow(3.0, 3000)

        world.run(200, perhaps)
        return happened

    def test_any_single_connection(self) -> None:
        """Resets in the middle of a line, closes, connections that die without a word, RECONNECT, rooms
        taken away: no gap, nothing lost, nothing twice, nothing altered."""
        total: dict[str, int] = {}
        for seed in SEEDS:
            world = World(self.mktemp(), seed, lanes=2)
            world.run(20)
            self.assertTrue(world.whole)
            for what, times in self.faults(world, random.Random(seed)).items():
                total[what] = total.get(what, 0) + times
            found = world.end()
            self.assertEqual(world.holes, [], seed)
            self.assertTrue(found.good(gaps=True, any_order=True), (seed, found))
            # What belongs to no room goes to one connection only.
            self.assertEqual([missing for missing in found.missing if missing.channel], [], seed)
            self.assertGreater(found.recorded, 6_000)
            self.assertGreater(world.counters.duplicates, 4_000)
        self.assertGreater(min(total.values()), 1, total)


class BackfillTests(SynchronousTestCase):
    """With one lane every loss makes a gap, and the service fills it."""

    def run_with(self, seed: str, fault: Callable[[World], None], times: int = 8) -> tuple[World, Judgement]:
        """Let a fault happen again and again, each time that all is well."""
        world = World(self.mktemp(), seed, rooms=3, rate=12.0, backfill=True)
        world.run(30)
        for _ in range(times):
            self.assertTrue(world.whole)
            fault(world)
            world.run(150)
        return world, world.end()

    def check(self, world: World, found: Judgement) -> None:
        """Nothing is lost or doubled; what was said in a gap is there, but for what has no name."""
        self.assertTrue(found.good(gaps=True), found)
        self.assertEqual((found.lost, found.doubled), (0, 0))
        self.assertGreater(found.backfilled, 20)
        self.assertEqual(found.backfilled, sum(backfilled for _, _, backfilled in world.holes))
        # Without an id or a time nothing can be told from what was recorded.
        self.assertLess(found.undelivered, 0.05 * (found.backfilled + found.undelivered) + 5)

    def test_resets(self) -> None:
        """A reset connection: the gap begins within a second of the reset and ends when the room is
        joined again, and what was said meanwhile comes back once."""
        truth: list[tuple[float, float]] = []

        def reset(world: World) -> None:
            world.run(world.chance.uniform(0.0, 3.0))
            at = world.now()
            world.wires[0].server.cut()
            while not world.whole:
                world.run(0.125)
            truth.append((at, world.now()))

        world, found = self.run_with(SEEDS[0], reset)
        self.check(world, found)
        for name in world.pool.rooms:
            gaps = [hole for room, hole, _ in world.holes if room == name]
            self.assertEqual(len(gaps), len(truth))
            for hole, (start, end) in zip(gaps, truth, strict=True):
                self.assertLess(abs(hole.start - start), 1.0)
                self.assertLess(abs(hole.end - end), 1.0)
                self.assertEqual(hole.reason, "connection lost")

    def test_half_open(self) -> None:
        """A connection that dies without a word: the gap begins within a second of its death, not when it
        was found out."""
        truth: list[float] = []

        def die(world: World) -> None:
            world.run(world.chance.uniform(0.0, 3.0))
            truth.append(world.now())
            world.wires[0].server.half_open(100.0)

        world, found = self.run_with("five", die, times=4)
        self.check(world, found)
        starts = sorted({hole.start for _, hole, _ in world.holes})
        self.assertEqual(len(world.holes), 3 * len(truth))
        for start in starts:
            self.assertLess(min(abs(start - at) for at in truth), 1.0)

    def test_server_that_is_away(self) -> None:
        """Half a minute without anybody to connect to."""

        def away(world: World) -> None:
            world.wires[0].server.finish()
            for _ in range(30):
                world.run(1)
                for connector in world.network.opening:
                    connector.factory.clientConnectionFailed(connector, _refused())
                world.network.opening = []

        world, found = self.run_with("six", away, times=3)
        self.check(world, found)


def _refused() -> Failure:
    return Failure(ConnectionRefusedError())
