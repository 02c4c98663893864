"""Lists the objects in which a person may be: objects of their own, and those in bundles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from chatlog.chunks import sha256_of
from chatlog.naming import BundleName, FileName, parse_bundle_key, parse_key
from chatlog.store.store import MISSING, Head, Store, StoreError
from chatlog.uploader.bundle_table import Slice, Table, read_table

#: Records may be in a file that began so much earlier, or later.
_EARLIER, _LATER = timedelta(days=1), timedelta(days=1)


class Stored(NamedTuple):
    """An object of a recorder: its key, its name, the suffix of its compression, and the version of its bytes
    by the listing. ``own``: it is an object of its own. ``places``: its places in bundles. If a bundling was
    interrupted, there are both, or several places. If their bytes differ, each is an object for itself."""

    key: str
    name: FileName
    suffix: str
    version: str = ""
    own: bool = True
    places: tuple[Slice, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """The objects to be searched: those of a platform, of all rooms or these channels, of all days or the
    days from ``first`` to ``last``."""

    platform: str
    channels: frozenset[str] = frozenset()
    first: date | None = None
    last: date | None = None

    def has(self, name: FileName) -> bool:
        """Whether a file of this name may have records of the scope."""
        if name.platform != self.platform or (self.channels and name.channel not in self.channels):
            return False
        try:
            day = datetime.strptime(name.minute[:8], "%Y%m%d").replace(tzinfo=UTC).date()
        except ValueError:
            # There is no such day: only a scope of all days has the file.
            return self.first is None and self.last is None
        return (self.first is None or day >= self.first - _EARLIER) and (
            self.last is None or day <= self.last + _LATER
        )

    def may_be_in(self, bundle: BundleName) -> bool:
        """Whether a bundle of this name may have such files."""
        if bundle.platform and bundle.platform != self.platform:
            return False
        if bundle.channel and self.channels and bundle.channel not in self.channels:
            return False
        # A month, or a day.
        digits = bundle.minute[:8]
        earliest = "" if self.first is None else f"{self.first - _EARLIER:%Y%m%d}"[: len(digits)]
        latest = "~" if self.last is None else f"{self.last + _LATER:%Y%m%d}"[: len(digits)]
        return earliest <= digits <= latest

    def prefixes(self, today: date) -> Iterator[str]:
        """The prefixes to list: everything, or one day after the other."""
        if self.first is None:
            yield ""
            return
        day, last = self.first - _EARLIER, min(self.last or today, today) + _LATER
        while day <= last:
            yield f"{day:%Y/%m/%d}/{self.platform}/"
            day += timedelta(days=1)


@dataclass(slots=True)
class Listing:
    """The listed ``objects``, in the order of files, and all ``bundles`` with their versions, also replaced
    ones. ``unread``: bundles whose table is damaged, with the reason."""

    objects: list[Stored] = field(default_factory=list)
    bundles: dict[str, str] = field(default_factory=dict)
    unread: list[tuple[str, str]] = field(default_factory=list)


def stored_of(head: Head) -> Stored | None:
    """The object of a listing; None if it is not one of a recorder."""
    with suppress(ValueError):
        return Stored(head.key, *parse_key(head.key), version_of(head))
    return None


def version_of(head: Head) -> str:
    """A text that changes with the bytes of the object."""
    return f"{head.size} {head.etag} {head.stored}"


def listing(store: Store, scope: Scope, today: date) -> Listing:
    """The objects of the scope. Raises StoreError."""
    found: dict[str, Stored] = {}
    for prefix in scope.prefixes(today):
        for head in store.list(prefix):
            each = stored_of(head)
            if each is not None and scope.has(each.name):
                found[head.key] = each
    result = Listing()
    # An object that moves into a bundle meanwhile is seen twice, and never missed.
    for table in _tables(store, scope, result):
        for place in table.slices(f"/{scope.platform}/"):
            with suppress(ValueError):
                name, suffix = parse_key(place.key)
                if scope.has(name):
                    before = found.get(place.key) or Stored(place.key, name, suffix, own=False)
                    found[place.key] = before._replace(places=(*before.places, place))
    objects = [one for each in found.values() for one in _apart(store, each)]
    result.objects = sorted(objects, key=lambda each: (each.key.rpartition("/")[0], *_order(each)))
    return result


def _apart(store: Store, each: Stored) -> Iterable[Stored]:
    """The objects of one key: one for each different content."""
    if each.own + len(each.places) == 1:
        return [each]
    found: dict[str, Stored] = {}
    if each.own:
        found[_digest(store.read(each.key))] = each._replace(places=())
    for place in each.places:
        digest = _digest(store.read_range(place.bundle, place.offset, place.bytes))
        before = found.get(digest) or each._replace(own=False, version="", places=())
        found[digest] = before._replace(places=(*before.places, place))
    # A copy that is gone by now has no digest.
    return [found[digest] for digest in sorted(found) if digest]


def _digest(chunks: Iterable[bytes]) -> str:
    try:
        return sha256_of(chunks)
    except StoreError as error:
        if error.kind != MISSING:
            raise
        return ""


def files_of(objects: Iterable[Stored]) -> Iterator[list[Stored]]:
    """The objects of one listing, by room, minute and instance."""
    for _, same in groupby(objects, lambda each: (each.key.rpartition("/")[0], *_order(each)[:2])):
        yield list(same)


def _tables(store: Store, scope: Scope, result: Listing) -> Iterator[Table]:
    """The tables of the bundles of the scope, folder by folder, without replaced ones."""
    for _, same in groupby(_bundles(store, scope), lambda head: head.key.rpartition("/")[0]):
        tables = []
        for head in same:
            result.bundles[head.key] = version_of(head)
            try:
                table = read_table(store, head)
                # All rows are parsed once, so that damage is found here.
                for _ in table.slices():
                    pass
                tables.append(table)
            except ValueError as error:
                result.unread.append((head.key, str(error)))
            except StoreError as error:
                if error.kind != MISSING or store.head(head.key) is not None:
                    raise
        replaced = {key for table in tables for key in table.replaces}
        yield from (table for table in tables if table.bundle not in replaced)


def _bundles(store: Store, scope: Scope) -> list[Head]:
    prefixes = {f"bundle/{prefix[:8]}" for prefix in scope.prefixes(date.max)} if scope.last else {"bundle/"}
    found = []
    for prefix in sorted(prefixes):
        for head in store.list(prefix):
            with suppress(ValueError):
                if scope.may_be_in(parse_bundle_key(head.key)[0]):
                    found.append(head)
    return sorted(found, key=lambda head: head.key)


def _order(each: Stored) -> tuple[str, str, int]:
    return each.name.minute, each.name.instance, each.name.n
