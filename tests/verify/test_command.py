"""``chatlog verify`` as it is typed: what it says, what it ends with, and how far it says it is."""

from __future__ import annotations

import io
import json
import os
import time
from typing import Any

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from chatlog.signing import Signer
from chatlog.verify.command import verify
from chatlog.verify.progress import Progress, bar, size
from chatlog.verify.report import duration, percent
from tests.sample_archive import HOUR, Archive


class CommandCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.archive = Archive(self.mktemp())

    def call(self, *arguments: str, **environ: str) -> Result:
        result = CliRunner().invoke(verify, list(arguments), env=environ)
        if result.exception is not None:
            self.assertIsInstance(result.exception, SystemExit)
        return result

    def recent(self, missing: float = 0.0) -> None:
        """An archive of the last whole hour: nothing of it is late."""
        at = time.time() // HOUR * HOUR - HOUR
        row = self.archive.store(at, "a", self.archive.messages("a", at))
        self.archive.manifest(at, at + HOUR, [row], missing)

    def json(self, *arguments: str) -> list[dict[str, Any]]:
        result = self.call(self.archive.root, "--json", *arguments)
        return [json.loads(line) for line in result.stdout.splitlines()]


class StatusTests(CommandCase):
    def test_whole(self) -> None:
        """A whole archive ends with 0, and says so."""
        self.recent()
        result = self.call(self.archive.root)
        self.assertEqual((result.exit_code, result.stderr), (0, ""))
        self.assertIn("nothing is wrong\n", result.stdout)
        self.assertIn("1 manifest, 1 object", result.stdout)

    def test_broken(self) -> None:
        """A broken one ends with 1, and says what and where."""
        self.archive.fill()
        key = self.archive.objects[0].key
        os.unlink(self.archive.path(key))
        result = self.call(self.archive.root)
        self.assertEqual(result.exit_code, 1)
        self.assertIn(f"missing-object  {key}: a manifest names it", result.stdout)
        self.assertIn("\n1 object is missing", result.stdout)
        self.assertNotIn("nothing is wrong", result.stdout)

    def test_cannot_look(self) -> None:
        """No archive, no configuration, a bad one, a bad option: 2, one sentence, no traceback."""
        config = self.mktemp()
        with open(config, "w", encoding="utf-8") as file:
            file.write("twitch: {channels: [Bad Name]}\n")
        plain = os.path.join(self.mktemp(), "x")
        for arguments, words in (
            (["/nowhere"], "there is no directory '/nowhere'"),
            (["--config", "/nowhere.yaml"], "there is no such file"),
            (["--config", config], "Twitch login"),
            ([plain, "--room", "shroud"], "not a room"),
            ([plain, "--room", "twitch/../x"], "not a room"),
            (
                [plain, "--since", "tomorow"],
                "'--since': 'tomorow' is not a day; write it like 2025-12-29, yesterday or 7d",
            ),
            ([plain, "--since", "2025-12-30", "--until", "2025-12-29"], "later"),
            (["file://relative"], "cannot look"),
            (["ftp://x/y"], "'ftp://x/y' is not a store; write a directory, s3://BUCKET"),
            (["s3://"], "'s3://' names no bucket; write s3://NAME"),
        ):
            result = self.call(*arguments)
            self.assertEqual(result.exit_code, 2, arguments)
            self.assertIn(words, result.stderr, arguments)
            self.assertEqual(result.stdout, "")
            self.assertNotIn("Traceback", result.stderr)

    def test_nothing_there(self) -> None:
        """A place without anything that chatlog stored is not called whole: it may be the wrong one."""
        self.archive.put("notes.txt", b"mine")
        result = self.call(self.archive.root)
        self.assertEqual(result.exit_code, 2)
        self.assertIn("nothing of chatlog's", result.stderr)
        self.assertNotIn("nothing is wrong", result.stdout)
        os.mkdir(empty := self.mktemp())
        result = self.call(empty)
        self.assertEqual((result.exit_code, len(result.stderr.splitlines())), (2, 1))
        self.assertIn(
            f"nothing of chatlog's to look at in the directory {empty}; is it the right", result.stderr
        )

    def test_no_such_days(self) -> None:
        """Days without an object are no whole ones: 2, and which days there are."""
        self.archive.fill(30)
        for arguments, words in (
            (["--since", "2999-01-01"], "from 2999-01-01 on"),
            (["--until", "2001-01-01"], "until 2001-01-01"),
            (["--since", "2001-01-01", "--until", "2001-01-02"], "from 2001-01-01 to 2001-01-02"),
            (
                ["--since", "2001-01-01", "--until", "2001-01-01", "--room", "twitch/a"],
                "of twitch/a of 2001-01-01",
            ),
        ):
            result = self.call(self.archive.root, *arguments)
            self.assertEqual(result.exit_code, 2, arguments)
            [sentence] = result.stderr.splitlines()
            self.assertIn(f"there is no object {words} in ", sentence)
            self.assertIn("its manifests are from 2025-12-29 to 2025-12-30", sentence)
            self.assertNotIn("nothing is wrong", result.stdout)

    def test_no_such_room(self) -> None:
        """A room that is not there is not called whole: 2, and the rooms that may have been meant."""
        self.recent()
        at = time.time() // HOUR * HOUR - HOUR
        rows = [self.archive.store(at, name, self.archive.messages(name, at)) for name in ("shroud", "xqc")]
        self.archive.manifest(at + HOUR, at + HOUR + 1, rows)
        for room, near in (
            ("twitch/shruod", "near it: twitch/shroud"),
            ("kick/shroud", "near it: twitch/shroud"),
            ("twitch/zzzzzz", "the rooms there: twitch/a, twitch/b, twitch/shroud, twitch/xqc"),
        ):
            result = self.call(self.archive.root, "--room", room)
            self.assertEqual(result.exit_code, 2, room)
            [sentence] = result.stderr.splitlines()
            self.assertIn(f"there is nothing of {room} in ", sentence)
            self.assertTrue(sentence.endswith(near), sentence)
            self.assertNotIn("nothing is wrong", result.stdout)
        result = self.call(self.archive.root, "--room", "twitch/shroud", "--room", "twitch/nope")
        self.assertEqual(result.exit_code, 2)
        self.assertIn("nothing of twitch/nope", result.stderr)
        self.assertEqual(self.call(self.archive.root, "--room", "twitch/shroud").exit_code, 0)

    def test_option(self) -> None:
        """The archive may be named by an option, as for other commands, but not twice."""
        self.recent()
        result = self.call("--archive", self.archive.root)
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertIn("nothing is wrong", result.stdout)
        twice = self.call(self.archive.root, "--archive", self.archive.root)
        self.assertEqual(twice.exit_code, 2)
        self.assertIn("the archive is named twice", twice.stderr)

    def test_config(self) -> None:
        """The archive is the one of the configuration, where none is named."""
        self.recent()
        config = self.mktemp()
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"twitch: {{channels: [a]}}\narchive: {{directory: {self.archive.root}}}\n")
        result = self.call("--config", config)
        self.assertEqual(result.exit_code, 0, result.output)

    def test_help(self) -> None:
        """--help explains the options and what the status means."""
        result = self.call("--help")
        self.assertEqual(result.exit_code, 0)
        for word in ("--since", "--until", "--room", "--json", "--quick", "2 if the"):
            self.assertIn(word, result.stdout)


