"""``chatlog cluster``: what it shows of the recorders that share their rooms."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.commands.cluster import cluster_lines, is_whole, slots_left, where_lines
from tests.cluster.known import known


class ClusterTextTests(SynchronousTestCase):
    """The text, and the exit status."""

    def test_members(self) -> None:
        """Each recorder has a line with its state and its rooms; who is gone is named."""
        lost = [{"name": "d", "at": 1.0, "for": 30.0}]
        text = "\n".join(cluster_lines(known(lost=lost, strangers=["old"])))
        for words in (
            "cluster main: 10 rooms, each recorded by 1",
            "redis://valkey:6379/0 answers",
            "a (this one)  active",
            "c             draining",
            "d is gone for 30 s",
            "not of this cluster's version: old",
            "rooms short of recorders: 0, of nobody: 0",
        ):
            self.assertIn(words, text)

    def test_whole(self) -> None:
        """It is well only if every room has its recorders and a death would be covered."""
        away = {"place": "redis://v", "up": False, "age": 30.0, "trouble": "refused"}
        self.assertTrue(is_whole(known()))
        for changes in ({"short": 1}, {"unassigned": 1}, {"engine": away}, {"taken_since": 1.0}):
            self.assertFalse(is_whole(known(**changes)), changes)
        self.assertIn("has not answered for 30 s (refused)", "\n".join(cluster_lines(known(engine=away))))

    def test_drained(self) -> None:
        """A recorder is drained when no slot is left in any state."""
        self.assertEqual(slots_left(known()), 2048)
        self.assertEqual(slots_left(known(slots={"twitch": {"held": 0, "leaving": 0}})), 0)

    def test_where(self) -> None:
        """A room is recorded by somebody, or by nobody yet."""
        found = {"platform": "twitch", "name": "ann", "slot": 7, "recorded_by": ["b"], "meant_for": ["b"]}
        self.assertEqual(where_lines(found), ["twitch/ann is recorded by b", "slot 7, meant for b"])
        self.assertIn("nobody at the moment", where_lines({**found, "recorded_by": []})[0])
