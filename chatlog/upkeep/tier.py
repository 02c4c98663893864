"""Moves old bundles to a colder storage class.

Only bundles are moved: an object of an hour is too small for such a class, and a day of it costs more to move
than it saves in years. A bundle is moved once its month ended ``archive.tier_after`` ago. Moving changes no
byte, so nothing is written down.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from chatlog.config.storage_classes import StorageClass
from chatlog.store.dated_folders import months
from chatlog.store.store import UNSUPPORTED, Movable, Store, StoreError

#: Stores bill smaller objects in colder classes as objects of this size.
LEAST = 128 * 1024
#: By itself, upkeep moves only bundles that became due in the last so many seconds: it has moved the others
#: before.
RECENT = 40 * 86400.0
_AT_ONCE = 8
_MONTH = re.compile(r"bundle/(\d{4})/(\d\d)/", re.ASCII)


class Bundle(NamedTuple):
    """A bundle that is old enough, and its size."""

    key: str
    size: int


@dataclass(slots=True)
class Moved:
    """The result: how many bundles were moved, with their bytes, how many were there already, how many are
    too ``small``, and which could not be moved, with the reason."""

    bundles: int = 0
    bytes: int = 0
    there: int = 0
    small: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)


class Tiering:
    """Moves the bundles of ``store`` whose month ended ``after`` seconds before ``now`` to ``storage``.
    ``step(done, total)`` is called with the progress. Every method may raise StoreError."""

    def __init__(
        self,
        store: Store,
        storage: StorageClass,
        after: float,
        now: float,
        step: Callable[[int, int], object] = lambda done, total: None,
    ) -> None:
        if not isinstance(store, Movable):
            raise StoreError(f"{store.describe()} has no storage classes", UNSUPPORTED)
        self._store = store
        self._movable = store
        self._class = storage
        self._after = after
        self._now = now
        self._step = step

    def due(self, recently: bool = False) -> Iterator[Bundle]:
        """The bundles that are old enough; ``recently``: since RECENT seconds."""
        since = self._now - self._after - RECENT if recently else float("-inf")
        for month in months(self._store, "bundle/"):
            prefix = f"bundle/{month}/"
            end = month_end(prefix)
            if end is None or not since < end <= self._now - self._after:
                continue
            for head in self._store.list(prefix):
                yield Bundle(head.key, head.size)

    def run(self, bundles: list[Bundle], dry: bool = False) -> Moved:
        """Move them; ``dry``: only find out what would be moved."""
        found = Moved()
        large = [bundle for bundle in bundles if bundle.size >= LEAST]
        found.small = len(bundles) - len(large)
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            results = threads.map(lambda bundle: self._one(bundle, dry), large)
            for done, (bundle, outcome) in enumerate(zip(large, results, strict=True), 1):
                self._step(done, len(large))
                if outcome is None:
                    found.there += 1
                elif outcome:
                    found.left.append((bundle.key, outcome))
                else:
                    found.bundles += 1
                    found.bytes += bundle.size
        return found

    def _one(self, bundle: Bundle, dry: bool) -> str | None:
        """Move a bundle. Returns ``""`` if it was moved, None if it was there, else why it is not."""
        try:
            present = self._movable.class_of(bundle.key)
            if present is None or self._is_there(present):
                return None
            if dry:
                return ""
            before = self._store.head(bundle.key)
            self._movable.move(bundle.key, self._class.name)
            after = self._store.head(bundle.key)
        except StoreError as error:
            if error.of_all or error.kind == UNSUPPORTED:
                raise
            return error.advice
        if before is None or after is None or (before.size, before.etag) != (after.size, after.etag):
            return "the store has other bytes after the move: run chatlog verify"
        return ""

    def _is_there(self, present: str) -> bool:
        return present.lower() == self._class.name.lower()


def month_end(prefix: str) -> float | None:
    """When the month of a bundle ended, in seconds since the epoch; None if the key has no month."""
    match = _MONTH.match(prefix)
    if match is None or not 1 <= int(match[2]) <= 12 or int(match[1]) < 1970:
        return None
    year, month = divmod(int(match[1]) * 12 + int(match[2]), 12)
    return datetime(year, month + 1, 1, tzinfo=UTC).timestamp()
