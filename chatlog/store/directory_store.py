"""An archive in a directory, with the same keys as in a bucket. A stored object is on the disk."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from math import inf
from operator import itemgetter
from time import monotonic

from chatlog.files import DIRECTORY_SYNC, NO_SUCH_CALL, SYNC, write_whole
from chatlog.store.archive_files import LINKS, ArchiveFiles
from chatlog.store.store import EXISTS, MISSING, OBJECT, REFUSED, TRANSIENT, Head, StoreError

_CHUNK = 1 << 20
#: Seconds for which a file system that is mounted is assumed to stay so while the archive is listed.
_LATELY = 1.0
#: The prefix of the name of a file that is being written. No object's name begins so.
_UNFINISHED = ".unfinished-"
#: Errors that a person has to mend; calls that the file system lacks; errors of a single object (its name,
#: its size, something in its place). Any other error may pass.
_REFUSALS = frozenset({errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.EEXIST})
_LACKS = frozenset({*NO_SUCH_CALL, errno.EXDEV, errno.EBADF, errno.EMLINK}) - {errno.EINVAL}
_OF_ONE = frozenset({errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.EFBIG, errno.ELOOP, errno.EISDIR})
_REMARKS = {
    LINKS: "no hard links, so that objects are renamed",
    SYNC: "files are not forced to the disk, so that objects may be lost when the machine dies",
    DIRECTORY_SYNC: "names are not forced to the disk, so that objects may be lost when the machine dies",
}


class DirectoryStore:
    """Objects as files below ``root``. An object is complete or does not exist, also after a crash."""

    def __init__(self, root: str, files: ArchiveFiles | None = None) -> None:
        """``files`` is the file system; by default the real one."""
        self._root = root
        self._files = files or ArchiveFiles()
        # Directories that are known to exist and to be on the disk.
        self._made: set[str] = set()
        # A name for the file system of ``root``, and whether anything was stored there.
        self._place = ""
        self._used = False
        self._checked = -inf

    def describe(self) -> str:
        return f"the directory {self._root}"

    def prepare(self) -> str:
        """Try out everything that storing an object needs, with a file that is removed again."""
        try:
            self._check_file_system()
            self._make(self._root)
            self._try_out()
        except OSError as error:
            failure = _error(error)
            failure.of_all = True
            if failure.kind in (REFUSED, OBJECT):
                failure.kind = REFUSED
                first = "" if error.errno in _LACKS | _OF_ONE else f"let chatlog write to {self._root}, or "
                failure.remedy = f"{first}set archive.directory to a directory on another file system"
            raise failure from error
        kind = self._files.kind(self._root)
        found = [_REMARKS[what] for what in self._files.lacking if what in _REMARKS]
        return "; ".join([*([kind] if kind else []), *found])

    def _check_file_system(self) -> None:
        """Raise StoreError if the directory is now on another file system than at first. Objects would
        otherwise be stored on the disk below an unmounted file system."""
        self._check_mounted()
        before, now = self._place, self._files.place(self._root)
        if not before or (not self._used and now.startswith(before)):
            self._place = before = now
        if now == before:
            return
        self._made.clear()
        if now.startswith(before):
            text = f"{now} was mounted over {self._root}, and what was stored until then is below it"
            raise self._elsewhere(text, "restart chatlog to go on there, and move over what is below")
        text = f"{self._root} was on the file system of {before}, and is on that of {now} now"
        raise self._elsewhere(text, f"mount {before} again; to go on without it, restart chatlog")

    def _check_mounted(self) -> None:
        """Raise StoreError if /etc/fstab lists the archive's file system and it is not mounted."""
        away = self._files.unmounted(self._root)
        if away:
            text = f"{away}, to which {self._root} belongs, is in /etc/fstab and is not mounted"
            raise self._elsewhere(text, f"mount it (mount {away})")

    def _check_mounted_lately(self) -> None:
        """The same, once a second: to list an archive takes thousands of calls."""
        now = monotonic()
        if now - self._checked > _LATELY:
            self._check_mounted()
            self._checked = now

    @staticmethod
    def _elsewhere(text: str, remedy: str) -> StoreError:
        return StoreError(text, REFUSED, "file system", remedy, of_all=True)

    def _try_out(self) -> None:
        files = self._files
        one, other = (os.path.join(self._root, f"{_UNFINISHED}probe{n}-{os.getpid()}") for n in (1, 2))
        try:
            for path in (one, other):
                with suppress(FileNotFoundError):
                    os.unlink(path)
            self._write(one, b"chatlog")
            files.rename_new(one, other)
            files.sync_directory(self._root)
            self._write(one, b"other")
            try:
                files.rename_new(one, other)
            except FileExistsError:
                pass
            else:
                raise self._unfit("an existing file is replaced by another")
            with open(other, "rb") as file:
                if file.read() != b"chatlog":
                    raise self._unfit("what is read is not what was written")
            if os.path.basename(other) not in os.listdir(self._root):
                raise self._unfit("an existing file is not listed")
        finally:
            for path in (one, other):
                with suppress(OSError):
                    os.unlink(path)

    def _unfit(self, text: str) -> StoreError:
        return StoreError(
            f"{self.describe()} cannot hold an archive: {text}",
            REFUSED,
            "file system",
            "set archive.directory to a directory on another file system",
            of_all=True,
        )

    def put_new(self, key: str, data: bytes, attributes: Mapping[str, str]) -> None:
        # The attributes are not kept: a file has none, and the manifest has them all.
        path = self._path(key)
        try:
            try:
                self._put(key, path, data)
            except FileNotFoundError:
                if not os.path.isdir(self._root):
                    raise
                # Another process has removed a directory that was empty.
                self._made.clear()
                self._put(key, path, data)
        except OSError as error:
            self._made.clear()
            raise _error(error) from error

    def _put(self, key: str, path: str, data: bytes) -> None:
        directory, name = os.path.split(path)
        unfinished = os.path.join(directory, f"{_UNFINISHED}{os.getpid()}-{name}")
        self._check_file_system()
        if os.path.lexists(path):
            raise StoreError(f"{key} is there already", EXISTS)
        self._make(directory)
        with suppress(FileNotFoundError):
            os.unlink(unfinished)
        try:
            self._write(unfinished, data)
            self._files.rename_new(unfinished, path)
        except FileExistsError:
            raise StoreError(f"{key} is there already", EXISTS) from None
        finally:
            with suppress(FileNotFoundError):
                os.unlink(unfinished)
        self._files.sync_directory(directory)
        self._used = True

    def _write(self, path: str, data: bytes) -> None:
        fd = self._files.create(path)
        try:
            write_whole(self._files, fd, data)
            self._files.sync(fd)
        finally:
            self._files.close(fd)

    def _make(self, directory: str) -> None:
        """Create a directory and those above it; each is on the disk before it is used."""
        if directory in self._made:
            return
        above = os.path.dirname(os.path.abspath(directory))
        if directory != self._root and not os.path.isdir(above):
            self._make(above)
        if directory == self._root:
            if os.path.lexists(directory) and not os.path.isdir(directory):
                what = "a link that leads nowhere" if os.path.islink(directory) else "no directory"
                raise NotADirectoryError(errno.ENOTDIR, f"is {what}", directory)
            os.makedirs(directory, exist_ok=True)
        else:
            try:
                os.mkdir(directory)
            except OSError:
                # For an existing directory, file systems raise other errors than FileExistsError too.
                if not os.path.isdir(directory):
                    raise
        self._files.sync_directory(above)
        if len(self._made) > 10_000:
            self._made.clear()
        self._made.add(directory)

    def file_of(self, key: str) -> str:
        return self._path(key)

    def head(self, key: str) -> Head | None:
        path = self._path(key)
        try:
            # A file has no ETag, so the bytes are read.
            digest = hashlib.md5(usedforsecurity=False)
            size = 0
            with open(path, "rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _error(error) from error
        return Head(key, size, digest.hexdigest())

    def read(self, key: str) -> Iterator[bytes]:
        try:
            with open(self._path(key), "rb") as file:
                while chunk := file.read(_CHUNK):
                    yield chunk
        except FileNotFoundError:
            raise StoreError(f"there is no {key}", MISSING) from None
        except OSError as error:
            raise _error(error) from error

    def read_range(self, key: str, offset: int, size: int) -> Iterator[bytes]:
        try:
            with open(self._path(key), "rb") as file:
                file.seek(offset)
                while size > 0 and (chunk := file.read(min(size, _CHUNK))):
                    size -= len(chunk)
                    yield chunk
        except FileNotFoundError:
            raise StoreError(f"there is no {key}", MISSING) from None
        except OSError as error:
            raise _error(error) from error

    def list(self, prefix: str = "") -> Iterator[Head]:
        self._check_mounted_lately()
        # Only directories that can contain such keys are listed.
        above = os.path.dirname(prefix)
        below = self._below(os.path.join(self._root, above), f"{above}/" if above else "")
        try:
            if prefix[-1:] in ("", "/"):
                yield from below
            else:
                yield from (head for head in below if head.key.startswith(prefix))
        except OSError as error:
            raise _error(error) from error

    def _below(self, directory: str, above: str) -> Iterator[Head]:
        """The objects in a directory, the keys of which begin with ``above``."""
        try:
            with os.scandir(directory) as entries:
                found = sorted(map(_in_key_order, entries), key=itemgetter(0))
        except FileNotFoundError:
            return
        for name, entry in found:
            if name[-1] == "/":
                yield from self._below(entry.path, above + name)
            elif not name.startswith(_UNFINISHED) and entry.is_file():
                try:
                    status = entry.stat()
                except FileNotFoundError:
                    continue
                # Some file systems keep no times of files.
                stored = status.st_mtime if status.st_mtime > 0 else None
                yield Head(above + name, status.st_size, "", stored)

    def folders(self, prefix: str = "") -> Iterator[str]:
        self._check_mounted_lately()
        try:
            with os.scandir(os.path.join(self._root, prefix)) as entries:
                yield from [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise _error(error) from error

    def delete(self, key: str) -> None:
        try:
            with suppress(FileNotFoundError):
                os.unlink(self._path(key))
        except OSError as error:
            raise _error(error) from error
        # In a bucket a folder ends with its last object.
        folder = os.path.dirname(key)
        with suppress(OSError):
            while folder:
                os.rmdir(os.path.join(self._root, folder))
                self._made.clear()
                folder = os.path.dirname(folder)

    def _path(self, key: str) -> str:
        parts = key.split("/")
        if not key or any(part in ("", ".", "..") or part.startswith(_UNFINISHED) for part in parts):
            raise StoreError(f"not a key: {key[:200]!r}", REFUSED)
        return os.path.join(self._root, *parts)


def _in_key_order(entry: os.DirEntry[str]) -> tuple[str, os.DirEntry[str]]:
    """The sort key of an entry, and the entry: keys are compared as a whole, and in a key a directory's name
    is followed by a slash."""
    return (f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name), entry


def _error(error: OSError) -> StoreError:
    words = error.strerror or type(error).__name__
    where = f"{error.filename}: " if error.filename else ""
    kind = REFUSED if error.errno in _REFUSALS | _LACKS else OBJECT if error.errno in _OF_ONE else TRANSIENT
    if isinstance(error, NotADirectoryError) and words.startswith("is "):
        where = f"{error.filename} "
    return StoreError(f"{where}{words}", kind, errno.errorcode.get(error.errno or 0, "OSError"))
