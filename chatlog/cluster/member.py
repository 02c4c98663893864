"""One member of a cluster, without reactor, clock and engine: its caller reports the events, and gets orders.

The caller puts the member's line to the engine (``line``, ``line_confirmed``; one at a time), reads the lines
of all (``reading_begins``, ``see``; one at a time), calls ``tick`` in between, and carries out the orders.
Times are seconds of a clock that only goes forward.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

from chatlog.cluster.assignment import Assignment, Bidder, Draws, assign
from chatlog.cluster.line import Line
from chatlog.cluster.roster import Reading, Roster
from chatlog.cluster.slot_life import Orders, SlotLife, View

#: Seconds between two lines of a member, between two readings of all lines, and until a line is forgotten.
BEAT = 3.0
READ_EVERY = 1.0
LEASE = 10.0
#: Seconds of silence after which the engine is away.
AWAY = 5.0
#: The longest that a reading may take, in seconds. The lines of a longer one are too old.
QUICK = 2.0


@dataclass(frozen=True, slots=True)
class Myself:
    """The facts of a member that do not change."""

    name: str
    capacity: int
    zone: str = ""
    replicas: int = 1
    joins: str = ""
    url: str = ""
    version: str = ""
    lease: float = LEASE


class Member:
    """One member. ``platforms``: those whose rooms it may record."""

    def __init__(
        self,
        myself: Myself,
        platforms: Sequence[str],
        draws: Draws,
        now: float,
        life: Callable[[], SlotLife] = SlotLife,
    ) -> None:
        self.myself = myself
        self.draining = False
        self.unwell: frozenset[str] = frozenset()
        self.lives = {name: life() for name in platforms}
        self.roster = Roster(myself.name, myself.lease)
        #: Which member shall record which slots, as of the last reading; None before the first.
        self.assignment: Assignment | None = None
        #: The version of the room list that the member acts on.
        self.rooms = 0
        self.away = False
        self._draws = draws
        self._heard_at = now
        self._acts_at = float("inf")
        self._began = now
        self._computed: Hashable = None

    def line(self, wall: float) -> Line:
        """The line of the present moment."""
        me = self.myself
        return Line(
            name=me.name,
            capacity=me.capacity,
            zone=me.zone,
            replicas=me.replicas,
            draining=self.draining,
            unwell=self.unwell,
            recording={name: life.published for name, life in self.lives.items()},
            rooms=self.rooms,
            joins=me.joins,
            url=me.url,
            version=me.version,
            at=wall,
        )

    def line_confirmed(self, line: Line, now: float) -> None:
        """The engine has confirmed a line."""
        self._heard(now)
        self.roster.confirmed(now)
        if self._acts_at == float("inf"):
            # By then every member that the engine has forgotten has written again.
            self._acts_at = now + BEAT + 1.0
        for name, life in self.lives.items():
            life.confirmed(line.recording[name])

    def reading_begins(self, now: float) -> None:
        """A reading of the lines of all members begins."""
        self._began = now
        for life in self.lives.values():
            life.reading_begins()

    def see(
        self,
        reading: Reading,
        now: float,
        sizes: Mapping[str, Sequence[int]],
        changed_since: Callable[[int], int],
    ) -> dict[str, Orders]:
        """Act on the lines of all members. ``sizes``: the rooms in each slot, by platform. ``changed_since``:
        the slots whose rooms changed after a version of the room list."""
        if now - self._began > QUICK:
            return {}
        self._heard(now)
        self.roster.see(reading, now)
        assignment = self._assign(sizes)
        if now < self._acts_at:
            return {}
        behind = {line.rooms: changed_since(line.rooms) for line in self.roster.present.values()}
        return {
            name: life.see(self._view(name, assignment, behind))
            for name, life in self.lives.items()
            if name in sizes
        }

    def tick(self, now: float) -> bool:
        """Time passes. True if the published slots have changed."""
        if now - self._heard_at <= AWAY:
            return False
        self.away = True
        frozen = [life.freeze() for life in self.lives.values()]
        return any(frozen)

    @property
    def left(self) -> bool:
        """Whether this member records no slot any more."""
        return not any(life.recorded for life in self.lives.values())

    def _heard(self, now: float) -> None:
        if self.away or now - self._heard_at > AWAY:
            self.away = False
            for life in self.lives.values():
                life.freeze()
            self.roster.settle(now)
        self._heard_at = now

    def _assign(self, sizes: Mapping[str, Sequence[int]]) -> Assignment:
        """The assignment, computed anew only if members, capacities or sizes have changed."""
        lines = sorted([self.line(0.0), *self.roster.others.values()], key=lambda each: each.name)
        replicas = max(line.replicas for line in lines)
        bidders = tuple(
            Bidder(line.name, line.capacity, line.zone, frozenset(_open(line, name, lines) for name in sizes))
            for line in lines
        )
        key = (bidders, replicas, tuple((name, tuple(sizes[name])) for name in sorted(sizes)))
        if self.assignment is None or key != self._computed:
            self._computed = key
            self.assignment = assign(bidders, sizes, replicas, self._draws)
        return self.assignment

    def _view(self, platform: str, assignment: Assignment, behind: Mapping[int, int]) -> View:
        targets = assignment.targets[platform]
        present = self.roster.present
        aimed = missing = published = 0
        for line in present.values():
            published |= line.recording.get(platform, 0)
        for name, target in targets.items():
            if name != self.myself.name:
                said = present.get(name)
                held = 0 if said is None else said.recording.get(platform, 0) & ~behind[said.rooms]
                aimed |= target
                missing |= target & ~held
        return View(targets.get(self.myself.name, 0), aimed & ~missing, published, self._began)


def _open(line: Line, platform: str, lines: Sequence[Line]) -> str:
    """The platform if that member can get slots of it, else "". An unwell member gets slots only while no
    member is well; a draining one gets none."""
    if line.draining:
        return ""
    if platform not in line.unwell:
        return platform
    well = any(not each.draining and platform not in each.unwell for each in lines)
    return "" if well else platform
