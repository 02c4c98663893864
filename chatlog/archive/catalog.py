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
from chatlog.archive.folders import Folders
from chatlog.archive.listings import (
    DAY,
    LATE,
    Begun,
    Fresh,
    Listed,
    Named,
    Room,
    day_of,
    days_between,
    digested,
    folder_of,
    keep,
    room_in,
)
from chatlog.archive.overview import Overview, Seen
from chatlog.naming import FileName, utc_minute
from chatlog.store.store import CORRUPT, Head, Local, Store, StoreError

#: Seconds for which a listing is reused: of days that ended long ago, of such days if only a few are read,
#: and of other days. A day that ended long ago changes only by erasure or damage.
OLD, FEW, NEW = 3600.0, 60.0, 5.0
#: Seconds after the end of a day until all its records are stored.
SETTLED = 2 * DAY
#: If a time is longer than these seconds, the days with objects are listed first: for one room, and for all
#: rooms.
LONG, LONG_FOR_ALL = 3 * DAY, 40 * DAY
#: Seconds after a range within which the end of an open gap is looked for.
AHEAD = 40 * DAY
#: The most listings that are cached, and the most requests at the same time.
KEPT = 4096
AT_ONCE = 16


#: No earlier listing is reused.
_NOW = Fresh(0.0)


