"""The ``chatlog`` command, and ``python -m chatlog``. Imports next to nothing, so that Ctrl-C is answered in
a line from the beginning on, also while the command itself is still being imported."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import NoReturn


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    # Nothing has been begun yet, so nothing has to be ended, and no cleaning up may get in the way.
    os.write(2, b"chatlog: interrupted\n")
    # The status that a shell expects of a command that was interrupted.
    os._exit(128 + number)


def main() -> NoReturn:
    """The console script."""
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, _leave)
    from chatlog.cli import main

    if ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    main()


if __name__ == "__main__":
    main()
