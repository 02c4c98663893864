"""The bundles in which recorders stored the files of several rooms together (``uploader.bundle``)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from chatlog.archive.retention import Room
from chatlog.naming import FileName, parse_key
from chatlog.store.dated_folders import days
from chatlog.store.store import MISSING, Head, Store, StoreError
from chatlog.upkeep.bundle_put import bundles_below
from chatlog.upkeep.old_days import is_day
from chatlog.uploader.bundle_table import Slice, Table, read_table

_AT_ONCE = 8


class Inside(NamedTuple):
    """An object in a bundle, and the name in its key."""

    place: Slice
    name: FileName

    @property
    def room(self) -> Room:
        """Its platform and channel."""
        return self.name.platform, self.name.channel

    @property
    def day(self) -> str:
        """The day (``2025-12-29``) on which it was begun."""
        minute = self.name.minute
        return f"{minute[:4]}-{minute[4:6]}-{minute[6:8]}"


class RecorderBundle(NamedTuple):
    """A bundle and its objects. ``damage``: what is wrong with its table. ``by``: the bundle that replaces
    it, ``""`` if none does."""

    head: Head
    inside: list[Inside]
    damage: str = ""
    by: str = ""


def days_with_bundles(store: Store) -> Iterator[str]:
    """The days (``2025-12-29``) with bundles of recorders, oldest first. Raises StoreError."""
    for day in days(store, "bundle/"):
        found = day.replace("/", "-")
        if is_day(found):
            yield found


def bundles_of_day(store: Store, day: str) -> list[RecorderBundle]:
    """The bundles of a day, with one request for each. Raises StoreError."""
    heads = bundles_below(store, f"bundle/{day.replace('-', '/')}/")
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        found = list(threads.map(lambda head: _table(store, head), heads))
    by = {key: table.bundle for table in found if isinstance(table, Table) for key in table.replaces}
    bundles = []
    for head, table in zip(heads, found, strict=True):
        if isinstance(table, str):
            bundles.append(RecorderBundle(head, [], table))
        elif table is not None:
            bundles.append(RecorderBundle(head, list(_inside(table)), "", by.get(head.key, "")))
    return bundles


def _table(store: Store, head: Head) -> Table | str | None:
    """The table; why there is none; or None if the bundle is gone."""
    try:
        table = read_table(store, head)
        for each in table.slices():
            parse_key(each.key)
        return table
    except ValueError as error:
        return str(error)
    except StoreError as error:
        if error.kind == MISSING:
            return None
        raise


def _inside(table: Table) -> Iterator[Inside]:
    for place in table.slices():
        yield Inside(place, parse_key(place.key)[0])
