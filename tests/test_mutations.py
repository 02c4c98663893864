"""What bench.mutants changes, and what it leaves alone."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from bench.mutants import EXPLAINED, TARGETS, explained
from bench.mutations import mutants
from tests.test_layering import ROOT

SOURCE = '''
"""A module."""

LIMIT = 5


class Gate:
    """A gate."""

    def open(self, count: int = 1) -> bool:
        """Open it."""
        if count < LIMIT and not self.shut:
            self._log.info("{n} times", n=count + 1)
            self.swing(count)
            return True
        raise ValueError(f"{count} is not below {LIMIT}")
'''


class MutationTests(SynchronousTestCase):
    """One small change at a time."""

    def test_changes(self) -> None:
        """Comparisons, connections, conditions, calls, numbers and results are changed. Texts for people,
        lines of the log, errors and the numbers at the top of a module are not."""
        condition = "count < LIMIT and (not self.shut)"
        self.assertEqual(
            sorted(mutant.name for mutant in mutants(SOURCE)),
            sorted(
                f"Gate.open: {change}"
                for change in (
                    "1 -> 2",
                    f"if {condition}: -> if True:",
                    f"if {condition}: -> if False:",
                    f"{condition} -> count < LIMIT or not self.shut",
                    "count < LIMIT -> count <= LIMIT",
                    "not self.shut -> self.shut",
                    "self.swing(count) -> pass",
                    "return True -> return None",
                    "True -> False",
                )
            ),
        )

    def test_each_is_a_module(self) -> None:
        """Every mutant of every module that is tried can be compiled, and no two of them are the same."""
        for target in ("spool/seal", "rooms/duplicates"):
            source = (ROOT / "chatlog" / f"{target}.py").read_text("utf-8")
            found = [(mutant.line, mutant.name) for mutant in mutants(source)]
            for mutant in mutants(source):
                compile(mutant.tree, target, "exec")
            self.assertGreater(len(found), 5)

    def test_targets(self) -> None:
        """The modules and tests that are named are there, and so is what is explained."""
        for target, tests in TARGETS.items():
            self.assertTrue((ROOT / "chatlog" / f"{target}.py").exists(), target)
            for test in tests:
                self.assertTrue((ROOT / f"{test.replace('.', '/')}.py").exists(), test)
        for name, reason in explained().items():
            target, _, change = name.partition(" ")
            self.assertIn(target, TARGETS, EXPLAINED.name)
            self.assertTrue(reason, name)
            source = (ROOT / "chatlog" / f"{target}.py").read_text("utf-8")
            function = change.partition(":")[0].rpartition(".")[2]
            self.assertRegex(source, rf"\b(def|class) {function}\b", f"{EXPLAINED.name}: {name}")
