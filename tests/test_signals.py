"""Signals at every stage of a real process: each has a sane end, and none leaves a traceback or a pidfile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.processes import Process, Stage, wait_for

#: A twistd that stops for a moment at a stage, and says so: STAGE is where.
_SLOW = """
import os, sys, time
def here(stage):
    if stage == os.environ["STAGE"]:
        print("at", stage, flush=True)
        time.sleep(float(os.environ.get("PAUSE", "30")))
class Import:
    def find_spec(self, name, path, target=None):
        if name == "chatlog.config.config":
            here("imports")
sys.meta_path.insert(0, Import())
from twisted.application import app
inner = app.AppLogger.start
def start(self, application):
    here("configured")
    inner(self, application)
app.AppLogger.start = start

from twisted.scripts.twistd import run
from twisted.application import service
begin = service.MultiService.startService
def startService(self):
    begin(self)
    if type(self).__name__ == "Daemon":
        here("started")
service.MultiService.startService = startService
sys.argv[0] = "twistd"
run()
"""


class SignalCase(SynchronousTestCase):
    """A daemon without any server, and with files of its own."""

    def setUp(self) -> None:
        self.stage = Stage()
        self.addCleanup(self.stage.close)
        self.pidfile = self.stage.home / "twistd.pid"
        self.log = self.stage.home / "twistd.log"
        self.stage.config({"twitch": {"channels": ["ann"], "server": "irc://127.0.0.1:1"}})

    def twistd(self, *options: str, code: str = "", **environ: str) -> Process:
        """Start twistd with these options of its own."""
        run = code or "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()"
        command = [sys.executable, "-c", run, "--pidfile", str(self.pidfile), *options, "chatlog"]
        command += ["--config", str(self.stage.home / "chatlog.yaml")]
        process = Process("twistd", command, self.stage.home / "output.log", environ)
        self.stage.running.append(process)
        return process

    def runs(self, process: Process) -> None:
        """Wait until its reactor runs."""
        wait_for("signals taken", lambda: _ignores(process.pid, signal.SIGUSR2))

    def said(self) -> str:
        """The log, wherever it was to go."""
        return "".join(path.read_text() for path in self.stage.home.glob("*.log"))

    def assertClean(self) -> None:
        """Nothing is left that would hinder the next start, and there is no traceback."""
        self.assertFalse(self.pidfile.exists())
        self.assertNotIn("Traceback", self.said())


class ForegroundTests(SignalCase):
    """``twistd -n``."""

    def test_before_it_runs(self) -> None:
        """While it is imported, configured or started, a signal ends it at once, by that signal (QUIT
        leaves no core file), with one line."""
        for stage, number, by in (
            ("imports", signal.SIGINT, signal.SIGINT),
            ("configured", signal.SIGTERM, signal.SIGTERM),
            ("started", signal.SIGINT, signal.SIGINT),
            ("started", signal.SIGQUIT, signal.SIGTERM),
        ):
            process = self.twistd("-n", code=_SLOW, STAGE=stage)
            process.says(f"at {stage}")
            self.assertEqual(process.end(number), -by, (stage, process.output()))
            [line] = [line for line in process.output().splitlines() if line.startswith("chatlog: ")]
            self.assertIn("before it ran", line)
            self.assertClean()
            process.log.unlink()

    def test_hangup_before_it_runs(self) -> None:
        """A HUP that comes too early ends nothing, and is taken once there is something to read again."""
        for stage in ("imports", "started"):
            process = self.twistd("-n", code=_SLOW, STAGE=stage, PAUSE="0.5")
            process.says(f"at {stage}")
            process.send(signal.SIGHUP)
            process.says("the configuration was read again")
            self.assertEqual(process.end(signal.SIGTERM), -signal.SIGTERM)
            self.assertClean()
            process.log.unlink()

    def test_more_than_one(self) -> None:
        """A second and a third signal change nothing, wherever the log goes; what asks for nothing ends
        nothing."""
        for options in ((), ("--logfile", str(self.log)), ("--syslog",)):
            process = self.twistd("-n", *options)
            self.runs(process)
            for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP):
                process.send(number)
            for number in (signal.SIGQUIT, signal.SIGTERM, signal.SIGINT, signal.SIGINT, signal.SIGHUP):
                process.send(number)
                time.sleep(0.01)
            self.assertEqual(process.popen.wait(15), -signal.SIGTERM, self.said())
            self.assertClean()

    def test_refused(self) -> None:
        """A directory that is in use ends it with status 1 and a sentence, and without a pidfile."""
        first = self.twistd("-n", "--pidfile=")
        first.says("is not recorded|cannot connect|recording")
        second = self.twistd("-n")
        self.assertEqual(second.popen.wait(30), 1)
        self.assertIn("in use by another chatlog", second.output())
        self.assertClean()


class BackgroundTests(SignalCase):
    """``twistd`` that goes to the background."""

    def background(self) -> int:
        """Start it; its process id, once it runs."""
        process = self.twistd("--logfile", str(self.log))
        self.assertEqual(process.popen.wait(30), 0, process.output())
        pid = int(self.pidfile.read_text())
        self.addCleanup(_kill, pid)
        wait_for("its first words", lambda: "cannot connect" in self.said())
        return pid

    def test_refused(self) -> None:
        """The caller gets the reason on standard error, with status 1; so does the log; no pidfile."""
        spool = self.stage.home / "data"
        spool.mkdir()
        holder = subprocess.Popen(
            [sys.executable, "-c", _HOLD, str(spool / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.addCleanup(holder.communicate)
        assert holder.stdout is not None
        holder.stdout.readline()
        process = self.twistd("--logfile", str(self.log))
        self.assertEqual(process.popen.wait(30), 1, process.output())
        self.assertIn(f"chatlog: {spool} is in use by another chatlog", process.output())
        self.assertIn("in use by another chatlog", self.log.read_text())
        # The caller may be told first.
        wait_for("the pidfile's end", lambda: not self.pidfile.exists())
        self.assertClean()

    def test_problems_of_the_configuration(self) -> None:
        """They are found before anything goes to the background."""
        self.stage.config({"twitch": {"channels": ["Bad Name"]}})
        process = self.twistd("--logfile", str(self.log))
        self.assertEqual(process.popen.wait(30), 1, process.output())
        self.assertIn("Bad Name", process.output())
        self.assertClean()

    def test_signal_while_it_starts(self) -> None:
        """The caller learns that nothing runs, and no pidfile is left."""
        process = self.twistd("--logfile", str(self.log), code=_SLOW, STAGE="started")
        # Written last of all that twistd does before the services start.
        wait_for("the pidfile", lambda: self.pidfile.exists() and self.pidfile.read_text())
        wait_for("the spool", lambda: (self.stage.home / "data" / "sealed").exists())
        pid = int(self.pidfile.read_text())
        self.addCleanup(_kill, pid)
        os.kill(pid, signal.SIGTERM)
        self.assertEqual(process.popen.wait(30), 1, process.output())
        self.assertIn("chatlog: ended by a signal before it ran", process.output())
        wait_for("its end", lambda: not Path(f"/proc/{pid}").exists())
        self.assertClean()

    def test_files_of_twistd(self) -> None:
        """A pidfile or a log that cannot be written is a sentence before anything is started."""
        home = self.stage.home
        for option, place in (("--pidfile", home / "nowhere" / "file"), ("--logfile", home)):
            process = self.twistd(option, str(place))
            self.assertEqual(process.popen.wait(30), 1)
            self.assertIn(f"{option}: {home}", process.output())
            self.assertClean()
            process.log.unlink()

    def test_signals(self) -> None:
        """HUP reads the configuration again, any of the others ends it, more of them change nothing."""
        pid = self.background()
        os.kill(pid, signal.SIGHUP)
        wait_for("the reload", lambda: "the configuration was read again" in self.said())
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            with _gone():
                os.kill(pid, number)
            time.sleep(0.01)
        wait_for("its end", lambda: not Path(f"/proc/{pid}").exists())
        self.assertClean()


def _ignores(pid: int, number: int) -> bool:
    """Whether a process ignores a signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    ignored = next(line for line in status.splitlines() if line.startswith("SigIgn:"))
    return bool(int(ignored.split()[1], 16) >> (number - 1) & 1)


class _gone:
    """Fine if the process is no longer there."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: object, trace: object) -> bool:
        return kind is ProcessLookupError


def _kill(pid: int) -> None:
    with _gone():
        os.kill(pid, signal.SIGKILL)


_HOLD = """
import fcntl, sys
file = open(sys.argv[1], "a+")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""
