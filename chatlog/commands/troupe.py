"""Programs that run together in the foreground and end together."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, NamedTuple

import click

from chatlog.commands.lifeline import command

#: Seconds until a program is killed after SIGTERM; the recorder needs less than two.
END_WITHIN = 10.0
#: The last lines of a program's output that are shown.
_LAST_WORDS = 10


class _Member(NamedTuple):
    name: str
    process: subprocess.Popen[bytes]
    log: Path | None


class Troupe:
    """The programs of one directory, which only one troupe may use at a time. As a context manager it handles
    SIGINT, SIGTERM and SIGHUP, and ends all programs at the end, the latest first. Raises BlockingIOError if
    another troupe uses the directory."""

    def __init__(self, home: Path) -> None:
        #: Whether a signal has come.
        self.asked_to_end = False
        self._members: list[_Member] = []
        self._before: dict[int, Any] = {}
        self._lock = os.open(home / "demo.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise
        except OSError:
            # The file system has no locks; the recorder protects its own directory.
            pass

    def __enter__(self) -> Troupe:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._ask_to_end)
        return self

    def __exit__(self, *_: object) -> None:
        while self._members:
            self._end(self._members.pop())
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._lock)

    def _ask_to_end(self, number: int, frame: object) -> None:
        self.asked_to_end = True

    def _end(self, member: _Member) -> None:
        process = member.process
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            process.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            click.echo(f"the {member.name} does not end and is killed", err=True)
            process.kill()
            process.wait()
        assert process.stdin is not None
        process.stdin.close()

    @staticmethod
    def port(usual: int) -> int:
        """The port of 127.0.0.1 if it is free, else another free one."""
        for number in (usual, 0):
            with socket.socket() as tried:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                with suppress(OSError):
                    tried.bind(("127.0.0.1", number))
                    return int(tried.getsockname()[1])
        return 0

    def start(
        self, name: str, what: str, arguments: list[str], log: Path | None = None, program: str = ""
    ) -> None:
        """Start a module, or a function given as ``module:function``. Its output goes to the file ``log``, or
        to our own output."""
        with nullcontext() if log is None else open(log, "wb") as output:
            process = subprocess.Popen(
                command(what, program or name, *arguments),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=None if output is None else subprocess.STDOUT,
                # Only this process answers Ctrl-C.
                process_group=0,
            )
        self._members.append(_Member(name, process, log))

    def all_alive(self) -> bool:
        """Whether every program runs. Reports a program that has ended, with its last output."""
        for name, process, log in self._members:
            if process.poll() is not None and not self.asked_to_end:
                words = (
                    ""
                    if log is None
                    else "\n".join(log.read_text("utf-8", "replace").splitlines()[-_LAST_WORDS:])
                )
                what = f"the {name} has ended by itself, with status {process.returncode}"
                click.echo(f"{what}{': ' if words else ''}{words}", err=True)
                return False
        return True

    def wait_for(self, check: Callable[[], bool], otherwise: str, within: float) -> bool:
        """Wait until ``check()`` is true. Returns False if that takes too long, a program ends, or a signal
        comes."""
        until = time.monotonic() + within
        while not check():
            if self.asked_to_end or not self.all_alive():
                return False
            if time.monotonic() > until:
                click.echo(f"{otherwise} within {within:.0f} s", err=True)
                return False
            time.sleep(0.02)
        return True
