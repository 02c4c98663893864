"""Reserves a little disk space for the moment when the disk is full."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from chatlog.files import NO_SPACE, Files, write_whole

T = TypeVar("T")

#: Bytes that are reserved.
SIZE = 1 << 20


class ReservedSpace:
    """A file that is removed when the disk is full, so that sealing and recovery can still finish. Sealed
    files can then be uploaded and deleted, which makes space.

    ``released`` says that the file was removed and could not be written again. Recording waits meanwhile: it
    would use the space up at once, and then nothing could be sealed any more.
    """

    def __init__(self, files: Files, path: str, size: int = SIZE, least: int = 0) -> None:
        """``size`` bytes are reserved in the file ``path``; if the disk has too few for that, ``least``."""
        self._files = files
        self._path = path
        self._sizes = (size, least) if least else (size,)
        self.released = False

    def run(self, call: Callable[..., T], *args: object) -> T:
        """The result of ``call(*args)``. If the disk is full, the space is released and the call repeated."""
        try:
            return call(*args)
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            try:
                self._files.remove(self._path)
            except OSError:
                raise error from None
            self.released = True
        return call(*args)

    def reserve(self, directory: str) -> None:
        """Reserve the space, also again, if the disk of ``directory`` has twice as much free. While recording
        waits for it, a quarter more is enough."""
        with suppress(OSError):
            if not self._files.exists(self._path):
                free = self._files.free_bytes(directory)
                quarters = 5 if self.released else 8
                fitting = [size for size in self._sizes if free >= size * quarters // 4]
                if not fitting:
                    return
                self._fill(fitting[0])
            self.released = False

    def _fill(self, size: int) -> None:
        fd = self._files.create(self._path)
        try:
            write_whole(self._files, fd, bytes(size))
        except OSError:
            self._files.remove(self._path)
            raise
        finally:
            self._files.close(fd)
