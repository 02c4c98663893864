"""Writes objects again without a person: objects of their own, and those in bundles.

From the first object of a file (a room, minute and instance) that changes, all its objects get new numbers,
so that they stay in the order of time. A bundle with one of them is written again as a whole. Objects that
belong together in this way are replaced together: a ``Batch``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import NamedTuple

from chatlog.naming import FileName
from chatlog.store.store import CORRUPT, Store, StoreError
from chatlog.upkeep.bundle_put import Piece
from chatlog.upkeep.bundle_rewrite import OldBundle, load_bundle, rewrite_bundle
from chatlog.upkeep.erasure_book import Planned, Written, name_in_key
from chatlog.upkeep.erasure_objects import Stored
from chatlog.upkeep.erasure_scan import Hit
from chatlog.upkeep.person_search import PersonSearch, rewritten
from chatlog.uploader.bundle_table import Slice
from chatlog.uploader.deposit import Deposit
from chatlog.uploader.manifest_rows import ObjectRow, ReplacedRow, Row
from chatlog.uploader.packing import QUICK_LEVEL, ContentsReader, Packed, pack_data, unpacked

#: Objects and bytes of bundles that are replaced together, and requests at the same time.
_TOGETHER = 64
_MOST_BYTES = 64 << 20
AT_ONCE = 8
#: Objects that are unpacked in memory at the same time.
_UNPACKED = 3


class Differs(Exception):
    """An object is there twice, and not with the same bytes."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"{key} is there twice, with different bytes: see chatlog verify")


