"""A disk that no longer keeps what it is given ends the process, so that a new one can recover."""

from __future__ import annotations

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.processes import ROOT, Stage

#: The daemon on a file system whose syncs fail, or never come back, once something was recorded.
DAEMON = """
import errno, sys, time
from chatlog import tap
from chatlog.files import OsFiles

config, what = sys.argv[1:]

class Failing(OsFiles):
    recording = False
    def create(self, path):
        Failing.recording |= "/open/twitch_" in path
        return super().create(path)
    def sync_all(self, directory):
        if Failing.recording:
            if what == "hangs":
                time.sleep(60)
            raise OSError(errno.EIO, "Input/output error")
        return super().sync_all(directory)
    def sync(self, fd):
        return self.sync_all(".")

tap.OsFiles = Failing
if what == "hangs":
    from chatlog.recorder import commits
    commits.SYNC_LIMIT = 2.0
from twisted.scripts.twistd import run
sys.argv = ["twistd", "-n", "--pidfile=", "chatlog", "--config", config]
run()
"""


class LostDiskTests(SynchronousTestCase):
    """What the whole daemon does."""

    def end_of(self, what: str) -> tuple[int, str]:
        """Status and output of a daemon whose syncs go wrong."""
        stage = Stage()
        self.addCleanup(stage.close)
        stage.simulator(rate=50, kick_share=0, channels=1)
        config = stage.config({"kick": None})
        done = subprocess.run(
            [sys.executable, "-c", DAEMON, str(config), what],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=stage.home,
            env={"PYTHONPATH": str(ROOT), "PATH": ""},
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def test_a_sync_that_fails(self) -> None:
        """A failed sync is not tried again: the process ends with status 1 and says why."""
        status, output = self.end_of("fails")
        self.assertEqual(status, 1, output)
        self.assertIn("Input/output error", output)
        self.assertIn("so that a new start can recover", output)

    def test_a_sync_that_never_comes_back(self) -> None:
        """A disk that hangs ends the process with status 1, and what its threads were doing is shown."""
        status, output = self.end_of("hangs")
        self.assertEqual(status, 1, output)
        self.assertIn("has not come back", output)
        self.assertIn("in sync_all", output)
