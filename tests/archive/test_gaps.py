"""What is missing of a room that several recorders had, one after the other or together."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.formats.csv_rows import row
from chatlog.archive.formats.text import gap_text
from chatlog.archive.gaps import QUIET, Gap, common_gaps


def gap(since: float, until: float, reason: str = "restart") -> Gap:
    """A gap record's claim."""
    return Gap(since, until, reason)


class EverywhereTests(SynchronousTestCase):
    """A hole is where nobody recorded."""

    def test_together(self) -> None:
        """While two have a room, it is missing where both have a gap."""
        claims = {"a": [gap(100, 200)], "b": [gap(150, 300)]}
        files = {"a": [(0.0, 1000.0)], "b": [(0.0, 1000.0)]}
        self.assertEqual([each[:2] for each in common_gaps(claims, files)], [(150, 200)])

    def test_one_after_the_other(self) -> None:
        """Whoever came to the room later fills no earlier gap, and whoever has left it no later one."""
        claims = {"a": [gap(100, 200)], "b": [gap(900, 950)]}
        files = {"a": [(0.0, 500.0)], "b": [(490.0, 1000.0)]}
        self.assertEqual([each[:2] for each in common_gaps(claims, files)], [(100, 200), (900, 950)])

    def test_taken_over(self) -> None:
        """After a death the hole is from the dead one's last record to the other's first, whatever either
        claims."""
        claims = {"a": [gap(500, 600, "restart")], "b": [gap(495, 510, "taken over from a")]}
        files = {"a": [(0.0, 500.0), (600.0, 700.0)], "b": [(480.0, 700.0)]}
        found = common_gaps(claims, files)
        self.assertEqual({each[:2] for each in found}, {(500, 510)})

    def test_a_quiet_room(self) -> None:
        """A recorder whose files are not long apart had the room in between."""
        claims = {"a": [gap(100, 200)], "b": []}
        near = {"a": [(0.0, 1000.0)], "b": [(0.0, 50.0), (300.0, 400.0)]}
        far = {"a": [(0.0, 1000.0)], "b": [(0.0, 50.0), (60.0 + QUIET, 9000.0)]}
        self.assertEqual(common_gaps(claims, near), [])
        self.assertEqual(common_gaps(claims, far), claims["a"])

    def test_alone(self) -> None:
        """The gaps of one recorder are those of the room, and an import fills none."""
        claims = {"a": [gap(100, 200), gap(300, 300)], "import20250101000000": []}
        self.assertEqual(common_gaps(claims, {"a": [(0.0, 50.0)]}), claims["a"])


class TextTests(SynchronousTestCase):
    """A gap record in words."""

    def test_whose(self) -> None:
        """Of recorders that share a room it says which one did not have it; one alone needs no name."""
        details = {"from": "2025-12-29T10:00:02.000Z", "to": "2025-12-29T10:01:02.000Z", "reason": "restart"}
        record = {"type": "gap", "channel": "ann", "platform": "twitch"}
        for more, by in (({}, ""), ({"instance": "b"}, " by b")):
            found = {**record, "details": {**details, **more}}
            self.assertEqual(gap_text(found), f"not recorded{by} from 10:00:02 to 10:01:02 UTC: restart")
            self.assertIn(f"not recorded{by} from 2025-12-29T10:00:02.000Z", row(found))
