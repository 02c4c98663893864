"""Reads the metadata of our own Parquet from the end of a file, without DuckDB.

A file of Parquet ends with its footer, the footer's size (four bytes, little-endian) and ``PAR1``. The footer
is a structure of Thrift's compact protocol (https://github.com/apache/parquet-format), in which a pair of
metadata is a text of a known name followed by another text. That is all that is looked for.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from chatlog.record import from_json

#: Bytes at the end of a file in which the footer mostly is.
TAIL = 64 << 10
_MARK = b"PAR1"
#: A further field of the type text.
_TEXT = 0x18


def footer_size(tail: bytes) -> int:
    """The bytes from the beginning of the footer to the end of the file, of which these are the last. Raises
    ValueError if it is no Parquet."""
    if len(tail) < 12 or tail[-4:] != _MARK:
        raise ValueError("it is no Parquet, or is cut off")
    return int.from_bytes(tail[-8:-4], "little") + 8


def value_of(tail: bytes, name: str) -> Any:
    """A value of the metadata, read from JSON; None if there is none."""
    key = name.encode()
    # Before the metadata there may be texts of people: the least and the greatest of each column.
    at = tail.rfind(_varint(len(key)) + key)
    if at < 0:
        return None
    at += len(key) + 1
    if at >= len(tail) or tail[at] != _TEXT:
        return None
    size = shift = 0
    while True:
        at += 1
        if at >= len(tail) or shift > 28:
            return None
        size |= (tail[at] & 0x7F) << shift
        if tail[at] < 0x80:
            break
        shift += 7
    with suppress(ValueError):
        return from_json(tail[at + 1 : at + 1 + size])
    return None


def _varint(number: int) -> bytes:
    assert number < 0x80
    return bytes([number])