class ScopeTests(CommandCase):
    def test_room_and_days(self) -> None:
        """Rooms and days are left out as asked."""
        self.archive.fill(30)
        summary = self.json("--room", "Twitch/b", "--since", "2025-12-29", "--until", "2025-12-29")[-1]
        self.assertEqual((summary["objects"], summary["fine"]), (24, True))

    def test_quick(self) -> None:
        """--quick reads nothing and finds what is missing."""
        self.archive.fill()
        os.unlink(self.archive.path(self.archive.objects[0].key))
        *_, summary = self.json("--quick")
        self.assertEqual((summary["bytes"], summary["problems"]["missing-object"]), (0, 1))


class ReportTests(CommandCase):
    def test_json(self) -> None:
        """For programs: a line for each problem, each room and day, and the sum at the end."""
        self.archive.fill(4, missing=30.0)
        key = self.archive.objects[0].key
        self.archive.put(key, self.archive.packed(b"?\n"))
        entries = self.json("--until", "2025-12-29")
        kinds = [entry["kind"] for entry in entries]
        self.assertEqual(kinds, [*sorted(kinds[:-1]), "summary"])
        invalid = next(entry for entry in entries if entry.get("problem") == "invalid-line")
        self.assertEqual((invalid["key"], invalid["line"], invalid["what"]), (key, 1, "no JSON"))
        room = entries[-2]
        self.assertEqual((room["channel"], room["missing"], room["gaps"]), ("b", 120.0, 4))
        self.assertEqual(room["coverage"], round(1 - 120 / (4 * HOUR), 6))
        self.assertEqual(room["reasons"], {"connection lost": 120.0})
        self.assertEqual(entries[-1]["fine"], False)

    def test_many_problems(self) -> None:
        """Of many problems of one kind people see the first, and how many there are."""
        self.archive.fill(40)
        for row in self.archive.objects[:70]:
            os.unlink(self.archive.path(row.key))
        result = self.call(self.archive.root, "--since", "2025-12-29", "--until", "2025-12-30")
        self.assertEqual(result.stdout.count("missing-object  2025"), 20)
        self.assertIn("missing-object  ... 50 more", result.stdout)
        self.assertIn("\n70 objects are missing", result.stdout)

    def test_many_rooms(self) -> None:
        """Of many rooms and days people see those that miss the most."""
        self.archive.fill(24 * 30)
        result = self.call(self.archive.root)
        self.assertIn("... and 20 more, which miss no more than these", result.stdout)

    def test_table(self) -> None:
        """What is not whole is never called 100 %."""
        self.recent(missing=0.01)
        result = self.call(self.archive.root)
        self.assertIn("twitch/a", result.stdout)
        self.assertIn("99.999 %", result.stdout)

    def test_lost_spool(self) -> None:
        """A recorder whose spool was lost is reported in one line, and nothing counts as damaged."""
        hour = time.time() // HOUR * HOUR - 10 * HOUR
        self.archive.manifest(hour, hour + HOUR, [])
        row = self.archive.store(hour + HOUR, "a", self.archive.messages("a", hour))
        os.utime(self.archive.path(row.key), (hour + 1.2 * HOUR, hour + 1.2 * HOUR))
        self.archive.manifest(hour + 1.5 * HOUR, hour + 2 * HOUR, [], new_spool=True)
        result = self.call(self.archive.root)
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertEqual(result.stdout.count("lost its spool or got a new one"), 1)
        self.assertIn("1 object in no manifest that could be read", result.stdout)
        self.assertEqual(next(entry["kind"] for entry in self.json()), "note")

    def test_copies(self) -> None:
        """What two instances recorded of a room is counted as copies."""
        self.recent()
        other = Archive(self.archive.root, instance="b")
        at = time.time() // HOUR * HOUR - HOUR
        row = other.store(at, "a", other.messages("a", at))
        other.manifest(at, at + HOUR, [row])
        result = self.call(self.archive.root)
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertIn("20 records that several instances have: copies, not doubles", result.stdout)

    def test_hostile_names(self) -> None:
        """Names in the archive cannot move the cursor."""
        self.archive.fill()
        row = self.archive.objects[0]._replace(key="\x1b[2J\nfoo")
        at = time.time() // HOUR * HOUR
        self.archive.manifest(at, at + HOUR, [row])
        result = self.call(self.archive.root)
        self.assertNotIn("\x1b", result.stdout)
        self.assertIn("foo", result.stdout)

    def test_numbers(self) -> None:
        """Numbers are written for people."""
        self.assertEqual([percent(1.0), percent(0.999999), percent(0.5)], ["100 %", "99.999 %", "50 %"])
        self.assertEqual(
            [duration(0), duration(1.25), duration(61), duration(7260)],
            ["0 s", "1.2 s", "1 m 01 s", "2 h 01 m"],
        )
        self.assertEqual([size(999), size(12_345), size(2 * 10**12)], ["999 B", "12.3 kB", "2.0 TB"])


