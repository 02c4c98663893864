"""Reads from the manifests, for each room and day, how much was recorded, how much is missing, and how many
records there are."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date, timedelta
from threading import Lock
from typing import NamedTuple

from chatlog.archive import lines, manifest_coverage
from chatlog.archive.blocks import whole_lines
from chatlog.archive.gaps import Gap, Span
from chatlog.archive.manifest_coverage import SLACK
from chatlog.archive.room_files import Room
from chatlog.archive.waiting_manifests import WaitingManifests
from chatlog.naming import is_import, parse_manifest_name
from chatlog.store.store import Store, StoreError
from chatlog.uploader.manifest_rows import LOST, HeadRow, ObjectRow, RoomRow, Row, parsed
from chatlog.uploader.packing import unpacked

#: The most days that are cached, and the seconds for which they are: days that ended long ago, and others.
KEPT = 64
OLD, NEW = 3600.0, 60.0
_DAY = 86400.0
_SETTLED = 3 * _DAY
AT_ONCE = 16
_LOCKS = 16
_SUFFIXES = (".gz", ".zst")


class DayOfRoom(NamedTuple):
    """``records``: how many records of the day are stored. ``recorded`` and ``missing``: the seconds of the
    day that were recorded, and those that were not. ``reasons``: why the room was missing at the end of a
    manifest's period. ``since``: the first moment of the day of which a manifest states whether the room was
    recorded; None if there is none. ``unstated``: the seconds of the day, up to now, of which no manifest
    states it. ``spans`` and ``absent``: when the room was recorded, and when not, beyond the end of the day
    too. ``opened``: periods in which it was recorded at first, and not at the end."""

    records: int = 0
    recorded: float = 0.0
    missing: float = 0.0
    reasons: tuple[str, ...] = ()
    since: float | None = None
    unstated: float = 0.0
    spans: tuple[Span, ...] = ()
    absent: tuple[Gap, ...] = ()
    opened: tuple[manifest_coverage.Open, ...] = ()

    @property
    def stated(self) -> list[Span]:
        """The times of which manifests state whether the room was recorded."""
        absent = [(gap.since, gap.until) for gap in self.absent]
        return manifest_coverage.united(
            [*self.spans, *absent, *((each.since, each.until) for each in self.opened)]
        )

    @property
    def coverage(self) -> float | None:
        """The recorded share of the day, up to the moment that manifests can have reached by now; None if no
        manifest names the room."""
        seconds = self.recorded + self.missing
        return self.recorded / (seconds + self.unstated) if seconds > 0 else None


class DayBook:
    """Reads the manifests of a store, and those of a recorder on this machine that are ``waiting`` for it.
    ``now()`` is the time of day. May be used by several threads."""

    def __init__(
        self, store: Store, now: Callable[[], float], waiting: WaitingManifests | None = None
    ) -> None:
        self._store = store
        self._waiting = waiting
        self._now = now
        self._lock = Lock()
        self._reading = [Lock() for _ in range(_LOCKS)]
        self._days: OrderedDict[str, tuple[float, dict[Room, DayOfRoom]]] = OrderedDict()

    def of_day(self, day: str) -> dict[Room, DayOfRoom]:
        """Every room of a day (``2025-12-29``). A period counts for the day in which it begins. Of several
        recorders, the one counts that recorded most. Raises StoreError."""
        return self.of_days([day])[day]

    def of_days(self, days: list[str]) -> dict[str, dict[Room, DayOfRoom]]:
        """The same for several days; consecutive days are cheaper together than one by one. Raises
        StoreError."""
        found, read = {}, _Read()
        for day in days:
            known = self._known(day)
            if known is None:
                # Several threads that ask for the same day share one answer.
                with self._reading[hash(day) % _LOCKS]:
                    known = self._known(day)
                    if known is None:
                        known = self._keep(day, self._read(day, read))
            found[day] = known
        return found

    def _keep(self, day: str, known: dict[Room, DayOfRoom]) -> dict[Room, DayOfRoom]:
        with self._lock:
            self._days[day] = self._now(), known
            self._days.move_to_end(day)
            while len(self._days) > KEPT:
                self._days.popitem(last=False)
        return known

    def _known(self, day: str) -> dict[Room, DayOfRoom] | None:
        with self._lock:
            known = self._days.get(day)
        now = self._now()
        lasts = OLD if now - lines.seconds(f"{day}T00:00:00Z") > _SETTLED else NEW
        return known[1] if known is not None and 0 <= now - known[0] < lasts else None

    def _read(self, day: str, read: _Read) -> dict[Room, DayOfRoom]:
        # The last records of a day are in manifests of the next day.
        after = (date.fromisoformat(day) + timedelta(days=1)).isoformat()
        # At most two folders at a time; each has a day of all rooms.
        for other in [other for other in read if other not in (day, after)]:
            del read[other]
        midnight = lines.seconds(f"{day}T00:00:00Z")
        by_recorder: dict[str, _Sums] = {}
        for folder in (day, after):
            for sheets in self._sheets(folder, read):
                sheet = sheets[folder != day]
                by_recorder.setdefault(sheet.instance, _Sums(midnight)).add(sheet)
        found: dict[Room, DayOfRoom] = {}
        recorders = [sums for instance, sums in by_recorder.items() if not is_import(instance)]
        for room, facts in (each for sums in recorders for each in sums.facts()):
            known = found.get(room)
            found[room] = facts if known is None else _of_two(known, facts)
        for room, facts in found.items():
            found[room] = _with_stated(facts, midnight, min(midnight + _DAY, self._now() - LOST))
        for sums in (sums for instance, sums in by_recorder.items() if is_import(instance)):
            # No recorder had the records of an import: they are added.
            for room, facts in sums.facts():
                known = found.get(room, DayOfRoom())
                found[room] = known._replace(records=known.records + facts.records)
        return found

    def _sheets(self, folder: str, read: _Read) -> list[tuple[_Sheet, _Sheet]]:
        """For each manifest in a day's folder, the figures of that day and of the day before."""
        if folder not in read:
            before = (date.fromisoformat(folder) - timedelta(days=1)).isoformat()
            # The waiting manifests first: one that is stored meanwhile is seen twice, and never missed.
            waiting = [] if self._waiting is None else list(self._waiting.of_day(folder))
            keys = self._keys(folder)
            stored = {_bare(key) for key in keys}
            chunks = [self._waiting.chunks(name) for name in waiting if self._waiting and name not in stored]
            with ThreadPoolExecutor(AT_ONCE) as threads:
                look = lambda key: _both(self._rows(key), folder, before)  # noqa: E731
                read[folder] = list(threads.map(look, keys))
            for each in chunks:
                # A manifest that has just been stored is read the next time.
                with suppress(OSError):
                    read[folder].append(_both(_rows(each), folder, before))
        return read[folder]

    def _keys(self, day: str) -> list[str]:
        keys = []
        for head in self._store.list(f"manifest/{day.replace('-', '/')}/"):
            with suppress(ValueError):
                parse_manifest_name(_bare(head.key))
                keys.append(head.key)
        return keys

    def _rows(self, key: str) -> Iterator[Row]:
        try:
            yield from _rows(unpacked(self._store.read(key), _suffix(key)))
        except (StoreError, OSError, ValueError):
            # A manifest that cannot be read is left out; `chatlog verify` names it.
            return


