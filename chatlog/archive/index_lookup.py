"""Looks up in which rooms and on which days people wrote and words were said.

Answers are kept for a while. Where DuckDB is not installed, or an index cannot be read, there is no answer,
and whoever asks looks at everything.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar

from chatlog.archive.cached_blocks import Changed
from chatlog.archive.file_cache import CacheError, FileCache
from chatlog.archive.index_reading import Duck, Known, SetReader, Term, Texts
from chatlog.index.sets import ABOVE, DAYS, Days, IndexSet, Room, sets_of
from chatlog.parquet import duck
from chatlog.store.store import Store, StoreError

V = TypeVar("V")

#: Seconds for which a listing is used.
LISTED = 60.0
#: The most answers, of one set and of months, and the most bytes of lists of files, that are kept.
_ANSWERS, _MONTHS, _FILES = 512, 64, 64 << 20
_LOCKS = 16
#: The most sets that are looked into at the same time.
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Looked:
    """What one set says. ``known`` are the days that it covers, by room and day of the month; on ``days`` is
    what was looked for. ``found`` is the set: see ``Index.files``."""

    found: IndexSet
    known: dict[Room, dict[int, Known]]
    days: Days


class Index:
    """The index of an archive, read through the cache. ``now()`` is the time of day. May be used by several
    threads."""

    def __init__(self, store: Store, cache: FileCache, now: Callable[[], float]) -> None:
        self._store = store
        self._cache = cache
        self._now = now
        self._duck = Duck()
        self._lock = Lock()
        self._listing = _Listing()
        self._broken: set[IndexSet] = set()
        self._known: _Kept[Texts[Known]] = _Kept(_FILES // 2, lambda texts: texts.size)
        self._files: _Kept[Texts[str]] = _Kept(_FILES // 2, lambda texts: texts.size)
        self._answers: _Kept[Days] = _Kept(_ANSWERS, lambda days: 1)
        self._months: _Kept[list[Looked]] = _Kept(_MONTHS, lambda found: 1)
        self._looking = [Lock() for _ in range(_LOCKS)]

    @property
    def is_there(self) -> bool:
        """Whether there is anything to look into."""
        return self._duck.is_there and bool(self._sets())

    def may_have(self, day: str) -> bool:
        """Whether a set may cover files of a day (``2025-12-29``)."""
        sets = self._sets()
        return day in sets or day[:7] in sets

    def of_month(self, month: str, terms: tuple[Term, ...]) -> list[Looked]:
        """What the sets of a month (``2025-12``) say of records to which all the terms apply."""
        found = self._of_month(month, terms)
        if found is None:
            # A set was replaced: there is a new listing.
            found = self._of_month(month, terms)
        return found or []

    def _of_month(self, month: str, terms: tuple[Term, ...]) -> list[Looked] | None:
        """The same; None if a set is not the one that was listed any more."""
        sets = tuple(found for span, found in self._sets().items() if span[:7] == month)
        # All rooms of a search ask for the same, perhaps at the same time.
        with self._looking[hash((sets, terms)) % _LOCKS]:
            known = self._months.get((sets, terms))
            if known is not None:
                return known
            if len(sets) <= 1:
                looked = [self._looked(each, terms) for each in sets]
            else:
                with ThreadPoolExecutor(min(_AT_ONCE, len(sets))) as threads:
                    looked = list(threads.map(lambda each: self._looked(each, terms), sets))
            found = [each for each in looked if each is not None]
            if len(found) == len(sets):
                self._months.of((sets, terms), lambda: found)
                return found
        with self._lock:
            return None if self._listing.at == float("-inf") else found

    def _sets(self) -> dict[str, IndexSet]:
        with self._lock:
            if not 0 <= self._now() - self._listing.at < LISTED:
                sets: dict[str, IndexSet] = {}
                with suppress(StoreError):
                    sets, _ = sets_of(self._store.list(ABOVE))
                self._listing = _Listing(self._now(), sets)
                self._broken &= set(sets.values())
            return {span: found for span, found in self._listing.sets.items() if found not in self._broken}

    def files(self, looked: Looked) -> dict[Room, dict[int, str]]:
        """The files of the days that a set covers, as JSON: for days whose listing is not the one that it
        knows. Empty if they cannot be read."""
        with self._reading(looked.found) as reader:
            return self._files.of(looked.found.head(DAYS), reader.files).by_room
        return {}

    def _looked(self, found: IndexSet, terms: tuple[Term, ...]) -> Looked | None:
        """What a set says; None if it cannot be read."""
        with self._reading(found) as reader:
            known = self._known.of(found.head(DAYS), reader.known)
            answers = [
                self._answers.of((found, term), lambda term=term: reader.days(term, known.sources))  # type: ignore[misc]
                for term in terms
            ]
            rooms = set.intersection(*(set(answer) for answer in answers))
            days = {room: _common(answer[room] for answer in answers) for room in rooms}
            return Looked(found, known.by_room, days)
        return None

    @contextmanager
    def _reading(self, found: IndexSet) -> Iterator[SetReader]:
        """For reading a set; it is left where that cannot be read."""
        try:
            yield SetReader(self._cache, found, self._duck)
        except duck.Unreadable:
            with self._lock:
                self._broken.add(found)
        except Changed:
            with self._lock:
                self._listing.at = float("-inf")
        except (StoreError, CacheError, OSError, duck.NoDuckDB, duck.TooLittleMemory):
            pass


def _common(bits: Iterable[int]) -> int:
    found = -1
    for each in bits:
        found &= each
    return found


@dataclass(slots=True)
class _Listing:
    at: float = float("-inf")
    sets: dict[str, IndexSet] = field(default_factory=dict)


class _Kept(Generic[V]):
    """Values by key, up to a sum of their sizes, those that were used last. May be used by several
    threads."""

    def __init__(self, most: int, size: Callable[[V], int]) -> None:
        self._most = most
        self._size_of = size
        self._size = 0
        self._values: OrderedDict[Hashable, V] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> V | None:
        """The value of a key, if it is there."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key]

    def of(self, key: Hashable, make: Callable[[], V]) -> V:
        """The value of a key, which is made if it is not there."""
        known = self.get(key)
        if known is not None:
            return known
        value = make()
        with self._lock:
            if key not in self._values:
                self._values[key] = value
                self._size += self._size_of(value)
            while self._size > self._most and len(self._values) > 1:
                self._size -= self._size_of(self._values.popitem(last=False)[1])
        return value
