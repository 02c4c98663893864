"""Tests of ``chatlog demo`` and of what it is made of."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from chatlog import configuration as config
from chatlog.commands.demo import PORTS, configuration, demo, simulated
from chatlog.commands.lifeline import command
from chatlog.commands.troupe import Troupe
from tests.processes import ROOT, Process, wait_for

ENVIRON = {**os.environ, "PYTHONPATH": str(ROOT)}


def body(url: str) -> bytes:
    """What is at an address; nothing if it does not answer."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return bytes(answer.read())
    except OSError:
        return b""


class DemoTests(SynchronousTestCase):
    """The whole of it, as processes."""

    def setUp(self) -> None:
        self.home = Path(self.mktemp()).resolve()
        self.home.mkdir()
        self.running: list[Process] = []
        self.addCleanup(self.end_all)

    def end_all(self) -> None:
        for process in self.running:
            if process.alive:
                process.popen.kill()
            process.popen.wait()

    def start(self, *arguments: str) -> Process:
        """The command, in a directory of the test's own."""
        program = [sys.executable, "-m", "chatlog", "demo", *arguments]
        log = self.home / f"output-{len(self.running)}.log"
        process = Process("demo", program, log, {"COLUMNS": "200"})
        self.running.append(process)
        return process

    def recorded(self) -> list[Path]:
        """The files with chat."""
        return [path for path in (self.home / "demo").rglob("*_*.jsonl*") if path.stat().st_size]

    def test_until_interrupted(self) -> None:
        """Chat is recorded and the page answers until Ctrl-C, which ends everything with one line and
        status 0. Meanwhile nobody else gets into the directory; afterwards a further demo goes on there."""
        first = self.start()
        page = first.says(r"Page: (http://127\.0\.0\.1:[0-9]+/) ").split()[1]
        wait_for("chat on the disk", self.recorded)
        with urllib.request.urlopen(page, timeout=10) as answer:
            self.assertEqual(answer.status, 200)
        read = first.says(r"What was recorded: (http://127\.0\.0\.1:[0-9]+/\S+)\n").split()[-1]
        wait_for("the page of a room's recordings", lambda: b"calendar.js" in body(read))
        second = self.start()
        self.assertEqual(second.popen.wait(30), 1)
        self.assertRegex(second.output(), r"\AError: a demo is running in demo already; .*--directory\n\Z")
        self.assertEqual(first.end(signal.SIGINT), 0)
        self.assertRegex(
            first.output().splitlines()[-1], r"\AThe demo has ended\. In demo/archive: \d+ objects\.\Z"
        )
        self.assertNotRegex(first.output(), " (WARN|ERROR|CRIT)|Traceback")
        self.assertRaises(OSError, urllib.request.urlopen, page, timeout=10)
        self.assertEqual(list((self.home / "demo/data/open").iterdir()), [])
        third = self.start("--duration", "1")
        self.assertEqual((third.popen.wait(30), third.output().count("Page: ")), (0, 1))
        self.assertNotRegex(third.output(), " (ERROR|CRIT)|Traceback")

    def test_killed(self) -> None:
        """Nothing of it lives on when it is killed."""
        first = self.start()
        page = first.says(r"page at (http://127\.0\.0\.1:[0-9]+/)").split()[2]
        first.popen.kill()
        first.popen.wait()

        def gone() -> bool:
            try:
                urllib.request.urlopen(page, timeout=10).close()
            except OSError:
                return True
            return False

        wait_for("the page's end", gone)

    def test_interrupted_at_once(self) -> None:
        """Ctrl-C while it is still starting is no trouble either."""
        first = self.start()
        wait_for("its directory", (self.home / "demo/demo.lock").exists)
        status = first.end(signal.SIGINT)
        self.assertIn(status, (0, 130))
        self.assertNotIn("Traceback", first.output())


class ConfigurationTests(SynchronousTestCase):
    """The configuration of the demo's recorder."""

    def test_like_demo_yaml(self) -> None:
        """It is what demo.yaml says, for the usual ports."""
        made = config.parse(configuration(Path("demo"), PORTS).encode(), {})
        given = config.parse((ROOT / "demo.yaml").read_bytes(), {})
        self.assertEqual(config.describe(made), config.describe(given))

    def test_directories(self) -> None:
        """Any name of a directory is passed on unchanged; one that looks like a variable is refused."""
        for name in ("with space", 'a"b', "a: b", "\u00e4", "#x", "a\\b"):
            made = config.parse(configuration(Path(name), PORTS).encode(), {})
            self.assertEqual(made.recorder.directory, f"{name}/data")
        refused = CliRunner().invoke(demo, ["--directory", "${HOME}"])
        self.assertEqual(refused.exit_code, 2)
        self.assertIn("another directory", refused.output)

    def test_no_directory(self) -> None:
        """A place where nothing can be written is one sentence."""
        path = self.mktemp()
        Path(path).write_text("")
        refused = CliRunner().invoke(demo, ["--directory", f"{path}/x"])
        self.assertEqual(refused.exit_code, 1)
        self.assertIn(f"Error: {path}/x cannot be used: ", refused.output)


