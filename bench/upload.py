"""What shipping costs: files through Shipment and Uploader into an S3 server on loopback and into a
directory, with every compression.

    python -m bench.upload [--files N] [--size BYTES] [--at-once N] [--level 1..9]

Prints files and megabytes a second, what is stored in percent of what was recorded, CPU time for 1000 files
and for a gigabyte before compression, and resident memory in MB at the start, after a quarter of the files,
at the end and at its most; between the last quarters it must not grow. The CPU time is the uploader's,
without the server's. Files hold the simulator's chat, eight different ones that come again under other names.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import react

from bench.recorder import resident
from chatlog.config.settings import (
    ArchiveSettings,
    RecorderSettings,
    S3Settings,
    Secret,
    Settings,
    UploaderSettings,
)
from chatlog.counters import Counters
from chatlog.environment import Environment
from chatlog.files import OsFiles
from chatlog.services import OwnedThreads
from chatlog.spool.usage import Usage
from chatlog.store.archive import open_store
from chatlog.uploader.deposit import Stored
from chatlog.uploader.packing import LEVEL, SUFFIXES
from chatlog.uploader.uploader import Uploader

DIFFERENT = 8
_SERVER = """
import sys
from tests.s3_server import ScriptedS3
server = ScriptedS3()
print(server.endpoint, flush=True)
sys.stdin.read()
server.close()
"""


def contents(size: int) -> list[bytes]:
    """Different files of about this size."""
    from bench.sizes import files

    chat = b"".join(data for _, data in zip(range(2), files("twitch", "full", 10_000), strict=False))
    step = len(chat) // DIFFERENT
    lines = [(chat[n * step :] + chat[: n * step]) for n in range(DIFFERENT)]
    return [(data * (size // len(data) + 1))[:size].rpartition(b"\n")[0] + b"\n" for data in lines]


def spool(home: Path, count: int, different: list[bytes]) -> None:
    """Finished files, as the recorder leaves them."""
    sealed = home / "sealed"
    sealed.mkdir()
    for n, data in enumerate(different):
        (home / str(n)).write_bytes(data)
    for n in range(count):
        name = f"twitch_room{n % 1000}_20251229_{10 + n // 60_000:02d}{n // 1000 % 60:02d}.jsonl"
        os.link(home / str(n % len(different)), sealed / name)


def settings_of(home: Path, target: str, compression: str, at_once: int, level: int) -> Settings:
    """Where to: ``target`` is an endpoint, or ``""`` for a directory."""
    keys = Secret("made-up"), Secret("made-up-secret")
    return Settings(
        recorder=RecorderSettings(directory=str(home)),
        uploader=UploaderSettings(compression, at_once, compression_level=level),
        s3=S3Settings("bucket", "us-east-1", target, *keys) if target else None,
        archive=ArchiveSettings(directory=str(home / "archive")),
    )


def shipped(
    reactor: Any, home: Path, target: str, compression: str, at_once: int, level: int
) -> Deferred[None]:
    """Ship all there is, and print the figures as JSON."""
    clock: IReactorTime = reactor
    settings = settings_of(home, target, compression, at_once, level)
    total = len(os.listdir(home / "sealed"))
    raw = sum(file.stat().st_size for file in (home / "sealed").iterdir())
    done: Deferred[None] = Deferred()
    counters = Counters()
    store = open_store(settings)
    memory = {"start": resident()}
    sizes: list[int] = []

    def stored(found: Stored) -> None:
        sizes.append(found.bytes)
        if counters.uploaded >= total // 4:
            memory.setdefault("quarter", resident())

    threads = OwnedThreads("upload", at_once, reactor.callFromThread)
    uploader = Uploader(
        settings.uploader,
        store,
        str(home),
        Environment(clock, time.time, OsFiles(), threads, counters),
        threads,
        Usage(),
        on_stored=stored,
    )
    began, cpu = time.monotonic(), time.process_time()

    def look() -> None:
        if counters.uploaded < total:
            clock.callLater(0.02, look)
            return
        seconds, cpu_seconds = time.monotonic() - began, time.process_time() - cpu
        uploader.stopService()
        threads.stop()
        with open("/proc/self/status") as status:
            peak = next(int(line.split()[1]) * 1024 / 1e6 for line in status if line.startswith("VmHWM"))
        memory.update(end=resident(), peak=peak)
        figures = {"files": total, "raw": raw, "stored": sum(sizes), "seconds": seconds, "cpu": cpu_seconds}
        print(json.dumps({**figures, **memory}))
        done.callback(None)

    uploader.startService()
    clock.callLater(0.02, look)
    return done


def row(
    name: str, target: str, compression: str, options: argparse.Namespace, different: list[bytes]
) -> None:
    """Measure in a process of its own, and print a line."""
    with tempfile.TemporaryDirectory(prefix="chatlog-upload-") as home:
        spool(Path(home), options.files, different)
        arguments = [home, target, compression, str(options.at_once), str(options.level)]
        program = [sys.executable, "-m", "bench.upload", "--one", *arguments]
        told = subprocess.run(program, check=True, capture_output=True, text=True).stdout
    found = json.loads(told.splitlines()[-1])
    seconds, cpu, raw = found["seconds"], found["cpu"], found["raw"]
    print(
        f"{name:<10} {compression:<6}{found['files'] / seconds:9.1f}{raw / 1e6 / seconds:9.1f}"
        f"{100 * found['stored'] / raw:9.2f}"
        f"{cpu * 1000 / found['files']:12.2f}{cpu * 1e9 / raw:10.2f}"
        f"{found['start']:9.1f}{found['quarter']:9.1f}{found['end']:8.1f}{found['peak']:8.1f}",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--one"]:
        home, target, compression, at_once, level = sys.argv[2:]
        react(shipped, (Path(home), target, compression, int(at_once), int(level)))
    parser = argparse.ArgumentParser(description="What shipping costs.")
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--size", type=int, default=700_000)
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--level", type=int, default=LEVEL)
    options = parser.parse_args()
    different = contents(options.size)
    print(f"{options.files} files of {options.size:,} bytes, {options.at_once} at once")
    print(f"{'':<17}{'files/s':>9}{'MB/s':>9}{'stored %':>9}{'CPU s/1000':>12}{'CPU s/GB':>10}", end="")
    print(f"{'MB start':>9}{'quarter':>9}{'end':>8}{'peak':>8}")
    for compression in SUFFIXES:
        with subprocess.Popen(
            [sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as server:
            assert server.stdin is not None and server.stdout is not None
            row("S3", server.stdout.readline().strip(), compression, options, different)
            server.stdin.close()
    for compression in SUFFIXES:
        row("directory", "", compression, options, different)


if __name__ == "__main__":
    main()
