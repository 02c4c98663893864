"""The whole daemon in virtual time, with everything going wrong: seeds that replay exactly."""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes import Crashed
from tests.simulation.faults import Faults
from tests.simulation.world import Outcome, Plan, World

#: Seconds between two faults, on average.
MEAN = 40.0


class SimulationTests(SynchronousTestCase):
    def simulate(self, seed: str, hours: float, plan: Plan) -> tuple[World, Outcome]:
        """Some hours with a fault every minute, and the results."""
        world = World(self.mktemp(), seed, plan)
        world.run(60.0)
        faults = Faults(world, MEAN)
        world.run(hours * 3600.0)
        faults.stop()
        outcome = world.end()
        # A machine without power raises wherever it is asked.
        self.flushLoggedErrors(Crashed, OSError)
        return world, outcome

    def test_every_promise(self) -> None:
        """Killed, crashed, cut off, without space, without a store: every event is in exactly one object,
        once and unaltered, but for what a killed process had just read, what a crashed machine had not
        synced, and what found no room, and every hole is in a gap record."""
        happened: Counter[str] = Counter()
        for seed, plan in (
            ("2", Plan()),
            ("13", Plan(lanes=2, compression="gzip")),
            ("20", Plan(compression="zstd", rotate_interval=600.0)),
        ):
            world, outcome = self.simulate(seed, 0.6, plan)
            found = outcome.judgement
            what = f"seed {seed}: {found}, {outcome.outside}, {outcome.hidden}"
            self.assertEqual(outcome.left, [], what)
            self.assertEqual(outcome.outside, [], what)
            self.assertEqual(outcome.hidden, [], what)
            self.assertTrue(outcome.good, what)
            self.assertGreater(found.recorded, 3_000, what)
            self.assertLess(outcome.within + outcome.dropped, 0.1 * found.sent, what)
            # What belongs to no room counts as dropped, and is none of the oracle's.
            self.assertGreaterEqual(outcome.said_dropped, outcome.dropped, what)
            happened += world.happened
        for fault in ("kill", "crash", "disk full", "store away", "store forgets", "stall", "half-open"):
            self.assertGreater(happened[fault], 1, happened)
        self.assertGreater(happened["kill in the middle of an operation"], 3, happened)
        self.assertGreater(happened["crash in the middle of an operation"], 1, happened)

    def test_replay(self) -> None:
        """The same seed leaves the same objects, byte for byte, and another one leaves others."""
        digests = [self.simulate(seed, 0.1, Plan(lanes=2))[1].digest for seed in ("7", "7", "8")]
        self.assertEqual(digests[0], digests[1])
        self.assertNotEqual(digests[0], digests[2])
