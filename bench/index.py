"""What the index of people and words costs, and what searches cost with it and without.

    python -m bench.index ARCHIVE [--index] [--without]

ARCHIVE is a directory as ``chatlog.simulator.write_archive`` makes it. ``--index`` makes the index anew
first. Prints the bytes of the index and the CPU of making it. Then all rooms are asked where somebody talks,
for a rare word, and for a frequent word's newest 100: printed are the records that are found, the CPU and the
seconds, and the bytes that are read of the records. ``--without`` asks without the index too, and compares.
"""

from __future__ import annotations

import argparse
import heapq
import os
import resource
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from bench.read import alone
from chatlog.archive.file_cache import FileCache
from chatlog.archive.index_lookup import Index
from chatlog.archive.matching import Filter
from chatlog.archive.opening import open_archive
from chatlog.archive.ordering import Found
from chatlog.archive.question import Question
from chatlog.archive.reader import Reader
from chatlog.config.settings import ArchiveSettings, Settings
from chatlog.store.directory_store import DirectoryStore
from chatlog.upkeep.indexing import Indexer
from chatlog.upkeep.lock import ArchiveLock

#: How many of a frequent word are asked for.
NEWEST = 100


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(prog="python -m bench.index", description=__doc__.split("\n")[0])
    parser.add_argument("archive")
    parser.add_argument("--index", action="store_true", help="make the index anew first")
    parser.add_argument("--without", action="store_true", help="ask without the index too, and compare")
    given = parser.parse_args()
    if given.index:
        shutil.rmtree(os.path.join(given.archive, "index"), ignore_errors=True)
        seconds, memory, days = alone(indexed, given.archive)
        print(f"made of {days} rooms' days: {seconds:.1f} s of CPU, {memory:.0f} MB")
    print_sizes(given.archive)
    people, words = alone(common, given.archive)
    for name, wanted, most in questions(people, words):
        ours = alone(asked, given.archive, wanted, most, True)
        print_answer(name, ours)
        if given.without:
            plain = alone(asked, given.archive, wanted, most, False)
            print_answer("... without", plain)
            if plain["records"] != ours["records"]:
                raise SystemExit(f"{name}: not the same is found")


def settings(path: str) -> Settings:
    """Those of an archive alone."""
    return Settings(archive=ArchiveSettings(directory=path))


def indexed(path: str) -> tuple[float, float, int]:
    """Seconds of CPU and the most memory of making the index, and the rooms' days in it."""
    archive = open_archive(settings(path), time.time, spool=False)
    days = [date.fromisoformat(day) for day in archive.catalog.days()]
    later = time.time() + 80 * 86400.0
    began = time.process_time()
    with ArchiveLock(archive.store, "bench", time.time) as lock:
        made = Indexer(archive, lambda: later).run(days, None, lock)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return time.process_time() - began, used, made.days


def print_sizes(path: str) -> None:
    """The bytes of the index, by kind."""
    for kind in ("days", "users", "names", "words"):
        size = sum(file.stat().st_size for file in Path(path, "index", kind).glob("*.parquet"))
        print(f"index/{kind:6} {size:12,} bytes")


def common(path: str) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """The people of a room's day by how much they wrote, and the words by how often they are said."""
    archive = open_archive(settings(path), time.time, spool=False)
    day = archive.catalog.days()[-2]
    since = time.mktime(time.strptime(f"{day} UTC", "%Y-%m-%d %Z")) - time.timezone
    people: Counter[str] = Counter()
    words: Counter[str] = Counter()
    for found in archive.reader.ask(Question(("twitch", "room1"), since, since + 86400.0)):
        head, _, rest = found.line.partition(b'","message":"')
        people[head.partition(b'"username":"')[2].partition(b'"')[0].decode()] += 1
        words.update(
            word for word in rest.partition(b'"')[0].decode("utf-8", "replace").split() if word.isalpha()
        )
    return people.most_common(), words.most_common()


def questions(
    people: list[tuple[str, int]], words: list[tuple[str, int]]
) -> Iterator[tuple[str, Filter, int | None]]:
    """What is asked."""
    for name, wanted in (("busy", people[len(people) // 10][0]), ("quiet", people[-1][0])):
        yield f"where somebody {name} talks", Filter(users=(wanted,)), None
    yield "somebody who never wrote", Filter(users=("nobody_of_that_name",)), None
    yield f"a rare word ({words[-1][0]})", Filter(text=words[-1][0]), None
    yield "a word that nobody said", Filter(text="zyxwvutsrq"), None
    yield f"a frequent word's newest {NEWEST} ({words[0][0]})", Filter(text=words[0][0]), NEWEST


def asked(path: str, wanted: Filter, most: int | None, with_index: bool) -> dict[str, Any]:
    """Ask all rooms, in a new process."""
    archive = open_archive(settings(path), time.time, spool=False)
    store = DirectoryStore(path)
    index = Index(store, FileCache(store, "", 0), time.time) if with_index else None
    reader = Reader(archive.parts, time.time, index=index)
    cpu, began = time.process_time(), time.monotonic()
    answers = [reader.ask(Question(room, filter=wanted, newest=True)) for room in sorted(archive.rooms())]
    merged: Iterator[Found] = heapq.merge(*map(iter, answers), key=lambda found: found.time, reverse=True)
    records = sum(1 for _ in islice(merged, most))
    return {
        "records": records,
        "cpu": time.process_time() - cpu,
        "seconds": time.monotonic() - began,
        "bytes": sum(answer.report.bytes for answer in answers),
        "rooms": len(answers),
    }


def print_answer(name: str, answer: dict[str, Any]) -> None:
    """One line."""
    print(
        f"{name:50} {answer['records']:8,} found, {answer['cpu']:6.2f} s CPU, {answer['seconds']:6.2f} s, "
        f"{answer['bytes'] / 1e6:8,.1f} MB read in {answer['rooms']} rooms",
        flush=True,
    )


if __name__ == "__main__":
    main()
