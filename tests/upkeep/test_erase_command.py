"""``chatlog erase`` from a terminal, in a directory and beside a recorder's spool."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from chatlog.cli import commands
from chatlog.naming import BundleName, FileName, utc_minute
from chatlog.store.directory_store import DirectoryStore
from chatlog.upkeep.bundle_put import Piece, put_bundle
from chatlog.uploader.packing import pack_data
from tests.upkeep.people import HOUR, ID, NAME, OLD_NAME, TEN, People, of_others, own


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

    def spooled(self) -> dict[str, bytes]:
        """Files of a recorder that has died: one in each place, and a piece of a damaged one."""
        names = [FileName("twitch", "a", utc_minute(TEN + hour * HOUR)) for hour in (6, 7, 8)]
        data = [b"".join(own(TEN + hour * HOUR) + of_others(TEN + hour * HOUR)) for hour in (6, 7, 8)]
        torn = data[0][:40] + own(TEN)[0][-190:]
        files = {
            f"open/{names[2]}": data[2] + own(TEN)[0][:-30],
            f"sealed/{names[1]}": data[1],
            f"packed/{names[0]}.zst": pack_data(data[0], ".zst").data,
            f"torn/{names[0]}.17": torn,
        }
        for path, content in files.items():
            (self.root / "spool" / path).parent.mkdir(exist_ok=True)
            (self.root / "spool" / path).write_bytes(content)
        return files

    def test_spool(self) -> None:
        """Where no recorder runs, its files are written again: what is of others stays in them."""
        files = self.spooled()
        result = self.run_it(f"twitch/id:{ID}", "--json")
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertEqual(json.loads(result.stdout)["files"], {"removed": 20, "redacted": 0})
        self.run_it(f"kick/id:{ID}")
        self.assertEqual(self.traces(), [])
        for hour, path in ((7, "sealed"), (8, "open")):
            [found] = [file for file in files if file.startswith(path)]
            lines = (self.root / "spool" / found).read_bytes()
            self.assertEqual(lines, b"".join(of_others(TEN + hour * HOUR)))

    def test_spool_of_a_recorder(self) -> None:
        """A running recorder's files are its own: they are named, and the request stays open."""
        files = self.spooled()
        lock = os.open(self.root / "spool" / "lock", os.O_CREAT | os.O_RDWR)
        self.addCleanup(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = self.run_it(f"twitch/id:{ID}", "--wait", "0")
        self.assertEqual(result.exit_code, 1, result.output)
        self.assertIn("6 records that the recorder has not stored yet", result.stderr)
        for path in [path for path in files if not path.startswith("torn")]:
            self.assertEqual((self.root / "spool" / path).read_bytes(), files[path])

    def test_stored_and_still_there(self) -> None:
        """A file that was stored before the recorder died goes; its object is erased as others are."""
        name = FileName("twitch", "a", utc_minute(TEN + 3 * HOUR))
        data = (self.root / "archive" / name.key(suffix=".zst")).read_bytes()
        (self.root / "spool" / "packed" / f"{name}.zst").write_bytes(data)
        other = FileName("twitch", "a", utc_minute(TEN))
        piece = Piece(
            other.key(suffix=".zst"), (self.root / "archive" / other.key(suffix=".zst")).read_bytes()
        )
        put_bundle(DirectoryStore(f"{self.root}/archive"), BundleName(utc_minute(TEN)), ".zst", [piece])
        (self.root / "archive" / piece.key).unlink()
        (self.root / "spool" / "packed" / f"{other}.zst").write_bytes(piece.data)
        result = self.run_it(f"twitch/id:{ID}")
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertEqual(list((self.root / "spool" / "packed").iterdir()), [])
        self.run_it(f"kick/id:{ID}")
        self.assertEqual(self.traces(), [])

    def test_opted_out_first(self) -> None:
        """The person is put on the opt-out list before anything is changed, by the id; with
        --keep-recording, with a message or an end not. The request is called alike every time."""
        for arguments in (
            (f"twitch/{NAME}", "--until", "2025-12-01"),
            (f"twitch/{NAME}", "--keep-recording"),
        ):
            result = self.run_it(*arguments, "--json")
            self.assertEqual(json.loads(result.stdout)["opted_out"], "")
        self.assertFalse((self.root / "archive" / "optout").exists())
        for became in ("now", "before"):
            result = self.run_it(f"twitch/id:{ID}", "--json")
            self.assertEqual(json.loads(result.stdout)["opted_out"], became)
        listed = CliRunner().invoke(commands, ["optout", "list", "--config", str(self.config)])
        self.assertIn("1 person opted out", listed.stdout)
        first = json.loads(self.run_it(f"kick/id:{ID}", "--json").stdout)["request"]
        self.assertEqual(json.loads(self.run_it(f"kick/id:{ID}", "--json").stdout)["request"], f"{first}-2")

    def test_opted_out_before(self) -> None:
        """Once nothing is left that tells the id, the name says whether they are on the list: also after a
        run that was killed behind the list, and in one for a room."""
        first = json.loads(self.run_it(f"twitch/{NAME}", "--json").stdout)
        self.assertEqual(first["opted_out"], "now")
        for more in ((), ("--room", "a")):
            again = self.run_it(f"twitch/{NAME}", *more)
            self.assertIn("Somebody of that name was on the opt-out list before", again.stdout)
            self.assertNotIn("optout add", again.stdout)
        self.assertIn("put nobody on the opt-out list", self.run_it("twitch/nobodyofthatname").stdout)

    def test_not_opted_out(self) -> None:
        """Who was erased without the list is not said to be on it; nor is somebody on a room's list said to
        be on that of all."""
        arguments = ["optout", "add", f"twitch/id:{ID}", "--room", "a", "--since", "2025-01-01", "--config"]
        added = CliRunner().invoke(commands, [*arguments, str(self.config)])
        self.assertIn(NAME, added.stdout)
        self.run_it(f"twitch/{NAME}", "--keep-recording")
        self.assertIn("put nobody on the opt-out list", self.run_it(f"twitch/{NAME}").stdout)
        inside = self.run_it(f"twitch/{NAME}", "--room", "a").stdout
        self.assertIn("Somebody of that name was on the opt-out list before", inside)

    def test_foreign_key(self) -> None:
        """A list of another key is refused, and nothing is changed; --keep-recording goes on."""
        path = self.root / "archive" / "optout" / ("key." + "0" * 16)
        path.parent.mkdir()
        path.write_bytes(b"")
        person = self.root / "archive" / "optout" / "twitch" / ("0" * 64)
        person.parent.mkdir()
        person.write_bytes(b"")
        result = self.run_it(f"twitch/id:{ID}")
        self.assertEqual(result.exit_code, 2, result.output)
        self.assertIn("--keep-recording", result.stderr)
        self.assertEqual(self.run_it(f"twitch/id:{ID}", "--keep-recording").exit_code, 0)

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
        result = self.run_it()
        self.assertEqual(result.exit_code, 0)
        self.assertIn(
            "No interrupted run left anything to complete. To erase somebody, write who", result.stdout
        )
        self.assertNotIn("looked at", result.stdout)
        self.assertNotIn("Not reached", result.stderr)
