"""Reads one set of an index: which files it covers, and where people wrote and words were said.

Of a large object only its end and the groups of rows that may have a value are fetched, to their places in
a sparse file. DuckDB chooses the groups that it reads by the same statistics, so it never looks into a hole.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, Generic, NamedTuple, TypeVar

import orjson

from chatlog.archive.file_cache import FileCache, Held
from chatlog.index.sets import (
    DAYS,
    LAYOUT,
    LAYOUT_KEY,
    NAMES,
    ROOMS_KEY,
    SOURCES_KEY,
    USERS,
    WORDS,
    Days,
    IndexSet,
    Room,
)
from chatlog.index.words import LONGEST, Piece
from chatlog.parquet import duck

T = TypeVar("T")

#: Bytes of memory for DuckDB.
_MEMORY = duck.BESIDE + (64 << 20)
#: Bytes at the end that are fetched first: small objects, and the metadata of most others.
END = 256 << 10
#: The last of all characters.
_LAST = "\U0010ffff"

#: For a column the least and the greatest value, both included.
Bounds = Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class People:
    """One of these people: names, or ``id:1234``."""

    users: frozenset[str]

    @property
    def names(self) -> frozenset[str]:
        """Their names."""
        return frozenset(user for user in self.users if not user.startswith("id:"))

    @property
    def ids(self) -> frozenset[str]:
        """Their ids."""
        return frozenset(user[3:] for user in self.users if user.startswith("id:"))


@dataclass(frozen=True, slots=True)
class Said:
    """A message with words of which all these are pieces."""

    pieces: frozenset[Piece]


Term = People | Said


class Known(NamedTuple):
    """A room's day in a set: the digest of the listing of its files, and the facts of all of them together
    (``index_coverage.Day``), as JSON."""

    listing: str
    text: str


@dataclass(frozen=True, slots=True)
class Texts(Generic[T]):
    """Values of a set, by room and day of the month. ``sources``: the digest that all objects of the set have
    in common; ``size``: about the bytes of memory that they take."""

    sources: str
    by_room: dict[Room, dict[int, T]]
    size: int


class Duck:
    """DuckDB for look-ups, by one thread at a time. It is loaded when it is needed."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._connection: Any = None

    @cached_property
    def is_there(self) -> bool:
        """Whether DuckDB is installed."""
        return importlib.util.find_spec("duckdb") is not None

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of an answer. Raises NoDuckDB, TooLittleMemory, Unreadable, OSError."""
        with self._lock:
            if self._connection is None:
                self._connection = duck.connect(_MEMORY, Path(tempfile.gettempdir()))
                # Files change while they are read: holes are filled.
                self._connection.execute("SET enable_external_file_cache = false")
            with duck.clear_errors():
                found: list[tuple[Any, ...]] = self._connection.execute(sql).fetchall()
        return found


class _Partial:
    """An object of which only the needed parts are fetched."""

    def __init__(self, held: Held, query: Duck) -> None:
        self._held = held
        self._duck = query
        self.path = held.path

    def fetch_end(self) -> None:
        """Fetch the metadata."""
        size = self._held.size
        self._held.fetch([(max(0, size - END), min(END, size))])
        with self.path.open("rb") as file:
            file.seek(max(0, size - 8))
            last = file.read()
        if last[4:] != b"PAR1":
            raise duck.Unreadable("it is no Parquet")
        whole = int.from_bytes(last[:4], "little") + 8
        if END < whole <= size:
            self._held.fetch([(size - whole, whole)])

    def fetch_all(self) -> None:
        """Fetch everything."""
        self._held.fetch([(0, self._held.size)])

    def fetch(self, bounds: Bounds, columns: Collection[str] = ()) -> None:
        """Fetch all rows that may have such values, or these columns of them."""
        if self._held.size <= END:
            return
        chunks: dict[int, list[tuple[int, int]]] = {}
        out: set[int] = set()
        for group, column, least, most, begin, size in self._duck.query(
            "SELECT row_group_id, path_in_schema, stats_min_value, stats_max_value, "
            "coalesce(dictionary_page_offset, data_page_offset), total_compressed_size "
            f"FROM parquet_metadata({duck.quoted(str(self.path))})"
        ):
            low, high = bounds.get(column, ("", _LAST))
            if (least is not None and least.encode() > high.encode()) or (
                most is not None and most.encode() < low.encode()
            ):
                out.add(group)
            if not columns or column in columns:
                chunks.setdefault(group, []).append((begin, size))
        self._held.fetch([each for group, own in chunks.items() if group not in out for each in own])


class SetReader:
    """Reads one set through the cache. Every method may raise StoreError, CacheError, Changed, NoDuckDB,
    TooLittleMemory, Unreadable and OSError."""

    def __init__(self, cache: FileCache, found: IndexSet, query: Duck) -> None:
        self._cache = cache
        self._set = found
        self._duck = query

    def fetch_ends(self, terms: Collection[Term]) -> None:
        """Fetch the ends of all objects that these terms need, at the same time."""
        kinds = {DAYS}
        for term in terms:
            kinds |= {WORDS} if isinstance(term, Said) else {NAMES, USERS} if term.names else {USERS}

        def fetch(kind: str) -> None:
            with self._cache.ranges(self._set.head(kind)) as held:
                _Partial(held, self._duck).fetch_end()

        with ThreadPoolExecutor(len(kinds)) as threads:
            for _ in threads.map(fetch, sorted(kinds)):
                pass

    def known(self) -> Texts[Known]:
        """The days of rooms that the set covers."""
        rows, sources = self._rows("listing, known")
        by_room: dict[Room, dict[int, Known]] = {}
        for platform, channel, day, listing, text in rows:
            by_room.setdefault((platform, channel), {})[day] = Known(listing, text)
        return Texts(sources, by_room, sum(len(row[4]) + 300 for row in rows))

    def files(self, room: Room) -> dict[int, str]:
        """The files of each day of a room, as JSON."""
        bounds = {name: (of, of) for name, of in zip(("platform", "channel"), room, strict=True)}
        with self._opened(DAYS) as (part, _):
            return dict(self._matching(part, "day(day)::INTEGER, files", bounds))

    def _rows(self, columns: str) -> tuple[list[tuple[Any, ...]], str]:
        """These columns of all days, and the digest by which the set belongs together."""
        wanted = f"platform, channel, day, {columns}"
        with self._opened(DAYS) as (part, metadata):
            part.fetch({}, frozenset(wanted.split(", ")))
            rows = self._duck.query(
                f"SELECT {wanted.replace('day', 'day(day)::INTEGER')} FROM {_source(part)}"
            )
        return rows, str(metadata[SOURCES_KEY])

    def days(self, term: Term, sources: str) -> Days:
        """The days of rooms that meet a term."""
        if isinstance(term, People):
            return self._of_people(term, sources)
        return self._of_words(term, sources)

    def _of_people(self, term: People, sources: str) -> Days:
        wanted: list[Bounds] = [{"user_id": (id, id)} for id in sorted(term.ids)]
        wanted += [
            {"user_id": (id, id), "username": (name, name)} for name, id in self.named(term.names, sources)
        ]
        days: Days = {}
        if wanted:
            with self._opened(USERS, sources) as (part, _):
                for bounds in wanted:
                    for platform, channel, bits in self._matching(part, "platform, channel, days", bounds):
                        room = platform, channel
                        days[room] = days.get(room, 0) | bits
        return days

    def named(self, names: Collection[str], sources: str) -> list[tuple[str, str]]:
        """Names with the ids that they were seen with; an id may be empty."""
        if not names:
            return []
        with self._opened(NAMES, sources) as (part, _):
            return [
                (name, id)
                for name in sorted(names)
                for (id,) in self._matching(part, "user_id", {"username": (name, name)})
            ]

    def _of_words(self, term: Said, sources: str) -> Days:
        units: set[int] | None = None
        with self._opened(WORDS, sources) as (part, known):
            for piece in sorted(term.pieces, key=lambda piece: (not piece.begins, -len(piece.text))):
                own = {unit for (unit,) in self._with_piece(part, piece)}
                units = own if units is None else units & own
                if not units:
                    return {}
        days: Days = {}
        for unit in units or ():
            platform, _, channel = known[ROOMS_KEY][unit // 32].partition("/")
            days[platform, channel] = days.get((platform, channel), 0) | 1 << unit % 32
        return days

    def _with_piece(self, part: _Partial, piece: Piece) -> list[tuple[Any, ...]]:
        units = "DISTINCT unnest(units)"
        if piece.begins:
            bounds = (piece.text, piece.text) if piece.ends else (piece.text, piece.text + _LAST)
            return self._matching(part, units, {"word": bounds})
        part.fetch_all()
        inside = "ends_with" if piece.ends else "contains"
        # Of a long word only the beginning is known.
        condition = f"{inside}(word, {duck.quoted(piece.text)}) OR length(word) >= {LONGEST}"
        return self._duck.query(f"SELECT {units} FROM {_source(part)} WHERE {condition}")

    def _matching(self, part: _Partial, columns: str, bounds: Bounds) -> list[tuple[Any, ...]]:
        part.fetch(bounds)
        conditions = []
        for column, (low, high) in bounds.items():
            if low == high:
                conditions.append(f"{column} = {duck.quoted(low)}")
            else:
                conditions += [f"{column} >= {duck.quoted(low)}", f"{column} <= {duck.quoted(high)}"]
        return self._duck.query(f"SELECT {columns} FROM {_source(part)} WHERE {' AND '.join(conditions)}")

    @contextmanager
    def _opened(self, kind: str, sources: str | None = None) -> Iterator[tuple[_Partial, dict[str, Any]]]:
        """An object, with its metadata. Raises Unreadable if it does not belong to the ``sources``."""
        head = self._set.head(kind)
        with self._cache.ranges(head) as held:
            part = _Partial(held, self._duck)
            part.fetch_end()
            known = self._metadata(part)
            if sources is not None and known[SOURCES_KEY] != sources:
                raise duck.Unreadable(f"{head.key} does not belong to the others of its set")
            yield part, known

    def _metadata(self, part: _Partial) -> dict[str, Any]:
        rows = self._duck.query(
            f"SELECT decode(key), decode(value) FROM parquet_kv_metadata({duck.quoted(str(part.path))})"
        )
        try:
            known = {key: orjson.loads(value) for key, value in rows if key.startswith("chatlog.")}
        except orjson.JSONDecodeError:
            known = {}
        if known.get(LAYOUT_KEY) != LAYOUT or SOURCES_KEY not in known:
            raise duck.Unreadable("it is of another layout")
        return known


def _source(part: _Partial) -> str:
    return f"read_parquet({duck.quoted(str(part.path))})"
