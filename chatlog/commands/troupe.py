"""Programs that run together in the foreground and end together."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
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
#: How often another free port is looked for.
_TRIES = 20


class _Member(NamedTuple):
    name: str
    process: subprocess.Popen[bytes]
    log: Path | None
    instead: Callable[[str], bool] | None

    def last_words(self) -> str:
        """The end of the program's output, if that goes to a file."""
        if self.log is None:
            return ""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-_LAST_WORDS:])


class Troupe:
    """The programs of one directory, which only one troupe may use at a time. As a context manager it handles
    SIGINT, SIGTERM and SIGHUP, and ends all programs at the end, the latest first. Raises BlockingIOError if
    another troupe uses the directory."""

    def __init__(self, home: Path) -> None:
        #: Whether a signal has come.
        self.asked_to_end = False
        self._members: list[_Member] = []
        self._claims: list[socket.socket] = []
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
        for claim in self._claims:
            claim.close()
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

    def port(self, usual: int) -> int:
        """The port of 127.0.0.1 if it is free, else another free one. It is reserved for this troupe until
        the troupe ends, even while no program listens there yet."""
        for number in (usual, *[0] * _TRIES):
            with socket.socket() as tried:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                with suppress(OSError):
                    tried.bind(("127.0.0.1", number))
                    found = int(tried.getsockname()[1])
                    if self._claim(found):
                        return found
        return 0

    def _claim(self, port: int) -> bool:
        """Reserve a port; False if another troupe has it. The reservation is a name in Linux's abstract
        namespace of sockets, which exists once for each namespace of ports and ends with the process."""
        if not sys.platform.startswith("linux"):
            return True
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0chatlog-demo-{port}")
        except OSError:
            claim.close()
            return False
        self._claims.append(claim)
        return True

    def start(
        self,
        name: str,
        what: str,
        arguments: list[str],
        log: Path | None = None,
        program: str = "",
        instead: Callable[[str], bool] | None = None,
    ) -> None:
        """Start a module, or a function given as ``module:function``. Its output goes to the file ``log``, or
        to our own output. If it ends by itself, ``instead`` is called with its last output; it returns True
        if it has started another program in its place."""
        with nullcontext() if log is None else open(log, "wb") as output:
            process = subprocess.Popen(
                command(what, program or name, *arguments),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=None if output is None else subprocess.STDOUT,
                # Only this process answers Ctrl-C.
                process_group=0,
            )
        self._members.append(_Member(name, process, log, instead))

    def all_alive(self) -> bool:
        """Whether every program runs. Reports a program that has ended, with its last output."""
        for member in list(self._members):
            status = member.process.poll()
            if status is None or self.asked_to_end:
                continue
            words = member.last_words()
            if member.instead is not None and member.instead(words):
                self._members.remove(member)
                self._end(member)
                continue
            what = f"the {member.name} has ended by itself, with status {status}"
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
