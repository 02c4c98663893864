"""What reading the archive back costs: searches, the log routes over HTTP, and a store that is far away.

    python -m bench.read [--messages 1000000] [--archive DIRECTORY] [--store PROGRAM]

Writes an archive of made-up chat (or reads the one at ``--archive``) and prints

- CPU a message of a search by user, by text and by pattern, and the memory that it took;
- messages a second of the server's CPU for a day as text, JSON and basic JSON; the first byte; memory;
- the server's memory when idle, and with eight searches at once;
- with ``--store``, the path of versitygw: a person's month in a room of 300,000 messages (or in room1 of the
  archive that is given), a day, a rare and a frequent word and a person in all rooms, from an S3 server that
  takes 30 ms longer for every request, cold and warm. ``--far`` measures nothing else, ``--only day`` only
  those of which the name has ``day``. The archive that it makes is compacted; one that is given should be.

Everything is on loopback. What it starts ends with it.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import re
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from bench.delay import Delay
from bench.stores.trial import free_ports
from chatlog import configuration as config
from chatlog.archive.matching import Filter
from chatlog.archive.opening import open_archive
from chatlog.archive.question import Question
from tests.processes import KEYS, Failed, Process, wait_for

ROOM = ("twitch", "room1")
#: Seconds that the store far away takes longer for a request.
FAR = 0.030
#: Messages of the room whose month is asked for, and days that it is spread over.
MONTH, DAYS = 300_000, 30
TWISTD = "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.read", description=__doc__.split("\n")[0])
    parser.add_argument("--messages", type=int, default=1_000_000, help="in the archive, a day of one room")
    parser.add_argument("--archive", default="", help="what write_archive made; room1 is read")
    parser.add_argument("--store", default="", help="the path of versitygw, for the store far away")
    parser.add_argument("--far", action="store_true", help="only the store far away")
    parser.add_argument("--only", default="", help="of the store far away, only rows with this in their name")
    parser.add_argument("--keep", default="", help="where the archives are made, and kept")
    return parser.parse_args()


# -- archives ----------------------------------------------------------------------------------------


def written(home: Path, name: str, messages: int, days: int) -> Path:
    """An archive of one room of Twitch; made, unless it is there."""
    directory = home / name
    if not directory.exists():
        options = ["--messages", str(messages), "--days", str(days), "--rooms", "1", "--kick-rooms", "0"]
        making = Process(
            "write_archive",
            [sys.executable, "-m", "chatlog.simulator.write_archive", str(directory), *options],
            home / f"{name}.log",
            {},
        )
        if making.popen.wait(3600) != 0:
            raise Failed(making.output())
    return directory


def configuration(home: Path, settings: dict[str, Any]) -> Path:
    """A configuration file for readers of an archive."""
    rooms = {"twitch": {"channels": ["room1"]}, "recorder": {"directory": str(home / "no-spool")}}
    path = home / f"read-{'s3' if 's3' in settings else 'directory'}.yaml"
    path.write_text(yaml.safe_dump({**rooms, "http": {"listen": "127.0.0.1:0"}, **settings}))
    return path


# -- searches ----------------------------------------------------------------------------------------


def _status(name: str) -> float:
    """A line of this process's status, in MB."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 / 1e6 if found else 0.0


def searched(path: str, wanted: Filter) -> tuple[int, float, float]:
    """How many records a filter finds, the seconds of CPU that takes, and by how many MB memory grows."""
    archive = open_archive(config.load(path, dict(os.environ)), time.time, spool=False)
    before, began = _status("VmRSS"), time.process_time()
    found = sum(1 for _ in archive.reader.ask(Question(ROOM, filter=wanted)))
    return found, time.process_time() - began, _status("VmHWM") - before


def people(path: str) -> tuple[int, list[tuple[str, int]]]:
    """How many records there are, and who wrote how many, the busiest first."""
    archive = open_archive(config.load(path, dict(os.environ)), time.time, spool=False)
    wrote: Counter[str] = Counter()
    total = 0
    for found in archive.reader.ask(Question(ROOM)):
        total += 1
        if match := re.search(rb'"username":"([^"]+)"', found.line):
            wrote[match[1].decode()] += 1
    return total, wrote.most_common()


