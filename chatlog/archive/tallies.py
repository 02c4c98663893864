"""Summaries of files: the number of records in each second, the gaps, and the moderation.

Files in the store only change by erasure or damage, and then the store lists them with another size, time or
entity tag. So their tallies are kept until then. Files that a recorder still writes are read again.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from threading import Lock

from chatlog.archive import lines
from chatlog.archive.copies import is_imported
from chatlog.archive.following import file_after
from chatlog.archive.gaps import Gap, Span, Unread, clipped, common_gaps, gaps_in
from chatlog.archive.index_coverage import begun
from chatlog.archive.matching import Filter, Matcher
from chatlog.archive.moderation import FILTER
from chatlog.archive.read_ahead import DEEPEST
from chatlog.archive.room_files import Part, PartError, Parts, Room
from chatlog.archive.streams import time_reached
from chatlog.suppression.hidden import Hidden
from chatlog.suppression.left_out import line_without
from chatlog.suppression.suppressions import OptedOutPeople

#: The beginning of a line that the recorder wrote: the time, here to the second.
_HEAD = re.compile(rb'\{"timestamp":"(\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)\.\Z')
_HEAD_LENGTH = len(b'{"timestamp":"2025-12-29T10:30:45.')
#: The most bytes of all tallies.
MOST = 48 << 20
_FIRST, _LAST = b"", b"~"
#: Gaps alone: a fraction of the work of counting everything.
_GAPS = Filter(types=("gap",))
#: A file, a filter, and the version of the opt-out list.
_Key = tuple[str, Filter, str]


@dataclass(slots=True)
class Tally:
    """``minutes`` has the records of each second of a minute (``2025-12-29T10:30``) with records;
    ``moderation`` are lines. ``unread``: why the file could not be read to its end; None if it could.
    ``file``: from when to when the file reaches; None if it has no records."""

    minutes: dict[bytes, array[int]] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    moderation: list[bytes] = field(default_factory=list)
    unread: Unread | None = None
    file: Span | None = None

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
    """Makes the tallies of ``parts`` without those who are ``hidden``, and keeps them. May be used by several
    threads."""

    def __init__(self, parts: Parts, most: int = MOST, hidden: Hidden | None = None) -> None:
        self._parts = parts
        self._hidden = hidden
        self._most = most
        self._lock = Lock()
        #: With the version of the file that was counted. The key ends with that of the opt-out list.
        self._kept: OrderedDict[_Key, tuple[str, Tally]] = OrderedDict()
        self._weight = 0

    def of(self, part: Part, wanted: Filter, reading: Callable[[int], None]) -> Tally:
        """The tally of a part for a filter; moderation and gaps are counted in any case. ``reading(size)`` is
        called for each block, and may raise. Raises FilterError, and StoreError if the opt-out list cannot be
        read."""
        who, version = None, ""
        if self._hidden is not None and wanted != _GAPS:
            who = self._hidden.of_room(part.name.platform, part.name.channel)
            version = self._hidden.now().version if who is not None else ""
        key = f"{part.name}{part.suffix} {part.copy}", wanted, version
        known = self._known(part, key)
        if known is None:
            blocks = self._parts.blocks(part, None, wanted.everything)
            known = self._kept_if_it_can(part, key, self._made(part, blocks, wanted, reading, who))
        return known

    def _known(self, part: Part, key: _Key) -> Tally | None:
        with self._lock:
            version, known = self._kept.get(key, ("", None))
            if known is None or not (part.area or version == part.version):
                return None
            self._kept.move_to_end(key)
            return known

    def _kept_if_it_can(self, part: Part, key: _Key, made: Tally) -> Tally:
        if not part.area and (made.unread is None or made.unread.is_damaged):
            self._keep(key, part.version, made)
        return made

    def _gaps_of(self, parts: list[Part], reading: Callable[[int], None]) -> Iterator[Tally]:
        """The gaps of these parts, which are fetched ahead. May raise what ``reading`` raises."""
        keys = {part: (f"{part.name}{part.suffix} {part.copy}", _GAPS, "") for part in parts}
        known = {part: self._known(part, key) for part, key in keys.items()}
        missing = [part for part, tally in known.items() if tally is None]
        with closing(self._parts.in_turn(missing, depth=DEEPEST)) as turns:
            for part in parts:
                tally = known[part]
                if tally is None:
                    _, blocks = next(turns)
                    made = self._made(part, blocks, _GAPS, reading, None)
                    tally = self._kept_if_it_can(part, keys[part], made)
                yield tally

    def gaps(self, room: Room, since: float, until: float, reading: Callable[[int], None]) -> list[Gap]:
        """The gaps of a room between two times, as far as its files can be read. Raises StoreError."""
        found: dict[str, list[Gap]] = {}
        files: dict[str, list[Span]] = {}
        by_recorder = self._parts.by_recorder(room, since, until) or {"": []}
        for instance, parts in by_recorder.items():
            tallies = list(self._gaps_of(parts, reading))
            tallies.append(self.beyond(room, until, instance, parts, reading))
            found[instance] = [gap for tally in tallies for gap in tally.gaps]
            files[instance] = [tally.file for tally in tallies if tally.file is not None]
        return clipped(common_gaps(found, files), since, until)

    def beyond(
        self, room: Room, until: float, instance: str, read: list[Part], reading: Callable[[int], None]
    ) -> Tally:
        """The gaps that began before ``until`` and whose record is only in the next file of the recorder
        after those that are ``read``. Raises StoreError."""
        following = file_after(self._parts, room, until, instance, read)
        if following is None or is_imported(instance):
            return Tally()
        counted = self.of(following, _GAPS, reading)
        start = begun(following.minute)
        gaps = [gap for gap in counted.gaps if gap.since < until]
        return Tally(gaps=gaps, unread=counted.unread, file=(start, start))

    def _keep(self, key: _Key, version: str, made: Tally) -> None:
        with self._lock:
            if key in self._kept:
                self._weight -= self._kept.pop(key)[1].weight
            self._kept[key] = version, made
            self._weight += made.weight
            while self._weight > self._most and len(self._kept) > 1:
                self._weight -= self._kept.popitem(last=False)[1][1].weight

    def _made(
        self,
        part: Part,
        blocks: Iterator[bytes],
        wanted: Filter,
        reading: Callable[[int], None],
        who: OptedOutPeople | None,
    ) -> Tally:
        tally, moderation, matcher = Tally(), Matcher(FILTER), Matcher(wanted)
        latest = b""
        try:
            for block in blocks:
                reading(len(block))
                latest = max(latest, time_reached(block))
                tally.gaps += gaps_in(block)
                if wanted.everything:
                    tally.moderation += _shown(moderation, moderation.find(block, _FIRST, _LAST), who)
                if wanted.everything and who is None:
                    tally.add(_seconds(block))
                else:
                    found = matcher.find(block, _FIRST, _LAST)
                    if who is not None:
                        found = iter([(lines.timestamp(each), each) for each in _shown(matcher, found, who)])
                    tally.add(Counter(time[:19] for time, _ in found if time))
        except PartError as error:
            tally.unread = error.unread
        with suppress(ValueError):
            tally.file = (begun(part.minute), lines.seconds(latest)) if latest else None
        return tally


def _shown(
    matcher: Matcher, found: Iterable[tuple[bytes, bytes]], who: OptedOutPeople | None
) -> Iterator[bytes]:
    """The lines without those who opted out, as far as they still match."""
    for _, line in found:
        rest = line if who is None else line_without(line, who)
        if rest is line:
            yield line
        elif rest is not None:
            yield from (each for _, each in matcher.find(rest, _FIRST, _LAST))


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
