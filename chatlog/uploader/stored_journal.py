"""Which objects have been stored and are in no manifest yet, on the disk: what a manifest is made of.

    stored            {"from": T}, and a row for every object that was stored since T
    stored.closed     the rows of a period that is over; later, in one step, the whole manifest of it
    stored.new        what is being written
    manifest/{name}   what waits for its upload

A file of recordings is only removed once its object has its row here. Each step is a single rename, so
that a row is never in no file, and a period never has two manifests. Everything here blocks.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, suppress
from hashlib import blake2b

from chatlog.files import Files, write_whole
from chatlog.record import from_json
from chatlog.spool.ballast import SIZE, Ballast
from chatlog.uploader.deposit import Stored
from chatlog.uploader.manifest_rows import LONGEST_ROW, HeadRow, ObjectRow, encoded, lines_of, name_of, parsed
from chatlog.uploader.packing import chunks_of

_BUFFER = 1 << 16
#: Bytes put by for rows where the disk is too small for more.
_LEAST = 1 << 16


class StoredJournal:
    """The files of one spool. ``append`` may be called from any thread at any time; the rest is called
    by one at a time. Every method may raise OSError, and can then be called again."""

    def __init__(self, files: Files, directory: str) -> None:
        self._files = files
        self._directory = directory
        self._path = f"{directory}/stored"
        self._closed = f"{directory}/stored.closed"
        self._new = f"{directory}/stored.new"
        self._manifests = f"{directory}/manifest"
        # A full disk becomes less full by uploads, and they need a row each.
        self._ballast = Ballast(files, f"{directory}/stored.ballast")
        self._lock = threading.Lock()
        self._fd: int | None = None
        self._size = 0
        self._opened = False
        self._distrusted = False
        # Digests of the keys that have a row that is on the disk.
        self._known: set[bytes] = set()
        self._since: float | None = None
        # A manifest that has its name, and perhaps not yet on the disk.
        self._moved = ""

    def stored(self, stored: Stored) -> None:
        """Write down a verified object, before its file goes: an uploader's ``on_stored``. Raises OSError to
        keep the file. An object that is written down already stays so."""
        if stored.content == "data":
            self.append(
                ObjectRow(stored.key, stored.bytes, stored.sha256, stored.lines, stored.first, stored.last)
            )

    # -- before anything else ------------------------------------------------------------------------

    def open(self) -> float | None:
        """Take up what an earlier run has left; since when the present period has been going on, None if
        these files do not know."""
        with self._lock:
            self._open()
        self._fit_ballast()
        self._ballast.restock(self._directory)
        if self._exists(self._closed):
            return None if self._complete() is None else self._since
        return self._since

    def _fit_ballast(self) -> None:
        """Put by what a small disk has to spare."""
        with suppress(OSError):
            if self._files.free_bytes(self._directory) < 2 * SIZE:
                self._ballast = Ballast(self._files, f"{self._directory}/stored.ballast", _LEAST)

    def _open(self) -> None:
        """Read the journal, mend it if it is damaged, and make sure that it is on the disk."""
        if self._opened:
            return
        self._release()
        if self._exists(self._path):
            intact = sum(len(line) for line in self._intact())
            if self._distrusted or intact != self._files.size(self._path):
                self._ballast.spend(self._mend)
            else:
                # What a killed process wrote may be on no disk yet.
                self._fd = self._files.reopen(self._path)
                self._files.sync(self._fd)
                self._size = intact
        self._files.sync_directory(self._directory)
        self._distrusted = False
        self._opened = True

    def _intact(self) -> Iterator[bytes]:
        """The lines that are worth keeping; what they say is taken note of."""
        self._known.clear()
        self._since = None
        for line, whole in lines_of(chunks_of(self._files, self._path), LONGEST_ROW):
            since = _from(line) if whole else None
            if since is not None:
                self._since = since
                yield line + b"\n"
            elif whole and (row := _object(line)) is not None:
                digest = _digest(row.key)
                if digest not in self._known:
                    self._known.add(digest)
                    yield line + b"\n"

    def _mend(self) -> None:
        self._write(self._new, self._intact())
        self._files.rename(self._new, self._path)

    # -- objects -------------------------------------------------------------------------------------

    def append(self, row: ObjectRow) -> None:
        """Write the object down. When this returns its row outlives everything."""
        digest = _digest(row.key)
        with self._lock:
            self._open()
            if digest not in self._known:
                self._ballast.spend(self._add, encoded(row))
                self._known.add(digest)

    def _add(self, line: bytes) -> None:
        """Append a line and force it to the disk, or leave the journal as it was."""
        if self._fd is None:
            self._reopen()
        assert self._fd is not None
        try:
            write_whole(self._files, self._fd, line)
        except OSError:
            try:
                self._files.truncate(self._fd, self._size)
            except OSError:
                self._opened = False
            raise
        try:
            self._files.sync(self._fd)
        except OSError:
            # The system forgets what it could not keep; only a new file can be trusted.
            self._opened, self._distrusted = False, True
            raise
        self._size += len(line)

    def _reopen(self) -> None:
        """Open the journal, which is as it was left, or make an empty one."""
        size = 0
        try:
            fd = self._files.reopen(self._path)
        except FileNotFoundError:
            fd = self._files.create(self._path)
        try:
            size = self._files.size(self._path)
            self._files.sync_directory(self._directory)
        except OSError:
            self._files.close(fd)
            raise
        self._fd, self._size = fd, size

    def _release(self) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            with suppress(OSError):
                self._files.close(fd)

    # -- manifests -----------------------------------------------------------------------------------

    def finish(self, head: HeadRow, rooms: Iterable[bytes]) -> None:
        """Make the manifest of the period that ``head`` is about: the objects stored until now, and the
        encoded rows of the rooms. It is safe on the disk then, and what is stored later belongs to the
        next period. Does nothing if that was done by an earlier call that failed after it."""
        with self._lock:
            self._open()
            if not self._exists(self._closed):
                self._close_period()
        if self._complete() is None:
            self._write(self._new, self._manifest(head, rooms))
            with self._lock:
                self._open()
                self._ballast.spend(self._add, _from_line(head.until))
            self._files.rename(self._new, self._closed)
        self._files.sync_directory(self._directory)

    def _close_period(self) -> None:
        self._release()
        if self._exists(self._path):
            self._files.rename(self._path, self._closed)
        else:
            # As long as it is there and no manifest, the period is not over for who starts next.
            self._files.close(self._files.create(self._closed))
        self._known.clear()
        self._files.sync_directory(self._directory)

    def publish(self) -> str | None:
        """Let the manifest that is finished, if there is one, wait for its upload; its name."""
        if not self._moved:
            head = self._complete()
            if head is None:
                return None
            self._files.make_directories(self._manifests)
            name = name_of(head)
            while self._exists(f"{self._manifests}/{name}"):
                name = name.numbered(name.n + 1)
            self._files.rename(self._closed, f"{self._manifests}/{name}")
            self._moved = str(name)
        self._files.sync_directory(self._manifests)
        self._files.sync_directory(self._directory)
        self._ballast.restock(self._directory)
        moved, self._moved = self._moved, ""
        return moved

    def _complete(self) -> HeadRow | None:
        """The head of the manifest that waits to be published."""
        try:
            lines = lines_of(chunks_of(self._files, self._closed), LONGEST_ROW)
            with closing(lines):
                line, whole = next(lines, (b"", False))
            return _head(line) if whole else None
        except FileNotFoundError:
            return None

    def _manifest(self, head: HeadRow, rooms: Iterable[bytes]) -> Iterator[bytes]:
        # Since when the period has been going on is told by the manifest before it.
        with closing(self._closed_lines()) as lines:
            new_spool = not any(_from(line) is not None for line, whole in lines if whole)
        yield encoded(head._replace(new_spool=new_spool))
        seen = set()
        for line, whole in self._closed_lines():
            row = _object(line) if whole else None
            if row is not None and (digest := _digest(row.key)) not in seen:
                seen.add(digest)
                yield line + b"\n"
        yield from rooms

    def _closed_lines(self) -> Generator[tuple[bytes, bool], None, None]:
        """The rows of the period that is over, and whether each is whole."""
        if self._exists(self._closed):
            with closing(chunks_of(self._files, self._closed)) as chunks:
                yield from lines_of(chunks, LONGEST_ROW)

    # -- files ---------------------------------------------------------------------------------------

    def _exists(self, path: str) -> bool:
        return self._files.exists(path)

    def _write(self, path: str, lines: Iterable[bytes]) -> None:
        """A new file with these lines, safe on the disk but for its name."""
        with suppress(FileNotFoundError):
            self._files.remove(path)
        fd = self._files.create(path)
        try:
            buffer = bytearray()
            for line in lines:
                buffer += line
                if len(buffer) >= _BUFFER:
                    write_whole(self._files, fd, bytes(buffer))
                    buffer.clear()
            write_whole(self._files, fd, bytes(buffer))
            self._files.sync(fd)
        except OSError:
            # What there is of it takes space that may be what is wanting.
            with suppress(OSError):
                self._files.remove(path)
            raise
        finally:
            self._files.close(fd)


def _digest(key: str) -> bytes:
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _from_line(since: float) -> bytes:
    return b'{"from":%.3f}\n' % since


def _from(line: bytes) -> float | None:
    with suppress(ValueError):
        entry = from_json(line)
        if isinstance(entry, dict) and isinstance(entry.get("from"), float):
            return float(entry["from"])
    return None


def _object(line: bytes) -> ObjectRow | None:
    with suppress(ValueError):
        row = parsed(line)
        if isinstance(row, ObjectRow):
            return row
    return None


def _head(line: bytes) -> HeadRow | None:
    with suppress(ValueError):
        row = parsed(line)
        if isinstance(row, HeadRow):
            return row
    return None
