"""Readers beside a recorder at work: whether their answers are right, and what they cost the recorder.

    python -m bench.readers [--rooms 300] [--rate 2000] [--readers 20] [--minutes 5] [--store PROGRAM]

A recorder, an S3 server that takes its files every 20 seconds, and the archive server beside the recorder.
The S3 server is one in Python that keeps objects in memory, or with ``--store`` versitygw, of which this is
the path: with the one in Python, most of the time of an answer is that server's.
Readers ask in a loop for a room's minute that is over, and compare what they get with what the simulator
sent. Windows with readers and without take turns; the recorder's CPU a message is printed for
both. Exit status 1: an answer was wrong, or something was lost. What it starts ends with it.
"""

from __future__ import annotations

import argparse
import http.client
import random
import statistics
import sys
import threading
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import Any

import orjson

from bench.daemon import count, even_chat
from bench.read import TWISTD, listens
from bench.stores.trial import free_ports
from tests.processes import KEYS, Process, Stage, on_stage, wait_for

#: Seconds after the end of a minute at which all of it is recorded: a tick, and what a busy machine adds.
CLOSED = 5.0
#: Seconds after which a minute is asked for again of which something is missing or too much. A machine that
#: is very busy may need more than CLOSED: that is counted as late.
AGAIN = 15.0
MINUTE = 60_000
#: Seconds of a window: twice the time after which files are finished, so that each has as many uploads.
WINDOW = 40.0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.readers", description=__doc__.split("\n")[0])
    parser.add_argument("--rooms", type=int, default=300)
    parser.add_argument("--rate", type=float, default=2000, help="messages a second over all rooms")
    parser.add_argument("--readers", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=5, help="with and without readers together")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between two questions of a reader")
    parser.add_argument("--store", default="", help="the path of versitygw")
    return parser.parse_args()


