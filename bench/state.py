"""``python -m bench.state``: what it costs to keep how the rooms stand, in a file of the state and in SQLite.

Both note at a tick how so many rooms stand, as after a connection that carried them broke; what the next run
needs is there when a process is killed then (``flushed``), and on the disk when it was forced to it
(``durable``). Then both are given a full disk and a sync that fails.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from chatlog.files import OsFiles
from chatlog.state.state_file import StateFile

TICKS = 200
LEAST_BYTES = 1 << 20


class Kept(Protocol):
    """What keeps how the rooms stand."""

    def note(self, rooms: list[dict[str, Any]], at: float) -> None:
        """A flush: these rooms have changed."""

    def sync(self) -> None:
        """Force it to the disk, in a thread of its own where that is possible."""

    def read(self) -> int:
        """How many rooms the next process finds."""


class InFile:
    """A file of the state."""

    def __init__(self, directory: str, reserve: int = 0) -> None:
        self.file = StateFile(OsFiles(), directory, "coverage", reserve)
        self.file.replace(())
        self.file.reserve_space()

    def note(self, rooms: list[dict[str, Any]], at: float) -> None:
        self.file.append({"alive": at, "durable": at, "rooms": rooms})

    def sync(self) -> None:
        self.file.sync()

    def read(self) -> int:
        return len({room["room"] for _, entry in self.file.read() for room in entry["rooms"]})


class InSqlite:
    """A database with a write-ahead log, of which a commit does not wait for the disk."""

    def __init__(self, directory: str, reserve: int = 0) -> None:
        # Only here, so that its memory is seen.
        import sqlite3

        self.path = f"{directory}/state.db"
        self.connect = sqlite3.connect
        self.database = sqlite3.connect(self.path, isolation_level=None)
        for statement in (
            "PRAGMA journal_mode=WAL",
            "PRAGMA synchronous=NORMAL",
            "CREATE TABLE rooms (platform, room, recorded, links, PRIMARY KEY (platform, room))",
            "CREATE TABLE flush (one INTEGER PRIMARY KEY, alive, durable)",
        ):
            self.database.execute(statement)

    def note(self, rooms: list[dict[str, Any]], at: float) -> None:
        run = self.database.execute
        run("BEGIN IMMEDIATE")
        try:
            values = (
                (room["platform"], room["room"], room["recorded"], str(room["links"])) for room in rooms
            )
            self.database.executemany("INSERT OR REPLACE INTO rooms VALUES (?, ?, ?, ?)", values)
            run("INSERT OR REPLACE INTO flush VALUES (1, ?, ?)", (at, at))
            run("COMMIT")
        except Exception:
            with suppress(Exception):
                run("ROLLBACK")
            raise

    def sync(self) -> None:
        self.database.execute("PRAGMA wal_checkpoint(FULL)").fetchall()

    def read(self) -> int:
        with self.connect(self.path) as database:
            [(count,)] = database.execute("SELECT count(*) FROM rooms").fetchall()
        return int(count)


def rooms_of(count: int, at: float) -> list[dict[str, Any]]:
    """So many rooms that changed."""
    return [
        {"platform": "twitch", "room": f"room{n}", "recorded": at, "links": [n % 90]} for n in range(count)
    ]


def seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def resident() -> float:
    """Megabytes of memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def cost(make: Callable[[str], Kept], directory: str) -> Iterator[str]:
    """What a flush costs when nothing, a connection's rooms, and all rooms change."""
    before = resident()
    kept = make(directory)
    for tick in range(10):
        kept.note(rooms_of(10, float(tick)), float(tick))
    yield f"memory: {resident() - before:.1f} MB more"
    for count, ticks in ((0, TICKS), (1000, TICKS), (10_000, TICKS // 5)):
        times, syncs = [], []
        for tick in range(ticks):
            rooms = rooms_of(count, float(tick))
            times.append(seconds(lambda rooms=rooms, tick=tick: kept.note(rooms, float(tick))))  # type: ignore[misc]
            if tick % 4 == 3:
                syncs.append(seconds(kept.sync))
        yield (
            f"{count:6d} rooms at a tick: {1e3 * median(times):8.3f} ms, at most {1e3 * max(times):8.3f}; "
            f"forcing it to the disk {1e3 * median(syncs):7.1f} ms, at most {1e3 * max(syncs):7.1f}"
        )


def full_disk(make: Callable[..., Kept], directory: str) -> Iterator[str]:
    """What a full disk does to what is noted then, and to what was noted before."""
    kept = make(directory, LEAST_BYTES)
    kept.note(rooms_of(1000, 1.0), 1.0)
    kept.sync()
    with open(f"{directory}/filler", "wb", buffering=0) as filler, suppress(OSError):
        while filler.write(bytes(1 << 12)):
            pass
    noted = 0
    try:
        for tick in range(20):
            kept.note(rooms_of(100, float(tick)), float(tick))
            noted += 1
        yield f"full disk: all of {noted} flushes of 100 rooms are kept"
    except Exception as error:
        yield f"full disk: {noted} of 20 flushes of 100 rooms are kept, then: {error}"
    os.unlink(f"{directory}/filler")
    kept.note(rooms_of(1001, 30.0), 30.0)
    yield f"with space again, in the same process: {kept.read()} of 1001 rooms are found"


class FailingSync(OsFiles):
    """A disk that once does not keep what was written."""

    failing = False

    def sync(self, fd: int) -> None:
        if self.failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync(fd)


def failed_sync_of_the_file(directory: str) -> Iterator[str]:
    """The error, and what is done about it."""
    files = FailingSync()
    file = StateFile(files, directory, "coverage")
    file.replace([{"alive": 1.0, "rooms": rooms_of(1000, 1.0)}])
    files.failing = True
    try:
        file.sync()
    except OSError as error:
        yield f"failed sync: {error.strerror}; the next flush is written to a new file"
    files.failing = False
    file.replace([{"alive": 2.0, "rooms": rooms_of(1000, 2.0)}])


def failed_sync_of_sqlite(directory: str) -> Iterator[str]:
    """The error. SQLite does its own input and output, so it is given a log that cannot be forced to any
    disk."""
    kept = InSqlite(directory)
    kept.note(rooms_of(1000, 1.0), 1.0)
    [log] = [fd for fd in os.listdir("/proc/self/fd") if _target(fd).endswith("-wal")]
    with open("/dev/zero", "r+b", buffering=0) as nowhere:
        os.dup2(nowhere.fileno(), int(log))
    try:
        kept.sync()
        yield "failed sync: not noticed"
    except Exception as error:
        yield f"failed sync: {error}"


def _target(fd: str) -> str:
    with suppress(OSError):
        return os.readlink(f"/proc/self/fd/{fd}")
    return ""


def mounted(directory: str) -> bool:
    """Whether a small disk could be mounted there, for this process alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_MOUNTS):
        return False
    command = ["mount", "--make-rprivate", "/"], ["mount", "-t", "tmpfs", "-o", "size=6m", "none", directory]
    return not any(subprocess.run(each, check=False, capture_output=True).returncode for each in command)


#: CLONE_NEWNS of unshare(2).
_NEW_MOUNTS = 0x00020000


def apart(measure: Callable[..., Iterator[str]], *arguments: Any, small: bool = False) -> None:
    """Measure in a process of its own, and print what it says."""

    def run() -> None:
        with tempfile.TemporaryDirectory(dir=PLACE, ignore_cleanup_errors=True) as directory:
            if small and not mounted(directory):
                print("  full disk: not tried, for want of the right to mount one")
                return
            for line in measure(*arguments, directory):
                print(f"  {line}", flush=True)
            if small:
                os.chdir("/")
                subprocess.run(["umount", "-l", directory], check=False)

    process = get_context("fork").Process(target=run)
    process.start()
    process.join()


#: Where the files are: on the disk that the working directory is on.
PLACE = os.getcwd()


def main() -> int:
    """Measure and print."""
    for name, make, failed_sync in (
        ("a file of the state", InFile, failed_sync_of_the_file),
        ("SQLite", InSqlite, failed_sync_of_sqlite),
    ):
        print(name, flush=True)
        apart(cost, make)
        apart(full_disk, make, small=True)
        apart(failed_sync)
    return 0


if __name__ == "__main__":
    sys.exit(main())
