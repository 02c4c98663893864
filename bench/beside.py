"""Two or more daemons beside each other at one simulator: what a change does to the CPU a message.

    python -m bench.beside --rooms 1000 --rate 1000 here before=../before optimized=PYTHONOPTIMIZE=2
    python -m bench.beside --compile cython here compiled
    python -m bench.beside --gc here frozen=FREEZE=1

Each argument is a recorder: a name and, after ``=``, a checkout (``here`` by default), a variable of the
environment, or several of both with commas. ``PYTHON=path`` is another interpreter; with ``FREEZE=1`` the
garbage collector leaves alone what was there at the start. One that is called ``compiled`` runs a copy whose
hot modules were compiled with Cython or mypyc, which have to be installed, or, with ``--compile rust``, runs
with the parser of native/, which is built for it; all others then parse in Python.

All of them read the same messages in the same seconds, so the ratios hold on a busy machine too. Prints the
median CPU a message, and the median and range of the ratio to the first one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.processes import ROOT, Failed, Process, Stage, on_stage

#: The modules that run for every message.
HOT = (
    "record",
    "twitch/events",
    "twitch/irc",
    "twitch/lines",
    "twitch/intake",
    "rooms/duplicates",
    "rooms/arrivals",
    "recorder/room",
    "recorder/writer",
    "recorder/descriptors",
    "network/gathering",
)

_TWISTD = """
import gc, os, sys, threading, time
from twisted.scripts.twistd import run
if os.environ.get("FREEZE"):
    from twisted.internet import reactor
    def freeze():
        gc.collect()
        gc.freeze()
    reactor.callLater(20, freeze)
if os.environ.get("GC"):
    spent, began = [0.0], [0.0]
    def count(phase, info):
        if phase == "start":
            began[0] = time.thread_time()
        else:
            spent[0] += time.thread_time() - began[0]
            with open(os.environ["GC"], "w") as file:
                file.write(f"{spent[0]:.6f}")
    gc.callbacks.append(count)
sys.argv[0] = "twistd"
run()
"""

_CYTHON = """
import sys
from Cython.Build import cythonize
from setuptools import Extension, setup
modules = [Extension("chatlog." + name.replace("/", "."), [f"chatlog/{name}.py"]) for name in sys.argv[1:]]
options = {"binding": True, "annotation_typing": False}
setup(ext_modules=cythonize(modules, language_level=3, compiler_directives=options),
      script_args=["-q", "build_ext", "--inplace"])
