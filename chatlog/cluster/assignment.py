"""Which members shall record which slots: weighted rendezvous hashing.

Every member draws a number for every slot, and the smallest draws win: ``-ln(u) / capacity``, which gives
each member a share in proportion to its capacity (Thaler and Ravishankar, "Using name-based mappings to
increase hit rates", 1998; Schindelhauer and Schomaker, "Weighted distributed hash tables", 2005). A member
that comes takes its share from all others, a member that goes leaves its share to all others, and nothing
else moves.

The assignment is a pure function of its arguments: members that see the same lines compute the same.
"""

from __future__ import annotations

import math
import struct
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from chatlog.cluster.slots import SLOTS, slot_set

#: The number of absent members, per platform, whose draws are kept in case they come back. Each takes 32 KB.
SPARE = 32
#: Draws in one digest, of eight bytes each.
_DRAWS = 8
_WORD = 8


@dataclass(frozen=True, slots=True)
class Bidder:
    """A member that can get slots. ``capacity``: the most rooms, above 0. ``platforms``: those whose slots
    the member takes."""

    name: str
    capacity: int
    zone: str = ""
    platforms: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Assignment:
    """``targets``: the slots of each member, by platform and name. ``unassigned`` and ``short``: the slots
    without a member, and those with fewer members than wanted, by platform. ``loads``: the rooms of each
    member."""

    targets: Mapping[str, Mapping[str, int]]
    unassigned: Mapping[str, int]
    short: Mapping[str, int]
    loads: Mapping[str, int]


class Draws:
    """The bids of each member for each slot: its draws, divided by its capacity. They are computed once, and
    kept for the members of the latest assignment and for some of those before."""

    def __init__(self) -> None:
        # The draws that were asked for last are at the end.
        self._known: dict[tuple[str, str], tuple[int, array[float]]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def of(self, platform: str, name: str, capacity: int) -> Sequence[float]:
        """A member's bids for the slots of a platform."""
        before, found = self._known.pop((platform, name), (0, array("d")))
        if before != capacity:
            found = array("d", _bids(platform, name, capacity))
        self._known[platform, name] = capacity, found
        return found

    def keep(self, latest: int) -> None:
        """Keep the ``latest`` draws that were asked for."""
        for key in list(self._known)[: -latest or None]:
            del self._known[key]


def _bids(platform: str, name: str, capacity: int) -> Iterable[float]:
    log, words = math.log, struct.Struct(f">{_DRAWS}Q").unpack
    for block in range(SLOTS // _DRAWS):
        digest = blake2b(f"{platform}/{name}/{block}".encode(), digest_size=_DRAWS * _WORD).digest()
        for word in words(digest):
            # Above 0 and not above 1, so that the logarithm exists.
            yield -log((word + 1) / 2**64) / capacity


def assign(
    bidders: Iterable[Bidder], sizes: Mapping[str, Sequence[int]], replicas: int, draws: Draws
) -> Assignment:
    """Give every slot of every platform in ``sizes`` to ``replicas`` members, in different zones if there are
    several, and no member more rooms than its capacity. ``sizes`` are the rooms in each slot.

    A slot whose winner is full goes to the next in the slot's own order.
    """
    members = sorted(bidders, key=lambda each: each.name)
    free = {each.name: each.capacity for each in members}
    targets: dict[str, dict[str, int]] = {}
    unassigned: dict[str, int] = {}
    short: dict[str, int] = {}
    for platform in sorted(sizes):
        here = [each for each in members if platform in each.platforms]
        rooms = sizes[platform]
        bids = [draws.of(platform, each.name, each.capacity)[: len(rooms)] for each in here]
        given = _at_once(here, bids, rooms, replicas, free)
        if given is None:
            given = _one_by_one(here, bids, rooms, replicas, free)
            counts = Counter(slot for slots in given for slot in slots)
            unassigned[platform] = slot_set(slot for slot in range(len(rooms)) if not counts[slot])
            short[platform] = slot_set(slot for slot, count in counts.items() if count < replicas)
        else:
            unassigned[platform] = short[platform] = 0
        for each, slots in zip(here, given, strict=True):
            free[each.name] -= sum([rooms[slot] for slot in slots])
        targets[platform] = {each.name: slot_set(slots) for each, slots in zip(here, given, strict=True)}
    draws.keep(sum(map(len, targets.values())) + SPARE * len(sizes))
    loads = {each.name: each.capacity - free[each.name] for each in members}
    return Assignment(targets, unassigned, short, loads)


def _at_once(
    members: Sequence[Bidder],
    bids: Sequence[Sequence[float]],
    sizes: Sequence[int],
    replicas: int,
    free: Mapping[str, int],
) -> list[list[int]] | None:
    """The slots of each member if no member is full; None if one would be full, or members are too few. This
    runs between two messages, so it does as little as possible for each slot."""
    zones = sorted({each.zone for each in members})
    if replicas == 1 or len(zones) == 1:
        # The members with the best bids get the slot; zones do not matter.
        groups = [[at] for at in range(len(members))]
    else:
        groups = [[at for at, each in enumerate(members) if each.zone == zone] for zone in zones]
    if len(groups) < replicas or not groups:
        return None
    tops, owners = zip(*(_best(group, bids) for group in groups), strict=True)
    given: list[list[int]] = [[] for _ in members]
    for slot, column in enumerate(zip(*tops, strict=True)):
        lowest = (min(column),) if replicas == 1 else sorted(column)[:replicas]
        if len({*lowest}) < replicas:
            # Two members drew the same number: ``_one_by_one`` decides by their names.
            return None
        for low in lowest:
            given[owners[column.index(low)][slot]].append(slot)
    for each, slots in zip(members, given, strict=True):
        if sum([sizes[slot] for slot in slots]) > free[each.name]:
            return None
    return given


def _best(group: Sequence[int], bids: Sequence[Sequence[float]]) -> tuple[Sequence[float], Sequence[int]]:
    """The lowest bid for each slot among some members, and the member that made it."""
    if len(group) == 1:
        return bids[group[0]], [group[0]] * len(bids[group[0]])
    columns = list(zip(*(bids[at] for at in group), strict=True))
    lowest = list(map(min, columns))
    return lowest, [group[column.index(low)] for column, low in zip(columns, lowest, strict=True)]


def _one_by_one(
    members: Sequence[Bidder],
    bids: Sequence[Sequence[float]],
    sizes: Sequence[int],
    replicas: int,
    free: Mapping[str, int],
) -> list[list[int]]:
    """The slots of each member, where some may be full."""
    left = dict(free)
    given: dict[str, list[int]] = {each.name: [] for each in members}
    names, zones = [each.name for each in members], [each.zone for each in members]
    columns = zip(*bids, strict=True) if bids else iter([()] * len(sizes))
    for slot, (size, column) in enumerate(zip(sizes, columns, strict=True)):
        for name in _chosen(sorted(zip(column, names, zones, strict=True)), size, replicas, left):
            given[name].append(slot)
            left[name] -= size
    return list(given.values())


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
