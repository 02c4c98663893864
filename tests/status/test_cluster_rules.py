"""What is wrong with a cluster, and what is said about it."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatlog.status.cluster_rules import cluster_rules
from tests.cluster.known import known
from tests.scene import Scene


class ClusterRulesTests(SynchronousTestCase):
    """The conditions, from what a recorder knows."""

    def found(self, **changes: Any) -> dict[str, str]:
        """The codes with their severities."""
        facts = {"now": 1000.0, "cluster": known(**changes)}
        return {each.code: each.severity for each in cluster_rules(facts)}

    def test_well(self) -> None:
        """Nothing is wrong with a cluster that is well, nor without one."""
        self.assertEqual(self.found(), {})
        self.assertEqual(list(cluster_rules({"now": 0.0, "cluster": None})), [])

    def test_each(self) -> None:
        """Each trouble has its code; what makes chat be missing is critical."""
        away = {"place": "redis://v", "up": False, "age": 30.0, "trouble": "refused"}
        lost = [{"name": "b", "at": 900.0, "for": 100.0}]
        for changes, expected in (
            ({"engine": away}, {"ENGINE_AWAY": "warning"}),
            ({"engine": away, "unassigned": 5}, {"ENGINE_AWAY": "warning"}),
            ({"lost": lost}, {"INSTANCE_LOST": "warning"}),
            ({"lost": [{**lost[0], "for": 90000.0}]}, {}),
            ({"short": 3, "replicas": 2}, {"COPIES_SHORT": "warning"}),
            ({"unassigned": 3}, {"CAPACITY_SHORT": "critical"}),
            ({"taken_since": 990.0}, {"NAME_TAKEN": "critical"}),
            ({"strangers": ["old"]}, {"CLUSTER_MISMATCH": "critical"}),
        ):
            self.assertEqual(self.found(**changes), expected, changes)

    def test_among_the_conditions(self) -> None:
        """They are among the conditions of the status, with the rest."""
        scene = Scene(3).start().recorded()
        self.addCleanup(scene.stop)
        scene.status.cluster = lambda: known(taken_since=scene.now())
        scene.advance(10)
        self.assertIn("NAME_TAKEN", [each["code"] for each in scene.facts()["conditions"]])
        self.assertEqual(scene.facts()["cluster"]["member"], "a")

    def test_no_room_here(self) -> None:
        """A recorder that the others leave without rooms says so, and not that there are none."""
        scene = Scene(0).start()
        self.addCleanup(scene.stop)
        scene.status.cluster = known
        scene.advance(10)
        self.assertEqual(scene.facts()["headline"]["text"], "No room of the cluster is recorded here")
