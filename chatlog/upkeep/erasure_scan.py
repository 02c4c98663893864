"""Reads every object in which a person may be, several at a time, and says which have something of them.

Names and ids that belong together are found on the way, and then looked for as well, until nothing new comes.
What has been looked at is looked at again once its bytes, or what is looked for, are others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from chatlog.archive.parts import whole_lines
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


#: What is read at once, an object or a bundle: its version, and the objects in it.
_Whole = tuple[str, list[Stored]]


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

    def settled(self, search: PersonSearch) -> tuple[PersonSearch, Scan]:
        """Look at everything until nothing new comes out about the person. Raises StoreError and
        SeveralPeople."""
        while True:
            scan = self.scan(search)
            if not search.person.id and len(scan.facts.ids) > 1:
                raise SeveralPeople(scan.facts.ids)
            known = search.knowing(scan.facts)
            if known.person == search.person and not search.by_name:
                return search, scan
            search = known

    def scan(self, search: PersonSearch) -> Scan:
        """Look at every object. Raises StoreError if they cannot be listed, or if the store is away."""
        result = Scan(listing(self._store, self.scope, self._today))
        result.unread += result.listing.unread
        if search.person != self._asked:
            self._asked, self._clean = search.person, set()
        waiting = [each for each in self._wholes(result.listing) if each[0] not in self._clean]
        skipped = len(result.listed) - sum(len(objects) for _, objects in waiting)
        flying: deque[tuple[_Whole, Future[list[_Looked]]]] = deque()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                for each in waiting:
                    flying.append((each, pool.submit(self._look, each[1], search)))
                    if len(flying) >= 2 * AT_ONCE:
                        skipped += self._land(*flying.popleft(), result)
                        self._step(skipped, len(result.listed))
                while flying:
                    self._land(*flying.popleft(), result)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return result

    def _wholes(self, found: Listing) -> Iterator[_Whole]:
        bundled: dict[str, list[Stored]] = {}
        for each in found.objects:
            if each.own:
                yield f"{each.key} {each.version}", [each]
            else:
                bundled.setdefault(each.places[0].bundle, []).append(each)
        for bundle, objects in bundled.items():
            objects.sort(key=lambda each: each.places[0].offset)
            yield f"{bundle} {found.bundles[bundle]}", objects

    def _land(self, whole: _Whole, future: Future[list[_Looked]], result: Scan) -> int:
        version, objects = whole
        clean = True
        for each, (why, removed, redacted, facts) in zip(objects, future.result(), strict=True):
            result.facts.add(facts)
            if why:
                result.unread.append((each.key, why))
            elif removed or redacted:
                result.hits.append(Hit(each, removed, redacted))
            clean = clean and not (why or removed or redacted)
        # What told something about the person is read once more, with that.
        if clean:
            self._clean.add(version)
        return len(objects)

    def _look(self, objects: list[Stored], search: PersonSearch) -> list[_Looked]:
        found = []
        pieces = None if objects[0].own else Pieces(self._store, [each.places[0] for each in objects])
        for each in objects:
            facts = Facts()
            why, removed, redacted = "", 0, 0
            chunks = self._store.read(each.key) if pieces is None else pieces.read(each.places[0])
            try:
                blocks = whole_lines(unpacked(chunks, each.suffix), False)
                removed, redacted = looked_at(blocks, search, facts)
            except ValueError as error:
                why = f"it is damaged: {error}"
            except StoreError as error:
                if error.of_all:
                    raise
                why = error.advice
            found.append(_Looked(why, removed, redacted, facts))
        return found


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