class OptionTests(CommandCase):
    """Options beyond the days and rooms."""

    def test_key(self) -> None:
        """With the right key a signed archive is whole; with another one it is not, and it is told who
        signed. The key may be in a file."""
        signer, other = Signer("07" * 32), Signer("08" * 32)
        self.archive = Archive(self.archive.root, chained=True, signer=signer)
        self.recent()
        result = self.call(self.archive.root, "--key", signer.name)
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertRegex(
            result.stdout, rf"instance main: 1 manifest in a chain .*, 1 signed by {signer.name}\n"
        )
        [chain] = [entry for entry in self.json() if entry["kind"] == "chain"]
        self.assertEqual((chain["instance"], chain["signed"]), ("main", {signer.name: 1}))
        path = self.mktemp()
        with open(path, "w", encoding="ascii") as file:
            file.write(f"{other.name}\n")
        result = self.call(self.archive.root, "--key", path)
        self.assertEqual(result.exit_code, 1)
        self.assertIn(f"{signer.name} signed it, not {other.name}", result.stdout)
        self.assertEqual(self.call(self.archive.root, "--key", path, "--key", signer.name).exit_code, 0)

    def test_no_key(self) -> None:
        """What is no public key is refused; a private one is not repeated."""
        self.recent()
        for key, words in (("07" * 32, "no public key: that begins with ed25519:"), ("ed25519:07", "64 hex")):
            result = self.call(self.archive.root, "--key", key)
            self.assertEqual(result.exit_code, 2)
            self.assertIn(words, result.stderr)
            self.assertNotIn("07" * 32, result.output)

    def test_days(self) -> None:
        """Days may be named as in all commands; they are those of UTC."""
        self.recent()
        for since in ("yesterday", "7d", "2001-01-01"):
            self.assertEqual(self.call(self.archive.root, "--since", since).exit_code, 0, since)
        self.assertEqual(self.call(self.archive.root, "--until", "3d").exit_code, 2)

    def test_resume(self) -> None:
        """The file goes when everything was checked; a file of something else is refused."""
        self.recent()
        path = self.mktemp()
        self.assertEqual(self.call(self.archive.root, "--resume", path, "--jobs", "2").exit_code, 0)
        self.assertFalse(os.path.exists(path))
        with open(path, "w", encoding="ascii") as file:
            file.write("mine" * 1000)
        result = self.call(self.archive.root, "--resume", path)
        self.assertEqual((result.exit_code, result.stdout), (2, ""))
        self.assertIn("--resume: ", result.stderr)

    def test_missing_by_the_manifests_only(self) -> None:
        """Where the manifests say that a room is missing and its gap records do not, that is told of days
        that are over."""
        at = time.time() // 86400 * 86400 - 3 * 86400
        row = self.archive.store(at, "b", self.archive.messages("b", at))
        self.archive.manifest(at, at + HOUR, [row], missing=600.0)
        result = self.call(self.archive.root)
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertRegex(
            result.stdout, r"twitch/b \S+: 10 m 00 s are missing by the manifests, 0 s by the gap records"
        )
        rooms = {entry["channel"]: entry["differs"] for entry in self.json() if entry["kind"] == "room"}
        self.assertEqual(rooms, {"a": False, "b": True})
        self.assertNotIn("by the gap records", self.call(self.archive.root, "--quick").stdout)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class ProgressTests(SynchronousTestCase):
    def test_on_a_terminal(self) -> None:
        """The line is drawn over itself, not more than ten times a second, and goes before anything else
        is written."""
        now = [0.0]
        stream = Terminal()
        progress = Progress(stream, {"TERM": "xterm"}, lambda: now[0])
        for step in range(100):
            now[0] = step * 0.01
            progress.step("objects", step, 100)
        self.assertEqual(stream.getvalue().count("\r"), 10)
        progress.clear()
        self.assertTrue(stream.getvalue().endswith("\r\x1b[K"))
        length = len(stream.getvalue())
        progress.clear()
        self.assertEqual(len(stream.getvalue()), length)

    def test_elsewhere(self) -> None:
        """In a file, a pipe or a dumb terminal there is none."""
        for stream, term in ((io.StringIO(), "xterm"), (Terminal(), "dumb"), (Terminal(), "")):
            progress = Progress(stream, {"TERM": term})
            progress.step("objects", 1, 2)
            progress.clear()
            self.assertEqual(stream.getvalue(), "")

    def test_bar(self) -> None:
        """The progress shows how many of how many, and how fast; without a total only how many."""
        self.assertEqual(bar("objects", 5, 10, 0, 1.0), "[##########..........]  50% 5 of 10 objects")
        self.assertEqual(bar("manifests", 7, 0, 2000, 1.0), "manifests: 7, 2.0 kB, 2.0 kB/s")
        self.assertEqual(bar("objects", 11, 10, 0, 1.0), "[####################] 100% 11 of 11 objects")