@dataclass(slots=True)
class Batch:
    """Objects that are replaced together, by file, and all bundles in which they are. ``size``: the bytes of
    the bundles."""

    groups: list[list[Hit]] = field(default_factory=list)
    bundles: set[str] = field(default_factory=set)
    size: int = 0

    def add(self, other: Batch) -> None:
        """Add another batch."""
        self.groups += other.groups
        self.bundles |= other.bundles
        self.size += other.size

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be replaced at the same time."""
        return sum(map(len, self.groups)) >= _TOGETHER or self.size >= _MOST_BYTES


def batches(groups: Iterable[list[Hit]]) -> Iterator[Batch]:
    """The groups, in such portions that no bundle is in two of them."""
    of_bundle: dict[str, Batch] = {}
    alone: list[Batch] = []
    for group in groups:
        places = [place for hit in group for place in hit.object.places]
        one = Batch([group], {place.bundle for place in places})
        if not one.bundles:
            alone.append(one)
            continue
        for bundle in one.bundles:
            ends = (place.offset + place.bytes for place in places if place.bundle == bundle)
            one.size += max(ends)
        for other in {
            id(of_bundle[name]): of_bundle[name] for name in one.bundles if name in of_bundle
        }.values():
            one.add(other)
        for bundle in one.bundles:
            of_bundle[bundle] = one
    batch = Batch()
    for each in (*alone, *{id(one): one for one in of_bundle.values()}.values()):
        batch.add(each)
        if batch.is_full:
            yield batch
            batch = Batch()
    if batch.groups:
        yield batch


class _Rewritten(NamedTuple):
    """An object that was read, and its rest; None if nothing is left."""

    object: Stored
    old: ObjectRow
    packed: Packed | None
    redacted: int


@dataclass(slots=True)
class Work:
    """A batch in memory, before it is stored."""

    groups: list[list[_Rewritten]]
    bundles: list[OldBundle]

    @property
    def planned(self) -> list[Planned]:
        """The objects that are about to be stored."""
        objects = [
            Planned(each.object.key, each.packed.sha256)
            for group in self.groups
            for each in group
            if each.packed is not None and not each.object.places
        ]
        return objects + [Planned(each.key, "") for each in self.bundles]


@dataclass(slots=True)
class Replaced:
    """A batch that was stored: ``rows`` for the manifest, those of them about recordings (``objects``), and
    the keys to be deleted after that (``doomed``)."""

    rows: list[Row] = field(default_factory=list)
    objects: list[ReplacedRow] = field(default_factory=list)
    doomed: list[str] = field(default_factory=list)


class Rewriter:
    """Reads and stores batches. Every method may raise StoreError."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._deposit = Deposit(store)
        # Several threads fetch, and one at a time rewrites: taking turns in between would cost as much again.
        self._working = Lock()

    def read(self, batch: Batch, search: PersonSearch) -> Work:
        """Read a batch, and make its new objects. Raises Differs."""
        with ThreadPoolExecutor(_UNPACKED) as threads:
            bundles = list(threads.map(lambda key: load_bundle(self._store, key), sorted(batch.bundles)))
            by_key = {each.key: each for each in bundles}
            groups = list(
                threads.map(lambda group: [self._rewrite(hit, by_key, search) for hit in group], batch.groups)
            )
        return Work(groups, bundles)

    def _rewrite(self, hit: Hit, bundles: dict[str, OldBundle], search: PersonSearch) -> _Rewritten:
        data = self._bytes_of(hit.object, bundles)
        with self._working:
            return _rewrite(hit, data, search)

    def _bytes_of(self, object: Stored, bundles: dict[str, OldBundle]) -> bytes:
        """The object's bytes. Raises Differs if there are others in another place."""
        found = [bundles[place.bundle].piece(place) for place in object.places]
        if object.own:
            found.append(b"".join(self._store.read(object.key)))
        if any(data != found[0] for data in found[1:]):
            raise Differs(object.key)
        return found[0]

    def put(self, work: Work, known: Written, request: str, at: str) -> Replaced:
        """Store the new objects and bundles, and read them back."""
        result = Replaced()
        gone: set[Slice] = set()
        others: dict[Slice, Piece] = {}
        with ThreadPoolExecutor(AT_ONCE) as threads:
            stored = threads.map(lambda group: self._put_group(group, known), work.groups)
            for group, keys in zip(work.groups, stored, strict=True):
                for each, key in zip(group, keys, strict=True):
                    self._note(each, key, request, at, result)
                    for place in each.object.places:
                        if each.packed is not None:
                            others[place] = Piece(key, each.packed.data)
                        else:
                            gone.add(place)
        for bundle in work.bundles:
            new = rewrite_bundle(self._store, bundle, gone, others, known.top_bundle(bundle.key))
            result.rows += [*new.rows, new.replaces(bundle, request, at)]
            result.doomed.append(bundle.key)
        return result

    @staticmethod
    def _note(each: _Rewritten, key: str, request: str, at: str, result: Replaced) -> None:
        old, packed = each.old, each.packed
        size, sha256, count = (
            (len(packed.data), packed.sha256, packed.contents.lines) if packed is not None else (0, "", 0)
        )
        what = (key, size, sha256, count, old.lines - count, each.redacted)
        row = ReplacedRow(old.key, old.sha256, old.lines, *what, request, at)
        # The old object may be in no manifest yet.
        result.rows += [old, row]
        result.objects.append(row)
        if each.object.own:
            result.doomed.append(old.key)

    def _put_group(self, group: list[_Rewritten], known: Written) -> list[str]:
        """Store the new objects of one file, and choose keys for those that go into bundles, one behind the
        other; ``""`` if nothing is left of an object."""
        found = []
        name = group[-1].object.name
        name = name.numbered(max(name.n, known.top(name)))
        for each in group:
            if each.packed is None:
                found.append("")
                continue
            name = name.numbered(name.n + 1)
            if each.object.places:
                name = self._free(name, each.object.suffix)
                found.append(name.key(suffix=each.object.suffix))
                continue
            stored, _ = self._deposit.put(name, each.packed)
            name = name_in_key(stored.key) or name
            found.append(stored.key)
        return found

    def _free(self, name: FileName, suffix: str) -> FileName:
        while self._store.head(name.key(suffix=suffix)) is not None:
            name = name.numbered(name.n + 1)
        return name


def _rewrite(hit: Hit, data: bytes, search: PersonSearch) -> _Rewritten:
    object = hit.object
    reader = ContentsReader()
    rest, redacted = b"", 0
    try:
        # As one block: lines of any length stay whole.
        text = b"".join(unpacked([data], object.suffix))
    except ValueError as error:
        raise StoreError(f"{object.key} is damaged: {error}", CORRUPT) from None
    reader.feed(text)
    was = reader.contents()
    digest = hashlib.sha256(data).hexdigest()
    old = ObjectRow(object.key, len(data), digest, was.lines, was.first, was.last)
    if not (hit.removed or hit.redacted):
        # The object only gets another number.
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        return _Rewritten(object, old, Packed(data, object.suffix, digest, md5, was), 0)
    rest, redacted = rewritten([text], search)
    del text
    return _Rewritten(object, old, pack_data(rest, object.suffix, QUICK_LEVEL) if rest else None, redacted)
