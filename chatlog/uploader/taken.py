"""Finds out which names of files are taken in the store already.

A store itself refuses a second object of a name, but it does not know the names in bundles. So before a
bundle is put, the tables of the instance's other bundles of the same hour are read. Names are taken if a
spool was lost, if two recorders have the same name, and if an erasure wrote earlier files of the minute again
under the next numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from twisted.logger import Logger

from chatlog.naming import BundleName, FileName, parse_bundle_key, parse_key
from chatlog.store.store import CLOCK, MISSING, TRANSIENT, Head, Store, StoreError
from chatlog.uploader.bundle_table import read_table
from chatlog.uploader.deposit import Name

#: The hours for which the names in bundles are kept.
_HOURS = 4


class Taken:
    """The names that are taken in one store. ``since`` is the minute (``20251229_1030``) in which this
    process began to record: the first file of a later minute can be in no object of its own. Everything here
    blocks."""

    _log = Logger()

    def __init__(self, store: Store, since: str) -> None:
        self._store = store
        self._since = since
        # For each hour, the bundles that were read, and the names that are in them or were given.
        self._hours: dict[str, tuple[set[str], set[str]]] = {}
        # By day (the folder of its objects), whether the store has single objects.
        self._own: dict[str, bool] = {}
        self._reported = False

    def put(self, key: str, names: Iterable[FileName]) -> None:
        """This process has put the bundle itself, with these names."""
        seen, inside = self._hour(_folder(key))
        seen.add(key)
        # No file gets a first name that another one had, but a file whose name is taken gets a later one.
        inside.update(str(name) for name in names if name.n > 1)

    def give(self, bundle: BundleName, name: Name) -> None:
        """A file of that hour, whose own name is taken, is put by itself under this name."""
        self._hour(_folder(bundle.key()))[1].add(str(name))
        self._own[name.key()[:11]] = True

    def among(self, bundle: BundleName, names: Iterable[FileName], suffix: str) -> list[FileName]:
        """Those of these names that are taken. Raises StoreError."""
        inside = self._in_bundles(bundle)
        return [name for name in names if str(name) in inside or self._is_own(name, suffix)]

    def is_inside(self, bundle: BundleName, name: Name) -> bool:
        """Whether a bundle of that hour has a file of this name, or one gets it. Raises StoreError."""
        return str(name) in self._in_bundles(bundle)

    def _hour(self, folder: str) -> tuple[set[str], set[str]]:
        found = self._hours.setdefault(folder, (set(), set()))
        while len(self._hours) > _HOURS:
            del self._hours[next(key for key in self._hours if key != folder)]
        return found

    def _in_bundles(self, bundle: BundleName) -> set[str]:
        folder = _folder(bundle.key())
        seen, names = self._hour(folder)
        for head in self._listed(folder):
            if head.key in seen:
                continue
            with suppress(ValueError):
                if parse_bundle_key(head.key)[0].instance == bundle.instance:
                    names.update(self._names_in(head))
            seen.add(head.key)
        return names

    def _listed(self, folder: str) -> list[Head]:
        try:
            return list(self._store.list(folder))
        except StoreError as error:
            if error.kind in (TRANSIENT, CLOCK):
                raise
            # Recording needs no permission to list. Without it, taken names are not noticed.
            if not self._reported:
                self._reported = True
                self._log.warn(
                    "bundles cannot be listed, so that a name that another recorder has used is not noticed: "
                    "{error}",
                    error=error.advice,
                )
            return []

    def _names_in(self, head: Head) -> Iterator[str]:
        try:
            for each in read_table(self._store, head).slices():
                yield str(parse_key(each.key)[0])
        except StoreError as error:
            if error.kind != MISSING:
                raise

    def _is_own(self, name: FileName, suffix: str) -> bool:
        if name.minute > self._since and name.n == 1:
            return False
        key = name.key(suffix=suffix)
        day = key[:11]
        if day not in self._own:
            try:
                self._own[day] = next(iter(self._store.list(day)), None) is not None
            except StoreError as error:
                if error.kind in (TRANSIENT, CLOCK):
                    raise
                self._own[day] = True
        return self._own[day] and self._store.head(key) is not None


def _folder(key: str) -> str:
    return key[: key.rindex("/") + 1]
