"""Records while the disk cannot be written: they wait in memory up to a limit, and dropped records are
counted room by room."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatlog.counted import many
from chatlog.counters import Counters
from chatlog.files import NO_SPACE
from chatlog.recorder.buffers import RoomBuffers
from chatlog.recorder.room import Loss, RoomBuffer, hold

#: While the disk is full, open files are sealed every so many seconds, so that they can be uploaded.
_SEAL_WHEN_FULL = 60.0


class Shortage:
    """Whether the recorder can write its ``directory``.

    ``trouble`` says why some or all lines cannot be written, "" if all can. ``since`` is when that began, in
    wall-clock seconds; None if all lines can be written.
    """

    _log = Logger()

    def __init__(self, buffers: RoomBuffers, counters: Counters, clock: IReactorTime, directory: str) -> None:
        self._rooms = buffers
        self._counters = counters
        self._clock = clock
        self._directory = directory
        self._losses: list[Loss] = []
        # Dropped records that the log has reported.
        self._reported_dropped = 0
        self._sealed_when_full = -_SEAL_WHEN_FULL
        self.trouble = ""
        self.since: float | None = None

    @property
    def dropped(self) -> int:
        """Records dropped since the present trouble began."""
        return self._counters.dropped["overflow"] - self._reported_dropped

    def hold(self, limit: int, before: float, now: float, error: OSError | None) -> None:
        """Keep at most ``limit`` bytes of waiting lines. New ones arrived between ``before`` and ``now``."""
        waiting = self._rooms.waiting
        reason = "disk full" if error is not None and error.errno in NO_SPACE else "overflow"
        new, dropped = hold(waiting, limit, before, now, reason)
        self._counters.appended += new
        if dropped:
            self._counters.dropped["overflow"] += dropped
            # A room that could keep no line has none to write.
            waiting[:] = [room for room in waiting if room.lines]

    def report_loss(self, room: RoomBuffer) -> None:
        """The room can be written again: its loss has ended."""
        if room.loss is not None:
            self._losses.append(room.loss)
            room.loss = None

    def take_losses(self) -> list[Loss]:
        """The losses that have ended, each once."""
        losses, self._losses = self._losses, []
        return losses

    def set_back(self, by: float) -> None:
        """Shift all times: the wall clock was set back by ``by`` seconds."""
        for room in self._rooms:
            if room.loss is not None:
                room.loss.set_back(by)
        for loss in self._losses:
            loss.set_back(by)
        if self.since is not None:
            self.since -= by

    def flushed(self, error: OSError | None, wrote: bool, since: float, limit: int) -> bool:
        """A flush has ended, with ``error`` or without. ``wrote``: it wrote something. ``since`` is the time
        of the flush before, ``limit`` how many bytes may wait. Returns True if the open files should be
        sealed to make space."""
        if error is None:
            if self.trouble and wrote and not self._rooms.waiting:
                self._trouble_ended()
            return False
        reason = error.strerror or str(error)
        if not self.trouble:
            self._log.error(
                "cannot write to {directory}: {error}; records wait in memory, up to {limit} bytes",
                directory=self._directory,
                error=reason,
                limit=limit,
            )
            self.since = since
        self.trouble = reason
        now = self._clock.seconds()
        if error.errno in NO_SPACE and now - self._sealed_when_full >= _SEAL_WHEN_FULL:
            self._sealed_when_full = now
            return True
        return False

    def _trouble_ended(self) -> None:
        self.trouble, self.since = "", None
        self._log.info("writing to {directory} again", directory=self._directory)
        dropped = self.dropped
        if dropped:
            self._reported_dropped += dropped
            self._log.error(
                "{records} found no room and got lost", records=many(dropped, "record"), count=dropped
            )
        for room in self._rooms:
            self.report_loss(room)
