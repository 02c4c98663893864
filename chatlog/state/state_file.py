"""One file of the state: read as far as it is whole, appended to, written anew beside itself."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from typing import Any, NamedTuple

from twisted.logger import Logger

from chatlog.chunks import chunks_of, gathered, lines_of
from chatlog.counted import many
from chatlog.files import Files, NotCertain, replace_file, write_whole
from chatlog.reserved_space import ReservedSpace
from chatlog.state.lines import LONGEST, VERSION, decode, encode, first_line, version_of

#: The directory of the state, in that of the spool.
DIRECTORY = "state"
#: Bytes that are reserved where the disk is too small for more.
LEAST = 1 << 16


class Written(NamedTuple):
    """A file that has just replaced another: the number of its last line, and its size in bytes. ``doubt``:
    why its name may be lost if the machine dies now."""

    number: int
    size: int
    doubt: NotCertain | None


class StateFile:
    """The file ``{directory}/state/{name}``. ``reserve`` bytes, or a part of them on a small disk, are
    reserved for its lines, for when the disk is full.

    Every method waits for the disk and may raise OSError. One thread at a time may call them, but ``write``
    and ``sync`` may run beside ``append``.
    """

    _log = Logger()

    def __init__(self, files: Files, directory: str, name: str, reserve: int = 0) -> None:
        self.path = f"{directory}/{DIRECTORY}/{name}"
        self.size = 0
        #: How many lines were damaged when the file was read.
        self.damaged = 0
        self._files = files
        self._directory = directory
        self._name = name
        self._reserved = ReservedSpace(files, f"{self.path}.ballast", reserve, min(reserve, LEAST))
        self._fd: int | None = None
        # Whether the file may end within a line, and the number of its last line.
        self._torn = True
        self._number = 0

    def read(self) -> Iterator[tuple[int, Any]]:
        """The entries with their numbers; none if there is no file. Damaged lines are left out, and the log
        says how many. A last line that was not written to its end does not count as damaged."""
        self.damaged = damaged = 0
        latest = -1
        with suppress(FileNotFoundError), closing(chunks_of(self._files, self.path)) as chunks:
            for line, ended in lines_of(chunks, LONGEST):
                found = decode(line)
                if found is None:
                    damaged += bool(line) and (ended or latest < 0)
                    continue
                latest = found[0]
                if latest > 0:
                    yield found
        # Only the first read sets the number: a later one may run while lines are appended.
        self._number = self._number or max(latest, 0)
        if damaged:
            self.damaged = damaged
            lines = many(damaged, "line is", "lines are")
            self._log.warn("{path} is damaged: {lines} left out", path=self.path, lines=lines, count=damaged)

    def keep_damaged(self) -> str:
        """Rename the damaged file, so that a person can look at it. Returns the new path."""
        with suppress(OSError):
            self._files.rename(self.path, f"{self.path}.damaged")
        return f"{self.path}.damaged"

    def append(self, *entries: object) -> int:
        """Add a line for each of the entries. They outlive the process from now on; if this raises OSError,
        none of them counts as written. Returns the number of the last."""
        self._reserved.run(self._append, entries)
        return self._number

    def sync(self) -> None:
        """Force the appended lines to the disk. If that fails, the system may have dropped some of them, and
        only a new file can be trusted. It also fails if the file has lost its name, as when its directory was
        moved away: the next run would not find the lines."""
        if self._fd is not None:
            self._files.sync(self._fd)
            if not self._files.exists(self.path):
                raise FileNotFoundError(errno.ENOENT, "it was moved away or removed", self.path)
            return
        fd = self._files.reopen(self.path)
        try:
            self._files.sync(fd)
        finally:
            self._files.close(fd)

    def replace(self, entries: Iterable[object], durable: bool = True) -> None:
        """Replace the file by one with these entries. At any time there is the old file or the new one. If
        ``durable``, the new one is on the disk afterwards. Raises NotCertain if the old one may come back
        should the machine die now."""
        self.use(self.write(entries, durable))

    def keep(self, entry: object) -> None:
        """Replace the file by one with this entry alone, on the disk. Raises OSError if that fails; the file
        is then unchanged."""
        try:
            self.replace([entry])
        except NotCertain as error:
            # The next start reads the changed file, so the change is in force now.
            self._log.warn(
                "{path} is changed, but may be as it was before if the machine dies now: {error}",
                path=self.path,
                error=error.strerror,
            )

    def write(self, entries: Iterable[object], durable: bool = True) -> Written:
        """The first half of ``replace``: the new file has its name."""
        directory = f"{self._directory}/{DIRECTORY}"
        if not self._files.exists(directory):
            self._files.make_directories(directory)
            self._files.sync_directory(self._directory)
        number, doubt = 0, None

        def lines() -> Iterator[bytes]:
            nonlocal number
            yield first_line(self._name)
            for entry in entries:
                number += 1
                yield encode(number, entry)

        try:
            replace_file(self._files, self.path, gathered(lines()), durable)
        except NotCertain as error:
            doubt = error
        return Written(number, self._files.size(self.path), doubt)

    def use(self, written: Written) -> None:
        """The second half: append to the new file from now on."""
        self.close()
        self._number, self.size, self._torn = written.number, written.size, False
        if written.doubt is not None:
            raise written.doubt

    def reserve_space(self) -> None:
        """Reserve the space, also once more after it was used, if the disk has enough."""
        self._reserved.reserve(self._directory)

    @property
    def reserve_used(self) -> bool:
        """Whether the reserved space was used."""
        return self._reserved.released

    def close(self) -> None:
        """Close the file. Lines can still be appended."""
        # The file that has the name later may end within a line.
        self._torn = True
        if self._fd is not None:
            fd, self._fd = self._fd, None
            with suppress(OSError):
                self._files.close(fd)

    def _append(self, entries: Iterable[object]) -> None:
        if self._fd is None:
            self._open()
        assert self._fd is not None
        numbered = list(enumerate(entries, self._number + 1))
        lines = (b"\n" if self._torn else b"") + b"".join(encode(*each) for each in numbered)
        self._torn = True
        write_whole(self._files, self._fd, lines)
        self._torn = False
        self._number += len(numbered)
        self.size += len(lines)

    def _open(self) -> None:
        try:
            self._fd = self._files.reopen(self.path)
        except FileNotFoundError:
            self.replace(())
            self._fd = self._files.reopen(self.path)
        self.size = self._files.size(self.path)


def newer_state(files: Files, directory: str) -> str:
    """A sentence that says why this version cannot read the state in the spool's directory; "" if it can, or
    if there is no state."""
    names: list[str] = []
    with suppress(OSError):
        names = files.names(f"{directory}/{DIRECTORY}")
    for name in sorted(names):
        path = f"{directory}/{DIRECTORY}/{name}"
        version = 0
        with suppress(OSError), closing(chunks_of(files, path)) as chunks:
            version = version_of(next(lines_of(chunks, LEAST), (b"", True))[0])
        if version > VERSION:
            return (
                f"{path} was written by a later version of chatlog (its form is {version}, this one knows "
                f"{VERSION}): install that version again, or set recorder.directory to another directory"
            )
    return ""
