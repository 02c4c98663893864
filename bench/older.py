"""What a recorder of an older version wrote is taken over, read, compacted, bundled and verified by this one.

    python -m bench.older [--commit 1d4f4cf] [--minutes 4] [--python OLDER/venv/bin/python]

Takes the older version out of this repository and starts its recorder, with its own modules, against the
simulator. After the minutes it is ended, and the recorder of this version goes on with its spool; then the
hour is over, for the clock of the last starts is some hours ahead, and the manifests are written. Everything
that the simulator sent has to be there once, except what was sent while no recorder ran, or was on its way to
one that ended. (On a busy machine that is some seconds, and its gap begins that much later: ``hidden``.)
Then the month is over, by the clock of each command: compact, a check of that, bundle, verify. What is
exported has to be the same before and after. The hour is shortened to minutes, with files of 20 seconds.

Without ``--python`` the older version runs with the packages of this one; pass the interpreter of an
environment with its own (``pip install -r OLDER/requirements/run.txt``) where those do not fit.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.processes import Failed, Process, Stage, on_stage, wait_for

ROOT = Path(__file__).resolve().parent.parent
ROOMS, KICK_ROOMS = 6, 2
#: Seconds by which something may be on its way when a recorder begins or ends.
EDGE = 2.0
#: Runs a command by a clock that is ahead.
_AHEAD = (
    "import sys, time; ahead, now = float(sys.argv.pop(1)), time.time; time.time = lambda: now() + ahead; "
    "from chatlog.cli import main; main()"
)
#: What the judge may not find.
_WRONG = ("lost", "doubled", "altered", "invalid", "unknown", "out_of_order")


def taken_out(commit: str, target: Path) -> None:
    """The files of a commit. Raises Failed."""
    target.mkdir()
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", commit], capture_output=True, check=False, timeout=60
    )
    if archive.returncode:
        raise Failed(f"there is no commit {commit}: {archive.stderr.decode().strip()}")
    subprocess.run(["tar", "-x", "-C", str(target)], input=archive.stdout, check=True, timeout=60)


class Play:
    """One run."""

    def __init__(self, stage: Stage, options: argparse.Namespace) -> None:
        self.stage = stage
        self.options = options
        self.older = stage.home / "older"
        self.problems: list[str] = []
        self._said: list[str] = []

    def run(self) -> int:
        """The exit status."""
        taken_out(self.options.commit, self.older)
        self.stage.simulator(
            rate=self.options.rate,
            channels=ROOMS,
            kick_share=KICK_ROOMS / (ROOMS + KICK_ROOMS),
            spread="even",
            seed=self.options.seed,
            duration=round(self.options.minutes * 60 + 600),
        )
        self._configure()
        begun = time.time()
        stopped = self._recorded(self._older(), self.options.minutes * 60)
        again = time.time()
        newer = self.stage.daemon()
        recording(newer)
        running = time.time()
        self._recorded(newer, 40.0, started=True)
        end = time.time()
        found = self._judged([(stopped - EDGE, running + EDGE), (end - EDGE, end + 60)])
        counts = ", ".join(
            f"{name} {found[name]}" for name in ("sent", "recorded", "excused", "hidden", *_WRONG)
        )
        self.say(f"{self.options.commit} recorded for {stopped - begun:.0f} s, this for {end - again:.0f} s")
        self.say(counts)
        if found["hidden"] > found["excused"]:
            self.problems.append(f"hidden {found['hidden']}: {found['examples'][:3]}")
        self.problems += [f"{name} {found[name]}: {found['examples'][:3]}" for name in _WRONG if found[name]]
        self._hour_is_over()
        self._kept()
        for problem in self.problems:
            print(f"  {problem}")
        print("PASSED" if not self.problems else "NOT PASSED", flush=True)
        return 1 if self.problems else 0

    def say(self, text: str) -> None:
        """Print a line."""
        print(text, flush=True)

    # -- recording -----------------------------------------------------------------------------------

    def _configure(self) -> None:
        # Keys that the older version has too.
        self.stage.config(
            {
                "twitch": {"channels": [f"room{n}" for n in range(1, ROOMS + 1)], "joins_per_10s": 2000},
                "kick": {"channels": [f"room{n}" for n in range(1, KICK_ROOMS + 1)]},
                "recorder": {"directory": str(self.stage.home / "data"), "rotate_interval": "20s"},
                "uploader": {"compression": "zstd"},
            }
        )

    def _older(self) -> Process:
        command = [self.options.python, "-c", "from twisted.scripts.twistd import run; run()"]
        command += ["-n", "--pidfile=", "chatlog", "--config", str(self.stage.home / "chatlog.yaml")]
        log = self.stage.home / "older.log"
        there = os.getcwd()
        os.chdir(self.older)
        try:
            process = Process("the older recorder", command, log, {"PYTHONPATH": str(self.older)})
        finally:
            os.chdir(there)
        self.stage.running.append(process)
        return process

    def _recorded(self, daemon: Process, seconds: float, started: bool = False) -> float:
        """Let a recorder record, and end it; when that was."""
        if not started:
            recording(daemon)
        time.sleep(seconds)
        if not daemon.alive:
            raise Failed(f"{daemon.output()[-3000:]}")
        ended = time.time()
        daemon.end(signal.SIGTERM)
        return ended

    def _judged(self, windows: Sequence[tuple[float, float]]) -> dict[str, Any]:
        options = ["--gaps"]
        for start, end in windows:
            options += ["--lost-after", f"{start:.3f}", "--lost-before", f"{end:.3f}"]
        return self.stage.judge(None, *options)

    def _hour_is_over(self) -> None:
        """The recorder begins two hours later, and again two hours later, and names in manifests what is
        stored: the last files of a recorder are in the manifest of the next one."""
        for simulator in self.stage.simulators:
            simulator.end(signal.SIGTERM)
        shift = self.stage.home / "shift"
        for hours in (2, 4):
            shift.write_text(f"{hours * 3600}")
            daemon = self.stage.daemon(module="bench.shifted", environ={"CHATLOG_SHIFT": str(shift)})
            wait_for("a manifest is stored", partial(self._has_more_than, len(self._manifests())), 60.0)
            wait_for("nothing waits for its upload", lambda: not self._waiting(), 60.0)
            daemon.end(signal.SIGTERM)

    def _has_more_than(self, manifests: int) -> bool:
        return len(self._manifests()) > manifests

    def _manifests(self) -> list[Path]:
        return list((self.stage.home / "archive" / "manifest").rglob("*.zst"))

    def _waiting(self) -> list[Path]:
        data = self.stage.home / "data"
        return [path for area in ("sealed", "packed", "manifest") for path in (data / area).glob("*")]

    # -- afterwards ----------------------------------------------------------------------------------

    def _kept(self) -> None:
        """What this version makes of the archive."""
        day = 86400.0
        self._asked("verify", (0, 1))
        before = self._exported()
        self.say(f"{len(before)} records are exported")
        for ahead, command in (
            (3 * day, ["compact"]),
            (3 * day, ["compact", "--check"]),
            (45 * day, ["bundle"]),
            (45 * day, ["compact"]),
            (45 * day, ["verify"]),
        ):
            self._asked(*command, ahead=ahead)
            if command[0] != "verify" and self._exported() != before:
                self.problems.append(f"after chatlog {' '.join(command)} something else is exported")
        left = [path for path in (self.stage.home / "archive").glob("20*/*/*/*/*/*")]
        self.say(f"{len(left)} objects are no part of a bundle")

    def _asked(self, *command: Any, ahead: float = 0.0) -> str:
        """What a command says; it may end with 0, or with one of the last argument."""
        fine = (0,)
        if isinstance(command[-1], tuple):
            *command, fine = command  # type: ignore[assignment]
        config = str(self.stage.home / "chatlog.yaml")
        done = subprocess.run(
            [sys.executable, "-c", _AHEAD, str(ahead), *command, "--config", config],
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
            cwd=ROOT,
        )
        said = (done.stdout + done.stderr).strip()
        if command[0] != "export":
            last = said.splitlines()[-1] if said else ""
            self.say(f"chatlog {' '.join(command)}: {done.returncode}, {last}")
        if done.returncode not in fine:
            self.problems.append(f"chatlog {' '.join(command)} ends with {done.returncode}: {said[-1500:]}")
        return done.stdout

    def _exported(self) -> list[str]:
        """The records of all rooms."""
        found: list[str] = []
        rooms = [f"twitch/room{n}" for n in range(1, ROOMS + 1)]
        for room in [*rooms, *(f"kick/room{n}" for n in range(1, KICK_ROOMS + 1))]:
            said = self._asked("export", room, "--since", "7d", "--format", "jsonl", (0, 1))
            found += said.rstrip("\n").split("\n")
        return sorted(found)


def recording(daemon: Process) -> None:
    """Wait until a recorder records."""
    home = daemon.popen.args
    assert isinstance(home, list)
    data = Path(home[-1]).parent / "data" / "open"

    def has_files() -> bool:
        if not daemon.alive:
            raise Failed(daemon.output()[-3000:])
        return data.exists() and len(list(data.glob("*"))) >= (ROOMS + KICK_ROOMS) // 2

    wait_for("the recorder writes", has_files, 90.0)


def main() -> int:
    """Play it."""
    parser = argparse.ArgumentParser(prog="python -m bench.older", description=__doc__.split("\n")[0])
    parser.add_argument("--commit", default="1d4f4cf", help="the older version (1d4f4cf)")
    parser.add_argument("--minutes", type=float, default=4.0, help="that it records (4)")
    parser.add_argument("--rate", type=float, default=60.0, help="messages a second (60)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--python", default=sys.executable, help="the interpreter of the older version")
    parser.add_argument("--keep", default="", metavar="DIR", help="a directory to work in, and to keep")
    options = parser.parse_args()
    return on_stage(lambda stage: Play(stage, options).run(), options.keep)


if __name__ == "__main__":
    sys.exit(main())
