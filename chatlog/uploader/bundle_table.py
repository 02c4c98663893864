"""The table of a bundle: where each object is in it.

A bundle is objects, byte for byte one behind the other. One that is compressed with zstd ends with its table,
in a frame that every program for zstd skips:

    magic of a skippable frame (0x184D2A5C, four bytes, little-endian) · bytes that follow (four bytes)
    zstd of:  {"format": 1, "slices": n[, "replaces": [key, ..]]}
              {"key", "offset", "bytes"}                                   a line for every object, in order
    bytes of the whole frame (four bytes) · "chatlog1"

Other bundles have the same bytes in an object beside them, ``{key}.table``, which is stored before them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import zstandard

from chatlog.record import from_json, to_line
from chatlog.store.store import Head, Store

#: Bytes at the end of a bundle that are read at once: most tables fit.
TAIL = 64 << 10
#: The most bytes of a table, and of its text.
MOST = 64 << 20
BESIDE = ".table"
_HEAD = struct.Struct("<II")
_END = struct.Struct("<I8s")
_MAGIC = 0x184D2A5C
_MARK = b"chatlog1"


class Slice(NamedTuple):
    """The object ``key`` is the ``bytes`` behind ``offset`` of the bundle."""

    key: str
    bundle: str
    offset: int
    bytes: int


class Table(NamedTuple):
    """The table of a bundle. ``text``: its lines. ``replaces``: the bundles that this one replaces."""

    bundle: str
    text: bytes
    replaces: tuple[str, ...] = ()

    def slices(self, within: str = "") -> Iterator[Slice]:
        """The objects, or those whose key contains ``within``. Raises ValueError if a line is no object's."""
        wanted = within.encode()
        for line in self.text.split(b"\n"):
            if line and wanted in line:
                yield _slice(self.bundle, from_json(line))


def has_table_inside(bundle: str) -> bool:
    """Whether the bundle with this key ends with its table."""
    return bundle.endswith(".zst")


def table_bytes(slices: Sequence[Slice], replaces: Sequence[str] = ()) -> bytes:
    """The table of a bundle, as it is stored."""
    head: dict[str, Any] = {"format": 1, "slices": len(slices)}
    if replaces:
        head["replaces"] = list(replaces)
    rows = [{"key": each.key, "offset": each.offset, "bytes": each.bytes} for each in slices]
    text = b"".join(map(to_line, [head, *rows]))
    packed = zstandard.ZstdCompressor(level=6, write_checksum=True).compress(text)
    size = _HEAD.size + len(packed) + _END.size
    return _HEAD.pack(_MAGIC, len(packed) + _END.size) + packed + _END.pack(size, _MARK)


def read_table(store: Store, bundle: Head) -> Table:
    """The table of a bundle. Raises StoreError, and ValueError if there is none."""
    return parsed_table(bundle.key, read_packed(store, bundle))


def read_packed(store: Store, bundle: Head) -> bytes:
    """The table of a bundle, as it is stored, with one request if it is not large. Raises StoreError, and
    ValueError if there is none."""
    if not has_table_inside(bundle.key):
        return b"".join(store.read(bundle.key + BESIDE))
    tail = _last(store, bundle, TAIL)
    size = table_size(tail)
    if size > len(tail):
        tail = _last(store, bundle, size)
    return tail[-size:]


def table_size(tail: bytes) -> int:
    """The size of the table at the end of a bundle; ``tail`` is the last bytes of the bundle. Raises
    ValueError if there is none."""
    if len(tail) >= _END.size:
        size, mark = _END.unpack_from(tail, len(tail) - _END.size)
        if mark == _MARK and _HEAD.size + _END.size <= size <= MOST:
            return int(size)
    raise ValueError("it does not end with a table of what is in it")


def parsed_table(bundle: str, tail: bytes) -> Table:
    """The table at the end of these bytes. Raises ValueError if there is none."""
    size = table_size(tail)
    if size > len(tail) or _HEAD.unpack_from(tail, len(tail) - size) != (_MAGIC, size - _HEAD.size):
        raise ValueError("the table of what is in it is cut off")
    packed = tail[len(tail) - size + _HEAD.size : -_END.size]
    try:
        # The most is not heeded where the frame says its size.
        if zstandard.frame_content_size(packed) > MOST:
            raise ValueError("the table of what is in it is too large")
        text = zstandard.ZstdDecompressor().decompress(packed, max_output_size=MOST)
    except zstandard.ZstdError as error:
        raise ValueError(f"the table of what is in it cannot be unpacked: {error}") from None
    first, _, rows = text.partition(b"\n")
    head = from_json(first)
    replaces = head.get("replaces", []) if isinstance(head, dict) and head.get("format") == 1 else None
    if not isinstance(replaces, list) or not all(isinstance(key, str) for key in replaces):
        raise ValueError("the table of what is in it is of a later version of chatlog")
    if rows.count(b"\n") != head.get("slices"):
        raise ValueError("the table of what is in it is not whole")
    return Table(bundle, rows, tuple(replaces))


def _last(store: Store, bundle: Head, size: int) -> bytes:
    offset = max(bundle.size - size, 0)
    return b"".join(store.read_range(bundle.key, offset, bundle.size - offset))


def _slice(bundle: str, row: Any) -> Slice:
    if isinstance(row, dict):
        key, offset, size = row.get("key"), row.get("offset"), row.get("bytes")
        if isinstance(key, str) and isinstance(offset, int) and isinstance(size, int) and offset >= 0 <= size:
            return Slice(key, bundle, offset, size)
    raise ValueError("the table of what is in it has a row that is none")
