"""The objects in the bundles of recorders of one month, by room, and the rows of objects in the manifests of
the month. They are in a temporary database, because there may be a million. Each table and manifest is read
once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import date, timedelta
from types import TracebackType

from chatlog.naming import parse_bundle_key
from chatlog.store.store import Store
from chatlog.upkeep.attested import rows_of
from chatlog.upkeep.recorder_bundles import bundles_of_day
from chatlog.uploader.bundle_table import Slice
from chatlog.uploader.manifest_rows import BundledRow, ObjectRow

#: Platform and channel.
Room = tuple[str, str]

#: Manifests of so many days after a month are read too: most of its last objects are named there.
_LATER = 2
_TABLES = """
    pragma journal_mode = off;
    pragma synchronous = off;
    pragma cache_size = -8000;
    create table named (key text primary key, bytes, sha256, lines, first, last, twice default 0)
        without rowid;
    create table slices (platform, channel, key, bundle, offset, bytes, settled default 0,
        primary key (platform, channel, key, bundle, offset)) without rowid;
    create index bundles on slices (bundle, settled);
    create table moved (key text primary key, bytes, sha256) without rowid;
"""


class MonthIndex:
    """The index of a month (``2025-12``). ``damaged``: bundles whose table is damaged, with the reason.
    Raises StoreError."""

    def __init__(self, store: Store, month: str) -> None:
        self._store = store
        self._month = month
        self.damaged: list[tuple[str, str]] = []
        # Without a name, the database is a file that vanishes with the connection.
        self._base = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._base.executescript(_TABLES)
        self._base.execute("begin")
        try:
            self._read_bundles()
            self._read_manifests()
        except BaseException:
            self._base.close()
            raise

    def __enter__(self) -> MonthIndex:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._base.close()

    # -- reading -------------------------------------------------------------------------------------

    def _days(self, later: int = 0) -> Iterator[str]:
        first = date.fromisoformat(f"{self._month}-01")
        day = first
        while day.month == first.month or later:
            later -= day.month != first.month
            yield day.isoformat()
            day += timedelta(days=1)

    def _read_bundles(self) -> None:
        above = f"bundle/{self._month.replace('-', '/')}/"
        there = set(self._store.folders(above))
        for day in self._days():
            for bundle in bundles_of_day(self._store, day) if day[8:] in there else ():
                if bundle.damage:
                    self.damaged.append((bundle.head.key, bundle.damage))
                if not bundle.by:
                    self._base.executemany(
                        "insert or ignore into slices values (?, ?, ?, ?, ?, ?, 0)",
                        ((*each.room, each.place.key, *each.place[1:]) for each in bundle.inside),
                    )
        if self.rooms() and any(not name.isdecimal() for name in there):
            self._read_moved()

    def _read_moved(self) -> None:
        """Read which objects earlier runs put into bundles of rooms."""
        above, least = "manifest/bundle/", self._month.replace("-", "/")
        for head in self._store.list(above):
            if head.key[len(above) :][: len(least)] < least:
                continue
            for row in rows_of(self._store, head.key):
                if isinstance(row, BundledRow) and _is_of_room(row.bundle):
                    self._base.execute(
                        "insert or ignore into moved values (?, ?, ?)", (row.key, row.bytes, row.sha256)
                    )

    def _read_manifests(self) -> None:
        for day in self._days(_LATER):
            for head in list(self._store.list(f"manifest/{day.replace('-', '/')}/")):
                for row in rows_of(self._store, head.key):
                    if isinstance(row, ObjectRow):
                        self._base.execute(
                            "insert into named values (?, ?, ?, ?, ?, ?, 0) on conflict do update "
                            "set twice = 1 where sha256 != excluded.sha256",
                            row,
                        )

    # -- asking --------------------------------------------------------------------------------------

    def named(self, keys: Collection[str]) -> dict[str, ObjectRow]:
        """The rows of these objects, without objects that no manifest names."""
        found = {}
        for key in keys:
            row = self._base.execute("select * from named where key = ?", (key,)).fetchone()
            if row is not None:
                found[key] = ObjectRow(*row[:6])
        return found

    def rooms(self) -> set[Room]:
        """The rooms with objects in bundles of recorders that are not settled."""
        return set(self._base.execute("select distinct platform, channel from slices where not settled"))

    def places(self, room: Room) -> dict[str, list[Slice]]:
        """The places in bundles of recorders of a room's objects that are not settled."""
        rows = self._base.execute(
            "select key, bundle, offset, bytes from slices "
            "where platform = ? and channel = ? and not settled order by bundle",
            room,
        )
        found: dict[str, list[Slice]] = {}
        for row in rows:
            found.setdefault(row[0], []).append(Slice(*row))
        return found

    def moved(self, key: str) -> tuple[int, str, bool] | None:
        """Size and digest of the object of this key in a bundle of its room, by the manifests, and whether
        these name no other object of this key; None if there is none."""
        found = self._base.execute(
            "select moved.bytes, moved.sha256, named.sha256 = moved.sha256 and not twice from moved "
            "left join named on named.key = moved.key where moved.key = ?",
            (key,),
        ).fetchone()
        return None if found is None else (int(found[0]), str(found[1]), bool(found[2]))

    def settle(self, room: Room, keys: Collection[str]) -> None:
        """Note that these objects are in bundles of their rooms, proven and named in a manifest."""
        self._base.executemany(
            "update slices set settled = 1 where platform = ? and channel = ? and key = ?",
            ((*room, key) for key in keys),
        )

    def emptied(self) -> list[str]:
        """The bundles of recorders of which every object is settled."""
        rows = self._base.execute(
            "select bundle from slices group by bundle having min(settled) = 1 order by bundle"
        )
        return [bundle for (bundle,) in rows]


def _is_of_room(key: str) -> bool:
    with suppress(ValueError):
        return bool(parse_bundle_key(key)[0].platform)
    return False
