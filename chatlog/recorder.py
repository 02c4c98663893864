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
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatlog.ballast import NO_SPACE
from chatlog.commits import Commits, Threads
from chatlog.counters import Counters
from chatlog.descriptors import NO_DESCRIPTORS, Descriptors, default_limit
from chatlog.naming import CHANNEL, FileName, parse_name
from chatlog.recovery import Report
from chatlog.room import Loss, OpenFile, Room, hold
from chatlog.settings import RecorderSettings
from chatlog.spool import Spool

#: At the end, so many seconds for the last sync and the seals.
STOP_LIMIT = 1.5
#: While the disk is full, what is open is sealed this often (seconds), so that it can leave.
_SEAL_WHEN_FULL = 60.0


class SpoolFull(OSError):
    """The spool has reached its own limit; to the recorder that is a full disk."""


class Recorder(Service):
    """Writes rooms to the spool's files.

    ``before_flush()`` is called at every tick; what it makes the sockets deliver in the next turn of
    the reactor is written in the same tick. ``on_sealed(names)`` tells which files are finished, but
    not of those sealed while stopping. ``on_fatal(text)`` is called once, when the disk can no longer
    be trusted: the process must end, and the next one recovers from what is on the disk.
    ``on_losses(losses)`` is called when a room that had to drop records can be written again; records
    appended by it come before any newer ones.
    """

    _log = Logger()
    name = "recorder"

    def __init__(
        self,
        settings: RecorderSettings,
        spool: Spool,
        counters: Counters,
        clock: IReactorTime,
        wall: Callable[[], float],
        threads: Threads,
        before_flush: Callable[[], None],
        on_sealed: Callable[[list[str]], None],
        on_fatal: Callable[[str], None],
        on_losses: Callable[[list[Loss]], None] = lambda losses: None,
        descriptors: int | None = None,
    ) -> None:
        self._settings = settings
        self._spool = spool
        self._files = spool.files
        self._counters = counters
        self._clock = clock
        self._wall = wall
        self._before_flush = before_flush
        self._on_losses = on_losses
        self._commits = Commits(spool, counters, clock, threads, on_sealed, on_fatal)
        self._descriptors = Descriptors(spool, default_limit() if descriptors is None else descriptors)
        # Synced at the tick after which it would be too late; ticks may be a little early.
        self._commit_interval = settings.sync_interval - 0.9 * settings.flush_interval

        self._rooms: dict[tuple[str, str], Room] = {}
        # Rooms with lines that wait. Always the same list: rooms hold on to its append.
        self._to_write: list[Room] = []
        self._losses: list[Loss] = []
        self._loop = LoopingCall(self.tick)
        self._loop.clock = clock
        self._flush_call: IDelayedCall | None = None
        self._period = 0
        self._flushed_at = 0.0
        self._sealed_when_full = -_SEAL_WHEN_FULL

        #: Why nothing, or not everything, can be written at present; "" when all is well.
        self.trouble = ""
        #: When the latest tick began, by the clock; a reactor that is blocked lets it grow old.
        self.ticked_at = clock.seconds()

    # -- What others see

    def room(self, platform: str, channel: str) -> Room:
        """The room of that name, always the same one. Raises ValueError for what can be no channel."""
        room = self._rooms.get((platform, channel))
        if room is None:
            name = FileName(platform, channel, "20000101_0000")
            if not CHANNEL.match(channel) or parse_name(str(name)) != name:
                raise ValueError(f"not a room: {platform[:32]!r} {channel[:80]!r}")
            room = self._rooms[platform, channel] = Room(platform, channel, self._to_write.append)
        return room

    def __iter__(self) -> Iterator[Room]:
        return iter(self._rooms.values())

    def __len__(self) -> int:
        return len(self._rooms)

    @property
    def buffered_bytes(self) -> int:
        """Bytes of lines that are not in a file yet."""
        return sum(sum(map(len, room.lines)) for room in self._to_write)

    @property
    def durable_lag(self) -> float:
        """For how many seconds the oldest written line has been waiting to be on the disk; 0.0 if
        none is."""
        return self._commits.lag

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
        return self._spool.usage

    def freed(self, size: int) -> None:
        """``size`` bytes of finished files were deleted."""
        self._spool.usage -= size

    def packed(self, delta: int) -> None:
        """Finished files became larger by ``delta`` bytes (smaller, if negative)."""
        self._spool.usage += delta

    # -- Service

    def startService(self) -> None:
        """Open the spool and begin. Raises SpoolError. Files of an earlier run are recovered beside
        the recording."""
        leftovers = self._spool.open()
        Service.startService(self)
        self._period = self._period_of(self._wall())
        self._flushed_at = self._wall()
        self.ticked_at = self._clock.seconds()
        ticking = self._loop.start(self._settings.flush_interval, now=False)
        ticking.addErrback(self._broke, "ticking")
        self._commits.recover(leftovers)

    def stopService(self) -> Deferred[None]:
        """Write, sync and seal everything, then let go of the spool. What cannot be done in time is
        recovered at the next start."""
        Service.stopService(self)
        if self._loop.running:
            self._loop.stop()
        if self._flush_call is not None:
            self._flush_call.cancel()
            self._flush_call = None
        finished = Deferred.fromCoroutine(self._finish())
        return finished.addTimeout(STOP_LIMIT, self._clock).addErrback(self._broke, "stopping")

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
                self._retire(room)
        await self._commits.finish()
        self._spool.close()

    def _broke(self, failure: Failure, what: str) -> None:
        if failure.check(TimeoutError):
            self._log.warn("the disk is slow; open files are sealed at the next start")
        else:
            self._log.failure("while {what}", failure=failure, what=what)

    # -- The tick

    def tick(self) -> None:
        """Let the sockets deliver, then, in the next turn of the reactor, write what they had."""
        self.ticked_at = self._clock.seconds()
        try:
            self._before_flush()
        except Exception:
            self._log.failure("before the flush")
        if self._flush_call is None:
            self._flush_call = self._clock.callLater(0, self._flush_due)
        self._commits.watch()

    def _flush_due(self) -> None:
        self._flush_call = None
        self._flush_safely()

    def _flush_safely(self) -> None:
        try:
            self.flush()
        except Exception:
            self._log.failure("while flushing")

    def flush(self) -> None:
        """Write the waiting lines of every room, rotate if it is time, and begin a sync if one is
        due."""
        now = self._wall()
        written = self._counters.written
        rooms = self._to_write[:]
        self._to_write.clear()
        trouble: OSError | None = None
        for index, room in enumerate(rooms):
            try:
                self._write(room, now)
            except OSError as error:
                trouble = error
                if error.errno in NO_SPACE:
                    # The others would fare no better, and each try costs a write.
                    self._to_write.extend(rooms[index:])
                    break
            except Exception:
                self._log.failure(
                    "while writing {platform} {channel}", platform=room.platform, channel=room.channel
                )
            if room.lines:
                self._to_write.append(room)
        if self._to_write:
            self._hold(now)
        self._flushed_at = now
        self._note_trouble(trouble, self._counters.written > written)
        period = self._period_of(now)
        if period != self._period:
            self._period = period
            self.rotate_now()
        self._commits.begin_if_due(self._commit_interval)
        if self._losses:
            losses, self._losses = self._losses, []
            self._on_losses(losses)

    def _period_of(self, now: float) -> int:
        return int(now // self._settings.rotate_interval)

    # -- Writing

    def _write(self, room: Room, now: float) -> None:
        """Write the room's lines. Raises OSError when some are left; no half line is."""
        lines = room.lines
        data = lines[0] if len(lines) == 1 else b"".join(lines)
        if self._spool.usage + len(data) > self._settings.max_size:
            raise SpoolFull(errno.ENOSPC, f"the spool has reached max_size, {self._settings.max_size} bytes")
        file = room.file or self._open(room, now)
        try:
            fd = self._descriptors.get(file)
        except FileNotFoundError:
            self._log.error("{name} was removed from the spool by somebody else", name=file.name)
            room.file = None
            file = self._open(room, now)
            fd = file.fd
        except OSError as error:
            if file.size and error.errno not in NO_DESCRIPTORS:
                self._retire(room)
            raise
        if file.torn:
            self._files.truncate(fd, file.size)
            file.torn = False
        taken = 0
        try:
            taken = self._files.write(fd, data)
            while taken < len(data):
                more = self._files.write(fd, data[taken:])
                if not more:
                    raise OSError(errno.EIO, f"nothing was written to {file.name}")
                taken += more
        except OSError as error:
            self._tore(room, file, taken, now, error)
            raise
        self._wrote(room, file, len(lines), taken, now)
        if file.size >= self._settings.rotate_size:
            self._retire(room)
        if room.loss is not None:
            self._report_loss(room)

    def _open(self, room: Room, now: float) -> OpenFile:
        last = room.last_minute, room.last_n
        name, fd = self._descriptors.opening(self._spool.create, room.platform, room.channel, now, last)
        room.last_minute, room.last_n = name.minute, name.n
        room.file = OpenFile(str(name), fd)
        self._descriptors.add(room.file)
        self._commits.created()
        return room.file

    def _wrote(self, room: Room, file: OpenFile, count: int, size: int, now: float) -> None:
        """The first ``count`` lines of the room are in its file now."""
        self._counters.appended += room.took(count)
        file.size += size
        if not file.unsynced:
            self._commits.wrote(file)
        self._spool.usage += size
        room.written += count
        room.written_bytes += size
        room.written_at = now
        self._counters.written += count
        self._counters.written_bytes += size

    def _tore(self, room: Room, file: OpenFile, taken: int, now: float, error: OSError) -> None:
        """Only ``taken`` bytes were taken, perhaps ending in half a line: keep whole lines only."""
        count, size = room.whole(taken)
        if count:
            self._wrote(room, file, count, size, now)
        try:
            self._files.truncate(file.fd, file.size)
        except OSError:
            file.torn = True
        # A file that gives trouble of its own is not written again, unless it holds nothing: a disk
        # that fails for good must not fill up with empty files.
        if file.size and (file.torn or error.errno not in NO_SPACE):
            self._retire(room)

    def _hold(self, now: float) -> None:
        """Keep what could not be written, within the limit."""
        # What was read in this tick arrived after the one before.
        limit = self._settings.buffer_limit
        new, dropped = hold(self._to_write, limit, self._flushed_at, now)
        self._counters.appended += new
        if dropped:
            self._counters.dropped["overflow"] += dropped
            # Rooms that could keep nothing have nothing to write either.
            self._to_write[:] = [room for room in self._to_write if room.lines]

    def _report_loss(self, room: Room) -> None:
        if room.loss is not None:
            self._losses.append(room.loss)
            room.loss = None

    def _note_trouble(self, error: OSError | None, wrote: bool) -> None:
        if error is None:
            if self.trouble and wrote and not self._to_write:
                self.trouble = ""
                self._log.info("writing to {directory} again", directory=self._spool.directory)
                for room in self:
                    self._report_loss(room)
            return
        if not self.trouble:
            self._log.error(
                "cannot write to {directory}: {error}; records wait in memory, up to {limit} bytes",
                directory=self._spool.directory,
                error=str(error),
                limit=self._settings.buffer_limit,
            )
        self.trouble = str(error)
        now = self._clock.seconds()
        if error.errno in NO_SPACE and now - self._sealed_when_full >= _SEAL_WHEN_FULL:
            # What is sealed can be uploaded and deleted, and that makes space.
            self._sealed_when_full = now
            self.rotate_now()

    # -- Rotation

    def rotate_now(self) -> None:
        """Finish every file that holds something; rooms go on in new ones."""
        for room in self:
            if room.file is not None and room.file.size:
                self._retire(room)

    def _retire(self, room: Room) -> None:
        file, room.file = room.file, None
        if file is not None:
            self._descriptors.drop(file)
            self._commits.finished(file)