def alone(function: Callable[..., Any], *given: Any) -> Any:
    """The result of a function in a new process."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(function, *given).result()


def print_searches(path: Path) -> str:
    """Measure searches; somebody who is neither busy nor quiet."""
    total, wrote = alone(people, str(path))
    who = wrote[len(wrote) // 4][0]
    print(f"{total} records of {len(wrote)} people in {'/'.join(ROOM)}\n")
    print(f"{'search':34} {'found':>8} {'CPU a message':>14} {'memory':>8}")
    for name, wanted in {
        f"by user ({who})": Filter(users=(who,)),
        "a text, in any case (Stream)": Filter(text="Stream"),
        "a text that nobody wrote": Filter(text="zyxwvutsrq"),
        "a pattern (str[ea]+m\\b)": Filter(regex=r"str[ea]+m\b"),
        "everything": Filter(),
    }.items():
        found, seconds, memory = alone(searched, str(path), wanted)
        print(f"{name:34} {found:8} {1e6 * seconds / total:11.2f} us {memory:+5.0f} MB", flush=True)
    return str(who)


# -- the server --------------------------------------------------------------------------------------


class Server(Process):
    """The archive server, in a process of its own, at ``port``."""

    def __init__(self, home: Path, path: Path) -> None:
        command = [
            sys.executable,
            "-c",
            TWISTD,
            "-n",
            "--pidfile=",
            "chatlog-archive",
            "--config",
            str(path),
        ]
        log = home / f"server-{path.stem}.log"
        log.unlink(missing_ok=True)
        super().__init__(
            "chatlog-archive", [*command, "--config", str(path), "--listen", "127.0.0.1:0"], log, {}
        )
        self.port = int(self.says(r"archive at http://127\.0\.0\.1:(\d+)/").rpartition(":")[2].rstrip("/"))

    def get(self, path: str) -> tuple[float, float, int, int]:
        """Seconds to the first byte and to the last one, lines, and bytes of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        began = time.monotonic()
        connection.request("GET", path)
        answer = connection.getresponse()
        data = answer.read(1)
        first, lines, size = time.monotonic() - began, data.count(b"\n"), len(data)
        while data := answer.read(1 << 20):
            lines += data.count(b"\n")
            size += len(data)
        connection.close()
        if answer.status != 200:
            raise Failed(f"{path} was answered with {answer.status}")
        return first, time.monotonic() - began, lines, size


@contextmanager
def serving(home: Path, path: Path) -> Iterator[Server]:
    """The server of a configuration, ended at the end."""
    server = Server(home, path)
    try:
        yield server
    finally:
        server.end()


def print_server(home: Path, path: Path) -> None:
    """Measure the log routes over the busiest day, and searches at once."""
    with serving(home, path) as server:
        idle = server.resident()
        days = get_json(server, "/api/v1/archive/rooms/twitch/room1/days")["days"]
        day = max(days, key=lambda day: day["records"] or 0)["day"]
        year, month, number = day.split("-")
        route = f"/channel/room1/{year}/{int(month)}/{int(number)}"
        count = server.get(route)[2]
        print(f"\n{count} lines on {day}\n")
        print(f"{'a day as':12} {'messages/s a core':>18} {'first byte':>11} {'memory':>8}")
        for name, query in {"text": "", "jsonBasic": "?jsonBasic=1", "json": "?json=1"}.items():
            before = server.cpu()
            first, *_ = server.get(route + query)
            rate = count / (server.cpu() - before)
            print(f"{name:12} {rate:18,.0f} {1e3 * first:8.0f} ms {server.peak():5.0f} MB", flush=True)
    with serving(home, path) as server:
        paths = [f"/api/v1/archive/search?room=twitch/room1&q=word{n}&oldest=1" for n in range(8)]
        threads = [threading.Thread(target=server.get, args=(path,)) for path in paths]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(f"\nmemory: {idle:.0f} MB idle, {server.peak():.0f} MB with eight searches at once", flush=True)


