"""Lists the days of an archive, and the rooms of each day, by the folders of the store."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from chatlog.archive.bundles import Bundles
from chatlog.archive.listings import Room, all_days, keep
from chatlog.store import dated_folders
from chatlog.store.store import Store

#: Seconds for which a list is reused.
LASTS = 60.0
#: The most lists that are kept, and the most requests at the same time.
KEPT = 4096
AT_ONCE = 16


class Folders:
    """The days and rooms of one store. ``now()`` is the time of day. May be used by several threads; every
    method may raise StoreError."""

    def __init__(self, store: Store, bundles: Bundles, now: Callable[[], float]) -> None:
        self._store = store
        self._bundles = bundles
        self._now = now
        self._kept: OrderedDict[str, tuple[float, list[str]]] = OrderedDict()
        self._changes = 0
        self._lock = Lock()

    def days(self) -> list[str]:
        """The days (``2025-12-29``) with objects, oldest first."""
        return self._cached("days", self._list_days)

    def _list_days(self) -> list[str]:
        found = {day.replace("/", "-") for day in dated_folders.days(self._store)}
        since = self._bundles.moment()
        for month in self._bundles.months(since):
            days = self._bundles.days(month, since)
            if self._bundles.rooms(month, since):
                # The days in the bundles of rooms are only in their tables. But each day has a manifest.
                named = [day for day in self._store.folders(f"manifest/{month}/") if day.isdecimal()]
                days += named or all_days(month)
            found.update(f"{month.replace('/', '-')}-{day}" for day in days)
        return sorted(found)

    def rooms(self, day: str) -> list[Room]:
        """The rooms with objects of a day, and those with a bundle of its month."""
        rooms = self._cached(f"rooms {day}", lambda: self._list_rooms(day))
        return [(platform, channel) for platform, _, channel in (room.partition("/") for room in rooms)]

    def _list_rooms(self, day: str) -> list[str]:
        above = f"{day.replace('-', '/')}/"
        found = {
            f"{platform}/{channel}"
            for platform in self._store.folders(above)
            for channel in self._store.folders(f"{above}{platform}/")
        }
        since = self._bundles.moment()
        month = day[:7].replace("-", "/")
        rooms = set(self._bundles.rooms(month, since))
        if day[8:] in self._bundles.days(month, since):
            rooms |= self._bundles.rooms_of_day(day, since)
        return sorted(found | {f"{platform}/{channel}" for platform, channel in rooms})

    def all_rooms(self, latest: int) -> set[Room]:
        """The rooms of the latest days with objects."""
        days = self.days()[-latest:]
        with ThreadPoolExecutor(AT_ONCE) as threads:
            return {room for rooms in threads.map(self.rooms, days) for room in rooms}

    def forget(self, day: str) -> None:
        """A day may have its first object: list the days again."""
        with self._lock:
            self._changes += 1
            if "days" in self._kept and day not in self._kept["days"][1]:
                del self._kept["days"]

    def _cached(self, what: str, ask: Callable[[], list[str]]) -> list[str]:
        with self._lock:
            listed = self._kept.get(what)
        if listed is not None and 0 <= self._now() - listed[0] < LASTS:
            return listed[1]
        changes = self._changes
        found = ask()
        with self._lock:
            if self._changes == changes:
                keep(self._kept, what, (self._now(), found), KEPT)
        return found
