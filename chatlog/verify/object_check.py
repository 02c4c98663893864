"""Checks the objects of one room and day: reads each once, as a stream, with eight bytes of memory a
record."""

from __future__ import annotations

import hashlib
import os
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from chatlog.chunks import lines_of
from chatlog.counted import many
from chatlog.naming import FileName
from chatlog.platforms import PLATFORMS
from chatlog.spool.recovery import LONGEST_LINE
from chatlog.store.store import ARCHIVED, MISSING, StoreError
from chatlog.uploader.manifest_rows import ObjectRow
from chatlog.uploader.packing import unpacked
from chatlog.verify.findings import DaySums, Problem
from chatlog.verify.patience import Patience, StoreAway
from chatlog.verify.record_check import NotARecord, Record, check, identity, seconds

T = TypeVar("T")

DAY = 86400.0
#: The most problems of one kind that are reported line by line.
_REPORTED = 10
_BUCKETS = 256
#: Two objects without ids and with the same lines count as duplicates if they have at least so many lines:
#: people may say the same at the same time, but not so often in the same order.
_CERTAIN = 10
#: A gap record of more days than this is ignored: one of its times is wrong.
_LONGEST_GAP = 4000


class Named(NamedTuple):
    """An object of the archive: its key, the name in the key, its size, and its manifest row (None if no
    manifest names it)."""

    key: str
    name: FileName
    size: int
    row: ObjectRow | None


