"""A bounded cache of objects of a store as files on this machine: Parquet and indexes are read through it.

    with cache.whole(head) as path: ...                   # the whole object
    with cache.ranges(head) as held:                      # parts of it, at their places in a sparse file
        held.fetch([(offset, size)])
        held.path

An entry is two files: the bytes, and which blocks of them are there, each with its checksum. So a process may
be killed at any time, and several may use the same directory. An entry in use is locked (flock), and is not
removed. The entry that was unused for longest is removed first. An archive in a directory needs no cache.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Lock
from time import time
from typing import NamedTuple, Protocol

from chatlog.archive.cached_blocks import BLOCK, Blocks, Changed
from chatlog.config.settings import Settings
from chatlog.config.units import show_size
from chatlog.store.store import MISSING, Head, Local, Store, StoreError

#: Seconds after which blocks are fetched again: another machine may have erased a person from the object.
OLDEST = 7 * 86400.0
#: The file system keeps so many bytes free, or a tenth of it if that is less.
FREE = 1_000_000_000
_LOCKS = 16
_NAME = re.compile(r"([0-9a-f]{32}-[0-9a-f]{24})\.(data|blocks)\Z")


class CacheError(Exception):
    """The cache cannot take the object: it is too large, or the disk is full or cannot be written to. Then
    the caller has to read without the cache. The text is a sentence for people."""


class Held(Protocol):
    """An object in use. ``path`` is a file of its size, which has the object's bytes only where they were
    fetched."""

    path: Path
    size: int

    def fetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Fetch the missing blocks of these ranges (offset, bytes). Raises StoreError, CacheError,
        Changed."""


