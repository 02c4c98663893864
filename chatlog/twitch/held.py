"""Holes whose gap records wait until it is known how much of them came back.

They are noted in a file beside the spool, so that a process that is killed meanwhile does not take them
along: one JSON object a line,

    {"held": N, "room": R, "from": T, "to": T, "reason": W}     it waits
    {"done": N}                                                 its record is in a file

with times in seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterator

from twisted.internet.defer import Deferred

from chatlog.journal.journal_file import JournalFile
from chatlog.record import from_json, to_line
from chatlog.recorder.tails import Tail
from chatlog.rooms.subscriptions import Room
from chatlog.timeline.timeline import Gap

#: The last second of the year 9999; nothing later can be written into a record.
_LAST = 253402300799.0
#: Characters of a reason that are kept.
_REASON = 200


class Held:
    """A hole whose record waits."""

    __slots__ = ("ask_at", "backfilled", "deadline", "hole", "number", "request", "room", "tail", "until")

    def __init__(self, number: int, room: Room, hole: Gap, tail: Tail) -> None:
        self.number = number
        self.room = room
        self.hole = hole
        self.tail = tail
        #: Where what may be taken ends, in seconds since the epoch.
        self.until = hole.end
        self.ask_at = self.deadline = 0.0
        #: How much of it has come back.
        self.backfilled = 0
        self.request: Deferred[None] | None = None


class HeldHoles:
    """Which holes wait, by number. ``put`` notes one down; ``done`` when its record was handed over, and
    ``flushed`` when everything handed over is in files."""

    def __init__(self, file: JournalFile) -> None:
        self._file = file
        file.whole, file.incomplete = self._whole, file.write_anew
        self._numbers = 0
        self._lines: dict[int, bytes] = {}
        self._done: list[int] = []

    def __len__(self) -> int:
        return len(self._lines) - len(self._done)

    def earlier(self) -> Iterator[tuple[str, Gap]]:
        """What an earlier run has left behind, oldest first: names of rooms and their holes. Raises
        OSError."""
        found: dict[int, tuple[str, Gap]] = {}
        for line in self._file.read().split(b"\n"):
            try:
                entry = from_json(line)
                if "done" in entry:
                    found.pop(entry["done"], None)
                else:
                    start, end = float(entry["from"]), float(entry["to"])
                    if 0.0 <= start <= end <= _LAST:
                        hole = Gap(start, end, str(entry["reason"]))
                        found[int(entry["held"])] = (str(entry["room"]), hole)
            except (ValueError, KeyError, TypeError):
                continue
        yield from found.values()

    def begin(self) -> None:
        """Forget the earlier run, but for what was ``put`` again. Waits for the disk."""
        self._file.begin()

    def put(self, room: str, hole: Gap) -> int:
        """The hole waits; its number."""
        self._numbers += 1
        # A reason is often in a server's words.
        reason = hole.reason[:_REASON].encode("utf-8", "replace").decode()
        line = {"held": self._numbers, "room": room, "from": hole.start, "to": hole.end, "reason": reason}
        self._lines[self._numbers] = to_line(line)
        self._file.append(self._lines[self._numbers])
        return self._numbers

    def done(self, number: int) -> None:
        """The record of the hole was handed to the recorder."""
        self._done.append(number)

    def flushed(self, complete: bool, last: bool) -> None:
        """Called after every flush: everything handed over is in files, if ``complete``. ``last``: there
        will be no other."""
        if complete and self._done:
            done, self._done = self._done, []
            for number in done:
                del self._lines[number]
            self._file.append(b"".join(b'{"done":%d}\n' % number for number in done))
        self._file.look_after(settled=True)
        if last:
            self._file.close()

    def _whole(self) -> bytes:
        return b"".join(self._lines.values())