class Sent:
    """What was sent by room and minute: the ids of chat messages, from the oracle as it grows. A message that
    has no id has no time of its own either, and may be in the minute after."""

    def __init__(self, path: Any, since: float) -> None:
        self._file = open(path, "rb")  # noqa: SIM115
        self._since = since * 1000
        self._rest = b""
        self._lock = threading.Lock()
        # Until when everything that was sent has been read.
        self._until = 0.0
        self._ids: defaultdict[tuple[str, int], Counter[str]] = defaultdict(Counter)

    def has_minute(self) -> bool:
        """Whether a minute is over, now that what is new was taken in."""
        self.read()
        return self.choose(random.Random(1)) is not None

    def read(self) -> None:
        """Take in what is new."""
        until = time.time()
        data = self._rest + self._file.read()
        end = data.rfind(b"\n") + 1
        self._rest = data[end:]
        with self._lock:
            for line in data[:end].splitlines():
                if b'"type":"message"' in line:
                    event = orjson.loads(line)
                    if event["id"]:
                        self._ids[event["channel"], event["at"] // MINUTE][event["id"]] += 1
            self._until = until

    def choose(self, chance: random.Random) -> tuple[str, int] | None:
        """A room, and a minute of it that is over and was recorded from its beginning."""
        with self._lock:
            last = int((self._until - CLOSED) * 1000) // MINUTE
            fit = [key for key in self._ids if key[1] < last and key[1] * MINUTE >= self._since]
            return chance.choice(fit) if fit else None

    def of(self, room: str, minute: int) -> Counter[str]:
        """The messages of a room and minute."""
        with self._lock:
            return self._ids[room, minute].copy()


class Readers:
    """Ask in a loop while ``asking`` is set, until ``leave``."""

    def __init__(self, port: int, sent: Sent, number: int, pause: float) -> None:
        self._port = port
        self._sent = sent
        self._pause = pause
        self.asking = threading.Event()
        self._gone = threading.Event()
        self.answers = self.late = 0
        self.wrong: list[str] = []
        self.seconds: list[float] = []
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(number)]
        for thread in self._threads:
            thread.start()

    def leave(self) -> None:
        """End all of them."""
        self._gone.set()
        self.asking.set()
        for thread in self._threads:
            thread.join()

    def _run(self, n: int) -> None:
        chance = random.Random(n)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        while not self._gone.wait(self._pause):
            if not self.asking.is_set():
                # The server closes a connection that is idle for half a minute, while this one waits longer.
                connection.close()
                self.asking.wait()
            chosen = self._sent.choose(chance)
            if chosen is None:
                self._gone.wait(1.0)
                continue
            try:
                self._ask(connection, *chosen)
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.wrong.append(f"no answer: {error!r}")
                connection.close()
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection, room: str, minute: int) -> None:
        found = self._found(connection, room, minute)
        if found is None:
            return
        expected = self._sent.of(room, minute)
        if found != expected:
            self._gone.wait(AGAIN)
            connection.close()
            found = None
            while found is None:
                found = self._found(connection, room, minute)
            expected = self._sent.of(room, minute)
            self.late += found == expected
        if found != expected:
            missing, more = (expected - found).total(), (found - expected).total()
            amount = f"{missing} missing, {more} too many, of {expected.total()}"
            self.wrong.append(f"{room} {_time(minute * MINUTE)}: {amount}")

    def _found(self, connection: http.client.HTTPConnection, room: str, minute: int) -> Counter[str] | None:
        """What the server answers; None if it asks to come again later."""
        since, until = (_time(at * MINUTE) for at in (minute, minute + 1))
        path = f"/api/v1/archive/rooms/twitch/{room}/messages?from={since}&to={until}&order=oldest"
        began = time.monotonic()
        # As many people behind a proxy, each with an address of their own.
        people = {"X-Forwarded-For": f"10.0.0.{1 + minute % 250}"}
        connection.request("GET", f"{path}&type=message&limit=1000", headers=people)
        answer = connection.getresponse()
        found = orjson.loads(answer.read())
        if answer.status == 429:
            # All readers have one address here, and together ask more often than one may.
            self._gone.wait(float(answer.headers["Retry-After"]))
            return None
        if answer.status != 200:
            raise ValueError(f"{path} was answered with {answer.status}")
        self.seconds.append(time.monotonic() - began)
        self.answers += 1
        return Counter(record["id"] for record in found["records"] if record.get("id"))


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def run(options: argparse.Namespace, stage: Stage) -> int:
    """Measure and print; the exit status."""
    starting = options.rooms * 10 / 2000 + 60
    simulator = even_chat(
        stage, options.rooms, options.rate, starting + 60 * options.minutes + 240, tick=0.001
    )
    if options.store:
        versitygw(stage, options.store)
    else:
        stage.s3()
    rooms = [f"room{n}" for n in range(1, options.rooms + 1)]
    path = stage.config(
        {
            "twitch": {"channels": rooms, "joins_per_10s": 2000},
            "kick": None,
            "s3": stage.s3_settings(),
            "uploader": {"compression": "zstd"},
            "recorder": {"directory": str(stage.home / "data"), "rotate_interval": "20s"},
        }
    )
    daemon = stage.daemon()
    daemon.says(rf"recording {options.rooms} of {options.rooms}", starting)
    sent = Sent(simulator.oracle, time.time() + 1)
    command = ["nice", "-n", "10", sys.executable, "-c", TWISTD, "-n", "--pidfile=", "chatlog-archive"]
    arguments_ = ["--config", str(path), "--beside", "--listen", "127.0.0.1:0"]
    server = Process("chatlog-archive", [*command, *arguments_], stage.home / "archive.log", {})
    stage.running.append(server)
    port = int(server.says(r"archive at http://127\.0\.0\.1:(\d+)/").rpartition(":")[2].rstrip("/"))
    readers = Readers(port, sent, options.readers, options.pause)
    costs: dict[bool, list[float]] = {True: [], False: []}
    try:
        wait_for("a minute that is over", sent.has_minute, 150, 1.0)
        end = time.monotonic() + 60 * options.minutes
        begun = server.cpu()
        reading = True
        while time.monotonic() < end:
            if reading:
                readers.asking.set()
            else:
                readers.asking.clear()
            time.sleep(2)
            costs[reading].append(_window(daemon, simulator, sent))
            reading = not reading
    finally:
        readers.leave()
    simulator.end()
    time.sleep(3)
    late = f", {readers.late} of them late by up to {AGAIN:.0f} s" if readers.late else ""
    print(f"answers            {readers.answers}, {len(readers.wrong)} wrong{late}")
    for text in readers.wrong[:5]:
        print(f"  {text}")
    if readers.seconds:
        ordered = sorted(readers.seconds)
        middle, slow = statistics.median(ordered), ordered[int(len(ordered) * 0.99)]
        print(f"an answer takes    {middle:.2f} s in the middle, {slow:.2f} s of 99 %")
    each = 1e3 * (server.cpu() - begun) / max(1, readers.answers)
    print(f"archive server     {each:.1f} ms of CPU an answer, {server.peak():.0f} MB at most")
    without, with_ = (statistics.median(costs[reading] or [0.0]) for reading in (False, True))
    change = f"{with_ / without - 1:+.1%}" if without else "-"
    print(f"recorder's CPU     {without:.1f} us a message without readers, {with_:.1f} with, {change}")
    daemon.end(limit=60)
    again = stage.daemon()
    wait_for("an empty spool", lambda: not stage.local_files(), 120)
    again.end()
    found = stage.judge(stage.fetch())
    print(f"sent               {found['sent']}, recorded {found['recorded']}, lost {found['lost']}")
    return 1 if readers.wrong or found["lost"] or not readers.answers else 0


def versitygw(stage: Stage, program: str) -> None:
    """An S3 server on the stage, with the bucket."""
    (port,) = free_ports(1)
    (stage.home / "buckets" / "chatlog").mkdir(parents=True)
    keys = ["--access", KEYS["access_key_id"], "--secret", KEYS["secret_access_key"]]
    command = [program, *keys, "--port", f"127.0.0.1:{port}", "posix", str(stage.home / "buckets")]
    process = Process("versitygw", command, stage.home / "versitygw.log", {})
    stage.running.append(process)
    wait_for("versitygw listens", lambda: listens(port))
    stage.endpoint = f"http://127.0.0.1:{port}"


def _window(daemon: Process, simulator: Any, sent: Sent) -> float:
    """The recorder's CPU a message over a window, in microseconds."""
    cpu, number = daemon.cpu(), count(simulator)
    end = time.monotonic() + WINDOW
    while time.monotonic() < end:
        time.sleep(1)
        sent.read()
    return 1e6 * (daemon.cpu() - cpu) / max(1, count(simulator) - number)


def main() -> int:
    """Run on a stage and leave nothing behind."""
    options = arguments()
    return on_stage(lambda stage: run(options, stage))


if __name__ == "__main__":
    sys.exit(main())
