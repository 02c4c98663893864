"""The folders of years, months and days."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.store.dated_folders import days, months, numbers
from tests.stores import MemoryStore


class DatedFoldersTests(SynchronousTestCase):
    """An archive with folders of all kinds."""

    def setUp(self) -> None:
        self.store = MemoryStore()
        for key in (
            "2025/12/29/twitch/a/x",
            "2025/12/30/twitch/a/x",
            "2026/01/02/twitch/a/x",
            "2025/9/29/twitch/a/x",
            "2025/notes/x",
            "\u0662\u0660\u0662\u0665/12/29/x",
            "manifest/2025/12/28/x",
            "manifest/erasure/2025/12/x",
            "bundle/2025/12/twitch/a/x",
            "20251/12/29/x",
        ):
            self.store.objects[key] = b""

    def test_days(self) -> None:
        """Days come in order, also the newest first; what is no date is passed over."""
        found = ["2025/12/29", "2025/12/30", "2026/01/02"]
        self.assertEqual(list(days(self.store)), found)
        self.assertEqual(list(days(self.store, newest_first=True)), found[::-1])
        self.assertEqual(list(days(self.store, "manifest/")), ["2025/12/28"])
        self.assertEqual(list(days(self.store, "bundle/")), [])

    def test_months(self) -> None:
        """So do months, with days in them or not."""
        self.assertEqual(list(months(self.store)), ["2025/12", "2026/01"])
        self.assertEqual(list(months(self.store, "bundle/")), ["2025/12"])
        self.assertEqual(list(months(self.store, "manifest/erasure/")), ["2025/12"])
        self.assertEqual(list(months(self.store, "parquet/")), [])
        self.assertEqual(numbers(self.store, "2025/12/", 2), ["29", "30"])
