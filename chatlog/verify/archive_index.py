"""What the manifests of an archive say, in a database in a temporary file: an archive may have millions of
objects, and memory is small."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from typing import NamedTuple

from chatlog.uploader.manifest_rows import HeadRow, ObjectRow, RoomRow
from chatlog.verify.findings import DaySums
from chatlog.verify.object_check import by_day

_TABLES = """
    pragma journal_mode = memory;
    pragma synchronous = off;
    pragma cache_size = -8000;
    create table objects (key text primary key, bytes, sha256, lines, first, last, seen default 0)
        without rowid;
    create table listed (key text primary key) without rowid;
    create table periods (instance, since, until, manifest, new_spool);
    create table rooms (platform, channel, day, recorded default 0.0, missing default 0.0, gaps default 0,
        gap_seconds default 0.0, primary key (platform, channel, day)) without rowid;
    create table reasons (platform, channel, day, reason, seconds default 0.0,
        primary key (platform, channel, day, reason)) without rowid;
"""


class RoomDayRow(NamedTuple):
    """One room on one day: seconds recorded and missing by the manifests, how many gap records there are,
    and their seconds."""

    platform: str
    channel: str
    day: str
    recorded: float
    missing: float
    gaps: int
    gap_seconds: float

    @property
    def coverage(self) -> float | None:
        """The share of the time that was recorded, 0 to 1; None where no manifest tells."""
        whole = self.recorded + self.missing
        return self.recorded / whole if whole > 0 else None


class Hole(NamedTuple):
    """A time of an instance that no manifest is about: ``before`` is the one that ends it. ``new_spool``:
    that one is the first of a spool, so none need be missing. ``since`` is -inf before the first of all."""

    instance: str
    since: float
    until: float
    before: str
    new_spool: bool


class ArchiveIndex:
    """The index of one archive. To be closed, and used by one thread."""

    def __init__(self, path: str = "") -> None:
        """In a file that goes with it and that nobody else sees, unless there is a ``path``."""
        self._base = sqlite3.connect(path, isolation_level=None)
        self._base.executescript(_TABLES)
        self._base.execute("begin")

    def close(self) -> None:
        """Let go of it, and of everything in it."""
        self._base.close()

    @contextmanager
    def whole(self) -> Iterator[None]:
        """What is added inside is added as a whole, or not at all if there is an error."""
        self._base.execute("savepoint whole")
        try:
            yield
        except BaseException:
            self._base.execute("rollback to whole")
            raise
        finally:
            self._base.execute("release whole")

    # -- what manifests say ------------------------------------------------------------------------

    def add_period(self, head: HeadRow, manifest: str) -> None:
        """There is a manifest of this period."""
        self._base.execute(
            "insert into periods values (?, ?, ?, ?, ?)",
            (*_texts(head.instance), head.since, head.until, *_texts(manifest), head.new_spool),
        )

    def add_object(self, row: ObjectRow) -> bool:
        """A manifest names this object; False if another one names it with other bytes."""
        known = self.object(row.key)
        if known is None:
            self._base.execute("insert into objects values (?, ?, ?, ?, ?, ?, 0)", row)
        return known is None or (known.bytes, known.sha256) == (row.bytes, row.sha256)

    def add_room(self, head: HeadRow, row: RoomRow, first_day: str, last_day: str) -> None:
        """A manifest tells of a room; a period that goes over midnight is shared between its days."""
        days = list(by_day(head.since, head.until))
        whole = sum(length for _, length in days)
        for day, length in days:
            share = length / whole if whole else 1.0 / len(days)
            if first_day <= day <= last_day:
                self._base.execute(
                    "insert into rooms (platform, channel, day, recorded, missing) values (?, ?, ?, ?, ?) "
                    "on conflict do update set recorded = recorded + excluded.recorded, "
                    "missing = missing + excluded.missing",
                    (*_texts(row.platform, row.channel), day, row.recorded * share, row.missing * share),
                )

    def add_gaps(self, platform: str, channel: str, day: str, sums: DaySums) -> None:
        """The gap records of a room say this of a day."""
        room = (*_texts(platform, channel), day)
        self._base.execute(
            "insert into rooms (platform, channel, day, gaps, gap_seconds) values (?, ?, ?, ?, ?) "
            "on conflict do update set gaps = gaps + excluded.gaps, "
            "gap_seconds = gap_seconds + excluded.gap_seconds",
            (*room, sums.gaps, sum(sums.seconds.values())),
        )
        for reason, seconds in sums.seconds.items():
            self._base.execute(
                "insert into reasons values (?, ?, ?, ?, ?) "
                "on conflict do update set seconds = seconds + excluded.seconds",
                (*room, *_texts(reason[:200]), seconds),
            )

    # -- asking ------------------------------------------------------------------------------------

    def object(self, key: str) -> ObjectRow | None:
        """The row that names an object."""
        found = self._base.execute(
            "select key, bytes, sha256, lines, first, last from objects where key = ?", (key,)
        ).fetchone()
        return None if found is None else ObjectRow(*found)

    def see(self, key: str) -> ObjectRow | None:
        """The object is there; the row that names it."""
        row = self.object(key)
        if row is not None:
            self._base.execute("update objects set seen = 1 where key = ?", (key,))
        return row

    def is_new(self, key: str) -> bool:
        """Whether this key is asked about for the first time."""
        return self._base.execute("insert or ignore into listed values (?)", tuple(_texts(key))).rowcount == 1

    def unseen(self) -> Iterator[str]:
        """The keys of named objects that nobody has seen."""
        for (key,) in self._base.execute("select key from objects where not seen order by key"):
            yield key

    def count(self) -> int:
        """How many objects are named."""
        return int(self._base.execute("select count(*) from objects").fetchone()[0])

    def named_until(self, instance: str) -> float | None:
        """Until when an instance has manifests; None if it has none."""
        return self._base.execute(  # type: ignore[no-any-return]
            "select max(until) from periods where instance = ?", (instance,)
        ).fetchone()[0]

    def holes(self) -> Iterator[Hole]:
        """The times between two manifests of an instance that no manifest is about, and the time before the
        first one if that is the first of a spool: nobody knows whether there was an earlier one."""
        instance, until = "", 0.0
        for name, since, end, manifest, new_spool in self._base.execute(
            "select * from periods order by instance, since, until"
        ):
            if name != instance:
                instance, until = name, since
                if new_spool:
                    yield Hole(instance, -inf, since, manifest, True)
            if since - until > 1.0:
                yield Hole(instance, until, since, manifest, bool(new_spool))
            until = max(until, end)

    def rooms(self, worst: int | None = None) -> Iterator[RoomDayRow]:
        """Every room and day; of more than ``worst`` those that miss the most, the worst first."""
        order, most = "platform, channel, day", -1
        if worst is not None and self.count_rooms() > worst:
            order, most = "max(missing, gap_seconds) desc, platform, channel, day", worst
        for row in self._base.execute(f"select * from rooms order by {order} limit ?", (most,)):
            yield RoomDayRow(*row)

    def count_rooms(self) -> int:
        """How many rooms and days there are."""
        return int(self._base.execute("select count(*) from rooms").fetchone()[0])

    def reasons(self) -> Iterator[tuple[str, float]]:
        """Seconds of all gap records by reason, the most first."""
        yield from self._base.execute(
            "select reason, sum(seconds) as lost from reasons group by reason order by lost desc"
        )

    def reasons_of(self, room: RoomDayRow) -> dict[str, float]:
        """Seconds of a room's gap records of a day by reason."""
        return dict(
            self._base.execute(
                "select reason, seconds from reasons where platform = ? and channel = ? and day = ?", room[:3]
            )
        )


def _texts(*texts: str) -> Iterator[str]:
    """Texts that SQLite takes: no half characters."""
    return (text.encode("utf-8", "replace").decode() for text in texts)
