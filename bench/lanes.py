"""What the second lane costs: CPU a message, and memory.

    python -m bench.lanes [messages]

The lines of a seed go through the intake of Twitch, from bytes of a read to a record for the recorder,
once by one connection and once by two. Prints microseconds of CPU for every message of the platform (not
for every line that arrives), the best of several runs, and what the memory of copies takes at its
fullest. What the sockets cost, TLS and wake-ups, comes on top: ``bench.daemon --lanes 2``.
"""

from __future__ import annotations

import random
import resource
import sys
import time
import tracemalloc
from collections.abc import Callable
from types import SimpleNamespace

from bench.parse_twitch import READ_SIZE, RUNS, sample_line
from chatlog.counters import Counters
from chatlog.environment import Environment
from chatlog.files import OsFiles
from chatlog.rooms.duplicates import Duplicates, Repeats
from chatlog.rooms.subscriptions import Room
from chatlog.services import OwnedThreads
from chatlog.twitch import irc
from chatlog.twitch.intake import Intake
from chatlog.twitch.lines import LineSplitter


def surroundings() -> Environment:
    """An environment with the clocks of this machine; nothing needs its disk."""
    clock = SimpleNamespace(seconds=time.monotonic)
    return Environment(clock, time.time, OsFiles(), OwnedThreads("none", 1, print))


class Drain:
    """A room's log that keeps nothing."""

    def append(self, line: bytes) -> None:
        """Forget the line."""


class Link:
    """A connection: what it reads, and nothing that is answered."""

    def __init__(self, number: int, lines: list[bytes]) -> None:
        self.number = number
        stream = b"\r\n".join(lines) + b"\r\n"
        self.reads = [stream[at : at + READ_SIZE] for at in range(0, len(stream), READ_SIZE)]

    def control(self, message: irc.Message) -> None:
        """Not needed."""


def intake(lanes: int) -> tuple[Intake, dict[str, Room], Counters]:
    """The intake of a hundred rooms."""
    duplicates = Duplicates() if lanes > 1 else None
    rooms = {}
    for number in range(100):
        room = rooms[f"channel{number}"] = Room(f"channel{number}", Drain())
        room.duplicates = duplicates
    around = surroundings()
    return Intake(rooms, Drain(), around), rooms, around.counters


def run(*links: Link) -> Counters:
    """Let the connections deliver in turns."""
    taker, _, counters = intake(len(links))
    splitters = [LineSplitter() for _ in links]
    for number in range(max(len(link.reads) for link in links)):
        for link, splitter in zip(links, splitters, strict=True):
            if number < len(link.reads):
                taker.lines(splitter.feed(link.reads[number]), link)
    return counters


def best(work: Callable[[], object]) -> float:
    """CPU seconds of the fastest of several runs."""
    times = []
    for _ in range(RUNS):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def turned(line: bytes) -> bytes:
    """The same line with its first tag at the end."""
    head, space, rest = line.partition(b" ")
    first, _, others = head[1:].partition(b";")
    return b"@" + others + b";" + first + space + rest if others else line


def kilobytes(make: Callable[[], object]) -> float:
    """Memory that what ``make`` returns takes, in KB."""
    tracemalloc.start()
    kept = make()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del kept
    return size / 1000


def filled(ids: int) -> Duplicates:
    """The memory of copies after so many events with an id."""
    duplicates = Duplicates()
    for number in range(ids):
        duplicates.seen(b"%036d" % number, 1, 0.0, True)
    return duplicates


def repeats() -> Repeats:
    """The memory of lines at its fullest."""
    found = Repeats()
    for number in range(40_000 - 1):
        found.seen(b"%036d" % number)
    return found


def main(count: int = 20_000) -> None:
    source = random.Random(20260115)
    lines = [sample_line(source, number) for number in range(count)]
    one, other = Link(1, lines), Link(2, lines)
    different = Link(2, [turned(line) for line in lines])
    single = best(lambda: run(one))
    print(f"{count} messages; CPU a message of the platform, best of {RUNS} runs")
    print(f"{'one connection':48}{single / count * 1e6:8.2f} us")
    for name, second in (
        ("two connections, the same bytes", other),
        ("two connections, tags in another order", different),
    ):
        seconds = best(lambda second=second: run(one, second))  # type: ignore[misc]
        copies = run(one, second).duplicates
        print(
            f"{name:48}{seconds / count * 1e6:8.2f} us  {(seconds - single) / count * 1e6:+8.2f} us"
            f"  {copies} copies left out"
        )
    print()
    print(f"{'lines remembered of every connection':48}{kilobytes(repeats):8.0f} KB")
    for ids in (1_000, 100_000, 499_999):
        print(f"{f'{ids} ids remembered with two lanes':48}{kilobytes(lambda ids=ids: filled(ids)):8.0f} KB")  # type: ignore[misc]
    print(f"{'largest size of this process':48}{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss:8d} KB")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
