"""Reads files of lines, compressed or not, with no more than one line in memory."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import zstandard

from chatlog.chunks import lines_of

#: No line of chat is longer.
LONGEST = 1 << 20
_CHUNK = 1 << 18
SUFFIXES = (".gz", ".zst")


class DamagedFile(Exception):
    """A file that cannot be read, or not to its end; the message says so and why."""


def lines_in(path: Path) -> Iterator[tuple[bytes, bool]]:
    """The lines of a file, and whether each is whole; a line longer than LONGEST is cut off there. Raises
    DamagedFile, also in the middle of the file."""
    try:
        with path.open("rb") as file:
            yield from lines_of_chunks(_chunks(file, path.suffix))
    except EOFError:
        raise DamagedFile("is damaged: it is cut off") from None
    except (zlib.error, zstandard.ZstdError) as error:
        raise DamagedFile(f"is damaged: it cannot be unpacked: {error}") from None
    except OSError as error:
        raise DamagedFile(f"cannot be read: {error.strerror or error}") from None


def lines_of_chunks(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """The same for chunks that are read already."""
    for line, whole in lines_of(chunks, LONGEST):
        # The last line may have no newline.
        yield line, whole or len(line) < LONGEST


def _chunks(file: IO[bytes], suffix: str) -> Iterator[bytes]:
    reader: Any = file
    if suffix == ".gz":
        reader = gzip.GzipFile(fileobj=file)
    elif suffix == ".zst":
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    while chunk := reader.read(_CHUNK):
        yield chunk


def without_packing(name: str) -> str:
    """The file's name without the suffix of its compression."""
    return next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), name)


def signature(paths: Iterable[Path], meaning: str) -> str:
    """A signature that changes if one of the files changes, or the ``meaning``, such as the room of lines
    that name none. ``""`` if a file cannot be examined."""
    digest = sha256(f"{meaning}\n".encode())
    try:
        for path in paths:
            status = path.stat()
            digest.update(f"{path.name} {status.st_size} {status.st_mtime_ns}\n".encode("utf-8", "replace"))
    except OSError:
        return ""
    return digest.hexdigest()[:32]
