"""Packs a finished file for the store: compresses it once, always to the same bytes, and describes it.

    sealed/{name} -> packed/{name}.zst        the first is removed when the second is on the disk

A crash leaves the first, the second or both; at least one of them is complete.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

import zstandard

from chatlog.chunks import chunks_of
from chatlog.files import Files, write_whole
from chatlog.record import from_json

#: The suffix of a name for each compression.
SUFFIXES = {"none": "", "gzip": ".gz", "zstd": ".zst"}
CONTENT_TYPES = {"": "application/x-ndjson", ".gz": "application/gzip", ".zst": "application/zstd"}
#: The suffix of the name of a file that is being packed.
UNFINISHED = ".new"
_CHUNK = 1 << 20
_PIECE = 1 << 16
#: Higher levels make chat a little smaller, at several times the cost.
LEVEL = 6
#: With zstd a third of the cost, and a little larger.
QUICK_LEVEL = 3
#: A line longer than this (bytes) is not held, so its timestamp is not found.
_LONGEST_LINE = 4 << 20


class Packer(Protocol):
    """Compresses a stream."""

    def compress(self, data: bytes, /) -> bytes:
        """Take the next bytes of the input; returns bytes of the output."""

    def flush(self) -> bytes:
        """End the input; returns the rest of the output."""


class _Plain:
    def compress(self, data: bytes) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


def packer(suffix: str, size: int = 0, level: int = LEVEL) -> Packer:
    """A packer for files with this suffix. The same input always gives the same output: the output contains
    no time and no name. ``size`` is the bytes of the input, 0 if unknown; small inputs need less memory if
    it is known."""
    if suffix == ".gz":
        return zlib.compressobj(level, zlib.DEFLATED, 31)
    if suffix == ".zst":
        how = zstandard.ZstdCompressionParameters.from_level(level, source_size=size, write_checksum=True)
        return zstandard.ZstdCompressor(compression_params=how).compressobj()
    return _Plain()


def unpacked(chunks: Iterable[bytes], suffix: str) -> Iterator[bytes]:
    """The content of a stored file, in pieces. Raises ValueError if the file is damaged or incomplete."""
    if suffix == ".gz":
        reader: Any = zlib.decompressobj(31)
    elif suffix == ".zst":
        reader = zstandard.ZstdDecompressor().decompressobj()
    else:
        yield from chunks
        return
    try:
        for chunk in chunks:
            while chunk and not reader.eof:
                if suffix == ".gz":
                    yield reader.decompress(chunk, _CHUNK)
                    chunk = reader.unconsumed_tail
                else:
                    # Small pieces: the output may be a thousand times larger.
                    yield reader.decompress(chunk[:_PIECE])
                    chunk = chunk[_PIECE:]
            if reader.eof and (reader.unused_data or chunk):
                raise ValueError("there is more behind its end")
        if suffix == ".gz":
            yield reader.flush()
    except (zlib.error, zstandard.ZstdError) as error:
        raise ValueError(f"it cannot be unpacked: {error}") from None
    if not reader.eof:
        raise ValueError("it is cut off")


@dataclass(slots=True)
class Contents:
    """The number of records in a file, and the timestamps of the first and the last (``""`` if a record has
    none)."""

    lines: int
    first: str
    last: str


class ContentsReader:
    """Computes the Contents of the bytes that it is fed."""

    def __init__(self) -> None:
        #: Bytes fed so far.
        self.size = 0
        self._lines = 0
        self._first: bytes | None = None
        self._head = b""
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the file."""
        self.size += len(data)
        self._lines += data.count(b"\n")
        if self._first is None and len(self._head) < _LONGEST_LINE:
            self._head += data
            end = self._head.find(b"\n")
            if end >= 0:
                self._first, self._head = self._head[:end], b""
        # Only the last whole line has to be kept.
        self._tail += data
        end = self._tail.rfind(b"\n")
        start = self._tail.rfind(b"\n", 0, max(end, 0))
        if start >= 0:
            self._tail = self._tail[start + 1 :]
        if len(self._tail) > _LONGEST_LINE:
            self._tail = self._tail[-_LONGEST_LINE:]

    def contents(self) -> Contents:
        """The Contents of everything fed so far."""
        return Contents(self._lines, _timestamp(self._first or b""), _timestamp(self._tail.rstrip(b"\n")))


def _timestamp(line: bytes) -> str:
    with suppress(ValueError):
        record = from_json(line)
        if isinstance(record, dict):
            return str(record.get("timestamp", ""))[:40]
    return ""


@dataclass(slots=True)
class Packed:
    """A file as it will be stored: all its bytes, their digests in hex, and the Contents of its records."""

    data: bytes
    suffix: str
    sha256: str
    md5: str
    contents: Contents


