"""Measures the process: memory, processor, descriptors, and the delay of the reactor."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

#: Seconds between two measurements of the reactor's delay.
EVERY = 1.0
#: The measurements that are kept, so that an infrequent check sees the worst of them.
REMEMBERED = 30

_PAGE = os.sysconf("SC_PAGE_SIZE")


def disk_space(directory: str) -> tuple[int, int]:
    """The free bytes of the directory's file system, and all its bytes. Raises OSError."""
    state = os.statvfs(directory)
    return state.f_bavail * state.f_frsize, state.f_blocks * state.f_frsize


def cpu_seconds() -> float:
    """The processor time of the process with its threads."""
    times = os.times()
    return times.user + times.system


class Vitals:
    """Measured by ``beat`` every second, and by ``sample`` every few seconds. ``lag``: the longest delay of
    the reactor in the last half a minute, in seconds. ``resident``: bytes of memory. ``cpu``: seconds of
    processor time. ``percent``: of one processor, since the sample before. ``descriptors``: how many are
    open. A figure that the system does not provide is 0.
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
        #: Like ``disk_space``; tests replace it.
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
        """Call this every second."""
        now = self._clock.seconds()
        self._late.append(max(0.0, now - self._beat_at - EVERY))
        self._beat_at = now

    def begin(self) -> None:
        """Start the first second."""
        self._beat_at = self._clock.seconds()
        self.sample()

    def sample(self) -> None:
        """Measure everything now."""
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
            # Since Linux 6.2 the directory's size is this number; listing thousands of entries takes
            # milliseconds.
            if count := os.stat(f"{self._proc}/fd").st_size:
                return count
            # One descriptor belongs to the listing itself.
            return max(0, len(os.listdir(f"{self._proc}/fd")) - 1)
        except OSError:
            return 0