class FileCache:
    """A cache of at most ``most`` bytes at ``directory``, which is made when it is needed. May be used by
    several threads."""

    def __init__(self, store: Store, directory: str, most: int, now: Callable[[], float] = time) -> None:
        self._store = store
        self._directory = directory
        self._most = most
        self.now = now
        self._locks = [Lock() for _ in range(_LOCKS)]

    @contextmanager
    def whole(self, head: Head) -> Iterator[Path]:
        """The object as a file, while the context lasts. Raises StoreError, CacheError, Changed."""
        with self.ranges(head) as held:
            held.fetch([(0, held.size)])
            yield held.path

    @contextmanager
    def ranges(self, head: Head) -> Iterator[Held]:
        """The object as a sparse file of its size, which ``fetch`` fills, while the context lasts. Raises
        StoreError, CacheError."""
        if isinstance(self._store, Local):
            yield _AtHand(Path(self._store.file_of(head.key)), head.size)
            return
        with ExitStack() as stack:
            with _explained(self._directory):
                entry = self._entry(head, stack)
            try:
                yield entry
            finally:
                entry.note_use()

    def forget(self, key: str) -> None:
        """Remove all versions of an object that are not in use."""
        with suppress(OSError):
            self._remove(lambda stem: stem.startswith(_digest(self._store.describe(), key)[:32]))

    def clear(self) -> None:
        """Remove everything that is not in use."""
        with suppress(OSError):
            self._remove(lambda stem: True)

    def tidy(self) -> None:
        """Remove entries that are too old, and those beyond the limit."""
        with suppress(OSError, CacheError):
            self.make_room(0)

    # -- entries -------------------------------------------------------------------------------------

    def _entry(self, head: Head, stack: ExitStack) -> _Entry:
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        of_key = _digest(self._store.describe(), head.key)[:32]
        version = _digest(str(head.size), head.etag or str(head.stored))[:24]
        stem = os.path.join(self._directory, f"{of_key}-{version}")
        while True:
            data = _opened(f"{stem}.data", os.O_RDWR | os.O_CREAT)
            with ExitStack() as opened:
                opened.callback(os.close, data)
                _lock(data, fcntl.LOCK_SH)
                # The file may have been removed while this process waited for the lock.
                if os.fstat(data).st_nlink == 0:
                    continue
                blocks = _opened(f"{stem}.blocks", os.O_RDWR | os.O_CREAT | os.O_APPEND)
                opened.callback(os.close, blocks)
                stack.push(opened.pop_all())
            break
        if os.fstat(data).st_size == 0:
            self._remove(lambda other: other.startswith(of_key) and not stem.endswith(other))
        if os.fstat(data).st_size != head.size:
            os.ftruncate(data, head.size)
        lock = self._locks[hash(stem) % _LOCKS]
        entry = _Entry(self, Blocks(data, blocks, head.size), head, Path(f"{stem}.data"), lock)
        if self.now() - entry.blocks.born(self.now()) > OLDEST:
            entry.blocks.clear()
        entry.note_use()
        return entry

    def read(self, head: Head, offset: int, size: int) -> Iterator[bytes]:
        """Bytes of an object, from the store. Raises StoreError, Changed."""
        try:
            yield from self._store.read_range(head.key, offset, size)
        except StoreError as error:
            if error.kind == MISSING:
                raise Changed from None
            raise

    def is_same(self, head: Head) -> bool:
        """Whether the object is still the one that was listed. Raises StoreError."""
        there = self._store.head(head.key)
        return there is not None and (there.size, there.etag) == (head.size, head.etag or there.etag)

    def make_room(self, size: int, own: int = 0) -> None:
        """Remove the entries that were unused for longest until ``size`` more bytes fit beside the ``own``
        bytes of the caller's entry. Raises CacheError, OSError."""
        there = self._there() if size + own <= self._most else []
        total = sum(found.bytes for found in there)
        free = _free(self._directory)
        for found in sorted(there, key=lambda found: found.used):
            is_old = self.now() - found.filled > OLDEST
            if (is_old or total + size > self._most or free < size) and self._drop(found.stem):
                total -= found.bytes
                free += found.bytes
        if max(total, own) + size > self._most:
            raise CacheError(
                f"the cache of files at {self._directory} is full: what is needed at the same time is more "
                f"than {show_size(self._most)} (archive.cache_size)"
            )
        if free < size:
            raise CacheError(
                f"the disk of the cache of files at {self._directory} is nearly full; make room on it, or "
                "set archive.cache to a directory on another one"
            )

    def _there(self) -> list[_Found]:
        found: dict[str, _Found] = {}
        with os.scandir(self._directory) as entries:
            for entry in entries:
                match = _NAME.match(entry.name)
                if match is None or not entry.is_file(follow_symlinks=False):
                    continue
                with suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    known = found.get(match[1], _Found(match[1], 0, 0.0, 0.0))
                    found[match[1]] = _Found(
                        match[1],
                        known.bytes + status.st_blocks * 512,
                        max(known.used, status.st_mtime if match[2] == "blocks" else 0.0),
                        max(known.filled, status.st_mtime if match[2] == "data" else 0.0),
                    )
        return list(found.values())

    def _remove(self, chosen: Callable[[str], bool]) -> None:
        for found in self._there():
            if chosen(found.stem):
                self._drop(found.stem)

    def _drop(self, stem: str) -> bool:
        """Remove an entry, unless it is in use."""
        path = os.path.join(self._directory, stem)
        try:
            data = _opened(f"{path}.data", os.O_RDWR)
        except FileNotFoundError:
            _unlink(f"{path}.blocks")
            return True
        try:
            _lock(data, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(data).st_nlink == 0:
                # Another process has removed the entry, and a new one of that name may be in use.
                return True
            _unlink(f"{path}.blocks")
            _unlink(f"{path}.data")
        except OSError:
            return False
        finally:
            os.close(data)
        return True


class _Found(NamedTuple):
    """An entry on the disk: its bytes, when it was used last, and when something was last fetched."""

    stem: str
    bytes: int
    used: float
    filled: float


class _AtHand:
    """An object of a directory."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size

    def fetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        try:
            if os.stat(self.path).st_size != self.size:
                raise Changed
        except FileNotFoundError:
            raise Changed from None


class _Entry:
    """An entry in use."""

    def __init__(self, cache: FileCache, blocks: Blocks, head: Head, path: Path, lock: Lock) -> None:
        self.path = path
        self.size = head.size
        self.blocks = blocks
        self._cache = cache
        self._head = head
        self._lock = lock

    def note_use(self) -> None:
        """Note the time of use."""
        self.blocks.used_at(self._cache.now())

    def fetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        with self._lock, _explained(str(self.path.parent)):
            missing = self.blocks.missing(ranges)
            if not missing:
                return
            self._cache.make_room(len(missing) * BLOCK, self.blocks.there() * BLOCK)
            self.blocks.fill(missing, self._read, self._cache.now())
            if not self._cache.is_same(self._head):
                self.blocks.clear()
                raise Changed

    def _read(self, offset: int, size: int) -> Iterator[bytes]:
        return self._cache.read(self._head, offset, size)


def _digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).hexdigest()


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _lock(fd: int, how: int) -> None:
    try:
        fcntl.flock(fd, how)
    except OSError as error:
        # Some network file systems have no locks; then an entry in use may be removed, and is fetched again.
        if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
            raise


def _unlink(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


def _free(directory: str) -> int:
    """The bytes that may still be used."""
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize - min(FREE, status.f_blocks * status.f_frsize // 10)


@contextmanager
def _explained(directory: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CacheError(
            f"the cache of files at {directory} cannot be used: {error.strerror or error}; set archive.cache "
            "to a directory that chatlog may write to"
        ) from None


def default_directory(environ: Mapping[str, str]) -> str:
    """The directory of the cache if the settings name none: not beside the recordings, which need their
    disk."""
    given = environ.get("CACHE_DIRECTORY", "").partition(":")[0]
    if given:
        # systemd made it for this service.
        return os.path.join(given, "files")
    above = environ.get("XDG_CACHE_HOME") or os.path.join(environ.get("HOME") or "/nonexistent", ".cache")
    return os.path.join(above, "chatlog", "files")


def cache_of(settings: Settings, store: Store, environ: Mapping[str, str] = os.environ) -> FileCache:
    """The cache that the settings name."""
    archive = settings.archive
    return FileCache(store, archive.cache or default_directory(environ), archive.cache_size)
