"""Rooms that come and go under load, by SIGHUP and over the API: does any other room miss a message?

python -m bench.changes --rooms 300 --change 100 --rate 500
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from typing import Any
from urllib.request import Request, urlopen

from tests.processes import Failed, Stage, wait_for

TOKEN = "bench-token"


def call(base: str, method: str, path: str, body: Any = None) -> Any:
    """One request of the API."""
    data = None if body is None else json.dumps(body).encode()
    request = Request(base + path, data, {"Authorization": f"Bearer {TOKEN}"}, method=method)
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


def main() -> int:
    """Change rooms, judge, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.changes", description=__doc__.split("\n")[0])
    parser.add_argument("--rooms", type=int, default=300)
    parser.add_argument("--change", type=int, default=100)
    parser.add_argument("--rate", type=float, default=500)
    options = parser.parse_args()
    n, change = options.rooms, options.change
    stage = Stage()
    try:
        simulator = stage.simulator(
            rate=options.rate, kick_share=0, channels=n + 2 * change, spread="even", duration=400
        )

        def configure(first: int, last: int) -> None:
            rooms = [f"room{k}" for k in range(first, last + 1)]
            stage.config(
                {
                    "twitch": {"channels": rooms, "joins_per_10s": 2000},
                    "http": {"listen": "127.0.0.1:0", "token": TOKEN},
                }
            )

        configure(1, n)
        daemon = stage.daemon()
        base = daemon.says(r"http://127\.0\.0\.1:\d+").rstrip("/")
        daemon.says(rf"twitch +recording {n} of {n} rooms", 120)
        time.sleep(5)
        # By SIGHUP: the first rooms go, as many new ones come.
        began = time.monotonic()
        configure(change + 1, n + change)
        daemon.send(signal.SIGHUP)
        recorded(base, n)
        print(f"SIGHUP: {change} rooms added and {change} removed in {time.monotonic() - began:.1f} s")
        time.sleep(5)
        # Over the API: the next ones go, as many new ones come.
        began = time.monotonic()
        for k in range(change + 1, 2 * change + 1):
            call(base, "DELETE", f"/api/v1/rooms/twitch/room{k}")
        for k in range(n + change + 1, n + 2 * change + 1):
            call(base, "POST", "/api/v1/rooms", {"platform": "twitch", "name": f"room{k}"})
        recorded(base, n)
        print(f"API:    {change} rooms added and {change} removed in {time.monotonic() - began:.1f} s")
        time.sleep(5)
        daemon.end()
        simulator.end()
        found = stage.judge(None, "--settle", "2")
        stay = {f"room{k}" for k in range(2 * change + 1, n + 1)}
        lost = sum(hole["count"] for hole in found["missing"] if hole["channel"] in stay)
        print(f"sent {found['sent']}; rooms that stayed {len(stay)}, their lost messages {lost}")
        print(f"doubled {found['doubled']}, altered {found['altered']}, out of order {found['out_of_order']}")
        return 1 if lost or found["doubled"] else 0
    except Failed as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        stage.close()


def recorded(base: str, count: int) -> None:
    """Wait until all wanted rooms are recorded again."""

    def look() -> bool:
        platform = call(base, "GET", "/api/v1/platforms")[0]
        return bool(platform["rooms"] == platform["recorded"] == count)

    wait_for(f"{count} recorded rooms", look, 120, 0.3)


if __name__ == "__main__":
    sys.exit(main())
