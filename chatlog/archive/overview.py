"""Which files all rooms have on a day, as one digest for each room.

Whoever searches many rooms asks a store for a day of all of them at once, instead of for each room: a
thousand files take one request. What an index knows by its digest need not be listed again, and what is not
there at all needs no request either.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from chatlog.archive.bundles import Bundles
from chatlog.archive.listings import FileSum, Room, room_in
from chatlog.naming import parse_bundle_key
from chatlog.store.store import Head, Store

#: The most requests at the same time.
AT_ONCE = 16
#: The most rooms' days that are kept.
KEPT = 200_000

#: The digests of the files of a day, by room.
Digests = Mapping[Room, str]
_Sums = defaultdict[tuple[str, str], FileSum]


class Overview:
    """The days of one store that were looked at as a whole. ``now()`` is the time of day. May be used by
    several threads."""

    def __init__(self, store: Store, bundles: Bundles, now: Callable[[], float]) -> None:
        self._store = store
        self._bundles = bundles
        self._now = now
        self._lock = Lock()
        self._kept: OrderedDict[str, tuple[float, Digests]] = OrderedDict()
        self._size = 0
        self._changes = 0

    def of_day(self, day: str, lasts: float) -> Digests | None:
        """The digests of a day (``2025-12-29``), of all rooms with files, if it was looked at in the last
        ``lasts`` seconds."""
        with self._lock:
            at, digests = self._kept.get(day, (float("-inf"), {}))
            return digests if 0 <= self._now() - at < lasts else None

    def forget(self, day: str) -> None:
        """What is known of a day is not true any more."""
        with self._lock:
            self._changes += 1
            self._drop(day)

    def look_at(self, days: Iterable[str]) -> None:
        """Look at these days now. Raises StoreError."""
        wanted = sorted(set(days))
        if not wanted:
            return
        begun, changes = self._now(), self._changes
        with ThreadPoolExecutor(AT_ONCE) as threads:
            sums: _Sums = defaultdict(FileSum)
            for found in threads.map(self._objects, wanted):
                _add(sums, found)
            # What goes into a bundle meanwhile is seen twice, and never missed.
            unknown = set()
            for group, inside in threads.map(self._bundled, self._bundles_of(wanted)):
                if inside is None:
                    unknown.add(group)
                else:
                    _add(sums, inside)
        of_days: dict[str, dict[Room, str]] = {day: {} for day in wanted}
        for (day, name), files in sums.items():
            if day in of_days:
                platform, channel, _ = name.split("/")
                of_days[day][platform, channel] = files.digest
        with self._lock:
            if self._changes != changes:
                return
            for day, digests in of_days.items():
                # Nobody knows what is in a bundle whose table is damaged.
                if not any(day.replace("-", "/").startswith(group) for group in unknown):
                    self._keep(day, begun, digests)

    def _objects(self, day: str) -> _Sums:
        """The objects of a day that are objects of their own."""
        sums: _Sums = defaultdict(FileSum)
        for head in self._store.list(f"{day.replace('-', '/')}/"):
            if room := room_in(head.key):
                sums[day, room].add(head.key[len("2025/12/29/") + len(room) :], head.size)
        return sums

    def _bundles_of(self, days: list[str]) -> Iterator[list[Head]]:
        """The bundles of these days and of their months, those of one folder together."""
        since = self._bundles.moment()
        months = {day[:7].replace("-", "/") for day in days}
        self._bundles.look_at(months, since)
        for month in sorted(months):
            folders: dict[str, list[Head]] = defaultdict(list)
            for head in self._bundles.of_month(month, since):
                name, _ = parse_bundle_key(head.key)
                if name.platform:
                    folders[f"{name.platform}/{name.channel}"].append(head)
                elif head.key[7:17].replace("/", "-") in days:
                    folders[head.key[7:17]].append(head)
            yield from folders.values()

    def _bundled(self, heads: list[Head]) -> tuple[str, _Sums | None]:
        """The objects in the bundles of one folder, and the beginning of their keys; None in place of the
        objects if one of the tables is damaged."""
        name, _ = parse_bundle_key(heads[0].key)
        begin, room = heads[0].key[7:17], ""
        if name.platform:
            begin, room = f"{begin[:7]}/", f"{name.platform}/{name.channel}/"
        sums: _Sums = defaultdict(FileSum)
        for table in self._bundles.current(heads):
            if not table.text:
                return begin, None
            for each in table.slices(begin):
                own = room_in(each.key)
                if each.key.startswith(begin) and own and room in ("", own):
                    day = each.key[:10].replace("/", "-")
                    sums[day, own].add(each.key[len("2025/12/29/") + len(own) :], each.bytes)
        return begin, sums

    def _keep(self, day: str, at: float, digests: Digests) -> None:
        self._drop(day)
        self._kept[day] = at, digests
        self._size += len(digests) + 1
        while self._size > KEPT:
            self._drop(next(iter(self._kept)))

    def _drop(self, day: str) -> None:
        if day in self._kept:
            self._size -= len(self._kept.pop(day)[1]) + 1


def _add(sums: _Sums, more: _Sums) -> None:
    for place, files in more.items():
        sums[place].join(files)
