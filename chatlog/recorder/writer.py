"""Writes the lines of rooms to their files. A file never keeps half a line, even if the disk fails."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence

from twisted.logger import Logger

from chatlog.config.settings import RecorderSettings
from chatlog.counters import Counters
from chatlog.files import NO_DESCRIPTORS, NO_SPACE
from chatlog.recorder.commits import Commits
from chatlog.recorder.descriptors import Descriptors
from chatlog.recorder.room import OpenFile, RoomBuffer
from chatlog.spool.spool import Spool


class SpoolFull(OSError):
    """The spool has reached ``max_size``; the recorder treats that like a full disk."""


class Writer:
    """Creates files in ``open/``, appends to them, and hands finished files to ``commits``."""

    _log = Logger()

    def __init__(
        self,
        settings: RecorderSettings,
        spool: Spool,
        counters: Counters,
        commits: Commits,
        descriptors: int,
        left_out: Callable[[str, str, list[bytes]], Sequence[bytes | None]],
        heard: Callable[[bytes], object] | None = None,
    ) -> None:
        self.reconfigure(settings)
        self._spool = spool
        self._usage = spool.usage
        self._files = spool.files
        self._counters = counters
        self._commits = commits
        self._left_out = left_out
        self._heard = heard
        self._descriptors = Descriptors(spool, descriptors, self._not_kept)
        #: The latest record written, and the time of day of its write.
        self.newest = b"", 0.0

    def reconfigure(self, settings: RecorderSettings) -> None:
        """Use other limits from now on."""
        self._max_size = settings.max_size
        self._rotate_size = settings.rotate_size

    @property
    def open_files(self) -> int:
        """How many files are open."""
        return len(self._descriptors)

    def write(self, room: RoomBuffer, now: float) -> None:
        """Write the room's lines; ``now`` is the time of day. Lines that are written leave the buffer.

        Raises OSError if lines are left. Half a line is cut off before the file is written again.
        """
        lines = room.lines
        left = self._left_out(room.platform, room.channel, lines)
        if left is not lines:
            self._counters.suppressed += room.leave_out(left)
            if not lines:
                return
        data = lines[0] if len(lines) == 1 else b"".join(lines)
        if self._usage.bytes + len(data) > self._max_size:
            raise SpoolFull(errno.ENOSPC, f"the spool has reached max_size, {self._max_size} bytes")
        if self._spool.reserved.released:
            raise SpoolFull(errno.ENOSPC, "the disk is full and its last space is needed for sealing")
        file = room.file or self._open(room, now)
        try:
            fd = self._descriptors.get(file)
        except FileNotFoundError:
            self._log.error("{name} was removed from the spool by another program", name=file.name)
            file = self._open(room, now)
            fd = file.fd
        except OSError as error:
            if file.size and error.errno not in NO_DESCRIPTORS:
                self.retire(room)
            raise
        if file.torn:
            self._files.truncate(fd, file.size)
            file.torn = False
        taken = 0
        try:
            taken = self._files.write(fd, data)
            while taken < len(data):
                more = self._files.write(fd, data[taken:])
                if not more:
                    raise OSError(errno.EIO, f"nothing was written to {file.name}")
                taken += more
        except OSError as error:
            self._write_failed(room, file, taken, now, error)
            raise
        self.newest = lines[-1], now
        self._wrote(room, file, len(lines), taken, now)
        if self._heard is not None:
            self._heard(data)
        if file.size >= self._rotate_size:
            self.retire(room)

    def _not_kept(self, file: OpenFile, error: OSError) -> None:
        self._commits.distrust(f"{file.name} could not be closed: {error.strerror or error}")

    def retire(self, room: RoomBuffer) -> None:
        """Finish the room's file, if it has one. The next write creates a new one."""
        file, room.file = room.file, None
        if file is not None:
            self._descriptors.drop(file)
            self._commits.finished(file)

    def _open(self, room: RoomBuffer, now: float) -> OpenFile:
        last = room.last_minute, room.last_n
        name, fd = self._descriptors.opening(self._spool.create, room.platform, room.channel, now, last)
        room.last_minute, room.last_n = name.minute, name.n
        room.file = OpenFile(str(name), fd)
        self._descriptors.add(room.file)
        self._commits.created()
        return room.file

    def _wrote(self, room: RoomBuffer, file: OpenFile, count: int, size: int, now: float) -> None:
        """The first ``count`` lines of the room, ``size`` bytes, are in its file now."""
        if room.watch is not None:
            room.watch(room.lines[:count])
        self._counters.appended += room.remove_written(count)
        file.size += size
        if not file.unsynced:
            self._commits.wrote(file)
        self._usage.changed(size)
        room.written += count
        room.written_bytes += size
        room.written_at = now
        self._counters.written += count
        self._counters.written_bytes += size

    def _write_failed(self, room: RoomBuffer, file: OpenFile, taken: int, now: float, error: OSError) -> None:
        """Only ``taken`` bytes were written, and the last line may be incomplete: keep whole lines only."""
        count, size = room.whole(taken)
        if count:
            self._wrote(room, file, count, size, now)
        try:
            self._files.truncate(file.fd, file.size)
        except OSError:
            file.torn = True
        else:
            # The truncation must be synced before the file is sealed: otherwise a machine that crashes might
            # bring the half line back.
            if not file.unsynced:
                self._commits.wrote(file)
        # A file that fails for a reason of its own is finished, unless it is empty: a disk that fails for
        # good must not fill up with empty files.
        if file.size and (file.torn or error.errno not in NO_SPACE):
            self.retire(room)
