"""How soon it records after a start with a full spool: ``python -m bench.start --files 1000 --size 1000000``.

The spool holds files that an earlier run has finished and not uploaded; what is measured is the time from
the start of the process to the first acknowledged room, with and without them."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.processes import Stage, on_stage


def fill(spool: Path, count: int, size: int) -> None:
    """Make ``count`` finished files of ``size`` bytes each."""
    sealed = spool / "sealed"
    sealed.mkdir(parents=True)
    line = b'{"timestamp":"2025-12-29T10:30:45.123Z","channel":"any_room","message":"%s"}\n' % (b"x" * 400)
    data = line * (size // len(line))
    begun = datetime(2025, 12, 29, tzinfo=UTC)
    for n in range(count):
        minute = (begun + timedelta(minutes=n)).strftime("%Y%m%d_%H%M")
        (sealed / f"twitch_any_room_{minute}.jsonl").write_bytes(data)


def seconds_to_recording(stage: Stage) -> float:
    """Start the daemon, wait until it records, end it again."""
    began = time.monotonic()
    daemon = stage.daemon()
    daemon.says(r"twitch +recording 1 of 1 rooms", 60)
    took = time.monotonic() - began
    daemon.end()
    return took


def measure(stage: Stage, files: int, size: int) -> int:
    """Start with an empty spool and with a full one, and print how long it took."""
    stage.simulator(rate=10, kick_share=0, channels=1)
    stage.config({"kick": None, "uploader": {"compression": "zstd"}})
    print(f"empty spool                 {seconds_to_recording(stage):.2f} s to the first room")
    full = stage.home / "data-full"
    fill(full, files, size)
    recorder = {"directory": str(full), "max_size": "100GB"}
    stage.config({"kick": None, "uploader": {"compression": "zstd"}, "recorder": recorder})
    waiting = f"{files} files, {files * size / 1e9:.1f} GB waiting"
    print(f"{waiting}  {seconds_to_recording(stage):.2f} s to the first room")
    return 0


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.start", description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--size", type=int, default=1_000_000)
    options = parser.parse_args()
    return on_stage(lambda stage: measure(stage, options.files, options.size))


if __name__ == "__main__":
    sys.exit(main())
