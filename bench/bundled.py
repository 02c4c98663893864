"""What ``uploader.bundle`` saves: the same recording into a real S3 server, with single objects and with
bundles.

    python -m bench.bundled [--rooms 1000] [--rate 1000] [--seconds 90] [--rotate 30s] [--bundle 30s]

The server is versitygw, which ``python -m bench.stores`` installs. Everything runs on loopback, and ends by
itself. CPU is that of the recorder alone, over the window in which all rooms are recorded; the figures of the
store are those of the whole run. In the end everything that was sent is compared with what is in the bucket,
and ``chatlog verify`` looks at it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from bench.daemon import count, even_chat
from bench.stores.bucket import open_bucket
from bench.stores.install import Cache, Unavailable, cache_directory
from bench.stores.servers import BUCKET, PREFIX, SERVERS, Place
from bench.stores.trial import AHEAD, free_ports
from tests.processes import Failed, Process, Stage, wait_for

_SERVER = next(server for server in SERVERS if server.name == "versitygw")


class Figures(NamedTuple):
    """What one recording took. CPU is in microseconds a message."""

    messages: int
    cpu: float
    core: float
    memory: float
    objects: int
    bundles: int
    manifests: int
    lost: int
    doubled: int
    verified: bool


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.bundled", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--rooms", type=int, default=1000)
    add("--rate", type=float, default=1000, help="messages a second over all rooms")
    add("--seconds", type=float, default=90, help="length of the window that is measured")
    add("--rotate", default="30s", help="rotate_interval")
    add("--bundle", default="30s", help="uploader.bundle")
    add("--only", choices=["single", "bundled"], help="one of the two")
    add("--keep", default="", help="a directory to work in, and to keep")
    return parser.parse_args()


def serve(stage: Stage, program: list[str], stack: ExitStack, seconds: float) -> Place:
    """Start the server, and make the bucket. It ends by itself after so many seconds."""
    home = stage.home / "server"
    home.mkdir()
    place = Place(home, free_ports(1), stage.home, stage.home)
    command = ["timeout", "--kill-after=5", f"{seconds:.0f}", *program, *_SERVER.command(place)]
    server = Process("versitygw", command, stage.home / "server.log", {})
    stage.running.append(server)
    # The last first: asked to end, ``timeout`` ends the server too.
    stack.callback(server.popen.wait, 10)
    stack.callback(server.popen.terminate)
    bucket = open_bucket(_SERVER, place)

    def made() -> bool:
        try:
            bucket.make()
        except Exception:
            return False
        return True

    wait_for("the server", made, 30)
    return place


def config(options: argparse.Namespace, stage: Stage, place: Place, bundle: str) -> None:
    """Write the configuration."""
    given: dict[str, Any] = {
        "twitch": {
            "channels": [f"room{n}" for n in range(1, options.rooms + 1)],
            "joins_per_10s": 2000,
        },
        "kick": {"channels": []},
        "uploader": {"compression": "zstd", **({"bundle": bundle} if bundle else {})},
        "recorder": {"directory": str(stage.home / "data"), "rotate_interval": options.rotate},
        **_SERVER.settings(place),
    }
    stage.config(given)


def measured(options: argparse.Namespace, stage: Stage, program: list[str], bundle: str) -> Figures:
    """Record, and compare."""
    joins = options.rooms * 10 / 2000 + 60
    with ExitStack() as stack:
        place = serve(stage, program, stack, joins + options.seconds + 500)
        simulator = even_chat(stage, options.rooms, options.rate, joins + options.seconds + 120)
        config(options, stage, place, bundle)
        daemon = stage.daemon()
        daemon.says(rf"recording {options.rooms} of {options.rooms}", joins)
        time.sleep(3)
        cpu, sent, began = daemon.cpu(), count(simulator), time.monotonic()
        time.sleep(options.seconds)
        took = time.monotonic() - began
        cpu, sent = daemon.cpu() - cpu, count(simulator) - sent
        memory = daemon.peak()
        simulator.end()
        time.sleep(2)
        daemon.end(limit=60)
        finish(stage)
        root = place.home / BUCKET / PREFIX
        found = stage.judge(root)
        keys = [path.relative_to(root).as_posix() for path in root.rglob("*.zst")]
        return Figures(
            sent,
            cpu / max(1, sent) * 1e6,
            cpu / took,
            memory,
            sum(key[:1].isdigit() for key in keys),
            sum(key.startswith("bundle/") for key in keys),
            sum(key.startswith("manifest/") for key in keys),
            found["lost"],
            found["doubled"],
            verified(stage.home),
        )


def finish(stage: Stage) -> None:
    """Let further runs, whose clocks are ahead, store the rest and the manifests of the hours."""
    shift = stage.home / "shift"
    for ahead in AHEAD:
        shift.write_text(str(ahead))
        daemon = stage.daemon(module="bench.shifted", environ={"CHATLOG_SHIFT": str(shift)})
        daemon.says("storing in ", 60)
        wait_for("an empty spool", lambda: not stage.local_files(), 300)
        wait_for("the manifest", lambda: not any((stage.home / "data" / "manifest").iterdir()), 60)
        daemon.end()


def verified(home: Path) -> bool:
    """Whether ``chatlog verify`` finds nothing wrong."""
    program = [sys.executable, "-c", "from chatlog.cli import main; main()"]
    command = [*program, "verify", "--config", str(home / "chatlog.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    (home / "verify.txt").write_text(done.stdout + done.stderr)
    return done.returncode == 0


def table(options: argparse.Namespace, found: dict[str, Figures]) -> str:
    """The figures side by side."""
    rows: list[tuple[str, Any]] = [
        ("messages in the window", lambda f: f"{f.messages:,}"),
        ("CPU a message", lambda f: f"{f.cpu:.1f} us"),
        ("CPU, of a core", lambda f: f"{f.core * 100:.1f} %"),
        ("memory at most", lambda f: f"{f.memory:.1f} MB"),
        ("objects of one file", lambda f: f"{f.objects:,}"),
        ("bundles", lambda f: f"{f.bundles:,}"),
        ("manifests", lambda f: f"{f.manifests:,}"),
        ("lost, doubled", lambda f: f"{f.lost}, {f.doubled}"),
        ("chatlog verify", lambda f: "finds nothing wrong" if f.verified else "finds something wrong"),
    ]
    head = f"{options.rooms} rooms, a file every {options.rotate}, bundle: {options.bundle}"
    lines = [head, "", f"| | {' | '.join(found)} |", f"| --- |{' ---: |' * len(found)}"]
    for name, show in rows:
        lines.append(f"| {name} | {' | '.join(show(figures) for figures in found.values())} |")
    return "\n".join(lines)


def main() -> int:
    """Measure both, and print; the exit status is 0 if nothing was lost or doubled."""
    options = arguments()
    try:
        program = Cache(cache_directory()).program(_SERVER)
    except Unavailable as error:
        print(f"{error}: run python -m bench.stores first", file=sys.stderr)
        return 2
    found: dict[str, Figures] = {}
    for name, bundle in (("single", ""), ("bundled", options.bundle)):
        if options.only not in (None, name):
            continue
        stage = Stage(f"{options.keep}/{name}" if options.keep else "")
        try:
            found[name] = measured(options, stage, program, bundle)
        except Failed as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 2
        finally:
            stage.close()
    print(table(options, found))
    good = all(not each.lost and not each.doubled and each.verified for each in found.values())
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
