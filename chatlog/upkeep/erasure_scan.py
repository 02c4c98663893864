"""Reads every object in which a person may be, several at a time, and says which have something of them.

Names and ids that belong together are found on the way, and then looked for as well, until nothing new comes.
What has been looked at is looked at again once its bytes, or what is looked for, are others.
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
    """A name that several people had. ``ids`` are theirs."""

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids = sorted(ids)
        super().__init__(", ".join(self.ids))


@dataclass(slots=True)
class Scan:
    """The result of one look at everything. ``unread`` are objects that could not be read, with why."""

    listing: Listing = field(default_factory=Listing)
    hits: list[Hit] = field(default_factory=list)
    facts: Facts = field(default_factory=Facts)
    unread: list[tuple[str, str]] = field(default_factory=list)

    @property
    def listed(self) -> list[Stored]:
        """The objects."""
        return self.listing.objects


class _Whole(NamedTuple):
    """What is read at once, an object or a bundle: its version, and the objects in it."""

    version: str
    objects: list[Stored]


class Scanner:
    """Looks at the objects of one scope. ``step(done, total)`` is told the progress."""

    def __init__(
        self, store: Store, scope: Scope, today: date, step: Callable[[int, int], object] = lambda *_: None
    ) -> None:
        self.scope = scope
        self._store = store
        self._today = today
        self._step = step
        # For whom was looked, and the versions in which nothing of them was found.
        self._asked: Person | None = None
        self._clean: set[str] = set()
        # Several threads fetch, and one searches: taking turns in between would cost as much again.
        self._searching = Lock()

    def settled(self, search: PersonSearch) -> tuple[PersonSearch, Scan]:
        """Look at every object until nothing new comes out about the person. What was looked at before
        something came out is looked at again. Raises SeveralPeople, and StoreError if the objects cannot be
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
        """The search. What was clean for somebody else may not be clean."""
        if search.person != self._asked:
            self._asked, self._clean = search.person, set()
        return search

    def _round(
        self, wholes: list[_Whole], search: PersonSearch, result: Scan
    ) -> tuple[PersonSearch, list[_Whole]]:
        """Look at these; returns those that are to be looked at again, and how."""
        done = len(result.listed) - sum(len(whole.objects) for whole in wholes)
        again: list[_Whole] = []
        looked: list[tuple[_Whole, PersonSearch, list[_Looked]]] = []
        flying: deque[tuple[_Whole, PersonSearch, Future[list[_Looked]]]] = deque()

        def land() -> None:
            nonlocal search, done
            whole, by, future = flying.popleft()
            found = future.result()
            for each in found:
                result.facts.add(each.facts)
            search = search.knowing(result.facts)
            looked.append((whole, by, found))
            done += len(whole.objects)
            self._step(done, len(result.listed))

        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                for whole in wholes:
                    flying.append((whole, search, pool.submit(self._look, whole.objects, search)))
                    if len(flying) >= 2 * AT_ONCE:
                        land()
                while flying:
                    land()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        self._of(search)
        for whole, by, found in looked:
            if by.person != search.person:
                again.append(whole)
            else:
                self._take(whole, found, result)
        return search, again

    def _take(self, whole: _Whole, found: list[_Looked], result: Scan) -> None:
        """What was found with all that is known of the person."""
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

    def _look(self, objects: list[Stored], search: PersonSearch) -> list[_Looked]:
        if objects[0].own:
            return [self._looked(objects[0], search, partial(self._fetched, objects[0].key))]
        pieces = Pieces(self._store, [each.places[0] for each in objects])
        return [self._looked(each, search, partial(pieces.read, each.places[0])) for each in objects]

    def _fetched(self, key: str) -> Iterator[bytes]:
        return iter(list(self._store.read(key)))

    def _looked(self, each: Stored, search: PersonSearch, read: Callable[[], Iterator[bytes]]) -> _Looked:
        facts = Facts()
        try:
            chunks = read()
            with self._searching if each.own else nullcontext():
                blocks = whole_lines(unpacked(chunks, each.suffix), False)
                return _Looked("", *looked_at(blocks, search, facts), facts)
        except ValueError as error:
            return _Looked(f"it is damaged: {error}", 0, 0, facts)
        except StoreError as error:
            if error.of_all:
                raise
            return _Looked(error.advice, 0, 0, facts)


class _Looked(NamedTuple):
    """The result for one object. ``why``: it could not be read."""

    why: str
    removed: int
    redacted: int
    facts: Facts


def looked_at(blocks: Iterable[bytes], search: PersonSearch, facts: Facts | None = None) -> tuple[int, int]:
    """How many lines would be left out, and how many changed; ``facts`` is told what they say of the
    person."""
    removed = redacted = 0
    for block in blocks:
        for change in search.changes(block, facts):
            removed += change.rest is None
            redacted += change.rest is not None
    return removed, redacted
