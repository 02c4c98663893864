"""Faults that are decided on while the simulator runs: a file to which lines are added."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from chatlog.simulator.faults import Faults, FaultsError, read_faults

#: Seconds between two looks at the file.
LOOK = 0.1


class Playlist:
    """Plays every line that is added to the file ``path``: a fault in YAML's flow style, ``at`` seconds
    from when it is read. The file may come later. ``told`` is called with what is wrong with a line."""

    def __init__(self, path: str, faults: Faults, told: Callable[[str], None] = lambda line: None) -> None:
        self._path = path
        self._faults = faults
        self._told = told
        self._read = 0
        self._loop = LoopingCall(self.look)

    def follow(self, clock: IReactorTime) -> None:
        """Look at the file again and again."""
        self._loop.clock = clock
        self._loop.start(LOOK)

    def look(self) -> None:
        """Play the whole lines that were added since the last look."""
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
                self._told(f"{self._path}: {error}: {line}")
