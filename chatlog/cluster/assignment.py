"""Which members shall record which slots: weighted rendezvous hashing.

Every member draws a number for every slot, and the smallest draws win: ``-ln(u) / capacity``, which gives
each member a share in proportion to its capacity (Thaler and Ravishankar, "Using name-based mappings to
increase hit rates", 1998; Schindelhauer and Schomaker, "Weighted distributed hash tables", 2005). A member
that comes takes its share from all others, a member that goes leaves its share to all others, and nothing
else moves.

All of this is a pure function of its arguments, so members that see the same compute the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from chatlog.cluster.slots import SLOTS, slot_set

#: What one digest yields: eight draws of eight bytes.
_DRAWS = 8
_WORD = 8


@dataclass(frozen=True, slots=True)
class Bidder:
    """A member that slots can be given to. ``capacity``: the most rooms, above 0. ``platforms``: those whose
    slots it takes."""

    name: str
    capacity: int
    zone: str = ""
    platforms: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Assignment:
    """``targets``: the slots of each member, by platform and name. ``unassigned`` and ``short``: the slots
    that nobody shall record, and those that fewer members than wanted shall, by platform. ``loads``: the
    rooms of each member."""

    targets: Mapping[str, Mapping[str, int]]
    unassigned: Mapping[str, int]
    short: Mapping[str, int]
    loads: Mapping[str, int]


class Draws:
    """What each member draws for each slot, before it is divided by its capacity. It is computed once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], list[float]] = {}

    def of(self, platform: str, name: str) -> list[float]:
        """A member's draws for the slots of a platform."""
        found = self._known.get((platform, name))
        if found is None:
            found = self._known[platform, name] = list(_draws(platform, name))
        return found

    def forget_others(self, names: Iterable[str]) -> None:
        """Keep only the draws of these members."""
        kept = set(names)
        for key in [key for key in self._known if key[1] not in kept]:
            del self._known[key]


def _draws(platform: str, name: str) -> Iterable[float]:
    for block in range(SLOTS // _DRAWS):
        digest = blake2b(f"{platform}/{name}/{block}".encode(), digest_size=_DRAWS * _WORD).digest()
        for at in range(0, len(digest), _WORD):
            # Above 0 and not above 1, so that the logarithm exists.
            yield -math.log((int.from_bytes(digest[at : at + _WORD], "big") + 1) / 2**64)


def assign(
    bidders: Iterable[Bidder], sizes: Mapping[str, Sequence[int]], replicas: int, draws: Draws
) -> Assignment:
    """Give every slot of every platform in ``sizes`` to ``replicas`` members, in different zones if there
    are several, and nobody more rooms than its capacity. ``sizes`` are the rooms in each slot.

    A slot whose winner is full goes to the next in the slot's own order.
    """
    members = sorted(bidders, key=lambda each: each.name)
    free = {each.name: each.capacity for each in members}
    targets: dict[str, dict[str, int]] = {}
    unassigned: dict[str, int] = {}
    short: dict[str, int] = {}
    for platform in sorted(sizes):
        here = [each for each in members if platform in each.platforms]
        tables = [(draws.of(platform, each.name), each) for each in here]
        given: dict[str, list[int]] = {each.name: [] for each in here}
        none, few = [], []
        for slot, size in enumerate(sizes[platform]):
            order = sorted((table[slot] / each.capacity, each.name, each.zone) for table, each in tables)
            chosen = _chosen(order, size, replicas, free)
            for name in chosen:
                given[name].append(slot)
                free[name] -= size
            if not chosen:
                none.append(slot)
            elif len(chosen) < replicas:
                few.append(slot)
        targets[platform] = {name: slot_set(slots) for name, slots in given.items()}
        unassigned[platform], short[platform] = slot_set(none), slot_set(few)
    loads = {each.name: each.capacity - free[each.name] for each in members}
    return Assignment(targets, unassigned, short, loads)


def _chosen(
    order: Sequence[tuple[float, str, str]], size: int, replicas: int, free: Mapping[str, int]
) -> list[str]:
    """The first ``replicas`` of the order with room for so many, of different zones as far as there are
    any."""
    chosen: list[str] = []
    zones: set[str] = set()
    passed: list[str] = []
    for _, name, zone in order:
        if size > free[name]:
            continue
        if zone in zones:
            passed.append(name)
            continue
        chosen.append(name)
        zones.add(zone)
        if len(chosen) == replicas:
            return chosen
    return chosen + passed[: replicas - len(chosen)]
