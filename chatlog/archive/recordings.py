"""Finds the times in which no recorder recorded a room: then a time without records was not a quiet time.

A recorder writes a gap record once it is back. There is no gap record of the time before the first recording,
of the time since a recorder ended that never came back, of a room that was taken off the list, and of a
recorder that began anew on another machine. Files show from when to when they have records, and manifests
have a row for every room and hour, also of quiet rooms: a time that neither covers was not recorded.
Manifests are read only where a room has no file for hours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple, Protocol

from chatlog.archive import lines
from chatlog.archive.day_book import DayOfRoom
from chatlog.archive.file_ends import FileEnds
from chatlog.archive.gaps import Gap, clipped, outside
from chatlog.archive.index_coverage import begun
from chatlog.archive.lines import LAST
from chatlog.archive.listings import day_of, days_between
from chatlog.archive.manifest_coverage import SLACK, in_a_row, united
from chatlog.archive.retention import DAY, Retention
from chatlog.archive.room_files import Part, Parts, Room
from chatlog.naming import is_import, utc_minute
from chatlog.uploader.manifest_rows import LOST

#: The reasons of gaps before the first recording, after the last one, and between two.
NOT_YET = "before the first recording"
NO_LONGER = "after the last recording"
BETWEEN = "between two recordings"
#: The most days whose manifests are read: before the first file; of a time without files, if all its days are
#: read; and for one answer.
_DAYS, _FEW, _MOST = 31, 4, 12


class Manifests(Protocol):
    """The figures of the manifests: see ``DayBook``."""

    def of_days(self, days: list[str]) -> dict[str, dict[Room, DayOfRoom]]:
        """The figures of all rooms on these days. Raises StoreError."""


class _Stretch(NamedTuple):
    """A time without files, and its length. ``is_last``: whether no file is known behind it."""

    is_last: bool
    length: float
    since: float
    until: float

    @property
    def days(self) -> int:
        """How many days it lies in."""
        return int(self.until // DAY - self.since // DAY) + 1


class Recordings:
    """The times in which an archive's rooms were recorded. ``now()`` is the time of day. May be used by
    several threads; every method may raise StoreError."""

    def __init__(
        self, parts: Parts, manifests: Manifests, retention: Retention, now: Callable[[], float]
    ) -> None:
        self._parts = parts
        self._manifests = manifests
        self._retention = retention
        self._now = now
        self._ends = FileEnds(parts)

    # -- before the first ----------------------------------------------------------------------------

    def begun_after(self, room: Room, since: float, moment: int | None = None) -> float | None:
        """When the room was first recorded, in seconds since the epoch; None if that is not later than
        ``since``, and LAST if no recorder ever recorded it. Imported files do not count. Listings that were
        begun after the ``moment`` are reused, here and in the other methods."""
        # Mostly a file began shortly before, and to list all days takes long.
        minute = utc_minute(max(since, 0.0))
        if any(part.minute < minute for part in self._recorded(room, since, since + 1.0, moment)):
            return None
        day = self._parts.first_day(room, moment)
        if day is None:
            return LAST
        found = self._first(room, day, moment)
        if found > since:
            found = self._earlier_by_manifests(room, day, found)
        return found if found > since else None

    def gaps_before(self, room: Room, since: float, until: float, moment: int | None = None) -> list[Gap]:
        """The parts of a time that were before the first recording, without days with imported files: what
        these lack is not known."""
        until = min(until, self._now())
        found = self.begun_after(room, since, moment) if since < until else None
        return [] if found is None else self._before(room, since, min(found, until), found, moment)

    def _before(self, room: Room, since: float, until: float, first: float, moment: int | None) -> list[Gap]:
        reason = NOT_YET
        if self._retention.explains(room, since, first, self._now()):
            reason = f"not kept longer than {self._retention.words(room)}"
        return self._not_imported(room, Gap(since, until, reason), moment)

    def _first(self, room: Room, day: str, moment: int | None) -> float:
        """The first moment in the first files of a day."""
        since = lines.seconds(f"{day}T00:00:00Z")
        there = self._recorded(room, since, since + DAY, moment)
        parts = [part for part in there if day_of(part.minute) == day]
        first = min((part.minute for part in parts), default="")
        return min((self._ends.first_of(part) for part in parts if part.minute == first), default=since)

    def _earlier_by_manifests(self, room: Room, day: str, found: float) -> float:
        """The time ``found``, or an earlier one by the manifests of this day and of those before it."""
        at = date.fromisoformat(day)
        # Manifests stay when their objects are deleted for their age.
        kept = self._retention.since(room, self._now()) + 2 * DAY
        for _ in range(_DAYS):
            midnight = lines.seconds(f"{at.isoformat()}T00:00:00Z")
            since = self._manifest_days(room, [at.isoformat()])[0].since
            if since is None:
                break
            found = min(found, since)
            if since > midnight + 1.0 or midnight <= kept:
                break
            at -= timedelta(days=1)
        return found

    # -- everywhere ----------------------------------------------------------------------------------

    def gaps(
        self, room: Room, since: float, until: float, known: Sequence[Gap], moment: int | None = None
    ) -> list[Gap]:
        """The gaps of a time: the ``known`` ones, which are those of gap records, and the times in which no
        recorder recorded the room. For the last LOST seconds that is not known yet."""
        begun = self.begun_after(room, since, moment) if since < min(until, self._now()) else None
        holes: list[Gap] = []
        if begun is not None:
            holes = self._before(room, since, min(begun, until, self._now()), begun, moment)
        start, end = begun or since, min(until, self._now() - LOST)
        if start < end and not room[1].startswith("_"):
            days_read = 0
            # First the last one, then the longest: in months there are too many nights to check each.
            for stretch in sorted(self._without_files(room, start, end, moment), reverse=True):
                days_read += min(stretch.days, _FEW)
                # Mostly gap records explain the whole stretch.
                is_explained = not any(_left(Gap(stretch.since, stretch.until, ""), known))
                if not is_explained and days_read <= _MOST:
                    holes += self._holes(room, stretch, known, moment)
        left = [part for hole in holes for part in _left(hole, known)]
        return clipped([*left, *known], since, until) if left else list(known)

    def ended(self, room: Room, since: float, until: float, moment: int | None = None) -> Gap | None:
        """The last part of a time, in which no recorder recorded the room any more; None if one did then or
        later, as far as is known. This costs less than ``gaps``."""
        end = min(until, self._now() - LOST)
        if since >= end or room[1].startswith("_"):
            return None
        days = self._manifest_days(room, [next(days_between(end, end))])[0].stated
        if any(last >= end - SLACK for _, last in days):
            return None
        day = self._parts.last_day(room, moment)
        if day is None:
            return None
        start = max(since, lines.seconds(f"{day}T00:00:00Z"))
        last = self.gaps(room, start, end, (), moment)[-1:] if start < end else []
        return last[0] if last and last[0].reason == NO_LONGER else None

    def end_of(self, room: Room) -> float | None:
        """Since when no recorder records the room any more; None if one does, as far as is known."""
        ended = self.ended(room, 0.0, LAST)
        return ended.since if ended is not None else None

    def is_known(self, room: Room, until: float) -> bool:
        """Whether it is known by now if the room was recorded until a time."""
        if until <= self._now() - LOST:
            return True
        parts = self._recorded(room, until - 1.0, LAST, None)
        minute = utc_minute(until)
        if any(part.minute > minute for part in parts) or self._reached(parts) >= until:
            return True
        # At midnight the last manifest of the day before has the room.
        day = next(days_between(until - SLACK, until))
        days = self._manifest_days(room, [day])[0].stated
        return any(first - SLACK <= until <= last + SLACK for first, last in days)

    def _recorded(self, room: Room, since: float, until: float, moment: int | None) -> list[Part]:
        there = self._parts.of_room(room, since, until, moment=moment)
        return [part for part in there if not is_import(part.name.instance)]

    def _without_files(
        self, room: Room, since: float, until: float, moment: int | None
    ) -> Iterator[_Stretch]:
        """The times without files, and before the next file, that are long enough to read manifests for. They
        may begin before ``since``."""
        latest: dict[str, Part] = {}
        reached = float("-inf")
        parts: list[Part | None] = [*self._recorded(room, since, until + LOST, moment), None]
        for part in parts:
            at = begun(part.minute) if part is not None else until + LOST
            if at - reached > LOST:
                reached = max(reached, self._reached(latest.values()))
                if at - reached > LOST and reached < until and at > since:
                    first, last = max(reached, since), min(at, until)
                    if last - first > SLACK:
                        yield _Stretch(part is None, last - first, first, last)
            if part is not None:
                reached = max(reached, at)
                latest[part.stream] = part

    def _reached(self, parts: Iterable[Part]) -> float:
        """The last moment of which files have records."""
        return max(map(self._ends.last_of, parts), default=float("-inf"))

    def _holes(self, room: Room, stretch: _Stretch, known: Sequence[Gap], moment: int | None) -> list[Gap]:
        """The parts of a time without files of which no manifest says that the room was recorded."""
        since, until = stretch.since, stretch.until
        days = self._manifest_days_in(room, since, until)
        spans = [span for each in days for span in each.spans]
        opened = [(each, each.gap(known)) for day in days for each in day.opened]
        recorded = united([*spans, *(each.recorded(gap) for each, gap in opened)])
        goes_on = not stretch.is_last or self._goes_on(room, until, moment)
        if (
            goes_on
            and not any(each.stated for each in days)
            and not self._has_manifests_beside(room, since, until, moment)
        ):
            # Without manifests then, and before and after, it is not known when the room was recorded.
            return []
        absent = [gap for each in days for gap in each.absent]
        absent += [gap for _, gap in opened if gap is not None]
        found: list[Gap] = []
        for hole in outside(Gap(since, until, BETWEEN), recorded):
            if hole.seconds > SLACK:
                if hole.until == until and not goes_on:
                    hole = hole._replace(reason=NO_LONGER)
                named = clipped(absent, hole.since, hole.until)
                found += [*named, *outside(hole, [(gap.since, gap.until) for gap in named])]
        return [part for hole in in_a_row(found) for part in self._not_imported(room, hole, moment)]

    def _manifest_days_in(self, room: Room, since: float, until: float) -> list[DayOfRoom]:
        """The figures of the room on the days of a time."""
        days = list(days_between(since, until))
        if len(days) <= _FEW:
            return self._manifest_days(room, days)
        # In a long time, search for the days on which the recording began or ended. The days between two
        # equal ones are assumed to be like them.
        last = len(days) - 1
        seen = dict(zip((0, last), self._manifest_days(room, [days[0], days[last]]), strict=True))
        while len(seen) < _MOST:
            pairs = [(a, b) for a, b in pairwise(sorted(seen)) if b - a > 1]
            if not pairs:
                break
            first, behind = max(pairs, key=lambda ab: (_differ(seen[ab[0]], seen[ab[1]]), ab[1] - ab[0]))
            middle = (first + behind) // 2
            seen[middle] = self._manifest_days(room, [days[middle]])[0]
        between = [
            (a, b) for a, b in pairwise(sorted(seen)) if b - a > 1 and seen[a].stated and seen[b].stated
        ]
        midnights = [lines.seconds(f"{day}T00:00:00Z") for day in days]
        spans = tuple((midnights[a] + DAY, midnights[b]) for a, b in between)
        return [*seen.values(), DayOfRoom(spans=spans)]

    def _manifest_days(self, room: Room, days: list[str]) -> list[DayOfRoom]:
        books = self._manifests.of_days(days)
        return [books[day].get(room, DayOfRoom()) for day in days]

    def _goes_on(self, room: Room, until: float, moment: int | None) -> bool:
        """Whether the room was recorded later, too."""
        day, today = (next(days_between(at, at)) for at in (until, self._now() - LOST))
        latest = self._parts.last_day(room, moment) or ""
        if latest > day or any(
            last > until + SLACK for _, last in self._manifest_days(room, [today])[0].stated
        ):
            return True
        parts = self._recorded(room, until, until + DAY, moment)
        return latest == day and any(part.minute > utc_minute(until) for part in parts)

    def _has_manifests_beside(self, room: Room, since: float, until: float, moment: int | None) -> bool:
        """Whether manifests name the room on the day of its last file before a time, or of its first one
        after."""
        first, last = next(days_between(since, since)), next(days_between(until, until))
        beside = self._parts.last_day(room, moment, first), self._parts.first_day(room, moment, last)
        days = [day for day in dict.fromkeys(beside) if day is not None]
        return any(each.stated for each in self._manifest_days(room, days))

    def _not_imported(self, room: Room, hole: Gap, moment: int | None) -> list[Gap]:
        """The parts of a hole on days without imported files."""
        days = {
            day_of(part.minute)
            for part in self._parts.of_room(room, hole.since, hole.until, moment=moment)
            if is_import(part.name.instance)
        }
        midnights = sorted(lines.seconds(f"{day}T00:00:00Z") for day in days)
        return list(outside(hole, united((at, at + DAY) for at in midnights)))


def _differ(one: DayOfRoom, other: DayOfRoom) -> bool:
    """Whether manifests name the room on one of the days and not on the other."""
    return bool(one.stated) != bool(other.stated)


def _left(hole: Gap, known: Sequence[Gap]) -> Iterator[Gap]:
    """The parts of a hole that are in no gap record."""
    for part in outside(hole, united((gap.since, gap.until) for gap in known)):
        if part.seconds > (SLACK if known else 0.0):
            yield part
