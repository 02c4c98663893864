"""The calls on the file system that durability rests on, behind one object.

The spool, its recovery and the packing of finished files use nothing else, so that a test can put a
file system underneath that fails, tears or forgets at any chosen call. Every method blocks; what
must not block the reactor is called from a thread.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Protocol

from chatlog.mounts import device_of, kind_of
from chatlog.system_calls import SystemCalls, open_regular

#: What the system says when there is no room left on the disk, and when no more files can be opened.
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})
#: What a file system says that does not have a call. ENOSYS: FUSE, shared folders of virtual machines;
#: ENOTSUP and EOPNOTSUPP: SMB, and FAT behind it; EINVAL: 9p, older SMB; EPERM: FAT, and a container that is
#: not allowed the call; ENOTTY: some of FUSE's.
NO_SUCH_CALL = frozenset(
    {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOTTY, errno.EPERM}
)
#: The same of a call on a directory; SMB, NFS and FUSE have more to say there.
_NOT_OF_DIRECTORIES = NO_SUCH_CALL | {errno.EBADF, errno.EISDIR, errno.EACCES}
#: The same of locks. ENOLCK: NFS whose lock daemon does not run.
_NO_LOCKS = NO_SUCH_CALL | {errno.ENOLCK, errno.EBADF}
#: More bytes than any disk has: nobody knows how many are free.
_UNKNOWN = 1 << 62

#: What a file is called while it is being written to take another's place.
TEMPORARY = ".tmp"

#: What a file system may lack: to force files to the disk, the same of directories, locks.
SYNC, DIRECTORY_SYNC, LOCKS = "sync", "directory sync", "locks"


class NotCertain(OSError):
    """What was done stands, but a machine that dies may undo it: a directory was not forced to the disk."""


class Files(Protocol):
    """The file layer. Errors are OSError, as the operating system reports them."""

    @property
    def lacking(self) -> Mapping[str, str]:
        """What the file system was found not to have, by the names above, with the system's words. Something
        else is done instead, as far as that can be."""

    def kind(self, directory: str) -> str:
        """What kind of file system the directory is on, ``""`` if nobody knows."""

    def device(self, directory: str) -> int:
        """A number for the file system that holds the directory, or would hold it."""

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


def replace_file(files: Files, path: str, parts: Iterable[bytes], durable: bool = True) -> None:
    """Put a file with this content in the place of ``path``; there is the old one or the new one at any time,
    and whole. Raises OSError, and the old one is still there then; or NotCertain: the new one is there, and
    may be gone again if the machine dies now. Without ``durable``, that may always be."""
    temporary = path + TEMPORARY
    with suppress(FileNotFoundError):
        files.remove(temporary)
    fd = files.create(temporary)
    try:
        try:
            for part in parts:
                write_whole(files, fd, part)
            if durable:
                files.sync(fd)
        finally:
            files.close(fd)
        files.rename(temporary, path)
    except OSError:
        # What there is of it takes space that may be what is wanting.
        with suppress(OSError):
            files.remove(temporary)
        raise
    if durable:
        try:
            files.sync_directory(os.path.dirname(path))
        except OSError as error:
            raise NotCertain(error.errno, error.strerror, path) from error


class OsFiles:
    """The real file system. A symbolic link is never followed: what it leads to is none of ours. A
    named pipe or a device is not opened: a thread could wait in it for ever.

    What a file system lacks is found out when it is asked for, and is ``lacking`` from then on. What worked
    once and does not any more is never taken for that.
    """

    #: How new files are opened, besides that they are new.
    flags = os.O_WRONLY | os.O_APPEND

    def __init__(self, system: SystemCalls | None = None) -> None:
        #: The calls that are made.
        self.system = system or SystemCalls()
        self.lacking: dict[str, str] = {}
        self._works: set[str] = set()
        # Whether a file system can be forced to the disk as a whole, by directory.
        self._as_a_whole: dict[str, bool] = {}
        # What keeps others out where there are no locks, by the descriptor of the file.
        self._claims: dict[int, socket.socket] = {}

    def lacks(self, what: str, error: OSError) -> None:
        """The file system was found not to have that. Raises the error if it had it before."""
        if what in self._works:
            raise error
        self.lacking[what] = error.strerror or str(error)

    def works(self, what: str) -> None:
        """The file system has that."""
        self._works.add(what)

    def kind(self, directory: str) -> str:
        return kind_of(directory)

    def device(self, directory: str) -> int:
        return device_of(directory)

    def create(self, path: str) -> int:
        flags = self.flags | os.O_CREAT | os.O_CLOEXEC
        try:
            return self.system.open(path, flags | os.O_EXCL)
        except OSError as error:
            if error.errno not in NO_SUCH_CALL:
                raise
            if os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path) from None
        # Some of FUSE's do not know O_EXCL; only this process makes files there.
        return self.system.open(path, flags | os.O_NOFOLLOW)

    def reopen(self, path: str) -> int:
        return open_regular(path, os.O_WRONLY | os.O_APPEND)

    def lock(self, path: str) -> int:
        fd = self.system.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            for call in (self.system.flock, self.system.lock_record):
                try:
                    call(fd)
                except OSError as error:
                    if isinstance(error, BlockingIOError) or error.errno not in _NO_LOCKS:
                        raise
                    missing = error
                else:
                    return fd
            try:
                self._claims[fd] = self.system.claim(path)
            except BlockingIOError:
                raise
            except OSError:
                raise OSError(errno.ENOLCK, "it has no locks to keep a second chatlog out", path) from missing
            self.lacking[LOCKS] = missing.strerror or str(missing)
        except BaseException:
            self.close(fd)
            raise
        return fd

    def open_read(self, path: str) -> int:
        return open_regular(path, os.O_RDONLY)

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
        try:
            self.system.fdatasync(fd)
        except OSError as error:
            if error.errno not in NO_SUCH_CALL:
                raise
            try:
                self.system.fsync(fd)
            except OSError as other:
                if other.errno not in NO_SUCH_CALL:
                    raise
                self.lacks(SYNC, other)
                return
        self.works(SYNC)

    def sync_all(self, directory: str) -> bool:
        if directory not in self._as_a_whole:
            self._as_a_whole[directory] = self.system.syncs_as_a_whole(directory)
        if not self._as_a_whole[directory]:
            return False
        fd = self.system.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.system.syncfs(fd)
        except OSError as error:
            if error.errno not in _NOT_OF_DIRECTORIES:
                raise OSError(error.errno, error.strerror, directory) from error
            # File by file it can be done all the same.
            self._as_a_whole[directory] = False
            return False
        finally:
            os.close(fd)
        return True

    def sync_directory(self, path: str) -> None:
        try:
            fd = self.system.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                self.system.fsync(fd)
            finally:
                os.close(fd)
        except OSError as error:
            if error.errno not in _NOT_OF_DIRECTORIES:
                raise
            if error.errno == errno.EACCES and not os.access(path, os.R_OK):
                # Somebody else's, above ours: nothing of it can be forced to the disk by us.
                return
            if not self._syncs_all_else(path):
                self.lacks(DIRECTORY_SYNC, error)
        else:
            self.works(DIRECTORY_SYNC)

    def _syncs_all_else(self, path: str) -> bool:
        try:
            return self.sync_all(path)
        except OSError as error:
            if error.errno in _NOT_OF_DIRECTORIES:
                return False
            raise

    def close(self, fd: int) -> None:
        claim = self._claims.pop(fd, None)
        if claim is not None:
            claim.close()
        os.close(fd)

    def rename(self, old: str, new: str) -> None:
        self.system.rename(old, new)

    def remove(self, path: str) -> None:
        os.unlink(path)

    def exists(self, path: str) -> bool:
        return os.path.lexists(path)

    def names(self, directory: str) -> list[str]:
        return os.listdir(directory)

    def make_directories(self, path: str) -> None:
        os.makedirs(path, exist_ok=True)

    def free_bytes(self, directory: str) -> int:
        try:
            state = self.system.statvfs(directory)
        except OSError as error:
            if error.errno in NO_SUCH_CALL:
                return _UNKNOWN
            raise
        # File systems that do not know their size have none.
        return state.f_bavail * (state.f_frsize or state.f_bsize) if state.f_blocks else _UNKNOWN
