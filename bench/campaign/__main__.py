"""The fault campaign: a recorder in real processes, under load, with everything that can go wrong.

    python -m bench.campaign --kills 200 --seed 1

Chat comes from the simulator (Twitch over TLS, Kick), objects go to an S3 server through a relay that can
fail. Faults are played in an order made from the seed. In the end everything that was sent is compared
with everything that is in the bucket, and the holes that were made with the gap records. The exit status
is 0 only if nothing is lost outside the promises, nothing is doubled, every hole is written down, and
everything that a campaign has to meet was met.

    python -m bench.campaign --instances 3 --minutes 5 --engine etcd --replicas 2

Several recorders share the rooms, with faults of their engine, of their ways to it and to the platforms, and
with rooms that come and go. The union of what they recorded is judged.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable

from bench.campaign import together
from bench.campaign.faults import KILLS, TURNS, TWICE, kills
from bench.campaign.field import Field
from bench.campaign.fleet import ENGINES
from bench.campaign.fleet_faults import TURNS as TOGETHER
from bench.campaign.report import judge, report, verified
from tests.processes import Failed, Stage, on_stage, wait_for


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.campaign",
        description="Plays every class of faults against a recorder in real processes and judges the result.",
    )
    add = parser.add_argument
    add("--kills", type=int, default=200, help="at least so many kill -9 (200)")
    add("--minutes", type=float, default=0, help="go on for at least so long")
    add("--seed", type=int, default=1, help="of the order and moments of the faults, and of the chat (1)")
    add("--rate", type=float, default=300, help="messages a second over all rooms (300)")
    add("--only", action="append", help="only this class of faults; may be given again")
    add("--bundle", default="", metavar="T", help="uploader.bundle, such as 2s: objects go in bundles")
    add("--instances", type=int, default=1, help="recorders that share the rooms (1: no cluster)")
    add("--replicas", type=int, default=1, help="how many of them record each room (1)")
    add("--engine", choices=sorted(ENGINES), default="redis", help="where they meet (redis)")
    add("--keep", default="", metavar="DIR", help="a directory to work in, and to keep")
    options = parser.parse_args()
    known = ["kill", *TURNS] if options.instances == 1 else list(TOGETHER)
    if not set(options.only or []) <= set(known):
        parser.error(f"--only knows {', '.join(known)}")
    if options.instances > 1 and ENGINES[options.engine].missing():
        parser.error(ENGINES[options.engine].missing())
    return options


def order(options: argparse.Namespace) -> list[str]:
    """The turns of a round, that of the clock first."""
    chosen = options.only or ["kill", *TURNS]
    turns = [name for name in chosen if name != "kill"]
    if not options.only:
        turns += TWICE
    if "kill" in chosen:
        turns += ["kill"] * -(-options.kills // KILLS)
    random.Random(options.seed).shuffle(turns)
    return sorted(turns, key=lambda name: name != "clock")


def fight(options: argparse.Namespace, field: Field) -> None:
    """Play everything, then let the recorder come to rest."""
    turns: dict[str, Callable[[Field], None]] = {"kill": kills, **TURNS}
    end = time.monotonic() + options.minutes * 60
    field.start()
    field.recording()
    while True:
        names = [name for name in order(options) if name != "clock" or not field.earlier]
        for number, name in enumerate(names, 1):
            field.say(f"{number} of {len(names)}: {name}")
            try:
                field.running()
                turns[name](field)
            except Failed as error:
                field.problem(f"in {name}: {error}")
                field.relay.go("pass")
                if field.daemon is not None and not field.daemon.alive:
                    field.daemon = None
            if name == "clock":
                judge_clock(field)
            elif number % 8 == 0:
                judge(field, running=True)
        if time.monotonic() >= end:
            break
    rest(field)


def judge_clock(field: Field) -> None:
    """Judge what was recorded while the clock was set, and begin anew: records with wrong times on them
    would make the order of files, and of events that look the same, a riddle for the rest."""
    rest(field)
    found = judge(field, running=False)
    wrong = [name for name in ("lost", "doubled", "altered", "invalid", "unknown", "hidden") if found[name]]
    if wrong or found["duplicate_names"] or verified(field):
        field.problem(f"while the clock was set: {wrong} {found['examples']} {found['missing']}")
    field.renew(found)
    field.start()
    field.recording()


def rest(field: Field) -> None:
    """End the chat, then the recorder, and let another start bring the rest to the store."""
    field.running()
    field.recording(timed=False)
    # Far enough from the latest hole to be told from it.
    time.sleep(4)
    field.simulator.end()
    time.sleep(3)
    field.stop(signal.SIGTERM)
    field.start()
    wait_for("an empty spool", lambda: not field.stage.local_files(), 120)
    time.sleep(2)
    field.stop(signal.SIGTERM)


def main() -> int:
    """Fight and report; the exit status."""
    options = arguments()
    if options.keep:
        shutil.rmtree(options.keep, ignore_errors=True)
    if options.instances > 1:
        return on_stage(lambda stage: together.play(stage, options), options.keep)
    began = time.monotonic()

    def play(stage: Stage) -> int:
        longest = options.minutes * 60 + options.kills * 15 + 3600
        field = Field(stage, options.seed, options.rate, longest, options.bundle)
        try:
            fight(options, field)
            return report(field, bool(options.only), time.monotonic() - began)
        finally:
            field.close()

    return on_stage(play, options.keep)


if __name__ == "__main__":
    sys.exit(main())
