"""The operating system's calls on files, one by one. A file system may lack some of them.

``files.OsFiles`` makes these calls and knows a substitute for a missing one. Tests replace them by calls that
fail like those of real mounts.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import stat
import struct
from contextlib import suppress
from hashlib import blake2b
from typing import Any

_RENAME_NOREPLACE = 1
_AT_FDCWD = -100
#: File systems on which syncfs(2) is known to wait for the disk and to report errors, by their numbers in
#: statfs(2): ext2 to ext4, xfs, btrfs, f2fs, zfs, bcachefs, overlay, tmpfs. On FUSE, SMB or 9p the call
#: returns before the other side was asked.
#: https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/include/uapi/linux/magic.h
_SYNCED_AS_A_WHOLE = frozenset(
    {0xEF53, 0x58465342, 0x9123683E, 0xF2F52010, 0x2FC12FC1, 0xCA451A4E, 0x794C7630, 0x01021994}
)


class SystemCalls:
    """The calls. Each raises OSError like the system; the error is ENOSYS if the C library lacks the call."""

    def __init__(self) -> None:
        self._libc: Any = None
        with suppress(OSError):
            self._libc = ctypes.CDLL(None, use_errno=True)

    def open(self, path: str, flags: int, mode: int = 0o644) -> int:
        """open(2)"""
        return os.open(path, flags, mode)

    def fdatasync(self, fd: int) -> None:
        """fdatasync(2)"""
        os.fdatasync(fd)

    def fsync(self, fd: int) -> None:
        """fsync(2)"""
        os.fsync(fd)

    def syncfs(self, fd: int) -> None:
        """syncfs(2), which only Linux has and Python's os module does not."""
        self._call("syncfs", "", fd)

    def syncs_as_a_whole(self, directory: str) -> bool:
        """Whether syncfs(2) can be relied on there. It reports errors since Linux 5.8."""
        with suppress(ValueError, IndexError):
            if tuple(int(part) for part in os.uname().release.split(".")[:2]) < (5, 8):
                return False
        # struct statfs begins with f_type, a long.
        state = ctypes.create_string_buffer(512)
        with suppress(OSError):
            self._call("statfs", directory, os.fsencode(directory), state)
            return struct.unpack_from("@l", state.raw)[0] & 0xFFFFFFFF in _SYNCED_AS_A_WHOLE
        return False

    def flock(self, fd: int) -> None:
        """flock(2), exclusive and without waiting. BlockingIOError if another process has the lock."""
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def lock_record(self, fd: int) -> None:
        """An open file description lock by fcntl(2), which a fork keeps. BlockingIOError if another process
        has the lock."""
        command = getattr(fcntl, "F_OFD_SETLK", None)
        if command is None:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        try:
            # struct flock: type, whence, start, length (0: all of it), process.
            fcntl.fcntl(fd, command, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        except PermissionError as error:
            if error.errno != errno.EACCES:
                raise
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from error

    def claim(self, path: str) -> socket.socket:
        """Claim the path against other processes of this machine until the socket is closed, without help
        from the file system. BlockingIOError if another process has claimed it."""
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            claim.bind(
                "\0chatlog-" + blake2b(os.fsencode(os.path.realpath(path)), digest_size=16).hexdigest()
            )
        except OSError as error:
            claim.close()
            if error.errno == errno.EADDRINUSE:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), path) from error
            raise
        return claim

    def rename(self, old: str, new: str) -> None:
        """rename(2)"""
        os.rename(old, new)

    def rename_without_replacing(self, old: str, new: str) -> None:
        """renameat2(2) with RENAME_NOREPLACE."""
        names = os.fsencode(old), os.fsencode(new)
        self._call("renameat2", new, _AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_NOREPLACE)

    def link(self, old: str, new: str) -> None:
        """link(2)"""
        os.link(old, new)

    def statvfs(self, path: str) -> os.statvfs_result:
        """statvfs(3)"""
        return os.statvfs(path)

    def _call(self, name: str, path: str, *args: Any) -> None:
        function = getattr(self._libc, name, None)
        if function is None:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), path or None)
        if function(*args) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), path or None)


def open_regular(path: str, flags: int) -> int:
    """Open a regular file, without following a link or waiting for a pipe. Raises OSError for anything
    else."""
    # O_NONBLOCK changes nothing for a regular file, and lets the open of a pipe return.
    fd = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return fd
    os.close(fd)
    code = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
    raise OSError(code, os.strerror(code) if code == errno.EISDIR else "not a regular file", path)