def get_json(server: Server, path: str) -> Any:
    """An answer of the server's own API."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", path)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


# -- a store far away --------------------------------------------------------------------------------


def compacted(home: Path, archive: Path) -> Path:
    """The archive with Parquet and an index of its days."""
    if not (archive / "index").exists():
        path = configuration(home, {"archive": {"directory": str(archive.resolve())}})
        command = [sys.executable, "-m", "chatlog", "compact", "--config", str(path)]
        making = Process("compact", command, home / "compact.log", {})
        if making.popen.wait(3600) != 0:
            raise Failed(making.output())
    return archive


def print_far(home: Path, program: str, given: Path | None = None, only: str = "") -> None:
    """Measure what people ask most, from an S3 server behind a delay, of the archive that is ``given`` or of
    one of 300,000 messages; ``only`` routes with this in their names."""
    archive = given or compacted(home, written(home, "month", MONTH, DAYS))
    bucket = home / "buckets" / "chatlog"
    if not bucket.exists():
        # It is only read.
        shutil.copytree(archive, bucket, copy_function=os.link if given else shutil.copy2)
    total, wrote = alone(people, str(configuration(home, {"archive": {"directory": str(archive.resolve())}})))
    who = wrote[len(wrote) // 4][0]
    months = Counter(name[:7] for name in _days(archive))
    year, number = months.most_common(1)[0][0].split("-")
    day = sorted(name for name in _days(archive) if name.startswith(f"{year}-{number}-"))[0]
    every = _all(archive)
    search = "/api/v1/archive/search?q="
    routes = {
        f"the month of {who}": f"/channel/room1/user/{who}/{year}/{int(number)}",
        "a day as text": f"/channel/room1/{year}/{int(number)}/{int(day[8:])}",
        "a word that nobody wrote, all rooms": f"{search}zyxwvutsrq&{every}",
        "a frequent word's newest 100, all rooms": f"{search}stream&limit=100&{every}",
        f"where {wrote[-1][0]} wrote": f"/api/v1/archive/users/twitch/{wrote[-1][0]}?{every}",
    }
    print(f"\n{total} records of room1, {1e3 * FAR:.0f} ms more for every request:\n")
    print(f"{'':40} {'cold':>7} {'first byte':>11} {'warm':>7} {'CPU, warm':>10}")
    with far_away(home, program) as path:
        for name, route in ((name, route) for name, route in routes.items() if only in name):
            cold, first, warm, cpu = [], [], [], []
            for _ in range(3):
                for made in ("no-spool", "cache"):
                    shutil.rmtree(home / made, ignore_errors=True)
                with serving(home, path) as server:
                    begun, took, *_ = server.get(route)
                    cold.append(took)
                    first.append(begun)
                    for _ in range(3):
                        before = server.cpu()
                        warm.append(server.get(route)[1])
                        cpu.append(server.cpu() - before)
            middle = [statistics.median(each) for each in (cold, first, warm, cpu)]
            print("{:40} {:5.2f} s {:9.2f} s {:5.2f} s {:8.2f} s".format(name, *middle), flush=True)


def _all(archive: Path) -> str:
    """The whole time of an archive, as parameters."""
    days = sorted(_days(archive))
    return f"from={days[0]}T00:00:00Z&to={days[-1]}T23:59:59Z"


@contextmanager
def far_away(home: Path, program: str) -> Iterator[Path]:
    """A configuration for the bucket in ``home``, served by versitygw behind the delay."""
    (port,) = free_ports(1)
    keys = ["--access", KEYS["access_key_id"], "--secret", KEYS["secret_access_key"]]
    command = [program, *keys, "--port", f"127.0.0.1:{port}", "posix", str(home / "buckets")]
    store = Process("versitygw", command, home / "versitygw.log", {})
    delay = Delay("127.0.0.1", port, FAR)
    try:
        wait_for("versitygw listens", lambda: listens(port))
        endpoint = f"http://127.0.0.1:{delay.port}"
        store_of = {"bucket": "chatlog", "endpoint": endpoint, **KEYS}
        yield configuration(home, {"s3": store_of, "archive": {"cache": str((home / "cache").resolve())}})
    finally:
        delay.close()
        store.end()


def _days(archive: Path) -> list[str]:
    """The day of each object of an archive."""
    found = (re.search(r"_(\d{4})(\d{2})(\d{2})_\d{4}", path.name) for path in archive.rglob("twitch_*"))
    return ["-".join(match.groups()) for match in found if match]


def listens(port: int) -> bool:
    """Whether a server answers at a port of this machine."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
        return True
    except OSError:
        return False
    finally:
        connection.close()


def main() -> int:
    """Measure and print; the exit status."""
    options = arguments()
    home = Path(options.keep or tempfile.mkdtemp(prefix="chatlog-read-"))
    home.mkdir(parents=True, exist_ok=True)
    try:
        given = Path(options.archive) if options.archive else None
        if not options.far:
            archive = given or written(home, "day", options.messages, 1)
            path = configuration(home, {"archive": {"directory": str(archive.resolve())}})
            print_searches(path)
            print_server(home, path)
        if options.store:
            print_far(home, options.store, given, options.only)
        return 0
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        if not options.keep:
            shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
