"""All rooms and connections, and the figures that are kept of them: the part of the facts that grows
with what is recorded."""

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

#: What a room's state is called in ``platforms``, as in ``Roster.room``.
STATES = (*(state.value for state in State), UNWRITTEN)

Facts = dict[str, Any]


class RoomStats:
    """``pools`` are the rooms by platform; ``missing`` tells, by platform, the rooms that are not in a
    pool yet, and why; ``acknowledged`` holds the rooms of which somebody knows that they are not recorded.
    ``now`` is always the clock's time in seconds, ``wall`` the time of day."""

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
        # Since when each link is as it is, and each platform is without a connection.
        self._links: dict[tuple[str, int], tuple[bool, float]] = {}
        self._down: dict[str, float] = {}

    @property
    def today(self) -> float:
        """Since when the figures of today are counted."""
        return self._window.today

    def outage(self, platform: str, since: float, wall: float) -> None:
        """An alarm says that the platform has been away since then."""
        self._window.outage(platform, since, wall)

    # -- looking -----------------------------------------------------------------------------------

    def look(self, now: float, wall: float) -> None:
        """Called every few seconds."""
        if now - self._minute >= 60.0:
            self._minute = now
            self._activity.turn(self._recorder, now)
        if self._window.poll(wall):
            self._activity.dawn(self._recorder)
        self._look_at_links(wall)
        self._problems.look(self._pools, self._missing, now)

    def _look_at_links(self, wall: float) -> None:
        before, self._links = self._links, {}
        for platform, pool in self._pools.items():
            for link in pool.connections:
                up, since = before.get((platform, link.number), (None, wall))
                self._links[platform, link.number] = (link.up, since if up == link.up else wall)
            if pool.rooms and not any(link.up for link in pool.connections):
                self._down.setdefault(platform, wall)
            else:
                self._down.pop(platform, None)

    # -- rooms -------------------------------------------------------------------------------------

    def rooms(self, now: float, wall: float) -> Iterator[Facts]:
        """The facts of every room, in no order."""
        for platform, pool in self._pools.items():
            for room in pool.rooms.values():
                yield self._room(platform, room, now, wall)
        for platform, missing in self._missing.items():
            for name in missing:
                if not self._in_pool(platform, name):
                    yield self._not_in_pool(platform, name, now, wall)

    def room(self, platform: str, name: str, now: float, wall: float) -> Facts | None:
        """One room; None if it is not on the list.

        ``platform``, ``name``, ``id`` (the platform's, ``""`` if not known), ``state`` (``wanted``,
        ``requested``, ``recorded``, ``refused``, ``silent``, ``unwritten``), ``problem`` (the kind of
        ``room_problems``, ``""`` while it is recorded), ``reason`` (why it is not recorded, in words),
        ``remedy`` (what to do), ``raw`` (the reason as it was given), ``acknowledged`` (somebody knows
        it), ``since`` (when it began or ceased to be recorded), ``rate`` (messages in the last minute),
        ``last`` (when its latest record was written), ``records_today``, ``gaps_today`` (pieces of today
        in which it was not recorded, one that is open included), ``coverage_today`` and ``coverage_hour``
        (share of the time in which it was recorded, 0 to 1), ``sparkline`` (messages in each of the last 60
        minutes, the latest last), ``first`` (when it was recorded for the first time, if that was in this
        process), ``gaps_hour`` (``[from, to]`` of each part of the last hour in which it was not recorded;
        ``to`` is null while it lasts).
        """
        if self._in_pool(platform, name):
            return self._room(platform, self._pools[platform].rooms[name], now, wall)
        if name in self._missing.get(platform, {}):
            return self._not_in_pool(platform, name, now, wall)
        return None

    def recorded(self, keys: Iterable[Key]) -> list[Key]:
        """Those of the rooms that are recorded."""
        return [
            (platform, name)
            for platform, name in keys
            if self._in_pool(platform, name) and self._pools[platform].rooms[name].timeline.recorded
        ]

    def _in_pool(self, platform: str, name: str) -> bool:
        return platform in self._pools and name in self._pools[platform].rooms

    def _unwritten(self, log: RoomBuffer) -> float | None:
        """Since when what arrives in the room cannot be written; None if it can. On a full disk that is so
        for every room, whether something arrives or not."""
        if self.unwritten_since is None:
            return None
        stuck = log.kept > 0 or is_full(self._recorder.trouble) or bool(self._recorder.fatal)
        return self.unwritten_since if stuck else None

    def _room(self, platform: str, room: Room, now: float, wall: float) -> Facts:
        key = platform, room.name
        timeline = room.timeline
        log = self._recorder.room(*key)
        unwritten = self._unwritten(log)
        state, problem = room.state.value, Problem("", now, "")
        if not timeline.recorded:
            problem = self._problems.of(platform, room, now)
            reason = explained(platform, room.name, problem.kind, problem.raw)
        elif unwritten is not None:
            state = UNWRITTEN
            problem = Problem(UNWRITTEN, now, self._recorder.fatal or self._recorder.trouble)
            reason = of_disk(problem.raw)
        else:
            state, reason = "recorded", Reason("")
        return {
            "platform": platform,
            "name": room.name,
            "id": room.identifier,
            "state": state,
            "problem": problem.kind,
            "reason": reason.words,
            "remedy": reason.remedy,
            "raw": problem.raw,
            "acknowledged": key in self._acknowledged,
            "since": unwritten if state == UNWRITTEN else timeline.since or timeline.wanted,
            "rate": round(self._activity.rate(log, now), 1),
            "last": log.written_at or None,
            "records_today": self._activity.today(log),
            "gaps_today": timeline.count(self._window.today, unwritten),
            "coverage_today": round(timeline.share(self._window.today, wall, unwritten), 5),
            "coverage_hour": round(timeline.share(self._window.hour(wall), wall, unwritten), 5),
            "sparkline": self._activity.hour(log),
            "first": timeline.first,
            "gaps_hour": timeline.gaps(wall - HOUR, unwritten),
        }

    def _not_in_pool(self, platform: str, name: str, now: float, wall: float) -> Facts:
        raw = self._missing[platform][name]
        timeline = self._timelines.of((platform, name))
        problem = self._problems.of_missing(platform, name, raw, now)
        reason = explained(platform, name, problem.kind, raw)
        return {
            "platform": platform,
            "name": name,
            "id": "",
            "state": "wanted",
            "problem": problem.kind,
            "reason": reason.words,
            "remedy": reason.remedy,
            "raw": raw,
            "acknowledged": (platform, name) in self._acknowledged,
            "since": timeline.wanted,
            "rate": 0.0,
            "last": None,
            "records_today": 0,
            "gaps_today": 1,
            "coverage_today": 0.0,
            "coverage_hour": 0.0,
            "sparkline": SILENCE,
            "first": None,
            "gaps_hour": timeline.gaps(wall - HOUR),
        }

    def poorly_covered(self, share: float, wall: float) -> Iterator[tuple[Key, float]]:
        """The rooms that are recorded and missed so much of the last hour that their share of a whole hour
        cannot reach ``share``, each with the seconds that it missed. What an alarm has told already, a
        restart or a platform that was away, is not counted."""
        most = (1.0 - share) * HOUR
        for platform, pool in self._pools.items():
            for name, room in pool.rooms.items():
                # What is not recorded at present is told as such.
                if room.timeline.recorded:
                    missed = self._window.unexplained(platform, room.timeline, wall)
                    if missed > most:
                        yield (platform, name), missed

    # -- platforms and connections -----------------------------------------------------------------

    def platforms(self, grace: float, after: float, now: float, wall: float) -> Iterator[Facts]:
        """One by one: ``platform``, ``rooms`` (how many are on the list), ``recorded``, ``acknowledged``,
        ``states`` (how many are in which), ``late`` (not recorded for longer than ``grace`` seconds, but
        for those that are acknowledged) and ``late_rooms`` (a few of their names), ``problems`` (list by
        kind, see ``Group.facts``), ``connections`` and ``up``, ``down_since`` (null while there is a
        connection), ``trouble`` (why there is none, as it was given), ``refused`` (how it refused our login
        or key, as it was given)."""
        at = Moment(now, wall, grace, after)
        for platform, pool in self._pools.items():
            late: list[str] = []
            states = {"recorded": 0}
            groups: dict[str, Group] = {}
            acknowledged = 0
            for name, state, problem, since in self._standings(platform, at):
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
            up = sum(1 for link in pool.connections if link.up)
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
                "down_since": None if up else self._down.get(platform),
                "trouble": ""
                if up
                else next((each.trouble for each in pool.connections if each.trouble), ""),
                "refused": next((e.trouble or "refused" for e in pool.connections if e.refused_login), ""),
            }

    def _standings(self, platform: str, at: Moment) -> Iterator[tuple[str, str, Problem | None, float]]:
        """Name, state and problem of every room, and since when it could have been recorded and was not."""
        never = float("inf")
        pool = self._pools[platform]
        for name, room in pool.rooms.items():
            if room.timeline.recorded:
                stuck = (
                    self.unwritten_since is not None
                    and self._unwritten(self._recorder.room(platform, name)) is not None
                )
                yield name, UNWRITTEN if stuck else "recorded", None, never
                continue
            state = (room.subscriptions[0] if len(room.subscriptions) == 1 else room).state.value
            since = max(room.timeline.problem_since or at.wall, self._started)
            yield name, state, self._problems.latest(platform, room, at.now), since
        for name, raw in self._missing.get(platform, {}).items():
            if name not in pool.rooms:
                problem = self._problems.of_missing(platform, name, raw, at.now)
                yield name, "wanted", problem, self._timelines.of((platform, name)).wanted

    def connections(self, wall: float) -> Iterator[Facts]:
        """One by one: ``platform``, ``number``, ``lane``, ``up``, ``since`` (when it went up or down, to
        a few seconds), ``rooms`` (how many it carries), ``retiring``, ``refused`` (our login or key),
        ``trouble`` (why it is not up, in words), ``raw`` (the same as it was given)."""
        for platform, pool in self._pools.items():
            for link in pool.connections:
                yield {
                    "platform": platform,
                    "number": link.number,
                    "lane": link.lane,
                    "up": link.up,
                    "since": self._links.get((platform, link.number), (False, wall))[1],
                    "rooms": len(link.subscriptions),
                    "retiring": link.phase is Phase.RETIRING,
                    "refused": link.refused_login,
                    "trouble": "" if link.up else of_connection(platform, link.trouble).words,
                    "raw": "" if link.up else link.trouble,
                }
