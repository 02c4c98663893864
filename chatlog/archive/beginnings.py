"""Since when a room is recorded. What is missing before that is no silence: nobody listened.

The first record of the first file says when, or the first gap in it. Manifests may say more: a room may have
been quiet for days before somebody wrote there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import closing
from datetime import date, timedelta
from threading import Lock
from typing import Protocol

from chatlog.archive import lines
from chatlog.archive.covered import begun
from chatlog.archive.gaps import Gap, gap_of
from chatlog.archive.keeping import DAY, Keeping
from chatlog.archive.lines import LAST
from chatlog.archive.listings import day_of
from chatlog.archive.parts import Part, PartError, Parts, Room
from chatlog.naming import is_import, utc_minute

#: Why there is nothing before the first recording.
NOT_YET = "before the first recording"
#: The lines of a file among which the earliest is looked for: they are in the order of arrival.
_LINES = 50
#: The most days without records that are looked through in manifests, and the most files that are remembered.
_DAYS = 31
_KEPT = 4096


class Manifests(Protocol):
    """What the manifests say: see ``DayBook``."""

    def since(self, room: Room, day: str) -> float | None:
        """The first moment of a day of which they say whether the room was recorded; None if there is
        none. Raises StoreError."""


class Beginnings:
    """The beginnings of an archive's rooms. ``now()`` is the time of day. May be used by several threads;
    every method may raise StoreError."""

    def __init__(
        self, parts: Parts, manifests: Manifests, keeping: Keeping, now: Callable[[], float]
    ) -> None:
        self._parts = parts
        self._manifests = manifests
        self._keeping = keeping
        self._now = now
        self._lock = Lock()
        self._firsts: OrderedDict[str, float] = OrderedDict()

    def after(self, room: Room, since: float, moment: int | None = None) -> float | None:
        """When the room was first recorded, in seconds since the epoch; None if that is not later than
        ``since``, and LAST if no recorder ever did. What was imported does not count. What was listed after
        the ``moment`` counts."""
        # A file that began before is mostly near, and listing all days takes long.
        minute = utc_minute(max(since, 0.0))
        if any(part.minute < minute for part in self._recorded(room, since, since + 1.0, moment)):
            return None
        day = self._parts.first_day(room, moment)
        if day is None:
            return LAST
        found = self._first(room, day, moment)
        if found > since:
            found = self._told(room, day, found)
        return found if found > since else None

    def before(self, room: Room, since: float, until: float, moment: int | None = None) -> Gap | None:
        """The part of a time that was before the first recording; None if there is none, and if something was
        imported there: nobody knows what that lacks. For ``moment`` see ``after``."""
        until = min(until, self._now())
        found = self.after(room, since, moment) if since < until else None
        if found is None:
            return None
        end = min(found, until)
        there = self._parts.of_room(room, since, end, moment=moment)
        if any(is_import(part.name.instance) for part in there):
            return None
        reason = NOT_YET
        if self._keeping.explains(room, since, found, self._now()):
            reason = f"not kept longer than {self._keeping.words(room)}"
        return Gap(since, end, reason)

    def _recorded(self, room: Room, since: float, until: float, moment: int | None) -> list[Part]:
        there = self._parts.of_room(room, since, until, moment=moment)
        return [part for part in there if not is_import(part.name.instance)]

    def _first(self, room: Room, day: str, moment: int | None) -> float:
        """The first moment in the first files of a day."""
        since = lines.seconds(f"{day}T00:00:00Z")
        parts = [
            part for part in self._recorded(room, since, since + DAY, moment) if day_of(part.minute) == day
        ]
        first = min((part.minute for part in parts), default="")
        return min((self._first_of(part) for part in parts if part.minute == first), default=since)

    def _first_of(self, part: Part) -> float:
        key = f"{part.name}{part.suffix} {part.copy} {part.version}"
        with self._lock:
            known = self._firsts.get(key)
        if known is not None:
            return known
        start = begun(part.minute)
        try:
            with closing(self._parts.blocks(part)) as blocks:  # type: ignore[type-var]
                block = next(blocks, b"")
        except PartError:
            return start
        found = min(_times(block, start), default=None)
        if found is None:
            return start
        with self._lock:
            self._firsts[key] = found
            while len(self._firsts) > _KEPT:
                self._firsts.popitem(last=False)
        return found

    def _told(self, room: Room, day: str, found: float) -> float:
        """The same, or an earlier time by the manifests of this day and of those before it."""
        at = date.fromisoformat(day)
        # The manifests of what is not kept any more are still there.
        kept = self._keeping.since(room, self._now()) + 2 * DAY
        for _ in range(_DAYS):
            midnight = lines.seconds(f"{at.isoformat()}T00:00:00Z")
            told = self._manifests.since(room, at.isoformat())
            if told is None:
                break
            found = min(found, told)
            if told > midnight + 1.0 or midnight <= kept:
                break
            at -= timedelta(days=1)
        return found


def _times(block: bytes, start: float) -> list[float]:
    """The times of a file's first lines, none of them before ``start``; those of gaps may be."""
    found = []
    for line in block.split(b"\n", _LINES)[:_LINES]:
        gap = gap_of(line)
        time = lines.timestamp(line)
        if gap is not None:
            found.append(gap.since)
        elif time:
            found.append(max(start, lines.seconds(time)))
    return found
