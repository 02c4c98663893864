"""Reports a failed start to the process that called ``twistd``, and removes the pidfile then."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

#: Bytes of the reason that twistd reads from its pipe (``twisted.scripts._twistd_unix``, _waitForStart).
_SHORT = 98


class Starter:
    """``twistd`` are twistd's options, None without twistd. If twistd goes to the background, the caller's
    standard error is kept open until ``left`` is called."""

    def __init__(self, twistd: Mapping[str, Any] | None) -> None:
        self._twistd: Mapping[str, Any] = {} if twistd is None else twistd
        self._stderr: int | None = None
        goes = twistd is not None and not (twistd.get("nodaemon") or twistd.get("debug"))
        if goes:
            with suppress(OSError):
                self._stderr = os.dup(2)

    @property
    def waits(self) -> bool:
        """Whether a twistd in the foreground waits for the result of the start."""
        return self._twistd.get("statusPipe") is not None

    def left(self) -> None:
        """The start has succeeded; the caller's standard error is closed."""
        stderr, self._stderr = self._stderr, None
        if stderr is not None:
            os.close(stderr)

    def report(self, reason: str) -> None:
        """Report to the waiting caller that the start has failed. The caller ends with status 1."""
        with suppress(OSError):
            if self._stderr is not None:
                os.write(self._stderr, f"chatlog: {reason}\n".encode("utf-8", "backslashreplace"))
        with suppress(OSError):
            pipe = self._twistd["statusPipe"]
            os.write(pipe, f"1 {reason}".encode("ascii", "backslashreplace")[: _SHORT + 2])
            os.close(pipe)

    def give_up(self) -> None:
        """A signal ends the process before it runs: report that. Without a report the caller would wait for
        ever, because it holds the pipe open itself."""
        if self.waits:
            self.report("ended by a signal before it ran")
        self.remove_pidfile()

    def remove_pidfile(self) -> None:
        """Remove the pidfile if it is ours. twistd removes it only when the reactor has stopped normally."""
        path = self._twistd.get("pidfile")
        with suppress(OSError, ValueError):
            if path:
                with open(path, "rb") as file:
                    ours = int(file.read(32)) == os.getpid()
                if ours:
                    os.unlink(path)


def unwritable(twistd: Mapping[str, Any] | None) -> list[str]:
    """The problems of the files that twistd shall write, as sentences. twistd itself would end with a
    traceback. Creates nothing."""
    if twistd is None:
        return []
    # The log is opened before twistd changes to its directory, the pidfile afterwards.
    places = [("pidfile", twistd.get("pidfile"), twistd.get("rundir") or ".")]
    if twistd.get("logfile") != "-":
        places.append(("logfile", twistd.get("logfile"), "."))
    return [problem for option, path, base in places if path and (problem := _unwritable(option, path, base))]


def _unwritable(option: str, path: str, base: str) -> str:
    place = os.path.join(base, path)
    directory = os.path.dirname(os.path.abspath(place))
    remedy = "--pidfile= is for none" if option == "pidfile" else "give another path"
    if os.path.isdir(place):
        return f"--{option}: {place} is a directory; {remedy}"
    if not os.path.isdir(directory):
        return f"--{option}: {directory} is not there; {remedy}"
    if not os.access(place if os.path.exists(place) else directory, os.W_OK):
        return f"--{option}: {place} cannot be written by this user; {remedy}"
    return ""