@dataclass(slots=True)
class RoomDay:
    """The result for the objects of one room and day. ``gaps`` is by day (``2025-12-29``): a gap may go past
    midnight. ``counts`` are all problems of each kind, ``problems`` those that are reported. ``copies`` are
    records that another instance has too."""

    objects: int = 0
    bytes: int = 0
    lines: int = 0
    copies: int = 0
    problems: list[Problem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    gaps: dict[str, DaySums] = field(default_factory=dict)

    def problem(self, kind: str, key: str, line: int, what: str) -> None:
        """Count a problem. Only the first few problems of each kind with lines are reported."""
        self.counts[kind] += 1
        if line == 0 or self.counts[kind] <= _REPORTED:
            self.problems.append(Problem(kind, key, line, what))

    def add(self, other: RoomDay) -> None:
        """Add the result for one object."""
        self.bytes += other.bytes
        self.lines += other.lines
        self.problems += other.problems
        self.counts.update(other.counts)
        for day, sums in other.gaps.items():
            mine = self.gaps.setdefault(day, DaySums())
            mine.gaps += sums.gaps
            for reason, length in sums.seconds.items():
                mine.seconds[reason] += length


class Identities:
    """The identities of one instance's records, eight bytes each. ``take_back`` removes those that were added
    since ``mark``."""

    def __init__(self) -> None:
        self.buckets = [array("Q") for _ in range(_BUCKETS)]

    def add(self, known: int) -> None:
        """Add the identity of a record."""
        self.buckets[known & 255].append(known)

    def mark(self) -> list[int]:
        """The present state, for ``take_back``."""
        return [len(bucket) for bucket in self.buckets]

    def take_back(self, mark: list[int]) -> None:
        """Return to the state of the mark."""
        for bucket, length in zip(self.buckets, mark, strict=True):
            del bucket[length:]

    def doubled(self) -> set[int]:
        """The identities that were added more than once."""
        found: set[int] = set()
        for bucket in self.buckets:
            if len(set(bucket)) != len(bucket):
                found.update(known for known, count in Counter(bucket).items() if count > 1)
        return found


class Readable(Protocol):
    """A source of the bytes of objects."""

    def read(self, key: str) -> Iterator[bytes]:
        """The bytes of an object. Raises StoreError."""


class RoomDayCheck:
    """Checks the objects of one room and day. ``on_read(bytes)`` is called while reading. An object that
    cannot be read is a problem of that object, unless ``patience`` finds that the store itself fails."""

    def __init__(
        self,
        store: Readable,
        objects: list[Named],
        on_read: Callable[[int], object] = lambda size: None,
        read: bool = True,
        patience: Patience | None = None,
    ) -> None:
        self._store = store
        self._objects = objects
        self._on_read = on_read
        self._read = read
        self._patience = patience or Patience(lambda seconds: None, lambda: None)
        self._known: defaultdict[str, Identities] = defaultdict(Identities)
        # For objects whose records have no ids: the object with these lines, by instance and digest.
        self._texts: dict[tuple[str, bytes], str] = {}
        self.found = RoomDay()

    def run(self) -> RoomDay:
        """Check all objects. Raises StoreAway if the store itself fails."""
        for each in self._objects:
            self.found.objects += 1
            self._check_size(each)
            if self._read:
                self._ask(each, partial(self._stream, each))
        doubled = {instance: known.doubled() for instance, known in self._known.items()}
        self.found.copies = self._copies()
        self._known.clear()
        if any(doubled.values()):
            self._report_doubled(doubled)
        return self.found

    def _ask(self, each: Named, call: Callable[[], T]) -> T | None:
        """The result of a call about one object; None if the object cannot be read."""
        try:
            return self._patience.ask(call)
        except StoreAway:
            raise
        except StoreError as error:
            if error.kind == MISSING:
                self.found.problem("missing-object", each.key, 0, "it was there a moment ago")
            else:
                self.found.problem("unread-object", each.key, 0, why_unread(error))
            return None

    def _check_size(self, each: Named) -> None:
        if each.row is not None and each.row.bytes != each.size:
            what = f"{many(each.size, 'byte')}, and the manifest says {each.row.bytes}"
            self.found.problem("altered-object", each.key, 0, what)

    def _stream(self, each: Named) -> None:
        """Check one object from its first byte to its last. Raises StoreError; the result is then as if the
        object had not been read."""
        found = RoomDay()
        known = self._known[each.name.instance]
        mark = known.mark()
        digest, text = hashlib.sha256(), hashlib.blake2b(digest_size=16)
        chunks = self._chunks(found, each, digest.update)
        broken = ""
        identified = 0
        try:
            for number, line, whole in numbered(unpacked(chunks, _suffix(each.key))):
                found.lines = number
                if not identified:
                    text.update(line)
                    text.update(b"\n")
                identified += self._check_line(found, known, each, number, line, whole)
        except ValueError as error:
            broken = str(error)
        except StoreError:
            known.take_back(mark)
            raise
        try:
            with suppress(StopIteration):
                # Read the rest for the digest; it could not be unpacked.
                while True:
                    next(chunks)
        except StoreError:
            known.take_back(mark)
            raise
        self._compare(found, each, digest.hexdigest(), broken)
        if not identified and not broken and found.lines >= _CERTAIN:
            self._compare_text(found, each, text.digest())
        self.found.add(found)

    def _compare_text(self, found: RoomDay, each: Named, text: bytes) -> None:
        """Report an object without ids that has the same lines as another one of its instance."""
        other = self._texts.setdefault((each.name.instance, text), each.key)
        if other != each.key:
            what = f"its {many(found.lines, 'record')} are those of {os.path.basename(other)}, one by one"
            found.problem("duplicate", each.key, 0, what)

    @staticmethod
    def _compare(found: RoomDay, each: Named, digest: str, broken: str) -> None:
        row = each.row
        if broken:
            found.problem("unreadable-object", each.key, 0, broken)
        if row is None or row.bytes != each.size:
            return
        if row.sha256 != digest:
            found.problem("altered-object", each.key, 0, "its bytes are not those that were stored")
        elif row.lines != found.lines and not broken:
            what = f"{many(found.lines, 'line')}, and the manifest says {row.lines}"
            found.problem("altered-object", each.key, 0, what)

    def _chunks(self, found: RoomDay, each: Named, update: Callable[[bytes], object]) -> Iterator[bytes]:
        for chunk in self._store.read(each.key):
            update(chunk)
            found.bytes += len(chunk)
            self._on_read(len(chunk))
            yield chunk

    # -- lines -------------------------------------------------------------------------------------

    def _check_line(
        self, found: RoomDay, known: Identities, each: Named, number: int, line: bytes, whole: bool
    ) -> bool:
        """Check one line. Returns whether its record has an identity."""
        if not whole:
            long = len(line) >= LONGEST_LINE
            what = "longer than any record" if long else "the last line has no end"
            found.problem("invalid-line", each.key, number, what)
            return False
        try:
            record = check(line, each.name.platform, each.name.channel)
        except NotARecord as error:
            found.problem("invalid-line", each.key, number, str(error))
            return False
        if record.get("type") == "gap":
            self._gap(found, record)
        own = identity(record, PLATFORMS)
        if own is not None:
            known.add(own)
        return own is not None

    @staticmethod
    def _gap(found: RoomDay, record: Record) -> None:
        details = record["details"]
        start, end = seconds(details["from"]), seconds(details["to"])
        first = True
        for day, length in by_day(start, end):
            sums = found.gaps.setdefault(day, DaySums())
            sums.gaps += first
            sums.seconds[details["reason"]] += length
            first = False

    # -- duplicates --------------------------------------------------------------------------------

    def _copies(self) -> int:
        """How many records other instances have too, counted once for each further instance."""
        if len(self._known) < 2:
            return 0
        copies = 0
        for buckets in zip(*(known.buckets for known in self._known.values()), strict=True):
            each = [set(bucket) for bucket in buckets]
            copies += sum(map(len, each)) - len(set().union(*each))
        return copies

    def _report_doubled(self, doubled: dict[str, set[int]]) -> None:
        """Read the objects again to report where the duplicates are."""
        first: dict[tuple[str, int], str] = {}
        for each in self._objects:
            meant = doubled.get(each.name.instance)
            if not meant:
                continue
            places = self._ask(each, partial(self._places, each, meant))
            for number, known, label in places or ():
                here = f"{os.path.basename(each.key)}:{number}"
                if (each.name.instance, known) in first:
                    what = f"{label} is in {first[each.name.instance, known]} already"
                    self.found.problem("duplicate", each.key, number, what)
                elif len(first) < 100_000:
                    first[each.name.instance, known] = here

    def _places(self, each: Named, meant: set[int]) -> list[tuple[int, int, str]]:
        """(line, identity, id) of the records of an object whose identities are in ``meant``."""
        places: list[tuple[int, int, str]] = []
        with suppress(ValueError):
            for number, line, whole in numbered(unpacked(self._store.read(each.key), _suffix(each.key))):
                if not whole:
                    continue
                with suppress(NotARecord):
                    record = check(line, each.name.platform, each.name.channel)
                    known = identity(record, PLATFORMS)
                    if known is not None and known in meant:
                        places.append((number, known, str(record["id"])[:80]))
        return places


def why_unread(error: StoreError) -> str:
    """Why an object could not be read, and what to do about it."""
    if error.kind == ARCHIVED:
        return f"it is whole as far as is known, and cannot be read at once: {error.advice}"
    return f"the store does not give it: {error.advice}"


def numbered(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes, bool]]:
    """Each line's number (from 1), the line without its newline, and whether it is complete."""
    for number, (line, whole) in enumerate(lines_of(chunks, LONGEST_LINE), 1):
        yield number, line, whole


def by_day(start: float, end: float) -> Iterator[tuple[str, float]]:
    """The days (``2025-12-29``) of a time span, with the seconds on each."""
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
