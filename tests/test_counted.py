"""Counts in sentences."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.commands.importing import summary
from chatlog.counted import many
from chatlog.importing.source import ImportReport


class CountedTests(SynchronousTestCase):
    """One is one, and many are many."""

    def test_forms(self) -> None:
        """The noun fits the number, also where it takes more than an s."""
        for count, noun, plural, words in (
            (0, "line", "", "0 lines"),
            (1, "line", "", "1 line"),
            (2, "line", "", "2 lines"),
            (12345, "line", "", "12,345 lines"),
            (1, "object is", "objects are", "1 object is"),
            (3, "object is", "objects are", "3 objects are"),
        ):
            self.assertEqual(many(count, noun, plural), words)

    def test_summary_of_an_import(self) -> None:
        """A single line is read, is no record, and comes from a single file."""
        report = ImportReport(lambda text: None)
        report.lines = report.unread_lines = report.unread_files = report.skipped = 1
        self.assertEqual(
            summary(report, False),
            "1 line read, 0 imported, 0 there already; 1 line is no record; 1 file cannot be read; "
            "1 file or day done before",
        )
