"""The calls on the file system that durability rests on, behind one object.

The spool, its recovery and the packing of finished files use nothing else, so that a test can put a
file system underneath that fails, tears or forgets at any chosen call. Every method blocks; what
must not block the reactor is called from a thread.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import stat
from contextlib import suppress
from typing import Any, Protocol

#: What the system says when there is no room left on the disk, and when no more files can be opened.
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})


class Files(Protocol):
    """The file layer. Errors are OSError, as the operating system reports them."""

    def create(self, path: str) -> int:
        """Open a new file for appending; FileExistsError if there is one."""

    def reopen(self, path: str) -> int:
        """Open an existing file for appending; FileNotFoundError if there is none."""

    def lock(self, path: str) -> int:
        """Open the file, made if it is missing, and keep everybody else from locking it until the
        descriptor is closed or the process ends; BlockingIOError if somebody else holds it."""

    def open_read(self, path: str) -> int:
        """Open a file for reading."""

    def read(self, fd: int, size: int) -> bytes:
        """Up to ``size`` bytes from where the last read ended; ``b""`` at the end."""

    def read_at(self, fd: int, size: int, offset: int) -> bytes:
        """Up to ``size`` bytes from ``offset``."""

    def write(self, fd: int, data: bytes) -> int:
        """Append ``data``; returns how many bytes were taken, which may be fewer."""

    def truncate(self, fd: int, size: int) -> None:
        """Cut the file to ``size`` bytes."""

    def size(self, path: str) -> int:
        """The file's size in bytes."""

    def sync(self, fd: int) -> None:
        """Force the file's data, and the metadata needed to read it, to the disk."""

    def sync_all(self, directory: str) -> bool:
        """Force everything on the directory's file system to the disk with one call; False where
        the system has no such call."""

    def sync_directory(self, path: str) -> None:
        """Force the directory's entries to the disk."""

    def close(self, fd: int) -> None:
        """Close; may report a failed write."""

    def duplicate(self, fd: int) -> int:
        """A second descriptor of the same open file, so that one may be closed while the other is
        synced."""

    def rename(self, old: str, new: str) -> None:
        """Rename within the file system; replaces ``new``."""

    def remove(self, path: str) -> None:
        """Unlink the file."""

    def exists(self, path: str) -> bool:
        """Whether the path is there."""

    def names(self, directory: str) -> list[str]:
        """Names of the entries of the directory, in no order."""

    def make_directories(self, path: str) -> None:
        """Make the directory and what leads to it; fine if it is there."""

    def free_bytes(self, directory: str) -> int:
        """Bytes that an unprivileged process may still write there."""


def write_whole(files: Files, fd: int, data: bytes) -> None:
    """Append all of ``data``, in as many writes as it takes. Raises OSError."""
    while data:
        taken = files.write(fd, data)
        if not taken:
            raise OSError(errno.EIO, "nothing was written")
        data = data[taken:]


class OsFiles:
    """The real file system. A symbolic link is never followed: what it leads to is none of ours. A
    named pipe or a device is not opened: a thread could wait in it for ever."""

    def __init__(self) -> None:
        # syncfs(2) is Linux, and not in Python's os module. Since Linux 5.8 it reports write errors.
        self._syncfs: Any = None
        with suppress(AttributeError, OSError):
            self._syncfs = ctypes.CDLL(None, use_errno=True).syncfs

    def create(self, path: str) -> int:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)

    def reopen(self, path: str) -> int:
        return _open_regular(path, os.O_WRONLY | os.O_APPEND)

    def lock(self, path: str) -> int:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def open_read(self, path: str) -> int:
        return _open_regular(path, os.O_RDONLY)

    def read(self, fd: int, size: int) -> bytes:
        return os.read(fd, size)

    def read_at(self, fd: int, size: int, offset: int) -> bytes:
        return os.pread(fd, size, offset)

    def write(self, fd: int, data: bytes) -> int:
        return os.write(fd, data)

    def truncate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)

    def size(self, path: str) -> int:
        return os.lstat(path).st_size

    def sync(self, fd: int) -> None:
        os.fdatasync(fd)

    def sync_all(self, directory: str) -> bool:
        if self._syncfs is None:  # pragma: no cover - not Linux
            return False
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if self._syncfs(fd) != 0:
                code = ctypes.get_errno()
                if code == errno.ENOSYS:
                    return False
                raise OSError(code, os.strerror(code), directory)
        finally:
            os.close(fd)
        return True

    def sync_directory(self, path: str) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def close(self, fd: int) -> None:
        os.close(fd)

    def duplicate(self, fd: int) -> int:
        return os.dup(fd)

    def rename(self, old: str, new: str) -> None:
        os.rename(old, new)

    def remove(self, path: str) -> None:
        os.unlink(path)

    def exists(self, path: str) -> bool:
        return os.path.lexists(path)

    def names(self, directory: str) -> list[str]:
        return os.listdir(directory)

    def make_directories(self, path: str) -> None:
        os.makedirs(path, exist_ok=True)

    def free_bytes(self, directory: str) -> int:
        state = os.statvfs(directory)
        return state.f_bavail * state.f_frsize


def _open_regular(path: str, flags: int) -> int:
    # O_NONBLOCK changes nothing for a regular file, and lets the open of a pipe return.
    fd = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return fd
    os.close(fd)
    code = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
    raise OSError(code, os.strerror(code) if code == errno.EISDIR else "not a regular file", path)
