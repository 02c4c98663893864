"""Keeps the coverage of all rooms on the disk, so that the next run knows since when each room is missing.

A killed process cannot write gap records. So the end of each room's timeline is kept in a journal of the
state (see ``snapshots``), which is brought up to date after every flush. The next process reads since when
each room is missing, and the first acknowledgement of a room closes that gap with a record like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatlog.environment import Environment
from chatlog.journal.durability import Durability
from chatlog.journal.evidence import NONE, IdleConnections, evidence_of
from chatlog.journal.snapshots import DRIFT, EarlierRun, RoomSnapshot, flush_entry, head, replay
from chatlog.recorder.room import Loss
from chatlog.rooms.pool import Pool
from chatlog.rooms.subscriptions import RecordSink, Room
from chatlog.state.journal import Journal
from chatlog.timeline.intervals import Span
from chatlog.timeline.timeline import RESTART, Gap, RoomTimeline
from chatlog.timeline.timelines import Key, Timelines

#: Seconds after which a change of coverage is on the disk in every case.
_SETTLED = 5.0


class GapSink(Protocol):
    """The part that turns gaps and losses into gap records."""

    def closed(self, platform: str, room: Room, gap: Gap) -> None:
        """A gap of the room has closed."""

    def lost(self, loss: Loss, identifier: str) -> None:
        """Records of a room with this id could not be kept."""


class CoverageJournal(Service):
    """Keeps the journal of ``timelines`` and of the pools that it watches. Start it after the spool is locked
    and before the pools; stop it after the pools and before the recorder. ``gaps`` receives every gap and
    every loss. ``interval`` is that of the flushes, in seconds. ``records(platform, name)`` is where the gap
    records go of rooms that are in no pool.

    Rooms of the journal that are not wanted any more are missing until ``settle``. That happens at the first
    flush, unless ``waits`` says that the list of wanted rooms is not known yet.
    """

    _log = Logger()
    name = "coverage"

    def __init__(
        self,
        journal: Journal,
        environment: Environment,
        gaps: GapSink,
        timelines: Timelines,
        interval: float,
        records: Callable[[str, str], RecordSink],
    ) -> None:
        self._journal = journal
        self._clock: IReactorTime = environment.reactor
        self._wall = environment.wall
        self._gaps = gaps
        self._timelines = timelines
        self._boot = environment.boot
        self._pools: dict[str, Pool] = {}
        self._durability = Durability(interval)
        self._idle = IdleConnections(self._pools)
        # Gaps without a gap record from the earlier run, of rooms that are in no pool yet.
        self._unreported: dict[Key, tuple[Span, ...]] = {}
        # The snapshots of the earlier run at the time until which its records were on the disk; empty once
        # all of them are.
        self._before_floor: dict[Key, RoomSnapshot] = {}
        self._began = False
        self._records = records
        self.waits = False
        # The rooms whose changes the journal lacks, the period in the journal, and whether the journal lacks
        # everything.
        self._due: set[Key] = set()
        self._period = 0.0
        self._all_due = False
        # Rooms that were first acknowledged while a flush was incomplete; the journal has an entry of them.
        self._promised: set[Key] = set()
        # Both clocks at the latest flush.
        self._before = (0.0, 0.0)
        self._changed_at = float("-inf")

    # -- events of rooms ---------------------------------------------------------------------------

    def watch(self, pool: Pool) -> None:
        """Keep the journal of the rooms of ``pool`` too; there is one pool for each platform."""
        self._pools[pool.platform] = pool

    def added(self, platform: str, room: Room) -> None:
        """The room was added, and nothing of it has arrived yet."""
        key = platform, room.name
        room.timeline = self._timelines.of(key)
        self._report_earlier(platform, room)

    def removed(self, platform: str, room: Room) -> None:
        """The room was removed; its open gap ends."""
        key = platform, room.name
        gap = room.timeline.reason_changed(self._wall(), "removed")
        if gap is not None:
            self.closed(platform, room, gap)
        self._timelines.remove(key)
        self._durability.forget(key)
        self._before_floor.pop(key, None)

    def dismissed(self, platform: str, name: str) -> None:
        """The room is no longer wanted, and is in no pool; its gap since an earlier run ends."""
        timeline = self._timelines.get((platform, name))
        # Only a journal that another program has written can have an invalid name.
        with suppress(ValueError):
            if timeline is not None and timeline.since is not None:
                room = Room(name, self._records(platform, name))
                self.added(platform, room)
                self.removed(platform, room)
        self._timelines.remove((platform, name))

    def settle(self) -> None:
        """The list of wanted rooms is known now: rooms of the earlier run that are neither on it nor in a
        pool are dismissed."""
        if not self._timelines.settled:
            self._timelines.settled, wanted = True, frozenset(self._timelines.wanted())
            for key in [key for key, _ in self._timelines if key not in wanted]:
                if self._room(key) is None:
                    self.dismissed(*key)

    def closed(self, platform: str, room: Room, gap: Gap) -> None:
        """A gap of the room has closed; its record is written next, and may be lost until it is durable."""
        key = platform, room.name
        self._durability.gap(key, gap.start)
        self._due.add(key)
        self._gaps.closed(platform, room, gap)

    def lost_records(self, losses: list[Loss]) -> None:
        """Records of these rooms could not be kept: count the time as missing, and write gap records."""
        for loss in losses:
            key = loss.platform, loss.channel
            timeline, room = self._timelines.get(key), self._room(key)
            if timeline is not None:
                timeline.missed(loss.first, loss.last, loss.reason)
            self._durability.gap(key, loss.first)
            self._due.add(key)
            self._gaps.lost(loss, room.identifier if room else "")

    def _room(self, key: Key) -> Room | None:
        pool = self._pools.get(key[0])
        return pool.rooms.get(key[1]) if pool else None

    def _rooms(self) -> Iterator[tuple[str, Room]]:
        for platform, pool in self._pools.items():
            for room in pool.rooms.values():
                yield platform, room

    def _snapshot(self, key: Key, timeline: RoomTimeline | None) -> RoomSnapshot | None:
        """The room's snapshot; None if the room was never acknowledged."""
        if timeline is None or timeline.since is None:
            return None
        recorded, period, now = timeline.recorded, self._timelines.period, self._wall()
        since = timeline.since if timeline.missing_since is None else timeline.missing_since
        lost = timeline.closed(period, now)
        first = timeline.first if timeline.first is not None and timeline.first > period else None
        room = self._room(key)
        evidence = NONE if room is None else evidence_of(room, now, self._clock.seconds())
        heard = self._durability.gap_since(key) if recorded else None
        gaps = self._unreported.get(key, ())
        with_gaps = self._timelines.with_spans and lost > 0.0
        closed = tuple(each[:3] for each in timeline.stretches(period)) if with_gaps else ()
        return RoomSnapshot(since, recorded, timeline.reason, lost, first, evidence, heard, gaps, closed)

    # -- start and end -----------------------------------------------------------------------------

    def startService(self) -> None:
        """Find out since when each room is missing."""
        super().startService()
        now = self._wall()
        entries = self._read()
        earlier = replay(entries, self._boot)
        if self._journal.file.damaged and earlier.end is None and not earlier.rooms:
            self._log.error("what the earlier run noted makes no sense; its rooms have no gap records")
        self._timelines.start(earlier.since)
        self._period = self._timelines.period
        self._resume(earlier, now)
        floor = None
        if earlier.durable is not None and earlier.end is not None and earlier.durable < earlier.end:
            floor = earlier.durable
            self._before_floor = replay(entries, "").rooms
        self._began = True
        for platform, room in self._rooms():
            self._report_earlier(platform, room)
        self._before = now, self._clock.seconds()
        self._durability.start(now, floor)
        self._journal.begin(self._whole, self._write_all_again)
        if self._all_due and earlier.end is not None:
            # The journal could not be written anew, so that of the earlier run is continued.
            self._durability.start(earlier.end, floor)

    def _read(self) -> list[tuple[int, Any]]:
        try:
            return list(self._journal.file.read())
        except OSError as error:
            self._log.error(
                "cannot read what the earlier run recorded: {error}; rooms have no gap records of the "
                "time since",
                error=str(error),
            )
            return []

    def _resume(self, earlier: EarlierRun, now: float) -> None:
        """Continue the timelines of the earlier run, also of rooms that are wanted no longer: only the
        journal knows when they were recorded."""
        period = self._timelines.period
        self._timelines.settled = not earlier.rooms
        for key, past in earlier.removed.items():
            self._timelines.removed_earlier(key, past)
        for key, snapshot in earlier.rooms.items():
            snapshot.resume(self._timelines.of(key), earlier.heard_until(key[0]), period, now)
            self._unreported[key] = snapshot.gaps

    def _report_earlier(self, platform: str, room: Room) -> None:
        for start, end in self._unreported.pop((platform, room.name), ()):
            self.closed(platform, room, room.timeline.missed(start, end, "connection lost"))

    def stopService(self) -> None:
        """Close the open gaps; the time after this belongs to the restart. The recorder's last flush brings
        the journal up to date."""
        super().stopService()
        now = self._wall()
        for platform, room in self._rooms():
            gap = room.timeline.reason_changed(now, RESTART)
            if gap is not None:
                self.closed(platform, room, gap)

    # -- every flush -------------------------------------------------------------------------------

    def flushed(self, at: float, complete: bool, lag: float, recovered: bool) -> None:
        """If ``complete``, everything that arrived before ``at`` is in files. ``lag``: the age in seconds of
        the oldest write that is not on the disk yet; 0.0 if there is none. ``recovered``: the files of the
        earlier run are on the disk."""
        if not self._began:
            return
        if not self.waits:
            self.settle()
        if self._clock_jumped():
            complete = False
        for platform, pool in self._pools.items():
            if pool.changed:
                self._due.update((platform, name) for name in pool.changed)
                pool.changed.clear()
                self._changed_at = self._before[1]
        if not complete:
            # The gap records may not be in files either. So the journal stays as it was at the last complete
            # flush.
            self._durability.not_flushed()
            self._promise()
            return
        if recovered:
            self._before_floor.clear()
        self._due.update(self._durability.flushed(at, self._before[1], lag, recovered))
        if not self._journal.append(self._flush(at)):
            return
        self._promised.clear()
        self._idle.note()
        self._due.clear()
        self._all_due = False
        self._period = self._timelines.period
        self._journal.maintain(settled=self._before[1] - self._changed_at > _SETTLED)
        if not self.running:
            self._journal.close()

    def _flush(self, at: float) -> dict[str, Any]:
        """The entry with all changes since the last one."""
        period, more = self._timelines.period, {"all": True} if self._all_due else {}
        if self._all_due or period != self._period:
            more |= head(self._boot, period)
            # A new head resets the seconds lost; write them again.
            self._due.update(key for key, timeline in self._timelines if timeline.closed(period, at) > 0.0)
        rooms = ((key, self._snapshot(key, self._timelines.get(key))) for key in sorted(self._due))
        removed, idle = self._timelines.removed, self._idle.changes(at)
        return flush_entry(*self._durability.until, rooms, idle, removed, self._idle.late, **more)

    def _promise(self) -> None:
        """Note the rooms that were acknowledged for the first time since the last complete flush. If this
        process dies before the next one, only this entry shows that they are missing."""
        alive = self._durability.until
        rooms: list[tuple[Key, RoomSnapshot | None]] = []
        for key in sorted(self._due.difference(self._promised)):
            timeline = self._timelines.get(key)
            first = None if timeline is None else timeline.first
            if first is not None and first >= alive[0]:
                rooms.append((key, RoomSnapshot(first, False, RESTART, first=first)))
        if rooms and self._journal.append(flush_entry(*alive, rooms, {})):
            self._promised.update(key for key, _ in rooms)

    def _clock_jumped(self) -> bool:
        """Whether the wall clock jumped against the monotonic clock, for example while the machine was
        suspended. The time that the wall clock skipped was not recorded in any case."""
        wall, clock = self._wall(), self._clock.seconds()
        elapsed = clock - self._before[1]
        drift = (wall - self._before[0]) - elapsed
        before, self._before = self._before[0], (wall, clock)
        if abs(drift) <= DRIFT:
            return False
        self._log.warn("the wall clock jumped by {drift:.1f} s", drift=drift)
        for platform, room in self._rooms():
            timeline = room.timeline
            if drift < 0.0:
                timeline.set_back(-drift, wall)
            elif timeline.recorded:
                self.closed(platform, room, timeline.missed(before, wall, "clock"))
            else:
                # The connection was lost as soon as the machine woke up.
                timeline.set_forward(drift, before + elapsed)
        if drift < 0.0:
            # No entry of the journal may be in the future.
            self._journal.write_anew()
        return True

    # -- the journal as a whole --------------------------------------------------------------------

    def _whole(self) -> list[object]:
        """The entries of a journal that begins now."""
        now = ((key, self._snapshot(key, timeline)) for key, timeline in self._timelines)
        snapshots = (*self._before_floor.items(), *now)
        rooms = [(key, snapshot) for key, snapshot in snapshots if snapshot is not None]
        removed, known = self._timelines.removed, {key for key, _ in rooms}
        past = ((key, None) for key in removed if key not in known)
        period = head(self._boot, self._timelines.period)
        until = self._durability.until
        return [flush_entry(*until, (*rooms, *past), self._idle.noted, removed, all=True, **period)]

    def _write_all_again(self) -> None:
        self._all_due = True
        self._due.update(self._timelines.removed, (key for key, _ in self._timelines))
        self._idle.unsure()
