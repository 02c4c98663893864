"""Runs the recorder in the foreground for ``chatlog run``: the same as ``twistd -n --pidfile= chatlog``, with
signals handled from the first moment on."""

from __future__ import annotations

import os
import signal
import sys

from chatlog import signals

#: Signals that are blocked while one program replaces the other.
_HELD = (*signals.ENDING, signal.SIGHUP)


def become(arguments: list[str]) -> None:
    """Replace this process with the recorder. Never returns; raises OSError."""
    # Without -P, Python would import modules from the working directory first.
    safely = [] if {"", os.getcwd()} & set(sys.path) else ["-P"]
    signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    os.execv(sys.executable, [sys.executable, *safely, "-m", "chatlog.foreground", *arguments])


def main() -> None:
    """Run twistd."""
    signals.begin()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)
    sys.argv[:1] = ["twistd", "-n", "--pidfile=", "chatlog"]
    from twisted.scripts.twistd import run

    run()


if __name__ == "__main__":
    main()
