"""The archive server as its own process, beside a recorder's directories."""

from __future__ import annotations

import signal
import sys
import urllib.request
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import orjson
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive_http.tap import Options, makeService
from tests.archive.world import World
from tests.archive_http.served import MARCH, ROOM, privmsg
from tests.processes import Process, wait_for

_TWISTD = "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()"


class ProcessTests(SynchronousTestCase):
    def test_served(self) -> None:
        """twistd serves what the configuration names, says where, and ends when it is told to."""
        home = Path(self.mktemp()).absolute()
        home.mkdir()
        world = World(str(home / "world"))
        world.put(MARCH, [privmsg(1000, "hello")], room=ROOM)
        (home / "chatlog.yaml").write_text(
            "twitch: {channels: [testchan]}\nhttp: {listen: null}\n"
            f"archive: {{directory: {world.archive}, listen: '127.0.0.1:0'}}\n"
            f"recorder: {{directory: {world.spool}}}\n"
        )
        arguments = ["-n", "--pidfile=", "chatlog-archive", "--config", str(home / "chatlog.yaml")]
        command = [sys.executable, "-c", _TWISTD, *arguments]
        process = Process("archive", command, home / "log", {})
        try:
            wait_for("the archive server", lambda: "archive at http" in process.output(), 60.0)
            where = process.output().partition("archive at ")[2].split()[0]
            with urllib.request.urlopen(f"{where}channels", timeout=30) as answer:
                channels = orjson.loads(answer.read())
            self.assertEqual(channels["channels"], [{"name": "testchan", "userID": "11111"}])
            with urllib.request.urlopen(f"{where}channel/testchan", timeout=30) as answer:
                self.assertEqual(answer.read(), b"[2026-03-01 00:00:01] #testchan alice: hello\r\n")
            self.assertIn(process.end(signal.SIGTERM), (0, -signal.SIGTERM))
        finally:
            if process.alive:
                process.end(signal.SIGKILL)
        self.assertNotIn("Traceback", process.output())


class OptionsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = self.mktemp()
        Path(self.path).write_text("twitch: {channels: [a]}\narchive: {directory: nowhere}\n")
        self.said = StringIO()

    def refused(self, *arguments: str) -> str:
        """What is said of a command line that ends the command."""
        with redirect_stderr(self.said), self.assertRaises(SystemExit) as caught:
            options = Options()
            options.parseOptions(list(arguments))
            makeService(options, Clock())
        self.assertEqual(caught.exception.code, 1)
        [line] = self.said.getvalue().splitlines()
        return line

    def test_mistakes(self) -> None:
        """Each is one sentence and status 1."""
        self.assertIn("there is no such file", self.refused("--config", "absent.yaml"))

    def test_no_archive(self) -> None:
        """A directory that is not there is a mistake, but not beside a recorder that has just begun."""
        self.assertIn("there is no directory", self.refused("--config", self.path))

    def test_no_address(self) -> None:
        """What is no address is refused before anything listens."""
        self.assertIn("--listen: foo", self.refused("--config", self.path, "--listen", "foo"))
