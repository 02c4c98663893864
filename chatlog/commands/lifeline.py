"""Runs a program that ends when the process that started it is gone.

``python -m chatlog.commands.lifeline MODULE[:FUNCTION] NAME [ARGUMENT...]``: standard input is a pipe that
the starter holds open and never writes to. When it closes, for any reason, the program gets SIGTERM.
"""

from __future__ import annotations

import os
import pkgutil
import runpy
import signal
import sys
import threading


def command(what: str, name: str, *arguments: str) -> list[str]:
    """The command line that runs a module, or a function of a module, as a program of this name."""
    return [sys.executable, "-m", "chatlog.commands.lifeline", what, name, *arguments]


def _hold() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main(argv: list[str]) -> None:
    """Run the program. Its result or exception ends this process."""
    what, *sys.argv = argv
    threading.Thread(target=_hold, daemon=True).start()
    if ":" in what:
        sys.exit(pkgutil.resolve_name(what)())
    runpy.run_module(what, run_name="__main__", alter_sys=False)


if __name__ == "__main__":
    main(sys.argv[1:])
