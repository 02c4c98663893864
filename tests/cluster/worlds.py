"""Clusters in virtual time: members, an engine and a network that fail at random. A seed replays exactly."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from chatlog.cluster.assignment import Draws
from chatlog.cluster.member import BEAT, LEASE, QUICK, READ_EVERY, Member, Myself
from chatlog.cluster.roster import Reading
from chatlog.cluster.slot_life import SlotLife
from chatlog.cluster.slots import each

#: Fewer slots than a platform has, for speed.
SLOTS = 32
#: The longest that a room takes from being asked for to its acknowledgement.
JOINED = 1.0
#: The longest hole that the death of one member may cost: its lease, the next reading, the rooms'
#: acknowledgement.
BOUND = LEASE + READ_EVERY + QUICK + JOINED
DRAWS = Draws()


@dataclass
class Engine:
    """What an engine keeps: each member's line and when it is forgotten."""

    epoch: int = 1
    paused: bool = False
    lines: dict[str, tuple[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Hole:
    """A slot that nobody recorded. ``why``: what ended the last recording."""

    slot: int
    start: float
    end: float
    why: str


class Node:
    """One process. ``heard``: the slots that it really records."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.alive = True
        self.cut = False
        self.paused_until = 0.0
        self.heard = 0
        self.member = Member(
            Myself(name, 10_000, replicas=world.replicas), ["twitch"], DRAWS, world.now, world.life
        )
        world.after(0.0, self.put)
        world.after(0.1, self.poll)
        world.after(0.5, self.tick)

    @property
    def life(self) -> SlotLife:
        """The slots."""
        return self.member.lives["twitch"]

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call later, unless it is dead then; after the pause if it is paused."""

        def due() -> None:
            if not self.alive:
                return
            if self.world.now < self.paused_until:
                self.world.after(self.paused_until - self.world.now, due)
            else:
                call()

        self.world.after(seconds, due)

    def ask(
        self, call: Callable[[], object], answered: Callable[[object], None], again: Callable[[], None]
    ) -> None:
        """Ask the engine: the request arrives after a while, so does the answer, or neither does."""
        random = self.world.random
        done: list[bool] = []

        def arrives() -> None:
            if self.cut or self.world.engine.paused or not self.alive:
                return
            result = call()
            self.later(random.uniform(0.001, 0.05) + (random.random() < 0.02) * 1.5, lambda: finish(result))

        def finish(result: object) -> None:
            if not done and not self.cut:
                done.append(True)
                answered(result)
                again()

        def give_up() -> None:
            if not done:
                done.append(True)
                again()

        self.world.after(random.uniform(0.001, 0.05), arrives)
        self.later(QUICK, give_up)

    def put(self) -> None:
        """Write the line, and again after a beat."""
        line = self.member.line(self.world.now)
        text, world = line.encoded(), self.world

        def store() -> None:
            world.engine.lines[self.name] = text, world.now + LEASE

        self.ask(
            store,
            lambda _: self.member.line_confirmed(line, world.now),
            lambda: self.later(0.2 if line.recording["twitch"] != self.life.published else BEAT, self.put),
        )

    def poll(self) -> None:
        """Read all lines, and again after a second."""
        self.member.reading_begins(self.world.now)
        self.ask(self.world.read, self.saw, lambda: self.later(READ_EVERY, self.poll))

    def saw(self, reading: object) -> None:
        """Do what the lines say."""
        assert isinstance(reading, Reading)
        orders = self.member.see(reading, self.world.now, {"twitch": [1] * SLOTS}, lambda version: 0)
        for order in orders.values():
            self.world.moves += (order.first | order.then).bit_count()
            self.set(self.heard & ~order.stop, "left")
            for slots in (order.first, order.then):
                for slot in each(slots):
                    self.later(self.world.random.uniform(0.05, JOINED), partial(self.acknowledged, slot))
        if self.member.draining and self.member.left:
            self.end("left")
            self.world.engine.lines.pop(self.name, None)

    def acknowledged(self, slot: int) -> None:
        """The rooms of a slot are recorded, if they are still wanted."""
        if self.life.recorded >> slot & 1:
            self.set(self.heard | 1 << slot, "")
            self.life.ready(1 << slot)

    def tick(self) -> None:
        """Time passes."""
        self.member.tick(self.world.now)
        self.later(0.5, self.tick)

    def set(self, heard: int, why: str) -> None:
        """From now on it records these."""
        if heard != self.heard:
            self.heard = heard
            self.world.covers(why)

    def end(self, why: str) -> None:
        """The process ends."""
        self.alive = False
        self.set(0, why)


class World:
    """Some members. ``forgets``: the members notice that the engine has forgotten."""

    def __init__(
        self, seed: int, replicas: int = 1, life: type[SlotLife] = SlotLife, forgets: bool = True
    ) -> None:
        self.random = random.Random(seed)
        self.replicas = replicas
        self.life = life
        self.now = 0.0
        self.engine = Engine()
        self.holes: list[Hole] = []
        #: How often a member was told to record a slot.
        self.moves = 0
        #: Faults by the time at which they began.
        self.faults: list[tuple[float, str]] = []
        self.nodes: list[Node] = []
        self._forgets = forgets
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._open: dict[int, tuple[float, str]] = dict.fromkeys(range(SLOTS), (0.0, "start"))
        self._names = 0
        for _ in range(self.random.randint(2, 5)):
            self.join()
        self.run(30.0)

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Call later."""
        self._count += 1
        heapq.heappush(self._queue, (self.now + seconds, self._count, call))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end:
            self.now, _, call = heapq.heappop(self._queue)
            call()
        self.now = end

    def read(self) -> Reading:
        """What the engine shows now."""
        lines = {name: text for name, (text, until) in self.engine.lines.items() if until > self.now}
        return Reading(lines, str(self.engine.epoch) if self._forgets else "")

    @property
    def alive(self) -> list[Node]:
        """The members that live."""
        return [node for node in self.nodes if node.alive]

    def covers(self, why: str) -> None:
        """Somebody begins or ends to record."""
        heard = 0
        for node in self.nodes:
            heard |= node.heard
        for slot in range(SLOTS):
            if heard >> slot & 1:
                if slot in self._open:
                    start, cause = self._open.pop(slot)
                    self.holes.append(Hole(slot, start, self.now, cause))
            elif slot not in self._open:
                self._open[slot] = self.now, why

    def join(self) -> None:
        """A new member."""
        self._names += 1
        self.nodes.append(Node(self, f"m{self._names}"))

    def fault(self) -> None:
        """Something goes wrong, or is done on purpose."""
        kinds = ["kill", "pause", "cut", "engine", "empty", "join", "drain"]
        few = len(self.alive) <= 2
        kind = self.random.choice([kind for kind in kinds if not few or kind not in ("kill", "drain")])
        self.faults.append((self.now, kind))
        node, length = self.random.choice(self.alive), self.random.uniform(0.5, 40.0)
        if kind == "kill":
            node.end("killed")
            self.after(self.random.uniform(0, 60), self.join)
        elif kind == "pause":
            node.paused_until = self.now + length
        elif kind == "cut":
            node.cut = True
            self.after(length, lambda: setattr(node, "cut", False))
        elif kind == "engine":
            self.engine.paused = True
            self.after(length, lambda: setattr(self.engine, "paused", False))
        elif kind == "empty":
            self.empty()
        elif kind == "join" and len(self.alive) < 7:
            self.join()
        elif kind == "drain":
            node.member.draining = True

    def empty(self) -> None:
        """The engine forgets everything."""
        self.engine.lines.clear()
        self.engine.epoch += 1

    def empties(self, times: int) -> list[str]:
        """The engine forgets so often, sooner or later after it did before. Returns what was bad about it:
        the members say everything again, so nothing may move."""
        bad = []
        for _ in range(times):
            before = self.moves
            self.empty()
            self.run(self.random.choice((0.5, 3.0, 30.0)) * self.random.random() * 2)
            if self.moves != before:
                bad.append(f"{self.moves - before} slots moved after the engine forgot")
        before = self.moves
        self.run(60.0)
        return bad + [f"{self.moves - before} slots moved later"] * (self.moves != before)

    def live(self, faults: int) -> list[str]:
        """So many faults, then calm. Returns what was bad about it."""
        begun = self.now
        for _ in range(faults):
            self.run(self.random.choice((0.3, 3.0, 30.0, 60.0)) * self.random.random() * 2)
            self.fault()
        self.run(120.0)
        bad = []
        for hole in self.holes:
            if hole.start > begun and hole.why != "killed" and not self._died(hole):
                bad.append(f"{hole.why}: {hole}")
            if hole.start > begun and hole.end - hole.start > BOUND and self._calm(hole):
                bad.append(f"too long: {hole}")
        for slot in range(SLOTS):
            count = sum(node.heard >> slot & 1 for node in self.nodes)
            if count != min(self.replicas, len(self.alive)):
                bad.append(f"slot {slot} has {count} recorders at the end")
        return bad + self.empties(3)

    def _died(self, hole: Hole) -> bool:
        """Whether a member died within its lease before: it may still have been believed."""
        return any(kind == "kill" and 0 <= hole.start - at <= LEASE + QUICK for at, kind in self.faults)

    def _calm(self, hole: Hole) -> bool:
        """Whether nothing else happened shortly before and during the hole."""
        others = [at for at, kind in self.faults if hole.start - 60.0 < at < hole.end and at != hole.start]
        return not others
