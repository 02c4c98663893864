"""The state of the recorder as plain facts, for the page, the API, the health checks, the metrics and the
alarms.

The other parts never report here: their facts are read at a request, and every few seconds. So a chat message
costs nothing here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime

from chatlog import __version__
from chatlog.config.settings import Settings
from chatlog.counters import Counters
from chatlog.environment import Environment
from chatlog.recorder.recorder import Recorder
from chatlog.rooms.acknowledged import Acknowledged
from chatlog.rooms.pool import Pool
from chatlog.services import Poller
from chatlog.status.clock_offset import ClockOffset
from chatlog.status.condition import Condition
from chatlog.status.conditions import conditions, headline, unexplained
from chatlog.status.room_stats import Facts, RoomStats
from chatlog.status.vitals import Vitals
from chatlog.status.watch import Watch
from chatlog.timeline.timelines import Key, Timelines

#: Seconds between two polls.
EVERY = 5.0
#: Seconds for which a snapshot is reused.
FRESH = 1.0
#: The polls over which the rate is computed; they make a minute.
RATE_POLLS = 13
#: The most quarantined files that are named.
_MOST_ASIDE = 20
#: The codes of an outage of a whole platform.
_OUTAGES = ("LOGIN_REFUSED", "PLATFORM_DOWN")


class Uploads(Protocol):
    """The state of the uploader. Times are wall-clock seconds, None if there is none yet."""

    @property
    def waiting_files(self) -> int: ...
    @property
    def waiting_bytes(self) -> int: ...
    @property
    def oldest_waiting(self) -> float | None: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def quarantined(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def last_error(self) -> str: ...
    @property
    def remedy(self) -> str: ...
    @property
    def quarantined_files(self) -> Sequence[tuple[str, int, str, int, float]]: ...
    @property
    def last_success(self) -> float | None: ...


class Platforms(Protocol):
    """For each platform, the pool of its rooms, and the rooms that are in no pool yet, with the reasons."""

    @property
    def pools(self) -> Mapping[str, Pool]: ...
    @property
    def missing(self) -> Mapping[str, Mapping[str, str]]: ...


class Status(Service):
    """The facts of all parts of the recorder; none of the parts knows the status.

    ``platforms`` may change at any time, and so may ``settings``. ``acknowledged`` are the rooms whose
    problem a person has acknowledged. ``alarms`` and ``optouts`` may be set to functions that return the
    active alarms and the state of the opt-out list.
    """

    name = "status"

    def __init__(
        self,
        settings: Settings,
        environment: Environment,
        recorder: Recorder,
        uploader: Uploads,
        platforms: Platforms,
        timelines: Timelines,
        acknowledged: Acknowledged | None = None,
        vitals: Vitals | None = None,
    ) -> None:
        clock: IReactorTime = environment.reactor
        self.settings = settings
        self.counters = environment.counters
        self.pools = platforms.pools
        self.missing = platforms.missing
        self.acknowledged = acknowledged
        self.alarms: Callable[[], list[Facts]] = list
        #: The state of the opt-out list: see ``optouts`` of the snapshot.
        self.optouts: Callable[[], Facts] = lambda: {"people": 0, "stale": 0.0, "key": ""}
        #: The state of the cluster: see ``cluster`` of the snapshot; None without a cluster.
        self.cluster: Callable[[], Facts] | None = None
        self._timelines = timelines
        self._recorder = recorder
        self._uploader = uploader
        self._clock = clock
        self._wall = environment.wall
        self._parser = "python" if environment.read_chat is None else "rust"
        self._vitals = vitals or Vitals(clock)
        self._disk = (0, 0)
        # Since when the store has been in trouble, and since when the disk cannot be trusted.
        self._since: dict[str, float] = {}
        self._cached: tuple[float, Facts, list[Condition]] | None = None
        self._cached_rooms: tuple[float, list[Facts]] | None = None
        self._begin()
        self._pollers = Poller(clock, 1.0, self._vitals.beat), Poller(clock, EVERY, self._poll)

    def _begin(self) -> None:
        self._started, self._began = self._wall(), self._clock.seconds()
        self._offset = ClockOffset()
        known: Container[Key] = frozenset() if self.acknowledged is None else self.acknowledged
        self._room_stats = RoomStats(
            self.pools, self.missing, self._recorder, known, self._timelines, self._began, self._started
        )
        self._watch = Watch(self.counters, self._began)
        self._written: deque[tuple[float, int]] = deque([(self._began, self.counters.written)], RATE_POLLS)

    # -- service -----------------------------------------------------------------------------------

    def startService(self) -> None:
        super().startService()
        self._begin()
        self._vitals.begin()
        self._poll()
        self._cached = None
        for poller in self._pollers:
            poller.start()

    def stopService(self) -> None:
        super().stopService()
        for poller in self._pollers:
            poller.stop()

    # -- polling -----------------------------------------------------------------------------------

    def _poll(self) -> None:
        now, wall = self._clock.seconds(), self._wall()
        self._cached = None
        if self._cached_rooms is not None and now - self._cached_rooms[0] > FRESH:
            self._cached_rooms = None
        self._vitals.sample()
        self._offset.sample(*self._recorder.newest)
        # If this fails, the last values stay; the recorder reports the error of the disk.
        with suppress(OSError):
            self._disk = self._vitals.space(self.settings.recorder.directory)
        self._room_stats.poll(now, wall)
        if self.acknowledged:
            self.acknowledged.over(self._room_stats.over(self.acknowledged))
        self._note("store", self._uploader.state != "ok", wall)
        self._written.append((now, self.counters.written))
        self._watch.poll(self._room_stats, self.settings.alarms.coverage, now, wall)
        for condition in self.conditions():
            if condition.code in _OUTAGES and condition.due and condition.since:
                self._room_stats.outage(condition.subject, condition.since, wall)

    def _note(self, what: str, wrong: bool, wall: float) -> None:
        if wrong:
            self._since.setdefault(what, wall)
        else:
            self._since.pop(what, None)

    # -- the facts ---------------------------------------------------------------------------------

    def snapshot(self, rooms: bool = False) -> Facts:
        """Everything as it is now, as JSON; with ``rooms`` also the list of all rooms, which takes a moment
        when there are thousands. Do not change it. Times are seconds since the epoch, durations seconds,
        sizes bytes; null is "never" or "not known".

        | key | what |
        | --- | --- |
        | ``version``, ``instance`` | of the program; of the configuration |
        | ``started``, ``now``, ``uptime`` | |
        | ``headline`` | ``severity`` (``ok``, ``note``, ``warning``, ``critical``), ``text`` (a sentence) |
        | ``conditions`` | list of what is wrong, the worst first, see ``Condition.facts`` |
        | ``rate`` | records of all rooms in the last minute |
        | ``today`` | since when the rooms' figures of today are counted |
        | ``platforms`` | list, see ``RoomStats.platforms`` |
        | ``connections`` | list, see ``RoomStats.connections`` |
        | ``spool`` | ``bytes``, ``max_bytes``, ``free_bytes`` and ``disk_bytes`` of its file system, \
