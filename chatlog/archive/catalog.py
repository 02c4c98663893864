"""Lists the objects by room and day. Listings are cached: those of days that ended long ago for long, those
of the present for a moment.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TypeVar

from chatlog.naming import FileName, is_import, parse_name, utc_minute
from chatlog.store.store import Store

T = TypeVar("T")

#: Platform and channel.
Room = tuple[str, str]
#: A file's name, the suffix of its compression, and what the listing says of its bytes.
Named = tuple[FileName, str, str]

DAY = 86400.0
#: Seconds for which a listing is reused: of days that ended long ago, of these if only a few are read, and of
#: others. Days long ago only change by erasure or damage.
OLD, FEW, NEW = 3600.0, 60.0, 5.0
#: So many seconds after the end of a day all its records are stored.
SETTLED = 2 * DAY
#: Records may be in a file that began so many seconds later: if a gap was filled, or if clocks differ.
LATE = 3600.0
#: Seconds after a range within which the end of an open gap is looked for.
AHEAD = 40 * DAY
#: The most listings that are cached, and the most requests at the same time.
KEPT = 4096
AT_ONCE = 8
_SUFFIXES = (".gz", ".zst")


class Catalog:
    """The listings of one store. ``now()`` is the time of day, ``longest`` the most seconds for which a file
    is written to (``recorder.rotate_interval``). May be used by several threads."""

    def __init__(self, store: Store, now: Callable[[], float], longest: float = 3600.0) -> None:
        self._store = store
        self._now = now
        self._longest = longest
        self._kept: OrderedDict[str, tuple[float, list[Named]]] = OrderedDict()
        self._folders: OrderedDict[str, tuple[float, list[str]]] = OrderedDict()
        self._lock = Lock()

    # -- what there is -------------------------------------------------------------------------------

    def days(self) -> list[str]:
        """The days (``2025-12-29``) with objects, oldest first. Raises StoreError."""
        found = []
        for year in self.folders(""):
            if len(year) == 4 and year.isdecimal():
                for month in self.folders(f"{year}/"):
                    days = self.folders(f"{year}/{month}/")
                    found += [f"{year}-{month}-{day}" for day in days if day.isdecimal()]
        return sorted(found)

    def rooms(self, day: str) -> list[Room]:
        """The rooms with objects of a day. Raises StoreError."""
        above = f"{day.replace('-', '/')}/"
        return [
            (platform, channel)
            for platform in self.folders(above)
            for channel in self.folders(f"{above}{platform}/")
        ]

    def all_rooms(self, latest: int = 31) -> set[Room]:
        """The rooms of the latest days with objects. Raises StoreError."""
        days = self.days()[-latest:]
        with ThreadPoolExecutor(AT_ONCE) as threads:
            return {room for rooms in threads.map(self.rooms, days) for room in rooms}

    def days_of(self, room: Room, by_recorders: bool = False) -> list[str]:
        """The days on which a room has objects, or those that were recorded and not only imported, oldest
        first. Raises StoreError."""
        days = self.days()

        def look(day: str) -> bool:
            found = self._of_day(room, day)
            return any(not (by_recorders and is_import(name.instance)) for name, *_ in found)

        with ThreadPoolExecutor(AT_ONCE) as threads:
            has = threads.map(look, days)
            return [day for day, is_there in zip(days, has, strict=True) if is_there]

    def objects(self, room: Room, since: float, until: float) -> Iterator[Named]:
        """The objects of a room that began between a day before ``since`` and shortly after ``until``.
        Raises StoreError."""
        days = list(_days(since - max(DAY, self._longest), min(until + LATE, self._now() + LATE)))
        if len(days) > 4:
            there = set(self.days())
            days = [day for day in days if day in there]
        if len(days) <= 1:
            for day in days:
                yield from self._of_day(room, day, FEW)
            return
        lasts = FEW if len(days) <= 4 else OLD
        with ThreadPoolExecutor(min(AT_ONCE, len(days))) as threads:
            for named in threads.map(lambda day: self._of_day(room, day, lasts), days):
                yield from named

    def next_objects(self, room: Room, after: float, instance: str) -> Iterator[Named]:
        """The objects of the first day on which this instance began one after the given time, up to AHEAD
        seconds later. Raises StoreError."""
        minute = utc_minute(after)
        days = list(_days(after, min(after + AHEAD, self._now())))
        there = set(self.days()) if len(days) > 2 else set(days)
        for day in days:
            found = [
                named
                for named in (self._of_day(room, day) if day in there else ())
                if named[0].minute > minute and named[0].instance == instance
            ]
            if found:
                yield from found
                return

    def within(self, names: Collection[FileName], since: float, until: float) -> Iterator[FileName]:
        """The objects that may hold records from ``since`` to before ``until``: those that began in that time
        or shortly after, and the last earlier one of each instance."""
        first, last = (
            utc_minute(max(since, 0.0)),
            utc_minute(max(min(until, 253402300000.0 - LATE) + LATE, 0.0)),
        )
        before: dict[str, FileName] = {}
        for name in sorted(names, key=lambda name: (name.minute, name.n)):
            if name.minute > last:
                continue
            if name.minute >= first:
                yield name
            else:
                # The last one of these may still have been open in the range.
                before[name.instance] = name
        yield from before.values()

    def forget(self, room: Room, minute: str) -> None:
        """An object of the listing was not there: list that day again."""
        with self._lock:
            self._kept.pop(_folder(room, f"{minute[:4]}-{minute[4:6]}-{minute[6:8]}"), None)

    def successors(self, name: FileName) -> list[Named]:
        """The objects that may have taken the place of one that is gone: those of the same file with a later
        number. Raises StoreError."""
        room = name.platform, name.channel
        self.forget(room, name.minute)
        listed = self._of_day(room, f"{name.minute[:4]}-{name.minute[4:6]}-{name.minute[6:8]}")
        same = name.minute, name.instance
        return [each for each in listed if (each[0].minute, each[0].instance) == same and each[0].n > name.n]

    # -- listing -------------------------------------------------------------------------------------

    def _of_day(self, room: Room, day: str, lasts: float = OLD) -> list[Named]:
        """The objects of a day, as they are listed or were at most ``lasts`` seconds ago."""
        prefix = _folder(room, day)
        with self._lock:
            listed = self._kept.get(prefix)
        if listed is not None and self._now() - listed[0] < min(lasts, self._lasts(day)):
            return listed[1]
        found = []
        for head in self._store.list(prefix):
            key = head.key.rpartition("/")[2]
            suffix = next((end for end in _SUFFIXES if key.endswith(end)), "")
            try:
                name = parse_name(key.removesuffix(suffix))
            except ValueError:
                continue
            found.append((name, suffix, f"{head.size} {head.etag} {head.stored}"))
        with self._lock:
            _keep(self._kept, prefix, (self._now(), found))
        return found

    def folders(self, prefix: str) -> list[str]:
        """The names of the folders below a prefix that ends with a slash, sorted. Raises StoreError."""
        with self._lock:
            listed = self._folders.get(prefix)
        if listed is not None and self._now() - listed[0] < 12 * NEW:
            return listed[1]
        found = sorted(self._store.folders(prefix))
        with self._lock:
            _keep(self._folders, prefix, (self._now(), found))
        return found

    def _lasts(self, day: str) -> float:
        end = datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp() + DAY
        return OLD if self._now() - end > SETTLED else NEW


def _keep(kept: OrderedDict[str, T], key: str, value: T) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > KEPT:
        kept.popitem(last=False)


def _folder(room: Room, day: str) -> str:
    return f"{day.replace('-', '/')}/{room[0]}/{room[1]}/"


def _days(since: float, until: float) -> Iterator[str]:
    day = datetime.fromtimestamp(max(since, 0.0), UTC).date()
    last = datetime.fromtimestamp(max(min(until, 253402300799.0), 0.0), UTC).date()
    while day <= last:
        yield day.isoformat()
        day += timedelta(days=1)