def _suffix(key: str) -> str:
    return next((end for end in _SUFFIXES if key.endswith(end)), "")


def _bare(key: str) -> str:
    """The name of a manifest in a key."""
    return key.rpartition("/")[2].removesuffix(_suffix(key))


def _rows(chunks: Iterator[bytes]) -> Iterator[Row]:
    for block in whole_lines(chunks, False):
        for line in block.split(b"\n"):
            with suppress(ValueError):
                if line and (row := parsed(line)) is not None:
                    yield row


def _both(rows: Iterator[Row], day: str, before: str) -> tuple[_Sheet, _Sheet]:
    """The figures of a manifest for two days."""
    sheets = _Sheet(day), _Sheet(before)
    for row in rows:
        for sheet in sheets:
            sheet.take(row)
    return sheets


class _Sheet:
    """The figures of one manifest for a day, row by row; the first row is the manifest's head."""

    def __init__(self, day: str) -> None:
        self.instance = ""
        self.rooms: list[tuple[HeadRow, RoomRow]] = []
        self.objects: dict[str, tuple[Room, int]] = {}
        self._day = day
        self._below = f"{day.replace('-', '/')}/"
        self._midnight = lines.seconds(f"{day}T00:00:00Z")
        self._head: HeadRow | None = None

    def take(self, row: Row) -> None:
        """Add the next row."""
        if isinstance(row, HeadRow):
            self.instance = row.instance
            self._head = row if lines.time_bytes(row.since).decode().startswith(self._day) else None
        elif isinstance(row, RoomRow):
            if self._head is not None:
                self.rooms.append((self._head, row))
        elif isinstance(row, ObjectRow) and row.key.startswith(self._below) and row.key.count("/") == 5:
            _, _, _, platform, channel, _ = row.key.split("/")
            self.objects[row.key] = (platform, channel), row.lines


