"""What ``chatlog import`` costs, and whether each line is there once although it is killed.

    python -m bench.importing --lines 250000

Made-up logs as justlog keeps them have every line twice: in the file of its room and day, and in that of the
person and month. They are imported by a process that is killed several times, with SIGKILL, and then left to
end. Prints the processor time for a line, the memory, and what ``chatlog verify`` says. Exit status 1: a line
is missing, or there twice, or something is wrong.
"""

from __future__ import annotations

import argparse
import gzip
import random
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

from chatlog.archive.opening import open_archive
from chatlog.archive.question import Question
from chatlog.config.settings import ArchiveSettings, Settings

#: 2024-02-27T00:00:00Z; the logs are of five days, and go over the end of a month.
BEGIN, DAYS = 1708992000.0, 5
ROOMS = (("11111", "pixelharbor"), ("22222", "moonlit_kitchen"), ("33333", "speedforest"))
PEOPLE = 400
WORDS = (
    *("gg", "lol", "the", "stream", "is", "nice", "what", "happened"),
    *("hello", "world", "again", "\u00fcber", "stra\u00dfe", "PogChamp"),
)


def write_logs(root: Path, lines: int, chance: random.Random) -> set[str]:
    """Write the logs; the ids of their lines."""
    days: dict[str, list[str]] = defaultdict(list)
    people: dict[str, list[str]] = defaultdict(list)
    ids = set()
    for at in sorted(BEGIN + chance.random() * DAYS * 86400 for _ in range(lines)):
        room_id, room = chance.choices(ROOMS, (6, 3, 1))[0]
        number = chance.randrange(PEOPLE)
        id = str(uuid.UUID(int=chance.getrandbits(128)))
        ids.add(id)
        who = f"viewer{number}"
        tags = (
            f"@badge-info=;badges=subscriber/12;color=#FF0000;display-name={who.title()};emotes=;flags=;id={id};"
            f"mod=0;room-id={room_id};subscriber=1;tmi-sent-ts={int(at * 1000)};turbo=0;"
            f"user-id={100_000 + number};user-type="
        )
        text = " ".join(chance.choices(WORDS, k=chance.randint(1, 12)))
        line = f"{tags} :{who}!{who}@{who}.tmi.twitch.tv PRIVMSG #{room} :{text}\n"
        day = datetime.fromtimestamp(at, UTC)
        month = f"{room_id}/{day.year}/{day.month}"
        days[f"{month}/{day.day}/channel.txt{'.gz' if day.day % 2 else ''}"].append(line)
        people[f"{month}/{100_000 + number}.txt"].append(line)
    for name, found in (*days.items(), *people.items()):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = "".join(found).encode()
        path.write_bytes(gzip.compress(data, 1) if name.endswith(".gz") else data)
    return ids


#: The command, which says in the end how much memory it had at most: nobody else can tell afterwards.
_PROGRAM = """
import atexit, re, sys
from chatlog.cli import main

def tell():
    print("peak", re.search("VmHWM:\\\\s+(\\\\d+)", open("/proc/self/status").read())[1])

atexit.register(tell)
main()
"""


def imported(command: list[str], seconds: float | None) -> str:
    """Run an import; it is killed after so many seconds. What it said, "" if it was killed."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        return process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return ""


def ids_in(archive: str) -> list[str]:
    """The ids of all records that the archive gives."""
    settings = Settings(archive=ArchiveSettings(directory=archive))
    reader = open_archive(settings, time.time, spool=False).reader
    return [
        found.line.partition(b'"id":"')[2].partition(b'"')[0].decode()
        for _, room in ROOMS
        for found in reader.ask(Question(("twitch", room)))
    ]


def main() -> int:
    """Import, and print; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--lines", type=int, default=250_000)
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as home:
        logs, archive = Path(home, "logs"), f"{home}/archive"
        ids = write_logs(logs, options.lines, chance)
        command = [sys.executable, "-c", _PROGRAM, "import", "justlog", str(logs), "--archive", archive]
        for _ in range(options.kills):
            imported(command, chance.uniform(1, 12))
            print(f"killed with {len(list(Path(archive).glob('2*/*/*/*/*/*')))} objects", flush=True)
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        said, _, peak = imported(command, None).partition("peak ")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(said.strip())
        read = int(said.split(" ")[0].replace(",", "") or 0)
        print(
            f"{time.monotonic() - began:.1f} s, {cpu:.1f} s of processor time, "
            f"{1e6 * cpu / max(1, read):.0f} us for each line read; {int(peak or 0) / 1024:.0f} MB at most"
        )
        again = imported(command, None).partition("peak ")[0]
        verify = subprocess.run(
            [sys.executable, "-m", "chatlog", "verify", archive], capture_output=True, text=True, check=False
        )
        print(verify.stdout.strip().splitlines()[-1])
        found = ids_in(archive)
        print(f"{len(found)} records, {len(set(found))} of {len(ids)} ids; again: {again.strip()}")
        return 0 if verify.returncode == 0 and sorted(found) == sorted(ids) else 1


if __name__ == "__main__":
    sys.exit(main())
