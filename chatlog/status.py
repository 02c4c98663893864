"""How the recorder is, as plain facts: what the page, the API, the health checks, the metrics and the
alarms all look at.

Nothing reports here. A look every few seconds, and what the parts know of themselves when somebody
asks, are enough; a message costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import fields
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from chatlog import __version__
from chatlog.absence import Absence
from chatlog.activity import SILENCE, Activity
from chatlog.counters import Counters
from chatlog.coverage import Hole
from chatlog.pool import Pool
from chatlog.recorder import Recorder
from chatlog.seats import Room
from chatlog.settings import Settings
from chatlog.vitals import Vitals, disk_space

#: Seconds between two looks.
EVERY = 5.0
#: Seconds for which a snapshot is handed out again.
FRESH = 1.0
#: Names that stand for all rooms in trouble.
NAMED = 10

Facts = dict[str, Any]


class Uploads(Protocol):
    """What the uploader says of itself. Times are wall-clock seconds, None where there is none yet."""

    @property
    def waiting_files(self) -> int: ...
    @property
    def waiting_bytes(self) -> int: ...
    @property
    def oldest_waiting(self) -> float | None: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def last_error(self) -> str: ...
    @property
    def last_success(self) -> float | None: ...


class Status(Service):
    """Knows all the others and is known by none of them.

    ``pools`` are the rooms by platform; ``missing`` tells, by platform, the rooms that are not in a
    pool yet, and why. ``alarms`` may be set to what gives the active alarms.
    """

    _log = Logger()
    name = "status"

    def __init__(
        self,
        settings: Settings,
        counters: Counters,
        recorder: Recorder,
        uploader: Uploads,
        pools: Mapping[str, Pool],
        clock: IReactorTime,
        wall: Callable[[], float],
        missing: Mapping[str, Mapping[str, str]] | None = None,
        space: Callable[[str], tuple[int, int]] = disk_space,
        vitals: Vitals | None = None,
    ) -> None:
        self.settings = settings
        self.counters = counters
        self.alarms: Callable[[], list[Facts]] = list
        self._recorder = recorder
        self._uploader = uploader
        self._pools = pools
        self._clock = clock
        self._wall = wall
        self._missing = missing or {}
        self._space = space
        self._vitals = vitals or Vitals(clock)
        self._started = wall()
        self._began = clock.seconds()
        self._activity = Activity(self._began)
        self._absence = Absence(self._started)
        self._disk = (0, 0)
        # Since when each room that was never recorded is wanted, each link is as it is, and something
        # has been wrong with the store and the disk; by the wall clock.
        self._wanted: dict[tuple[str, str], float] = {}
        self._links: dict[tuple[str, int], tuple[bool, float]] = {}
        self._down: dict[str, float] = {}
        self._since: dict[str, float] = {}
        self._minute = self._began
        self._cached: tuple[float, Facts] | None = None
        self._cached_rooms: tuple[float, list[Facts]] | None = None
        self._loops = [(LoopingCall(self._vitals.beat), 1.0), (LoopingCall(self._look), EVERY)]
        for loop, _ in self._loops:
            loop.clock = clock

    # -- service -----------------------------------------------------------------------------------

    def startService(self) -> None:
        super().startService()
        self._started, self._began = self._wall(), self._clock.seconds()
        self._activity = Activity(self._began)
        self._absence = Absence(self._started)
        self._minute = self._began
        self._vitals.begin()
        self._look()
        for loop, interval in self._loops:
            loop.start(interval, now=False).addErrback(
                lambda failure: self._log.failure("while looking at the recorder", failure=failure)
            )

    def stopService(self) -> None:
        super().stopService()
        for loop, _ in self._loops:
            if loop.running:
                loop.stop()

    def closed(self, platform: str, name: str, hole: Hole) -> None:
        """A hole of a room has closed. To be told of each, once."""
        self._absence.closed((platform, name), hole)

    # -- looking -----------------------------------------------------------------------------------

    def _look(self) -> None:
        now, wall = self._clock.seconds(), self._wall()
        self._cached = None
        if self._cached_rooms is not None and now - self._cached_rooms[0] > FRESH:
            self._cached_rooms = None
        self._vitals.sample()
        # Should it fail, what was known last is as good as anything; the recorder says what is wrong.
        with suppress(OSError):
            self._disk = self._space(self.settings.recorder.directory)
        if now - self._minute >= 60.0:
            self._minute = now
            self._activity.turn(self._recorder, now)
        if self._absence.look(wall):
            self._activity.dawn(self._recorder)
        self._look_at_rooms(wall)
        self._look_at_links(wall)
        self._note("store", self._uploader.state != "ok", wall)
        self._note("disk", bool(self._recorder.trouble), wall)

    def _look_at_rooms(self, wall: float) -> None:
        """Note since when those rooms are wanted that have never been recorded."""
        before, self._wanted = self._wanted, {}
        for platform, pool in self._pools.items():
            for name, room in pool.rooms.items():
                if room.coverage.since is None:
                    self._wanted[platform, name] = before.get((platform, name), wall)
        for platform, missing in self._missing.items():
            for name in missing:
                self._wanted[platform, name] = before.get((platform, name), wall)

    def _look_at_links(self, wall: float) -> None:
        before, self._links = self._links, {}
        for platform, pool in self._pools.items():
            for link in pool.links:
                up, since = before.get((platform, link.number), (None, wall))
                self._links[platform, link.number] = (link.up, since if up == link.up else wall)
            if pool.rooms and not any(link.up for link in pool.links):
                self._down.setdefault(platform, wall)
            else:
                self._down.pop(platform, None)

    def _note(self, what: str, wrong: bool, wall: float) -> None:
        if wrong:
            self._since.setdefault(what, wall)
        else:
            self._since.pop(what, None)

    # -- telling -----------------------------------------------------------------------------------

    def snapshot(self, rooms: bool = False) -> Facts:
        """Everything as it is now, ready for JSON; with ``rooms`` also the list of all rooms, which
        takes a moment when there are thousands. Not to be changed. Times are seconds since the epoch,
        durations seconds, sizes bytes; null is "never" or "not known".

        | key | what |
        | --- | --- |
        | ``version``, ``instance`` | of the program; of the configuration |
        | ``started``, ``now``, ``uptime`` | |
        | ``today`` | since when the room's figures of today are counted |
        | ``platforms`` | list, see ``_platform`` |
        | ``connections`` | list: ``platform``, ``number``, ``lane``, ``up``, ``since``, ``rooms`` (how many \
it carries), ``retiring``, ``trouble`` (why it is not up, in words) |
        | ``spool`` | ``bytes``, ``max_bytes``, ``free_bytes`` and ``disk_bytes`` of its file system, \
