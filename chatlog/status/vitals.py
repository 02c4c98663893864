"""What the process itself is doing: memory, processor, descriptors, and how late the reactor is."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

#: Seconds between two looks at the reactor's punctuality.
EVERY = 1.0
#: So many looks are remembered, so that a check that comes seldom sees the worst of them.
REMEMBERED = 30

_PAGE = os.sysconf("SC_PAGE_SIZE")


def disk_space(directory: str) -> tuple[int, int]:
    """Bytes of the directory's file system that may still be written, and those it has in all. Raises
    OSError."""
    state = os.statvfs(directory)
    return state.f_bavail * state.f_frsize, state.f_blocks * state.f_frsize


def cpu_seconds() -> float:
    """Processor time of the process, its threads included."""
    times = os.times()
    return times.user + times.system


class Vitals:
    """Looked at by ``beat`` every second, and by ``sample`` every few seconds.

    ``lag`` is by how many seconds the reactor came late, at worst, in the last half a minute;
    ``resident`` bytes of memory, ``cpu`` seconds of processor time, ``percent`` of one processor since
    the sample before, ``descriptors`` that are open. What the system does not tell is 0.
    """

    def __init__(
        self,
        clock: IReactorTime,
        cpu: Callable[[], float] = cpu_seconds,
        proc: str = "/proc/self",
        space: Callable[[str], tuple[int, int]] = disk_space,
    ) -> None:
        self._clock = clock
        self._cpu = cpu
        self._proc = proc
        #: Gives what ``disk_space`` does.
        self.space = space
        self._late: deque[float] = deque(maxlen=REMEMBERED)
        self._beat_at = clock.seconds()
        self._sampled = clock.seconds(), cpu()
        self.resident = 0
        self.cpu = 0.0
        self.percent = 0.0
        self.descriptors = 0

    @property
    def lag(self) -> float:
        return max(self._late, default=0.0)

    def beat(self) -> None:
        """A second has gone by, or should have."""
        now = self._clock.seconds()
        self._late.append(max(0.0, now - self._beat_at - EVERY))
        self._beat_at = now

    def begin(self) -> None:
        """The first second begins now."""
        self._beat_at = self._clock.seconds()
        self.sample()

    def sample(self) -> None:
        """Ask the system."""
        self.resident = self._resident()
        self.descriptors = self._descriptors()
        now, self.cpu = self._clock.seconds(), self._cpu()
        before, cpu = self._sampled
        if now - before >= EVERY:
            self.percent = 100.0 * (self.cpu - cpu) / (now - before)
            self._sampled = now, self.cpu

    def _resident(self) -> int:
        try:
            with open(f"{self._proc}/statm", "rb") as file:
                return int(file.read().split()[1]) * _PAGE
        except (OSError, ValueError, IndexError):
            return 0

    def _descriptors(self) -> int:
        try:
            # One of them is the listing's own.
            return max(0, len(os.listdir(f"{self._proc}/fd")) - 1)
        except OSError:
            return 0
