"""Group commits: a thread forces written bytes to the disk and seals finished files.

One commit runs at a time. It covers everything written before it began. Files of an earlier run, and
files that may end in half a line after a failed write, are repaired first; the next commit seals them.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatlog.counted import many
from chatlog.counters import Counters
from chatlog.environment import Threads
from chatlog.recorder.room import OpenFile
from chatlog.spool.recovery import Report
from chatlog.spool.spool import Batch, Committed, Spool, SyncFailed, SyncPutOff

#: A sync that takes longer than this many seconds is given up.
SYNC_LIMIT = 20.0
#: The lag, in seconds, of a line that was written in this very moment.
JUST_NOW = 1e-6
#: Files sealed by one commit, so that no commit takes too long.
_SEAL_AT_ONCE = 1000
#: Files and bytes repaired by one call in the thread; commits run between two calls.
_REPAIR_FILES, _REPAIR_BYTES = 50, 16_000_000


class Commits:
    """Syncs, seals and repairs the spool's files.

    ``fatal`` says why the disk can no longer be trusted, "" as long as it can be. After that nothing is
    synced or sealed any more: the next run starts from what the disk really holds.
    """

    _log = Logger()

    def __init__(
        self,
        spool: Spool,
        counters: Counters,
        clock: IReactorTime,
        threads: Threads,
        on_sealed: Callable[[list[str]], None],
        on_fatal: Callable[[str], None],
    ) -> None:
        self._spool = spool
        self._counters = counters
        self._clock = clock
        self._threads = threads
        self._on_sealed = on_sealed
        self._on_fatal = on_fatal
        self._unsynced: list[OpenFile] = []
        self._sealing: list[str] = []
        self._broken: list[str] = []
        self._created = False
        self._failed: list[str] = []
        self._stopping = False
        self._given_up = False
        self._running: Deferred[None] | None = None
        self._recovery: Deferred[None] | None = None
        self._began = clock.seconds()
        # The time of the oldest write that is not durable: of those that the running commit covers, and of
        # the others.
        self._oldest_covered: float | None = None
        self._oldest: float | None = None
        self._trouble = ""
        self.fatal = ""
        #: The report of the recovery, None until it has ended; and whether the recovered files are on the
        #: disk.
        self.recovered: Report | None = None
        self.recovered_durable = False

    # -- Events from the recorder

    def created(self) -> None:
        """A file was created in ``open/``."""
        self._created = True

    def wrote(self, file: OpenFile) -> None:
        """``file`` has bytes that no commit covers. Call it only if ``file.unsynced`` is False."""
        file.unsynced = True
        self._unsynced.append(file)
        if self._oldest is None:
            self._oldest = self._clock.seconds()

    def finished(self, file: OpenFile) -> None:
        """``file`` is not written any more."""
        if file.torn or not file.size:
            self._broken.append(file.name)
        else:
            self._sealing.append(file.name)

    def distrust(self, text: str) -> None:
        """A call other than a sync has shown that the disk lost written bytes."""
        self._fail(f"the disk did not keep what was written: {text}")

    # -- State, for others

    @property
    def lag(self) -> float:
        """For how many seconds the oldest write has been waiting to be durable; 0.0 only if none waits."""
        oldest = self._oldest if self._oldest_covered is None else self._oldest_covered
        return 0.0 if oldest is None else max(self._clock.seconds() - oldest, JUST_NOW)

    @property
    def pending(self) -> bool:
        """Whether there is anything to sync, seal or repair."""
        return bool(self._unsynced or self._sealing or self._broken)

    # -- Commits

    def begin_if_due(self, interval: float) -> None:
        """Begin a commit if there is something to do, no commit runs, and the last one began at least
        ``interval`` seconds ago."""
        due = self._clock.seconds() - self._began >= interval
        # After trouble, a commit shows whether the trouble has ended.
        recovered = self.recovered is not None and not self.recovered_durable
        wanted = self.pending or self._trouble or self._spool.reserved.released or recovered
        if due and wanted and self._running is None and not self.fatal:
            self._begin()

    def watch(self) -> None:
        """Give the disk up if a commit takes too long."""
        if self._running is not None and self._clock.seconds() - self._began > SYNC_LIMIT:
            self._fail(f"a sync of {self._spool.directory} has not come back for {SYNC_LIMIT:.0f} s")

    def _begin(self) -> None:
        unsynced, self._unsynced = self._unsynced, []
        for file in unsynced:
            file.unsynced = False
        sealing, self._sealing = self._sealing[:_SEAL_AT_ONCE], self._sealing[_SEAL_AT_ONCE:]
        broken, self._broken = self._broken, []
        batch = Batch([file.name for file in unsynced], sealing, self._created, self._spool.numbering.note())
        self._created = False
        self._began = self._clock.seconds()
        self._oldest_covered, self._oldest = self._oldest, None
        self._running = Deferred.fromCoroutine(self._commit(batch, unsynced, broken))
        self._running.addErrback(self._unexpected, "committing").addBoth(self._ended)

    async def _commit(self, batch: Batch, unsynced: list[OpenFile], broken: list[str]) -> None:
        written = self._counters.written
        recovered = self.recovered is not None
        try:
            done = await self._threads.run(self._spool.commit, batch)
        except SyncPutOff as error:
            self._put_back(batch, unsynced, broken)
            self._note_trouble(str(error))
            return
        except SyncFailed as error:
            self._fail(str(error))
            return
        except CancelledError:
            raise
        except Exception as error:
            # It is not known how much of the commit is done.
            self._log.failure("while committing")
            self._fail(f"a commit of {self._spool.directory} failed: {error}")
            return
        self._counters.durable = written
        self._oldest_covered = None
        self.recovered_durable |= recovered
        self._sealed(done)
        if broken:
            good, report, _ = await self._threads.run(self._spool.repair, broken)
            self._seal_later(good)
            self._note_failed(report)

    def _ended(self, _: object) -> None:
        self._running = None

    def _sealed(self, done: Committed) -> None:
        self._sealing[:0] = done.left
        self._note_trouble(f"cannot seal: {done.error}" if done.error else "")
        for name in done.vanished:
            self._log.error("{name} was removed from the spool by another program", name=name)
        self._counters.sealed += len(done.sealed)
        if done.sealed and not self._stopping:
            try:
                self._on_sealed(done.sealed)
            except Exception:
                self._log.failure("while handing on {count} sealed files", count=len(done.sealed))

    def _put_back(self, batch: Batch, unsynced: list[OpenFile], broken: list[str]) -> None:
        """Leave everything to the next commit."""
        for file in unsynced:
            if not file.unsynced:
                self.wrote(file)
        self._sealing[:0] = batch.sealing
        self._broken[:0] = broken
        self._created |= batch.created
        self._oldest, self._oldest_covered = self._oldest_covered, None

    def _note_trouble(self, text: str) -> None:
        if text and not self._trouble:
            self._log.error("{text}; it will be tried again", text=text)
        elif self._trouble and not text:
            self._log.info("syncing and sealing again")
        self._trouble = text

    def _fail(self, text: str) -> None:
        if not self.fatal:
            self.fatal = text
            self._log.critical("{text}", text=text)
            self._on_fatal(text)

    def _unexpected(self, failure: Failure, what: str) -> None:
        if failure.check(CancelledError):
            self._given_up = True
        else:
            self._log.failure("while {what}", failure=failure, what=what)

    # -- Recovery

    def recover(self, leftovers: list[tuple[str, int]]) -> None:
        """Repair and seal the files of an earlier run; ``leftovers`` are their names and sizes."""
        self._stopping = False
        self._recovery = Deferred.fromCoroutine(self._recover(leftovers))
        self._recovery.addErrback(self._unexpected, "recovering")

    async def _recover(self, leftovers: list[tuple[str, int]]) -> None:
        total = Report(unknown_files=list(self._spool.unknown_files))
        position = 0
        while position < len(leftovers) and not self._stopping:
            names: list[str] = []
            size = 0
            while position < len(leftovers) and len(names) < _REPAIR_FILES and size < _REPAIR_BYTES:
                names.append(leftovers[position][0])
                size += leftovers[position][1]
                position += 1
            good, report, freed = await self._threads.run(self._spool.repair, names, lambda: self._stopping)
            self._spool.usage.freed(freed)
            self._seal_later(good)
            total.merge(report)
        self.recovered = total
        # With leftovers, the next commit makes them durable.
        self.recovered_durable = not leftovers
        if total.files:
            torn = "; {broken} kept in torn/" if total.torn_files else ""
            self._log.info(
                "recovered {words}" + torn,
                words=f"{many(total.files, 'file')} of an earlier run, {many(total.lines, 'line')}",
                files=total.files,
                lines=total.lines,
                broken=f"{many(total.torn_bytes, 'broken byte')} of {many(total.torn_files, 'file')}",
                torn=total.torn_bytes,
                torn_files=total.torn_files,
            )
        self._note_failed(total)
        if total.unknown_files:
            self._log.warn(
                "{entries} in open/, not from a recorder, left alone: {names}",
                entries=many(len(total.unknown_files), "entry", "entries"),
                count=len(total.unknown_files),
                names=sorted(total.unknown_files)[:10],
            )

    def _seal_later(self, names: list[str]) -> None:
        """Sync and seal these files with the next commit. The killed process may not have synced them."""
        for name in names:
            self.wrote(OpenFile(name, -1))
        self._sealing.extend(names)

    def retry(self) -> None:
        """Repair again the files whose repair failed."""
        self._broken += self._failed
        self._failed = []

    def _note_failed(self, report: Report) -> None:
        if report.failed:
            self._failed += [name for name, _ in report.failed]
            self._log.error(
                "{files} in open/, {name} for one: {error}",
                files=many(
                    len(report.failed),
                    "file cannot be repaired now, and stays",
                    "files cannot be repaired now, and stay",
                ),
                count=len(report.failed),
                name=report.failed[0][0],
                error=report.failed[0][1],
            )

    # -- The end

    async def finish(self) -> bool:
        """Commit everything and wait for it. Files that cannot be sealed stay in ``open/``. Returns whether
        the thread has finished with the spool."""
        self._stopping = True
        if self._recovery is not None:
            await self._recovery
        while not self.fatal and not self._given_up and (self._running or self.pending):
            if self._running is None:
                self._begin()
            if self._running is not None:
                await self._running
            if self._trouble:
                break
        return self._running is None and not self._given_up
