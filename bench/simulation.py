"""``python -m bench.simulation``: the whole daemon in virtual time, for weeks, over many seeds.

Sources, recorder, uploader and both platforms run on one virtual clock; processes are killed, machines
crash, networks stall, disks fill, stores forget. What is in the store at the end is compared with what
was said. A seed replays exactly.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from twisted.logger import ILogObserver, formatEvent, globalLogBeginner
from zope.interface import implementer

from chatlog.record import rfc3339
from chatlog.simulator.judgement import Range
from tests.fakes import Crashed
from tests.simulation.faults import Faults
from tests.simulation.world import Outcome, Plan, World

WEEK = 7 * 24 * 3600.0


@implementer(ILogObserver)
class Surprises:
    """Exceptions that were logged, each kind once."""

    def __init__(self) -> None:
        self.found: Counter[str] = Counter()

    def __call__(self, event: Any) -> None:
        failure = event.get("log_failure")
        if failure is not None and failure.check(Crashed) is None:
            frames = failure.getTraceback().strip().splitlines()
            self.found[f"{formatEvent(event)}: {' '.join(frames[-3:])[:300]}"] += 1


def plan(number: int) -> Plan:
    """What is recorded under the seed of this number."""
    compression = ("none", "gzip", "zstd")[number % 3]
    rotate = (3600.0, 600.0)[number // 2 % 2]
    return Plan(lanes=1 + number % 2, compression=compression, rotate_interval=rotate)


def simulate(number: int, seconds: float, mean: float, rest: float) -> tuple[World, Outcome]:
    """One seed, from its beginning to its end."""
    with tempfile.TemporaryDirectory() as directory:
        world = World(str(Path(directory, "oracle")), str(number), plan(number))
        world.run(60.0)
        faults = Faults(world, mean)
        world.run(seconds)
        faults.stop()
        return world, world.end(rest)


def hole(missing: Range) -> str:
    """A hole for people."""
    room = f"{missing.platform} {missing.channel}"
    times = f"{rfc3339(missing.start)} to {rfc3339(missing.end)}"
    return f"{missing.count} {missing.why} in {room}, {times}, {missing.hidden} hidden"


def main(argv: list[str]) -> int:
    """Simulate and print; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m bench.simulation", description=__doc__)
    parser.add_argument("--weeks", type=float, default=0.05, help="virtual weeks of each seed")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=4, help="how many")
    parser.add_argument("--mean", type=float, default=90.0, help="virtual seconds between two faults")
    parser.add_argument("--rest", type=float, default=7200.0, help="virtual seconds of calm at the end")
    options = parser.parse_args(argv)
    surprises = Surprises()
    globalLogBeginner.beginLoggingTo([surprises], discardBuffer=True, redirectStandardIO=False)
    happened: Counter[str] = Counter()
    total: Counter[str] = Counter()
    bad = 0
    began = time.process_time()
    for number in range(options.seed, options.seed + options.seeds):
        world, outcome = simulate(number, options.weeks * WEEK, options.mean, options.rest)
        found = outcome.judgement
        happened += world.happened
        total += Counter(
            seconds=round(world.timeline.now),
            starts=world.starts,
            sent=found.sent,
            recorded=found.recorded,
            within=outcome.within,
            dropped=outcome.dropped,
            undelivered=found.undelivered,
            outside=sum(missing.count for missing in outcome.outside),
            hidden=sum(missing.hidden for missing in outcome.hidden),
            late_copies=outcome.late_copies,
            doubled=found.doubled - outcome.late_copies,
            altered=found.altered + found.invalid + found.unknown,
            holes=len(found.missing),
            gaps=sum(found.gaps.values()),
            objects=len(world.store.objects),
            left=len(outcome.left),
        )
        bad += not outcome.good
        print(f"seed {number}: {'good' if outcome.good else 'BROKEN'}, {outcome.digest[:16]}", flush=True)
        for missing in [*outcome.outside, *outcome.hidden][:10]:
            print(f"  {hole(missing)}")
        if not outcome.good:
            print(*(f"  {example}" for example in found.examples if "out of order" not in example), sep="\n")
    days = total["seconds"] / 86400
    print(f"\n{days:.1f} virtual days, {options.seeds} seeds, {time.process_time() - began:.0f} s of CPU")
    print(f"{total['starts']} starts; faults: {sum(happened.values())}")
    print(*(f"  {name}: {count}" for name, count in sorted(happened.items())), sep="\n")
    print(f"events sent {total['sent']}, recorded {total['recorded']}, objects {total['objects']}")
    print(f"never delivered {total['undelivered']}; lost within the bounds {total['within']},")
    print(f"for want of room {total['dropped']}, outside the bounds {total['outside']};")
    print(f"copies without an id that came too late to be known {total['late_copies']};")
    print(f"doubled {total['doubled']}, altered, invalid or never sent {total['altered']};")
    print(f"holes {total['holes']}, gap records {total['gaps']}, events in no gap record {total['hidden']};")
    print(f"files left behind {total['left']}")
    for text, count in surprises.found.most_common(20):
        print(f"unexpected, {count} times: {text}")
    return 1 if bad else 0


if __name__ == "__main__":
    if "PYTHONHASHSEED" not in os.environ:
        # Sets of strings are walked in another order in every process otherwise.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "bench.simulation", *sys.argv[1:]])
    sys.exit(main(sys.argv[1:]))
