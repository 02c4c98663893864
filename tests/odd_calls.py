"""The operating system's calls, as they are on mounts that lack some of them."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Mapping

from chatlog.system_calls import SystemCalls

#: What real mounts say of a call that they do not have, and what is trouble on every one of them.
MISSING = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOTTY, errno.EPERM)
TROUBLE = (errno.EIO, errno.ESTALE, errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class OddCalls(SystemCalls):
    """The real calls, but for those in ``refused``, by their names: they raise that error. ``open`` is
    refused for directories only, ``O_EXCL`` is an open that is to make a new file. ``whole``: whether
    syncfs can be believed. ``made`` are the calls that were made."""

    def __init__(self, refused: Mapping[str, int] | None = None, whole: bool = True) -> None:
        super().__init__()
        self.refused = dict(refused or {})
        self.whole = whole
        self.made: list[str] = []

    def refuse(self, name: str, path: str = "") -> None:
        self.made.append(name)
        code = self.refused.get(name)
        if code is not None:
            raise OSError(code, os.strerror(code), path or None)

    def open(self, path: str, flags: int, mode: int = 0o644) -> int:
        if flags & os.O_DIRECTORY:
            self.refuse("open", path)
        if flags & os.O_EXCL:
            self.refuse("O_EXCL", path)
        return super().open(path, flags, mode)

    def fdatasync(self, fd: int) -> None:
        self.refuse("fdatasync")
        super().fdatasync(fd)

    def fsync(self, fd: int) -> None:
        name = "fsync directory" if os.path.isdir(f"/proc/self/fd/{fd}") else "fsync"
        self.refuse(name)
        super().fsync(fd)

    def syncfs(self, fd: int) -> None:
        self.refuse("syncfs")
        super().fsync(fd)

    def syncs_as_a_whole(self, directory: str) -> bool:
        return self.whole

    def flock(self, fd: int) -> None:
        self.refuse("flock")
        super().flock(fd)

    def lock_record(self, fd: int) -> None:
        self.refuse("lock_record")
        super().lock_record(fd)

    def claim(self, path: str) -> socket.socket:
        self.refuse("claim")
        return super().claim(path)

    def rename(self, old: str, new: str) -> None:
        self.refuse("rename", new)
        super().rename(old, new)

    def rename_without_replacing(self, old: str, new: str) -> None:
        self.refuse("rename_without_replacing", new)
        super().rename_without_replacing(old, new)

    def link(self, old: str, new: str) -> None:
        self.refuse("link", new)
        super().link(old, new)

    def statvfs(self, path: str) -> os.statvfs_result:
        self.refuse("statvfs", path)
        return super().statvfs(path)
