"""The objects of one room and day: read once, as a stream, with eight bytes of memory for each record."""

from __future__ import annotations

import hashlib
import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

from chatlog.naming import FileName
from chatlog.spool.recovery import LONGEST_LINE
from chatlog.store.store import MISSING, Store, StoreError
from chatlog.uploader.manifest_rows import ObjectRow, lines_of
from chatlog.uploader.packing import unpacked
from chatlog.verify.findings import DaySums, Problem
from chatlog.verify.record_check import NotARecord, Record, check, identity, seconds

T = TypeVar("T")

DAY = 86400.0
#: Problems with lines of one object that are told one by one.
_TOLD = 10
_BUCKETS = 256
#: A hole of more days than this is none: a time in it is wrong.
_LONGEST_GAP = 4000


class Named(NamedTuple):
    """An object of the archive: its key, the name in it, its size there, and its row of a manifest, None
    if no manifest names it."""

    key: str
    name: FileName
    size: int
    row: ObjectRow | None


@dataclass(slots=True)
class RoomDay:
    """What was found in the objects of one room and day. ``gaps`` is by day, ``2025-12-29``: a hole may
    go over midnight. ``counts`` are the problems of each kind, told or not."""

    objects: int = 0
    bytes: int = 0
    lines: int = 0
    problems: list[Problem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    gaps: dict[str, DaySums] = field(default_factory=dict)

    def problem(self, kind: str, key: str, line: int, what: str) -> None:
        """Take note of a problem; only the first few of each kind are told one by one."""
        self.counts[kind] += 1
        if line == 0 or self.counts[kind] <= _TOLD:
            self.problems.append(Problem(kind, key, line, what))


class RoomDayCheck:
    """Reads the objects of one room and day. ``patient(call)`` makes a call to the store as often as it
    takes; it raises StoreError. ``on_read(bytes)`` is called while reading."""

    def __init__(
        self,
        store: Store,
        objects: list[Named],
        on_read: Callable[[int], object] = lambda size: None,
        read: bool = True,
    ) -> None:
        self._store = store
        self._objects = objects
        self._on_read = on_read
        self._read = read
        self._ids = [array("Q") for _ in range(_BUCKETS)]
        self.found = RoomDay()

    def run(self) -> RoomDay:
        """Look at all of them. Raises StoreError if the store does not let us."""
        for each in self._objects:
            self.found.objects += 1
            self._check_size(each)
            if self._read:
                self._stream(each)
        doubled = self._doubled()
        if doubled:
            self._tell_doubled(doubled)
        return self.found

    def _check_size(self, each: Named) -> None:
        if each.row is not None and each.row.bytes != each.size:
            what = f"{each.size} bytes, and the manifest says {each.row.bytes}"
            self.found.problem("altered-object", each.key, 0, what)

    def _stream(self, each: Named) -> None:
        """Look at one object, from its first byte to its last."""
        digest = hashlib.sha256()
        chunks = self._chunks(each, digest.update)
        lines = 0
        broken = ""
        try:
            for number, line, whole in numbered(unpacked(chunks, _suffix(each.key))):
                lines = number
                self._check_line(each, number, line, whole)
        except ValueError as error:
            broken = str(error)
        except StoreError as error:
            if error.kind != MISSING:
                raise
            self.found.problem("missing-object", each.key, 0, "it was there a moment ago")
            return
        with suppress(StopIteration):
            # What could not be unpacked counts for the digest all the same.
            while True:
                next(chunks)
        self.found.lines += lines
        self._compare(each, digest.hexdigest(), lines, broken)

    def _compare(self, each: Named, digest: str, lines: int, broken: str) -> None:
        row = each.row
        if broken:
            self.found.problem("unreadable-object", each.key, 0, broken)
        if row is None or row.bytes != each.size:
            return
        if row.sha256 != digest:
            self.found.problem("altered-object", each.key, 0, "its bytes are not those that were stored")
        elif row.lines != lines and not broken:
            what = f"{lines} lines, and the manifest says {row.lines}"
            self.found.problem("altered-object", each.key, 0, what)

    def _chunks(self, each: Named, update: Callable[[bytes], object]) -> Iterator[bytes]:
        for chunk in self._store.read(each.key):
            update(chunk)
            self.found.bytes += len(chunk)
            self._on_read(len(chunk))
            yield chunk

    # -- lines -------------------------------------------------------------------------------------

    def _check_line(self, each: Named, number: int, line: bytes, whole: bool) -> None:
        if not whole:
            long = len(line) >= LONGEST_LINE
            what = "longer than any record" if long else "the last line has no end"
            self.found.problem("invalid-line", each.key, number, what)
            return
        try:
            record = check(line, each.name.platform, each.name.channel)
        except NotARecord as error:
            self.found.problem("invalid-line", each.key, number, str(error))
            return
        known = identity(record, line)
        if known is not None:
            self._ids[known & 255].append(known)
        if record.get("type") == "gap":
            self._gap(record)

    def _gap(self, record: Record) -> None:
        details = record["details"]
        start, end = seconds(details["from"]), seconds(details["to"])
        first = True
        for day, length in by_day(start, end):
            sums = self.found.gaps.setdefault(day, DaySums())
            sums.gaps += first
            sums.seconds[details["reason"]] += length
            first = False

    # -- doubles -----------------------------------------------------------------------------------

    def _doubled(self) -> set[int]:
        """Which identities are there more than once."""
        doubled: set[int] = set()
        for bucket in self._ids:
            if len(set(bucket)) != len(bucket):
                doubled.update(known for known, count in Counter(bucket).items() if count > 1)
        self._ids.clear()
        return doubled

    def _tell_doubled(self, doubled: set[int]) -> None:
        """Read again, to say where they are."""
        first: dict[int, str] = {}
        for each in self._objects:
            with suppress(ValueError):
                chunks = self._store.read(each.key)
                for number, line, whole in numbered(unpacked(chunks, _suffix(each.key))):
                    if not whole:
                        continue
                    with suppress(NotARecord):
                        record = check(line, each.name.platform, each.name.channel)
                        known = identity(record, line)
                        if known not in doubled:
                            continue
                        here = f"{os.path.basename(each.key)}:{number}"
                        if known in first:
                            what = f"{record.get('id') or record['timestamp']} is in {first[known]} already"
                            self.found.problem("duplicate", each.key, number, what)
                        elif len(first) < 100_000:
                            first[known] = here


def numbered(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes, bool]]:
    """Number of each line, from 1, the line without its end, and whether it is whole."""
    for number, (line, whole) in enumerate(lines_of(chunks, LONGEST_LINE), 1):
        yield number, line, whole


def by_day(start: float, end: float) -> Iterator[tuple[str, float]]:
    """The days, ``2025-12-29``, that a time goes over, with the seconds on each."""
    if end - start > _LONGEST_GAP * DAY:
        return
    while True:
        midnight = (start // DAY + 1) * DAY
        yield day_of(start), max(min(end, midnight) - start, 0.0)
        if end <= midnight:
            return
        start = midnight


def day_of(moment: float) -> str:
    """The UTC day of a time in seconds since the epoch."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")


def _suffix(key: str) -> str:
    return next((end for end in (".gz", ".zst") if key.endswith(end)), "")
