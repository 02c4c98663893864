"""The spool's directories, and the way of a file from ``open/`` to ``sealed/``.

    {directory}/open/     files that this process writes
    {directory}/sealed/   finished files, on the disk; they belong to the uploader
    {directory}/packed/   files that the uploader has compressed
    {directory}/torn/     bytes that recovery removed from damaged files
    {directory}/lock      keeps a second process out
    {directory}/state/    state for the next run, such as the names in use (see ``numbering``)
    {directory}/ballast   reserved space, freed when the disk is too full to seal

Every method blocks. ``open``, ``create`` and ``reopen`` are called in the reactor's thread; ``commit`` and
``repair`` in another thread, one call at a time.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from chatlog.files import NO_DESCRIPTORS, NO_SPACE, Files, write_whole
from chatlog.naming import FileName, utc_minute
from chatlog.reserved_space import ReservedSpace
from chatlog.spool.numbering import Numbering
from chatlog.spool.probe import Unfit, examine, moved_away, place_of, remarks
from chatlog.spool.recovery import Report, repair
from chatlog.spool.seal import seal
from chatlog.spool.stock import AREAS, take_stock
from chatlog.spool.usage import Usage
from chatlog.state.state_file import StateFile

#: Up to this many files are synced one by one; for more, one sync of the file system is cheaper.
FEW = 8

#: Errors of a file system that has gone away: an NFS server that is down, FUSE without its process.
_GONE = frozenset({errno.ENOTCONN, errno.ESTALE, errno.EIO, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENODEV})


class SpoolError(Exception):
    """The directory cannot be used. The text says why, and what to do."""


class SyncFailed(Exception):
    """The disk did not keep written bytes. The kernel reports such an error only once, so the sync must not
    be repeated: only a new start, from what the disk holds, can be trusted."""


class SyncPutOff(Exception):
    """Nothing was synced because no file could be opened. It can be tried again later."""


@dataclass(slots=True)
class Batch:
    """The work of one commit.

    ``unsynced``: files in ``open/`` with bytes that may not be on the disk. ``sealing``: files to seal.
    ``created``: whether files were created in ``open/``. ``note``: the note of used names, which must be on
    the disk before a file is sealed.
    """

    unsynced: list[str]
    sealing: list[str]
    created: bool
    note: dict[str, str | int]


@dataclass(slots=True)
class Committed:
    """The result of a commit: the files it sealed, the files ``left`` in ``open/`` and the last error, and
    the files that had vanished from ``open/``, which another program must have removed."""

    sealed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    error: str = ""
    vanished: list[str] = field(default_factory=list)


class Spool:
    """One spool directory. ``usage`` counts the bytes in it; ``open`` measures them."""

    def __init__(self, directory: str, files: Files, instance: str = "") -> None:
        self.directory = directory
        self.files = files
        self.instance = instance
        self.numbering = Numbering()
        self.reserved = ReservedSpace(files, os.path.join(directory, "ballast"))
        self.usage = Usage()
        self.unknown_files: list[str] = []
        #: The features that the file system lacks, in sentences.
        self.remarks: list[str] = []
        self._lock_fd: int | None = None
        self._device = 0
        # Files that were moved to sealed/ before the directories could be synced.
        self._names = StateFile(files, directory, "names")
        self._saved_note: dict[str, str | int] = {}
        self._moved: list[str] = []

    def path(self, area: str, name: str = "") -> str:
        """The path of one of the directories, or of a file in it."""
        return os.path.join(self.directory, area, name) if name else os.path.join(self.directory, area)

    # -- Start and end

    def lock(self) -> None:
        """Create the directory and lock it against other processes. Does nothing if it is locked already.
        Raises SpoolError."""
        if self._lock_fd is not None:
            return
        try:
            self.files.make_directories(self.directory)
        except OSError as error:
            raise SpoolError(
                f"{self.directory} cannot be made: {error.strerror}; {_remedy(error)}"
            ) from error
        try:
            self._lock_fd = self.reserved.run(self.files.lock, self.path("lock"))
        except BlockingIOError:
            raise SpoolError(
                f"{self.directory} is in use by another chatlog{self._holder()}; end it, or choose another "
                "recorder.directory"
            ) from None
        except OSError as error:
            raise SpoolError(
                f"{self.directory} cannot be written: {error.strerror}; {_remedy(error)}"
            ) from error

    def open(self) -> list[tuple[str, int]]:
        """Lock the directory, create the directories in it that are missing, and list their files. Returns
        the names and sizes of the files that an earlier run left in ``open/``. Raises SpoolError."""
        self.lock()
        assert self._lock_fd is not None
        try:
            self._device = self.files.device(self.directory)
            # The process id is written here and not in lock(): the process may have forked in between.
            with suppress(OSError):
                self.files.truncate(self._lock_fd, 0)
                write_whole(self.files, self._lock_fd, f"{os.getpid()}\n".encode("ascii"))
            for area in AREAS:
                self.reserved.run(self.files.make_directories, self.path(area))
                self._probe(self.path(area))
            found = examine(self.files, self.path("open", "probe.tmp"), self.path("sealed", "probe.tmp"))
            for area in AREAS:
                self.files.sync_directory(self.path(area))
            self.files.sync_directory(self.directory)
            with suppress(OSError):
                self.files.sync_directory(os.path.dirname(os.path.abspath(self.directory)))
            for _, note in self._names.read():
                self.numbering.read(note)
            stock = take_stock(self.files, self.path, self.numbering)
        except Unfit as error:
            self.close()
            raise SpoolError(
                f"{place_of(self.files, self.directory)} cannot hold the spool: {error}; set "
                f"recorder.directory to a directory on a local disk"
            ) from error
        except OSError as error:
            self.close()
            where = error.filename if isinstance(error.filename, str) else self.directory
            raise SpoolError(f"{where} cannot be used as a spool: {error.strerror}") from error
        self.usage.measured(stock.usage)
        self.unknown_files = stock.unknown_files
        self.reserved.reserve(self.directory)
        place = place_of(self.files, self.directory)
        self.remarks = [f"{place} {remark}" for remark in (*found, *remarks(self.files))]
        return stock.leftovers

    def close(self) -> None:
        """Unlock the directory."""
        if self._lock_fd is not None:
            fd, self._lock_fd = self._lock_fd, None
            # If the file system is gone, the lock is gone with it.
            with suppress(OSError):
                self.files.close(fd)

    def _holder(self) -> str:
        try:
            fd = self.files.open_read(self.path("lock"))
            try:
                pid = self.files.read(fd, 32).strip()
            finally:
                self.files.close(fd)
        except OSError:
            return ""
        return f" (pid {int(pid)})" if pid.isdigit() else ""

    def _probe(self, area: str) -> None:
        """Raise OSError if no file can be created in ``area``: better now than at the first message."""
        path = os.path.join(area, "probe.tmp")
        if self.files.exists(path):
            self.files.remove(path)
        try:
            fd = self.files.create(path)
        except OSError as error:
            if error.errno in NO_SPACE:
                return
            raise
        self.files.close(fd)
        self.files.remove(path)

    # -- Making files

    def create(
        self, platform: str, channel: str, seconds: float, last: tuple[str, int]
    ) -> tuple[FileName, int]:
        """Create the next file of a room in ``open/``. Returns its name and a descriptor. ``seconds`` is the
        time of day, ``last`` the minute and number of the room's latest file. Raises OSError."""
        minute = utc_minute(seconds)
        n = self.numbering.after(minute, *last)
        while True:
            name = FileName(platform, channel, minute, self.instance, n)
            try:
                fd = self._create(str(name))
            except FileExistsError:
                n += 1
                continue
            # Checked after the creation: files move from open/ to sealed/ to packed/. The name is taken in
            # open/ now, so no file of that name can move while the areas are checked.
            if not self._moved_on(str(name)):
                self.numbering.used(minute, n)
                return name, fd
            self.files.close(fd)
            self.files.remove(self.path("open", str(name)))
            n += 1

    def _create(self, name: str) -> int:
        path = self.path("open", name)
        try:
            return self.files.create(path)
        except FileNotFoundError:
            # The directory itself was removed.
            self.files.make_directories(self.path("open"))
            return self.files.create(path)

    def _moved_on(self, name: str) -> bool:
        exists = self.files.exists
        packed = self.path("packed", name)
        return exists(self.path("sealed", name)) or any(exists(packed + end) for end in ("", ".gz", ".zst"))

    def reopen(self, name: str) -> int:
        """A descriptor that appends to a file in ``open/``. Raises OSError."""
        return self.files.reopen(self.path("open", name))

    # -- Committing

    def commit(self, batch: Batch) -> Committed:
        """Force the written bytes to the disk, then seal. Raises SyncFailed and SyncPutOff. After any other
        error, files stay in ``open/`` and the result says so."""
        if moved := moved_away(self.files, self.directory, self._device):
            raise SyncFailed(moved)
        try:
            self._sync(batch)
        except OSError as error:
            if error.errno in NO_DESCRIPTORS:
                raise SyncPutOff(f"cannot sync: {error}") from error
            raise SyncFailed(f"the disk did not keep what was written: {error}") from error
        done = Committed()
        if batch.sealing:
            self._seal_all(batch, done)
        if self._moved:
            try:
                self.files.sync_directory(self.path("open"))
                self.files.sync_directory(self.path("sealed"))
            except OSError as error:
                if error.errno not in NO_DESCRIPTORS:
                    raise SyncFailed(f"the disk did not keep the sealed files: {error}") from error
                done.error = f"{self.path('sealed')}: {error.strerror}"
            else:
                done.sealed, self._moved = self._moved, []
        if batch.sealing or self.reserved.released:
            self.reserved.reserve(self.directory)
        return done

    def _seal_all(self, batch: Batch, done: Committed) -> None:
        try:
            self.reserved.run(self._save_note, batch.note)
        except OSError as error:
            # On a full disk sealing goes on, because it makes space. Without the note a name could be used
            # twice only if the next process starts within the same minute.
            if error.errno not in NO_SPACE:
                done.left, done.error = batch.sealing, f"{self._names.path}: {error.strerror}"
                return
        for name in batch.sealing:
            try:
                sealed = self.reserved.run(seal, self.files, self.path, name)
            except FileNotFoundError:
                done.vanished.append(name)
            except OSError as error:
                done.left.append(name)
                done.error = f"{name}: {error.strerror}"
            else:
                if sealed:
                    self._moved.append(sealed)

    def _sync(self, batch: Batch) -> None:
        directory = self.path("open")
        if len(batch.unsynced) > FEW and self.files.sync_all(self.directory):
            return
        for name in batch.unsynced:
            try:
                # Opened for writing: some network file systems ignore the sync of a file opened for reading.
                fd = self.files.reopen(self.path("open", name))
            except OSError as error:
                # The file was moved or removed. The file system can still be synced as a whole.
                if self.files.sync_all(self.directory):
                    return
                if not isinstance(error, FileNotFoundError):
                    raise
                continue
            try:
                self.files.sync(fd)
            finally:
                self.files.close(fd)
        if batch.created:
            self.files.sync_directory(directory)

    def repair(
        self, names: Iterable[str], enough: Callable[[], bool] = lambda: False
    ) -> tuple[list[str], Report, int]:
        """Repair files in ``open/`` until ``enough()`` is true. Returns the files that can be sealed now,
        the report, and by how many bytes the spool shrank."""
        good: list[str] = []
        report = Report()
        freed = 0
        for name in names:
            if enough():
                break
            try:
                size = self.files.size(self.path("open", name))
                repaired = self.reserved.run(repair, self.files, self.directory, name)
            except OSError as error:
                report.failed.append((name, str(error.strerror)))
                continue
            report.add(repaired)
            freed += size - repaired.size
            if repaired.size:
                good.append(name)
        return good, report, freed

    def _save_note(self, note: dict[str, str | int]) -> None:
        if note != self._saved_note:
            self._names.replace([note])
            self._saved_note = note


def _remedy(error: OSError) -> str:
    if error.errno in _GONE:
        return "mount its file system again, or set recorder.directory to a directory on a local disk"
    return "set recorder.directory to a directory that chatlog may write"
