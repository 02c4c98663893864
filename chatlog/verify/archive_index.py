"""An index of an archive's manifests, in a temporary database: an archive may have millions of objects, and
memory is small."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf

from chatlog.uploader.manifest_rows import (
    BundledRow,
    DoneRow,
    ExpiredRow,
    HeadRow,
    ObjectRow,
    ReplacedRow,
    RequestRow,
    RoomRow,
)
from chatlog.verify.bundle_index import BundleIndex, texts
from chatlog.verify.findings import DaySums
from chatlog.verify.index_rows import Gone, Link, ManifestGap, RoomDayRow
from chatlog.verify.namesakes import Namesakes
from chatlog.verify.object_check import by_day

_TABLES = """
    pragma journal_mode = memory;
    pragma synchronous = off;
    pragma cache_size = -8000;
    create table objects (key text primary key, bytes, sha256, lines, first, last, seen default 0,
        gone default '') without rowid;
    create table listed (key text primary key) without rowid;
    create table periods (instance, since, until, manifest, new_spool, format, digest, previous, signer,
        genuine);
    create index digests on periods (instance, digest);
    create index links on periods (instance, previous);
    create table requests (request text primary key, done default 0) without rowid;
    create table gone (key text, what, manifest, sha256, lines, bytes, request, by);
    create index gone_keys on gone (key);
    create table rooms (platform, channel, day, recorded default 0.0, missing default 0.0, gaps default 0,
        gap_seconds default 0.0, primary key (platform, channel, day)) without rowid;
    create table reasons (platform, channel, day, reason, seconds default 0.0,
        primary key (platform, channel, day, reason)) without rowid;
