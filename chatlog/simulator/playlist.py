"""Plays faults from a file to which lines are appended while the simulator runs."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from chatlog.simulator.faults import Faults, FaultsError, read_faults

#: Seconds between two reads of the file.
POLL_INTERVAL = 0.1


class Playlist:
    """Plays every line that is added to the file ``path``: a fault in YAML's flow style, ``at`` seconds
    from when it is read. The file may be created later. ``report`` is called with the error of a line."""

    def __init__(self, path: str, faults: Faults, report: Callable[[str], None] = lambda line: None) -> None:
        self._path = path
        self._faults = faults
        self._report = report
        self._read = 0
        self._loop = LoopingCall(self.poll)

    def follow(self, clock: IReactorTime) -> None:
        """Read the file periodically."""
        self._loop.clock = clock
        self._loop.start(POLL_INTERVAL)

    def poll(self) -> None:
        """Play the whole lines that were appended since the last read."""
        try:
            with open(self._path, "rb") as file:
                file.seek(self._read)
                added = file.read()
        except FileNotFoundError:
            return
        whole = added[: added.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.decode("utf-8", "replace").splitlines():
            try:
                self._faults.schedule(read_faults(f"- {line}"))
            except FaultsError as error:
                self._report(f"{self._path}: {error}: {line}")