#: The folders of manifests that were read, while days are computed one after another.
_Read = dict[str, list[tuple[_Sheet, _Sheet]]]


class _Sum:
    """The sums of a room while its rows are read."""

    __slots__ = ("absent", "missing", "opened", "reasons", "recorded", "spans")

    def __init__(self) -> None:
        self.recorded = self.missing = 0.0
        self.reasons: dict[str, None] = {}
        self.spans: list[Span] = []
        self.absent: list[Gap] = []
        self.opened: list[manifest_coverage.Open] = []

    def add(self, head: HeadRow, row: RoomRow, late: float) -> None:
        """Add a row; ``late``: the seconds of its period after the end of the day."""
        self.recorded += row.recorded
        if row.reason:
            self.reasons[row.reason] = None
        if not row.missing and row.spans is None and row.recorded >= head.until - head.since > 0.0:
            # Most rows.
            self.spans.append((head.since, head.until))
            return
        self.missing += max(0.0, row.missing - late)
        self.spans += manifest_coverage.recorded_in(head, row)
        self.absent += manifest_coverage.missing_in(head, row)
        if (opened := manifest_coverage.open_in(head, row)) is not None:
            self.opened.append(opened)

    def facts(self) -> DayOfRoom:
        """The sums."""
        return DayOfRoom(
            recorded=self.recorded,
            missing=self.missing,
            reasons=tuple(self.reasons),
            spans=tuple(manifest_coverage.united(self.spans)),
            absent=tuple(self.absent),
            opened=tuple(self.opened),
        )


class _Sums:
    """The figures of one recorder's manifests for a day."""

    def __init__(self, midnight: float) -> None:
        self._end = midnight + _DAY
        self._rooms: dict[Room, _Sum] = {}
        self._objects: dict[str, tuple[Room, int]] = {}

    def add(self, sheet: _Sheet) -> None:
        self._objects |= sheet.objects
        for head, row in sheet.rooms:
            room = row.platform, row.channel
            found = self._rooms.get(room)
            if found is None:
                found = self._rooms[room] = _Sum()
            # A recorder that comes back after days writes one row for all of them.
            late = head.until - self._end
            found.add(head, row, late if late > SLACK else 0.0)

    def facts(self) -> Iterator[tuple[Room, DayOfRoom]]:
        records: dict[Room, int] = {}
        for room, count in self._objects.values():
            records[room] = records.get(room, 0) + count
        for room in self._rooms.keys() | records.keys():
            found = self._rooms.get(room)
            facts = DayOfRoom() if found is None else found.facts()
            yield room, facts._replace(records=records.get(room, 0))


def _of_two(one: DayOfRoom, other: DayOfRoom) -> DayOfRoom:
    """The figures of two recorders: those of the one that recorded most."""
    most = max(one, other, key=lambda each: (each.recorded, each.records))
    return most._replace(
        spans=(*one.spans, *other.spans),
        absent=(*one.absent, *other.absent),
        opened=(*one.opened, *other.opened),
    )


def _with_stated(facts: DayOfRoom, midnight: float, until: float) -> DayOfRoom:
    """The figures of a room, with ``since`` and, for its day until a time, ``unstated``."""
    all = facts.stated
    if not all:
        return facts
    since, last = max(midnight, all[0][0]), min(midnight + _DAY, all[-1][1])
    unstated = max(until, last) - midnight - manifest_coverage.length(all, midnight, midnight + _DAY)
    return facts._replace(
        since=since,
        # Some seconds are those between two manifests.
        unstated=unstated if unstated > SLACK else 0.0,
        spans=tuple(manifest_coverage.united(facts.spans)),
        absent=tuple(manifest_coverage.in_a_row(facts.absent)),
    )
