"""Lists the objects by room and day. Listings are cached: those of days that ended long ago for long, those
of the present for a moment.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from threading import Lock

from chatlog.archive.bundles import Bundles
from chatlog.archive.copies import Copies
from chatlog.archive.listings import (
    DAY,
    LATE,
    Listed,
    Named,
    Room,
    all_days,
    days_between,
    folder_of,
    is_within,
    keep,
    room_in,
    told,
)
from chatlog.archive.overview import Digests, Overview
from chatlog.naming import FileName, is_import, utc_minute
from chatlog.store import dated_folders
from chatlog.store.store import CORRUPT, Head, Local, Store, StoreError

#: Seconds for which a listing is reused: of days that ended long ago, of these if only a few are read, and of
#: others. Days long ago only change by erasure or damage.
OLD, FEW, NEW = 3600.0, 60.0, 5.0
#: So many seconds after the end of a day all its records are stored.
SETTLED = 2 * DAY
#: Seconds after a range within which the end of an open gap is looked for.
AHEAD = 40 * DAY
#: The most listings and walked days that are cached, and the most requests at the same time.
KEPT = 4096
_WALKED = 20
AT_ONCE = 16


class Catalog:
    """The listings of one store. ``now()`` is the time of day, ``longest`` the most seconds for which a file
    is written to (``recorder.rotate_interval``). May be used by several threads."""

    def __init__(self, store: Store, now: Callable[[], float], longest: float = 3600.0) -> None:
        self._store = store
        self._now = now
        self._longest = longest
        self._kept: OrderedDict[str, tuple[float, Listed]] = OrderedDict()
        self._folders: OrderedDict[str, tuple[float, list[str]]] = OrderedDict()
        # A directory of this machine is not listed faster by several threads.
        self._is_here = isinstance(store, Local)
        self._bundles = Bundles(store)
        self._overview = Overview(store, self._bundles, now)
        self._copies = Copies(self._stored)
        #: When the days were walked that were looked at for a time.
        self._walked: dict[str, float] = {}
        self._changes = 0
        self._lock = Lock()
        self._tell: Callable[[str, str], None] | None = None

    # -- what there is -------------------------------------------------------------------------------

    def days(self) -> list[str]:
        """The days (``2025-12-29``) with objects, oldest first. Raises StoreError."""
        return self._cached("days", self._list_days)

    def _list_days(self) -> list[str]:
        found = {day.replace("/", "-") for day in dated_folders.days(self._store)}
        since = self._bundles.moment()
        for month in self._bundles.months(since):
            days = self._bundles.days(month, since)
            if self._bundles.rooms(month, since):
                # Which days are in the bundles of rooms only these tell. Each day has a manifest.
                named = [day for day in self._store.folders(f"manifest/{month}/") if day.isdecimal()]
                days += named or all_days(month)
            found.update(f"{month.replace('/', '-')}-{day}" for day in days)
        return sorted(found)

    def rooms(self, day: str) -> list[Room]:
        """The rooms with objects of a day, and those with a bundle of its month. Raises StoreError."""
        return [
            (platform, channel)
            for platform, _, channel in (
                room.partition("/") for room in self._cached(f"rooms {day}", lambda: self._list_rooms(day))
            )
        ]

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
            found = self._of_day(room, day).named
            return any(not (by_recorders and is_import(name.instance)) for name, *_ in found)

        with ThreadPoolExecutor(AT_ONCE) as threads:
            has = threads.map(look, days)
            return [day for day, is_there in zip(days, has, strict=True) if is_there]

    def objects(
        self,
        room: Room,
        since: float,
        until: float,
        is_known: Callable[[str, str], bool] = lambda day, digest: False,
    ) -> Iterator[Named]:
        """The objects of a room that began between a day before ``since`` and shortly after ``until``. Those
        with one name and different bytes all come. The objects of a day are left out if all of them are in
        that time and ``is_known`` says so, of the day and ``Listed.digest``. Raises StoreError."""
        days, lasts = self._days_of(since, until)
        within = {day for day in days if is_within(day, since, until)}
        seen = {day: seen for day in within if (seen := self._seen_whole(day, lasts)) is not None}
        days = [day for day in days if day not in seen or not is_known(day, seen[day].get(room, ""))]
        for day, listed in zip(days, self._of_days(room, days, lasts), strict=True):
            if not (day in within and is_known(day, listed.digest)):
                yield from self._copies.apart(listed.named)

    def _days_of(self, since: float, until: float) -> tuple[list[str], float]:
        """The days on which files of a time may have been begun, and for how long their listings last."""
        days = self._between(since - max(DAY, self._longest), min(until + LATE, self._now() + LATE))
        return days, FEW if len(days) <= 4 else OLD

    def look_over(self, since: float, until: float) -> None:
        """Look at a time as a whole, before several rooms are asked for: that takes fewer requests. Raises
        StoreError."""
        if not self._is_here:
            days, lasts = self._days_of(since, until)
            self._overview.look_at(day for day in days if self._seen_whole(day, lasts) is None)
            # Of days that are only partly in that time each file is looked at.
            ends = [day for day in days if not is_within(day, since, until)]
            for day in {*ends[1:2], *ends[-1:]}:
                if not 0 <= self._now() - self._walked.get(day, -OLD) < min(lasts, self._lasts(day)):
                    self._walked = {**dict(list(self._walked.items())[-_WALKED:]), day: self._now()}
                    for _ in self.walk(day, self.moment()):
                        pass

    def _seen_whole(self, day: str, lasts: float) -> Digests | None:
        return self._overview.of_day(day, min(lasts, self._lasts(day)))

    def moment(self) -> int:
        """This moment, for ``walk``."""
        return self._bundles.moment()

    def walk(self, day: str, since: int) -> Iterator[Room]:
        """The rooms with objects of a day, and those with a bundle of its month, with few requests: all rooms
        are listed at once. While one is looked at, its ``objects`` of this day cost no request. Bundles are
        listed once ``since`` a moment, so after it no objects may go into bundles. Raises StoreError."""
        date = datetime.fromisoformat(day)
        days = [(date + timedelta(days=n)).date().isoformat() for n in (-1, 0, 1)]
        self._bundles.look_at({each[:7].replace("-", "/") for each in days}, since)
        month = day[:7].replace("-", "/")
        bundled = set(self._bundles.rooms(month, since))
        if day[8:] in self._bundles.days(month, since):
            bundled |= self._bundles.rooms_of_day(day, since)
        begun = self._now(), self._changes
        streams = [self._grouped(each) for each in days]
        streams.append((name, "", ()) for name in sorted(f"{platform}/{name}/" for platform, name in bundled))
        last = ""
        for name, group in groupby(heapq.merge(*streams, key=itemgetter(0)), key=itemgetter(0)):
            if name <= last:
                raise StoreError(f"{self._store.describe()} does not list its keys in their order", CORRUPT)
            last = name
            platform, channel, _ = name.split("/")
            found = {each: listed for _, each, listed in group}
            for each in days:
                room = platform, channel
                places = self._bundles.of_day(room, each, since)
                self._remember(room, each, Listed(room, each, found.get(each, ()), places), begun)
            if day in found or "" in found:
                yield platform, channel

    def _remember(self, room: Room, day: str, listed: Listed, begun: tuple[float, int]) -> None:
        """Keep a listing that began at a time, and after so many changes."""
        with self._lock:
            if self._changes == begun[1]:
                keep(self._kept, folder_of(room, day), (begun[0], listed), KEPT)

    def _grouped(self, day: str) -> Iterator[tuple[str, str, Sequence[Head]]]:
        """Rooms in the order of keys, with what is listed of a day."""
        prefix = f"{day.replace('-', '/')}/"
        for name, heads in groupby(self._store.list(prefix), key=lambda head: room_in(head.key)):
            if name:
                yield name, day, list(heads)

    def next_objects(self, room: Room, after: float, instance: str) -> Iterator[Named]:
        """The objects of the first day on which this instance began one after the given time, up to AHEAD
        seconds later. Raises StoreError."""
        minute = utc_minute(after)
        for day in self._between(after, min(after + AHEAD, self._now())):
            found = [
                named
                for named in self._of_day(room, day).named
                if named[0].minute > minute and named[0].instance == instance
            ]
            if found:
                yield from self._copies.apart(found)
                return

    def _between(self, since: float, until: float) -> list[str]:
        """The days of a time; only those with objects if it is long."""
        if until - since <= 3 * DAY:
            return list(days_between(since, until))
        first, last = (next(iter(days_between(at, at))) for at in (since, until))
        return [day for day in self.days() if first <= day <= last]

    def forget(self, room: Room, minute: str) -> None:
        """A listing is not true any more, of the objects or of the days: list that day again."""
        day = f"{minute[:4]}-{minute[4:6]}-{minute[6:8]}"
        with self._lock:
            # Also what is being listed now: it may be from before.
            self._changes += 1
            self._overview.forget(day)
            self._kept.pop(folder_of(room, day), None)
            if "days" in self._folders and day not in self._folders["days"][1]:
                del self._folders["days"]

    def successors(self, name: FileName) -> list[Named]:
        """The objects that may have taken the place of one that is gone: those of the same file with a later
        number. Raises StoreError."""
        room = name.platform, name.channel
        self.forget(room, name.minute)
        listed = self._of_day(room, f"{name.minute[:4]}-{name.minute[4:6]}-{name.minute[6:8]}").named
        same = name.minute, name.instance
        later = [each for each in listed if (each[0].minute, each[0].instance) == same and each[0].n > name.n]
        return list(self._copies.apart(later))

    # -- listing -------------------------------------------------------------------------------------

    def _of_day(self, room: Room, day: str, lasts: float = OLD) -> Listed:
        """The objects of a day, as they are listed or were at most ``lasts`` seconds ago."""
        known = self._listed(room, day, lasts)
        if known is not None:
            return known
        begun = self._now(), self._changes
        heads = list(self._store.list(folder_of(room, day)))
        # What goes into a bundle meanwhile is seen twice, and never missed.
        found = Listed(room, day, heads, self._bundles.of_day(room, day, self._bundles.moment()))
        self._remember(room, day, found, begun)
        return found

    def _of_days(self, room: Room, days: list[str], lasts: float) -> Iterator[Listed]:
        """The objects of several days, with few requests one after the other."""
        missing = [day for day in days if self._listed(room, day, lasts) is None]
        if self._is_here or len(missing) <= 1:
            yield from (self._of_day(room, day, lasts) for day in days)
            return
        begun = self._now(), self._changes
        with ThreadPoolExecutor(min(AT_ONCE, len(missing))) as threads:
            heads = list(threads.map(lambda day: list(self._store.list(folder_of(room, day))), missing))
            # The bundles of all days are asked for once.
            since = self._bundles.moment()
            places = threads.map(lambda day: self._bundles.of_day(room, day, since), missing)
            found = {
                day: Listed(room, day, own, inside)
                for day, own, inside in zip(missing, heads, places, strict=True)
            }
        for day, listed in found.items():
            self._remember(room, day, listed, begun)
        yield from (found[day] if day in found else self._of_day(room, day, lasts) for day in days)

    def _listed(self, room: Room, day: str, lasts: float) -> Listed | None:
        """The objects of a day, if they were listed at most ``lasts`` seconds ago."""
        seen = self._seen_whole(day, lasts)
        if seen is not None and room not in seen:
            return Listed(room, day)
        with self._lock:
            listed = self._kept.get(folder_of(room, day))
        fresh = listed is not None and self._now() - listed[0] < min(lasts, self._lasts(day))
        return listed[1] if fresh and listed is not None else None

    def find(self, name: FileName) -> list[Named]:
        """Where a stored file is by now: nowhere, or in one place, or in several with different bytes. Raises
        StoreError."""
        room = name.platform, name.channel
        self.forget(room, name.minute)
        day = f"{name.minute[:4]}-{name.minute[4:6]}-{name.minute[6:8]}"
        same = [named for named in self._of_day(room, day, 0.0).named if named.name == name]
        return list(self._copies.apart(same))

    def tell(self, whole: Callable[[str, str], None] | None) -> None:
        """From now on call ``whole(name, sha256)`` for every stored file that was read to its end, from any
        thread; the name is with the suffix of its compression."""
        self._tell = whole

    def chunks(self, named: Named) -> Iterator[bytes]:
        """The bytes of a stored file. Raises StoreError; its kind is MISSING if it is not there any more, and
        CORRUPT if it is in a bundle of which nobody knows what is in it."""
        chunks = self._stored(named)
        return chunks if self._tell is None else told(f"{named.name}{named.suffix}", chunks, self._tell)

    def _stored(self, named: Named) -> Iterator[bytes]:
        if named.place is None:
            return self._store.read(named.name.key(suffix=named.suffix))
        if named.place.key:
            return self._bundles.read(named.place)
        why = "the table of what is in it is damaged"
        raise StoreError(f"{named.place.bundle}: {why}; chatlog verify says what was in it", CORRUPT)

    def _cached(self, what: str, ask: Callable[[], list[str]]) -> list[str]:
        with self._lock:
            listed = self._folders.get(what)
        if listed is not None and self._now() - listed[0] < 12 * NEW:
            return listed[1]
        changes = self._changes
        found = ask()
        with self._lock:
            if self._changes == changes:
                keep(self._folders, what, (self._now(), found), KEPT)
        return found

    def _lasts(self, day: str) -> float:
        end = datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp() + DAY
        return OLD if self._now() - end > SETTLED else NEW
