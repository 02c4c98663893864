"""The recorder's state of one room: waiting lines, the open file, lost records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chatlog.record import missing_since


@dataclass(slots=True, eq=False)
class OpenFile:
    """A file in ``open/``.

    ``fd`` is -1 while the file is closed to save a descriptor. ``size`` is the bytes of whole lines. If
    ``torn`` is set, half a line may follow them, which must be cut off before the next write. ``unsynced``:
    the file has bytes that no commit covers.
    """

    name: str
    fd: int
    size: int = 0
    unsynced: bool = False
    torn: bool = False


@dataclass(slots=True)
class Loss:
    """``count`` records of a room were dropped: the disk could not be written and the buffer was full.

    They arrived between ``first`` and ``last`` (wall-clock seconds). ``reason`` is ``disk full``, or
    ``overflow`` for any other error. ``since``: when dropped gap records are among them, the earliest
    time at which one of those gaps began.
    """

    platform: str
    channel: str
    count: int
    first: float
    last: float
    reason: str = "overflow"
    since: float | None = None

    def set_back(self, by: float) -> None:
        """Shift the times: the wall clock was set back by ``by`` seconds."""
        self.first -= by
        self.last -= by
        if self.since is not None:
            self.since -= by


class RoomBuffer:
    """The lines of one room that are not in a file yet. There may be thousands of buffers, so each is small.

    Invariant: a buffer with lines is in the recorder's list of waiting buffers exactly once.
    """

    __slots__ = (
        "_to_write",
        "channel",
        "file",
        "kept",
        "last_minute",
        "last_n",
        "lines",
        "loss",
        "platform",
        "watch",
        "written",
        "written_at",
        "written_bytes",
    )

    def __init__(self, platform: str, channel: str, to_write: Callable[[RoomBuffer], None]) -> None:
        self.platform = platform
        self.channel = channel
        self._to_write = to_write
        #: Lines that are not in a file yet. The first ``kept`` of them could not be written by an earlier
        #: flush.
        self.lines: list[bytes] = []
        self.kept = 0
        self.file: OpenFile | None = None
        #: The minute and the number in the name of the latest file.
        self.last_minute = ""
        self.last_n = 0
        #: Called with the lines of every write while a page shows the room live.
        self.watch: Callable[[list[bytes]], None] | None = None
        #: Dropped records that are not reported yet.
        self.loss: Loss | None = None
        #: Records and bytes written since the process began, and the wall-clock time of the latest write
        #: (0.0 before the first).
        self.written = 0
        self.written_bytes = 0
        self.written_at = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether no line of the room waits to be written, and no page shows it live."""
        return not self.lines and self.file is None and self.loss is None and self.watch is None

    def append(self, line: bytes) -> None:
        """Add one whole line with its newline; never ``b""``."""
        if not self.lines:
            self._to_write(self)
        self.lines.append(line)

    def drop(self, lines: list[bytes], first: float, last: float, reason: str) -> None:
        """Count these lines as lost. They arrived between ``first`` and ``last``."""
        if self.loss is None:
            self.loss = Loss(self.platform, self.channel, len(lines), first, last, reason)
        else:
            self.loss.count += len(lines)
            self.loss.last = last
        for line in lines:
            since = missing_since(line)
            if since is not None:
                # A dropped gap record must not hide its gap.
                self.loss.since = since if self.loss.since is None else min(since, self.loss.since)

    def leave_out(self, left: Sequence[bytes | None]) -> int:
        """Replace the lines by these; None removes a line. Returns how many were removed."""
        kept = sum(line is not None for line in left[: self.kept])
        gone = len(self.lines)
        self.lines[:] = [line for line in left if line is not None]
        self.kept = kept
        return gone - len(self.lines)

    def remove_written(self, count: int) -> int:
        """Remove the first ``count`` lines. Returns how many of them arrived since the last flush."""
        if count == len(self.lines):
            self.lines.clear()
        else:
            del self.lines[:count]
        new = count - self.kept
        if new >= 0:
            self.kept = 0
            return new
        self.kept = -new
        return 0

    def whole(self, size: int) -> tuple[int, int]:
        """How many lines end within the first ``size`` bytes, and their bytes."""
        count = total = 0
        for line in self.lines:
            if total + len(line) > size:
                break
            total += len(line)
            count += 1
        return count, total


def hold(rooms: list[RoomBuffer], limit: int, first: float, last: float, reason: str) -> tuple[int, int]:
    """Keep at most ``limit`` bytes of lines of all ``rooms`` and drop the newest lines beyond that. Lines
    that an earlier flush kept are never dropped.

    The new lines arrived between ``first`` and ``last``. Returns how many lines are new and how many of
    them were dropped.
    """
    left = limit
    for room in rooms:
        left -= sum(map(len, room.lines[: room.kept]))
    new = dropped = 0
    for room in rooms:
        lines = room.lines
        new += len(lines) - room.kept
        fits = room.kept
        while fits < len(lines) and len(lines[fits]) <= left:
            left -= len(lines[fits])
            fits += 1
        if fits < len(lines):
            room.drop(lines[fits:], first, last, reason)
            dropped += len(lines) - fits
            del lines[fits:]
        room.kept = fits
    return new, dropped
