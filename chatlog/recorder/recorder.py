"""The recorder: the only writer of files, and the clock that everything on the way to disk follows.

Sources append lines to rooms, which costs next to nothing. Once a tick the waiting lines of every
room go to its file in one write; once in a while everything written is forced to the disk off the
reactor's thread, and files that are finished are sealed with it. What cannot be written waits in
memory, up to a limit, and is tried again at every tick; sources are never stopped.
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

#: Files finished in one tick when a period ends.
_ROTATE_AT_ONCE = 250


class Recorder(Service):
    """Writes the rooms of ``buffers`` to the spool's files."""

    _log = Logger()
    name = "recorder"
    #: At the end, so many seconds for the last sync and the seals.
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
        self._writer = Writer(settings, spool, environment.counters, self._commits, limit)
        self._rooms = RoomBuffers() if buffers is None else buffers
        self._to_write = self._rooms.waiting
        self.shortage = Shortage(self._rooms, environment.counters, clock, spool.directory)
        self._loop = LoopingCall(self.tick)
        self._loop.clock = clock
        self._flush_call: IDelayedCall | None = None
        self._period = 0
        # Files that a change of period ended and that are still to be finished.
        self._rotating: list[tuple[RoomBuffer, OpenFile]] = []
        self._failing: set[str] = set()
        # The latest flush, by the wall clock and by the other one.
        self._flushed_at, self._flushed_clock = 0.0, 0.0
        #: When records were written for the last time, in wall-clock seconds; None before the first.
        self.written_at: float | None = None
        #: When the latest tick began, by the clock; a reactor that is blocked lets it grow old.
        self.ticked_at = clock.seconds()

    # -- What others see

    def room(self, platform: str, channel: str) -> RoomBuffer:
        """The room of that name, always the same one. Raises ValueError for what can be no channel."""
        return self._rooms.room(platform, channel)

    def __iter__(self) -> Iterator[RoomBuffer]:
        return iter(self._rooms)

    def __len__(self) -> int:
        return len(self._rooms)

    @property
    def buffered_bytes(self) -> int:
        """Bytes of lines that are not in a file yet."""
        return self._rooms.bytes

    @property
    def complete(self) -> bool:
        """Whether everything that came before the latest flush is in files, records of what was lost
        included."""
        return not self.trouble and not self._to_write

    @property
    def dropped(self) -> int:
        """Records that were lost since the present trouble began."""
        return self.shortage.dropped

    @property
    def trouble(self) -> str:
        """Why nothing, or not everything, can be written at present; "" when all is well."""
        return self.shortage.trouble

    @property
    def trouble_since(self) -> float | None:
        """When that began, in wall-clock seconds; None when all is well."""
        return self.shortage.since

    @property
    def durable_lag(self) -> float:
        """For how many seconds the oldest written line has been waiting to be on the disk; 0.0 if
        none is."""
        return self._commits.lag

    @property
    def recovered_durable(self) -> bool:
        """Whether what an earlier run had left in files is on the disk."""
        return self._commits.recovered_durable

    @property
    def open_files(self) -> int:
        """How many of the spool's files are open at present."""
        return self._writer.open_files

    @property
    def newest(self) -> tuple[bytes, float]:
        """A record that was written lately, and the time of day then; ``b""`` before the first."""
        return self._writer.newest

    @property
    def fatal(self) -> str:
        """Why the disk can no longer be trusted; "" when it can."""
        return self._commits.fatal

    @property
    def recovered(self) -> Report | None:
        """What was found of an earlier run; None until all of it has been looked at."""
        return self._commits.recovered

    @property
    def spool_bytes(self) -> int:
        """Bytes in the spool, as ``max_size`` counts them."""
        return self._spool.usage.bytes

    def reconfigure(self, settings: RecorderSettings) -> None:
        """Keep to other intervals and limits from now on. The directory and the detail stay."""
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
        """Open the spool and begin. Raises SpoolError. Files of an earlier run are recovered beside
        the recording."""
        leftovers = self._spool.open()
        self._tell_remarks()
        Service.startService(self)
        self._period = self._period_of(self._wall())
        self._flushed_at, self._flushed_clock = self._wall(), self._clock.seconds()
        self.ticked_at = self._clock.seconds()
        self._start_ticking()
        self._commits.recover(leftovers)

    def _tell_remarks(self) -> None:
        for remark in self._spool.remarks:
            self._log.warn("{remark}", remark=remark)
        if not self._spool.remarks:
            self._log.info(
                "{place} has all that the spool needs",
                place=place_of(self._spool.files, self._spool.directory),
            )

    def stopService(self) -> Deferred[None]:
        """Write, sync and seal everything, then let go of the spool. What cannot be done in time is
        recovered at the next start."""
        if not self.running:
            # Never started, perhaps because the directory is somebody else's: it is left alone.
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
            # Records of what was lost may have come with the first.
            self._flush_safely()
        unwritten = sum(len(room.lines) for room in self._to_write)
        if unwritten:
            self._counters.dropped["unwritten"] += unwritten
            self._log.critical(
                "{count} records could not be written before the end: {trouble}",
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
            # The lock is kept: a thread may still be at work.
            self._log.warn("the disk is slow; what is open is sealed at the next start")

    def _broke(self, failure: Failure, what: str) -> None:
        self._log.failure("while {what}", failure=failure, what=what)

    # -- The tick

    def tick(self) -> None:
        """Let the sockets deliver, then, in the next turn of the reactor, write what they had."""
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
        """Nothing that goes wrong may end the ticks; what goes wrong again and again is said once."""
        try:
            call()
        except Exception:
            if what not in self._failing:
                self._failing.add(what)
                self._log.failure("while {what}", what=what)
        else:
            self._failing.discard(what)

    def flush(self) -> None:
        """Write the waiting lines of every room, rotate if it is time, and begin a sync if one is
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
                    # The others would fare no better, and each try costs a write.
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
        # What was read in this tick arrived after the one before.
        before, limit = min(self._flushed_at, now), self._settings.buffer_limit
        if self._to_write:
            self.shortage.hold(limit, before, now, trouble)
        wrote = self._counters.written > written
        if wrote:
            self.written_at = now
        if self.shortage.note(trouble, wrote, before, limit):
            # What is sealed can be uploaded and deleted, and that makes space.
            self.rotate_now()
        self._flushed_at, self._flushed_clock = now, self._clock.seconds()
        self._rotate_if_due(now)
        # Synced at the tick after which it would be too late; ticks may be a little early.
        self._commits.begin_if_due(self._settings.sync_interval - 0.9 * self._settings.flush_interval)
        if losses := self.shortage.take_losses():
            self._hooks.on_losses(losses)
        for after_flush in self._hooks.after_flush:
            after_flush(now, self.complete, self.durable_lag, self.recovered_durable)

    def _clock_set_back(self, now: float) -> None:
        """The wall clock was set back to ``now``: what happened before keeps its distance from what happens
        now, so that nothing that is told of ends before it began."""
        self.shortage.set_back(self._flushed_at + (self._clock.seconds() - self._flushed_clock) - now)

    # -- Rotation

    def _rotate_if_due(self, now: float) -> None:
        """Rotate when the time of day has come to another period, forwards or back. Not all rooms in
        one tick: making thousands of new files would hold up the sockets."""
        period = self._period_of(now)
        if period != self._period:
            self._period = period
            self._commits.retry()
            self._rotating = [(room, room.file) for room in self if room.file is not None and room.file.size]
        if self._rotating:
            for room, file in self._rotating[:_ROTATE_AT_ONCE]:
                if room.file is file:
                    self._writer.retire(room)
            del self._rotating[:_ROTATE_AT_ONCE]

    def _period_of(self, now: float) -> int:
        return int(now // self._settings.rotate_interval)

    def rotate_now(self) -> None:
        """Finish every file that holds something, at once; rooms go on in new ones."""
        for room in self:
            if room.file is not None and room.file.size:
                self._writer.retire(room)
