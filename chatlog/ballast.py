"""A little disk space put by for the moment when there is none left."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from chatlog.files import NO_SPACE, Files, write_whole

T = TypeVar("T")

#: Bytes put by.
SIZE = 1 << 20


class Ballast:
    """A file that is given up so that sealing and recovery can end on a full disk, which is what lets
    the disk become less full.

    ``spent`` says that it was given up and could not be put by again. Recording waits meanwhile: it
    would use the space up in a moment, and then nothing could be sealed any more.
    """

    def __init__(self, files: Files, path: str, size: int = SIZE, least: int = 0) -> None:
        """``size`` bytes are put by, or, where the disk has too few for that, ``least``."""
        self._files = files
        self._path = path
        self._sizes = (size, least) if least else (size,)
        self.spent = False

    def spend(self, call: Callable[..., T], *args: object) -> T:
        """The result of ``call(*args)``; if there is no space for it, it is made once more with the
        ballast given up."""
        try:
            return call(*args)
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            try:
                self._files.remove(self._path)
            except OSError:
                raise error from None
            self.spent = True
        return call(*args)

    def restock(self, directory: str) -> None:
        """Put the space by (again), if the disk under ``directory`` has twice as much; a quarter more is
        enough where recording waits for it."""
        with suppress(OSError):
            if not self._files.exists(self._path):
                free = self._files.free_bytes(directory)
                quarters = 5 if self.spent else 8
                fitting = [size for size in self._sizes if free >= size * quarters // 4]
                if not fitting:
                    return
                self._fill(fitting[0])
            self.spent = False

    def _fill(self, size: int) -> None:
        fd = self._files.create(self._path)
        try:
            write_whole(self._files, fd, bytes(size))
        except OSError:
            self._files.remove(self._path)
            raise
        finally:
            self._files.close(fd)
