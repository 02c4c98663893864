"""Every order in which what two members and their engine do can happen, for one slot.

A step is a single event: a member's idea of who shall record the slot changes, a line is sent or confirmed, a
reading begins, gets the lines or ends, rooms are acknowledged, rooms are added, the engine is silent for
long.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

from chatlog.cluster.slot_life import SlotLife, View

#: The slot.
ONE = 1


@dataclass
class Side:
    """One member, with its messages under way. ``mine``: it believes that the slot is its own. ``changes``:
    how often it may still change its mind. ``sent``: the line under way. ``look``: None, "begun", or what
    the look has read."""

    life: SlotLife
    mine: bool
    changes: int
    line: int = 0
    sent: int | None = None
    look: str | int | None = None

    def key(self) -> Hashable:
        """What distinguishes it from another."""
        return self.life.state(), self.mine, self.changes, self.line, self.sent, self.look

    @property
    def hears(self) -> bool:
        """Whether it records the slot."""
        return bool(self.life.held | self.life.withdrawn | self.life.leaving)


Sides = tuple[Side, Side]
Step = Callable[[Side, Side], None]


def steps_of(side: Side, events: frozenset[str]) -> Iterator[tuple[str, Step]]:
    """What can happen next at one side."""
    if side.changes:
        yield "thinks otherwise", _thinks
    if side.sent is None:
        yield "sends", _sends
    else:
        yield "is confirmed", _confirmed
    if side.look is None:
        yield "begins to look", _begins
    elif side.look == "begun":
        yield "reads", _reads
    else:
        yield "sees", _sees
    if side.life.starting or side.life.held & ~side.life.published:
        yield "is ready", _ready
    if "grows" in events and side.life.published:
        yield "grows", _grows
    if "is frozen" in events and side.life.withdrawn | side.life.leaving:
        yield "is frozen", _freezes


def _thinks(side: Side, other: Side) -> None:
    side.mine = not side.mine
    side.changes -= 1


def _sends(side: Side, other: Side) -> None:
    side.sent = side.life.published


def _confirmed(side: Side, other: Side) -> None:
    assert side.sent is not None
    side.line, side.sent = side.sent, None
    side.life.confirmed(side.line)


def _begins(side: Side, other: Side) -> None:
    side.life.reading_begins()
    side.look = "begun"


def _reads(side: Side, other: Side) -> None:
    side.look = other.line


def _sees(side: Side, other: Side) -> None:
    assert isinstance(side.look, int)
    wanted, served = (ONE, 0) if side.mine else (0, side.look)
    side.life.see(View(wanted, served, side.look, 0.0))
    side.look = None


def _ready(side: Side, other: Side) -> None:
    side.life.ready(ONE)


def _grows(side: Side, other: Side) -> None:
    side.life.grows(ONE)


def _freezes(side: Side, other: Side) -> None:
    side.life.freeze()


def _copied(side: Side) -> Side:
    found = copy.copy(side)
    found.life = copy.copy(side.life)
    return found


class Walk:
    """All states that can be reached. ``both`` record the slot at the beginning, or one of them. ``hole``:
    the steps to a state in which nobody does, none if there is no such state; the walk ends there.
    ``events`` are taken in beside those that always happen: "grows", "is frozen"."""

    def __init__(
        self, life: Callable[[float], SlotLife], both: bool, events: frozenset[str], changes: int
    ) -> None:
        self.hole: tuple[str, ...] = ()
        first = (Side(life(0.0), True, changes), Side(life(0.0), not both, changes))
        for side in first[: 1 + both]:
            side.life.resume(ONE)
            side.life.ready(ONE)
            side.line = ONE
        #: How each state was reached: from which one, and by which step.
        self.ways: dict[Hashable, tuple[Hashable, str]] = {_key(first): (None, "")}
        pending = [first]
        while pending and not self.hole:
            pending = [found for sides in pending for found in self._after(sides, events)]

    def _after(self, sides: Sides, events: frozenset[str]) -> Iterator[Sides]:
        key = _key(sides)
        for number in (0, 1):
            for name, step in steps_of(sides[number], events):
                after = _copied(sides[0]), _copied(sides[1])
                step(after[number], after[1 - number])
                found = _key(after)
                if found in self.ways or self.hole:
                    continue
                self.ways[found] = key, f"{'AB'[number]} {name}"
                if not any(side.hears for side in after):
                    self.hole = self._way(found)
                yield after

    def _way(self, key: Hashable) -> tuple[str, ...]:
        steps: list[str] = []
        while key is not None:
            key, step = self.ways[key]
            steps.append(step)
        return tuple(reversed(steps[:-1]))


def _key(sides: Sides) -> Hashable:
    return sides[0].key(), sides[1].key()
