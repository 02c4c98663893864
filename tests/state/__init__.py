"""The state on the disk, and how tests look at it."""

from __future__ import annotations

from typing import Any
from zlib import crc32

from chatlog.state.lines import decode
from tests.fakes import MemoryFiles


def entries(files: MemoryFiles, name: str, directory: str = "/data") -> list[Any]:
    """What a file of the state holds; damaged lines are left out."""
    path = f"{directory}/state/{name}"
    return [entry for _, entry in numbered(files.content(path))] if files.exists(path) else []


def numbered(data: bytes) -> list[tuple[int, Any]]:
    """The entries in these bytes of a file of the state, with their numbers."""
    found = map(decode, data.split(b"\n"))
    return [entry for entry in found if entry is not None and entry[0] > 0]


def summed(lines: bytes) -> bytes:
    """These lines, each with the checksum that makes it whole."""
    return b"".join(b"%08x %b\n" % (crc32(line), line) for line in lines.split(b"\n"))
