"""What becomes of records while not everything can be written: they wait, up to a limit, and what is dropped
beyond it is counted room by room."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatlog.counters import Counters
from chatlog.files import NO_SPACE
from chatlog.recorder.buffers import RoomBuffers
from chatlog.recorder.room import Loss, RoomBuffer, hold

#: While the disk is full, what is open is sealed this often (seconds), so that it can leave.
_SEAL_WHEN_FULL = 60.0


class Shortage:
    """The trouble of one recorder with its ``directory``.

    ``trouble`` says why nothing, or not everything, can be written at present, "" when all is well;
    ``since`` is when that began, in wall-clock seconds, None when all is well.
    """

    _log = Logger()

    def __init__(self, buffers: RoomBuffers, counters: Counters, clock: IReactorTime, directory: str) -> None:
        self._rooms = buffers
        self._counters = counters
        self._clock = clock
        self._directory = directory
        self._losses: list[Loss] = []
        # Dropped records that the log knows of.
        self._told_dropped = 0
        self._sealed_when_full = -_SEAL_WHEN_FULL
        self.trouble = ""
        self.since: float | None = None

    @property
    def dropped(self) -> int:
        """Records that were lost since the present trouble began."""
        return self._counters.dropped["overflow"] - self._told_dropped

    def hold(self, limit: int, before: float, now: float, error: OSError | None) -> None:
        """Keep what could not be written, within ``limit`` bytes; it arrived between the two times."""
        waiting = self._rooms.waiting
        reason = "disk full" if error is not None and error.errno in NO_SPACE else "overflow"
        new, dropped = hold(waiting, limit, before, now, reason)
        self._counters.appended += new
        if dropped:
            self._counters.dropped["overflow"] += dropped
            # Rooms that could keep nothing have nothing to write either.
            waiting[:] = [room for room in waiting if room.lines]

    def report_loss(self, room: RoomBuffer) -> None:
        """The room can be written again; what it lost is over."""
        if room.loss is not None:
            self._losses.append(room.loss)
            room.loss = None

    def take_losses(self) -> list[Loss]:
        """The losses that are over, each once."""
        losses, self._losses = self._losses, []
        return losses

    def set_back(self, by: float) -> None:
        """The wall clock was set back by so many seconds."""
        for room in self._rooms:
            if room.loss is not None:
                room.loss.set_back(by)
        for loss in self._losses:
            loss.set_back(by)
        if self.since is not None:
            self.since -= by

    def note(self, error: OSError | None, wrote: bool, since: float, limit: int) -> bool:
        """What a flush ended in, whether it wrote anything, when the one before it was, and how many bytes
        may wait. True if what is open should be sealed, to make space."""
        if error is None:
            if self.trouble and wrote and not self._rooms.waiting:
                self._well_again()
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

    def _well_again(self) -> None:
        self.trouble, self.since = "", None
        self._log.info("writing to {directory} again", directory=self._directory)
        dropped = self.dropped
        if dropped:
            self._told_dropped += dropped
            self._log.error("{count} records found no room and are lost", count=dropped)
        for room in self._rooms:
            self.report_loss(room)
