"""Reads a recorder's files: objects in an archive, also those in bundles, and files in a spool."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

import obstore
import zstandard
from obstore.store import from_url

from chatlog.naming import FileName, parse_name

#: The end of a bundle that is compressed with zstd: the bytes of its table, and this.
_TABLE_ENDS = b"chatlog1"
#: The directories of a spool with files that are not uploaded yet. Of a file in two of them the first counts.
SPOOL_PARTS = ("sealed", "open", "packed")


@dataclass(frozen=True, slots=True)
class Recording:
    """One file or object. ``where`` is its path or key; ``unfinished``: its last line may be incomplete."""

    name: FileName
    where: str
    opener: Callable[[], BinaryIO]
    unfinished: bool = False

    def lines(self) -> Iterator[bytes]:
        """Its lines, without their ends. A last line without an end is given only if the file is finished.
        Raises OSError, EOFError or zstandard.ZstdError for data that cannot be unpacked."""
        with self.opener() as raw, _unpacked(raw, self.where) as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield line[:-1]
                elif not self.unfinished:
                    yield line


def _unpacked(raw: BinaryIO, where: str) -> BinaryIO:
    if where.endswith(".gz"):
        return io.BufferedReader(gzip.GzipFile(fileobj=raw))
    if where.endswith(".zst"):
        reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
        return io.BufferedReader(reader, 1 << 17)
    return raw


def _named(where: str) -> FileName | None:
    """The name in a path or key, None if it is no recording's."""
    name = os.path.basename(where)
    for suffix in (".gz", ".zst"):
        name = name.removesuffix(suffix)
    try:
        return parse_name(name)
    except ValueError:
        return None


def in_directory(path: str, unfinished: bool = False) -> Iterator[Recording]:
    """All recordings below the directory ``path``. Raises ValueError if it is none."""
    if not os.path.isdir(path):
        raise ValueError(f"{path} is no directory")
    for directory, _, names in os.walk(path):
        for name in names:
            where = os.path.join(directory, name)
            found = _named(where)
            if found is not None:
                yield Recording(found, where, partial(_open, where), unfinished)
            elif f"{os.sep}bundle{os.sep}" in where and name.endswith(".zst"):
                with open(where, "rb") as file:
                    content = file.read()
                yield from _in_bundle(where, content)


def _in_bundle(where: str, content: bytes) -> Iterator[Recording]:
    """The recordings in a bundle. Raises ValueError if there is no table of them."""
    size = int.from_bytes(content[-12:-8], "little")
    if not content.endswith(_TABLE_ENDS) or not 20 < size <= len(content):
        raise ValueError(f"{where}: it does not end with a table")
    table = zstandard.ZstdDecompressor().decompress(content[-size + 8 : -12], max_output_size=1 << 26)
    for line in table.splitlines()[1:]:
        row = json.loads(line)
        found = _named(row["key"])
        if found is None:
            raise ValueError(f"{where}: {row['key']} is in it")
        piece = content[row["offset"] : row["offset"] + row["bytes"]]
        yield Recording(found, f"{where}/{row['key']}", partial(io.BytesIO, piece))


def _open(path: str) -> BinaryIO:
    return open(path, "rb")


def in_store(url: str, **config: Any) -> Iterator[Recording]:
    """All recordings in the store ``url`` (s3://, gs://, az://, file://). Credentials come from the
    environment; ``config`` is handed to obstore (``endpoint``, ``region``)."""
    store: Any = from_url(url, **config)
    for batch in obstore.list(store):
        for entry in batch:
            key = entry["path"]
            found = _named(key)
            if found is not None:
                yield Recording(found, key, partial(_fetch, store, key))
            elif (key.startswith("bundle/") or "/bundle/" in key) and key.endswith(".zst"):
                yield from _in_bundle(key, _fetch(store, key).read())


def _fetch(store: Any, key: str) -> BinaryIO:
    return io.BytesIO(bytes(obstore.get(store, key).bytes()))


def in_spool(path: str) -> Iterator[Recording]:
    """All recordings of the spool in the directory ``path``, each name once. Raises ValueError if it is no
    spool."""
    if not any(os.path.isdir(os.path.join(path, part)) for part in SPOOL_PARTS):
        raise ValueError(f"{path} is no spool: none of {', '.join(SPOOL_PARTS)} is in it")
    seen: set[FileName] = set()
    for part in filter(lambda part: os.path.isdir(os.path.join(path, part)), SPOOL_PARTS):
        for recording in in_directory(os.path.join(path, part), unfinished=part == "open"):
            if recording.name not in seen:
                seen.add(recording.name)
                yield recording


def in_order(recordings: list[Recording]) -> list[Recording]:
    """Sorted by room and time."""
    return sorted(
        recordings,
        key=lambda r: (r.name.platform, r.name.channel, r.name.instance, r.name.minute, r.name.n),
    )
