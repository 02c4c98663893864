"""What ``python -m bench.cluster_bounds`` makes of the members' logs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bench.cluster_bounds import Course


class CourseTests(SynchronousTestCase):
    """Members ``a`` and ``b`` record rooms; the times are in their logs."""

    def setUp(self) -> None:
        self.home = Path(self.mktemp())
        self.home.mkdir()
        self.course = Course(1)
        self.members: dict[str, Any] = {
            name: SimpleNamespace(name=name, log=self.home / name, read=0) for name in "ab"
        }

    def log(self, member: str, *lines: str) -> None:
        """These lines stand in a member's log."""
        with open(self.home / member, "a") as log:
            log.write("".join(f"{line}\n" for line in lines))
        self.course.read(self.members[member])

    def test_handed_over(self) -> None:
        """A room that moves is doubled until the first one leaves; that is one move, and no hole."""
        self.log("a", "1.0 + ann", "1.0 + bob")
        self.assertEqual(self.course.judge().moves, {"a": 2})
        self.log("b", "10.0 + ann")
        self.log("a", "12.5 - ann")
        found = self.course.judge()
        self.assertEqual((found.moves, found.holes, found.doubles), ({"b": 1}, {}, {"ann": 2.5}))
        self.assertEqual((self.course.owned("a"), self.course.owned("b")), (1, 1))

    def test_death(self) -> None:
        """The rooms of the dead are missing until others have them; a room that nobody takes is missing for
        ever."""
        self.log("a", "1.0 + ann", "1.0 + bob", "1.0 + cat")
        self.course.judge()
        self.course.died("a", 5.0)
        self.log("b", "14.0 + ann", "15.5 + bob")
        found = self.course.judge()
        self.assertEqual(found.holes, {"ann": 9.0, "bob": 10.5, "cat": float("inf")})
        self.assertEqual((found.last, found.hole(), found.double()), (15.5, float("inf"), 0.0))

    def test_standing_still(self) -> None:
        """Whoever stands still records nothing meanwhile, and what it had afterwards."""
        self.log("a", "1.0 + ann", "1.0 + bob")
        self.course.judge()
        self.log("b", "20.0 + ann")
        self.log("a", "31.0 - ann")
        self.course.silent.append(("a", 10.0, 30.0))
        found = self.course.judge()
        self.assertEqual((found.holes, found.doubles), ({"ann": 10.0, "bob": 20.0}, {"ann": 1.0}))

    def test_half_a_line(self) -> None:
        """A line that is being written is read once it is whole."""
        with open(self.home / "a", "w") as log:
            log.write("1.0 + ann\n2.0 + b")
        self.course.read(self.members["a"])
        self.assertEqual(self.course.judge().moves, {"a": 1})
        self.log("a", "ob")
        self.assertEqual(self.course.judge().moves, {"a": 1})
