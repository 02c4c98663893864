"""``chatlog erase`` from a terminal, in a directory and beside a recorder's spool."""

from __future__ import annotations

import json
import os
from pathlib import Path

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from chatlog.cli import commands
from chatlog.naming import FileName, utc_minute
from tests.upkeep.people import HOUR, ID, NAME, OLD_NAME, TEN, People, own


class CommandTests(SynchronousTestCase):
    """The archive of ``People`` in a directory."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        self.people = People()
        for key, data in self.people.store.objects.items():
            path = self.root / "archive" / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        for area in ("open", "sealed", "packed"):
            (self.root / "spool" / area).mkdir(parents=True)
        self.config = self.root / "chatlog.yaml"
        self.config.write_text(
            f"recorder: {{directory: {self.root.resolve()}/spool}}\n"
            f"archive: {{directory: {self.root.resolve()}/archive}}\ntwitch: {{channels: [a]}}\n"
        )

    def run_it(self, *arguments: str, command: str = "erase") -> Result:
        return CliRunner().invoke(commands, [command, *arguments, "--config", str(self.config)])

    def traces(self) -> list[str]:
        """What is left of the person in the directory."""
        self.people.store.objects = {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in self.root.rglob("*")
            if path.is_file()
        }
        return [each for each in self.people.traces() if "chatlog.yaml" not in each]

    def test_whole(self) -> None:
        """First what would go; then it is gone, on both platforms, and verify says so. The receipt has no
        name."""
        dry = self.run_it(f"twitch/{NAME.title()}", "--dry-run")
        self.assertEqual(dry.exit_code, 0, dry.output)
        self.assertIn("26 records would be erased and 6 records of others would be redacted", dry.stdout)
        self.assertNotEqual(self.traces(), [])
        result = self.run_it(f"twitch/{NAME}", "--json")
        self.assertEqual(result.exit_code, 0, result.output)
        receipt = json.loads(result.stdout)
        self.assertEqual((receipt["removed"], receipt["redacted"], receipt["done"]), (26, 6, True))
        for trace in (NAME, OLD_NAME, ID):
            self.assertNotIn(trace, result.output)
        result = self.run_it(f"kick/id:{ID}")
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertEqual(self.traces(), [])
        checked = self.run_it(command="verify")
        self.assertIn("2 requests to be forgotten: 32 records erased, 8 redacted", checked.stdout)

    def test_again(self) -> None:
        """Once more there is nothing; a name that is not there says that too."""
        self.run_it(f"twitch/{NAME}")
        for who in (f"twitch/{NAME}", "twitch/nobodyofthatname"):
            result = self.run_it(who)
            self.assertIn("there is nothing of them left", result.stdout)
            self.assertEqual(result.exit_code, 0)

    def test_spool(self) -> None:
        """A file that the recorder here has not stored yet is named, not touched; the request stays open."""
        name = FileName("twitch", "a", utc_minute(TEN + 6 * HOUR))
        waiting = self.root / "spool" / "sealed" / str(name)
        waiting.write_bytes(b"".join(own(TEN + 6 * HOUR)))
        before = waiting.read_bytes()
        result = self.run_it(f"twitch/id:{ID}")
        self.assertEqual(result.exit_code, 1, result.output)
        self.assertIn("6 records that the recorder has not stored yet", result.stderr)
        self.assertEqual(waiting.read_bytes(), before)
        # It is stored.
        target = self.root / "archive" / name.key()
        target.parent.mkdir(parents=True, exist_ok=True)
        os.rename(waiting, target)
        self.assertEqual(self.run_it(f"twitch/id:{ID}").exit_code, 0)
        self.run_it(f"kick/id:{ID}")
        self.assertEqual(self.traces(), [])

    def test_refused(self) -> None:
        """Nonsense is refused in a sentence, and nothing is done."""
        for arguments, said in (
            (("hereandgone",), "does not say who is meant"),
            (("twitch/id:",), "does not say who is meant"),
            (("--room", "a"), "write who is meant"),
            ((f"twitch/{NAME}", "--room", "zz"), "there is no room"),
            ((f"twitch/{NAME}", "--room", "kick/k"), "another platform"),
            ((f"twitch/{NAME}", "--since", "2025-12-30", "--until", "2025-12-29"), "not later than"),
        ):
            result = self.run_it(*arguments)
            self.assertEqual(result.exit_code, 2, result.output)
            self.assertIn(said, result.stderr)
            self.assertEqual(len(result.stderr.splitlines()), 1)
        self.assertNotEqual(self.traces(), [])

    def test_nobody(self) -> None:
        """Without a person, what is open is completed, which is nothing here."""
        self.assertEqual(self.run_it().exit_code, 0)