``open_files``, ``buffered_bytes`` (not in a file yet), ``durable_lag``, ``ticked`` (age of the latest \
tick), ``trouble`` and ``fatal`` (in words, ``""`` is well), ``trouble_since`` |
        | ``uploads`` | ``waiting_files``, ``waiting_bytes``, ``oldest`` (age of the oldest that waits), \
``in_flight``, ``state``, ``state_since`` (null while it is ok), ``last_error`` (the store's words), \
``last_success``, ``uploaded``, ``verified``, ``deleted``, ``quarantined`` |
        | ``process`` | ``resident_bytes``, ``cpu_seconds``, ``cpu_percent`` (of one processor), \
``reactor_lag`` (worst of the last half a minute), ``descriptors`` |
        | ``counters`` | every total of ``Counters`` by its name; objects where there are several kinds |
        | ``alarms`` | list of the active ones |
        | ``rooms`` | only on demand: list, see ``room`` |
        """
        now = self._clock.seconds()
        if self._cached is None or now - self._cached[0] >= FRESH:
            self._cached = now, self._facts(now)
        facts = {**self._cached[1], "alarms": self.alarms()}
        if rooms:
            if self._cached_rooms is None or now - self._cached_rooms[0] >= FRESH:
                self._cached_rooms = now, list(self.rooms())
            facts["rooms"] = self._cached_rooms[1]
        return facts

    def rooms(self) -> Iterator[Facts]:
        """The facts of every room, in no order, as ``room`` gives them."""
        now, wall = self._clock.seconds(), self._wall()
        for platform, pool in self._pools.items():
            for room in pool.rooms.values():
                yield self._room(platform, room, now, wall)
        for platform, missing in self._missing.items():
            for name in missing:
                if name not in self._pools[platform].rooms:
                    yield self._not_in_pool(platform, name, wall)

    def room(self, platform: str, name: str) -> Facts | None:
        """One room; None if it is not recorded.

        ``platform``, ``name``, ``id`` (the platform's, ``""`` if not known), ``state`` (``wanted``,
        ``requested``, ``recorded``, ``refused``, ``silent``), ``reason`` (why it is not recorded, in
        words), ``since`` (when it began or ceased to be recorded), ``rate`` (messages in the last
        minute), ``last`` (when its latest record was written), ``records_today``, ``gaps_today`` (holes
        that closed), ``coverage_today`` and ``coverage_hour`` (share of the time in which it was
        recorded, 0 to 1), ``sparkline`` (messages in each of the last 60 minutes, the latest last).
        """
        pool = self._pools.get(platform)
        found = pool.rooms.get(name) if pool is not None else None
        if found is not None:
            return self._room(platform, found, self._clock.seconds(), self._wall())
        if name in self._missing.get(platform, {}):
            return self._not_in_pool(platform, name, self._wall())
        return None

    def _room(self, platform: str, room: Room, now: float, wall: float) -> Facts:
        key = platform, room.name
        coverage = room.coverage
        wanted = self._wanted.get(key, wall)
        log = self._recorder.room(*key)
        return {
            "platform": platform,
            "name": room.name,
            "id": room.identifier,
            "state": "recorded" if coverage.covered else room.state.value,
            "reason": "" if coverage.covered else room.reason or coverage.reason,
            "since": wanted if coverage.since is None else coverage.since,
            "rate": round(self._activity.rate(log, now), 1),
            "last": log.written_at or None,
            "records_today": self._activity.today(log),
            "gaps_today": self._absence.gaps[key],
            "coverage_today": round(self._absence.today(key, coverage, wanted, wall), 5),
            "coverage_hour": round(self._absence.last_hour(key, coverage, wanted, wall), 5),
            "sparkline": self._activity.hour(log),
        }

    def _not_in_pool(self, platform: str, name: str, wall: float) -> Facts:
        return {
            "platform": platform,
            "name": name,
            "id": "",
            "state": "wanted",
            "reason": self._missing[platform][name],
            "since": self._wanted.get((platform, name), wall),
            "rate": 0.0,
            "last": None,
            "records_today": 0,
            "gaps_today": 0,
            "coverage_today": 0.0,
            "coverage_hour": 0.0,
            "sparkline": SILENCE,
        }

    def _facts(self, now: float) -> Facts:
        wall = self._wall()
        return {
            "version": __version__,
            "instance": self.settings.instance,
            "started": self._started,
            "now": wall,
            "uptime": now - self._began,
            "today": self._absence.since,
            "platforms": [self._platform(platform, wall) for platform in self._pools],
            "connections": [fact for platform in self._pools for fact in self._connections(platform, wall)],
            "spool": self._spool(now),
            "uploads": self._uploads(wall),
            "process": {
                "resident_bytes": self._vitals.resident,
                "cpu_seconds": self._vitals.cpu,
                "cpu_percent": round(self._vitals.percent, 1),
                "reactor_lag": self._vitals.lag,
                "descriptors": self._vitals.descriptors,
            },
            "counters": {field.name: _plain(getattr(self.counters, field.name)) for field in _TOTALS},
        }

    def _platform(self, platform: str, wall: float) -> Facts:
        """``platform``, ``rooms`` (how many are wanted), ``recorded``, ``states`` (how many are in which),
        ``late`` (not recorded for longer than ``http.health.room_grace``) and ``late_rooms`` (a few of
        their names), ``connections`` and ``up``, ``down_since`` (null
        while there is a connection), ``trouble`` (why there is none, in words)."""
        pool = self._pools[platform]
        grace = wall - self.settings.http.health.room_grace
        states: dict[str, int] = {}
        late: list[str] = []
        count = 0
        recorded = 0
        for name, room in pool.rooms.items():
            if room.coverage.covered:
                recorded += 1
                continue
            state = (room.seats[0] if len(room.seats) == 1 else room).state.value
            states[state] = states.get(state, 0) + 1
            if self._lost_at(platform, name, room, wall) < grace:
                count += 1
                if len(late) < NAMED:
                    late.append(name)
        unidentified = [name for name in self._missing.get(platform, ()) if name not in pool.rooms]
        states["recorded"] = recorded
        if unidentified:
            states["wanted"] = states.get("wanted", 0) + len(unidentified)
        for name in unidentified:
            if self._wanted.get((platform, name), wall) < grace:
                count += 1
                if len(late) < NAMED:
                    late.append(name)
        up = sum(1 for link in pool.links if link.up)
        return {
            "platform": platform,
            "rooms": len(pool.rooms) + len(unidentified),
            "recorded": recorded,
            "states": states,
            "late": count,
            "late_rooms": late,
            "connections": len(pool.links),
            "up": up,
            "down_since": None if up else self._down.get(platform),
            "trouble": "" if up else next((link.trouble for link in pool.links if link.trouble), ""),
        }

    def _lost_at(self, platform: str, name: str, room: Room, wall: float) -> float:
        """Since when the room could have been recorded and was not."""
        since = room.coverage.missing_since
        if since is None:
            since = self._wanted.get((platform, name), wall)
        return max(since, self._started)

    def _connections(self, platform: str, wall: float) -> Iterator[Facts]:
        for link in self._pools[platform].links:
            yield {
                "platform": platform,
                "number": link.number,
                "lane": link.lane,
                "up": link.up,
                "since": self._links.get((platform, link.number), (False, wall))[1],
                "rooms": len(link.seats),
                "retiring": link.retiring,
                "trouble": "" if link.up else link.trouble,
            }

    def _spool(self, now: float) -> Facts:
        recorder = self._recorder
        return {
            "bytes": recorder.spool_bytes,
            "max_bytes": self.settings.recorder.max_size,
            "free_bytes": self._disk[0],
            "disk_bytes": self._disk[1],
            "open_files": recorder.open_files,
            "buffered_bytes": recorder.buffered_bytes,
            "durable_lag": recorder.durable_lag,
            "ticked": max(0.0, now - recorder.ticked_at),
            "trouble": recorder.trouble,
            "trouble_since": self._since.get("disk"),
            "fatal": recorder.fatal,
        }

    def _uploads(self, wall: float) -> Facts:
        uploader, counters = self._uploader, self.counters
        oldest = uploader.oldest_waiting
        return {
            "waiting_files": uploader.waiting_files,
            "waiting_bytes": uploader.waiting_bytes,
            "oldest": None if oldest is None else max(0.0, wall - oldest),
            "in_flight": uploader.in_flight,
            "state": uploader.state,
            "state_since": self._since.get("store"),
            "last_error": uploader.last_error,
            "last_success": uploader.last_success,
            "uploaded": counters.uploaded,
            "verified": counters.verified,
            "deleted": counters.deleted,
            "quarantined": counters.quarantined,
        }


_TOTALS = fields(Counters)


def _plain(total: Any) -> Any:
    return dict(total) if isinstance(total, dict) else total
