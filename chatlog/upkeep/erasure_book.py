"""The manifests and notes of erasures: requests, the objects that were replaced for them, and which requests
are done.

    manifest/erasure/...                     rows ``request``, ``object``, ``replaced``, ``done``: see Ledger
    upkeep/erasure/{request}-{n}.json        objects about to be stored, until a manifest above names them
    upkeep/erasure/{request}-begun.json      Parquet and indexes of its objects may be old

An object that was stored and is in no manifest, because the process died in between, is found by the note and
deleted: the object that it was to replace is still there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from chatlog.chunks import lines_of, sha256_of
from chatlog.naming import BundleName, FileName, parse_bundle_key
from chatlog.record import from_json
from chatlog.store.store import Head, Store
from chatlog.upkeep.bundle_put import bundles_below, delete_bundle
from chatlog.upkeep.erasure_objects import stored_of
from chatlog.uploader.bundle_table import read_table
from chatlog.uploader.manifest_chain import suffix_of
from chatlog.uploader.manifest_rows import (
    LONGEST_ROW,
    DoneRow,
    ReplacedRow,
    RequestRow,
    Row,
    parsed,
)
from chatlog.uploader.packing import unpacked

INTENTS = "upkeep/erasure/"
_MANIFESTS = "manifest/erasure/"
#: The end of the key of the note that a request was begun, and that Parquet and indexes may be old.
_BEGUN = "-begun.json"


class Planned(NamedTuple):
    """An object that is about to be replaced, and the SHA-256 of its successor; ``""`` for a bundle, whose
    successor has the replaced bundle in its table."""

    key: str
    sha256_new: str


@dataclass(slots=True)
class Written:
    """The content of the manifests: the requests in their order, those that are done, and the latest row of
    each object that was replaced, by its key and the SHA-256 of its bytes. ``damaged`` are manifests that
    cannot be read."""

    requests: list[str] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    replaced: dict[tuple[str, str], ReplacedRow] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)
    _numbers: dict[object, int] = field(default_factory=dict)

    def top(self, name: FileName) -> int:
        """The highest number that a file of the same room, minute and instance had; 0 if none is known."""
        return self._numbers.get(name.numbered(1), 0)

    def top_bundle(self, key: str) -> int:
        """The same for bundles."""
        return self._numbers.get(parse_bundle_key(key)[0].numbered(1), 0)

    def _number(self, key: str) -> None:
        """Note the number in a key. No key is used twice: a new object under the key of a deleted one would
        be deleted in its place."""
        name: FileName | BundleName | None = name_in_key(key)
        if name is None:
            with suppress(ValueError):
                name = parse_bundle_key(key)[0]
        if name is not None:
            first = name.numbered(1)
            self._numbers[first] = max(name.n, self._numbers.get(first, 0))

    @property
    def open(self) -> list[str]:
        """The requests that are not done."""
        return [request for request in self.requests if request not in self.done]

    def add(self, row: Row | None) -> None:
        """Add a row."""
        if isinstance(row, RequestRow):
            self.requests.append(row.request)
        elif isinstance(row, DoneRow):
            self.done.add(row.request)
        elif isinstance(row, ReplacedRow):
            self.replaced[row.key, row.sha256] = row
            self._number(row.key)
            self._number(row.by)


def written(store: Store) -> Written:
    """The content of the manifests. Raises StoreError."""
    found = Written()
    for head in sorted(store.list(_MANIFESTS), key=lambda head: head.key):
        try:
            for line, whole in lines_of(unpacked(store.read(head.key), suffix_of(head.key)), LONGEST_ROW):
                if not whole:
                    raise ValueError("it is cut off")
                found.add(parsed(line))
        except ValueError:
            found.damaged.append(head.key)
    return found


def note_intent(store: Store, request: str, planned: Iterable[Planned]) -> str:
    """Note the objects that are about to be stored. Returns the key of the note. Raises StoreError."""
    prefix = f"{INTENTS}{request}-"
    ends = [head.key.removeprefix(prefix).split(".")[0] for head in store.list(prefix)]
    numbers = [int(end) for end in ends if end.isdecimal()]
    key = f"{prefix}{max(numbers, default=0) + 1:06d}.json"
    body = {"request": request, "objects": [each._asdict() for each in planned]}
    store.put_new(key, json.dumps(body, separators=(",", ":")).encode(), {"Content-Type": "application/json"})
    return key


def note_begun(store: Store, request: str) -> None:
    """Note that objects are about to be replaced for a request. Raises StoreError."""
    key = f"{INTENTS}{request}{_BEGUN}"
    if store.head(key) is None:
        store.put_new(key, b"{}", {"Content-Type": "application/json"})


def begun(store: Store) -> set[str]:
    """The requests that were begun, and after which not everything was made again. Raises StoreError."""
    keys = [head.key for head in store.list(INTENTS)]
    return {key.removeprefix(INTENTS).removesuffix(_BEGUN) for key in keys if key.endswith(_BEGUN)}


def forget_begun(store: Store, requests: Iterable[str]) -> None:
    """Delete the notes of requests after which everything was made again. Raises StoreError."""
    for request in requests:
        store.delete(f"{INTENTS}{request}{_BEGUN}")


def remove_orphans(store: Store, known: Written) -> int:
    """Delete objects that were stored and are in no manifest, and the notes about them. Returns the number of
    objects. Raises StoreError."""
    kept = {row.by for row in known.replaced.values()}
    count = 0
    for head in list(store.list(INTENTS)):
        if head.key.endswith(_BEGUN):
            continue
        for planned in _intended(b"".join(store.read(head.key))):
            if not planned.sha256_new:
                count += _remove_bundles(store, planned.key, kept)
                continue
            for key in _later_keys(store, planned.key):
                if key not in kept and sha256_of(store.read(key)) == planned.sha256_new:
                    store.delete(key)
                    count += 1
        store.delete(head.key)
    return count


def _intended(data: bytes) -> Iterator[Planned]:
    """The objects in a note; none if it is damaged, for then nothing was stored."""
    with suppress(ValueError, TypeError, KeyError):
        for each in from_json(data)["objects"]:
            yield Planned(str(each["key"]), str(each["sha256_new"]))


def _remove_bundles(store: Store, old: str, kept: set[str]) -> int:
    """Delete the bundles that were to replace one that is still there."""
    if store.head(old) is None:
        return 0
    count = 0
    for head in bundles_below(store, old.rpartition("/")[0] + "/"):
        with suppress(ValueError):
            if head.key not in kept and old in read_table(store, head).replaces:
                delete_bundle(store, head.key)
                count += 1
    return count


def _later_keys(store: Store, key: str) -> Iterator[str]:
    """The objects of the same file with a later number."""
    name = name_in_key(key)
    if name is None:
        return
    for head in list(store.list(key.rpartition("/")[0] + "/")):
        other = stored_of(head)
        if other is not None and is_later(name, other.name):
            yield other.key


def name_in_key(key: str) -> FileName | None:
    """The name of an object by its key; None if it is not one of a recorder."""
    found = stored_of(Head(key, 0, ""))
    return None if found is None else found.name


def is_later(name: FileName, other: FileName) -> bool:
    """Whether ``other`` is of the same room, minute and instance, and has a later number."""
    return (
        (name.platform, name.channel, name.minute, name.instance)
        == (other.platform, other.channel, other.minute, other.instance)
    ) and other.n > name.n
