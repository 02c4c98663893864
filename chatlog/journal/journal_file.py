"""The journal on the disk: appended to at every flush, forced to the disk and written anew beside it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatlog.environment import Threads
from chatlog.files import Files, replace_file, write_whole
from chatlog.reserved_space import ReservedSpace

#: The journal is written anew when it has grown beyond this many bytes, and beyond twice its contents.
LARGEST = 1_000_000
#: Bytes that are put by for a full disk: rooms that come then, and are not in the journal yet, need a line.
RESERVE = 1 << 16


def boot_id() -> str:
    """What distinguishes this start of the machine from all others; ``""`` where nothing does."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


class JournalFile:
    """One journal. ``whole()`` must give what it would hold if it began now; ``incomplete()`` is called
    when lines may have got lost, so that all rooms are to be written once more. ``sync_interval`` is in
    seconds; ``name`` is that of the file. Trouble with the disk is logged and never raised: the next run
    then knows less.
    """

    _log = Logger()

    def __init__(
        self,
        files: Files,
        directory: str,
        clock: IReactorTime,
        threads: Threads,
        sync_interval: float = 1.0,
        name: str = "coverage",
    ) -> None:
        self._files = files
        self._directory = directory
        self._path = f"{directory}/{name}"
        self._reserved = ReservedSpace(files, f"{self._path}.ballast", RESERVE)
        self._clock = clock
        self._threads = threads
        self._sync_interval = sync_interval
        self._fd: int | None = None
        self._torn = False
        self._size = 0
        self._most = LARGEST
        self._job = ""
        # What was appended while the journal is being written anew.
        self._meanwhile: list[bytes] = []
        self._synced_at = float("-inf")
        self._unsynced = False
        self._closing = False
        self._trouble = ""
        # Whether the latest job could not be done: to be able to append is not enough then.
        self._job_failing = False
        self.whole: Callable[[], bytes] = bytes
        self.incomplete: Callable[[], object] = lambda: None

    def read(self) -> bytes:
        """All of it; ``b""`` if there is none. Raises OSError."""
        try:
            fd = self._files.open_read(self._path)
        except FileNotFoundError:
            return b""
        try:
            parts = []
            while part := self._files.read(fd, 1 << 20):
                parts.append(part)
            return b"".join(parts)
        finally:
            self._files.close(fd)

    def begin(self) -> None:
        """Write it anew. Waits for the disk."""
        data = self.whole()
        try:
            self._use(self._write_new(data), data)
        except OSError as error:
            self._failed(error)
            self.incomplete()
        self._reserved.reserve(self._directory)

    def append(self, data: bytes) -> bool:
        """Add whole lines, which outlive the process from now on; False if that cannot be done."""
        try:
            self._reserved.run(self._append, data)
        except OSError as error:
            self._failed(error)
            return False
        if self._trouble and not self._job_failing:
            self._trouble = ""
            self._log.info("which rooms are recorded is noted again")
        self._unsynced = True
        if self._job == "write anew":
            self._meanwhile.append(data)
        return True

    def look_after(self, settled: bool) -> None:
        """Begin to write it anew if it is too long, or to force it to the disk if that is due. When it
        is written anew, what it says of the past is forgotten; so it should be ``settled``: nothing of
        importance changed within the last seconds."""
        if self._job or self._closing:
            return
        now = self._clock.seconds()
        if self._size > (self._most if settled else 2 * self._most):
            self._job = "write anew"
            data = self.whole()
            done: Deferred[Any] = self._threads.run(self._write_new, data)
            done.addCallback(self._use, data)
        elif self._unsynced and now - self._synced_at >= self._sync_interval:
            self._job = "sync"
            self._unsynced = False
            self._synced_at = now
            done = self._threads.run(self._sync)
        else:
            return
        done.addCallbacks(self._job_succeeded, self._job_failed).addBoth(self._job_ended)

    def write_anew(self) -> None:
        """Let it be written anew at the next opportunity."""
        self._most = -1

    def close(self) -> None:
        """Let go of the file as soon as no thread needs it; lines can still be appended."""
        self._closing = True
        if not self._job:
            self._close()

    # -- The inside

    def _append(self, data: bytes) -> None:
        if self._fd is None:
            try:
                self._fd = self._files.reopen(self._path)
            except FileNotFoundError:
                self._fd = self._files.create(self._path)
            # Nobody knows how it ends.
            self._torn = True
        if self._torn:
            data = b"\n" + data
        self._torn = True
        write_whole(self._files, self._fd, data)
        self._torn = False
        self._size += len(data)

    def _write_new(self, data: bytes) -> int:
        """Put a file with ``data`` in the place of the journal, safe on the disk; its descriptor."""
        replace_file(self._files, self._path, [data])
        return self._files.reopen(self._path)

    def _use(self, fd: int, data: bytes) -> None:
        """Append to the new file from now on."""
        self._close()
        self._fd, self._size, self._torn = fd, len(data), False
        self._most = max(LARGEST, 2 * len(data))
        meanwhile, self._meanwhile = b"".join(self._meanwhile), []
        if meanwhile:
            self._append(meanwhile)

    def _sync(self) -> None:
        if self._fd is not None:
            self._files.sync(self._fd)
        if self._reserved.released:
            self._reserved.reserve(self._directory)

    def _job_succeeded(self, _: object) -> None:
        self._job_failing = False

    def _job_failed(self, failure: Failure) -> None:
        self._job_failing = True
        self._failed(failure.value)
        if self._job == "sync":
            # The system forgets what it could not keep; only a new file can be trusted.
            self.write_anew()
        else:
            # Which of the two files bears the name now, nobody knows; it is opened by that.
            self._close()
            self._most = self._size + LARGEST
            self._meanwhile = []
            self.incomplete()

    def _job_ended(self, _: object) -> None:
        self._job = ""
        if self._closing:
            self._close()

    def _close(self) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            with suppress(OSError):
                self._files.close(fd)

    def _failed(self, error: BaseException | None) -> None:
        if not self._trouble:
            self._log.error(
                "cannot note which rooms are recorded: {error}; if chatlog is killed now, gap records "
                "will begin too early",
                error=str(error),
            )
        self._trouble = str(error)
