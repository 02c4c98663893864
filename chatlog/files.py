"""The file system calls on which durability rests, behind one interface.

The spool, its recovery and the packing of finished files use only these calls. So a test can use a file
system that fails, tears writes or forgets them at any call. Every method blocks; calls that must not block
the reactor are made from a thread.
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

#: Errors that mean: the disk is full; no more files can be opened.
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})
#: Errors of a file system that does not have a call. ENOSYS: FUSE, shared folders of virtual machines;
#: ENOTSUP and EOPNOTSUPP: SMB, and FAT behind it; EINVAL: 9p, older SMB; EPERM: FAT, and containers that may
#: not make the call; ENOTTY: some FUSE file systems.
NO_SUCH_CALL = frozenset(
    {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOTTY, errno.EPERM}
)
#: The same for a call on a directory; SMB, NFS and FUSE have further errors there.
_NOT_OF_DIRECTORIES = NO_SUCH_CALL | {errno.EBADF, errno.EISDIR, errno.EACCES}
#: The same for locks. ENOLCK: NFS without a running lock daemon.
_NO_LOCKS = NO_SUCH_CALL | {errno.ENOLCK, errno.EBADF}
#: The number of free bytes if it is unknown; more than any disk has.
_UNKNOWN = 1 << 62

#: The suffix of a file that will replace another one.
TEMPORARY = ".tmp"

#: Features that a file system may lack: syncs of files, syncs of directories, locks.
SYNC, DIRECTORY_SYNC, LOCKS = "sync", "directory sync", "locks"


class NotCertain(OSError):
    """The change was made, but a directory could not be synced: a machine that dies may undo the change."""


class Files(Protocol):
    """The file system calls. Errors are OSError, as the operating system reports them."""

    @property
    def lacking(self) -> Mapping[str, str]:
        """The features that the file system lacks, by the names above, with the system's error text. Other
        calls replace them, as far as possible."""

    def kind(self, directory: str) -> str:
        """The type of the directory's file system, ``""`` if unknown."""

    def device(self, directory: str) -> int:
        """The device number of the file system that holds the directory, or would hold it."""

    def create(self, path: str) -> int:
        """Create a file and open it for appending; FileExistsError if it exists."""

    def reopen(self, path: str) -> int:
        """Open an existing file for appending; FileNotFoundError if it does not exist."""

    def lock(self, path: str) -> int:
        """Open the file, creating it if needed, and lock it until the descriptor is closed or the process
        ends; BlockingIOError if another process has the lock."""

    def open_read(self, path: str) -> int:
        """Open a file for reading."""

    def read(self, fd: int, size: int) -> bytes:
        """Up to ``size`` bytes from the end of the last read; ``b""`` at the end of the file."""

    def read_at(self, fd: int, size: int, offset: int) -> bytes:
        """Up to ``size`` bytes from ``offset``."""

    def write(self, fd: int, data: bytes) -> int:
        """Append ``data``. Returns how many bytes were written, which may be fewer."""

    def truncate(self, fd: int, size: int) -> None:
        """Cut the file to ``size`` bytes."""

    def size(self, path: str) -> int:
        """The file's size in bytes."""

    def sync(self, fd: int) -> None:
        """Force the file's data, and the metadata needed to read it, to the disk."""

    def sync_all(self, directory: str) -> bool:
        """Force everything on the directory's file system to the disk with one call. Returns False if there
        is no such call."""

    def sync_directory(self, path: str) -> None:
        """Force the directory's entries to the disk."""

    def close(self, fd: int) -> None:
        """Close the file; may raise the error of an earlier write."""

    def rename(self, old: str, new: str) -> None:
        """Rename within the file system; replaces ``new``."""

    def remove(self, path: str) -> None:
        """Remove the file."""

    def exists(self, path: str) -> bool:
        """Whether the path exists."""

    def names(self, directory: str) -> list[str]:
        """The names in the directory, in no order."""

    def make_directories(self, path: str) -> None:
        """Create the directory and those above it, as far as they do not exist."""

    def free_bytes(self, directory: str) -> int:
        """The bytes that an unprivileged process may still write there."""


def write_whole(files: Files, fd: int, data: bytes) -> None:
    """Append all of ``data``, in as many writes as it takes. Raises OSError."""
    while data:
        taken = files.write(fd, data)
        if not taken:
            raise OSError(errno.EIO, "nothing was written")
        data = data[taken:]


def replace_file(files: Files, path: str, parts: Iterable[bytes], durable: bool = True) -> None:
    """Replace ``path`` by a file with this content. At any time the old or the new file exists, and is
    complete.

    Raises OSError; the old file then stays. Raises NotCertain if the new file is in place but may be lost
    when the machine dies; without ``durable`` that is always possible.
    """
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
        # The incomplete file takes space, and the disk may be full.
        with suppress(OSError):
            files.remove(temporary)
        raise
    if durable:
        try:
            files.sync_directory(os.path.dirname(path))
        except OSError as error:
            raise NotCertain(error.errno, error.strerror, path) from error


class OsFiles:
    """The real file system. Symbolic links are never followed, because their targets are not ours. Named
    pipes and devices are not opened, because a thread could wait in them for ever.

    When a call fails because the file system lacks it, it is in ``lacking`` from then on. A call that has
    worked before never counts as lacking.
    """

    #: The flags for opening new files, besides O_CREAT.
    flags = os.O_WRONLY | os.O_APPEND

    def __init__(self, system: SystemCalls | None = None) -> None:
        #: The operating system's calls.
        self.system = system or SystemCalls()
        self.lacking: dict[str, str] = {}
        self._works: set[str] = set()
        # Whether the file system of a directory can be synced as a whole.
        self._as_a_whole: dict[str, bool] = {}
        # Sockets that replace locks on file systems without them, by the descriptor of the file.
        self._claims: dict[int, socket.socket] = {}

    def lacks(self, what: str, error: OSError) -> None:
        """Note that the file system lacks ``what``. Raises the error if ``what`` has worked before."""
        if what in self._works:
            raise error
        self.lacking[what] = error.strerror or str(error)

    def works(self, what: str) -> None:
        """Note that ``what`` works."""
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
        # Some FUSE file systems do not know O_EXCL. Only this process creates files there.
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
            # The files can still be synced one by one.
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
                # A directory of another user above ours, which we cannot sync.
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
        # File systems that do not know their size report 0 blocks.
        return state.f_bavail * (state.f_frsize or state.f_bsize) if state.f_blocks else _UNKNOWN
