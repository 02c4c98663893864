"""What the recorder keeps of a room: the lines that wait, the file they go to, and what was lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chatlog.record import missing_since


@dataclass(slots=True, eq=False)
class OpenFile:
    """A file in ``open/``. ``fd`` is -1 while it is closed for want of descriptors; ``size`` counts
    whole lines only. ``torn``: there may be half a line behind them, which has to be cut off."""

    name: str
    fd: int
    size: int = 0
    unsynced: bool = False
    torn: bool = False


@dataclass(slots=True)
class Loss:
    """``count`` records of a room that could not be kept because nothing could be written and the
    memory set aside for that was full; they came between ``first`` and ``last`` (wall-clock
    seconds). ``reason`` is ``disk full`` or, where something else kept them from being written,
    ``overflow``. ``since``: gap records among them told of holes that began then, if that was
    earlier."""

    platform: str
    channel: str
    count: int
    first: float
    last: float
    reason: str = "overflow"
    since: float | None = None

    def set_back(self, by: float) -> None:
        """The wall clock was set back by so many seconds."""
        self.first -= by
        self.last -= by
        if self.since is not None:
            self.since -= by


class RoomBuffer:
    """Where a source puts the records of one room. There may be thousands, so it is small.

    Invariant: a room with lines is in the recorder's list of rooms to write, exactly once.
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
        #: Lines that are not in a file yet; the first ``kept`` of them waited at an earlier flush.
        self.lines: list[bytes] = []
        self.kept = 0
        self.file: OpenFile | None = None
        #: Minute and number in the name of the latest file.
        self.last_minute = ""
        self.last_n = 0
        #: Called with the lines of every write while somebody looks on.
        self.watch: Callable[[list[bytes]], None] | None = None
        #: Records dropped and not yet reported.
        self.loss: Loss | None = None
        #: Records and bytes written since the process began, and the wall-clock time of the flush
        #: that wrote the latest, 0.0 before the first.
        self.written = 0
        self.written_bytes = 0
        self.written_at = 0.0

    def append(self, line: bytes) -> None:
        """Record one whole line, newline included; never ``b""``."""
        if not self.lines:
            self._to_write(self)
        self.lines.append(line)

    def drop(self, lines: list[bytes], first: float, last: float, reason: str) -> None:
        """Note that these records, which came between the two times, were dropped."""
        if self.loss is None:
            self.loss = Loss(self.platform, self.channel, len(lines), first, last, reason)
        else:
            self.loss.count += len(lines)
            self.loss.last = last
        for line in lines:
            since = missing_since(line)
            if since is not None:
                # The hole it would have told of must not be hidden.
                self.loss.since = since if self.loss.since is None else min(since, self.loss.since)

    def took(self, count: int) -> int:
        """The first ``count`` lines are written; how many of them came since the last flush."""
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
        """How many of the lines end within the first ``size`` bytes, and their bytes."""
        count = total = 0
        for line in self.lines:
            if total + len(line) > size:
                break
            total += len(line)
            count += 1
        return count, total


def hold(rooms: list[RoomBuffer], limit: int, first: float, last: float, reason: str) -> tuple[int, int]:
    """Keep the lines of these rooms, but no more than ``limit`` bytes of them all: beyond that those
    that did not wait before, the newest, are dropped; they came between the two times. Returns how
    many lines were new, and how many of those were dropped."""
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
