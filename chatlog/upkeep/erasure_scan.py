"""Reads every object in which a person may be, several at a time, and says which have something of them.

Names and ids that belong together are found on the way, and then looked for as well, until nothing new comes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from chatlog.archive.parts import AREAS, whole_lines
from chatlog.files import Files
from chatlog.naming import FileName, parse_name
from chatlog.store.store import Head, Store, StoreError
from chatlog.upkeep.person_search import Facts, PersonSearch
from chatlog.uploader.manifest_chain import suffix_of
from chatlog.uploader.packing import unpacked

#: Objects that are read at the same time, and those that wait for their turn to be looked at.
AT_ONCE = 8
#: Records may be in a file that began so much earlier, or later.
_EARLIER, _LATER = timedelta(days=1), timedelta(days=1)
_BLOCK = 1 << 20
_IN_BUNDLE = "it is a bundle, which this version does not look into: nobody is erased from it"


class Stored(NamedTuple):
    """An object of a recorder: its key, its name, and the suffix of its compression."""

    key: str
    name: FileName
    suffix: str


class Hit(NamedTuple):
    """An object with something of the person: how many lines would be left out, and how many changed."""

    object: Stored
    removed: int
    redacted: int


@dataclass(frozen=True, slots=True)
class Scope:
    """The objects to be looked at: those of a platform, of all rooms or these channels, of all days or the
    days from ``first`` to ``last``."""

    platform: str
    channels: frozenset[str] = frozenset()
    first: date | None = None
    last: date | None = None

    def has(self, name: FileName) -> bool:
        """Whether a file of this name may have records of the scope."""
        day = datetime.strptime(name.minute[:8], "%Y%m%d").replace(tzinfo=UTC).date()
        return (
            name.platform == self.platform
            and (not self.channels or name.channel in self.channels)
            and (self.first is None or day >= self.first - _EARLIER)
            and (self.last is None or day <= self.last + _LATER)
        )

    def prefixes(self, today: date) -> Iterator[str]:
        """What to list: everything, or one day after the other."""
        if self.first is None:
            yield ""
            return
        day, last = self.first - _EARLIER, min(self.last or today, today) + _LATER
        while day <= last:
            yield f"{day:%Y/%m/%d}/{self.platform}/"
            day += timedelta(days=1)


@dataclass(slots=True)
class Scan:
    """The result of one look at everything. ``unread`` are objects that could not be read, with why."""

    listed: list[Stored] = field(default_factory=list)
    hits: list[Hit] = field(default_factory=list)
    facts: Facts = field(default_factory=Facts)
    unread: list[tuple[str, str]] = field(default_factory=list)


def stored_of(head: Head) -> Stored | None:
    """The object of a listing; None if it is not one of a recorder."""
    suffix = suffix_of(head.key)
    with suppress(ValueError):
        name = parse_name(head.key.removesuffix(suffix).rpartition("/")[2])
        if name.key(suffix=suffix) == head.key:
            return Stored(head.key, name, suffix)
    return None


class Scanner:
    """Looks at the objects of one scope. ``step(done, total)`` is told the progress."""

    def __init__(
        self, store: Store, scope: Scope, today: date, step: Callable[[int, int], object] = lambda *_: None
    ) -> None:
        self._store = store
        self._scope = scope
        self._today = today
        self._step = step

    def objects(self) -> list[Stored]:
        """The objects of the scope. Raises StoreError."""
        found: dict[str, Stored] = {}
        for prefix in self._scope.prefixes(self._today):
            for head in self._store.list(prefix):
                object = stored_of(head)
                if object is not None and self._scope.has(object.name):
                    found[object.key] = object
        return sorted(found.values(), key=lambda each: (each.key.rpartition("/")[0], *_order(each)))

    def scan(self, search: PersonSearch) -> Scan:
        """Look at every object once. Raises StoreError if they cannot be listed, or if the store is away."""
        result = Scan(self.objects())
        result.unread += ((key, _IN_BUNDLE) for key in self._bundles())
        flying: deque[tuple[Stored, Future[tuple[int, int, Facts]]]] = deque()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                for number, each in enumerate(result.listed):
                    flying.append((each, pool.submit(self._look, each, search)))
                    if len(flying) >= 2 * AT_ONCE:
                        self._land(*flying.popleft(), result)
                        self._step(number, len(result.listed))
                while flying:
                    self._land(*flying.popleft(), result)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return result

    def _bundles(self) -> Iterator[str]:
        """The bundles of the scope's rooms: bundle/2025/12/twitch/ann/..."""
        for head in self._store.list("bundle/"):
            parts = head.key.split("/")
            if len(parts) < 6 or parts[3] != self._scope.platform:
                continue
            if not self._scope.channels or parts[4] in self._scope.channels:
                yield head.key

    def _land(self, each: Stored, future: Future[tuple[int, int, Facts]], result: Scan) -> None:
        try:
            removed, redacted, facts = future.result()
        except (StoreError, ValueError) as error:
            if isinstance(error, StoreError) and error.of_all:
                raise
            why = error.advice if isinstance(error, StoreError) else f"it is damaged: {error}"
            result.unread.append((each.key, why))
            return
        result.facts.add(facts)
        if removed or redacted:
            result.hits.append(Hit(each, removed, redacted))

    def _look(self, each: Stored, search: PersonSearch) -> tuple[int, int, Facts]:
        return looked_at(whole_lines(unpacked(self._store.read(each.key), each.suffix), False), search)


def looked_at(blocks: Iterable[bytes], search: PersonSearch) -> tuple[int, int, Facts]:
    """How many lines would be left out, how many changed, and what they say of the person."""
    facts = Facts()
    removed = redacted = 0
    for block in blocks:
        for change in search.changes(block, facts):
            removed += change.rest is None
            redacted += change.rest is not None
    return removed, redacted, facts


def _order(each: Stored) -> tuple[str, str, int]:
    return each.name.minute, each.name.instance, each.name.n


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file of the recorder on this machine that is not stored yet, and how many of its lines are about the
    person."""

    path: str
    name: FileName
    lines: int


def spooled(files: Files, directory: str) -> dict[FileName, tuple[str, str]]:
    """The files of the spool at ``directory``: path and suffix of each. A file that moves on meanwhile may be
    left out: then it is in the store, or a moment later. Raises OSError."""
    found = {}
    for area in AREAS:
        try:
            names = files.names(f"{directory}/{area}")
        except FileNotFoundError:
            continue
        for text in names:
            suffix = suffix_of(text)
            with suppress(ValueError):
                found[parse_name(text.removesuffix(suffix))] = (f"{directory}/{area}/{text}", suffix)
    return found


def in_spool(files: Files, directory: str, scope: Scope, search: PersonSearch) -> list[Waiting]:
    """The files of the spool at ``directory`` that are in the scope. Raises OSError, and ValueError for a
    damaged file."""
    found = []
    for name, (path, suffix) in spooled(files, directory).items():
        if not scope.has(name):
            continue
        with suppress(FileNotFoundError):
            may_be_torn = path.startswith(f"{directory}/open/")
            blocks = whole_lines(unpacked(_chunks(files, path), suffix), may_be_torn)
            removed, redacted, _ = looked_at(blocks, search)
            found.append(Waiting(path, name, removed + redacted))
    return found


def _chunks(files: Files, path: str) -> Iterator[bytes]:
    fd = files.open_read(path)
    try:
        while chunk := files.read(fd, _BLOCK):
            yield chunk
    finally:
        files.close(fd)
