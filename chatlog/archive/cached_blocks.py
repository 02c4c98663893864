"""The blocks of one object that are on this machine: a sparse file, and a list of what is in it.

The list has a line for each block, with its number and checksum, and a first one with the time when it was
begun. Blocks that did not reach the disk when the machine died have another checksum, and are missing.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

#: Bytes of a block, and the most that one request asks for.
BLOCK = 128 << 10
PIECE = 64 * BLOCK
#: The most requests of one call at the same time.
AT_ONCE = 4
_LINE = re.compile(rb"([0-9]{1,12}) ([0-9a-f]{8})\Z")


class Changed(Exception):
    """The object was replaced or deleted since it was listed."""


class Blocks:
    """The blocks of an object of ``size`` bytes, in two open files. Several processes may write to them: they
    write the same. Every method may raise OSError."""

    def __init__(self, data: int, listed: int, size: int) -> None:
        self._data = data
        self._listed = listed
        self._size = size
        # The blocks whose checksums this object has compared.
        self._sure: set[int] = set()

    def born(self, otherwise: float) -> float:
        """When the list was begun; ``otherwise`` if it does not say."""
        first = os.pread(self._listed, 16, 0).partition(b"\n")[0]
        return float(first) if first.isdigit() else otherwise

    def used_at(self, time: float) -> None:
        """Note when the object was used."""
        os.utime(self._listed, (time, time))

    def clear(self) -> None:
        """Forget all blocks."""
        os.ftruncate(self._listed, 0)
        self._sure.clear()

    def there(self) -> int:
        """How many blocks are listed."""
        return len(self._known())

    def missing(self, ranges: Iterable[tuple[int, int]]) -> list[int]:
        """The blocks of these ranges (offset, bytes) that are not there, sorted."""
        wanted: set[int] = set()
        for offset, size in ranges:
            end = min(offset + size, self._size)
            if end > offset >= 0:
                wanted.update(range(offset // BLOCK, (end - 1) // BLOCK + 1))
        wanted -= self._sure
        if not wanted:
            return []
        known = self._known()
        found = {number for number in wanted if self._is_whole(number, known.get(number))}
        self._sure |= found
        return sorted(wanted - found)

    def fill(self, numbers: list[int], read: Callable[[int, int], Iterator[bytes]], now: float) -> None:
        """Fill blocks with what ``read(offset, size)`` yields. Raises what ``read`` raises, and Changed if it
        yields fewer or more bytes."""
        if not os.fstat(self._listed).st_size:
            os.write(self._listed, b"%d\n" % now)

        def one(run: tuple[int, int]) -> None:
            self._fill_run(*run, read)

        runs = list(_runs(numbers))
        if len(runs) == 1:
            one(runs[0])
        else:
            with ThreadPoolExecutor(min(AT_ONCE, len(runs))) as threads:
                for _ in threads.map(one, runs):
                    pass
        self._sure.update(numbers)
        os.utime(self._data, (now, now))

    def _fill_run(self, first: int, count: int, read: Callable[[int, int], Iterator[bytes]]) -> None:
        offset, end = first * BLOCK, min((first + count) * BLOCK, self._size)
        held = bytearray()
        for chunk in read(offset, end - offset):
            held += chunk
            if offset + len(held) > end:
                raise Changed
            whole = len(held) if offset + len(held) == end else len(held) // BLOCK * BLOCK
            for at in range(0, whole, BLOCK):
                self._keep((offset + at) // BLOCK, bytes(held[at : min(at + BLOCK, whole)]))
            del held[:whole]
            offset += whole
        if offset < end:
            raise Changed

    def _keep(self, number: int, block: bytes) -> None:
        os.pwrite(self._data, block, number * BLOCK)
        os.write(self._listed, b"%d %08x\n" % (number, zlib.crc32(block)))

    def _is_whole(self, number: int, checksum: int | None) -> bool:
        if checksum is None:
            return False
        size = min(BLOCK, self._size - number * BLOCK)
        return zlib.crc32(os.pread(self._data, size, number * BLOCK)) == checksum

    def _known(self) -> dict[int, int]:
        """The checksums of the blocks that are listed."""
        most = (self._size // BLOCK + 1) * 64 + 4096
        text = os.pread(self._listed, most + 1, 0)
        if len(text) > most:
            self.clear()
            return {}
        known = {}
        # A last line without its end was not written completely.
        for line in text.split(b"\n")[:-1]:
            if match := _LINE.match(line):
                known[int(match[1])] = int(match[2], 16)
        return known


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Neighbouring blocks as their first one and how many they are; none is longer than a piece."""
    first = count = 0
    for number in numbers:
        if count and number == first + count and count < PIECE // BLOCK:
            count += 1
            continue
        if count:
            yield first, count
        first, count = number, 1
    if count:
        yield first, count
