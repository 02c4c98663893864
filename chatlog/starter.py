"""Whoever called ``twistd``: it is told why nothing was started, and finds no pidfile then."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

#: Bytes that twistd reads of the words behind its pipe (``twisted.scripts._twistd_unix``, _waitForStart).
_SHORT = 98


class Starter:
    """``twistd`` are the options of the command before ``chatlog``, if there is one. Where it will go to the
    background, the caller's standard error is kept until ``left`` is called: afterwards it would be gone."""

    def __init__(self, twistd: Mapping[str, Any] | None) -> None:
        self._twistd: Mapping[str, Any] = {} if twistd is None else twistd
        self._stderr: int | None = None
        goes = twistd is not None and not (twistd.get("nodaemon") or twistd.get("debug"))
        if goes:
            with suppress(OSError):
                self._stderr = os.dup(2)

    @property
    def waits(self) -> bool:
        """Whether twistd in the foreground waits to learn whether the start has come off."""
        return self._twistd.get("statusPipe") is not None

    def left(self) -> None:
        """The start has come off; whoever called is not needed any more."""
        stderr, self._stderr = self._stderr, None
        if stderr is not None:
            os.close(stderr)

    def tell(self, reason: str) -> None:
        """Tell the caller, who waits, that nothing was started; its status is 1 then."""
        with suppress(OSError):
            if self._stderr is not None:
                os.write(self._stderr, f"chatlog: {reason}\n".encode("utf-8", "backslashreplace"))
        with suppress(OSError):
            pipe = self._twistd["statusPipe"]
            os.write(pipe, f"1 {reason}".encode("ascii", "backslashreplace")[: _SHORT + 2])
            os.close(pipe)

    def remove_pidfile(self) -> None:
        """twistd removes its pidfile only when the reactor has ended well. Removes it where it is ours."""
        path = self._twistd.get("pidfile")
        with suppress(OSError, ValueError):
            if path:
                with open(path, "rb") as file:
                    ours = int(file.read(32)) == os.getpid()
                if ours:
                    os.unlink(path)
