"""Repairs the files that an earlier run left in ``open/``.

A killed process leaves whole lines, perhaps with an incomplete line at the end. A machine that lost its power
may leave more damage: pages that never reached the disk read as NUL bytes or as garbage. Only bytes that were
not synced can be damaged. So the end of the file is checked line by line, and the whole file for NUL bytes.

Lines that are not JSON objects are moved to ``torn/{name}.{offset}``, byte for byte. The other lines
stay. A repair may be interrupted at any point and started again: the moved bytes are on the disk in
``torn/`` before they are removed from the file, and a file is only replaced as a whole.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from chatlog.files import Files, replace_file, write_whole
from chatlog.record import TooDeep, from_json

#: Bytes at the end of a file that are checked line by line: far more than a room gets between two syncs.
TAIL = 4 << 20
#: A line longer than this (bytes) was not written by a recorder, and is not parsed.
LONGEST_LINE = 16 << 20
_CHUNK = 1 << 20


@dataclass(slots=True)
class Repaired:
    """The result for one file: the lines and bytes that it has now (0 bytes: it was removed), and the bytes
    that were moved to ``torn/``."""

    lines: int
    size: int
    torn: int


@dataclass(slots=True)
class Report:
    """The result of a recovery.

    ``failed`` are files that could not be read or repaired, with the reason; they stay in ``open/``.
    ``unknown_files`` are entries of ``open/`` that no recorder made; they are left alone.
    """

    files: int = 0
    lines: int = 0
    emptied: int = 0
    torn_files: int = 0
    torn_bytes: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    unknown_files: list[str] = field(default_factory=list)

    def add(self, repaired: Repaired) -> None:
        """Count one more file."""
        self.files += 1
        self.lines += repaired.lines
        self.emptied += repaired.size == 0
        self.torn_files += repaired.torn > 0
        self.torn_bytes += repaired.torn

    def merge(self, other: Report) -> None:
        """Add the counts of another report."""
        self.files += other.files
        self.lines += other.lines
        self.emptied += other.emptied
        self.torn_files += other.torn_files
        self.torn_bytes += other.torn_bytes
        self.failed += other.failed
        self.unknown_files += other.unknown_files


def is_record(line: bytes) -> bool:
    """Whether ``line``, given without its newline, is one JSON object."""
    if not line.startswith(b"{"):
        return False
    try:
        return isinstance(from_json(line), dict)
    except TooDeep:
        return line.endswith(b"}")
    except ValueError:
        return False


def repair(files: Files, directory: str, name: str) -> Repaired:
    """Leave only whole records in ``{directory}/open/{name}``; a file without records is removed.

    A file without damage is not synced. Raises OSError; the file is then no worse than before, and the
    call can be made again.
    """
    path = os.path.join(directory, "open", name)
    size = files.size(path)
    fd = files.open_read(path)
    try:
        lines, bad, unfinished = _examine(files, fd, size)
        torn = sum(end - start for start, end in bad)
        if bad:
            write_new(files, os.path.join(directory, "torn", f"{name}.{bad[0][0]}"), fd, bad)
        if torn < size and bad and bad[0][1] < size:
            write_new(files, path, fd, _between(bad, size), b"\n" if unfinished else b"")
        elif torn < size and (bad or unfinished):
            _cut_tail(files, path, bad[0][0] if bad else size, unfinished)
    finally:
        files.close(fd)
    if torn == size:
        # Only after the close: network file systems keep an open file under another name.
        files.remove(path)
        files.sync_directory(os.path.join(directory, "open"))
    return Repaired(lines, size - torn + unfinished, torn)


def _examine(files: Files, fd: int, size: int) -> tuple[int, list[tuple[int, int]], bool]:
    """The number of good lines, the byte ranges that are no records, and whether the last line is a record
    that only lacks its newline."""
    newlines, nul = _count(files, fd)
    start = max(0, size - TAIL)
    if nul >= 0:
        start = min(start, nul)
    start = _line_start(files, fd, start)

    bad: list[tuple[int, int]] = []

    def damaged(begin: int, end: int) -> None:
        if bad and bad[-1][1] == begin:
            bad[-1] = (bad[-1][0], end)
        else:
            bad.append((begin, end))

    lost_lines = 0
    line_start = position = start
    rest = b""
    endless = False
    while chunk := files.read_at(fd, _CHUNK, position):
        position += len(chunk)
        if endless:
            # The line is too long to be a record; only its end is searched.
            end = chunk.find(b"\n")
            if end < 0:
                continue
            damaged(line_start, position - len(chunk) + end + 1)
            lost_lines += 1
            line_start = position - len(chunk) + end + 1
            chunk = chunk[end + 1 :]
            endless = False
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        for line in lines:
            end = line_start + len(line) + 1
            if not is_record(line):
                damaged(line_start, end)
                lost_lines += 1
            line_start = end
        if len(rest) > LONGEST_LINE:
            rest = b""
            endless = True
    unfinished = bool(rest) and is_record(rest)
    if line_start < size and not unfinished:
        damaged(line_start, size)
    return newlines - lost_lines + unfinished, bad, unfinished


def _count(files: Files, fd: int) -> tuple[int, int]:
    """The number of newlines, and the offset of the first NUL byte (-1 if there is none)."""
    newlines, nul, position = 0, -1, 0
    while chunk := files.read_at(fd, _CHUNK, position):
        newlines += chunk.count(b"\n")
        if nul < 0 and (found := chunk.find(b"\0")) >= 0:
            nul = position + found
        position += len(chunk)
    return newlines, nul


def _line_start(files: Files, fd: int, offset: int) -> int:
    """The offset at which the line around ``offset`` begins."""
    while offset > 0:
        length = min(65536, offset)
        newline = files.read_at(fd, length, offset - length).rfind(b"\n")
        if newline >= 0:
            return offset - length + newline + 1
        offset -= length
    return 0


def _between(bad: list[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """The ranges within ``size`` bytes that are not in ``bad``."""
    good, at = [], 0
    for start, end in [*bad, (size, size)]:
        if start > at:
            good.append((at, start))
        at = end
    return good


def write_new(files: Files, path: str, source: int, ranges: list[tuple[int, int]], tail: bytes = b"") -> None:
    """Replace ``path`` with ranges of the open file ``source`` and ``tail``. The new file is on the disk when
    this returns. Raises OSError."""
    replace_file(files, path, _parts_of(files, path, source, ranges, tail))


def _parts_of(
    files: Files, path: str, source: int, ranges: list[tuple[int, int]], tail: bytes
) -> Iterator[bytes]:
    for start, end in ranges:
        while start < end:
            chunk = files.read_at(source, min(_CHUNK, end - start), start)
            if not chunk:
                raise OSError(errno.EIO, "the file is shorter than it was", path)
            yield chunk
            start += len(chunk)
    if tail:
        yield tail


def _cut_tail(files: Files, path: str, size: int, unfinished: bool) -> None:
    fd = files.reopen(path)
    try:
        files.truncate(fd, size)
        if unfinished:
            write_whole(files, fd, b"\n")
        files.sync(fd)
    finally:
        files.close(fd)
