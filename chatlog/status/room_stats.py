"""The facts of all rooms and connections."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

from chatlog.reasons import Reason, is_full, of_connection, of_disk
from chatlog.recorder.recorder import Recorder
from chatlog.recorder.room import RoomBuffer
from chatlog.rooms.connection import Phase
from chatlog.rooms.pool import Pool
from chatlog.rooms.subscriptions import Room, State
from chatlog.status.activity import SILENCE, Activity
from chatlog.status.coverage_window import CoverageWindow
from chatlog.status.room_problems import (
    KINDS,
    UNWRITTEN,
    Group,
    Moment,
    Problem,
    RoomProblems,
    explained,
    first_of,
)
from chatlog.timeline.timeline import HOUR
from chatlog.timeline.timelines import Key, Timelines

#: The names of a room's states in ``platforms`` and in ``RoomStats.room``.
STATES = (*(state.value for state in State), UNWRITTEN)

Facts = dict[str, Any]

#: Platform and number of a connection.
_Link = tuple[str, int]
#: Means all connections of a platform together.
_ANY = 0


class RoomStats:
    """``pools``: the rooms by platform. ``missing``: by platform, the rooms that are in no pool yet, each
    with the reason. ``acknowledged``: the rooms whose problem a person has acknowledged. ``now`` is always
    the monotonic clock's time in seconds, ``wall`` the time of day."""

    def __init__(
        self,
        pools: Mapping[str, Pool],
        missing: Mapping[str, Mapping[str, str]],
        recorder: Recorder,
        acknowledged: Container[Key],
        timelines: Timelines,
        now: float,
        wall: float,
    ) -> None:
        self._pools = pools
        self._missing = missing
        self._recorder = recorder
        self._acknowledged = acknowledged
        self._timelines = timelines
        self._started = wall
        self._minute = now
        self._activity = Activity(now)
        self._window = CoverageWindow(timelines.known_since, wall)
        self._problems = RoomProblems()
        #: Since when the recorder has been unable to write; None while it can.
        self.unwritten_since: float | None = None
        # Whether each connection, and any of each platform, is up, and since when.
        self._up: dict[_Link, tuple[bool, float]] = {}

    @property
    def today(self) -> float:
        """Since when the figures of today are counted."""
        return self._window.today

    def outage(self, platform: str, since: float, wall: float) -> None:
        """An alarm reports that the platform has been away since then."""
        self._window.outage(platform, since, wall)

    # -- polling -----------------------------------------------------------------------------------

    def poll(self, now: float, wall: float) -> None:
        """Called every few seconds."""
        if now - self._minute >= 60.0:
            self._minute = now
            self._activity.next_minute(self._recorder, now)
        if self._window.poll(wall):
            self._activity.reset_day(self._recorder)
        before, self._up = self._up, {}
        for platform, pool in self._pools.items():
            for each in pool.connections:
                self._note(before, (platform, each.number), each.up, wall)
            up = not pool.rooms or any(each.up for each in pool.connections)
            self._note(before, (platform, _ANY), up, wall)
        self._problems.poll(self._not_recorded(), now)

    def _note(self, before: dict[_Link, tuple[bool, float]], link: _Link, up: bool, wall: float) -> None:
        was, since = before.get(link, (None, wall))
        self._up[link] = up, since if up == was else wall

    def _not_recorded(self) -> Iterator[tuple[Key, Room | str]]:
        for platform, pool in self._pools.items():
            for name, room in pool.rooms.items():
                if not room.timeline.recorded:
                    yield (platform, name), room
        yield from self._not_in_a_pool()

    def _not_in_a_pool(self) -> Iterator[tuple[Key, str]]:
        for platform, missing in self._missing.items():
            pool = self._pools.get(platform)
            for name, why in missing.items():
                if pool is None or name not in pool.rooms:
                    yield (platform, name), why

    # -- rooms -------------------------------------------------------------------------------------

    def rooms(self, now: float, wall: float) -> Iterator[Facts]:
        """The facts of every room, in no order."""
        for platform, pool in self._pools.items():
            for name, room in pool.rooms.items():
                yield self._facts((platform, name), room, now, wall)
        for key, why in self._not_in_a_pool():
            yield self._facts(key, why, now, wall)

    def room(self, platform: str, name: str, now: float, wall: float) -> Facts | None:
        """One room; None if it is not on the list.

        ``platform``, ``name``, ``id`` (the platform's, ``""`` if not known), ``state`` (``wanted``,
        ``requested``, ``recorded``, ``refused``, ``silent``, ``unwritten``), ``problem`` (the kind of
        ``room_problems``, ``""`` while it is recorded), ``reason`` (why it is not recorded, in words),
        ``remedy`` (what to do), ``raw`` (the reason as it was given), ``acknowledged`` (a person has
        acknowledged the problem), ``since`` (when it began or ceased to be recorded), ``rate`` (messages in
        the last minute), ``last`` (when its latest record was written), ``records_today``, ``gaps_today``
        (gaps of today, an open one included), ``coverage_today`` and ``coverage_hour`` (share of the time in
        which it was recorded, 0 to 1), ``sparkline`` (messages in each of the last 60 minutes, the latest
        last), ``first`` (when it was recorded for the first time, if that was in this process), ``gaps_hour``
        (``[from, to]`` of each gap in the last hour; ``to`` is null while the gap is open).
        """
        room = self._room((platform, name)) or self._missing.get(platform, {}).get(name)
        return None if room is None else self._facts((platform, name), room, now, wall)

    def over(self, keys: Iterable[Key]) -> list[Key]:
        """Those of these rooms that are recorded, or that no recorder shall record any more."""
        wanted, is_elsewhere = self._timelines.wanted(), self._timelines.is_elsewhere
        rooms = ((key, self._room(key)) for key in keys)
        return [
            key
            for key, room in rooms
            if (room is not None and room.timeline.recorded) or (key not in wanted and not is_elsewhere(key))
        ]

    def _room(self, key: Key) -> Room | None:
        pool = self._pools.get(key[0])
        return None if pool is None else pool.rooms.get(key[1])

    def _unwritten(self, buffer: RoomBuffer) -> float | None:
        """Since when records of the room cannot be written; None if they can. A full disk concerns every
        room, also those in which nothing arrives."""
        if self.unwritten_since is None:
            return None
        stuck = buffer.kept > 0 or is_full(self._recorder.trouble) or bool(self._recorder.fatal)
        return self.unwritten_since if stuck else None

    def _facts(self, key: Key, room: Room | str, now: float, wall: float) -> Facts:
        """The facts of a room in a pool, or why the room is in none."""
        timeline, buffer, unwritten = self._timelines.of(key), None, None
        if isinstance(room, Room):
            timeline, buffer = room.timeline, self._recorder.room(*key)
            unwritten = self._unwritten(buffer)
        state = room.state.value if isinstance(room, Room) else State.WANTED.value
        problem, since = Problem("", now, ""), timeline.since or timeline.wanted
        if not timeline.recorded:
            problem = self._problems.of(key, room, now)
            reason = explained(*key, problem.kind, problem.raw)
        elif unwritten is not None:
            state, since = UNWRITTEN, unwritten
            problem = Problem(UNWRITTEN, now, self._recorder.fatal or self._recorder.trouble)
            reason = of_disk(problem.raw)
        else:
            state, reason = "recorded", Reason("")
        return {
            "platform": key[0],
            "name": key[1],
            "id": room.identifier if isinstance(room, Room) else "",
            "state": state,
            "problem": problem.kind,
            "reason": reason.words,
            "remedy": reason.remedy,
            "raw": problem.raw,
            "acknowledged": key in self._acknowledged,
            "since": since,
            "rate": round(self._activity.rate(buffer, now), 1) if buffer else 0.0,
            "last": buffer.written_at or None if buffer else None,
            "records_today": self._activity.today(buffer) if buffer else 0,
            "gaps_today": timeline.count(self._window.today, unwritten),
            "coverage_today": round(timeline.share(self._window.today, wall, unwritten), 5),
            "coverage_hour": round(timeline.share(self._window.hour(wall), wall, unwritten), 5),
            "sparkline": self._activity.hour(buffer) if buffer else SILENCE,
            "first": timeline.first,
            "gaps_hour": timeline.gaps(wall - HOUR, unwritten),
        }

    def poorly_covered(self, share: float, wall: float) -> Iterator[tuple[Key, float]]:
        """The recorded rooms that missed too much of the last hour to reach ``share`` of a whole hour, each
        with the seconds missed. Gaps with an alarm of their own do not count: a restart, or a platform that
        was away."""
        most = (1.0 - share) * HOUR
        for platform, pool in self._pools.items():
            for name, room in pool.rooms.items():
                # Rooms that are not recorded at present have a condition of their own.
                if room.timeline.recorded:
                    missed = self._window.unexplained(platform, room.timeline, wall)
                    if missed > most:
                        yield (platform, name), missed

    # -- platforms and connections -----------------------------------------------------------------

    def platforms(self, grace: float, after: float, now: float, wall: float) -> Iterator[Facts]:
        """One by one: ``platform``, ``rooms`` (how many are on the list), ``recorded``, ``acknowledged``,
        ``states`` (how many rooms are in each state), ``late`` (not recorded for longer than ``grace``
        seconds, without the acknowledged ones) and ``late_rooms`` (a few of their names), ``problems`` (list
        by kind, see ``Group.facts``), ``connections`` and ``up``, ``down_since`` (null while there is a
        connection), ``trouble`` (why there is none, in the original words), ``refused`` (how the platform
        refused our login or key, in its own words)."""
        at = Moment(now, wall, grace, after)
        for platform, pool in self._pools.items():
            late: list[str] = []
            states = {"recorded": 0}
            groups: dict[str, Group] = {}
            acknowledged = 0
            for name, state, problem, since in self._states(platform, at):
                states[state] = states.get(state, 0) + 1
                if problem is None:
                    continue
                if (platform, name) in self._acknowledged:
                    acknowledged += 1
                    continue
                group = groups.get(problem.kind)
                if group is None:
                    group = groups[problem.kind] = Group(problem.kind)
                group.add(name, problem, since, at)
                if since < wall - grace:
                    late.append(name)
            up = sum(1 for each in pool.connections if each.up)
            any_up, since = self._up.get((platform, _ANY), (True, wall))
            yield {
                "platform": platform,
                "rooms": sum(states.values()),
                "recorded": states["recorded"],
                "acknowledged": acknowledged,
                "states": states,
                "late": len(late),
                "late_rooms": first_of(late, str),
                "problems": [groups[kind].facts(platform) for kind in KINDS if kind in groups],
                "connections": len(pool.connections),
                "up": up,
                "down_since": None if up or any_up else since,
                "trouble": "" if up else next((e.trouble for e in pool.connections if e.trouble), ""),
                "refused": next((e.trouble or "refused" for e in pool.connections if e.refused_login), ""),
            }

    def _states(self, platform: str, at: Moment) -> Iterator[tuple[str, str, Problem | None, float]]:
        """The name, state and problem of every room, and since when the room is wanted and not recorded."""
        pool, recorded = self._pools[platform], "recorded"
        for name, room in pool.rooms.items():
            if room.timeline.recorded:
                if self.unwritten_since is not None:
                    unwritten = self._unwritten(self._recorder.room(platform, name))
                    recorded = "recorded" if unwritten is None else UNWRITTEN
                yield name, recorded, None, 0.0
                continue
            state = (room.subscriptions[0] if len(room.subscriptions) == 1 else room).state.value
            since = max(room.timeline.problem_since or at.wall, self._started)
            yield name, state, self._problems.latest((platform, name), room, at.now), since
        for name, why in self._missing.get(platform, {}).items():
            if name not in pool.rooms:
                key = platform, name
                since = self._timelines.of(key).problem_since or at.wall
                yield name, "wanted", self._problems.of(key, why, at.now), max(since, self._started)

    def connections(self, wall: float) -> Iterator[Facts]:
        """One by one: ``platform``, ``number``, ``lane``, ``up``, ``since`` (when it went up or down, to a
        few seconds), ``rooms`` (how many it carries), ``retiring``, ``refused`` (whether it refused our login
        or key), ``trouble`` (why it is not up, in words), ``raw`` (the reason in the original words)."""
        for platform, pool in self._pools.items():
            for each in pool.connections:
                yield {
                    "platform": platform,
                    "number": each.number,
                    "lane": each.lane,
                    "up": each.up,
                    "since": self._up.get((platform, each.number), (False, wall))[1],
                    "rooms": len(each.subscriptions),
                    "retiring": each.phase is Phase.RETIRING,
                    "refused": each.refused_login,
                    "trouble": "" if each.up else of_connection(platform, each.trouble).words,
                    "raw": "" if each.up else each.trouble,
                }
