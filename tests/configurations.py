"""What the tests of the configuration share."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.settings import Settings
from chatlog.configuration import ConfigError, parse

#: A configuration that is right, to which a test adds.
SHORT = "twitch: {channels: [ann]}\n"


class ConfigTestCase(SynchronousTestCase):
    """Reads configurations from texts."""

    def read(self, text: str, **environ: str) -> Settings:
        """The settings of a text."""
        return parse(text.encode(), environ)

    def problems(self, text: str, **environ: str) -> list[str]:
        """The problems of a text, which must have some."""
        with self.assertRaises(ConfigError, msg=text) as caught:
            parse(text.encode(), environ)
        problems: list[str] = caught.exception.problems
        return problems

    def problem(self, text: str, **environ: str) -> str:
        """The one problem of a text."""
        problems = self.problems(text, **environ)
        self.assertEqual(len(problems), 1, problems)
        return problems[0]

    def assert_problem(self, text: str, *words: str, **environ: str) -> None:
        """The text has one problem, whose sentence holds the words."""
        problem = self.problem(text, **environ)
        for word in words:
            self.assertIn(word, problem, text)
