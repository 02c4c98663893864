"""Reads a file in pieces, as bytes or as lines."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Iterator

from chatlog.files import Files

_CHUNK = 1 << 20
_PART = 1 << 16


def chunks_of(files: Files, path: str) -> Generator[bytes, None, None]:
    """The bytes of a file, in pieces. Raises OSError."""
    fd = files.open_read(path)
    try:
        while chunk := files.read(fd, _CHUNK):
            yield chunk
    finally:
        files.close(fd)


def sha256_of(chunks: Iterable[bytes]) -> str:
    """The SHA-256 of a file, in hex digits."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def lines_of(chunks: Iterable[bytes], longest: int) -> Generator[tuple[bytes, bool], None, None]:
    """The lines of a file, without newlines, each with whether it is complete. A line longer than ``longest``
    bytes is cut there; the last line is incomplete if it has no newline. Holds at most ``longest`` bytes
    and one chunk."""
    rest = b""
    cut = False
    for chunk in chunks:
        pieces = chunk.split(b"\n")
        pieces[0] = rest + pieces[0]
        rest = pieces.pop()
        for piece in pieces:
            yield piece[:longest], not cut and len(piece) <= longest
            cut = False
        if len(rest) > longest:
            rest, cut = rest[:longest], True
    if rest:
        yield rest, False


def gathered(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines, joined into larger parts."""
    part = bytearray()
    for line in lines:
        part += line
        if len(part) >= _PART:
            yield bytes(part)
            part.clear()
    yield bytes(part)
