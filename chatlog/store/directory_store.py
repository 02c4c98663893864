"""An archive in a directory, with the same keys as in a bucket. What it has is on the disk."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from chatlog.store.store import EXISTS, MISSING, REFUSED, TRANSIENT, Head, StoreError

_CHUNK = 1 << 20
#: What a write begins its name with, and what nothing in the archive begins with.
_UNFINISHED = ".unfinished-"
#: What a user has to mend; anything else may pass.
_REFUSALS = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG}
)


class DirectoryStore:
    """Objects as files below ``root``. An object is there as a whole or not at all, also after a crash."""

    def __init__(self, root: str, link: Callable[[str, str], None] = os.link) -> None:
        """``link`` gives a file a second name, or raises what a file system does that cannot."""
        self._root = root
        self._link = link
        # The directories that are known to be there and on the disk.
        self._made: set[str] = set()

    def describe(self) -> str:
        return f"the directory {self._root}"

    def prepare(self) -> str:
        try:
            self._make(self._root)
            path = os.path.join(self._root, f"{_UNFINISHED}probe-{os.getpid()}")
            with open(path, "wb") as file:
                file.write(b"chatlog")
            os.unlink(path)
        except OSError as error:
            raise _error(error) from error
        return ""

    def put_new(self, key: str, data: bytes, attributes: Mapping[str, str]) -> None:
        # A file has no attributes; all they say is in the manifest as well.
        path = self._path(key)
        directory, name = os.path.split(path)
        unfinished = os.path.join(directory, f"{_UNFINISHED}{os.getpid()}-{name}")
        try:
            if os.path.lexists(path):
                raise StoreError(f"{key} is there already", EXISTS)
            self._make(directory)
            with suppress(FileNotFoundError):
                os.unlink(unfinished)
            try:
                self._write(unfinished, data)
                self._name(unfinished, path)
            except FileExistsError:
                raise StoreError(f"{key} is there already", EXISTS) from None
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(unfinished)
            _sync_directory(directory)
        except OSError as error:
            self._made.clear()
            raise _error(error) from error

    def _write(self, path: str, data: bytes) -> None:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            os.fsync(fd)
        finally:
            os.close(fd)

    def _name(self, source: str, target: str) -> None:
        """Give the file its name without replacing anything. Raises FileExistsError."""
        try:
            self._link(source, target)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK):
                raise
            # A file system without hard links. Only one process writes under these names.
            if os.path.lexists(target):
                raise FileExistsError(target) from None
            os.rename(source, target)

    def _make(self, directory: str) -> None:
        """Make a directory and what leads to it, each on the disk before it is used."""
        if directory in self._made:
            return
        above = os.path.dirname(os.path.abspath(directory))
        if directory != self._root and not os.path.isdir(above):
            self._make(above)
        if directory == self._root:
            os.makedirs(directory, exist_ok=True)
        else:
            with suppress(FileExistsError):
                os.mkdir(directory)
        _sync_directory(above)
        if len(self._made) > 10_000:
            self._made.clear()
        self._made.add(directory)

    def head(self, key: str) -> Head | None:
        path = self._path(key)
        try:
            # There is no ETag that the file system would keep; the bytes themselves are looked at.
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

    def list(self, prefix: str = "") -> Iterator[Head]:
        # Only directories that can hold such keys are looked at.
        top = os.path.join(self._root, os.path.dirname(prefix))
        try:
            yield from (head for head in self._below(top) if head.key.startswith(prefix))
        except OSError as error:
            raise _error(error) from error

    def _below(self, directory: str) -> Iterator[Head]:
        try:
            entries = sorted(os.scandir(directory), key=_key_order)
        except FileNotFoundError:
            return
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from self._below(entry.path)
            elif not entry.name.startswith(_UNFINISHED) and entry.is_file():
                key = os.path.relpath(entry.path, self._root).replace(os.sep, "/")
                status = entry.stat()
                yield Head(key, status.st_size, "", status.st_mtime)

    def delete(self, key: str) -> None:
        try:
            with suppress(FileNotFoundError):
                os.unlink(self._path(key))
        except OSError as error:
            raise _error(error) from error

    def _path(self, key: str) -> str:
        parts = key.split("/")
        if not key or any(part in ("", ".", "..") or part.startswith(_UNFINISHED) for part in parts):
            raise StoreError(f"not a key: {key[:200]!r}", REFUSED)
        return os.path.join(self._root, *parts)


def _key_order(entry: os.DirEntry[str]) -> str:
    """Keys are compared as wholes, in which a directory's name is followed by a slash."""
    return entry.name + ("/" if entry.is_dir(follow_symlinks=False) else "")


def _sync_directory(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        # Some network file systems cannot do that; others who fail have lost something.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(fd)


def _error(error: OSError) -> StoreError:
    words = error.strerror or type(error).__name__
    where = f"{error.filename}: " if error.filename else ""
    kind = REFUSED if error.errno in _REFUSALS else TRANSIENT
    return StoreError(f"{where}{words}", kind, errno.errorcode.get(error.errno or 0, "OSError"))
