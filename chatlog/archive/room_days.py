"""Finds the days on which a room has files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from chatlog.archive.catalog import AT_ONCE, Catalog
from chatlog.archive.listings import Room, day_of
from chatlog.naming import FileName, is_import

#: How many days are listed at the same time, step after step, until one has a file.
_STEPS = (1, 4, AT_ONCE)


def days_of(catalog: Catalog, room: Room, spooled: Iterable[FileName] = ()) -> list[str]:
    """The days on which files of a room began, in the store or among those that are ``spooled``, oldest
    first. Raises StoreError."""
    days = catalog.days()

    def look(day: str) -> bool:
        is_empty = catalog.is_empty(room, day)
        return bool(catalog.of_day(room, day)) if is_empty is None else not is_empty

    with ThreadPoolExecutor(AT_ONCE) as threads:
        has = threads.map(look, days)
        stored = {day for day, is_there in zip(days, has, strict=True) if is_there}
    return sorted(stored.union(day_of(name.minute) for name in spooled))


def first_day(
    catalog: Catalog,
    room: Room,
    spooled: Iterable[FileName],
    moment: int | None = None,
    since: str = "",
) -> str | None:
    """The first day, from a day on, on which a recorder, and not only an import, began a file of a room; None
    if none did. Listings that were begun after the ``moment`` are reused. Raises StoreError."""
    days = [day for day in catalog.days() if day >= since]
    found = [_first_of(catalog, room, days, moment), *(day for day in _recorded(spooled) if day >= since)]
    return min((day for day in found if day is not None), default=None)


def last_day(
    catalog: Catalog,
    room: Room,
    spooled: Iterable[FileName],
    moment: int | None = None,
    until: str = "9",
) -> str | None:
    """The last such day, up to and with ``until``."""
    days = [day for day in catalog.days()[::-1] if day <= until]
    found = [_first_of(catalog, room, days, moment), *(day for day in _recorded(spooled) if day <= until)]
    return max((day for day in found if day is not None), default=None)


def _recorded(spooled: Iterable[FileName]) -> Iterator[str]:
    return (day_of(name.minute) for name in spooled if not is_import(name.instance))


def _first_of(catalog: Catalog, room: Room, days: list[str], moment: int | None) -> str | None:
    days = [day for day in days if catalog.is_empty(room, day, moment) is not True]

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
