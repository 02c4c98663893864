"""The recorder beside libraries that read Twitch chat, each to a file, on the same load.

    python -m bench.peers [--rooms 100] [--rates 1000,5000] [--runs 3] [--seconds 30] [--clients tmi,tmi.js]

The programs are in bench/peers. They are built with go, cargo and npm, and kept in
``~/.cache/chatlog-peers``; what cannot be built here is left out. The programs run in turn, each with a
simulator of its own, on loopback, over TLS, and end by themselves. CPU is that of the whole process, for each
message that it got.
"""

from __future__ import annotations

import argparse
import os
import sys

from bench.peers.building import Workshop, cache_directory, tools
from bench.peers.clients import CLIENTS, OURS, Client
from bench.peers.measuring import Load, measure
from bench.peers.results import Result, table
from bench.stores.install import Unavailable
from tests.processes import Failed, Stage

#: The most rooms of one connection at the simulator.
_MOST_ROOMS = 100


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--rooms", type=int, default=100, help="rooms, 100 at most (100)")
    add("--rates", default="1000,5000", help="messages a second over all rooms (1000,5000)")
    add("--runs", type=int, default=3, help="runs of each program at each rate (3)")
    add("--seconds", type=float, default=30, help="length of the window that is measured (30)")
    names = ",".join(client.name for client in CLIENTS)
    add("--clients", default=names, help=f"which libraries ({names}); none with an empty one")
    add("--limit", type=float, default=900, help="seconds that a build may take (900)")
    options = parser.parse_args()
    unknown = set(filter(None, options.clients.split(","))) - {client.name for client in CLIENTS}
    if unknown:
        parser.error(f"--clients: {', '.join(sorted(unknown))} is none of {names}")
    if not 1 <= options.rooms <= _MOST_ROOMS:
        parser.error(f"--rooms: 1 to {_MOST_ROOMS}, as many as Twitch allows on one connection")
    try:
        options.rates = [float(rate) for rate in options.rates.split(",")]
    except ValueError:
        parser.error("--rates: numbers with commas between them, as in 1000,5000")
    return options


def built(asked: tuple[Client, ...], workshop: Workshop) -> list[Client]:
    """Those of the clients that can be built here. A line says of every other why it is left out."""
    found: list[Client] = []
    for tool in tools(asked):
        own = [client for client in asked if client.tool == tool]
        try:
            workshop.build(tool)
        except Unavailable as error:
            print(f"left out {', '.join(client.name for client in own)}: {error}", flush=True)
        else:
            found += own
    return found


def one(load: Load, client: Client | None, workshop: Workshop) -> Result | None:
    """The result of one run, which is also printed. None if it failed."""
    stage = Stage()
    try:
        result = measure(load, stage, client, workshop)
    except Failed as error:
        print(f"{client.name if client else OURS}: {error}", flush=True)
        return None
    finally:
        stage.close()
    print(
        f"{result.name:14} {result.sent / load.seconds:6.0f} messages/s  {result.each:6.1f} us a message  "
        f"{result.cpu / load.seconds * 100:5.1f} % of a core  got {result.got} of {result.sent}",
        flush=True,
    )
    return result


def main() -> int:
    """Run all in turn, and print the table."""
    options = arguments()
    workshop = Workshop(cache_directory(), options.limit, max(1, (os.cpu_count() or 2) - 1))
    names = options.clients.split(",")
    clients = built(tuple(client for client in CLIENTS if client.name in names), workshop)
    results: list[Result] = []
    failed: list[tuple[str, float]] = []
    for _ in range(options.runs):
        for rate in options.rates:
            for client in (None, *clients):
                result = one(Load(options.rooms, rate, options.seconds), client, workshop)
                if result is None:
                    failed.append((client.name if client else OURS, rate))
                else:
                    results.append(result)
    print("\n" + "\n".join(table(results, failed)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
