"""docs/reliability.md names tests: they are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.campaign.faults import TURNS

ROOT = Path(__file__).resolve().parent.parent
#: A module, or a class or a method of the module named before it in the same cell.
_NAMED = re.compile(r"`(tests/[\w/]+(?:\.py)?|\w+Tests(?:\.test_\w+)?)`")


def tests_of(module: Path) -> set[str]:
    """The test classes of a module, and their methods as ``Class.method``; those of bases in the same
    module belong to a class too."""
    classes = [node for node in ast.parse(module.read_text()).body if isinstance(node, ast.ClassDef)]
    found = set()
    for node in classes:
        found.add(node.name)
        found |= {f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
    return found


class PageTests(SynchronousTestCase):
    """What the page says about the tests."""

    def setUp(self) -> None:
        self.page = (ROOT / "docs" / "reliability.md").read_text("utf-8")

    def test_every_test_exists(self) -> None:
        """Every module, class and method that the page names is there."""
        checked = 0
        for line in self.page.splitlines():
            known: set[str] = set()
            for name in _NAMED.findall(line):
                checked += 1
                if name.startswith("tests/"):
                    path = ROOT / name
                    self.assertTrue(path.exists(), name)
                    known = tests_of(path) if name.endswith(".py") else set()
                else:
                    self.assertIn(name, known, line[:80])
        self.assertGreater(checked, 80)

    def test_every_fault_of_the_campaign(self) -> None:
        """Every class of faults that the campaign plays has its row, and no other is named."""
        named = {
            part.split(" ")[0].rstrip(",;")
            for cell in re.findall(r"campaign: ([a-z0-9, -]+)", self.page)
            for part in cell.split(", ")
        }
        self.assertEqual(named, {"kill", *TURNS})
