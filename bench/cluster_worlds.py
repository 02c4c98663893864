"""``python -m bench.cluster_worlds``: clusters in virtual time, over many seeds; and with ``--walk`` every
order of events of two members, also with rooms that are added and an engine that is silent.

Members are killed, paused, cut off, added and drained; the engine is paused and emptied. A seed replays
exactly. ``--mutants`` leaves out one rule after the other and says how many worlds notice."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from chatlog.cluster.slot_life import SlotLife
from tests.cluster.mutants import BreakBeforeMake
from tests.cluster.walk import Walk
from tests.cluster.worlds import World


def worlds(first: int, count: int, faults: int) -> int:
    """Try so many, and print what was bad. Returns how many were."""
    bad = holes = 0
    longest = hours = 0.0
    for seed in range(first, first + count):
        world = World(seed, replicas=1 + seed % 2)
        found = world.live(faults)
        deaths = [hole.end - hole.start for hole in world.holes if hole.why == "killed"]
        holes, longest, hours = holes + len(deaths), max([longest, *deaths]), hours + world.now / 3600
        bad += bool(found)
        for reason in found[:3]:
            print(f"seed {seed}: {reason}")
    print(f"{count} worlds, {hours:.1f} virtual hours, {count * faults} faults: {bad} bad")
    print(f"holes by a death: {holes}; the longest, with other faults meanwhile, {longest:.1f} s")
    return bad


def mutants(first: int, count: int, faults: int) -> int:
    """Try members that leave out a rule each. Returns how many of these no world notices."""
    unnoticed = 0
    rules: dict[str, dict[str, Any]] = {
        "leaves without looking whether others record": {"life": BreakBeforeMake},
        "does not notice that the engine forgot": {"forgets": False},
    }
    for words, rule in rules.items():
        seeds = range(first, first + count)
        bad = sum(bool(World(seed, replicas=1 + seed % 2, **rule).live(faults)) for seed in seeds)
        print(f"{words}: noticed in {bad} of {count} worlds")
        unnoticed += not bad
    return unnoticed


def walks() -> int:
    """Walk through all orders. Returns how many have a hole."""
    bad = 0
    for both in (True, False):
        found = Walk(SlotLife, both, frozenset({"grows", "is frozen"}), 1)
        start = "both" if both else "one"
        print(f"{start} at the beginning: {len(found.ways)} states, hole: {found.hole or None}")
        bad += bool(found.hole)
    return bad


def main(argv: list[str]) -> int:
    """Try and print; 1 if something was bad."""
    parser = argparse.ArgumentParser(prog="python -m bench.cluster_worlds", description=__doc__)
    parser.add_argument("--worlds", type=int, default=100, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="the first")
    parser.add_argument("--faults", type=int, default=8, help="of each world")
    parser.add_argument("--walk", action="store_true", help="walk instead")
    parser.add_argument("--mutants", action="store_true", help="leave out rules instead")
    options = parser.parse_args(argv)
    if options.mutants:
        return bool(mutants(options.seed, options.worlds, options.faults))
    return bool(walks() if options.walk else worlds(options.seed, options.worlds, options.faults))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
