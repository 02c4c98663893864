"""Programs whose output cannot be written, or that are ended while they write a file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests.processes import ROOT

FULL = "/dev/full"
#: Programs: what they do with their output. All end well if it can be written.
WRITING = (
    "print('a')",
    "print('a' * 100_000)",
    "print('a', flush=True)",
    "sys.stdout.buffer.write(b'a' * 100_000)",
    "print('a'); sys.exit(0)",
)
ENDED = """
import os, sys
from chatlog.commands.upkeep import ending_in_order
from chatlog.commands.whole_file import whole_file
with ending_in_order(), whole_file(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), int(sys.argv[2]))
    import time
    time.sleep(60)
"""


def run(*command: str, output: int | None = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """Run Python."""
    return subprocess.run(
        [sys.executable, *command],
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


class OutputTests(SynchronousTestCase):
    """An output that is full, closed, or not read any more."""

    def setUp(self) -> None:
        if not os.path.exists(FULL):
            raise SkipTest("this system has no /dev/full")
        self.full = os.open(FULL, os.O_WRONLY)
        self.addCleanup(os.close, self.full)

    def program(self, text: str) -> tuple[str, str]:
        body = f"def main():\n    {text}\n    return 0\nguarded(main)"
        return "-c", f"import sys\nfrom chatlog.output import guarded\n{body}"

    def test_full(self) -> None:
        """It is one sentence with status 2, however the output was written, and whenever it fails."""
        for text in WRITING:
            done = run(*self.program(text), output=self.full)
            expected = (2, "cannot write the output: No space left on device\n")
            self.assertEqual((done.returncode, done.stderr), expected, text)
            self.assertEqual(run(*self.program(text)).returncode, 0)

    def test_others(self) -> None:
        """A reader that has ended is no error to be told; an output that was closed is one."""
        reading, writing = os.pipe()
        os.close(reading)
        done = run(*self.program(WRITING[1]), output=writing)
        os.close(writing)
        self.assertEqual((done.returncode, done.stderr), (130, ""))
        shell = ["bash", "-c", 'exec "$@" >&-', "bash", sys.executable, *self.program(WRITING[0])]
        closed = subprocess.run(shell, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT)
        self.assertEqual(
            (closed.returncode, closed.stderr), (2, "cannot write the output: Bad file descriptor\n")
        )

    def test_complaints(self) -> None:
        """Where the standard error cannot be written, the status still tells what there is to tell."""
        command = [sys.executable, "-m", "chatlog", "search", "x", "--archive", "nowhere"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=self.full, check=False, cwd=ROOT)
        self.assertEqual((done.returncode, done.stdout), (2, b""))

    def test_programs(self) -> None:
        """So it is with chatlog, and with the programs beside it."""
        for command in (("chatlog", "verify", "--help"), ("chatlog.cost",), ("chatlog", "--version")):
            done = run("-m", *command, output=self.full)
            expected = (2, "cannot write the output: No space left on device\n")
            self.assertEqual((done.returncode, done.stderr), expected, command)

    def test_all_programs(self) -> None:
        """Every module that is run as a program and prints is guarded."""
        for path in Path(ROOT, "chatlog").rglob("*.py"):
            text = path.read_text("utf-8")
            if '__name__ == "__main__"' in text and ("print(" in text or "sys.stdout.write" in text):
                self.assertIn("guarded(", text, path)


class EndedTests(SynchronousTestCase):
    """A program that is ended while it writes a file."""

    def test_nothing_remains(self) -> None:
        """Ctrl-C, SIGTERM and a terminal that is closed leave no part of the file, and what was
        there before."""
        path = Path(self.mktemp())
        path.write_text("before")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            done = run("-c", ENDED, str(path), str(int(number)))
            self.assertNotEqual(done.returncode, 0)
            self.assertEqual(path.read_text(), "before")
            self.assertEqual(list(path.parent.glob(f"{path.name}*")), [path], done.stderr)
