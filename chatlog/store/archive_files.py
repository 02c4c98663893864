"""Renames a file without ever replacing another, on any file system."""

from __future__ import annotations

import errno
import os

from chatlog.files import NO_SPACE, OsFiles
from chatlog.mounts import FSTAB, place_of, read_mounts, unmounted

#: A further thing that a file system may lack: hard links.
LINKS = "links"
#: Real errors of link(2) and renameat2(2). Any other error may mean that the file system has no such call
#: (EIO: Docker's shared folders, https://github.com/docker/for-mac/issues/5036). If it means something else,
#: the next call fails too.
_TROUBLE = NO_SPACE | {errno.EEXIST, errno.ENOENT, errno.EROFS, errno.ESTALE, errno.ENAMETOOLONG}


class ArchiveFiles(OsFiles):
    """The real file system, for an archive: files are written once, from their beginning."""

    flags = os.O_WRONLY

    def place(self, directory: str) -> str:
        """A name for the file system that holds the directory, or would hold it. Raises OSError."""
        return place_of(directory)

    def unmounted(self, directory: str) -> str:
        """The mount point of the directory's file system if /etc/fstab lists it and it is not mounted, else
        ``""``."""
        return unmounted(os.path.realpath(directory), read_mounts(), read_mounts(FSTAB))

    def rename_new(self, old: str, new: str) -> None:
        """Rename within a file system. Raises FileExistsError if ``new`` exists, and leaves it unchanged. If
        the file system has no call that guarantees that, ``new`` is checked before the rename."""
        if os.path.lexists(new):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)
        if self._link(old, new):
            os.unlink(old)
            return
        try:
            self.system.rename_without_replacing(old, new)
        except OSError as error:
            if error.errno in _TROUBLE:
                raise
            # Only one process writes under these names.
            if os.path.lexists(new):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new) from None
            self.rename(old, new)

    def _link(self, old: str, new: str) -> bool:
        try:
            self.system.link(old, new)
        except FileExistsError:
            # NFS repeats a request whose answer was lost, and the repeated link fails because the first one
            # succeeded. Only checked here: on FUSE, two links of one file look like two files.
            if not _is_same(old, new):
                raise
        except OSError as error:
            if error.errno in _TROUBLE:
                raise
            self.lacks(LINKS, error)
            return False
        if not os.path.lexists(new):
            # FUSE-T reports success without making the link: https://github.com/macos-fuse-t/fuse-t/issues/66
            self.lacks(LINKS, OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), new))
            return False
        self.works(LINKS)
        return True


def _is_same(one: str, other: str) -> bool:
    try:
        return os.path.samestat(os.lstat(one), os.lstat(other))
    except OSError:
        return False
