"""The recorder: the only writer of files in ``open/``, with the tick that all reads and writes follow.

Sources append lines to the buffers of rooms. At every tick the lines of each room go to its file in one
write. Every ``sync_interval`` a commit, in a thread, forces the written bytes to the disk and seals the
finished files. Lines that cannot be written wait in memory, up to a limit, and are tried again at every
tick. Sources are never stopped.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatlog.config.settings import RecorderSettings
from chatlog.counted import many
from chatlog.environment import Environment
from chatlog.files import NO_SPACE
from chatlog.recorder.buffers import RoomBuffers
from chatlog.recorder.commits import Commits
from chatlog.recorder.descriptors import default_limit
from chatlog.recorder.hooks import Hooks
from chatlog.recorder.room import OpenFile, RoomBuffer
from chatlog.recorder.shortage import Shortage
from chatlog.recorder.writer import Writer
from chatlog.spool.probe import place_of
from chatlog.spool.recovery import Report
from chatlog.spool.spool import Spool

#: Files finished in one tick when a rotation period ends.
_ROTATE_AT_ONCE = 250


class Recorder(Service):
    """Writes the lines of all ``buffers`` to files of the spool."""

    _log = Logger()
    name = "recorder"
    #: Seconds that the last sync and the last seals may take.
    stop_limit = 1.0

    def __init__(
        self,
        settings: RecorderSettings,
        spool: Spool,
        environment: Environment,
        hooks: Hooks,
        buffers: RoomBuffers | None = None,
        descriptors: int | None = None,
    ) -> None:
        clock = environment.reactor
        self._settings = settings
        self._spool = spool
        self._counters = environment.counters
        self._clock: IReactorTime = clock
        self._wall = environment.wall
        self._hooks = hooks
        self._commits = Commits(
            spool, environment.counters, clock, environment.disk, hooks.on_sealed, hooks.on_fatal
        )
        limit = default_limit() if descriptors is None else descriptors
        self._writer = Writer(
            settings, spool, environment.counters, self._commits, limit, hooks.left_out, hooks.heard
        )
        self._rooms = RoomBuffers() if buffers is None else buffers
        self._to_write = self._rooms.waiting
        self.shortage = Shortage(self._rooms, environment.counters, clock, spool.directory)
        self._loop = LoopingCall(self.tick)
        self._loop.clock = clock
        self._flush_call: IDelayedCall | None = None
        self._period = 0
        # Files of the period before that are still to be finished.
        self._rotating: list[tuple[RoomBuffer, OpenFile]] = []
        self._failing: set[str] = set()
        # The latest flush, by the wall clock and by the monotonic clock.
        self._flushed_at, self._flushed_clock = 0.0, 0.0
        #: When records were last written, in wall-clock seconds; None before the first.
        self.written_at: float | None = None
        #: When the latest tick began, by the clock. It grows old while the reactor is blocked.
        self.ticked_at = clock.seconds()

    # -- State, for others

    def room(self, platform: str, channel: str) -> RoomBuffer:
        """The buffer of a room: see ``RoomBuffers``. Raises ValueError if a name is no valid one."""
        return self._rooms.room(platform, channel)

    def __iter__(self) -> Iterator[RoomBuffer]:
        return iter(self._rooms)

    def __len__(self) -> int:
        return len(self._rooms)

    @property
    def buffered_bytes(self) -> int:
        """Bytes of all lines that are not in a file yet."""
        return self._rooms.bytes

    @property
    def complete(self) -> bool:
        """Whether everything that arrived before the latest flush is in files, records of losses included."""
        return not self.trouble and not self._to_write

    @property
    def dropped(self) -> int:
        """Records dropped since the present trouble began."""
        return self.shortage.dropped

    @property
    def trouble(self) -> str:
        """Why some or all lines cannot be written at present; "" if all can."""
        return self.shortage.trouble

    @property
    def trouble_since(self) -> float | None:
        """When the trouble began, in wall-clock seconds; None without trouble."""
        return self.shortage.since

    @property
    def durable_lag(self) -> float:
        """For how many seconds the oldest written line has been waiting for its sync; 0.0 if none waits."""
        return self._commits.lag

    @property
    def recovered_durable(self) -> bool:
        """Whether everything that an earlier run left in files is on the disk."""
        return self._commits.recovered_durable

    @property
    def open_files(self) -> int:
        """How many files have a descriptor at present."""
        return self._writer.open_files

    @property
    def newest(self) -> tuple[bytes, float]:
        """The latest record written, and the time of day of its write; ``b""`` before the first."""
        return self._writer.newest

    @property
    def fatal(self) -> str:
        """Why the disk can no longer be trusted; "" if it can."""
        return self._commits.fatal

    @property
    def recovered(self) -> Report | None:
        """The report of the recovery of an earlier run; None until it has ended."""
        return self._commits.recovered

    @property
    def spool_bytes(self) -> int:
        """Bytes in the spool, which ``max_size`` limits."""
        return self._spool.usage.bytes

    def reconfigure(self, settings: RecorderSettings) -> None:
        """Use other intervals and limits from now on. The directory and the detail stay as they are."""
        old, self._settings = self._settings, settings
        self._writer.reconfigure(settings)
        if settings.rotate_interval != old.rotate_interval:
            self._period = self._period_of(self._wall())
        if settings.flush_interval != old.flush_interval and self._loop.running:
            self._loop.stop()
            self._start_ticking()

    def _start_ticking(self) -> None:
        ticking = self._loop.start(self._settings.flush_interval, now=False)
        ticking.addErrback(self._broke, "ticking")

    # -- Service

    def startService(self) -> None:
        """Open the spool and start the ticks. Files of an earlier run are recovered while recording goes on.
        Raises SpoolError."""
        leftovers = self._spool.open()
        self._report_remarks()
        Service.startService(self)
        self._period = self._period_of(self._wall())
        self._flushed_at, self._flushed_clock = self._wall(), self._clock.seconds()
        self.ticked_at = self._clock.seconds()
        self._start_ticking()
        self._commits.recover(leftovers)

    def _report_remarks(self) -> None:
        for remark in self._spool.remarks:
            self._log.warn("{remark}", remark=remark)
        if not self._spool.remarks:
            self._log.info(
                "{place} has all that the spool needs",
                place=place_of(self._spool.files, self._spool.directory),
            )

    def stopService(self) -> Deferred[None]:
        """Write, sync and seal everything, then unlock the spool. Files that take too long are recovered at
        the next start."""
        if not self.running:
            # Never started, perhaps because another process holds the directory: leave it alone.
            return succeed(None)
        Service.stopService(self)
        if self._loop.running:
            self._loop.stop()
        if self._flush_call is not None:
            self._flush_call.cancel()
            self._flush_call = None
        finished = Deferred.fromCoroutine(self._finish())
        return finished.addTimeout(self.stop_limit, self._clock).addErrback(self._broke, "stopping")

    async def _finish(self) -> None:
        self._flush_safely()
        if self._to_write:
            # The first flush may have added records of losses.
            self._flush_safely()
        unwritten = sum(len(room.lines) for room in self._to_write)
        if unwritten:
            self._counters.dropped["unwritten"] += unwritten
            self._log.critical(
                "{records} could not be written before the end: {trouble}",
                records=many(unwritten, "record"),
                count=unwritten,
                trouble=self.trouble,
            )
        for room in self:
            if room.file is not None:
                self._writer.retire(room)
        if await self._commits.finish():
            self._spool.close()
            if not unwritten and not self.fatal:
                self._log.info("stopped; what was recorded is on the disk")
        else:
            # Keep the lock: a thread may still use the spool.
            self._log.warn("the disk is slow; what is open is sealed at the next start")

    def _broke(self, failure: Failure, what: str) -> None:
        self._log.failure("while {what}", failure=failure, what=what)

    # -- The tick

    def tick(self) -> None:
        """Let the sockets deliver their data, which is written in the next turn of the reactor."""
        self.ticked_at = self._clock.seconds()
        self._guard("reading", self._hooks.before_flush)
        if self._flush_call is None:
            self._flush_call = self._clock.callLater(0, self._flush_due)
        self._commits.watch()

    def _flush_due(self) -> None:
        self._flush_call = None
        self._flush_safely()

    def _flush_safely(self) -> None:
        self._guard("flushing", self.flush)

    def _guard(self, what: str, call: Callable[[], None]) -> None:
        """Call ``call()``. An exception must not end the ticks; it is logged once until a call succeeds."""
        try:
            call()
        except Exception:
            if what not in self._failing:
                self._failing.add(what)
                self._log.failure("while {what}", what=what)
        else:
            self._failing.discard(what)

    def flush(self) -> None:
        """Write the waiting lines of every room, rotate files if a period ended, begin a commit if one is
        due."""
        now = self._wall()
        if now < self._flushed_at:
            self._clock_set_back(now)
        written = self._counters.written
        rooms = self._to_write[:]
        self._to_write.clear()
        trouble: OSError | None = None
        for index, room in enumerate(rooms):
            try:
                self._writer.write(room, now)
            except OSError as error:
                trouble = error
                if error.errno in NO_SPACE:
                    # The other rooms would fail too, and each attempt costs a write.
                    self._to_write.extend(rooms[index:])
                    break
            except Exception as error:
                if not self.trouble and trouble is None:
                    self._log.failure(
                        "while writing {platform} {channel}", platform=room.platform, channel=room.channel
                    )
                trouble = OSError(errno.EIO, f"unexpected {type(error).__name__}")
            if room.lines:
                self._to_write.append(room)
            elif room.loss is not None:
                self.shortage.report_loss(room)
        # Lines that were read in this tick arrived after the flush before.
        before, limit = min(self._flushed_at, now), self._settings.buffer_limit
        if self._to_write:
            self.shortage.hold(limit, before, now, trouble)
        wrote = self._counters.written > written
        if wrote:
            self.written_at = now
        if self.shortage.flushed(trouble, wrote, before, limit):
            # Sealed files can be uploaded and deleted, which makes space.
            self.rotate_now()
        self._flushed_at, self._flushed_clock = now, self._clock.seconds()
        self._rotate_if_due(now)
        # Sync at the last tick within the interval. A tick may come a little early.
        self._commits.begin_if_due(self._settings.sync_interval - 0.9 * self._settings.flush_interval)
        if losses := self.shortage.take_losses():
            self._hooks.on_losses(losses)
        for after_flush in self._hooks.after_flush:
            after_flush(now, self.complete, self.durable_lag, self.recovered_durable)

    def _clock_set_back(self, now: float) -> None:
        """The wall clock was set back to ``now``. Shift the times of losses with it, so that no loss ends
        before it began."""
        self.shortage.set_back(self._flushed_at + (self._clock.seconds() - self._flushed_clock) - now)

    # -- Rotation

    def _rotate_if_due(self, now: float) -> None:
        """Rotate when the time of day has entered another period, later or earlier. Not all rooms rotate in
        one tick: creating thousands of files at once would hold up the sockets."""
        period = self._period_of(now)
        if period != self._period:
            self._period = period
            self._commits.retry()
            self._rooms.forget(self._clock.seconds())
            self._rotating = [(room, room.file) for room in self if room.file is not None and room.file.size]
        if self._rotating:
            for room, file in self._rotating[:_ROTATE_AT_ONCE]:
                if room.file is file:
                    self._writer.retire(room)
            del self._rotating[:_ROTATE_AT_ONCE]

    def _period_of(self, now: float) -> int:
        return int(now // self._settings.rotate_interval)

    def rotate_now(self) -> None:
        """Finish every file that is not empty, at once. The next writes create new files."""
        for room in self:
            if room.file is not None and room.file.size:
                self._writer.retire(room)
