"""The format of the files of the state.

    3d4b7c5e 0 {"state":"held","version":1}      the first line of every file, in this form in every version
    a1f04c92 1 {"held":1,"room":"ann",..}        an entry, JSON in one line

A line is a CRC-32 of the rest as eight hexadecimal digits, the number of the line, and an entry. The CRC
shows a line that is not whole, and a gap in the numbers shows a line that is missing: when the machine dies,
the disk may lose any data that was not forced to it, and keep later data.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

from chatlog.record import from_json, to_line_exactly

#: The version of the format and of the entries. No program reads a file of a later version.
VERSION = 1
#: Bytes of the longest line that is read; an entry with 10,000 rooms has about two million.
LONGEST = 1 << 26


def first_line(name: str) -> bytes:
    """The first line of the file ``name``."""
    return encode(0, {"state": name, "version": VERSION})


def version_of(line: bytes) -> int:
    """The version in a file's first line; 0 if the line is no such line."""
    found = decode(line)
    version = found[1].get("version") if found and isinstance(found[1], dict) else None
    return version if isinstance(version, int) else 0


def encode(number: int, entry: object) -> bytes:
    """The line of an entry, its end included. Raises the errors of ``to_line_exactly``."""
    body = b"%d %b" % (number, to_line_exactly(entry))
    return b"%08x %b" % (crc32(body[:-1]), body)


def decode(line: bytes) -> tuple[int, Any] | None:
    """The number and the entry of a line, given without its newline; None if the line is damaged."""
    checksum, _, body = line.partition(b" ")
    if checksum != b"%08x" % crc32(body):
        return None
    number, _, entry = body.partition(b" ")
    try:
        return int(number), from_json(entry)
    except ValueError:
        return None
