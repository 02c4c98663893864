"""Lists the files of all rooms on a day at once, and keeps one digest for each room.

A search over many rooms lists a day once for all of them: a thousand files take one request. A room whose
digest an index knows need not be listed again, and neither need a room without files. For days that no index
may know yet, the files themselves are kept too.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from chatlog.archive.bundles import Bundles
from chatlog.archive.listings import FileSum, Room, room_in
from chatlog.naming import parse_bundle_key
from chatlog.store.store import Head, Store

#: The most requests at the same time.
AT_ONCE = 16
#: The most rooms' days that are kept, and the most files of such days (30 MB).
KEPT = 200_000
FILES = 100_000

_Sums = defaultdict[tuple[str, str], FileSum]
#: Objects by room, as ``twitch/a/``.
_Files = dict[str, list[Head]]


class Seen:
    """A day as it was seen: ``at`` is the time of day and ``moment`` the moment (see ``Bundles.moment``) at
    which that began, ``listed`` the moment at which all objects of their own had been listed."""

    def __init__(
        self, at: float, moment: int, listed: int, digests: Mapping[Room, str], files: _Files | None
    ) -> None:
        self.at = at
        self.moment = moment
        self.listed = listed
        self._digests = digests
        self._files = files
        #: Rooms whose files may have changed since.
        self.changed: set[Room] = set()

    @property
    def size(self) -> int:
        """The rooms of which something is kept."""
        return len(self._digests) + 1

    @property
    def file_count(self) -> int:
        """How many files are kept."""
        return sum(map(len, self._files.values())) if self._files is not None else 0

    def digest(self, room: Room) -> str | None:
        """The digest of a room's files; ``""`` if there are none, None if it is not known any more."""
        return None if room in self.changed else self._digests.get(room, "")

    def objects(self, room: Room) -> list[Head] | None:
        """A room's objects of their own, without those in bundles; None if they are not kept."""
        if room in self.changed or self._files is None:
            return None
        return self._files.get(f"{room[0]}/{room[1]}/", [])

    def drop_files(self) -> None:
        """Keep the digests only."""
        self._files = None


class _Gathered:
    """The objects of some days, up to ``most``: of the latest days. May be used by several threads."""

    def __init__(self, most: int, days: Collection[str]) -> None:
        self._left = most
        self._files: dict[str, _Files] = {day: {} for day in days}
        self._lock = Lock()

    def add(self, day: str, room: str, head: Head) -> None:
        """Add an object, if it is of one of the days."""
        if day not in self._files:
            return
        with self._lock:
            if self._left <= 0:
                self._left += sum(map(len, self._files.pop(min(self._files)).values()))
            if day in self._files:
                self._files[day].setdefault(room, []).append(head)
                self._left -= 1

    def of(self, day: str) -> _Files | None:
        """All objects of a day; None if it is none of the days, or if there were too many."""
        return self._files.get(day)


class Overview:
    """The days of one store that were listed for all rooms. ``now()`` is the time of day. May be used by
    several threads."""

    def __init__(self, store: Store, bundles: Bundles, now: Callable[[], float], files: int = FILES) -> None:
        """``files``: the most that are kept."""
        self._store = store
        self._bundles = bundles
        self._now = now
        self._most = files
        self._lock = Lock()
        self._kept: OrderedDict[str, Seen] = OrderedDict()
        self._size = self._files = 0
        # For each listing under way: the days of rooms that changed meanwhile.
        self._under_way: list[set[tuple[str, Room]]] = []

    def of_day(self, day: str) -> Seen | None:
        """A day (``2025-12-29``) as it was seen last, if that is kept."""
        with self._lock:
            return self._kept.get(day)

    def forget(self, day: str, room: Room) -> None:
        """A room's day may have changed: its digest and files are not used any more."""
        with self._lock:
            for changed in self._under_way:
                changed.add((day, room))
            if day in self._kept:
                self._kept[day].changed.add(room)

    def list_days(self, days: Iterable[str], with_files: Collection[str] = ()) -> None:
        """List these days now, and keep the files of some of them, as far as there is room. Raises
        StoreError."""
        wanted = sorted(set(days))
        if not wanted:
            return
        changed: set[tuple[str, Room]] = set()
        with self._lock:
            self._under_way.append(changed)
        try:
            self._list_days(wanted, with_files, changed)
        finally:
            with self._lock:
                # Other sets may be equal to this one.
                self._under_way = [each for each in self._under_way if each is not changed]

    def _list_days(
        self, wanted: list[str], with_files: Collection[str], changed: set[tuple[str, Room]]
    ) -> None:
        at, moment = self._now(), self._bundles.moment()
        files = _Gathered(self._most, with_files)
        sums: _Sums = defaultdict(FileSum)
        with ThreadPoolExecutor(AT_ONCE) as threads:
            for found in threads.map(lambda day: self._objects(day, files), reversed(wanted)):
                _add(sums, found)
            # An object that moves into a bundle meanwhile is seen twice, and never missed.
            listed = self._bundles.moment()
            unknown = set()
            for group, inside in threads.map(self._bundled, self._bundles_of(wanted, listed)):
                if inside is None:
                    unknown.add(group)
                else:
                    _add(sums, inside)
        of_days: dict[str, dict[Room, str]] = {day: {} for day in wanted}
        for (day, name), own in sums.items():
            if day in of_days:
                platform, channel, _ = name.split("/")
                of_days[day][platform, channel] = own.digest
        with self._lock:
            for day, digests in of_days.items():
                seen = Seen(at, moment, listed, digests, files.of(day))
                seen.changed = {room for other, room in changed if other == day}
                # A bundle with a damaged table may have files of this day.
                if not any(day.replace("-", "/").startswith(group) for group in unknown):
                    self._keep(day, seen)

    def _objects(self, day: str, files: _Gathered) -> _Sums:
        """The objects of a day that are objects of their own; also added to ``files``."""
        sums: _Sums = defaultdict(FileSum)
        for head in self._store.list(f"{day.replace('-', '/')}/"):
            if room := room_in(head.key):
                sums[day, room].add(head.key[len("2025/12/29/") + len(room) :], head.size)
                files.add(day, room, head)
        return sums

    def _bundles_of(self, days: list[str], since: int) -> Iterator[list[Head]]:
        """The bundles of these days and of their months, those of one folder together."""
        months = {day[:7].replace("-", "/") for day in days}
        self._bundles.list_months(months, since)
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

    def _keep(self, day: str, seen: Seen) -> None:
        self._drop(day)
        self._kept[day] = seen
        self._size += seen.size
        self._files += seen.file_count
        for other in sorted(self._kept):
            # The oldest days are the likeliest to be in an index.
            if self._files > self._most:
                self._files -= self._kept[other].file_count
                self._kept[other].drop_files()
        while self._size > KEPT:
            self._drop(next(iter(self._kept)))

    def _drop(self, day: str) -> None:
        if day in self._kept:
            gone = self._kept.pop(day)
            self._size -= gone.size
            self._files -= gone.file_count


def _add(sums: _Sums, more: _Sums) -> None:
    for place, files in more.items():
        sums[place].join(files)
