"""A file of the state that grows with every flush. It is appended to on the reactor's thread; a thread of the
disk forces it to the disk and writes it anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatlog.environment import Environment
from chatlog.state.state_file import StateFile, Written

#: The journal is written anew when it has grown beyond this many bytes, and beyond twice its contents.
LARGEST = 1_000_000
#: Bytes to reserve for a journal's file: entries have to be written on a full disk too.
RESERVE = 1 << 16

_NEW_FILE, _SYNC = "new file", "sync"


class Journal:
    """Keeps the file ``name`` in the state of a spool's ``directory``. ``sync_interval`` is in seconds. An
    error of the disk is logged and never raised: the next run then knows less."""

    _log = Logger()

    def __init__(
        self, environment: Environment, directory: str, name: str, sync_interval: float = 1.0
    ) -> None:
        #: The journal's file; ``file.read`` gives the entries of the earlier run.
        self.file = StateFile(environment.files, directory, name, RESERVE)
        self._clock: IReactorTime = environment.reactor
        self._threads = environment.disk
        self._sync_interval = sync_interval
        self._most = LARGEST
        self._job = ""
        # Entries that were appended while a new file was being written.
        self._meanwhile: list[object] = []
        self._synced_at = float("-inf")
        self._unsynced = False
        self._closing = False
        self._trouble = ""
        # Whether the latest job failed. An append that succeeds does not end the trouble then.
        self._job_failing = False
        self._whole: Callable[[], Iterable[object]] = tuple
        self._incomplete: Callable[[], object] = bool

    def begin(self, whole: Callable[[], Iterable[object]], incomplete: Callable[[], object]) -> None:
        """Write the file anew, and keep it from now on. Waits for the disk. ``whole()`` returns the contents
        of the file whenever it is written anew. ``incomplete()`` is called when entries may be lost: then
        everything has to be appended once more."""
        self._whole, self._incomplete = whole, incomplete
        try:
            self._use(self.file.write(whole()))
        except OSError as error:
            self._failed(error)
            self._incomplete()
        self.file.reserve_space()

    def append(self, *entries: object) -> bool:
        """Add entries, which outlive the process from now on; False if that cannot be done."""
        try:
            self.file.append(*entries)
        except OSError as error:
            self._failed(error)
            return False
        if self._trouble and not self._job_failing:
            self._trouble = ""
            self._log.info("{path} is written again", path=self.file.path)
        self._unsynced = True
        if self._job == _NEW_FILE:
            self._meanwhile += entries
        return True

    def maintain(self, settled: bool) -> None:
        """Begin to write the file anew if it is too long, or to force it to the disk if that is due. A new
        file holds only the present; so a file that is a little too long waits until it is ``settled``:
        nothing of importance changed in the last seconds."""
        if self._job or self._closing:
            return
        now = self._clock.seconds()
        if self.file.size > (self._most if settled else 2 * self._most):
            self._job = _NEW_FILE
            done: Deferred[Any] = self._threads.run(self.file.write, list(self._whole()))
            done.addCallback(self._use)
        elif self._unsynced and now - self._synced_at >= self._sync_interval:
            self._job = _SYNC
            self._unsynced = False
            self._synced_at = now
            done = self._threads.run(self._sync)
        else:
            return
        done.addCallbacks(self._job_succeeded, self._job_failed).addBoth(self._job_ended)

    def write_anew(self) -> None:
        """Write the file anew at the next ``maintain``."""
        self._most = -1

    def close(self) -> None:
        """Close the file as soon as no thread needs it; entries can still be appended."""
        self._closing = True
        if not self._job:
            self.file.close()

    # -- the inside ------------------------------------------------------------------------------------

    def _use(self, written: Written) -> None:
        meanwhile, self._meanwhile = self._meanwhile, []
        self._most = max(LARGEST, 2 * written.size)
        self.file.use(written)
        if meanwhile:
            self.file.append(*meanwhile)

    def _sync(self) -> None:
        self.file.sync()
        if self.file.reserve_used:
            self.file.reserve_space()

    def _job_succeeded(self, _: object) -> None:
        self._job_failing = False

    def _job_failed(self, failure: Failure) -> None:
        self._job_failing = True
        self._failed(failure.value)
        if self._job == _SYNC:
            # Only a new file can be trusted.
            self.write_anew()
        else:
            # The name may be that of the old or of the new file, so the file is opened by its name again.
            self.file.close()
            self._most = self.file.size + LARGEST
            self._meanwhile = []
            self._incomplete()

    def _job_ended(self, _: object) -> None:
        self._job = ""
        if self._closing:
            self.file.close()

    def _failed(self, error: BaseException | None) -> None:
        if not self._trouble:
            self._log.error(
                "{path} cannot be written: {error}; if chatlog is killed now, gap records will begin too "
                "early",
                path=self.file.path,
                error=str(error),
            )
        self._trouble = str(error)
