"""Finds the objects that are older than they are kept, room by room and day by day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from chatlog.archive.retention import DAY, Retention, Room
from chatlog.naming import FileName
from chatlog.store.dated_folders import days
from chatlog.store.store import Head, Store
from chatlog.verify.keys import name_of_object

#: Days that upkeep goes back by itself: a person has to check once what is older.
BY_ITSELF = 8
#: The days before those that are checked for objects.
_PROBED = 7
#: From so many rooms on, a day is listed as a whole.
_MANY = 20


class OldObject(NamedTuple):
    """An object, the name in its key, and its size."""

    key: str
    name: FileName
    size: int


class RoomDay(NamedTuple):
    """The objects of a room on a day (``2025-12-29``) that began before the time until which its records are
    kept. ``whole``: the whole day is older than that."""

    room: Room
    day: str
    objects: list[OldObject]
    whole: bool


class OldDays:
    """The objects that are older than they are kept. Every method may raise StoreError."""

    def __init__(self, store: Store, retention: Retention, now: float) -> None:
        self._store = store
        self._retention = retention
        self._now = now

    def room_days(self, by_itself: bool = False) -> Iterator[RoomDay]:
        """The old days, the oldest first; ``by_itself``: only the latest of them."""
        for day in self._days():
            rooms = [room for room in self._rooms(day) if self._is_old(room, day, by_itself)]
            for room, heads in self._listed(day, rooms):
                objects = [
                    OldObject(head.key, name, head.size)
                    for head in heads
                    if (name := name_of_object(head.key)) is not None
                ]
                if objects:
                    yield RoomDay(room, day, objects, begins(day) + DAY <= self._until(room))

    def much_older(self) -> list[Room]:
        """The rooms that have chat from before the days that upkeep goes back by itself: perhaps
        ``archive.keep`` was mistyped."""
        found: set[Room] = set()
        for kept in self._retention.times():
            for back in range(BY_ITSELF + 1, BY_ITSELF + _PROBED + 1):
                day = day_of(self._now - kept - back * DAY)
                rooms = [
                    room
                    for room in self._rooms(day)
                    if self._retention.of(room) == kept and room not in found
                ]
                # A directory may have an empty folder.
                found.update(room for room, _ in self._listed(day, rooms))
        return sorted(found)

    def _until(self, room: Room) -> float:
        return self._retention.since(room, self._now)

    def _is_old(self, room: Room, day: str, by_itself: bool) -> bool:
        until = self._until(room)
        return begins(day) < until and not (by_itself and begins(day) < until - (BY_ITSELF + 1) * DAY)

    def _days(self) -> Iterator[str]:
        """The days with objects, the oldest first."""
        for day in days(self._store):
            found = day.replace("/", "-")
            if is_day(found) and begins(found) < self._now - DAY:
                yield found

    def _rooms(self, day: str) -> list[Room]:
        above = f"{day.replace('-', '/')}/"
        return [
            (platform, channel)
            for platform in sorted(self._store.folders(above))
            for channel in sorted(self._store.folders(f"{above}{platform}/"))
        ]

    def _listed(self, day: str, rooms: list[Room]) -> Iterator[tuple[Room, list[Head]]]:
        """The objects of these rooms, of those that have any."""
        above = f"{day.replace('-', '/')}/"
        if len(rooms) < _MANY:
            for room in rooms:
                if heads := list(self._store.list(f"{above}{room[0]}/{room[1]}/")):
                    yield room, heads
            return
        found: dict[Room, list[Head]] = {room: [] for room in rooms}
        for head in self._store.list(above):
            parts = head.key.split("/")
            if len(parts) == 6 and (parts[3], parts[4]) in found:
                found[parts[3], parts[4]].append(head)
        yield from ((room, heads) for room, heads in found.items() if heads)


def is_day(text: str) -> bool:
    """Whether this is a day of the calendar: ``2025-12-29``."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == 10


def begins(day: str) -> float:
    """When a UTC day begins, in seconds since the epoch."""
    return datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp()


def day_of(moment: float) -> str:
    """The UTC day of a time in seconds since the epoch."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")