class TroupeTests(SynchronousTestCase):
    """Programs that end together."""

    def setUp(self) -> None:
        self.home = Path(self.mktemp())
        self.home.mkdir()

    def test_port(self) -> None:
        """The usual port where it is free, else another. What one has chosen is not free for others until it
        ends, though nothing listens there yet."""
        other = self.home / "other"
        other.mkdir()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            usual = taken.getsockname()[1]
            with Troupe(self.home) as troupe:
                self.assertNotIn(troupe.port(usual), (0, usual))
        with Troupe(self.home) as troupe:
            self.assertEqual(troupe.port(usual), usual)
            with Troupe(other) as second:
                self.assertNotIn(second.port(usual), (0, usual))
        with Troupe(other) as second:
            self.assertEqual(second.port(usual), usual)

    def test_port_taken_meanwhile(self) -> None:
        """If somebody takes a port after it was chosen, the look-alike servers get others."""
        with Troupe(self.home) as troupe, socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            chosen = {"twitch": port, "kick": troupe.port(0), "page": 1, "served": 2}
            found = simulated(troupe, self.home, chosen)
            assert found is not None
            self.assertNotIn(port, found.values())
            self.assertEqual((found["page"], found["served"]), (1, 2))
            for name in ("twitch", "kick"):
                socket.create_connection(("127.0.0.1", found[name]), 10).close()
            self.assertTrue(troupe.all_alive())

    def test_one_that_ends(self) -> None:
        """A program that ends by itself is named, with its last words; the others are ended."""
        said = io.StringIO()
        with contextlib.redirect_stderr(said), Troupe(self.home) as troupe:
            troupe.start("patient", "tests.commands.test_demo:wait", [], self.home / "patient.log")
            log = self.home / "patient.log"
            self.assertTrue(troupe.wait_for(lambda: log.read_text().endswith("\n"), "no number", 30.0))
            troupe.start("broken", "tests.commands.test_demo:fail", [], self.home / "broken.log")
            self.assertFalse(troupe.wait_for(lambda: False, "never", 30.0))
        self.assertEqual(said.getvalue(), "the broken has ended by itself, with status 3: what is wrong\n")
        self.assertFalse(Path(f"/proc/{log.read_text().strip()}").exists())

    def test_one_in_its_place(self) -> None:
        """A program whose end is dealt with may have another in its place, which is ended with the others; an
        end that is not dealt with is reported."""
        said, words, log = io.StringIO(), [], self.home / "patient.log"

        def instead(last: str) -> bool:
            words.append(last)
            troupe.start("patient", "tests.commands.test_demo:wait", [], log)
            return True

        with contextlib.redirect_stderr(said), Troupe(self.home) as troupe:
            troupe.start(
                "broken", "tests.commands.test_demo:fail", [], self.home / "broken.log", instead=instead
            )
            begun = lambda: log.exists() and log.read_text().endswith("\n")  # noqa: E731
            self.assertTrue(troupe.wait_for(begun, "no number", 30.0))
            troupe.start(
                "other", "tests.commands.test_demo:fail", [], self.home / "other.log", instead=lambda _: False
            )
            self.assertFalse(troupe.wait_for(lambda: False, "never", 30.0))
        self.assertEqual(words, ["what is wrong"])
        self.assertEqual(said.getvalue(), "the other has ended by itself, with status 3: what is wrong\n")
        self.assertFalse(Path(f"/proc/{log.read_text().strip()}").exists())

    def test_too_late(self) -> None:
        """A program that does not answer in time is reported."""
        said = io.StringIO()
        with contextlib.redirect_stderr(said), Troupe(self.home) as troupe:
            self.assertFalse(troupe.wait_for(lambda: False, "the servers do not listen", 0.0))
        self.assertEqual(said.getvalue(), "the servers do not listen within 0 s\n")

    def test_signals(self) -> None:
        """A signal asks for the end while it is entered, and is again what it was afterwards."""
        before = signal.getsignal(signal.SIGTERM)
        with Troupe(self.home) as troupe:
            signal.raise_signal(signal.SIGTERM)
            self.assertTrue(troupe.asked_to_end)
            self.assertFalse(troupe.wait_for(lambda: False, "never", 30.0))
        self.assertEqual(signal.getsignal(signal.SIGTERM), before)

    def test_one_at_a_time(self) -> None:
        """A directory has one troupe."""
        with Troupe(self.home):
            self.assertRaises(BlockingIOError, Troupe, self.home)
        with Troupe(self.home):
            pass


class LifelineTests(SynchronousTestCase):
    """A program that ends with its starter."""

    def test_end(self) -> None:
        """It runs until the pipe is closed, and then ends as SIGTERM ends it."""
        process = subprocess.Popen(
            command("tests.commands.test_demo:wait", "wait"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=ENVIRON,
        )
        assert process.stdin is not None and process.stdout is not None
        with process.stdout:
            self.assertEqual(process.stdout.readline().strip(), str(process.pid).encode())
            process.stdin.close()
            self.assertEqual(process.wait(30), -signal.SIGTERM)

    def test_own_end(self) -> None:
        """Its own status is kept; a module runs as a program, under its name and with its arguments."""
        for what, status in (("tests.commands.test_demo:fail", 3), ("json.tool", 2)):
            ran = subprocess.run(
                command(what, "tool", "--nonsense"), input=b"", capture_output=True, env=ENVIRON, timeout=30
            )
            self.assertIn(ran.returncode, (status, -signal.SIGTERM))


def wait() -> None:
    """A program that waits."""
    print(os.getpid(), flush=True)
    while True:
        signal.pause()


def fail() -> int:
    """A program that fails."""
    print("what is wrong", flush=True)
    return 3


class InterruptTests(SynchronousTestCase):
    """Ctrl-C before the command has begun."""

    def test_while_importing(self) -> None:
        """One line and the status that shells expect, wherever in the imports it comes."""
        for name in ("click", "chatlog.cli", "chatlog.verify.command"):
            program = f"""
import os, signal, sys
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
from chatlog.__main__ import main
main()
"""
            ran = subprocess.run(
                [sys.executable, "-c", program], capture_output=True, text=True, env=ENVIRON, timeout=60
            )
            self.assertEqual((ran.returncode, ran.stderr), (130, "chatlog: interrupted\n"), name)
