"""The recorder against real stores, each of them a server of its own on this machine.

    python -m bench.stores --seconds 120

For every server: chat of the simulator is recorded into it for two minutes, with a new file every 15 seconds;
then everything that was sent is compared with everything that is there, ``chatlog verify`` has to find
nothing wrong, and has to name an object that is changed afterwards. Prints a table. The exit status is 0 only
if every server that could be had passed, and at least ``--least`` of them could.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from bench.stores.install import Cache, Unavailable, cache_directory
from bench.stores.servers import SERVERS, Server
from bench.stores.trial import HEAD, Load, Outcome, Trial


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.stores", description="Tries real stores, one by one."
    )
    add = parser.add_argument
    names = [server.name for server in SERVERS]
    add("--only", action="append", choices=names, help="only this one; may be given again")
    add("--seconds", type=float, default=120.0, help="how long chat is recorded, for each (120)")
    add("--rate", type=float, default=60.0, help="messages a second over all rooms (60)")
    add("--rotate", type=int, default=15, help="seconds that a file is written to at most (15)")
    add("--least", type=int, default=0, help="so many must have been tried (0)")
    add("--installed", action="store_true", help="install nothing; skip what is not there")
    add("--build-limit", type=float, default=1500.0, help="seconds that an installation may take (1500)")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="processors for installing (%(default)s)")
    add("--cache", type=Path, default=cache_directory(), help="where the servers are kept (%(default)s)")
    add("--keep", default="", metavar="DIR", help="a directory to work in, and to keep")
    add("--table", metavar="FILE", help="write the table there, too")
    return parser


def tried(server: Server, cache: Cache, options: argparse.Namespace) -> Outcome:
    """Get one server, and put it to the trial."""
    outcome = Outcome(server.name)
    if server.unfit and not options.only:
        outcome.skipped = server.unfit
        return outcome
    try:
        program = cache.program(server) if options.installed else cache.obtain(server)
        outcome.version = cache.version(server)
    except Unavailable as error:
        outcome.skipped = str(error)
        return outcome
    keep = str(Path(options.keep) / server.name) if options.keep else ""
    load = Load(options.seconds, options.rate, options.rotate)
    Trial(server, program, load, keep).run(outcome)
    return outcome


def main(argv: list[str]) -> int:
    """Try all; the exit status."""
    # So that what was started is ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = arguments().parse_args(argv)
    cache = Cache(options.cache, options.build_limit, options.jobs)
    outcomes: list[Outcome] = []
    for server in SERVERS:
        if options.only and server.name not in options.only:
            continue
        say(f"{server.name} ...")
        outcomes.append(tried(server, cache, options))
        say(f"  {outcomes[-1].said}" if outcomes[-1].said else "  (nothing was said of the store)")
        say(f"  {outcomes[-1].row()}")
    table = "\n".join([HEAD, *(outcome.row() for outcome in outcomes)])
    print(f"\n{table}\n", flush=True)
    if options.table:
        Path(options.table).write_text(table + "\n")
    ran = [outcome for outcome in outcomes if not outcome.skipped]
    passed = sum(outcome.passed for outcome in ran)
    print(f"{passed} of {len(ran)} stores passed, {len(outcomes) - len(ran)} were not run")
    return 0 if passed == len(ran) and len(ran) >= options.least else 1


def say(text: str) -> None:
    """A line about the course of things."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
