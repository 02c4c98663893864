"""What recording costs: time of a line from ``append`` to the file, time of a rotation and of a stop,
memory of many rooms. Run with ``python -m bench.recorder [directory]``; it prints figures and tests
nothing."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

from chatlog.config.settings import RecorderSettings
from chatlog.environment import Environment
from chatlog.files import OsFiles
from chatlog.recorder.hooks import Hooks
from chatlog.recorder.recorder import Recorder
from chatlog.services import OwnedThreads
from chatlog.spool.spool import Spool

_LINE = b'{"timestamp":"2025-12-29T10:30:45.123Z","channel":"any_room","message":"%s"}\n' % (b"x" * 500)


def resident() -> float:
    """Resident memory of this process in MB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def make(directory: str, clock: Any, descriptors: int | None = None) -> Recorder:
    """A recorder on the real disk."""
    threads = OwnedThreads("disk", 1, clock.callFromThread)

    def nothing(*args: Any) -> None:
        pass

    return Recorder(
        RecorderSettings(directory=directory, max_size=1 << 40),
        Spool(directory, OsFiles()),
        Environment(clock, time.time, OsFiles(), threads),
        Hooks(nothing, nothing, lambda text: print("FATAL", text)),
        descriptors=descriptors,
    )


def timed(what: str, call: Callable[[], int]) -> None:
    """Print CPU time an item, the best of five; ``call`` returns how many items it did."""
    say(what, min(_once(call) for _ in range(5)) * 1e6, "us")


def _once(call: Callable[[], int]) -> float:
    begin = time.process_time()
    count = call()
    return (time.process_time() - begin) / count


def say(what: str, value: float, unit: str) -> None:
    """Print one figure."""
    print(f"{what:<72} {value:8.2f} {unit}")


async def measure(clock: Any, directory: str) -> None:
    """Everything, in turn."""
    recorder = make(directory, clock)
    recorder.startService()
    rooms = [recorder.room("twitch", f"room{n}") for n in range(1000)]
    for messages in (1, 3, 30):

        def both(messages: int = messages) -> int:
            for room in rooms:
                add = room.append
                for _ in range(messages):
                    add(_LINE)
            recorder.flush()
            return messages * len(rooms)

        both()
        timed(f"append + flush, 1000 rooms, {messages} lines each, a line", both)
        await deferLater(clock, 0.5)

    begin = time.perf_counter()
    recorder.rotate_now()
    say("rotate_now, 1000 open files: reactor held for", (time.perf_counter() - begin) * 1e3, "ms")
    await deferLater(clock, 2.5)
    for room in rooms:
        room.append(_LINE)
    begin = time.perf_counter()
    recorder.flush()
    say("flush that makes 1000 files: reactor held for", (time.perf_counter() - begin) * 1e3, "ms")
    begin = time.perf_counter()
    await recorder.stopService()
    say("stopService, 1000 open files", (time.perf_counter() - begin) * 1e3, "ms")

    shutil.rmtree(directory)
    before = resident()
    recorder = make(directory, clock, descriptors=64)
    recorder.startService()
    rooms = [recorder.room("twitch", f"another{n}") for n in range(10_000)]
    say("memory of 10,000 silent rooms", resident() - before, "MB")

    def crowd() -> int:
        for room in rooms:
            room.append(_LINE)
        recorder.flush()
        return len(rooms)

    crowd()
    timed("append + flush, 10,000 rooms on 64 descriptors, a line each, a line", crowd)
    say("memory of 10,000 rooms with files", resident() - before, "MB")
    begin = time.perf_counter()
    await recorder.stopService()
    say("stopService, 10,000 open files", (time.perf_counter() - begin) * 1e3, "ms")
    say("resident memory of the process", resident(), "MB")


async def measure_in(clock: Any, parent: str | None) -> None:
    """Measure in a new directory, and remove it."""
    directory = tempfile.mkdtemp(dir=parent)
    try:
        await measure(clock, os.path.join(directory, "data"))
    finally:
        shutil.rmtree(directory)


def main(clock: Any, parent: str | None = None) -> Deferred[None]:
    """For ``react``."""
    return Deferred.fromCoroutine(measure_in(clock, parent))


if __name__ == "__main__":
    react(main, sys.argv[1:], _reactor=reactor)
