"""The format of the files that hold what the next run has to know.

    3d4b7c5e 0 {"state":"held","version":1}      the first line of every file, in this form in every version
    a1f04c92 1 {"held":1,"room":"ann",..}        an entry, JSON in one line

A line is the CRC-32 of what comes behind it, as eight hexadecimal digits, the number of the line, and an
entry. So a line is whole or does not count, and a gap in the numbers shows that a line is missing: a disk may
lose any part of what was not forced to it when the machine dies, and keep what came later.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

from chatlog.record import from_json, to_line

#: The version of the format and of the entries. A program reads no file of a later one.
VERSION = 1
#: Bytes of the longest line that is read; the rooms of 10,000 take two millions.
LONGEST = 1 << 26


def first_line(name: str) -> bytes:
    """The line that begins the file of that name."""
    return encode(0, {"state": name, "version": VERSION})


def version_of(line: bytes) -> int:
    """The version that a first line states; 0 if it is none."""
    found = decode(line)
    version = found[1].get("version") if found and isinstance(found[1], dict) else None
    return version if isinstance(version, int) else 0


def encode(number: int, entry: object) -> bytes:
    """The line of an entry, its end included. Raises what ``to_line`` raises."""
    body = b"%d %b" % (number, to_line(entry))
    return b"%08x %b" % (crc32(body[:-1]), body)


def decode(line: bytes) -> tuple[int, Any] | None:
    """Number and entry of a line without its end; None for one that is damaged."""
    checksum, _, body = line.partition(b" ")
    if checksum != b"%08x" % crc32(body):
        return None
    number, _, entry = body.partition(b" ")
    try:
        return int(number), from_json(entry)
    except ValueError:
        return None
