"""The recorder in the foreground, as ``chatlog run`` starts it: ``twistd -n --pidfile= chatlog`` with its
arguments, whose signals are answered from the first moment on."""

from __future__ import annotations

import os
import signal
import sys

from chatlog import signals

#: What waits while one program takes the place of the other.
_HELD = (*signals.ENDING, signal.SIGHUP)


def become(arguments: list[str]) -> None:
    """Put the recorder in the place of this process. Never returns; raises OSError."""
    # Python puts the working directory first unless told not to, and whatever lies there could be imported.
    safely = [] if {"", os.getcwd()} & set(sys.path) else ["-P"]
    signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    os.execv(sys.executable, [sys.executable, *safely, "-m", "chatlog.foreground", *arguments])


def main() -> None:
    """Be twistd."""
    signals.begin()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)
    sys.argv[:1] = ["twistd", "-n", "--pidfile=", "chatlog"]
    from twisted.scripts.twistd import run

    run()


if __name__ == "__main__":
    main()
