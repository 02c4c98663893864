"""When a room was recorded at all. What is missing outside of that is no silence: nobody listened.

A gap record tells of a gap when its recorder is back. Nothing of the kind tells of the time before the first
recording, of the time since a recorder ended that never came back, of a room that was taken off the list, and
of a recorder that began anew on another machine. Files tell from when to when they have records, and
manifests tell every hour of every room, also of quiet ones: what neither tells of was not recorded. Manifests
are only looked at where a room has no file for hours.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import date, timedelta
from threading import Lock
from typing import NamedTuple, Protocol

from chatlog.archive import lines
from chatlog.archive.covered import begun, seconds_of
from chatlog.archive.day_book import DayOfRoom
from chatlog.archive.gaps import Gap, clipped, gap_of, outside
from chatlog.archive.keeping import DAY, Keeping
from chatlog.archive.lines import LAST
from chatlog.archive.listings import day_of, days_between, keep
from chatlog.archive.parts import Part, PartError, Parts, Room
from chatlog.archive.reader import come_to
from chatlog.archive.told import SLACK, in_a_row, united
from chatlog.naming import is_import, utc_minute
from chatlog.uploader.manifest_rows import LOST

#: Why there is nothing before the first recording, after the last one, and where one ended and another had
#: not begun.
NOT_YET = "before the first recording"
NO_LONGER = "after the last recording"
BETWEEN = "between two recordings"
#: The lines of a file among which the earliest is looked for: they are in the order of arrival.
_LINES = 50
#: The most days that are looked through in manifests for one answer, and the most files that are remembered.
_DAYS = 31
_KEPT = 4096


class Manifests(Protocol):
    """What the manifests say: see ``DayBook``."""

    def of_days(self, days: list[str]) -> dict[str, dict[Room, DayOfRoom]]:
        """What they say of the rooms of some days. Raises StoreError."""


class _Stretch(NamedTuple):
    """A time without files. ``is_bounded``: whether there is one behind it, or not as far as is seen."""

    since: float
    until: float
    is_bounded: bool


class Recordings:
    """The times in which an archive's rooms were recorded. ``now()`` is the time of day. May be used by
    several threads; every method may raise StoreError."""

    def __init__(
        self, parts: Parts, manifests: Manifests, keeping: Keeping, now: Callable[[], float]
    ) -> None:
        self._parts = parts
        self._manifests = manifests
        self._keeping = keeping
        self._now = now
        self._lock = Lock()
        self._ends: OrderedDict[str, float] = OrderedDict()

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
        if self._keeping.explains(room, since, first, self._now()):
            reason = f"not kept longer than {self._keeping.words(room)}"
        return self._not_imported(room, Gap(since, until, reason), moment)

    def _first(self, room: Room, day: str, moment: int | None) -> float:
        """The first moment in the first files of a day."""
        since = lines.seconds(f"{day}T00:00:00Z")
        there = self._recorded(room, since, since + DAY, moment)
        parts = [part for part in there if day_of(part.minute) == day]
        first = min((part.minute for part in parts), default="")
        return min((self._first_of(part) for part in parts if part.minute == first), default=since)

    def _told_before(self, room: Room, day: str, found: float) -> float:
        """The same, or an earlier time by the manifests of this day and of those before it."""
        at = date.fromisoformat(day)
        # The manifests of what is not kept any more are still there.
        kept = self._keeping.since(room, self._now()) + 2 * DAY
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
            for stretch in self._without_files(room, start, end, moment):
                # Mostly a gap record says it all.
                if any(_left(Gap(stretch.since, stretch.until, ""), known)):
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
        day = next(days_between(until, until))
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
                    yield _Stretch(max(reached, since), min(at, until), part is not None)
            if part is not None:
                reached = max(reached, at)
                latest[part.stream] = part

    def _reached(self, parts: Iterable[Part]) -> float:
        """The last moment of which files have records."""
        return max(map(self._last_of, parts), default=float("-inf"))

    def _untold(self, room: Room, stretch: _Stretch, known: Sequence[Gap], moment: int | None) -> list[Gap]:
        """The parts of a time without files of which no manifest says that the room was recorded."""
        since, until, is_bounded = stretch
        told = self._told_in(room, since, until)
        spans = [span for each in told for span in each.spans]
        opened = [(each, each.gap(known)) for day in told for each in day.opened]
        recorded = united([*spans, *(each.recorded(gap) for each, gap in opened)])
        goes_on = is_bounded or self._goes_on(room, until, moment)
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
        if len(days) <= _DAYS:
            return self._told_of(room, days)
        # In so long a silence the day is looked for on which it became one that nobody listened to.
        first, last = 0, len(days) - 1
        ends = self._told_of(room, [days[first], days[last]])
        if ends[1].told:
            return [DayOfRoom(spans=((since, until),))]
        while last - first > 1:
            middle = (first + last) // 2
            if self._told_of(room, [days[middle]])[0].told:
                first = middle
            else:
                last = middle
        told = self._told_of(room, [days[first]])
        at = max((end for _, end in told[0].told), default=since)
        return [*told, DayOfRoom(spans=((since, at),) if first else ())]

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

    # -- one file ------------------------------------------------------------------------------------

    def _first_of(self, part: Part) -> float:
        """The first moment of which a file tells; when it was begun, if it cannot be read."""
        start = begun(part.minute)
        return self._remembered("first", part, start, self._look_for_first)

    def _last_of(self, part: Part) -> float:
        """The same, the last moment of which it has a record."""
        return self._remembered("last", part, begun(part.minute), self._look_for_last)

    def _remembered(
        self, which: str, part: Part, start: float, look: Callable[[Part, float], float | None]
    ) -> float:
        key = f"{which} {part.area} {part.name}{part.suffix} {part.copy} {part.version}"
        with self._lock:
            known = self._ends.get(key)
        if known is not None:
            return known
        try:
            found = look(part, start)
        except PartError:
            return start
        # The first records of a file stay its first ones.
        if found is None or (part.area == "open" and look == self._look_for_last):
            return start if found is None else found
        with self._lock:
            keep(self._ends, key, found, _KEPT)
        return found

    def _look_for_first(self, part: Part, start: float) -> float | None:
        with closing(self._parts.blocks(part)) as blocks:  # type: ignore[type-var]
            return min(_times(next(blocks, b""), start), default=None)

    def _look_for_last(self, part: Part, start: float) -> float | None:
        latest = b""
        try:
            for block in self._parts.blocks(part):
                latest = max(latest, come_to(block))
        except PartError:
            # As far as it can be read.
            if not latest:
                raise
        return max(start, seconds_of(latest)) if latest else None


def _left(hole: Gap, known: Sequence[Gap]) -> Iterator[Gap]:
    """The parts of a hole of which no gap record tells."""
    for part in outside(hole, united((gap.since, gap.until) for gap in known)):
        if part.seconds > (SLACK if known else 0.0):
            yield part


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
