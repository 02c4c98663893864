"""What every thread is doing, for whoever has to find out why the process ended."""

from __future__ import annotations

import faulthandler
import sys
from contextlib import suppress


def show_stacks(reason: str) -> None:
    """Write ``reason`` and the stacks of all threads to the process's standard error. Never raises.

    Not ``sys.stderr``: twistd puts an object there that leads into the log and has no descriptor, and
    the log belongs to a reactor that may be stuck.
    """
    with suppress(Exception):
        stderr = sys.__stderr__
        if stderr is not None:
            stderr.write(f"{reason}\n")
            stderr.flush()
            faulthandler.dump_traceback(stderr)
            stderr.flush()
