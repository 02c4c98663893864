"""Deferred gaps: their records wait until backfill knows how many messages came back.

They are noted in the state, so that they survive if the process is killed meanwhile:

    {"deferred": N, "room": R, "from": T, "to": T, "reason": W}     the record waits
    {"done": [N, ..]}                                               these records are in files

Times are in seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred

from chatlog.recorder.tails import Tail
from chatlog.rooms.subscriptions import Room
from chatlog.state.journal import Journal
from chatlog.timeline.timeline import Gap

#: The last second of the year 9999; nothing later can be written into a record.
_LAST = 253402300799.0
#: The most characters of a reason that are kept.
_REASON = 200


class DeferredGap:
    """A gap whose record is deferred."""

    __slots__ = ("ask_at", "backfilled", "deadline", "gap", "number", "request", "room", "tail", "until")

    def __init__(self, number: int, room: Room, gap: Gap, tail: Tail) -> None:
        self.number = number
        self.room = room
        self.gap = gap
        self.tail = tail
        #: Until when messages belong to this gap, in seconds since the epoch.
        self.until = gap.end
        self.ask_at = self.deadline = 0.0
        #: How many messages were fetched.
        self.backfilled = 0
        self.request: Deferred[None] | None = None


class DeferredGaps:
    """Which gaps wait, by number. ``put`` notes a gap. ``done`` is called when its record was handed over,
    ``flushed`` when all records handed over are in files."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._numbers = 0
        self._waiting: dict[int, dict[str, Any]] = {}
        self._done: list[int] = []

    def __len__(self) -> int:
        return len(self._waiting) - len(self._done)

    def earlier(self) -> Iterator[tuple[str, Gap]]:
        """The gaps that an earlier run left, oldest first: names of rooms and their gaps, each once. Raises
        OSError."""
        found: dict[int, tuple[str, Gap]] = {}
        for _, entry in self._journal.file.read():
            with suppress(ValueError, KeyError, TypeError):
                if "done" in entry:
                    for number in entry["done"]:
                        found.pop(number, None)
                else:
                    start, end = float(entry["from"]), float(entry["to"])
                    if 0.0 <= start <= end <= _LAST:
                        gap = Gap(start, end, str(entry["reason"]))
                        found[int(entry["deferred"])] = (str(entry["room"]), gap)
        yield from dict.fromkeys(found.values())

    def begin(self) -> None:
        """Forget the earlier run, except for gaps that were ``put`` again. Waits for the disk."""
        self._journal.begin(self._whole, self._journal.write_anew)

    def put(self, room: str, gap: Gap) -> int:
        """Note that the record of the gap is deferred. Returns its number."""
        self._numbers += 1
        # A reason is often a server's text.
        reason = gap.reason[:_REASON].encode("utf-8", "replace").decode()
        entry = {"deferred": self._numbers, "room": room, "from": gap.start, "to": gap.end, "reason": reason}
        self._waiting[self._numbers] = entry
        self._note(entry)
        return self._numbers

    def done(self, number: int) -> None:
        """The record of the gap was handed to the recorder."""
        self._done.append(number)

    def flushed(self, complete: bool, last: bool) -> None:
        """Called after every flush: everything handed over is in files, if ``complete``. ``last``: there will
        be no other flush."""
        if complete and self._done:
            done, self._done = self._done, []
            for number in done:
                del self._waiting[number]
            self._note({"done": done})
        self._journal.maintain(settled=True)
        if last:
            self._journal.close()

    def _note(self, entry: object) -> None:
        if not self._journal.append(entry):
            # The whole state is noted once more as soon as the disk allows.
            self._journal.write_anew()

    def _whole(self) -> Iterable[object]:
        return self._waiting.values()
