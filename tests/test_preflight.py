"""What is known of a configuration before anything is started."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from chatlog import configuration as config
from chatlog.cli import commands
from chatlog.config.places import placed
from chatlog.preflight import Findings, examine
from chatlog.state.lines import encode
from chatlog.tap import Options


class PreflightTests(SynchronousTestCase):
    """``chatlog check`` and ``twistd chatlog --check``."""

    def setUp(self) -> None:
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir(parents=True)
        self.path = self.home / "chatlog.yaml"

    def write(self, text: str) -> Path:
        """A configuration whose directories can be made."""
        places = f"recorder: {{directory: {self.home}/data}}\n"
        self.path.write_text(f"{places}{text}")
        return self.path

    def examined(self, text: str) -> Findings:
        """What is found in a configuration."""
        path = str(self.write(text))
        return examine(path, config.load(path, {}), {})

    def test_a_file_that_is_no_certificate(self) -> None:
        """It is a problem before the start, not at it; key, file and remedy are named, and the library's
        advice for programmers is left out."""
        for platform in ("twitch", "kick"):
            junk = self.home / "junk.pem"
            junk.write_text("-----BEGIN NONSENSE-----\n")
            [problem] = self.examined(f"{platform}: {{channels: [ann], ca_file: '{junk}'}}").problems
            self.assertIn(f"{platform}.ca_file: {junk}: no certificate can be read from it", problem)
            self.assertIn("PEM", problem)
            self.assertNotIn("https://", problem)

    def test_file_and_line(self) -> None:
        """A file that is missing and a directory that cannot be one are told with the line of their key, also
        at a start; a key that is not in the file has none."""
        (self.home / "file").write_text("")
        found = self.examined(
            f"twitch:\n  channels: [ann]\n  ca_file: {self.home}/none.pem\n"
            f"archive:\n  url: file://{self.home}/file\n"
        )
        problems = [
            f"{self.path}:6: archive.url: {self.home}/file is not a directory",
            f"{self.path}:4: twitch.ca_file: {self.home}/none.pem: No such file or directory",
        ]
        self.assertEqual(found.problems[:2], problems)
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            self.assertRaises(SystemExit, Options().parseOptions, ["--config", str(self.path)])
        self.assertEqual(said.getvalue().splitlines(), problems)
        self.assertEqual(
            placed(str(self.path), ["archive.cache: x", "twitch.ca_file x"]),
            ["archive.cache: x", "twitch.ca_file x"],
        )

    def test_an_archive_directory_that_is_not_used(self) -> None:
        """Beside a bucket or an address, a directory that is named as the archive gets a comment."""
        unused = f"# Mind: archive.directory: with %s nothing is stored in {self.home}/kept; leave one"
        room, named = "twitch: {channels: [ann]}\n", f"directory: '{self.home}/kept'"
        for text, where in (
            (f"s3: {{bucket: abc}}\narchive: {{{named}}}", "s3"),
            (f"archive: {{url: 's3://logs', {named}}}", "archive.url"),
        ):
            self.assertIn(unused % where, self.examined(room + text).meaning)
        for text in (
            f"archive: {{{named}}}",
            "s3: {bucket: abc}",
            "s3: {bucket: abc}\narchive: {directory: archive}",
        ):
            self.assertNotIn("Mind: archive.directory: with", self.examined(room + text).meaning)

    def test_what_is_kept(self) -> None:
        """How long what is kept stands in plain words; a room that is not recorded, and a deletion that
        nobody does, are pointed at."""
        text = (
            "archive: {url: 's3://logs', tier_after: 30d, keep: {default: forever, twitch/an: 40d, kick: 1d}}"
        )
        found = self.examined(f"twitch: {{channels: [ann]}}\n{text}\n")
        for words in (
            "# What was said in twitch/an is deleted after 40 days.",
            "# What was said in kick is deleted after 1 day.",
            "# What no other line is about is kept for ever.",
            "# Mind: archive.keep.twitch/an: this room is not recorded; look whether it is spelt like that "
            "(there is twitch/ann)",
            "# Mind: archive.keep: without archive.listen nothing is deleted by itself; run chatlog expire",
        ):
            self.assertIn(words, found.meaning)
        self.assertEqual(found.problems, [])
        early = self.examined(
            "twitch: {channels: [ann]}\n"
            "archive: {url: 's3://logs', tier_after: 30d, keep: {default: 40d}, listen: '127.0.0.1:0'}\n"
        ).meaning
        self.assertIn("what is deleted after 40d lies in GLACIER_IR for less than the 90 days", early)
        self.assertNotIn("by itself", early)

    def test_state_of_a_later_version(self) -> None:
        """It is a problem before the start, for ``chatlog check`` and for the daemon alike."""
        state = self.home / "data" / "state"
        state.mkdir(parents=True)
        (state / "rooms").write_bytes(encode(0, {"state": "rooms", "version": 99}))
        [problem] = self.examined("twitch: {channels: [ann]}").problems
        self.assertIn(f"{state}/rooms was written by a later version of chatlog", problem)
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            error = self.assertRaises(SystemExit, Options().parseOptions, ["--config", str(self.path)])
        self.assertEqual((error.code, said.getvalue()), (1, f"{problem}\n"))
        self.assertEqual([path.name for path in state.iterdir()], ["rooms"])

    def test_what_may_be_a_mistake(self) -> None:
        """An address that is not this machine's or is taken, and a bucket that no store would make, are
        told and keep nothing from starting."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            for more, words in (
                ("http: {listen: '192.0.2.1:8080'}", "this machine does not have the address"),
                (f"http: {{listen: '127.0.0.1:{port}'}}", "another program listens there"),
                ("s3: {bucket: My_Bucket, endpoint: 'https://s3.example'}", "no store gives to a new bucket"),
            ):
                found = self.examined(f"twitch: {{channels: [ann]}}\narchive: {{}}\n{more}")
                self.assertEqual(found.problems, [])
                self.assertIn(f"# Mind: {more.partition(':')[0]}.", found.meaning)
                self.assertIn(words, found.meaning)

    def test_beside_the_running_recorder(self) -> None:
        """A recorder that runs already in the configured directory has its ports, and that is no mistake;
        what is left of one that has ended explains nothing."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            lock = self.home / "data" / "lock"
            lock.parent.mkdir()
            waiting = [sys.executable, "-c", "import sys; sys.stdin.read()"]
            ends = []
            for name in ("chatlog", "another"):
                process = subprocess.Popen([*waiting, name], stdin=subprocess.PIPE)
                self.addCleanup(process.wait)
                assert process.stdin is not None
                self.addCleanup(process.stdin.close)
                ends.append((process, process.stdin))
            for key, words in (("http", "there is no page"), ("archive", "the archive is not served")):
                text = f"twitch: {{channels: [ann]}}\n{key}: {{listen: '127.0.0.1:{port}'}}"
                warned = f"choose another port. Until then everything is recorded, but {words}"
                for content, expected in (
                    (f"{ends[0][0].pid}\n", False),
                    (f"{ends[1][0].pid}\n", True),
                    ("", True),
                    ("-1\n", True),
                    ("9" * 30, True),
                    ("junk\n", True),
                ):
                    lock.write_text(content)
                    self.assertEqual(warned in self.examined(text).meaning, expected, (key, content))
            lock.write_text(f"{ends[0][0].pid}\n")
            ends[0][1].close()
            ends[0][0].wait()
            self.assertIn(warned, self.examined(text).meaning)

    def test_both_say_the_same(self) -> None:
        """The two commands print the same and end with the same status."""
        self.home.joinpath("junk.pem").write_text("junk")
        for text in (
            "twitch: {channels: [ann]}\nhttp: {listen: '192.0.2.1:80'}",
            f"twitch: {{channels: [ann], ca_file: '{self.home}/junk.pem'}}",
            "twitch: {channels: shroud}",
        ):
            path = str(self.write(text))
            done = CliRunner().invoke(commands, ["check", "--config", path])
            printed, wrong = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(wrong):
                ended = self.assertRaises(SystemExit, Options().parseOptions, ["--config", path, "--check"])
            self.assertEqual((done.stdout, done.stderr), (printed.getvalue(), wrong.getvalue()))
            self.assertEqual(done.exit_code, ended.code)
            self.assertEqual(sorted(os.listdir(self.home)), ["chatlog.yaml", "junk.pem"])
