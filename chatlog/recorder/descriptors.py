"""Thousands of open files with a few hundred descriptors: the least recently written file is closed."""

from __future__ import annotations

import resource
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from chatlog.files import NO_DESCRIPTORS
from chatlog.recorder.room import OpenFile
from chatlog.spool.spool import Spool

T = TypeVar("T")

#: Descriptors that are left for sockets, uploads and Python itself.
RESERVE = 256
#: Each takes some memory of the kernel. Fewer than there are rooms cost processor time: files are then closed
#: and opened again in turn, several of them at each flush.
MOST = 16_384
_FEWEST = 16


def raise_limit() -> None:
    """Raise the process's limit of descriptors as far as the system allows, up to the number that it can use.
    Many systems begin with 1024 and allow more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    raised = raised_limit(soft, hard)
    if raised != soft:
        # A system may refuse that nevertheless; then the present limit stays.
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))


def raised_limit(soft: int, hard: int) -> int:
    """The new limit in place of ``soft`` if ``hard`` is the highest that is allowed."""
    if soft == resource.RLIM_INFINITY:
        return soft
    most = MOST + RESERVE
    return max(soft, most if hard == resource.RLIM_INFINITY else min(most, hard))


def default_limit(allowed: int | None = None) -> int:
    """How many files may be open at once if the process may have ``allowed`` descriptors. The default is
    the process's present limit."""
    if allowed is None:
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if allowed == resource.RLIM_INFINITY:
        return MOST
    return max(_FEWEST, min(MOST, allowed - RESERVE))


class Descriptors:
    """The descriptors of the files in ``open/``, at most ``limit`` at a time."""

    def __init__(
        self, spool: Spool, limit: int, on_failed: Callable[[OpenFile, OSError], object] | None = None
    ) -> None:
        """``on_failed(file, error)`` is called when closing a file fails. The file system may then have lost
        written bytes: some file systems report that only at the close, and only once."""
        self._spool = spool
        self._on_failed = on_failed
        self.limit = max(1, limit)
        # Least recently used first; the values mean nothing.
        self._open: dict[OpenFile, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def get(self, file: OpenFile) -> int:
        """A descriptor that appends to ``file``. Raises OSError."""
        if file.fd >= 0:
            del self._open[file]
        else:
            file.fd = self.opening(self._spool.reopen, file.name)
        self._open[file] = None
        return file.fd

    def add(self, file: OpenFile) -> None:
        """Add a file that was just created and is open."""
        self._open[file] = None

    def opening(self, call: Callable[..., T], *args: object) -> T:
        """The result of ``call(*args)``, which opens a file. Other files are closed first if needed."""
        while len(self._open) >= self.limit:
            self._close_oldest()
        try:
            return call(*args)
        except OSError as error:
            if error.errno not in NO_DESCRIPTORS or not self._open:
                raise
        # The sockets use more descriptors than expected. Keep fewer files open from now on.
        self.limit = max(1, len(self._open) * 3 // 4)
        while len(self._open) >= self.limit:
            self._close_oldest()
        return call(*args)

    def drop(self, file: OpenFile) -> None:
        """Close ``file``; it is not written any more."""
        if file.fd >= 0:
            del self._open[file]
            self._close(file)

    def _close_oldest(self) -> None:
        file = next(iter(self._open))
        del self._open[file]
        self._close(file)

    def _close(self, file: OpenFile) -> None:
        fd, file.fd = file.fd, -1
        try:
            self._spool.files.close(fd)
        except OSError as error:
            if self._on_failed is not None and file.size:
                self._on_failed(file, error)
