"""``chatlog run`` as a real process: it is twistd, and nothing else."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatlog import configuration as config
from tests.processes import Process, Stage, wait_for


class RunTests(SynchronousTestCase):
    """``chatlog run``."""

    def setUp(self) -> None:
        self.stage = Stage()
        self.addCleanup(self.stage.close)
        self.stage.config({"twitch": {"channels": ["ann"], "server": "irc://127.0.0.1:1"}})

    def chatlog_run(self, *options: str) -> Process:
        """Start it where chatlog.yaml is."""
        command = [sys.executable, "-m", "chatlog", "run", *options]
        process = Process("chatlog run", command, self.stage.home / "output.log", {})
        self.stage.running.append(process)
        return process

    def test_from_start_to_end(self) -> None:
        """It records in the process that was started, in the foreground, with twistd's own exit status, and
        leaves no pidfile; a HUP is taken; --verbose tells more."""
        process = self.chatlog_run("--verbose")
        process.says("twisted.*reactor class")
        process.says("cannot connect")
        arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")
        self.assertIn(b"chatlog.foreground", arguments)
        process.send(signal.SIGHUP)
        process.says("the configuration was read again")
        self.assertEqual(process.end(signal.SIGINT), -signal.SIGINT)
        self.assertNotIn("Traceback", process.output())
        self.assertEqual(list(self.stage.home.glob("*.pid")), [])

    def test_interrupted_at_once(self) -> None:
        """Once it has become the recorder, a signal never finds Python unprepared, however early it comes."""
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.chatlog_run()
            command = Path(f"/proc/{process.pid}/cmdline")
            wait_for("the recorder", partial(_has_become, command), every=0.002)
            self.assertEqual(process.end(number), -number, process.output())
            self.assertNotIn("Traceback", process.output())

    def test_check(self) -> None:
        """--check says what a configuration means, with status 0; one with problems is status 1."""
        good = self.chatlog_run("--check")
        self.assertEqual(good.popen.wait(30), 0)
        self.assertIn("# From chatlog.yaml.\n", good.output())
        bad = self.chatlog_run("--config", "nowhere.yaml")
        self.assertEqual(bad.popen.wait(30), 1)
        self.assertIn("nowhere.yaml: there is no such file", bad.output())


def _has_become(command: Path) -> bool:
    return b"chatlog.foreground" in command.read_bytes()


class OwnFileTests(SynchronousTestCase):
    """A configuration of one's own beside the one that comes with Chatlog."""

    def setUp(self) -> None:
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir(parents=True)
        self.path = str(self.home / "chatlog.yaml")

    def test_takes_the_place(self) -> None:
        """NAME.local.yaml is read in place of NAME.yaml, whether that is there or not; its problems are told
        under its own name; it is said which file counts."""
        (self.home / "chatlog.yaml").write_text("twitch: {channels: [ann]}\n")
        self.assertEqual(config.read_for(self.path), f"From {self.path}.")
        own = self.home / "chatlog.local.yaml"
        own.write_text("twitch: {channels: [bob]}\n")
        settings = config.load(self.path, {})
        self.assertEqual(settings.platforms["twitch"].channels, ("bob",))
        self.assertEqual(config.read_for(self.path), f"From {own}, which takes the place of {self.path}.")
        # Asked for by its own name it is itself.
        self.assertEqual(config.read_for(str(own)), f"From {own}.")
        os.unlink(self.path)
        self.assertEqual(config.load(self.path, {}).platforms["twitch"], settings.platforms["twitch"])
        own.write_text("twitch: {chanels: [bob]}\n")
        error = self.assertRaises(config.ConfigError, config.load, self.path, {})
        self.assertTrue(error.problems[0].startswith(f"{own}:1: "), error.problems)

    def test_not_to_be_read(self) -> None:
        """One's own file that cannot be read is never passed over in silence."""
        (self.home / "chatlog.yaml").write_text("twitch: {channels: [ann]}\n")
        (self.home / "chatlog.local.yaml").symlink_to("nowhere")
        error = self.assertRaises(config.ConfigError, config.load, self.path, {})
        self.assertIn("chatlog.local.yaml: there is no such file", error.problems[0])