"""


class ArchiveIndex:
    """The index of one archive. One thread uses it, and closes it at the end."""

    def __init__(self, path: str = "") -> None:
        """Without ``path``, the database is an anonymous file, which vanishes with the index."""
        self._base = sqlite3.connect(path, isolation_level=None)
        self._base.executescript(_TABLES)
        #: The rows of the manifests about bundles.
        self.in_bundles = BundleIndex(self._base)
        #: Further objects of keys that are known.
        self.namesakes = Namesakes(self._base)
        self._base.execute("begin")

    def close(self) -> None:
        """Remove the database."""
        self._base.close()

    @contextmanager
    def whole(self) -> Iterator[None]:
        """A transaction: after an exception, nothing that was added inside remains."""
        self._base.execute("savepoint whole")
        try:
            yield
        except BaseException:
            self._base.execute("rollback to whole")
            raise
        finally:
            self._base.execute("release whole")

    # -- adding ------------------------------------------------------------------------------------

    def add_period(
        self, head: HeadRow, manifest: str, digest: str = "", signer: str = "", genuine: bool = False
    ) -> None:
        """Add the period of a manifest: see ``Link``."""
        period = (*texts(head.instance), head.since, head.until, *texts(manifest), head.new_spool)
        link = (head.format, digest, head.previous, *texts(signer[:100]), genuine)
        self._base.execute("insert into periods values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*period, *link))

    def add_request(self, row: RequestRow) -> None:
        """Add a request to be erased."""
        self._base.execute("insert or ignore into requests values (?, 0)", tuple(texts(row.request)))

    def add_done(self, row: DoneRow) -> None:
        """Note that a request is done."""
        self._base.execute(
            "insert into requests values (?, 1) on conflict do update set done = 1",
            tuple(texts(row.request)),
        )

    def open_requests(self) -> list[str]:
        """The requests that are not done."""
        found = self._base.execute("select request from requests where not done order by request")
        return [request for (request,) in found]

    def add_gone(self, row: ReplacedRow | ExpiredRow | BundledRow, manifest: str, at: float = 0.0) -> None:
        """Add a row about an object that is gone, and the place of its records now. ``at`` is the end of the
        manifest's period."""
        found: tuple[str, int | None, int | None, str]
        if isinstance(row, ReplacedRow):
            found = "replaced", row.lines, None, row.request
        elif isinstance(row, ExpiredRow):
            found = "expired", row.lines, None, ""
        else:
            found = "bundled", None, row.bytes, ""
            self.in_bundles.add(row, at)
        what, lines, size, request = found
        by = row.by if isinstance(row, ReplacedRow) else ""
        self._base.execute(
            "insert into gone values (?, ?, ?, ?, ?, ?, ?, ?)",
            (*texts(row.key), what, *texts(manifest), row.sha256, lines, size, *texts(request, by)),
        )

    def add_object(self, row: ObjectRow, manifest: str = "") -> None:
        """Add an object that a manifest names."""
        known = self.object(row.key)
        if known is None:
            self._base.execute("insert into objects values (?, ?, ?, ?, ?, ?, 0, '')", row)
        elif (known.bytes, known.sha256) != (row.bytes, row.sha256):
            self.namesakes.add(row, manifest)

    def add_room(self, head: HeadRow, row: RoomRow, first_day: str, last_day: str) -> None:
        """Add a manifest's row of a room. A period across midnight is divided between its days."""
        days = list(by_day(head.since, head.until))
        whole = sum(length for _, length in days)
        for day, length in days:
            share = length / whole if whole else 1.0 / len(days)
            if first_day <= day <= last_day:
                self._base.execute(
                    "insert into rooms (platform, channel, day, recorded, missing) values (?, ?, ?, ?, ?) "
                    "on conflict do update set recorded = recorded + excluded.recorded, "
                    "missing = missing + excluded.missing",
                    (*texts(row.platform, row.channel), day, row.recorded * share, row.missing * share),
                )

    def add_gaps(self, platform: str, channel: str, day: str, sums: DaySums) -> None:
        """Add the sums of a room's gap records on one day."""
        room = (*texts(platform, channel), day)
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
                (*room, *texts(reason[:200]), seconds),
            )

    # -- queries -----------------------------------------------------------------------------------

    def object(self, key: str, sha256: str = "") -> ObjectRow | None:
        """The row of an object; None if no manifest names it. If several objects have the key, ``sha256``
        chooses one."""
        if sha256 and (other := self.namesakes.object(key, sha256)):
            return other
        found = self._base.execute(
            "select key, bytes, sha256, lines, first, last from objects where key = ?", (key,)
        ).fetchone()
        return None if found is None else ObjectRow(*found)

    def see(self, key: str) -> ObjectRow | None:
        """Note that the object exists, and return its row."""
        row = self.object(key)
        if row is not None:
            self._base.execute("update objects set seen = 1 where key = ?", (key,))
        return row

    def why_gone(self, key: str) -> str:
        """``replaced``, ``expired`` or ``bundled`` if the object is known to be gone, else ``""``."""
        found = self._base.execute("select gone from objects where key = ?", (key,)).fetchone()
        return "" if found is None else str(found[0])

    def settle_gone(self) -> Iterator[Gone]:
        """Mark the objects that are gone, and return all rows about such objects. Call this once all
        manifests were added."""
        self.in_bundles.settle()
        self.namesakes.settle()
        self._base.execute(
            "update objects set gone = coalesce((select what from gone where gone.key = objects.key "
            "and gone.sha256 = objects.sha256 order by what = 'bundled' limit 1), '') "
            "where key in (select key from gone)"
        )
        for row in self._base.execute(
            "select gone.*, coalesce(others.sha256, objects.sha256), coalesce(others.lines, objects.lines), "
            "coalesce(others.bytes, objects.bytes), "
            "exists (select 1 from requests where requests.request = gone.request), "
            "(select count(distinct other.by) from gone as other "
            "where other.key = gone.key and other.what = 'replaced' and other.sha256 = gone.sha256) "
            "from gone left join objects on objects.key = gone.key "
            "left join others on others.key = gone.key and others.sha256 = gone.sha256 "
            "order by gone.manifest, gone.key"
        ):
            yield Gone(*row)

    def count_gone(self) -> dict[str, int]:
        """How many objects are gone, by the reason."""
        counted = "select gone, count(*) from objects where gone != '' group by gone"
        return dict(self._base.execute(counted))

    def links(self, newest_first: bool = False) -> Iterator[Link]:
        """All manifests, by instance and time."""
        order = "since desc, until desc" if newest_first else "since, until"
        for row in self._base.execute(f"select * from periods order by instance, {order}"):
            yield Link(*row)

    def has_digest(self, instance: str, digest: str) -> bool:
        """Whether the rows of one of the instance's manifests have this digest."""
        found = "select 1 from periods where instance = ? and digest = ?"
        return self._base.execute(found, (instance, digest)).fetchone() is not None

    def is_followed(self, link: Link) -> bool:
        """Whether another manifest says that it follows this one."""
        found = "select 1 from periods where instance = ? and previous = ? and format > 1"
        return self._base.execute(found, (link.instance, link.digest)).fetchone() is not None

    def forks(self) -> Iterator[tuple[str, str, int]]:
        """Instance and key of each manifest that several different ones follow, and how many do."""
        yield from self._base.execute(
            "select one.instance, one.manifest, count(distinct other.digest) as several "
            "from periods as one join periods as other on other.instance = one.instance "
            "and other.previous = one.digest where one.digest != '' and other.digest != '' "
            "group by one.instance, one.digest having several > 1"
        )

    def is_new(self, key: str) -> bool:
        """Whether this is the first call with this key."""
        return self._base.execute("insert or ignore into listed values (?)", tuple(texts(key))).rowcount == 1

    def unseen(self) -> Iterator[str]:
        """The keys of objects that a manifest names and that ``see`` was not called for."""
        for (key,) in self._base.execute("select key from objects where not seen and gone = '' order by key"):
            yield key

    def count(self) -> int:
        """How many objects the manifests name."""
        return int(self._base.execute("select count(*) from objects").fetchone()[0])

    def named_until(self, instance: str) -> float | None:
        """The end of an instance's latest manifest; None if it has none."""
        return self._base.execute(  # type: ignore[no-any-return]
            "select max(until) from periods where instance = ?", (instance,)
        ).fetchone()[0]

    def manifest_gaps(self) -> Iterator[ManifestGap]:
        """The times between two manifests of an instance that no manifest covers, and the time before its
        first one if that is the first of a spool: there may have been an earlier spool."""
        instance, until = "", 0.0
        for name, since, end, manifest, new_spool in self._base.execute(
            "select instance, since, until, manifest, new_spool from periods order by instance, since, until"
        ):
            if name != instance:
                instance, until = name, since
                if new_spool:
                    yield ManifestGap(instance, -inf, since, manifest, True)
            if since - until > 1.0:
                yield ManifestGap(instance, until, since, manifest, bool(new_spool))
            until = max(until, end)

    def rooms(self, worst: int | None = None) -> Iterator[RoomDayRow]:
        """Every room and day. If there are more than ``worst``, only those that miss most, the worst
        first."""
        order, most = "platform, channel, day", -1
        if worst is not None and self.count_rooms() > worst:
            order, most = "max(missing, gap_seconds) desc, platform, channel, day", worst
        for row in self._base.execute(f"select * from rooms order by {order} limit ?", (most,)):
            yield RoomDayRow(*row)

    def count_rooms(self) -> int:
        """The number of pairs of room and day."""
        return int(self._base.execute("select count(*) from rooms").fetchone()[0])

    def reasons(self) -> Iterator[tuple[str, float]]:
        """The seconds of all gap records by reason, the longest first."""
        yield from self._base.execute(
            "select reason, sum(seconds) as lost from reasons group by reason order by lost desc"
        )

    def reasons_of(self, room: RoomDayRow) -> dict[str, float]:
        """The seconds of a room's gap records on one day, by reason."""
        return dict(
            self._base.execute(
                "select reason, seconds from reasons where platform = ? and channel = ? and day = ?", room[:3]
            )
        )
