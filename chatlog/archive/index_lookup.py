"""Looks up in which rooms and on which days people wrote and words were said.

Answers are kept for a while. If DuckDB is not installed, or an index cannot be read, there is no answer, and
the caller reads everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Lock

from chatlog.archive.cached_blocks import Changed
from chatlog.archive.file_cache import CacheError, FileCache
from chatlog.archive.index_reading import Duck, Known, SetReader, Term, Texts
from chatlog.archive.memory_cache import MemoryCache
from chatlog.index.sets import ABOVE, DAYS, Days, IndexSet, Room, sets_of
from chatlog.parquet import duck
from chatlog.store.store import Store, StoreError

#: Seconds for which a listing is used.
LISTED = 60.0
#: The most answers, of one set and of months, and the most bytes of lists of files, that are kept.
_ANSWERS, _MONTHS, _FILES = 512, 64, 64 << 20
_LOCKS = 16
#: The most sets that are looked into at the same time.
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class SetAnswer:
    """The answer of one set, ``found``. ``known``: the days that the set covers, by room and day of the
    month; ``days``: those that have what was looked for."""

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
        self._known: MemoryCache[Texts[Known]] = MemoryCache(_FILES // 2, lambda texts: texts.size)
        self._files: MemoryCache[dict[int, str]] = MemoryCache(_FILES // 2, _size_of)
        self._ids: MemoryCache[list[tuple[str, str]]] = MemoryCache(_ANSWERS, lambda found: 1)
        self._answers: MemoryCache[Days] = MemoryCache(_ANSWERS, lambda days: 1)
        self._months: MemoryCache[list[SetAnswer]] = MemoryCache(_MONTHS, lambda found: 1)
        self._asking = [Lock() for _ in range(_LOCKS)]

    @property
    def is_there(self) -> bool:
        """Whether there are an index and DuckDB to read it."""
        return self._duck.is_there and bool(self._sets())

    def may_have(self, day: str) -> bool:
        """Whether a set may cover files of a day (``2025-12-29``)."""
        sets = self._sets()
        return day in sets or day[:7] in sets

    def of_month(self, month: str, terms: tuple[Term, ...]) -> list[SetAnswer]:
        """The answers of the sets of a month (``2025-12``) about records to which all the terms apply."""
        found = self._of_month(month, terms)
        if found is None:
            # A set was replaced: there is a new listing.
            found = self._of_month(month, terms)
        return found or []

    def _of_month(self, month: str, terms: tuple[Term, ...]) -> list[SetAnswer] | None:
        """The same; None if a set was replaced since it was listed."""
        sets = tuple(found for span, found in self._sets().items() if span[:7] == month)
        # All rooms of a search ask for the same, perhaps at the same time.
        with self._asking[hash((sets, terms)) % _LOCKS]:
            known = self._months.get((sets, terms))
            if known is not None:
                return known
            if len(sets) <= 1:
                answers = [self._answer_of(each, terms) for each in sets]
            else:
                with ThreadPoolExecutor(min(_AT_ONCE, len(sets))) as threads:
                    answers = list(threads.map(lambda each: self._answer_of(each, terms), sets))
            found = [each for each in answers if each is not None]
            if len(found) == len(sets):
                self._months.of((sets, terms), lambda: found)
                return found
        with self._lock:
            return None if self._listing.at == float("-inf") else found

    def months_ahead(self, since: str, until: str, terms: tuple[Term, ...]) -> list[str]:
        """The months from one to another of which not all answers are kept: to look them up takes some
        requests one after the other."""
        sets: dict[str, list[IndexSet]] = {}
        for span, found in self._sets().items():
            if since <= span[:7] <= until:
                sets.setdefault(span[:7], []).append(found)
        return [month for month, own in sets.items() if self._months.get((tuple(own), terms)) is None]

    def _sets(self) -> dict[str, IndexSet]:
        with self._lock:
            if not 0 <= self._now() - self._listing.at < LISTED:
                sets: dict[str, IndexSet] = {}
                with suppress(StoreError):
                    sets, _ = sets_of(self._store.list(ABOVE))
                self._listing = _Listing(self._now(), sets)
                self._broken &= set(sets.values())
            return {span: found for span, found in self._listing.sets.items() if found not in self._broken}

    def files(self, answer: SetAnswer, room: Room) -> dict[int, str]:
        """The files of a room's days that a set covers, as JSON. They are needed for a day whose listing is
        not the one that the set knows. Empty if they cannot be read."""
        with self._reading(answer.found) as reader:
            return self._files.of((answer.found.head(DAYS), room), lambda: reader.files(room))
        return {}

    def ids(self, answer: SetAnswer, names: frozenset[str]) -> frozenset[str] | None:
        """The ids of everybody with one of these names, as a set has them; ``""`` is among them if one of
        these people has no id. None if they cannot be read."""
        with self._reading(answer.found) as reader:
            sources = self._known.of(answer.found.head(DAYS), reader.known).sources
            found = self._ids.of((answer.found, names), lambda: reader.named(names, sources))
            return frozenset(id for _, id in found)
        return None

    def _answer_of(self, found: IndexSet, terms: tuple[Term, ...]) -> SetAnswer | None:
        """The answer of a set; None if it cannot be read."""
        with self._reading(found) as reader:
            if self._known.get(found.head(DAYS)) is None:
                reader.fetch_ends(terms)
            known = self._known.of(found.head(DAYS), reader.known)
            answers = [
                self._answers.of((found, term), lambda term=term: reader.days(term, known.sources))  # type: ignore[misc]
                for term in terms
            ]
            rooms = set.intersection(*(set(answer) for answer in answers))
            days = {room: _common(answer[room] for answer in answers) for room in rooms}
            return SetAnswer(found, known.by_room, days)
        return None

    @contextmanager
    def _reading(self, found: IndexSet) -> Iterator[SetReader]:
        """A reader of a set, for a ``with`` block; the block ends quietly if the set cannot be read."""
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


def _size_of(texts: Mapping[int, str]) -> int:
    return sum(len(text) + 200 for text in texts.values())


def _common(bits: Iterable[int]) -> int:
    found = -1
    for each in bits:
        found &= each
    return found


@dataclass(slots=True)
class _Listing:
    at: float = float("-inf")
    sets: dict[str, IndexSet] = field(default_factory=dict)