def pack_data(data: bytes, suffix: str, level: int = LEVEL) -> Packed:
    """Some lines as an object of their own."""
    reader = ContentsReader()
    reader.feed(data)
    packing = packer(suffix, len(data), level)
    return _packed([packing.compress(data), packing.flush()], suffix, reader)


def pack(files: Files, source: str, target: str, suffix: str, level: int = LEVEL) -> Packed:
    """Compress the file ``source`` to ``target``, which is complete and on the disk when this returns.

    The written bytes are read back and unpacked before the file gets its name: ``source`` is not needed any
    more afterwards. Raises OSError, and ValueError if the written bytes are wrong; there is no ``target``
    then.
    """
    with _removed_if_it_fails(files, [target]):
        packed = _written(files, source, target, suffix, level, sync=True)
        files.rename(target + UNFINISHED, target)
    files.sync_directory(_directory(target))
    return packed


def pack_together(
    files: Files, pairs: Sequence[tuple[str, str]], suffix: str, level: int = LEVEL
) -> list[Packed]:
    """Compress several files, each of which is a source and its target, all in the same directory. They are
    forced to the disk together. Raises as ``pack`` does; some targets may be complete then."""
    with _removed_if_it_fails(files, [target for _, target in pairs]):
        packed = [_written(files, source, target, suffix, level, sync=False) for source, target in pairs]
        _sync(files, [target + UNFINISHED for _, target in pairs])
    for _, target in pairs:
        # Every file is complete, so none has to be removed after an error from here on.
        files.rename(target + UNFINISHED, target)
    files.sync_directory(_directory(pairs[0][1]))
    return packed


@contextmanager
def _removed_if_it_fails(files: Files, targets: Sequence[str]) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError):
        # The incomplete files take space, and the disk may be full.
        for target in targets:
            with suppress(OSError):
                files.remove(target + UNFINISHED)
        raise


def _written(files: Files, source: str, target: str, suffix: str, level: int, sync: bool) -> Packed:
    """Compress a file to one beside the target, and verify the result."""
    unfinished = target + UNFINISHED
    with suppress(FileNotFoundError):
        files.remove(unfinished)
    reader = ContentsReader()
    fd = files.create(unfinished)
    try:
        with closing(_fed(reader, chunks_of(files, source))) as chunks:
            for data in _through(packer(suffix, files.size(source), level), chunks):
                write_whole(files, fd, data)
        if sync:
            files.sync(fd)
    finally:
        files.close(fd)
    return _proven(files, unfinished, suffix, reader)


def _sync(files: Files, paths: Sequence[str]) -> None:
    if files.sync_all(_directory(paths[0])):
        return
    for path in paths:
        fd = files.reopen(path)
        try:
            files.sync(fd)
        finally:
            files.close(fd)


def _directory(path: str) -> str:
    return path.rpartition("/")[0]


def _proven(files: Files, path: str, suffix: str, reader: ContentsReader) -> Packed:
    """Read the compressed file back and compare it with its input. Raises OSError and ValueError."""
    pieces: list[bytes] = []
    with closing(_kept(pieces, chunks_of(files, path))) as chunks:
        # Both formats contain a checksum of the input, which unpacking compares with the output.
        size = sum(len(chunk) for chunk in unpacked(chunks, suffix))
    if size != reader.size:
        raise ValueError(f"{size} bytes were packed and not {reader.size}")
    return _packed(pieces, suffix, reader)


def _packed(pieces: list[bytes], suffix: str, reader: ContentsReader) -> Packed:
    data = b"".join(pieces)
    return Packed(
        data,
        suffix,
        hashlib.sha256(data).hexdigest(),
        hashlib.md5(data, usedforsecurity=False).hexdigest(),
        reader.contents(),
    )


def _through(packing: Packer, chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        if data := packing.compress(chunk):
            yield data
    if data := packing.flush():
        yield data


def load(files: Files, path: str, suffix: str, compress: bool = False, level: int = LEVEL) -> Packed:
    """Read a file into memory. With ``compress``, the file is not compressed yet and is compressed in
    memory. Raises OSError, and ValueError if a compressed file is damaged."""
    reader = ContentsReader()
    pieces: list[bytes] = []
    if compress:
        pieces += _through(packer(suffix, files.size(path), level), _fed(reader, chunks_of(files, path)))
    else:
        for chunk in unpacked(_kept(pieces, chunks_of(files, path)), suffix):
            reader.feed(chunk)
    return _packed(pieces, suffix, reader)


def _fed(reader: ContentsReader, chunks: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    with closing(chunks):
        for chunk in chunks:
            reader.feed(chunk)
            yield chunk


def _kept(pieces: list[bytes], chunks: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    with closing(chunks):
        for chunk in chunks:
            pieces.append(chunk)
            yield chunk