"""


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.beside", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--rooms", type=int, default=1000, help="rooms of Twitch")
    add("--rate", type=float, default=1000, help="messages a second over all rooms")
    add("--windows", type=int, default=8, help="how often the CPU is measured")
    add("--seconds", type=float, default=5, help="length of each of these windows")
    add("--sending", type=float, default=0.001, help="seconds between two sendings of the simulator")
    add("--compile", choices=("cython", "mypyc", "rust"), help="what makes the one that is called `compiled`")
    add("--gc", action="store_true", help="say how much of the CPU the garbage collector takes")
    add("recorders", nargs="+", metavar="NAME[=CHECKOUT|VARIABLE=VALUE,...]")
    return parser.parse_args()


def compiled(by: str, home: Path) -> Path:
    """A copy of the checkout with compiled modules, or beside those of native/. Raises Failed."""
    home.mkdir()
    for name in ("chatlog", "twisted"):
        shutil.copytree(ROOT / name, home / name)
    if by == "rust":
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        command += ["--target", str(home), str(ROOT / "native")]
    elif by == "cython":
        command = [sys.executable, "-c", _CYTHON, *HOT]
    else:
        # What is called from a test's fakes or holds slots in a way that mypyc refuses is left as it is.
        names = [f"chatlog/{name}.py" for name in ("record", "twitch/irc", "twitch/events")]
        command = [sys.executable, "-m", "mypyc", "--ignore-missing-imports", *names]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode != 0 or not list(home.rglob("*.so")):
        raise Failed(f"{by} could not compile: {done.stderr[-2000:]}")
    return home


class Recorder:
    """One of the daemons, with what was measured of it."""

    def __init__(self, given: str, stage: Stage, options: argparse.Namespace, server: dict[str, Any]) -> None:
        self.name, _, rest = given.partition("=")
        self.home = stage.home / f"recorder-{len(stage.running)}"
        self.home.mkdir()
        tree, python, environ = ROOT, sys.executable, {}
        if options.compile == "rust" and self.name != "compiled":
            environ["CHATLOG_NATIVE"] = "off"
        for part in filter(None, rest.split(",")):
            key, equals, value = part.partition("=")
            if not equals:
                tree = Path(part).resolve()
            elif key == "PYTHON":
                python = value
            else:
                environ[key] = value
        if self.name == "compiled":
            tree = compiled(options.compile or "cython", stage.home / "compiled")
        self._collected = self.home / "collected"
        if options.gc:
            environ["GC"] = str(self._collected)
        config = {
            "twitch": {"channels": [f"room{n}" for n in range(1, options.rooms + 1)], **server},
            "uploader": {"compression": "none"},
            "archive": {"directory": str(self.home / "archive")},
            "http": {"listen": None},
            "recorder": {"directory": str(self.home / "data")},
        }
        place = self.home / "chatlog.yaml"
        place.write_text(yaml.safe_dump(config))
        command = [python, "-c", _TWISTD, "-n", "--pidfile=", "chatlog", "--config", str(place)]
        environ["PYTHONPATH"] = str(tree)
        self.process = Process(self.name, command, self.home / "log", environ)
        stage.running.append(self.process)
        self.costs: list[float] = []

    def cpu(self) -> float:
        """Seconds of CPU of all its threads, to the nanosecond."""
        tasks = Path(f"/proc/{self.process.pid}/task")
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9

    def collected(self) -> float:
        """Seconds of CPU that the garbage collector took."""
        return float(self._collected.read_text() or 0) if self._collected.exists() else 0.0


def sent_so_far(oracle: Path) -> Iterator[int]:
    """How many events the simulator has sent, each time it is asked."""
    total, rest = 0, b""
    with open(oracle, "rb") as file:
        while True:
            while piece := file.read(1 << 20):
                lines, newline, rest = (rest + piece).rpartition(b"\n")
                total += (lines + newline).count(b'{"n":')
            yield total


def run(options: argparse.Namespace, stage: Stage) -> int:
    """Measure and print; the exit status."""
    joins = options.rooms * (10 / 2000 + 4 / 90) + 180
    simulator = stage.simulator(
        rate=options.rate,
        spread="even",
        kick_share=0.0,
        channels=options.rooms,
        own_records=True,
        tick=options.sending,
        seed=7,
        duration=round(joins + options.windows * options.seconds + 120),
    )
    server = {
        "joins_per_10s": 2000,
        "server": f"ircs://127.0.0.1:{simulator.ports['twitch']}",
        "ca_file": str(simulator.ca_file),
    }
    recorders = [Recorder(given, stage, options, server) for given in options.recorders]
    for each in recorders:
        each.process.says(rf"twitch  recording {options.rooms} of {options.rooms}", joins)
    # The time of a first collection, and of a freeze.
    time.sleep(25 if options.gc or any("FREEZE" in given for given in options.recorders) else 3)
    sent = sent_so_far(simulator.oracle)
    collected, began = [each.collected() for each in recorders], [each.cpu() for each in recorders]
    for _ in range(options.windows):
        before, spent = next(sent), [each.cpu() for each in recorders]
        time.sleep(options.seconds)
        messages = max(1, next(sent) - before)
        for each, cpu in zip(recorders, spent, strict=True):
            each.costs.append((each.cpu() - cpu) / messages * 1e6)
    print(f"{options.rooms} rooms, {options.rate:.0f} messages a second; load {os.getloadavg()[0]:.1f}")
    for n, each in enumerate(recorders):
        ratios = [cost / first for cost, first in zip(each.costs, recorders[0].costs, strict=True)]
        line = f"{each.name:<12} {statistics.median(each.costs):6.1f} us a message, ratio "
        line += f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}), "
        line += f"{each.process.resident():.0f} MB, {each.process.peak():.0f} MB at most"
        if options.gc:
            share = (each.collected() - collected[n]) / (each.cpu() - began[n])
            line += f", {100 * share:.2f} % of the CPU in the garbage collector"
        print(line)
    return 0


def main() -> int:
    """Measure on a stage that is gone afterwards."""
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="chatlog-beside-") as home:
        return on_stage(lambda stage: run(options, stage), home)


if __name__ == "__main__":
    sys.exit(main())
