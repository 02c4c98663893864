"""On which days a room has files."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from chatlog.archive.catalog import AT_ONCE, Catalog
from chatlog.archive.listings import Room
from chatlog.naming import is_import

#: So many days are looked at, one step after the other, for the first one.
_STEPS = (1, 4, AT_ONCE)


def days_of(catalog: Catalog, room: Room) -> list[str]:
    """The days on which a room has objects, oldest first. Raises StoreError."""
    days = catalog.days()

    def look(day: str) -> bool:
        is_empty = catalog.is_empty(room, day)
        return bool(catalog.of_day(room, day)) if is_empty is None else not is_empty

    with ThreadPoolExecutor(AT_ONCE) as threads:
        has = threads.map(look, days)
        return [day for day, is_there in zip(days, has, strict=True) if is_there]


def first_day(catalog: Catalog, room: Room, moment: int | None = None) -> str | None:
    """The first day on which a recorder, and not only an import, stored something of a room; None if none
    did. What was listed after the ``moment`` counts. Raises StoreError."""
    days = [day for day in catalog.days() if catalog.is_empty(room, day, moment) is not True]

    def look(day: str) -> bool:
        return any(not is_import(named.name.instance) for named in catalog.of_day(room, day, moment))

    with ThreadPoolExecutor(AT_ONCE) as threads:
        for step in _stepwise(days):
            for day, is_there in zip(step, threads.map(look, step), strict=True):
                if is_there:
                    return day
    return None


def _stepwise(days: list[str]) -> Iterator[list[str]]:
    at = step = 0
    while at < len(days):
        size = _STEPS[min(step, len(_STEPS) - 1)]
        yield days[at : at + size]
        at, step = at + size, step + 1
