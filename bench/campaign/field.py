"""Where the campaign is fought: the simulator, the store with its relay, the spool's file system, and the
daemon with all of its lives."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench.campaign.store import Relay
from tests.processes import Failed, Process, Simulator, Stage, wait_for

#: A flush interval, and what a busy machine adds to it, in seconds: what a kill may cost.
FLUSH = 0.5
MARGIN = 0.5
#: MB of the file system that the spool lies on.
SPOOL_MB = 64
ROOMS, KICK_ROOMS = 18, 4


class Field:
    """Everything that runs. ``windows`` are the times (seconds since the epoch) in which a loss is within
    the promises."""

    def __init__(self, stage: Stage, seed: int, rate: float, longest: float, bundle: str = "") -> None:
        self.stage = stage
        #: ``uploader.bundle``, ``""`` for objects of their own.
        self.bundle = bundle
        self.rng = random.Random(seed)
        self.rate = rate
        self.windows: list[tuple[float, float]] = []
        #: How often each fault was played, and what else happened, by name.
        self.played: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self.problems: list[str] = []
        #: What the judge said of the turn of the clock, which has a recording of its own.
        self.earlier: dict[str, Any] = {}
        self.recoveries: list[float] = []
        self.stops: list[float] = []
        #: Keys of objects that are not ours, with their bytes.
        self.foreign: dict[str, bytes] = {}
        self.data = stage.home / "data"
        self.mounted = self._mount()
        self._shift = stage.home / "shift"
        self._shift.write_text("0")
        self._longest = longest
        self._seed = seed
        self.simulator = self._simulator()
        stage.s3()
        self.relay = Relay(stage.endpoint)
        self.bucket = stage.store(make=False)
        self.daemon: Process | None = None
        self._started = 0.0
        self._configure("chatlog")

    def _simulator(self) -> Simulator:
        self._play = self.stage.home / f"play-{len(self.stage.simulators)}.yaml"
        return self.stage.simulator(
            rate=self.rate,
            kick_share=KICK_ROOMS / (ROOMS + KICK_ROOMS),
            channels=ROOMS,
            spread="even",
            seed=self._seed,
            play=self._play,
            duration=round(self._longest),
        )

    def renew(self, found: dict[str, Any]) -> None:
        """Begin a recording that has nothing to do with what there was, which was judged: ``found``."""
        self.earlier = found
        self.windows.clear()
        for path in self.data.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        (self.stage.home / "objects").rename(self.stage.home / "objects-before")
        self.simulator = self._simulator()
        del self.stage.simulators[:-1]
        self.bucket = self.stage.store("chatlog2")
        self._configure("chatlog2")

    def _mount(self) -> bool:
        self.data.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={SPOOL_MB}m", "chatlog-campaign", str(self.data)]
        try:
            return subprocess.run(command, capture_output=True, check=False, timeout=10).returncode == 0
        except OSError:
            return False

    def _configure(self, bucket: str) -> None:
        self.stage.config(
            {
                "twitch": {
                    "channels": [f"room{n}" for n in range(1, ROOMS + 1)],
                    "joins_per_10s": 2000,
                },
                "kick": {"channels": [f"room{n}" for n in range(1, KICK_ROOMS + 1)]},
                "recorder": {
                    "directory": str(self.data),
                    "rotate_interval": "10s",
                    "flush_interval": f"{FLUSH}s",
                    "buffer_limit": "1MB",
                },
                "s3": {**self.stage.s3_settings(bucket), "endpoint": self.relay.endpoint},
                "uploader": {"compression": "zstd", **({"bundle": self.bundle} if self.bundle else {})},
            }
        )

    def close(self) -> None:
        """End everything; the stage is closed by whoever made it."""
        if self.daemon is not None and self.daemon.alive:
            self.daemon.popen.kill()
            self.daemon.popen.wait()
        self.relay.close()
        if self.mounted:
            subprocess.run(["umount", str(self.data)], check=False, timeout=10)

    def say(self, text: str) -> None:
        """A line about the course of things."""
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)

    def problem(self, text: str) -> None:
        """Something that must not happen."""
        self.problems.append(text)
        self.say(f"PROBLEM: {text}")

    def between(self, least: float, most: float) -> float:
        """Some time between, in seconds."""
        return self.rng.uniform(least, most)

    # -- the daemon ----------------------------------------------------------------------------------

    def start(self, prefix: list[str] | None = None, module: str = "") -> Process:
        """Start the daemon."""
        os.environ["CHATLOG_SHIFT"] = str(self._shift)
        self._started = time.monotonic()
        self.daemon = self.stage.daemon(prefix=prefix, module=module)
        return self.daemon

    def recording(self, limit: float = 60.0, timed: bool = True) -> None:
        """Wait until the daemon records every room."""
        daemon = self.running()
        patterns = [
            rf"{platform} +recording {rooms} of {rooms} rooms"
            for platform, rooms in (("twitch", ROOMS), ("kick", KICK_ROOMS))
        ]
        # When that was cannot be told of what was there before anybody looked.
        looked = not all(re.search(pattern, daemon.output()) for pattern in patterns)
        for pattern in patterns:
            daemon.says(pattern, limit)
        if timed and looked and self._started:
            self.recoveries.append(time.monotonic() - self._started)
        self._started = 0.0

    def running(self) -> Process:
        """The daemon, started if there is none. Raises Failed if it ended by itself."""
        if self.daemon is None:
            return self.start()
        if not self.daemon.alive:
            raise Failed(f"the daemon ended by itself: {self.daemon.output()[-3000:]}")
        return self.daemon

    def kill(self) -> None:
        """kill -9, now."""
        daemon = self.running()
        now = time.time()
        daemon.popen.kill()
        daemon.popen.wait()
        self.windows.append((now - FLUSH - MARGIN, time.time() + MARGIN))
        self.played["kill -9"] += 1
        self._look_through(daemon)
        self.daemon = None

    def stop(self, number: int, again: int = 0, after: float = 0.0, early: bool = False) -> None:
        """End the daemon with a signal, and send another ``after`` seconds if ``again``. What arrives
        from then on need not be recorded; everything before must be. ``early``: it may not have come as
        far as to take signals."""
        daemon = self.running()
        now, began = time.time(), time.monotonic()
        daemon.send(number)
        if again:
            time.sleep(after)
            daemon.send(again)
        try:
            status = daemon.popen.wait(15)
        except subprocess.TimeoutExpired:
            daemon.popen.kill()
            status = daemon.popen.wait()
            self.problem(f"{daemon.log.name}: did not end within 15 s of {signal.Signals(number).name}")
        took = time.monotonic() - began
        self.stops.append(took)
        self.windows.append((now, time.time() + MARGIN))
        self.played[signal.Signals(number).name] += 1
        if again:
            self.played["second signal"] += 1
        if took > 3:
            self.problem(f"{daemon.log.name}: took {took:.1f} s to end")
        if status not in (-number, -again) and not early:
            self.problem(f"{daemon.log.name}: ended with {status}")
        if not early:
            self._look_through(daemon)
        self.daemon = None

    def _look_through(self, daemon: Process) -> None:
        """What the log of a daemon that is over tells."""
        said = daemon.output()
        self.seen["quarantined"] += said.count("is tried again in an hour")
        if "Traceback" in said:
            self.problem(f"{daemon.log.name}: a traceback: {said[said.index('Traceback') :][:1500]}")

    def shift(self, seconds: float) -> None:
        """Set the clock of a daemon that was started as ``bench.shifted``."""
        self._shift.write_text(str(seconds))
        self.running().send(signal.SIGUSR1)

    def tear(self) -> bool:
        """Leave half a line at the end of an open file of a daemon that is dead, as a machine that lost
        its power does; False if none is open."""
        # One that was torn already is still so where the daemon died before it looked.
        contents = {path: path.read_bytes() for path in (self.data / "open").iterdir()}
        opened = sorted(path for path, content in contents.items() if content.endswith(b"\n"))
        if not opened:
            return False
        path = self.rng.choice(opened)
        whole = contents[path]
        line = whole[whole[:-1].rfind(b"\n") + 1 :]
        cut = self.rng.randrange(1, len(line) - 1)
        with open(path, "ab") as file:
            file.write(line[:cut] if self.rng.random() < 0.7 else line[:cut] + bytes(64))
        self.played["torn tail"] += 1
        return True

    def torn(self) -> int:
        """How many tails the daemon has cut and kept."""
        directory = self.data / "torn"
        return len(list(directory.iterdir())) if directory.exists() else 0

    # -- the network and the store -------------------------------------------------------------------

    def network(self, fault: str) -> None:
        """Let the simulator play a fault: ``{what: ...}``."""
        with open(self._play, "a", encoding="utf-8") as file:
            file.write(fault + "\n")
        self.played["network: " + fault.partition("what: ")[2].split(",")[0].strip("}")] += 1

    def waiting(self) -> set[str]:
        """Files that are finished and not in the store yet."""
        areas = [self.data / area for area in ("sealed", "packed")]
        return {path.name for area in areas if area.exists() for path in area.iterdir()}

    def drain(self, limit: float = 90.0) -> float:
        """Wait until what is finished now has left the spool; how long it took."""
        self.running()
        began = time.monotonic()
        waiting = {name.partition(".jsonl")[0] for name in self.waiting()}

        def left() -> set[str]:
            self.running()
            return waiting & {name.partition(".jsonl")[0] for name in self.waiting()}

        wait_for("what waits is in the store", lambda: not left(), limit, 0.2)
        return time.monotonic() - began

    def free(self) -> int:
        """Free bytes of the spool's file system."""
        found = os.statvfs(self.data)
        return found.f_bavail * found.f_frsize


def fill(path: Path, chunk: int = 1 << 16) -> None:
    """Add to a file until its file system takes not one byte more."""
    descriptor: Any = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        size = chunk
        while size:
            try:
                os.write(descriptor, bytes(size))
            except OSError:
                size //= 16
    finally:
        os.close(descriptor)