``open_files``, ``buffered_bytes`` (not in a file yet), ``durable_lag``, ``ticked`` (age of the latest \
tick), ``trouble`` and ``fatal`` (in words, ``""`` is well), ``trouble_since``, ``written`` (when records \
were written for the last time), ``dropped`` (records lost since the trouble began) |
        | ``uploads`` | ``waiting_files``, ``waiting_bytes``, ``oldest`` (age of the oldest that waits), \
``in_flight``, ``state``, ``state_since`` (null while it is ok), ``last_error`` (the store's words), \
``remedy`` (what to do about it, if that is known), ``last_success``, ``uploaded``, ``verified``, \
``deleted``, ``quarantined`` (how many files are quarantined at present), ``aside`` (the oldest of them: \
``name``, ``size``, ``reason``, ``tries``) |
        | ``process`` | ``resident_bytes``, ``cpu_seconds``, ``cpu_percent`` (of one processor), \
``reactor_lag`` (worst of the last half a minute), ``descriptors`` |
        | ``clock`` | ``offset``: by how much this machine's clock is ahead of the platforms' |
        | ``optouts`` | ``people`` on the opt-out list, ``stale`` (seconds since it could not be read any \
more), ``key`` (why its key cannot be used, ``""`` if it can) |
        | ``cluster`` | the recorders that share their rooms, see ``ClusterFacts``; null for one alone |
        | ``counters`` | every total of ``Counters`` by its name; objects where there are several kinds |
        | ``alarms`` | list of the active ones, see ``Alarms.active`` |
        | ``rooms`` | only on demand: list, see ``RoomStats.room`` |
        """
        now = self._clock.seconds()
        facts = {**self._fresh(now)[1], "alarms": self.alarms()}
        if rooms:
            if self._cached_rooms is None or now - self._cached_rooms[0] >= FRESH:
                self._cached_rooms = now, list(self.rooms())
            facts["rooms"] = self._cached_rooms[1]
        return facts

    def changed(self) -> None:
        """Something was changed: the next snapshot is a new one."""
        self._cached = self._cached_rooms = None

    def conditions(self) -> list[Condition]:
        """All present conditions, effects included, each with its beginning."""
        return self._fresh(self._clock.seconds())[2]

    def _fresh(self, now: float) -> tuple[float, Facts, list[Condition]]:
        if self._cached is None or now - self._cached[0] >= FRESH:
            facts = self._facts(now)
            found = conditions(facts, self._watch.observed, self.settings)
            found = self._watch.dated(found, now, facts["now"])
            facts["headline"] = headline(facts, found)
            facts["conditions"] = [condition.facts for condition in unexplained(found)]
            self._cached = now, facts, found
        return self._cached

    def rooms(self) -> Iterator[Facts]:
        """The facts of every room, in no order, as in ``RoomStats.room``. Iterate at once: rooms may come and
        go in the next turn of the reactor."""
        return self._room_stats.rooms(self._clock.seconds(), self._wall())

    def room(self, platform: str, name: str) -> Facts | None:
        """The facts of one room; None if it is not recorded. See ``RoomStats.room``."""
        return self._room_stats.room(platform, name, self._clock.seconds(), self._wall())

    def has_room(self, platform: str, name: str) -> bool:
        """Whether the room is on the list."""
        pool = self.pools.get(platform)
        return (pool is not None and name in pool.rooms) or name in self.missing.get(platform, {})

    def keys(self) -> set[Key]:
        """The platform and the name of every room."""
        pooled = {(platform, name) for platform, pool in self.pools.items() for name in pool.rooms}
        return pooled | {(platform, name) for platform, names in self.missing.items() for name in names}

    def _facts(self, now: float) -> Facts:
        wall = self._wall()
        grace, after = self.settings.http.health.room_grace, self.settings.alarms.after
        self._note("disk", bool(self._recorder.fatal), wall)
        self._room_stats.unwritten_since = self._recorder.trouble_since or self._since.get("disk")
        return {
            "version": __version__,
            "instance": self.settings.instance,
            "parser": self._parser,
            "started": self._started,
            "now": wall,
            "uptime": now - self._began,
            "today": self._room_stats.today,
            "rate": self._rate(),
            "platforms": list(self._room_stats.platforms(grace, after, now, wall)),
            "connections": list(self._room_stats.connections(wall)),
            "spool": self._spool(now),
            "uploads": self._uploads(wall),
            "process": {
                "resident_bytes": self._vitals.resident,
                "cpu_seconds": self._vitals.cpu,
                "cpu_percent": round(self._vitals.percent, 1),
                "reactor_lag": self._vitals.lag,
                "descriptors": self._vitals.descriptors,
            },
            "clock": {"offset": self._offset.seconds},
            "optouts": self.optouts(),
            "cluster": None if self.cluster is None else self.cluster(),
            "counters": {field.name: _plain(getattr(self.counters, field.name)) for field in _TOTALS},
        }

    def _rate(self) -> float:
        """Records a minute, over the last minute or its known part."""
        (began, before), (ended, after) = self._written[0], self._written[-1]
        return round(60.0 * (after - before) / (ended - began), 1) if ended > began else 0.0

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
            "trouble_since": recorder.trouble_since or self._since.get("disk"),
            "written": recorder.written_at,
            "dropped": recorder.dropped,
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
            "remedy": uploader.remedy,
            "last_success": uploader.last_success,
            "uploaded": counters.uploaded,
            "verified": counters.verified,
            "deleted": counters.deleted,
            "quarantined": uploader.quarantined,
            "aside": [
                {"name": name, "size": size, "reason": reason, "tries": tries}
                for name, size, reason, tries, _ in uploader.quarantined_files[:_MOST_ASIDE]
            ],
        }


_TOTALS = fields(Counters)


def _plain(total: Any) -> Any:
    if not isinstance(total, dict):
        return total
    return {" ".join(key) if isinstance(key, tuple) else key: count for key, count in total.items()}
