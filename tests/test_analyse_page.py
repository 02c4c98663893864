"""The recipes of docs/analyse.md work as they stand there, and none mistakes a hole for a quiet hour."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import duckdb
from twisted.trial.unittest import SynchronousTestCase

from tests.analyse import FIRST, SECOND, Recipe, make_archive, recipes


class AnalyseTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Path(self.mktemp()).resolve()
        self.home.mkdir()
        self.recipes = list(recipes())

    def ask(self, recipe: Recipe) -> list[dict[str, Any]]:
        """The answer to a recipe in SQL."""
        connection = duckdb.connect(config={"threads": 1, "autoinstall_known_extensions": False})
        with contextlib.ExitStack() as stack:
            stack.callback(connection.close)
            stack.callback(os.chdir, os.getcwd())
            os.chdir(self.home)
            found = connection.execute(recipe.text)
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def test_sql(self) -> None:
        """Every query finds something, and they agree on how much was said."""
        make_archive(self.home)
        answers = {recipe.text: self.ask(recipe) for recipe in self.recipes if recipe.language == "sql"}
        self.assertEqual(len(answers), 6)
        first, person, names, hours, holes, objects = answers.values()
        self.assertEqual(len(first), 6)
        own = [row for row in first if (row["platform"], row["channel"]) == ("twitch", "pixelharbor")]
        self.assertEqual([(row["messages"], row["people"]) for row in own], [(FIRST, 9), (SECOND, 9)])
        self.assertEqual([row["messages"] for row in objects], [FIRST, SECOND])
        self.assertEqual(len(person), len(range(1, FIRST, 9)) + len(range(1, SECOND, 9)))
        self.assertEqual(len(names), 9)
        self.assertEqual(len(holes), 6)
        self.assertIn("connection lost", str(holes[0]))
        of_day = {
            row["hour"].hour: (row["messages"], row["percent_recorded"], row["per_hour"])
            for row in hours
            if row["channel"] == "pixelharbor" and row["hour"].day == 29
        }
        self.assertEqual(len(of_day), 24)
        # Full, half recorded and silent, quiet, and not recorded at all.
        self.assertEqual(of_day[10], (FIRST, 100.0, float(FIRST)))
        self.assertEqual(of_day[11], (0, 50.0, 0.0))
        self.assertEqual(of_day[12], (0, 100.0, 0.0))
        self.assertEqual(of_day[13], (0, 0.0, None))

    def test_libraries(self) -> None:
        """Each recipe in Python says what it needs; .ci/analyse installs that."""
        script = (Path(__file__).parent.parent / ".ci" / "analyse").read_text("utf-8")
        for recipe in self.recipes:
            if recipe.language == "python":
                self.assertNotEqual(recipe.libraries, [], recipe.heading)
                for library in recipe.libraries:
                    self.assertRegex(script, rf"\b{library}\b")
        self.assertEqual({recipe.language for recipe in self.recipes}, {"sql", "python", "sh"})
