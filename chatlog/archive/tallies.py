"""Summaries of files: the number of records in each second, the gaps, and the moderation.

Files in the store never change, so their tallies are kept. Files that a recorder still writes are read again.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock

from chatlog.archive import lines
from chatlog.archive.gaps import Gap, clipped, everywhere, gaps_in
from chatlog.archive.matching import Filter, Matcher
from chatlog.archive.moderation import FILTER
from chatlog.archive.parts import Part, PartError, Parts, Room
from chatlog.archive.reader import file_after
from chatlog.naming import is_import

#: The beginning of a line that the recorder wrote: the time, here to the second.
_HEAD = re.compile(rb'\{"timestamp":"(\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)\.\Z')
_HEAD_LENGTH = len(b'{"timestamp":"2025-12-29T10:30:45.')
#: The most bytes of all tallies.
MOST = 48 << 20
_FIRST, _LAST = b"", b"~"
#: Gaps alone: a fraction of the work of counting everything.
_GAPS = Filter(types=("gap",))


@dataclass(slots=True)
class Tally:
    """``minutes`` has the records of each second of a minute (``2025-12-29T10:30``) with records;
    ``moderation`` are lines."""

    minutes: dict[bytes, array[int]] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    moderation: list[bytes] = field(default_factory=list)

    def add(self, seconds: Mapping[bytes, int]) -> None:
        """Add the numbers of records of each second."""
        for second, count in seconds.items():
            by_second = self.minutes.get(second[:16])
            if by_second is None:
                by_second = self.minutes[second[:16]] = array("L", bytes(60 * array("L").itemsize))
            by_second[int(second[17:19])] += count

    @property
    def weight(self) -> int:
        """The approximate memory of the tally."""
        lines = sum(len(line) + 80 for line in self.moderation)
        return 1000 + 700 * len(self.minutes) + 300 * len(self.gaps) + lines


class Tallies:
    """Makes the tallies of ``parts``, and keeps them. May be used by several threads."""

    def __init__(self, parts: Parts, most: int = MOST) -> None:
        self._parts = parts
        self._most = most
        self._lock = Lock()
        self._kept: OrderedDict[tuple[str, Filter], Tally] = OrderedDict()
        self._weight = 0

    def of(self, part: Part, wanted: Filter, reading: Callable[[int], None]) -> Tally:
        """The tally of a part for a filter; moderation and gaps are counted in any case. ``reading`` is
        called with the bytes of each block, and may raise. Raises PartError and FilterError."""
        key = part.name.key(suffix=part.suffix), wanted
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                self._kept.move_to_end(key)
                return known
        made = self._made(part, wanted, reading)
        if not part.area:
            self._keep(key, made)
        return made

    def gaps(self, room: Room, since: float, until: float, reading: Callable[[int], None]) -> list[Gap]:
        """The gaps of a room between two times, as far as its files can be read. Raises StoreError."""
        found: dict[str, list[Gap]] = {}
        by_recorder = self._parts.by_recorder(room, since, until) or {"": []}
        for instance, parts in by_recorder.items():
            found[instance] = []
            for part in parts:
                with suppress(PartError):
                    found[instance] += self.of(part, _GAPS, reading).gaps
            with suppress(PartError):
                found[instance] += self.gaps_beyond(room, until, instance, parts, reading)
        return clipped(everywhere(found), since, until)

    def gaps_beyond(
        self, room: Room, until: float, instance: str, read: list[Part], reading: Callable[[int], None]
    ) -> list[Gap]:
        """The gaps that began before ``until`` and whose record is only in the next file of the recorder
        after those that are ``read``. Raises PartError and StoreError."""
        following = file_after(self._parts, room, until, instance, read)
        if following is None or is_import(instance):
            return []
        return [gap for gap in self.of(following, _GAPS, reading).gaps if gap.since < until]

    def _keep(self, key: tuple[str, Filter], made: Tally) -> None:
        with self._lock:
            before = self._kept.pop(key, None)
            self._weight += made.weight - (before.weight if before else 0)
            self._kept[key] = made
            while self._weight > self._most and len(self._kept) > 1:
                self._weight -= self._kept.popitem(last=False)[1].weight

    def _made(self, part: Part, wanted: Filter, reading: Callable[[int], None]) -> Tally:
        tally, moderation, matcher = Tally(), Matcher(FILTER), Matcher(wanted)
        for block in self._parts.blocks(part):
            reading(len(block))
            tally.gaps += gaps_in(block)
            if wanted.everything:
                tally.moderation += [line for _, line in moderation.find(block, _FIRST, _LAST)]
                tally.add(_seconds(block))
            else:
                tally.add(Counter(time[:19] for time, _ in matcher.find(block, _FIRST, _LAST) if time))
        return tally


def _seconds(block: bytes) -> Mapping[bytes, int]:
    """The records of each second. Only the few different beginnings of lines are checked for their form, not
    each line."""
    rows = block.split(b"\n")
    found = {}
    for head, count in Counter([row[:_HEAD_LENGTH] for row in rows]).items():
        if match := _HEAD.match(head):
            found[match[1]] = count
        elif head:
            return Counter(time[:19] for row in rows if (time := lines.timestamp(row)))
    return found
