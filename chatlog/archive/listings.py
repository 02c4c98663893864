"""Listings of objects: their names, their digest, and the days and files of a time."""

from __future__ import annotations

import hashlib
from calendar import monthrange
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import NamedTuple, TypeVar

from chatlog.naming import FileName, parse_bundle_key, parse_key, utc_minute
from chatlog.store.store import Head
from chatlog.uploader.bundle_table import Slice

T = TypeVar("T")

DAY = 86400.0
#: Records may be in a file that began so many seconds later: if a gap was filled, or if clocks differ.
LATE = 3600.0

#: Platform and channel.
Room = tuple[str, str]


class Fresh(NamedTuple):
    """The listings that may be reused: those not older than ``lasts`` seconds, and those begun after a
    moment."""

    lasts: float
    moment: int | None = None


class Begun(NamedTuple):
    """When a listing was begun: the time of day, the moment, and how often something had changed."""

    at: float
    moment: int
    changes: int


class Named(NamedTuple):
    """A stored file: its name, the suffix of its compression, and what the listing says of its bytes.
    ``place``: where they are in a bundle, None if it is an object of its own. ``copy``: 0 if it has the name
    alone; files with one name and different bytes are counted from 1."""

    name: FileName
    suffix: str
    version: str
    place: Slice | None = None
    copy: int = 0

    @property
    def size(self) -> int:
        """Its size in bytes, by the listing."""
        return int(self.version.partition(" ")[0]) if self.place is None else self.place.bytes


class Listed:
    """The listed objects of a room and a day: those of their own, and those in bundles. Names are parsed only
    when they are needed, for most listings are only compared with an index."""

    def __init__(
        self, room: Room, day: str, heads: Sequence[Head] = (), places: Sequence[Slice] = ()
    ) -> None:
        self._room = room
        self._day = day
        self._heads = heads
        self._places = places

    @cached_property
    def digest(self) -> str:
        """See ``digest_of_files``: an index with the same digest knows all files of the room's day."""
        begin = len(folder_of(self._room, self._day))
        files = [(head.key[begin:], head.size) for head in self._heads]
        files += [(place.key[begin:], place.bytes) for place in self._places]
        return digest_of_files(files)

    @cached_property
    def named(self) -> list[Named]:
        """The files. Those in bundles come last; some may have one name."""
        found = named_in(self._heads)
        for place in self._places:
            with suppress(ValueError):
                name, suffix = self._name_in(place)
                found.append(Named(name, suffix, f"{place.bundle} {place.offset}", place))
        return found

    def _name_in(self, place: Slice) -> tuple[FileName, str]:
        """The name of a slice. A bundle whose table is damaged stands for itself. Raises ValueError."""
        if place.key:
            return parse_key(place.key)
        bundle, suffix = parse_bundle_key(place.bundle)
        minute = bundle.minute if bundle.platform == "" else f"{self._day.replace('-', '')}_0000"
        return FileName(*self._room, minute, bundle.instance), suffix


class FileSum:
    """Makes a digest of the names (with suffixes) and sizes of files, in any order. A file that is added
    twice makes another digest."""

    __slots__ = ("_count", "_sum")

    def __init__(self) -> None:
        self._count = self._sum = 0

    def add(self, name: str, size: int) -> None:
        """Add a file."""
        digest = hashlib.blake2b(f"{name} {size}".encode(), digest_size=16).digest()
        self._count += 1
        self._sum += int.from_bytes(digest, "big")

    def join(self, other: FileSum) -> None:
        """Add the files of another one."""
        self._count += other._count
        self._sum += other._sum

    @property
    def digest(self) -> str:
        """The digest."""
        return f"{self._count} {self._sum % (1 << 128):032x}"


def digest_of_files(files: Iterable[tuple[str, int]]) -> str:
    """A digest of the names (with suffixes) and sizes of the files of a room's day, in any order."""
    found = FileSum()
    for name, size in files:
        found.add(name, size)
    return found.digest


def digested(name: str, chunks: Iterator[bytes], whole: Callable[[str, str], None]) -> Iterator[bytes]:
    """The chunks; ``whole`` is called with the name and their SHA-256 after the last one."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
        yield chunk
    whole(name, digest.hexdigest())


def keep(kept: OrderedDict[str, T], key: str, value: T, most: int) -> None:
    """Keep a value, and forget what was used longest ago beyond ``most``."""
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)


def folder_of(room: Room, day: str) -> str:
    """The prefix of the objects of a room and day."""
    return f"{day.replace('-', '/')}/{room[0]}/{room[1]}/"


def named_in(heads: Iterable[Head]) -> list[Named]:
    """The objects of a listing; other keys are left out."""
    found = []
    for head in heads:
        with suppress(ValueError):
            name, suffix = parse_key(head.key)
            found.append(Named(name, suffix, f"{head.size} {head.etag} {head.stored}"))
    return found


def room_in(key: str) -> str:
    """``twitch/a/`` of the key of an object; ``""`` if it is none."""
    parts = key.split("/")
    return f"{parts[3]}/{parts[4]}/" if len(parts) == 6 else ""


def all_days(month: str) -> list[str]:
    """The days (``29``) of a month (``2025/12``)."""
    year, _, number = month.partition("/")
    if not 1 <= int(number) <= 12 or int(year) < 1:
        return []
    return [f"{day:02}" for day in range(1, monthrange(int(year), int(number))[1] + 1)]


def days_between(since: float, until: float) -> Iterator[str]:
    """The days from one time to another, both included."""
    day = datetime.fromtimestamp(max(since, 0.0), UTC).date()
    last = datetime.fromtimestamp(max(min(until, 253402300799.0), 0.0), UTC).date()
    while day <= last:
        yield day.isoformat()
        day += timedelta(days=1)


def within(names: Collection[FileName], since: float, until: float) -> Iterator[FileName]:
    """The objects that may hold records from ``since`` to before ``until``: those that began in that time
    or shortly after, and the last earlier one of each instance."""
    first, last = utc_minute(max(since, 0.0)), last_minute(until)
    before: dict[str, FileName] = {}
    for name in sorted(names, key=lambda name: (name.minute, name.n)):
        if name.minute > last:
            continue
        if name.minute >= first:
            yield name
        else:
            # The last earlier file may still have been open in the range.
            before[name.instance] = name
    yield from before.values()


def last_minute(until: float) -> str:
    """The last minute in which a file may be begun with records from before a time."""
    return utc_minute(max(min(until, 253402300000.0 - LATE) + LATE, 0.0))


def day_of(minute: str) -> str:
    """The day of a minute in a name."""
    return f"{minute[:4]}-{minute[4:6]}-{minute[6:8]}"
