"""What the next run has to know: until when this one was there, and which rooms it recorded.

A process that is killed cannot write down that it is no longer recording. So the coverage of all rooms
is kept in a journal beside the spool (see ``journal``), brought up to date after every flush. The next
process reads there since when each room is missing, and the first acknowledgement of a room closes
that hole with a gap record like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatlog.environment import Environment
from chatlog.journal.journal import Key, Standing, batch, head_line, replay, room_line
from chatlog.journal.journal_file import JournalFile
from chatlog.journal.pending_gaps import GapSink
from chatlog.journal.period import Period
from chatlog.journal.quiet import QuietLinks
from chatlog.journal.standings import DRIFT, RESTART, Standings, since_the_end
from chatlog.journal.tally import RoomTime, Tally
from chatlog.recorder.room import Loss
from chatlog.rooms.pool import Pool
from chatlog.rooms.subscriptions import Room
from chatlog.timeline.timeline import Gap

#: Seconds after which a change of coverage is on the disk in every case.
_SETTLED = 5.0


class Presence(Service):
    """Keeps the journal of all rooms in the pools that it watches.

    It is started after the spool was locked and before the pools, and stopped after the pools and
    before the recorder. ``gaps`` gets every hole and every loss. ``wanted()`` are the rooms
    that are to be recorded: what the journal says of others is forgotten. ``interval`` is
    that of the flushes, in seconds.
    """

    _log = Logger()
    name = "presence"

    def __init__(
        self,
        journal: JournalFile,
        environment: Environment,
        gaps: GapSink,
        wanted: Callable[[], Collection[Key]],
        interval: float = 0.5,
    ) -> None:
        self._journal = journal
        journal.whole, journal.incomplete = self._whole, self._write_all_again
        self._clock: IReactorTime = environment.reactor
        self._wall = environment.wall
        self._gaps = gaps
        self._wanted = wanted
        self._boot = environment.boot
        self._interval = interval
        self._standings = Standings(self._clock, self._wall)
        self._pools, self._earlier = self._standings.pools, self._standings.earlier
        self._pending_gaps = self._standings.pending_gaps
        self._period = Period(self._standings, wanted)
        # Until when the earlier run's records were on the disk, and how its rooms stood, as long as the
        # rest of them is only on its way there: a machine that crashes now takes that along.
        self._floor: float | None = None
        self._before_floor: dict[Key, Standing] = {}
        # The rooms in the pools.
        self._rooms: dict[Key, Room] = {}
        self._began = False
        self._quiet = QuietLinks(self._pools)
        # Whether the latest flush was whole; when the first whole one after others was, by the clock, and
        # until when everything was on the disk before.
        self._complete = True
        self._caught_up = (float("-inf"), 0.0)
        # Rooms whose line is due, and whether the head's is, and whether those are all.
        self._due: set[Key] = set()
        self._head_due = self._all_due = False
        # The number of the latest batch in the journal.
        self._batch = 0
        # The rooms that came while not everything could be written and that the journal knows of all the
        # same; how the earlier run's journal ends, where it could not be begun anew.
        self._promised: set[Key] = set()
        self._continued: tuple[int, tuple[float, float]] | None = None
        # Wall clock and monotonic clock at the latest flush; the latest whole flush, and until when
        # everything is on the disk.
        self._before = (0.0, 0.0)
        self._alive = (0.0, 0.0)
        self._changed_at = float("-inf")

    def watch(self, pool: Pool) -> None:
        """Keep account of the rooms of ``pool``, one for each platform."""
        self._pools[pool.platform] = pool

    def closed(self, platform: str, room: Room, hole: Gap) -> None:
        """A hole of the room has closed."""
        self._standings.tally.closed((platform, room.name), hole)
        self._pending_gaps.closed((platform, room.name), hole.start)
        self._due.add((platform, room.name))
        self._gaps.closed(platform, room, hole)

    def lost_records(self, losses: list[Loss]) -> None:
        """Records of these rooms could not be kept: count the time, and write that down."""
        for loss in losses:
            self.count_loss(loss)
            room = self._standings.room((loss.platform, loss.channel))
            self._gaps.lost(loss, room.identifier if room else "")

    def count_loss(self, loss: Loss) -> None:
        """Count the time in which records of a room could not be kept as missing."""
        self._pending_gaps.closed((loss.platform, loss.channel), loss.first)
        self._due.add((loss.platform, loss.channel))
        self._standings.tally.closed((loss.platform, loss.channel), Gap(loss.first, loss.last, loss.reason))

    # -- start and end -----------------------------------------------------------------------------

    def startService(self) -> None:
        """Find out since when each room is missing."""
        super().startService()
        now = self._period.began = self._wall()
        data = self._read()
        past = replay(data, self._boot)
        if data.strip() and past.end is None and not past.rooms:
            self._log.error("what the earlier run noted makes no sense; its rooms have no gap records")
        self._standings.tally = Tally(now if past.since is None else min(past.since, now))
        wanted = frozenset(self._wanted())
        for key, standing in past.rooms.items():
            if key not in wanted:
                continue
            if standing.lost:
                self._standings.tally.lost[key] = standing.lost
            self._earlier[key] = since_the_end(standing, past.end, now)
        if past.durable is not None and past.end is not None and past.durable < past.end:
            self._floor = past.durable
            safe = replay(data, "").rooms
            self._before_floor = {key: standing for key, standing in safe.items() if key in wanted}
        self._began = True
        for platform, pool in self._pools.items():
            for room in pool.rooms.values():
                self.added(platform, room)
        self._before = now, self._clock.seconds()
        self._alive = now, now if self._floor is None else self._floor
        self._journal.begin()
        if self._all_due:
            end = now if past.end is None else past.end
            self._continued = past.batch, (end, end if past.durable is None else past.durable)

    def _read(self) -> bytes:
        try:
            return self._journal.read()
        except OSError as error:
            self._log.error(
                "cannot read what the earlier run recorded: {error}; rooms have no gap records of the "
                "time since",
                error=str(error),
            )
            return b""

    def added(self, platform: str, room: Room) -> None:
        """The room is recorded from now on, before anything has come of it."""
        if not self._began:
            return
        if self._rooms.get((platform, room.name), room) is not room:
            # Removed and added again since the latest flush.
            self._removed((platform, room.name))
        self._rooms[platform, room.name] = room
        standing = self._earlier.pop((platform, room.name), None)
        if standing is not None:
            room.timeline.missing(standing.since, standing.reason)
            room.timeline.first = standing.begun
            self._due.add((platform, room.name))
            for start, end in standing.holes:
                self.closed(platform, room, Gap(start, end, "connection lost"))
        elif self._before != (0.0, 0.0):
            self._period.added((platform, room.name), self._wall())

    def stopService(self) -> None:
        """Write down the holes that are open; what follows them belongs to the restart. The recorder's
        last flush brings the journal up to date."""
        super().stopService()
        now = self._wall()
        for platform, pool in self._pools.items():
            for room in pool.rooms.values():
                hole = room.timeline.turned(now, RESTART)
                if hole is not None:
                    self._due.add((platform, room.name))
                    self.closed(platform, room, hole)

    # -- every flush -------------------------------------------------------------------------------

    def flushed(self, at: float, complete: bool, lag: float, recovered: bool = True) -> None:
        """Everything that arrived before ``at`` is in files, if ``complete``; the oldest write that is
        not on the disk yet is ``lag`` seconds old, 0.0 if there is none. ``recovered``: what the earlier
        run left in files is on the disk."""
        if not self._began:
            return
        jumped = self._clock_jumped()
        if jumped:
            complete = False
        for platform, pool in self._pools.items():
            if pool.changed:
                self._due.update((platform, name) for name in pool.changed)
                for name in pool.changed.difference(pool.rooms):
                    self._removed((platform, name))
                pool.changed.clear()
                self._changed_at = self._before[1]
        if not complete:
            # Not even the gap records are in files. The journal stays as it was at the last whole flush.
            self._complete = False
            if not jumped:
                self._promise()
            return
        if not self._complete:
            self._complete = True
            self._caught_up = self._before[1], self._alive[1]
        if recovered:
            self._floor = None
            self._before_floor.clear()
        self._alive = at, self._durable(at, lag)
        self._due.update(self._pending_gaps.flushed(self._before[1], lag))
        head = [head_line(self._boot, self._standings.tally.since)] if self._head_due else []
        lines = [room_line(key, self._standings.of(key)) for key in sorted(self._due)]
        lines = [*head, *lines, *self._quiet.lines(at)]
        if not self._journal.append(batch(self._batch + 1, lines, *self._alive, self._all_due)):
            return
        self._batch += 1
        self._continued = None
        self._promised.clear()
        self._quiet.noted()
        self._due.clear()
        self._head_due = self._all_due = False
        self._journal.look_after(settled=self._before[1] - self._changed_at > _SETTLED)
        if not self.running:
            self._journal.close()

    def _promise(self) -> None:
        """Note the rooms that were acknowledged for the first time since the last whole flush: should this
        process die before the next one, nothing else would tell that they are missing."""
        number, alive = self._continued or (self._batch, self._alive)
        lines, keys = [], []
        for key in sorted(self._due.difference(self._promised)):
            room = self._standings.room(key)
            first = None if room is None else room.timeline.first
            if first is not None and first >= alive[0]:
                keys.append(key)
                lines.append(room_line(key, Standing(first, False, RESTART, begun=first)))
        if not lines or not self._journal.append(batch(number + 1, lines, *alive)):
            return
        self._promised.update(keys)
        if self._continued is None:
            self._batch += 1
        else:
            self._continued = number + 1, alive

    def _durable(self, at: float, lag: float) -> float:
        durable = at - lag - self._interval if lag > 0.0 else at
        caught_up, before = self._caught_up
        if lag > 0.0 and self._before[1] - lag <= caught_up:
            # What is written then may have come long ago, and the lag does not know how long.
            durable = min(durable, before)
        return durable if self._floor is None else min(durable, self._floor)

    def _clock_jumped(self) -> bool:
        """A suspended machine wakes up with its monotonic clock where it was. What the wall clock
        skipped was not recorded, whatever the reason."""
        wall, clock = self._wall(), self._clock.seconds()
        elapsed = clock - self._before[1]
        drift = (wall - self._before[0]) - elapsed
        before, self._before = self._before[0], (wall, clock)
        if abs(drift) <= DRIFT:
            return False
        self._log.warn("the wall clock jumped by {drift:.1f} s", drift=drift)
        if drift > 0.0:
            for platform, room in self._standings.rooms():
                if room.timeline.recorded:
                    self.closed(platform, room, Gap(before, wall, "clock"))
                else:
                    # Lost as soon as the machine woke up.
                    room.timeline.set_forward(drift, before + elapsed)
                self._due.add((platform, room.name))
        else:
            for _, room in self._standings.rooms():
                room.timeline.set_back(-drift, wall)
            # No line of the journal may lie in the future.
            self._journal.write_anew()
        return True

    # -- the seconds of a period -------------------------------------------------------------------

    def rows(self, since: float, until: float) -> Iterator[RoomTime]:
        """Every room's seconds between the two times, the first being when the period began."""
        return self._period.rows(since, until)

    def _removed(self, key: Key) -> None:
        """The room is no longer recorded; what there was of it in this period counts all the same."""
        room = self._rooms.pop(key, None)
        hole = None if room is None else room.timeline.turned(self._wall(), "removed")
        if room is not None and hole is not None:
            self.closed(key[0], room, hole)
        standing = None if room is None else self._standings.of_room(key, room)
        self._period.removed(key, standing, self._wall())
        self._pending_gaps.forget(key)

    @property
    def since(self) -> float:
        """When the present period began."""
        return self._standings.tally.since

    @property
    def lost(self) -> Mapping[Key, float]:
        """The seconds of the present period in which each room was not recorded, as far as that is over."""
        return self._standings.tally.lost

    def closing(self, at: float) -> None:
        """The period will end at ``at``, as soon as its seconds are safe: see ``turn``."""
        self._standings.tally.closing(at)

    def turn(self, at: float) -> None:
        """A new period begins at ``at``. What happened since, if ``closing`` was told of that time, counts
        for the new one."""
        self._period.turn(at)
        self._due.update(self._standings.tally.lost)
        self._head_due = True

    # -- the journal as a whole --------------------------------------------------------------------

    def _whole(self) -> bytes:
        """The journal as it would be if it began now."""
        now = ((key, self._standings.of(key)) for key in self._standings.known())
        standings = (*self._before_floor.items(), *now)
        rooms = (room_line(key, standing) for key, standing in standings if standing is not None)
        head = head_line(self._boot, self._standings.tally.since)
        lines = [head, *rooms, *self._quiet.all_lines()]
        return batch(self._batch, lines, *self._alive, all_rooms=True)

    def _write_all_again(self) -> None:
        self._head_due = self._all_due = True
        self._due.update(self._standings.known())
        self._quiet.unsure()
