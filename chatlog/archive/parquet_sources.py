"""Notes in the archive of what the Parquet of a day was made.

    parquet/date=2025-12-29/platform=twitch/channel=forsen/twitch_forsen_20251229.parquet
    parquet/date=2025-12-29/_sources.jsonl       a row for each of these files

The metadata of each file lists its objects; the rows have digests of them. The name of an object is never
used for other bytes. So ``names`` shows a reader, without a request, whether a file has all records of the
objects that are listed now. In the metadata, LISTING says the same of their names and sizes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date
from typing import Any, NamedTuple

from chatlog.archive.room_files import Part, Room
from chatlog.record import from_json, to_line
from chatlog.store.store import Store, StoreError

#: The number of the layout: a file of another one is made again.
LAYOUT = 3
#: Keys of the metadata: LAYOUT, the digest of the names and sizes of the objects (see
#: ``index_coverage.digest_of``), whether the records came in the order of their times, how many there are,
#: and the streams they came from.
LAYOUT_KEY, LISTING = "chatlog.layout", "chatlog.listing"
IN_ORDER, RECORDS, STREAMS = "chatlog.in_order", "chatlog.records", "chatlog.instances"
_TYPE = {"Content-Type": "application/jsonl"}


class ParquetFile(NamedTuple):
    """A file of Parquet. ``size``, ``etag`` and ``sha256`` are of its own bytes, ``records`` counts what is
    in it. ``names``: digest of the names of its objects; ``sources``: digest of their names and contents;
    ``seen``: digest of what the store's listing said of them and of the file."""

    key: str
    size: int
    etag: str
    sha256: str
    records: int
    names: str
    sources: str
    seen: str = ""


def key_of(room: Room, day: date) -> str:
    """The key of a room's day."""
    platform, channel = room
    name = f"{platform}_{channel}_{day:%Y%m%d}.parquet"
    return f"parquet/date={day.isoformat()}/platform={platform}/channel={channel}/{name}"


def notes_key(day: date) -> str:
    """The key of what the files of a day were made of."""
    return f"parquet/date={day.isoformat()}/_sources.jsonl"


def digest_of(words: Iterable[object]) -> str:
    """A digest of words in their order."""
    digest = hashlib.sha256()
    for word in words:
        digest.update(f"{word}\n".encode())
    return digest.hexdigest()[:32]


def names_of(parts: Iterable[Part]) -> str:
    """``ParquetFile.names`` of the parts that may hold records of a day, in their order."""
    return digest_of(f"{part.name}{part.suffix}" for part in parts)


class SourceNotes:
    """The rows of one day by key. Rows that cannot be read count as missing: then the files are made again,
    with the same bytes."""

    def __init__(self, store: Store, day: date) -> None:
        """Reads them. Raises nothing."""
        self._store = store
        self._key = notes_key(day)
        self.files: dict[str, ParquetFile] = {}
        with suppress(StoreError, ValueError, KeyError, TypeError):
            for line in b"".join(store.read(self._key)).splitlines():
                row = from_json(line)
                if row["layout"] == LAYOUT:
                    made = _made(row)
                    self.files[made.key] = made
        self._before = dict(self.files)

    def write(self) -> None:
        """Store them, if they changed. Raises StoreError."""
        if self.files == self._before:
            return
        rows = (to_line({"layout": LAYOUT, **made._asdict()}) for _, made in sorted(self.files.items()))
        data = b"".join(rows)
        self._store.delete(self._key)
        if data:
            self._store.put_new(self._key, data, _TYPE)
        self._before = dict(self.files)


def _made(row: Mapping[str, Any]) -> ParquetFile:
    made = ParquetFile(**{name: row[name] for name in ParquetFile._fields})
    for name, value in made._asdict().items():
        if type(value) is not (int if name in ("size", "records") else str):
            raise ValueError(f"{name}: {value!r}")
    return made
