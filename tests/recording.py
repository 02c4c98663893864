"""A recorder on a file system in memory, with a clock and threads that the test drives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock

from chatlog.config.settings import RecorderSettings
from chatlog.counters import Counters
from chatlog.recorder.buffers import RoomBuffers
from chatlog.recorder.hooks import Hooks
from chatlog.recorder.recorder import Recorder
from chatlog.recorder.room import Loss
from chatlog.spool.spool import Spool
from chatlog.suppression.left_out import LeftOut
from tests.fakes import ImmediateThreads, MemoryFiles, environment

#: 2025-12-29T10:30:00Z, as seconds since the epoch.
HALF_PAST_TEN = 1767004200.0


def line(number: int, room: str = "room", pad: int = 0) -> bytes:
    """A record that is like no other."""
    return b'{"channel":"%s","number":%d,"message":"%s"}\n' % (room.encode(), number, b"x" * pad)


class Recording:
    """Everything around one recorder. ``wall`` is the time of day at clock 0; time passes by
    ``advance``."""

    def __init__(
        self,
        files: Any = None,
        threads: Any = None,
        directory: str = "/data",
        wall: float = HALF_PAST_TEN,
        descriptors: int = 100,
        **settings: Any,
    ) -> None:
        self.files = MemoryFiles() if files is None else files
        self.threads = ImmediateThreads() if threads is None else threads
        self.directory = directory
        self.clock = Clock()
        self.wall = wall
        self.counters = Counters()
        self.environment = environment(self.clock, self.now, self.files, self.threads, self.counters)
        self.buffers = RoomBuffers()
        #: What the sockets do when a tick lets them deliver.
        self.deliver: Callable[[], object] = lambda: None
        #: What is done about losses.
        self.on_losses: Callable[[list[Loss]], object] = lambda losses: None
        #: What else is done about sealed files.
        self.take: Callable[[list[str]], object] = lambda names: None
        #: Who opted out.
        self.left_out = LeftOut()
        self.sealed: list[str] = []
        self.fatal: list[str] = []
        self.losses: list[Loss] = []
        self.spool = Spool(directory, self.files)
        self.settings = RecorderSettings(directory=directory, **settings)
        self.recorder = Recorder(
            self.settings,
            self.spool,
            self.environment,
            Hooks(self.before_flush, self.on_sealed, self.fatal.append, self.lost, self.left_out.lines),
            self.buffers,
            descriptors,
        )

    def now(self) -> float:
        return self.wall + self.clock.seconds()

    def on_sealed(self, names: list[str]) -> None:
        self.sealed += names
        self.take(names)

    def lost(self, losses: list[Loss]) -> None:
        self.losses += losses
        self.on_losses(losses)

    def before_flush(self) -> None:
        self.deliver()

    def start(self) -> Recording:
        self.recorder.startService()
        return self

    def advance(self, seconds: float = 0.5) -> None:
        """Let time pass in steps of a tick; each tick's flush included."""
        step = self.settings.flush_interval
        for _ in range(round(seconds / step)):
            self.clock.advance(step)
            self.clock.advance(0)

    def append(self, channel: str, *lines: bytes) -> None:
        for each in lines:
            self.recorder.room("twitch", channel).append(each)

    def contents(self, area: str) -> dict[str, bytes]:
        """Names and contents of the files in one of the spool's directories."""
        files = self.files
        found = {}
        for name in sorted(files.names(self.spool.path(area))):
            fd = files.open_read(self.spool.path(area, name))
            try:
                parts = []
                while part := files.read(fd, 1 << 20):
                    parts.append(part)
            finally:
                files.close(fd)
            found[name] = b"".join(parts)
        return found
