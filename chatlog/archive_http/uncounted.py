"""Counts the records of days that are in no manifest yet: a recorder writes one an hour, and the first hour
has none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from chatlog.archive import lines
from chatlog.archive.copies import is_imported
from chatlog.archive.day_book import DayOfRoom
from chatlog.archive.gaps import Gap
from chatlog.archive.listings import day_of
from chatlog.archive.matching import Filter
from chatlog.archive.recordings import Recordings
from chatlog.archive.room_files import Parts, Room
from chatlog.archive.tallies import Tallies
from chatlog.uploader.manifest_rows import LOST

#: The most bytes of a room's day that are read to count it.
MOST_BYTES = 256 << 20
#: Seconds after a day within which its manifests may still come.
LATE = 2 * 3600.0
_DAY = 86400.0
_EVERYTHING = Filter()


class _TooMuch(Exception):
    """Counting would read too much."""


class Uncounted:
    """``now()`` is the time of day. May be used by several threads."""

    def __init__(
        self, parts: Parts, tallies: Tallies, recordings: Recordings, now: Callable[[], float]
    ) -> None:
        self._parts = parts
        self._tallies = tallies
        self._recordings = recordings
        self._now = now

    def of(self, room: Room, day: str, reading: Callable[[int], None]) -> DayOfRoom | None:
        """The figures of a day from the files themselves, up to the last record; None if they are not known.
        Only for a day that is not long over, or the last day of a room. ``reading(size)`` is called for each
        block. Raises StoreError."""
        midnight = lines.seconds(f"{day}T00:00:00Z")
        is_late = self._now() >= midnight + _DAY + LATE
        if self._now() < midnight or (is_late and self._parts.last_day(room) != day):
            return None
        size = 0

        def limited(more: int) -> None:
            nonlocal size
            size += more
            reading(more)
            if size > MOST_BYTES:
                raise _TooMuch

        try:
            return self._counted(room, day, midnight, limited)
        except _TooMuch:
            return None

    def gaps(self, room: Room, since: float, until: float, reading: Callable[[int], None]) -> list[Gap]:
        """The gaps of gap records. ``reading(size)`` is called for each block. Raises StoreError."""
        return self._tallies.gaps(room, since, until, reading)

    def _counted(
        self, room: Room, day: str, midnight: float, reading: Callable[[int], None]
    ) -> DayOfRoom | None:
        counts: list[Counter[bytes]] = []
        imported, reached = 0, midnight
        for instance, parts in self._parts.by_recorder(room, midnight, midnight + _DAY).items():
            own: Counter[bytes] = Counter()
            for part in parts:
                if day_of(part.minute) == day:
                    tally = self._tallies.of(part, _EVERYTHING, reading)
                    own.update({minute: sum(seconds) for minute, seconds in tally.minutes.items()})
                    if tally.file is not None and not is_imported(instance):
                        reached = max(reached, tally.file[1])
            if is_imported(instance):
                imported += own.total()
            else:
                counts.append(own)
        reached = min(reached, midnight + _DAY)
        since = max(midnight, self._recordings.begun_after(room, midnight) or midnight)
        # Of several recorders, the one with most records of a minute counts.
        records = sum(max(own[minute] for own in counts) for minute in set().union(*counts)) + imported
        if reached <= since:
            return DayOfRoom(records) if records else None
        missing = sum(gap.seconds for gap in self._tallies.gaps(room, since, reached, reading))
        recorded = max(0.0, reached - since - missing)
        behind = max(0.0, min(midnight + _DAY, self._now() - LOST) - reached)
        return DayOfRoom(records, recorded, missing, since=since, unstated=since - midnight + behind)
