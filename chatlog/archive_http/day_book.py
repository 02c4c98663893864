"""What the manifests say of each room and day: how much was recorded and is missing, how many records."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date, timedelta
from threading import Lock
from typing import NamedTuple

from chatlog.archive import lines
from chatlog.archive.parts import Room, whole_lines
from chatlog.naming import parse_manifest_name
from chatlog.store.store import Store, StoreError
from chatlog.uploader.manifest_rows import HeadRow, ObjectRow, RoomRow, parsed
from chatlog.uploader.packing import unpacked

#: Days that are kept, and seconds for which they are believed: those that are long over, and others.
KEPT = 64
OLD, NEW = 3600.0, 60.0
_SETTLED = 3 * 86400.0
AT_ONCE = 8
_SUFFIXES = (".gz", ".zst")


class DayOfRoom(NamedTuple):
    """``records`` are stored of the day; of its time ``recorded`` seconds were recorded and ``missing`` were
    not. ``reasons`` are the words for why it was missing at the end of a manifest's period."""

    records: int = 0
    recorded: float = 0.0
    missing: float = 0.0
    reasons: tuple[str, ...] = ()

    @property
    def coverage(self) -> float | None:
        """The share that was recorded; None where no manifest tells."""
        whole = self.recorded + self.missing
        return self.recorded / whole if whole > 0 else None


class DayBook:
    """Reads the manifests of a store. ``now()`` is the time of day. May be used by several threads."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now
        self._lock = Lock()
        self._days: OrderedDict[str, tuple[float, dict[Room, DayOfRoom]]] = OrderedDict()

    def of_day(self, day: str) -> dict[Room, DayOfRoom]:
        """Every room of a day (``2025-12-29``). A period counts for the day in which it begins; of several
        recorders the one counts that recorded most. Raises StoreError."""
        with self._lock:
            known = self._days.get(day)
        now = self._now()
        lasts = OLD if now - lines.seconds(f"{day}T00:00:00Z") > _SETTLED else NEW
        if known is not None and 0 <= now - known[0] < lasts:
            return known[1]
        found = self._read(day)
        with self._lock:
            self._days[day] = now, found
            self._days.move_to_end(day)
            while len(self._days) > KEPT:
                self._days.popitem(last=False)
        return found

    def _read(self, day: str) -> dict[Room, DayOfRoom]:
        # What was recorded last of a day is named by the manifests of the next one.
        after = (date.fromisoformat(day) + timedelta(days=1)).isoformat()
        keys = [key for each in (day, after) for key in self._keys(each)]
        with ThreadPoolExecutor(AT_ONCE) as threads:
            sheets = list(threads.map(lambda key: _Sheet(day, self._rows(key)), keys))
        by_recorder: dict[str, _Sums] = {}
        for sheet in sheets:
            by_recorder.setdefault(sheet.instance, _Sums()).add(sheet)
        found: dict[Room, DayOfRoom] = {}
        for sums in by_recorder.values():
            for room, facts in sums.facts():
                found[room] = max(
                    found.get(room, facts), facts, key=lambda each: (each.recorded, each.records)
                )
        return found

    def _keys(self, day: str) -> list[str]:
        keys = []
        for head in self._store.list(f"manifest/{day.replace('-', '/')}/"):
            name = head.key.rpartition("/")[2]
            suffix = next((end for end in _SUFFIXES if name.endswith(end)), "")
            with suppress(ValueError):
                parse_manifest_name(name.removesuffix(suffix))
                keys.append(head.key)
        return keys

    def _rows(self, key: str) -> Iterator[HeadRow | ObjectRow | RoomRow]:
        suffix = next((end for end in _SUFFIXES if key.endswith(end)), "")
        try:
            for block in whole_lines(unpacked(self._store.read(key), suffix), False):
                for line in block.split(b"\n"):
                    with suppress(ValueError):
                        if line and (row := parsed(line)) is not None:
                            yield row
        except (StoreError, OSError, ValueError):
            # A manifest that cannot be read tells nothing; `chatlog verify` names it.
            return


class _Sheet:
    """What one manifest says of a day."""

    def __init__(self, day: str, rows: Iterator[HeadRow | ObjectRow | RoomRow]) -> None:
        self.instance = ""
        self.rooms: list[RoomRow] = []
        self.objects: dict[str, tuple[Room, int]] = {}
        below, of_day = f"{day.replace('-', '/')}/", False
        for row in rows:
            if isinstance(row, HeadRow):
                self.instance = row.instance
                of_day = lines.time_bytes(row.since).decode().startswith(day)
            elif isinstance(row, RoomRow):
                if of_day:
                    self.rooms.append(row)
            elif row.key.startswith(below) and row.key.count("/") == 5:
                _, _, _, platform, channel, _ = row.key.split("/")
                self.objects[row.key] = (platform, channel), row.lines


class _Sums:
    """What the manifests of one recorder say of a day."""

    def __init__(self) -> None:
        self._rooms: dict[Room, DayOfRoom] = {}
        self._objects: dict[str, tuple[Room, int]] = {}

    def add(self, sheet: _Sheet) -> None:
        self._objects |= sheet.objects
        for row in sheet.rooms:
            room = row.platform, row.channel
            known = self._rooms.get(room, DayOfRoom())
            reasons = known.reasons + (
                (row.reason,) if row.reason and row.reason not in known.reasons else ()
            )
            self._rooms[room] = DayOfRoom(
                0, known.recorded + row.recorded, known.missing + row.missing, reasons
            )

    def facts(self) -> Iterator[tuple[Room, DayOfRoom]]:
        records: dict[Room, int] = {}
        for room, count in self._objects.values():
            records[room] = records.get(room, 0) + count
        for room in self._rooms.keys() | records.keys():
            yield room, self._rooms.get(room, DayOfRoom())._replace(records=records.get(room, 0))
