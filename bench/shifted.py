"""The daemon with a time of day that can be set: at its start, and at every SIGUSR1, it reads the file that
CHATLOG_SHIFT names, which holds by how many seconds its clock is wrong. Only this process sees it. Takes the
arguments of twistd."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from twisted.scripts.twistd import run


class Shifted:
    """A clock that is ``by`` seconds off."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._time = time.time
        self.by = 0.0

    def time(self) -> float:
        """Seconds since the epoch, as this process sees them."""
        return self._time() + self.by

    def read(self, *_: object) -> None:
        """Set the clock as the file says."""
        self.by = float(Path(self._path).read_text())


if __name__ == "__main__":
    shifted = Shifted(os.environ["CHATLOG_SHIFT"])
    shifted.read()
    signal.signal(signal.SIGUSR1, shifted.read)
    time.time = shifted.time
    run()