class Catalog:
    """The listings of one store. ``now()`` is the time of day, ``longest`` the most seconds for which a file
    is written to (``recorder.rotate_interval``). May be used by several threads."""

    def __init__(self, store: Store, now: Callable[[], float], longest: float = 3600.0) -> None:
        self._store = store
        self._now = now
        self._longest = longest
        self._kept: OrderedDict[str, tuple[Begun, Listed]] = OrderedDict()
        # A directory of this machine is not listed faster by several threads.
        self._is_here = isinstance(store, Local)
        self._bundles = Bundles(store)
        self._folders = Folders(store, self._bundles, now)
        self._overview = Overview(store, self._bundles, now)
        self._copies = Copies(self._stored)
        self._changes = 0
        self._lock = Lock()
        self._on_read: Callable[[str, str], None] | None = None

    # -- what there is -------------------------------------------------------------------------------

    def days(self) -> list[str]:
        """The days (``2025-12-29``) with objects, oldest first. Raises StoreError."""
        return self._folders.days()

    def rooms(self, day: str) -> list[Room]:
        """The rooms with objects of a day, and those with a bundle of its month. Raises StoreError."""
        return self._folders.rooms(day)

    def all_rooms(self, latest: int = 31) -> set[Room]:
        """The rooms of the latest days with objects. Raises StoreError."""
        return self._folders.all_rooms(latest)

    def of_day(self, room: Room, day: str, moment: int | None = None) -> Sequence[Named]:
        """The objects of a room that were begun on a day. For ``moment`` see ``objects``. Raises
        StoreError."""
        return self._of_day(room, day, Fresh(OLD, moment)).named

    def is_empty(self, room: Room, day: str, moment: int | None = None) -> bool | None:
        """Whether a room has nothing on a day; None if that takes a request."""
        digest = self._digest(room, day, Fresh(OLD, moment))
        return None if digest is None else digest == ""

    def objects(
        self,
        room: Room,
        since: float,
        until: float,
        is_known: Callable[[str, str], bool] = lambda day, digest: False,
        moment: int | None = None,
    ) -> Iterator[Named]:
        """The objects of a room that began between a day before ``since`` and shortly after ``until``.
        Objects with one name and different bytes are all yielded. The objects of a day are left out if
        ``is_known(day, Listed.digest)``. Listings that were begun after the ``moment`` are reused, however
        old they are. Raises StoreError."""
        days, lasts = self._days_of(since, until, Fresh(OLD, moment))
        fresh = Fresh(lasts, moment)
        asked = {day: self._digest(room, day, fresh) for day in days}
        days = [
            day for day, digest in asked.items() if digest is None or (digest and not is_known(day, digest))
        ]
        for day, listed in zip(days, self._of_days(room, days, fresh), strict=True):
            if asked[day] is not None or not is_known(day, listed.digest):
                yield from self._copies.apart(listed.named)

    def _days_of(self, since: float, until: float, seen: Fresh | None = None) -> tuple[list[str], float]:
        """The days on which files of a time may have been begun, and for how long their listings last. With
        ``seen``, days without objects are left out, unless the overview has all days."""
        first, last = since - max(DAY, self._longest), min(until + LATE, self._now() + LATE)
        days = list(days_between(first, last)) if last - first <= LONG_FOR_ALL else []
        if not days or (seen is not None and any(self._seen(day, seen) is None for day in days)):
            days = self._between(first, last)
        return days, FEW if len(days) <= 4 else OLD

    def list_ahead(
        self, since: float, until: float, moment: int, is_indexed: Callable[[str], bool] = lambda day: True
    ) -> None:
        """List whole days of a time before questions about several rooms: that takes fewer requests. Listings
        that were begun after the ``moment`` are reused. ``is_indexed(day)``: whether an index may know the
        day's files; otherwise the files are kept. Raises StoreError."""
        if self._is_here:
            return
        days, lasts = self._days_of(since, until)
        fresh = Fresh(lasts, moment)
        there = {day: self._seen(day, fresh) for day in days}
        for seen in there.values():
            if seen is not None:
                # A day that is fresh enough now stays so until all rooms have been asked for.
                seen.moment = max(seen.moment, self.moment())
        unseen = [day for day, seen in there.items() if seen is None]
        # On the first and last days some files are read in any case, also with an index.
        ends = {*days[:2], *days[-1:]}
        self._overview.list_days(
            unseen, [day for day in unseen if day in ends or self._lasts(day) == NEW or not is_indexed(day)]
        )

    def _seen(self, day: str, fresh: Fresh) -> Seen | None:
        """A day's listing of all rooms, if it is fresh."""
        seen = self._overview.of_day(day)
        return seen if seen is not None and self._is_fresh(day, seen.at, seen.moment, fresh) else None

    def _digest(self, room: Room, day: str, fresh: Fresh) -> str | None:
        """See ``Seen.digest``; None also if there is no fresh listing of all rooms of the day."""
        seen = self._seen(day, fresh)
        return None if seen is None else seen.digest(room)

    def _is_fresh(self, day: str, at: float, moment: int, fresh: Fresh) -> bool:
        if fresh.moment is not None and moment > fresh.moment:
            return True
        return 0 <= self._now() - at < min(fresh.lasts, self._lasts(day))

    def moment(self) -> int:
        """A number for this moment: see ``Bundles.moment``."""
        return self._bundles.moment()

    def walk(self, day: str, since: int) -> Iterator[Room]:
        """The rooms with objects of a day, and those with a bundle of its month, with few requests: all rooms
        are listed at once. Until the next room is asked for, ``objects`` of this room and day cost no
        request. Bundles are listed once after the moment ``since``, so no object may go into a bundle after
        that moment. Raises StoreError."""
        date = datetime.fromisoformat(day)
        days = [(date + timedelta(days=n)).date().isoformat() for n in (-1, 0, 1)]
        self._bundles.list_months({each[:7].replace("-", "/") for each in days}, since)
        month = day[:7].replace("-", "/")
        bundled = set(self._bundles.rooms(month, since))
        if day[8:] in self._bundles.days(month, since):
            bundled |= self._bundles.rooms_of_day(day, since)
        begun = self._begun()
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

    def _begun(self) -> Begun:
        return Begun(self._now(), self._bundles.moment(), self._changes)

    def _remember(self, room: Room, day: str, listed: Listed, begun: Begun) -> None:
        """Keep a listing that was begun then."""
        with self._lock:
            if self._changes == begun.changes:
                keep(self._kept, folder_of(room, day), (begun, listed), KEPT)

    def _grouped(self, day: str) -> Iterator[tuple[str, str, Sequence[Head]]]:
        """Rooms in the order of keys, with what is listed of a day."""
        prefix = f"{day.replace('-', '/')}/"
        for name, heads in groupby(self._store.list(prefix), key=lambda head: room_in(head.key)):
            if name:
                yield name, day, list(heads)

    def next_objects(
        self, room: Room, after: float, instance: str, moment: int | None = None
    ) -> Iterator[Named]:
        """The objects of the first day on which this instance began one after the given time, up to AHEAD
        seconds later. For ``moment`` see ``objects``. Raises StoreError."""
        minute = utc_minute(after)
        days = self._between(after, min(after + AHEAD, self._now()))
        # Mostly the day is one of the first two.
        for first, last in [(0, 2), *((at, at + AT_ONCE) for at in range(2, len(days), AT_ONCE))]:
            for listed in self._of_days(room, days[first:last], Fresh(OLD, moment)):
                found = [
                    named
                    for named in listed.named
                    if named[0].minute > minute and named[0].instance == instance
                ]
                if found:
                    yield from self._copies.apart(found)
                    return

    def _between(self, since: float, until: float) -> list[str]:
        """The days of a time; of a long time only those with objects: to list these takes several requests,
        one after the other."""
        if until - since <= LONG:
            return list(days_between(since, until))
        first, last = (next(iter(days_between(at, at))) for at in (since, until))
        return [day for day in self.days() if first <= day <= last]

    def forget(self, room: Room, minute: str) -> None:
        """The listing of a room's day, or of the days, is out of date: list that day again."""
        day = day_of(minute)
        with self._lock:
            # A listing under way may be out of date too.
            self._changes += 1
            self._kept.pop(folder_of(room, day), None)
        self._overview.forget(day, room)
        self._folders.forget(day)

    def successors(self, name: FileName) -> list[Named]:
        """The objects that may have taken the place of one that is gone: those of the same file with a later
        number. Raises StoreError."""
        room = name.platform, name.channel
        self.forget(room, name.minute)
        listed = self._of_day(room, day_of(name.minute), _NOW).named
        same = name.minute, name.instance
        later = [each for each in listed if (each[0].minute, each[0].instance) == same and each[0].n > name.n]
        return list(self._copies.apart(later))

    # -- listing -------------------------------------------------------------------------------------

    def _of_day(self, room: Room, day: str, fresh: Fresh) -> Listed:
        """The objects of a day, from a fresh listing or a new one."""
        known = self._listed(room, day, fresh)
        if known is not None:
            return known
        begun = self._begun()
        heads = list(self._store.list(folder_of(room, day)))
        # An object that moves into a bundle meanwhile is seen twice, and never missed.
        found = Listed(room, day, heads, self._bundles.of_day(room, day, self._bundles.moment()))
        self._remember(room, day, found, begun)
        return found

    def _of_days(self, room: Room, days: list[str], fresh: Fresh) -> Iterator[Listed]:
        """The objects of several days, with few requests one after the other."""
        there = {day: self._listed(room, day, fresh) for day in days}
        missing = [day for day, listed in there.items() if listed is None]
        if self._is_here or len(missing) <= 1:
            yield from (listed or self._of_day(room, day, fresh) for day, listed in there.items())
            return
        begun = self._begun()
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
        yield from (there[day] or found[day] for day in days)

    def _listed(self, room: Room, day: str, fresh: Fresh) -> Listed | None:
        """The objects of a day, if they were listed lately."""
        with self._lock:
            known = self._kept.get(folder_of(room, day))
        if known is not None and self._is_fresh(day, known[0].at, known[0].moment, fresh):
            return known[1]
        seen = self._seen(day, fresh)
        if seen is None:
            return None
        if seen.digest(room) == "":
            return Listed(room, day)
        own = seen.objects(room)
        if own is None:
            return None
        return Listed(room, day, own, self._bundles.of_day(room, day, seen.listed))

    def find(self, name: FileName) -> list[Named]:
        """The places where a stored file is by now: none, one, or several with different bytes. Raises
        StoreError."""
        room = name.platform, name.channel
        self.forget(room, name.minute)
        day = day_of(name.minute)
        same = [named for named in self._of_day(room, day, _NOW).named if named.name == name]
        return list(self._copies.apart(same))

    def report_reads(self, whole: Callable[[str, str], None] | None) -> None:
        """From now on call ``whole(name, sha256)`` for every stored file that was read to its end, from any
        thread; the name is with the suffix of its compression."""
        self._on_read = whole

    def chunks(self, named: Named) -> Iterator[bytes]:
        """The bytes of a stored file. Raises StoreError; its kind is MISSING if it is not there any more, and
        CORRUPT if it is in a bundle whose table is damaged."""
        chunks = self._stored(named)
        if self._on_read is None:
            return chunks
        return digested(f"{named.name}{named.suffix}", chunks, self._on_read)

    def _stored(self, named: Named) -> Iterator[bytes]:
        if named.place is None:
            return self._store.read(named.name.key(suffix=named.suffix))
        if named.place.key:
            return self._bundles.read(named.place)
        why = "the table of what is in it is damaged"
        raise StoreError(f"{named.place.bundle}: {why}; chatlog verify says what was in it", CORRUPT)

    def _lasts(self, day: str) -> float:
        end = datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp() + DAY
        return OLD if self._now() - end > SETTLED else NEW
