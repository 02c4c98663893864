"""The objects that rooms' days are made of, with the digests of their contents.

A digest comes from the manifests, so that an archive that was copied or bundled has the same ones. The bytes
of an object that no manifest names are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from typing import NamedTuple

from chatlog.archive.listings import day_of
from chatlog.archive.opening import Archive
from chatlog.archive.room_files import Part, Room
from chatlog.chunks import sha256_of
from chatlog.store.store import MISSING, StoreError
from chatlog.upkeep.attested import Attested

DAY = 86400.0
MOVED = "its objects changed while they were read; the next run makes it"


class Unfinished(Exception):
    """The day cannot be compacted now. The text says why."""


class Source(NamedTuple):
    """An object: its name with the suffix of its compression, and the SHA-256 of its bytes."""

    name: str
    sha256: str


class Sources:
    """Finds the objects of rooms' days. The methods raise StoreError."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._attested = Attested(archive.store)
        self._moment = archive.catalog.moment()
        self._known: dict[str, str] = {}

    def walk(self, day: date) -> Iterator[tuple[Room, list[Part] | Unfinished]]:
        """The rooms with objects of the day and their parts, or why it cannot be compacted now. The lock of
        the archive has to be held."""
        begun = f"{day:%Y%m%d}_"
        for room in self._archive.catalog.walk(day.isoformat(), self._moment):
            try:
                parts = self.parts(day, room)
            except Unfinished as error:
                yield room, error
                continue
            if any(part.name.minute.startswith(begun) for part in parts):
                yield room, parts

    def rooms(self, day: date) -> set[Room]:
        """The rooms with objects of a day. A room whose folder is empty does not count."""
        since, begun = midnight(day), f"{day:%Y%m%d}_"
        return {
            room
            for room in self._archive.catalog.rooms(day.isoformat())
            if any(
                part.name.minute.startswith(begun)
                for part in self._archive.parts.of_room(room, since, since + DAY)
            )
        }

    def parts(self, day: date, room: Room) -> list[Part]:
        """The parts that may hold records of the day. Raises Unfinished if some are not stored yet."""
        since = midnight(day)
        found = self._archive.parts.of_room(room, since, since + DAY)
        if any(part.area for part in found):
            raise Unfinished("a recorder has files of it that are not stored yet")
        return found

    def look_up(self, parts: Iterable[Part]) -> None:
        """Look for the digests of these parts in the manifests, and forget those of others. It is cheaper for
        many parts at once."""
        wanted: dict[str, set[str]] = {}
        for part in parts:
            wanted.setdefault(day_of(part.name.minute), set()).add(part.name.key(suffix=part.suffix))
        self._known = {
            key: row.sha256
            for day, keys in sorted(wanted.items())
            for key, row in self._attested.rows(keys, day).items()
        }

    def of(self, parts: Iterable[Part]) -> list[Source]:
        """The parts as sources. Raises Unfinished if one has moved on."""
        return [Source(f"{part.name}{part.suffix}", self._digest(part)) for part in parts]

    def _digest(self, part: Part) -> str:
        key = part.name.key(suffix=part.suffix)
        if part.copy:
            # The manifests name one of several, and do not say which.
            key = f"{key} {part.version}"
        if key not in self._known:
            try:
                self._known[key] = sha256_of(self._archive.catalog.chunks(part.named))
            except StoreError as error:
                if error.kind == MISSING:
                    raise Unfinished(MOVED) from None
                raise
        return self._known[key]


def midnight(day: date) -> float:
    """The beginning of a day, in seconds since the epoch."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
