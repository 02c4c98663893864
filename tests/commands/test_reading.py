"""The archive read back from a terminal: what is found, what is missing, and how nonsense is refused."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from chatlog.cli import commands
from chatlog.parquet import duck
from chatlog.parquet.columns import record_of
from tests.archive.world import MIDNIGHT, World, gap, said

HOUR = 3600.0
DAY = "2025-12-29"


class CommandTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = self.mktemp()
        self.world = World(self.root)
        self.world.put(
            MIDNIGHT + 10 * HOUR,
            [
                said(MIDNIGHT + 10 * HOUR, "good morning", "ann", id="1", badges="moderator/1"),
                said(MIDNIGHT + 10 * HOUR + 1, "=cmd|' /C calc'!A0", "bob", id="2"),
                gap(MIDNIGHT + 10 * HOUR + 2, MIDNIGHT + 10 * HOUR + 62),
                said(MIDNIGHT + 10 * HOUR + 70, "Good night", "ann", id="3"),
            ],
        )

    def run_it(self, *arguments: str) -> Result:
        return CliRunner().invoke(commands, [*arguments, "--utc", "--archive", self.world.archive])


class KeptTests(CommandTestCase):
    """What is not kept any longer."""

    def run_configured(self, *arguments: str) -> Result:
        path = os.path.join(self.root, "chatlog.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(
                f"twitch: {{channels: [a]}}\nrecorder: {{directory: {self.root}/spool}}\n"
                f"archive: {{directory: {self.world.archive}, keep: {{twitch: 5d}}}}\n"
            )
        return CliRunner().invoke(commands, [*arguments, "--utc", "-c", path])

    def test_no_hole(self) -> None:
        """A time that is not kept any longer is called so, and is neither a gap nor the beginning of the
        recording; a room of which nothing is left says so too."""
        now = time.time()
        self.world.put(now - 4 * 86400.0, [said(now - 4 * 86400.0, "hello", "ann")], room=("twitch", "c"))
        shutil.rmtree(os.path.join(self.world.archive, "2025"))
        day = time.strftime("%Y-%m-%d", time.gmtime(now - 40 * 86400.0))
        for command in (("log", "c", day), ("search", "hello", "--room", "c", "--since", day)):
            warned = self.run_configured(*command).stderr
            self.assertIn("twitch/c is not kept longer than 5 days: what was said", warned)
        warned = self.run_configured("log", "twitch/a").stderr
        self.assertIn("what is said there is not kept longer than 5 days", warned)


class SearchTests(CommandTestCase):
    def test_a_text(self) -> None:
        """What was said is found whatever its case, the newest first, with its time and who said it."""
        result = self.run_it("search", "GOOD", "--since", DAY)
        self.assertEqual(
            result.stdout.splitlines(),
            ["2025-12-29 10:01:10 ann: Good night", "2025-12-29 10:00:00 @ann: good morning"],
        )
        self.assertEqual(result.exit_code, 0)
        self.assertIn("UTC", result.stderr)
        self.assertIn("not recorded from 2025-12-29 10:00:02 to 2025-12-29 10:01:02", result.stderr)

    def test_records(self) -> None:
        """--json gives the records as they are in the archive."""
        result = self.run_it("search", "--user", "bob", "--since", DAY, "--json")
        self.assertEqual(json.loads(result.stdout)["id"], "2")

    def test_context(self) -> None:
        """--context shows what was said around it."""
        result = self.run_it("search", "calc", "--since", DAY, "--context", "1")
        self.assertIn("good morning", result.stdout)
        self.assertIn("> bob", result.stdout)

    def test_only_what_was_found_counts(self) -> None:
        """What stands around it is not counted, and the limit is named where it was reached."""
        arguments = ("search", "good", "--since", DAY, "--context", "1", "--limit")
        self.assertIn("the first 2; --limit shows more", self.run_it(*arguments, "2").stderr)
        self.assertIn("2 found; looked at", self.run_it(*arguments, "3").stderr)

    def test_no_time_to_come(self) -> None:
        """The time that was looked at ends now, however far --until lies ahead."""
        said_to = re.compile(r"looked at \S+ \S+ to (\S+ \S+) UTC")
        for command in (("search", "good"), ("user", "twitch/ann")):
            for until in ((), ("--until", "2099-01-01")):
                result = self.run_it(*command, "--since", DAY, *until)
                now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
                found = said_to.search(result.stderr)
                assert found is not None, result.stderr
                self.assertLessEqual(found[1], now)

    def test_what_was_removed(self) -> None:
        """Messages that moderators removed are marked as in the log, also around what was found, and in
        several rooms at once."""
        ban = said(MIDNIGHT + 10 * HOUR + 80, "", "ann").replace(b'"type":"message"', b'"type":"ban"')
        self.world.put(MIDNIGHT + 11 * HOUR, [ban])
        other = said(MIDNIGHT + 10 * HOUR, "good, too", "ann").replace(b'"channel":"a"', b'"channel":"b"')
        self.world.put(MIDNIGHT + 10 * HOUR, [other], room=("twitch", "b"))
        for order in ((), ("--oldest",)):
            found = self.run_it("search", "good", "--since", DAY, *order).stdout
            self.assertIn("Good night [banned]\n", found)
            self.assertIn("good morning [banned]\n", found)
            self.assertIn("good, too\n", found)
        around = self.run_it("search", "calc", "--since", DAY, "--context", "1").stdout
        self.assertIn("good morning [banned]\n", around)

    def test_nothing(self) -> None:
        """Status 1 if nothing was found."""
        self.assertEqual(self.run_it("search", "nobody said this", "--since", DAY).exit_code, 1)

    def test_questions_without_sense(self) -> None:
        """Each is refused in one sentence, with status 2."""
        for arguments, words in (
            (("search",), "what to look for"),
            (("search", "x", "--since", "soon"), "'soon' is not a time"),
            (("search", "x", "--since", DAY, "--until", "2025-12-28"), "not later"),
            (("search", "(", "--regex"), "not a pattern"),
            (
                ("search", "hello", "--type", "bann"),
                "--type: 'bann' is not a kind of record; there are action,",
            ),
            (("search", "x", "--room", "twitch/aa"), "there is twitch/a"),
            (("search", "x", "--room", "twitch/b"), "there is no room twitch/b in the directory"),
            (("search", "x", "--room", "https://example.com/a"), "not an address"),
            (("log", "a", "2025-13-01"), "is not a time"),
            (("user", "ann"), "twitch/NAME"),
            (
                ("export", "a", "--offset", "soon", "--format", "chatjson"),
                "'soon' is not a number of seconds",
            ),
            (("export", "a", "--offset", "3s"), "--start and --offset are for --format chatjson alone"),
        ):
            result = self.run_it(*arguments)
            self.assertEqual(result.exit_code, 2, arguments)
            self.assertIn(words, result.stderr)
            self.assertEqual(len(result.stderr.strip().splitlines()), 1, result.stderr)
        # A room of the same platform is not near for that alone.
        self.assertNotIn("there is twitch/a", self.run_it("search", "x", "--room", "twitch/nosuch").stderr)

    def test_addresses_of_no_store(self) -> None:
        """They are refused before anything is connected to, and it is said what would be one."""
        for address, words in (
            ("http://x", "is not a store; write a directory, s3://"),
            ("s3://", "no bucket"),
        ):
            result = CliRunner().invoke(commands, ["search", "hello", "--archive", address])
            self.assertEqual(result.exit_code, 2)
            self.assertRegex(result.stderr, rf"\A--archive: '{address}' .*{words}.*\n\Z")

    def test_a_damaged_object(self) -> None:
        """The rest is found, the damage is named, and the status tells."""
        path = self.world.put(MIDNIGHT + 11 * HOUR, [said(MIDNIGHT + 11 * HOUR, "good")])
        os.truncate(path, 20)
        result = self.run_it("search", "good", "--since", DAY)
        self.assertEqual(len(result.stdout.splitlines()), 2)
        self.assertIn(
            "twitch/a: 2025/12/29/twitch/a/twitch_a_20251229_1100.jsonl.zst is damaged: it is cut off. "
            "What could be read of it is here, the rest is missing; `chatlog verify` says more\n",
            result.stderr,
        )
        self.assertEqual(result.exit_code, 1)


class LogTests(CommandTestCase):
    def test_a_day(self) -> None:
        """A day of a room in order, with what is missing where it is missing."""
        lines = self.run_it("log", "a", DAY).stdout.splitlines()
        self.assertEqual(lines[0], "10:00:00 @ann: good morning")
        self.assertIn("not recorded from 10:00:02 to 10:01:02 UTC: connection lost", lines[2])
        self.assertEqual(lines[3], "10:01:10 ann: Good night")

    def test_times_of_a_video(self) -> None:
        """Times can be those of a video."""
        lines = self.run_it("log", "a", DAY, "--relative-to", f"{DAY}T09:59:50").stdout.splitlines()
        self.assertTrue(lines[0].startswith("0:00:10 "), lines)

    def test_around_a_time(self) -> None:
        """--around shows five minutes before and after a time of that day."""
        self.assertEqual(len(self.run_it("log", "a", DAY, "--around", "10:06").stdout.splitlines()), 2)

    def test_before_and_after(self) -> None:
        """Of a time that begins before a room's first record it is said since when there are records, and of
        a time to come that it is; of any other time neither."""
        since = "twitch/a is recorded since 2025-12-29 10:00:00\n"
        for arguments, status, warned in (
            (("log", "a", "2025-12-28"), 1, since),
            (("log", "a", DAY), 0, since),
            (("log", "a", "2025-12-29T10:00..2025-12-29T11:00"), 0, ""),
            (("log", "a", "2025-12-30"), 1, ""),
            (("log", "a", "2999-01-01"), 1, "that time is still to come\n"),
            (("export", "a", "--since", "2025-12-27", "--until", "2025-12-28"), 1, since),
            (("export", "a", "--since", "2025-12-30"), 1, ""),
            (("search", "good", "--room", "a", "--since", "2025-12-27"), 0, since),
            (("search", "good", "--since", "2999-01-01", "--until", "2999-01-02"), 1, "to come\n"),
        ):
            result = self.run_it(*arguments)
            self.assertEqual(result.exit_code, status, arguments)
            for words in (since, "to come\n"):
                self.assertEqual(words in result.stderr, words in warned, (arguments, result.stderr))

    def test_no_archive(self) -> None:
        """If there is neither a configuration nor an archive here, the options that name them are told."""
        config = os.path.join(self.root, "chatlog.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"twitch:\n  channels: [a]\narchive:\n  directory: {self.root}/nowhere\n")
        result = CliRunner().invoke(commands, ["log", "a", "--config", config])
        self.assertEqual(result.exit_code, 2, result.stderr)
        self.assertIn("nowhere", result.stderr)
        self.assertIn("--archive", result.stderr)
        self.assertIn("--config", result.stderr)


class UserTests(CommandTestCase):
    def test_a_person(self) -> None:
        """Rooms, days and names of a person."""
        result = self.run_it("user", "twitch/ann", "--since", DAY)
        self.assertIn("twitch/a  2 messages on 1 day,", result.stdout)
        self.assertEqual(result.exit_code, 0)


class ExportTests(CommandTestCase):
    def export(self, form: str, *more: str) -> str:
        result = self.run_it("export", "a", "--since", DAY, "--until", "2025-12-30", "--format", form, *more)
        self.assertEqual(result.exit_code, 0, result.output)
        return result.stdout

    def test_csv(self) -> None:
        """A table with a header, in which nothing is a formula."""
        rows = list(csv.DictReader(io.StringIO(self.export("csv"))))
        self.assertEqual([row["username"] for row in rows], ["ann", "bob", "", "ann"])
        self.assertTrue(rows[1]["message"].startswith("'="))

    def test_csv_control_characters(self) -> None:
        """A table is for programs: control characters stay, except NUL, which many readers refuse."""
        self.world.put(MIDNIGHT + 12 * HOUR, [said(MIDNIGHT + 12 * HOUR, "a\x1b[31mb\0c", "ann", id="9")])
        self.assertIn("a\x1b[31mb\ufffdc", self.export("csv"))

    def test_irc(self) -> None:
        """Lines of IRC, with their ends."""
        lines = self.export("irc").splitlines()
        self.assertEqual(len(lines), 3)
        self.assertIn("PRIVMSG #a :good morning", lines[0])

    def test_jsonl_is_the_archive(self) -> None:
        """The records are those of the archive, byte for byte."""
        lines = [said(MIDNIGHT + 12 * HOUR + n, f"line {n} \u00e9", id=f"l{n}") for n in range(3)]
        self.world.put(MIDNIGHT + 12 * HOUR, lines)
        self.assertEqual(self.export("jsonl").encode().split(b"\n")[4:7], [line.strip() for line in lines])

    def test_parquet(self) -> None:
        """The records are those of the archive, as rows; without those that moderators removed where these
        are not wanted. A terminal gets none."""
        path = os.path.join(self.root, "out.parquet")
        for deleted, count in (("keep", 4), ("drop", 4)):
            self.export("parquet", "--deleted", deleted, "-o", path)
            connection = duck.connect(256_000_000, Path(self.root))
            records = [record_of(row) for row in duck.rows(Path(path), connection)]
            known = duck.metadata(Path(path), connection)
            connection.close()
            self.assertEqual(len(records), count)
            self.assertEqual([records[0]["username"], records[0]["message"]], ["ann", "good morning"])
            self.assertEqual((known["chatlog.records"], known["chatlog.rooms"]), (count, ["twitch/a"]))
        marked = self.run_it(*["export", "a", "--format", "parquet", "--deleted", "mark", "-o", "x"])
        self.assertEqual(marked.exit_code, 2)
        self.assertIn("--deleted keep or drop", marked.output)

    def test_a_file(self) -> None:
        """-o writes a file as a whole."""
        path = os.path.join(self.root, "out.json")
        self.export("chatjson", "-o", path)
        with open(path, encoding="utf-8") as file:
            chat = json.load(file)
        self.assertEqual(
            [one["content_offset_seconds"] for one in chat["comments"]], [36000.0, 36001.0, 36070.0]
        )
        self.assertFalse(os.path.exists(f"{path}.part"))

    def test_a_file_that_cannot_be_written(self) -> None:
        """A disk that is full, or a directory of that name, is one sentence; nothing remains of the file, and
        what was there before is still there."""
        path = Path(self.root, "out.jsonl")
        path.write_text("before")
        for output, why in ((path, "File too large"), (Path(self.root), "Is a directory")):
            command = [
                sys.executable,
                "-m",
                "chatlog",
                "export",
                "a",
                "--since",
                DAY,
                "-o",
                str(output.absolute()),
            ]
            done = subprocess.run(
                [*command, "--archive", self.world.archive],
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
                capture_output=True,
                check=False,
                text=True,
            )
            self.assertEqual(
                (done.returncode, done.stderr), (2, f"cannot write {output.absolute()}: {why}\n")
            )
        self.assertEqual(path.read_text(), "before")
        self.assertFalse(os.path.exists(f"{path}.part"))

    def test_deleted_messages(self) -> None:
        """Messages of somebody who was silenced can be left out or marked."""
        ban = said(MIDNIGHT + 10 * HOUR + 80, "", "ann")
        ban = ban.replace(b'"type":"message"', b'"type":"ban"')
        self.world.put(MIDNIGHT + 11 * HOUR, [ban])
        self.assertNotIn("Good night", self.export("text", "--deleted", "drop"))
        self.assertIn("Good night [banned]", self.export("text", "--deleted", "mark"))
        self.assertIn("Good night\n", self.export("text"))
