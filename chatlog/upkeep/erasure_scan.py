"""Reads every object in which a person may be, several at a time, and finds those that have something of the
person.

Names and ids that belong together are found on the way, and then searched for as well, until nothing new is
found. An object is searched again if its bytes, or the known facts about the person, have changed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from threading import Lock
from typing import NamedTuple

from chatlog.archive.blocks import whole_lines
from chatlog.redaction import Person
from chatlog.store.store import Store, StoreError
from chatlog.upkeep.erasure_objects import Listing, Scope, Stored, listing
from chatlog.upkeep.person_search import Facts, PersonSearch
from chatlog.uploader.bundle_pieces import Pieces
from chatlog.uploader.packing import unpacked

#: Objects, or bundles, that are read at the same time.
AT_ONCE = 8


class Hit(NamedTuple):
    """An object with something of the person: how many lines would be left out, and how many changed."""

    object: Stored
    removed: int
    redacted: int


class SeveralPeople(Exception):
    """A name that several people had, with these ``ids``."""

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids = sorted(ids)
        super().__init__(", ".join(self.ids))


@dataclass(slots=True)
class Scan:
    """The result of one search of everything. ``unread`` are objects that could not be read, with the
    reason."""

    listing: Listing = field(default_factory=Listing)
    hits: list[Hit] = field(default_factory=list)
    facts: Facts = field(default_factory=Facts)
    unread: list[tuple[str, str]] = field(default_factory=list)

    @property
    def listed(self) -> list[Stored]:
        """The objects."""
        return self.listing.objects


class _Whole(NamedTuple):
    """A unit of reading, an object or a bundle: its version, and the objects in it."""

    version: str
    objects: list[Stored]


class Scanner:
    """Searches the objects of one scope. ``step(done, total)`` is called with the progress."""

    def __init__(
        self, store: Store, scope: Scope, today: date, step: Callable[[int, int], object] = lambda *_: None
    ) -> None:
        self.scope = scope
        self._store = store
        self._today = today
        self._step = step
        # The person who was searched for last, and the versions in which nothing of the person was found.
        self._asked: Person | None = None
        self._clean: set[str] = set()
        # Several threads fetch, and one searches: taking turns in between would cost as much again.
        self._searching = Lock()

    def settled(self, search: PersonSearch) -> tuple[PersonSearch, Scan]:
        """Search every object until nothing new is found about the person. Objects that were searched before
        a fact was found are searched again. Raises SeveralPeople, and StoreError if the objects cannot be
        listed, or if the store is away."""
        result = Scan(listing(self._store, self.scope, self._today))
        result.unread += result.listing.unread
        waiting = list(self._wholes(result.listing))
        while waiting:
            search = self._of(search)
            waiting = [whole for whole in waiting if whole.version not in self._clean]
            search, waiting = self._round(waiting, search, result)
        if len(result.facts.ids) > 1 and search.asked:
            raise SeveralPeople(result.facts.ids)
        return self._of(search), result

    def _of(self, search: PersonSearch) -> PersonSearch:
        """The same search. If it is for another person, or with new facts, no object counts as clean any
        more."""
        if search.person != self._asked:
            self._asked, self._clean = search.person, set()
        return search

    def _round(
        self, wholes: list[_Whole], search: PersonSearch, result: Scan
    ) -> tuple[PersonSearch, list[_Whole]]:
        """Search these. Returns the search with the new facts, and those that have to be searched again."""
        done = len(result.listed) - sum(len(whole.objects) for whole in wholes)
        again: list[_Whole] = []
        results: list[tuple[_Whole, PersonSearch, list[_Result]]] = []
        flying: deque[tuple[_Whole, PersonSearch, Future[list[_Result]]]] = deque()

        def land() -> None:
            nonlocal search, done
            whole, by, future = flying.popleft()
            found = future.result()
            for each in found:
                result.facts.add(each.facts)
            search = search.knowing(result.facts)
            results.append((whole, by, found))
            done += len(whole.objects)
            self._step(done, len(result.listed))

        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                for whole in wholes:
                    flying.append((whole, search, pool.submit(self._search_whole, whole.objects, search)))
                    if len(flying) >= 2 * AT_ONCE:
                        land()
                while flying:
                    land()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        self._of(search)
        for whole, by, found in results:
            if by.person != search.person:
                again.append(whole)
            else:
                self._take(whole, found, result)
        return search, again

    def _take(self, whole: _Whole, found: list[_Result], result: Scan) -> None:
        """Add the result of a search with all known facts about the person."""
        for each, (why, removed, redacted, _) in zip(whole.objects, found, strict=True):
            if why:
                result.unread.append((each.key, why))
            elif removed or redacted:
                result.hits.append(Hit(each, removed, redacted))
        if not any(each.why or each.removed or each.redacted for each in found):
            self._clean.add(whole.version)

    @staticmethod
    def _wholes(found: Listing) -> Iterator[_Whole]:
        bundled: dict[str, list[Stored]] = {}
        for each in found.objects:
            if each.own:
                yield _Whole(f"{each.key} {each.version}", [each])
            else:
                bundled.setdefault(each.places[0].bundle, []).append(each)
        for bundle, objects in bundled.items():
            objects.sort(key=lambda each: each.places[0].offset)
            yield _Whole(f"{bundle} {found.bundles[bundle]}", objects)

    def _search_whole(self, objects: list[Stored], search: PersonSearch) -> list[_Result]:
        if objects[0].own:
            return [self._searched(objects[0], search, partial(self._fetched, objects[0].key))]
        pieces = Pieces(self._store, [each.places[0] for each in objects])
        return [self._searched(each, search, partial(pieces.read, each.places[0])) for each in objects]

    def _fetched(self, key: str) -> Iterator[bytes]:
        return iter(list(self._store.read(key)))

    def _searched(self, each: Stored, search: PersonSearch, read: Callable[[], Iterator[bytes]]) -> _Result:
        facts = Facts()
        try:
            chunks = read()
            with self._searching if each.own else nullcontext():
                blocks = whole_lines(unpacked(chunks, each.suffix), False)
                return _Result("", *count_changes(blocks, search, facts), facts)
        except ValueError as error:
            return _Result(f"it is damaged: {error}", 0, 0, facts)
        except StoreError as error:
            if error.of_all:
                raise
            return _Result(error.advice, 0, 0, facts)


class _Result(NamedTuple):
    """The result for one object. ``why``: it could not be read."""

    why: str
    removed: int
    redacted: int
    facts: Facts


def count_changes(
    blocks: Iterable[bytes], search: PersonSearch, facts: Facts | None = None
) -> tuple[int, int]:
    """How many lines would be left out, and how many changed; facts about the person are added to
    ``facts``."""
    removed = redacted = 0
    for block in blocks:
        for change in search.changes(block, facts):
            removed += change.rest is None
            redacted += change.rest is not None
    return removed, redacted
