"""When a room was recorded at all. What is missing outside of that is no silence: nobody listened.

A gap record tells of a gap when its recorder is back. Nothing of the kind tells of the time before the first
recording, of the time since a recorder ended that never came back, of a room that was taken off the list, and
of a recorder that began anew on another machine. Files tell from when to when they have records, and
manifests tell every hour of every room, also of quiet ones: what neither tells of was not recorded. Manifests
are only looked at where a room has no file for hours.
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

#: Why there is nothing before the first recording, after the last one, and where one ended and another had
#: not begun.
NOT_YET = "before the first recording"
NO_LONGER = "after the last recording"
BETWEEN = "between two recordings"
#: The most days before the first file that are looked through in manifests, the most of a time without files
#: of which all are, and the most that are looked at for one answer.
_DAYS, _FEW, _MOST = 31, 4, 12


class Manifests(Protocol):
    """What the manifests say: see ``DayBook``."""

    def of_days(self, days: list[str]) -> dict[str, dict[Room, DayOfRoom]]:
        """What they say of the rooms of some days. Raises StoreError."""


class _Stretch(NamedTuple):
    """A time without files, and its length. ``is_last``: whether there is none behind it, as far as is
    seen."""

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

    def after(self, room: Room, since: float, moment: int | None = None) -> float | None:
        """When the room was first recorded, in seconds since the epoch; None if that is not later than
        ``since``, and LAST if no recorder ever did. What was imported does not count. What was listed after
        the ``moment`` counts, here and in all that follows."""
        # A file that began before is mostly near, and listing all days takes long.
        minute = utc_minute(max(since, 0.0))
        if any(part.minute < minute for part in self._recorded(room, since, since + 1.0, moment)):
            return None
        day = self._parts.first_day(room, moment)
        if day is None:
            return LAST
        found = self._first(room, day, moment)
        if found > since:
            found = self._told_before(room, day, found)
        return found if found > since else None

    def before(self, room: Room, since: float, until: float, moment: int | None = None) -> list[Gap]:
        """The parts of a time that were before the first recording, without the days of which something was
        imported: nobody knows what these lack."""
        until = min(until, self._now())
        found = self.after(room, since, moment) if since < until else None
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

    def _told_before(self, room: Room, day: str, found: float) -> float:
        """The same, or an earlier time by the manifests of this day and of those before it."""
        at = date.fromisoformat(day)
        # The manifests of what is not kept any more are still there.
        kept = self._retention.since(room, self._now()) + 2 * DAY
        for _ in range(_DAYS):
            midnight = lines.seconds(f"{at.isoformat()}T00:00:00Z")
            since = self._told_of(room, [at.isoformat()])[0].since
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
        """The gaps of a time: the ``known`` ones, which are those of gap records, and the times in which
        nobody recorded the room. Of the last LOST seconds nobody knows that yet."""
        begun = self.after(room, since, moment) if since < min(until, self._now()) else None
        holes: list[Gap] = []
        if begun is not None:
            holes = self._before(room, since, min(begun, until, self._now()), begun, moment)
        start, end = begun or since, min(until, self._now() - LOST)
        if start < end and not room[1].startswith("_"):
            looked_at = 0
            # First the last one, then the longest: of months not every night can be looked at.
            for stretch in sorted(self._without_files(room, start, end, moment), reverse=True):
                looked_at += min(stretch.days, _FEW)
                # Mostly a gap record says it all.
                is_told = not any(_left(Gap(stretch.since, stretch.until, ""), known))
                if not is_told and looked_at <= _MOST:
                    holes += self._untold(room, stretch, known, moment)
        left = [part for hole in holes for part in _left(hole, known)]
        return clipped([*left, *known], since, until) if left else list(known)

    def ended(self, room: Room, since: float, until: float, moment: int | None = None) -> Gap | None:
        """The end of a time in which nobody recorded the room any more; None if somebody did then or later,
        as far as is known. This costs less than to look for all gaps."""
        end = min(until, self._now() - LOST)
        if since >= end or room[1].startswith("_"):
            return None
        told = self._told_of(room, [next(days_between(end, end))])[0].told
        if any(last >= end - SLACK for _, last in told):
            return None
        day = self._parts.last_day(room, moment)
        if day is None:
            return None
        start = max(since, lines.seconds(f"{day}T00:00:00Z"))
        last = self.gaps(room, start, end, (), moment)[-1:] if start < end else []
        return last[0] if last and last[0].reason == NO_LONGER else None

    def end_of(self, room: Room) -> float | None:
        """Since when nobody records the room any more; None if somebody does, as far as is known."""
        ended = self.ended(room, 0.0, LAST)
        return ended.since if ended is not None else None

    def is_told(self, room: Room, until: float) -> bool:
        """Whether it is known by now if the room was recorded until a time."""
        if until <= self._now() - LOST:
            return True
        parts = self._recorded(room, until - 1.0, LAST, None)
        minute = utc_minute(until)
        if any(part.minute > minute for part in parts) or self._reached(parts) >= until:
            return True
        # At midnight the last manifest of the day before tells.
        day = next(days_between(until - SLACK, until))
        told = self._told_of(room, [day])[0].told
        return any(first - SLACK <= until <= last + SLACK for first, last in told)

    def _recorded(self, room: Room, since: float, until: float, moment: int | None) -> list[Part]:
        there = self._parts.of_room(room, since, until, moment=moment)
        return [part for part in there if not is_import(part.name.instance)]

    def _without_files(
        self, room: Room, since: float, until: float, moment: int | None
    ) -> Iterator[_Stretch]:
        """The times without files, and before the next file, that are long enough for a look at manifests.
        They may begin before ``since``."""
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

    def _untold(self, room: Room, stretch: _Stretch, known: Sequence[Gap], moment: int | None) -> list[Gap]:
        """The parts of a time without files of which no manifest says that the room was recorded."""
        since, until = stretch.since, stretch.until
        told = self._told_in(room, since, until)
        spans = [span for each in told for span in each.spans]
        opened = [(each, each.gap(known)) for day in told for each in day.opened]
        recorded = united([*spans, *(each.recorded(gap) for each, gap in opened)])
        goes_on = not stretch.is_last or self._goes_on(room, until, moment)
        if (
            goes_on
            and not any(each.told for each in told)
            and not self._is_told_beside(room, since, until, moment)
        ):
            # What has no manifests at all was recorded otherwise, and nobody knows how.
            return []
        absent = [gap for each in told for gap in each.absent]
        absent += [gap for _, gap in opened if gap is not None]
        found: list[Gap] = []
        for hole in outside(Gap(since, until, BETWEEN), recorded):
            if hole.seconds > SLACK:
                if hole.until == until and not goes_on:
                    hole = hole._replace(reason=NO_LONGER)
                named = clipped(absent, hole.since, hole.until)
                found += [*named, *outside(hole, [(gap.since, gap.until) for gap in named])]
        return [part for hole in in_a_row(found) for part in self._not_imported(room, hole, moment)]

    def _told_in(self, room: Room, since: float, until: float) -> list[DayOfRoom]:
        """What manifests tell of the days of a time."""
        days = list(days_between(since, until))
        if len(days) <= _FEW:
            return self._told_of(room, days)
        # Of a long one the days are looked for on which it became another. What lies between two days of one
        # kind is taken to be the same.
        last = len(days) - 1
        seen = dict(zip((0, last), self._told_of(room, [days[0], days[last]]), strict=True))
        while len(seen) < _MOST:
            pairs = [(a, b) for a, b in pairwise(sorted(seen)) if b - a > 1]
            if not pairs:
                break
            first, behind = max(pairs, key=lambda ab: (_differ(seen[ab[0]], seen[ab[1]]), ab[1] - ab[0]))
            middle = (first + behind) // 2
            seen[middle] = self._told_of(room, [days[middle]])[0]
        between = [(a, b) for a, b in pairwise(sorted(seen)) if b - a > 1 and seen[a].told and seen[b].told]
        midnights = [lines.seconds(f"{day}T00:00:00Z") for day in days]
        spans = tuple((midnights[a] + DAY, midnights[b]) for a, b in between)
        return [*seen.values(), DayOfRoom(spans=spans)]

    def _told_of(self, room: Room, days: list[str]) -> list[DayOfRoom]:
        books = self._manifests.of_days(days)
        return [books[day].get(room, DayOfRoom()) for day in days]

    def _goes_on(self, room: Room, until: float, moment: int | None) -> bool:
        """Whether the room was recorded later, too."""
        day, today = (next(days_between(at, at)) for at in (until, self._now() - LOST))
        latest = self._parts.last_day(room, moment) or ""
        if latest > day or any(last > until + SLACK for _, last in self._told_of(room, [today])[0].told):
            return True
        parts = self._recorded(room, until, until + DAY, moment)
        return latest == day and any(part.minute > utc_minute(until) for part in parts)

    def _is_told_beside(self, room: Room, since: float, until: float, moment: int | None) -> bool:
        """Whether manifests tell of the day of the last file before a time, or of the first one after."""
        first, last = next(days_between(since, since)), next(days_between(until, until))
        beside = self._parts.last_day(room, moment, first), self._parts.first_day(room, moment, last)
        days = [day for day in dict.fromkeys(beside) if day is not None]
        return any(each.told for each in self._told_of(room, days))

    def _not_imported(self, room: Room, hole: Gap, moment: int | None) -> list[Gap]:
        """The parts of a hole on the days of which nothing was imported."""
        days = {
            day_of(part.minute)
            for part in self._parts.of_room(room, hole.since, hole.until, moment=moment)
            if is_import(part.name.instance)
        }
        midnights = sorted(lines.seconds(f"{day}T00:00:00Z") for day in days)
        return list(outside(hole, united((at, at + DAY) for at in midnights)))


def _differ(one: DayOfRoom, other: DayOfRoom) -> bool:
    """Whether manifests tell of one day and not of the other."""
    return bool(one.told) != bool(other.told)


def _left(hole: Gap, known: Sequence[Gap]) -> Iterator[Gap]:
    """The parts of a hole of which no gap record tells."""
    for part in outside(hole, united((gap.since, gap.until) for gap in known)):
        if part.seconds > (SLACK if known else 0.0):
            yield part
