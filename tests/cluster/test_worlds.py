"""Whole clusters in virtual time, in which members, engine and network fail at random."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.cluster.mutants import BreakBeforeMake
from tests.cluster.worlds import World


class WorldTests(SynchronousTestCase):
    """``python -m bench.cluster_worlds`` tries thousands of these."""

    def test_nothing_is_missed(self) -> None:
        """Only a death makes a hole, and it ends within the bound; in the end every slot has exactly as many
        recorders as wanted."""
        for seed in range(10):
            world = World(seed, replicas=1 + seed % 2)
            self.assertEqual(world.live(4), [], f"seed {seed}: {world.faults}")

    def test_the_engine_forgets(self) -> None:
        """Nothing moves when the engine forgets, because its epoch is another one then; without that, members
        take each other for dead now and then."""
        for forgets in (True, False):
            bad = [reason for seed in range(6) for reason in World(seed, forgets=forgets).empties(6)]
            self.assertEqual(bad == [], forgets, bad)

    def test_the_judge_sees_holes(self) -> None:
        """Members that leave before another records are found out."""
        bad = [reason for seed in (0, 3, 4) for reason in World(seed, life=BreakBeforeMake).live(8)]
        self.assertTrue(any(reason.startswith("left") for reason in bad))
