"""Which objects there are, by room and day. Listings are kept for a while: those of days that are over for
long, those of the present for a moment.
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
#: A file's name and the suffix of its compression.
Named = tuple[FileName, str]

DAY = 86400.0
#: Seconds for which a listing is believed: of days that ended long ago, and of others.
OLD, NEW = 3600.0, 5.0
#: A day is over for good so many seconds after its end: what was recorded in it is stored by then.
SETTLED = 2 * DAY
#: Records may lie in a file that was begun so many seconds later: when a gap was filled in, and where clocks
#: differ.
LATE = 3600.0
#: Seconds after a range in which the end of a gap is looked for that began in it or before.
AHEAD = 40 * DAY
#: Listings that are kept, and requests that are made at the same time.
KEPT = 4096
AT_ONCE = 8
_SUFFIXES = (".gz", ".zst")


class Catalog:
    """The listings of one store. ``now()`` is the time of day, ``longest`` for how many seconds a file is
    written to at most (``recorder.rotate_interval``). May be used by several threads."""

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
            return any(not (by_recorders and is_import(name.instance)) for name, _ in found)

        with ThreadPoolExecutor(AT_ONCE) as threads:
            has = threads.map(look, days)
            return [day for day, is_there in zip(days, has, strict=True) if is_there]

    def objects(self, room: Room, since: float, until: float) -> Iterator[Named]:
        """The objects of a room that were begun between a day before ``since`` and shortly after ``until``.
        Raises StoreError."""
        days = list(_days(since - max(DAY, self._longest), min(until + LATE, self._now() + LATE)))
        if len(days) > 4:
            there = set(self.days())
            days = [day for day in days if day in there]
        if len(days) <= 1:
            for day in days:
                yield from self._of_day(room, day)
            return
        with ThreadPoolExecutor(min(AT_ONCE, len(days))) as threads:
            for named in threads.map(lambda day: self._of_day(room, day), days):
                yield from named

    def next_objects(self, room: Room, after: float, instance: str) -> Iterator[Named]:
        """The objects of the first day that has one that this instance began after a time, if that is within
        AHEAD seconds. Raises StoreError."""
        minute = utc_minute(after)
        days = list(_days(after, min(after + AHEAD, self._now())))
        there = set(self.days()) if len(days) > 2 else set(days)
        for day in days:
            found = [
                (name, suffix)
                for name, suffix in (self._of_day(room, day) if day in there else ())
                if name.minute > minute and name.instance == instance
            ]
            if found:
                yield from found
                return

    def within(self, names: Collection[FileName], since: float, until: float) -> Iterator[FileName]:
        """Those that may hold records from ``since`` to before ``until``: begun in that time or shortly
        after, and of each instance the one before it."""
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
                # The last one of these may still have been written to.
                before[name.instance] = name
        yield from before.values()

    def forget(self, room: Room, minute: str) -> None:
        """What was listed is not there: list that day anew."""
        with self._lock:
            self._kept.pop(_folder(room, f"{minute[:4]}-{minute[4:6]}-{minute[6:8]}"), None)

    # -- listing -------------------------------------------------------------------------------------

    def _of_day(self, room: Room, day: str) -> list[Named]:
        prefix = _folder(room, day)
        with self._lock:
            listed = self._kept.get(prefix)
        if listed is not None and self._now() - listed[0] < self._lasts(day):
            return listed[1]
        found = []
        for head in self._store.list(prefix):
            key = head.key.rpartition("/")[2]
            suffix = next((end for end in _SUFFIXES if key.endswith(end)), "")
            try:
                found.append((parse_name(key.removesuffix(suffix)), suffix))
            except ValueError:
                continue
        with self._lock:
            _keep(self._kept, prefix, (self._now(), found))
        return found

    def folders(self, prefix: str) -> list[str]:
        """The names of what lies below a prefix that ends with a slash, sorted. Raises StoreError."""
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
