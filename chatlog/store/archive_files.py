"""A file gets a name that nobody else has, on whatever file system."""

from __future__ import annotations

import errno
import os

from chatlog.files import NO_SPACE, OsFiles
from chatlog.mounts import FSTAB, place_of, read_mounts, unmounted

#: What else a file system may lack: hard links.
LINKS = "links"
#: What is known to be trouble with link(2) and renameat2(2). Anything else may be a way to say that there is
#: no such call (EIO: Docker's shared folders, https://github.com/docker/for-mac/issues/5036), and if it is
#: not, the next call will say so.
_TROUBLE = NO_SPACE | {errno.EEXIST, errno.ENOENT, errno.EROFS, errno.ESTALE, errno.ENAMETOOLONG}


class ArchiveFiles(OsFiles):
    """The real file system, as an archive needs it: files are written once, from their beginning."""

    flags = os.O_WRONLY

    def place(self, directory: str) -> str:
        """What the file system is known by that holds the directory, or would hold it. Raises OSError."""
        return place_of(directory)

    def unmounted(self, directory: str) -> str:
        """Where /etc/fstab has a file system for the directory that is not mounted, ``""`` if none."""
        return unmounted(os.path.realpath(directory), read_mounts(), read_mounts(FSTAB))

    def rename_new(self, old: str, new: str) -> None:
        """Rename within the file system; FileExistsError if there is a ``new``, which stays as it is. Where
        the file system has no call that makes sure of that, it is looked at before."""
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
            # NFS asks again when an answer is lost, and is told that it is there: since the first time. What
            # FUSE says of two links is that they are two files, so that is not looked at elsewhere.
            if not _is_same(old, new):
                raise
        except OSError as error:
            if error.errno in _TROUBLE:
                raise
            self.lacks(LINKS, error)
            return False
        if not os.path.lexists(new):
            # FUSE-T says that it did what it cannot do: https://github.com/macos-fuse-t/fuse-t/issues/66
            self.lacks(LINKS, OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), new))
            return False
        self.works(LINKS)
        return True


def _is_same(one: str, other: str) -> bool:
    try:
        return os.path.samestat(os.lstat(one), os.lstat(other))
    except OSError:
        return False
