"""``chatlog expire`` as it is typed."""

from __future__ import annotations

import os
import time
from pathlib import Path

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from chatlog.cli import commands
from chatlog.parquet import duck
from tests.sample_archive import HOUR, Archive

DAY = 86400.0


class ExpireCommandTests(SynchronousTestCase):
    """A room that is kept for two days, with chat of the last six."""

    def setUp(self) -> None:
        self.home = self.mktemp()
        self.archive = Archive(os.path.join(self.home, "archive"), chained=True)
        today = time.time() // DAY * DAY
        self.keys = []
        for back in range(6, 0, -1):
            start = today - back * DAY
            row = self.archive.store(start + HOUR, "a", self.archive.messages("a", start + HOUR))
            self.keys.append(row.key)
            self.archive.manifest(start, start + DAY, [row])

    def config(self, keep: str = "{twitch/a: 2d}") -> str:
        path = os.path.join(self.home, "chatlog.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(
                f"twitch: {{channels: [a]}}\nrecorder: {{directory: {self.home}/data}}\n"
                f"archive: {{directory: {self.archive.root}, keep: {keep}}}\n"
            )
        return path

    def call(self, *arguments: str, keep: str = "{twitch/a: 2d}", typed: str | None = None) -> Result:
        result = CliRunner().invoke(commands, ["expire", "-c", self.config(keep), *arguments], input=typed)
        if result.exception is not None:
            self.assertIsInstance(result.exception, SystemExit, result.output)
        return result

    def left(self) -> int:
        return sum(os.path.exists(self.archive.path(key)) for key in self.keys)

    def test_shown_first(self) -> None:
        """A dry run says what would go and deletes nothing; nor does a run without a terminal and without
        --yes."""
        result = self.call("--dry-run")
        self.assertEqual(result.exit_code, 0)
        self.assertRegex(result.stdout, r"twitch/a is kept 2 days: [45] objects of [45] days, 20")
        self.assertRegex(result.stdout, r"[45] objects of the directory .* would go")
        result = self.call()
        self.assertEqual(result.exit_code, 2)
        self.assertIn("nothing was deleted: say --yes if that is to go", result.stderr)
        self.assertEqual(self.left(), 6)

    def test_yes(self) -> None:
        """With --yes it goes, and where that is written down is said; verify finds nothing wrong."""
        result = self.call("--yes")
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertRegex(result.stdout, r"[45] objects are gone\nwritten down in manifest/expiry/20")
        self.assertIn(self.left(), (1, 2))
        again = self.call("--yes")
        self.assertEqual((again.exit_code, again.stdout), (0, "nothing is older than archive.keep says\n"))
        verify = CliRunner().invoke(commands, ["verify", self.archive.root])
        self.assertIn("gone, as they were kept long enough", verify.output)
        self.assertIn("nothing is wrong", verify.output)

    def test_index(self) -> None:
        """What goes is in no index any more, and what stays is."""
        indexed = CliRunner().invoke(commands, ["compact", "-c", self.config("null")])
        self.assertIn("the index of people and words: ", indexed.output)
        before = self.indexed_days()
        self.assertIn(self.keys[0][:10].replace("/", "-"), before)
        self.call("--yes")
        gone = {key[:10].replace("/", "-") for key in self.keys if not os.path.exists(self.archive.path(key))}
        self.assertEqual(self.indexed_days(), before - gone)

    def indexed_days(self) -> set[str]:
        paths = Path(self.archive.root).glob("index/days/*.parquet")
        connection = duck.connect(256_000_000, Path(self.home))
        try:
            asked = (connection.execute(f"SELECT day::VARCHAR FROM '{path}'").fetchall() for path in paths)
            return {day for rows in asked for (day,) in rows}
        finally:
            connection.close()

    def test_forever(self) -> None:
        """Where nothing is said of a time, nothing goes."""
        for keep in ("null", "{default: forever}"):
            result = self.call("--yes", keep=keep)
            self.assertEqual((result.exit_code, self.left()), (0, 6))
            self.assertIn("nothing is deleted", result.stdout)

    def test_by_itself(self) -> None:
        """By itself it asks nobody, and goes only as far back as it would have to every day."""
        result = self.call("--by-itself")
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertIn(self.left(), (1, 2))
        start = time.time() // DAY * DAY - 12 * DAY
        row = self.archive.store(start, "a", self.archive.messages("a", start))
        self.keys.append(row.key)
        before = self.left()
        result = self.call("--by-itself")
        self.assertEqual((result.exit_code, self.left()), (1, before))
        self.assertIn("twitch/a has chat that is much older than archive.keep says (2 days)", result.stdout)

    def test_busy(self) -> None:
        """While another works there, it is said who."""
        lock = f'{{"what":"chatlog erase","host":"other","pid":7,"since":"2026-01-01","at":{time.time()}}}'
        self.archive.put("upkeep/lock/000000000001.json", lock.encode())
        result = self.call("--yes")
        self.assertEqual((result.exit_code, self.left()), (2, 6))
        self.assertIn("(chatlog erase on other as process 7 since 2026-01-01)", result.stderr)
