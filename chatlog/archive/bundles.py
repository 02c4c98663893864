"""Finds the objects of rooms that lie in bundles.

An object goes into a bundle and stays an object of its own until the bundle has been verified. So a reader
that lists the objects first and the bundles after that misses nothing; see ``moment``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from threading import Lock
from typing import TypeVar

from chatlog.naming import parse_bundle_key
from chatlog.store.store import MISSING, Head, Store, StoreError
from chatlog.uploader.bundle_table import Slice, Table, parsed_table, read_packed

T = TypeVar("T")

#: Platform and channel.
Room = tuple[str, str]

#: The most bytes of tables that are kept, and the most requests at the same time.
MOST = 16 << 20
AT_ONCE = 8
_LOCKS = 16


class Bundles:
    """The bundles of one store. May be used by several threads."""

    def __init__(self, store: Store, most: int = MOST) -> None:
        self._store = store
        self._most = most
        self._moments = count(1)
        self._listed: OrderedDict[str, tuple[int, list[Head]]] = OrderedDict()
        self._folders: OrderedDict[str, tuple[int, list[str]]] = OrderedDict()
        # By month: the moment at which its bundles were listed, and the bundles by ``_folder_of``.
        self._months: dict[str, tuple[int, dict[str, list[Head]]]] = {}
        # Tables as they are stored: in memory they are several times as large.
        self._packed: OrderedDict[tuple[str, int, str], bytes] = OrderedDict()
        self._weight = 0
        self._lock = Lock()
        # Several threads that ask for the same list share one answer.
        self._asking = [Lock() for _ in range(_LOCKS)]

    def moment(self) -> int:
        """A number for this moment. Methods with ``since`` reuse only lists that were begun after that
        moment."""
        return next(self._moments)

    # -- what there is -------------------------------------------------------------------------------

    def months(self, since: int) -> list[str]:
        """The months (``2025/12``) with bundles."""
        years = self._names("bundle/", since)
        return [
            f"{year}/{month}"
            for year in years
            if year.isdecimal()
            for month in self._names(f"bundle/{year}/", since)
            if month.isdecimal()
        ]

    def list_months(self, months: set[str], since: int) -> None:
        """List the bundles of all rooms of these months at once, unless they were listed after the moment
        ``since``. Raises StoreError."""
        with self._lock:
            kept = {month: own for month, own in self._months.items() if month in months and own[0] > since}
        missing = sorted(months - kept.keys())
        if missing:
            with ThreadPoolExecutor(min(AT_ONCE, len(missing))) as threads:
                kept.update(zip(missing, threads.map(self._list_month, missing), strict=True))
        with self._lock:
            self._months = kept

    def _list_month(self, month: str) -> tuple[int, dict[str, list[Head]]]:
        begun = self.moment()
        folders: dict[str, list[Head]] = {}
        for head in self._bundles_below(f"bundle/{month}/"):
            folders.setdefault(_folder_of(head.key), []).append(head)
        return begun, folders

    def of_month(self, month: str, since: int) -> list[Head]:
        """All bundles of a month (``2025/12``), without a request after ``list_months``. Raises
        StoreError."""
        with self._lock:
            begun, folders = self._months.get(month, (0, {}))
        if begun > since:
            return [head for heads in folders.values() for head in heads]
        return self._heads(f"bundle/{month}/", since)

    def days(self, month: str, since: int) -> list[str]:
        """The days (``29``) of a month with bundles of instances."""
        return [name for name in self._names(f"bundle/{month}/", since) if name.isdecimal()]

    def rooms(self, month: str, since: int) -> list[Room]:
        """The rooms that have bundles of a month (``2025/12``)."""
        return [
            (platform, channel)
            for platform in self._names(f"bundle/{month}/", since)
            if not platform.isdecimal()
            for channel in self._names(f"bundle/{month}/{platform}/", since)
        ]

    def of_day(self, room: Room, day: str, since: int) -> list[Slice]:
        """The slices of bundles that hold the objects of a room and day (``2025-12-29``). A bundle whose
        table is damaged gives one slice without a key. Raises StoreError."""
        year, month, number = day.split("-")
        above = f"bundle/{year}/{month}/"
        with self._lock:
            is_seen = self._months.get(above[7:14], (0, {}))[0] > since
        names = () if is_seen else self._names(above, since)
        heads: list[Head] = []
        # The bundles of instances first: objects move from these into the bundles of rooms.
        for name, folder in ((number, f"{number}/"), (room[0], f"{room[0]}/{room[1]}/")):
            if is_seen or name in names:
                heads += self._heads(above + folder, since)
        within = f"{year}/{month}/{number}/{room[0]}/{room[1]}/"
        return [each for table in self.current(heads) for each in _slices(table, within)]

    def rooms_of_day(self, day: str, since: int) -> set[Room]:
        """The rooms in the bundles of instances of a day. Raises StoreError."""
        year, month, number = day.split("-")
        found = set()
        for table in self.current(self._heads(f"bundle/{year}/{month}/{number}/", since)):
            for each in _slices(table, "/"):
                if each.key:
                    platform, channel = each.key.split("/")[3:5]
                    found.add((platform, channel))
        return found

    def read(self, each: Slice) -> Iterator[bytes]:
        """The bytes of a slice. Raises StoreError; its kind is MISSING if the bundle is gone."""
        return self._store.read_range(each.bundle, each.offset, each.bytes)

    # -- tables --------------------------------------------------------------------------------------

    def current(self, heads: list[Head]) -> list[Table]:
        """The tables of the bundles, without those that another bundle replaces."""
        if len(heads) > 1:
            with ThreadPoolExecutor(min(AT_ONCE, len(heads))) as threads:
                found = [table for table in threads.map(self.table, heads) if table is not None]
        else:
            found = [table for table in map(self.table, heads) if table is not None]
        replaced = {key for table in found for key in table.replaces}
        return [table for table in found if table.bundle not in replaced]

    def table(self, head: Head) -> Table | None:
        """The table of a bundle; without text if it is damaged, None if the bundle is gone. Raises
        StoreError."""
        which = head.key, head.size, head.etag
        with self._lock:
            packed = self._packed.get(which)
            if packed is not None:
                self._packed.move_to_end(which)
        if packed is not None:
            return parsed_table(head.key, packed)
        try:
            packed = read_packed(self._store, head)
            table = parsed_table(head.key, packed)
            # All rows are parsed once, so that damage is found here.
            for _ in table.slices():
                pass
        except StoreError as error:
            if error.kind != MISSING:
                raise
            return Table(head.key, b"") if self._store.head(head.key) is not None else None
        except ValueError:
            return Table(head.key, b"")
        self._keep(which, packed)
        return table

    def _keep(self, which: tuple[str, int, str], packed: bytes) -> None:
        with self._lock:
            self._weight += len(packed) - len(self._packed.pop(which, b""))
            self._packed[which] = packed
            while self._weight > self._most and len(self._packed) > 1:
                self._weight -= len(self._packed.popitem(last=False)[1])

    # -- listing -------------------------------------------------------------------------------------

    def _heads(self, prefix: str, since: int) -> list[Head]:
        with self._lock:
            begun, folders = self._months.get(prefix[7:14], (0, {}))
        if begun > since:
            return folders.get(prefix, [])
        return self._shared(self._listed, prefix, since, lambda: self._bundles_below(prefix))

    def _bundles_below(self, prefix: str) -> list[Head]:
        found = []
        for head in self._store.list(prefix):
            with suppress(ValueError):
                parse_bundle_key(head.key)
                found.append(head)
        return found

    def _names(self, prefix: str, since: int) -> list[str]:
        return self._shared(self._folders, prefix, since, lambda: sorted(self._store.folders(prefix)))

    def _shared(
        self, kept: OrderedDict[str, tuple[int, list[T]]], prefix: str, since: int, ask: Callable[[], list[T]]
    ) -> list[T]:
        with self._asking[hash(prefix) % _LOCKS]:
            with self._lock:
                known = kept.get(prefix)
            if known is not None and known[0] > since:
                return known[1]
            begun = self.moment()
            found = ask()
            with self._lock:
                kept[prefix] = begun, found
                kept.move_to_end(prefix)
                while len(kept) > 64:
                    kept.popitem(last=False)
            return found


def _folder_of(key: str) -> str:
    """The folder of a bundle, which is listed as a whole: a day with all its hours, or a room."""
    parts = key.split("/")
    return f"{'/'.join(parts[: 4 if parts[3].isdecimal() else 5])}/"


def _slices(table: Table, within: str) -> Iterable[Slice]:
    if not table.text:
        return [Slice("", table.bundle, 0, 0)]
    return [each for each in table.slices(within) if within == "/" or each.key.startswith(within)]
