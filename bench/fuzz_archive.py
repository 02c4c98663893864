"""Requests at random against the archive server: ``python -m bench.fuzz_archive --minutes N``.

Routes, names, times and parameters are right, nearly right, or nonsense; some requests are no HTTP, some
clients leave in the middle. A finding is an answer of status 500 or above (but 503, which says why), an
answer with what lies in a file outside the archive, a server that ended, and memory that grows. Exit status
1 if there is one. Everything is on loopback and ends with it.
"""

from __future__ import annotations

import argparse
import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import quote

from bench.read import Server, configuration, written
from tests.processes import Failed

#: What no answer may hold: it lies beside the archive.
SECRET = b"what-lies-outside-the-archive"
MESSAGES, DAYS = 20_000, 3
CLIENTS = 6
#: MB by which memory may grow once every route was asked for many times.
GROWTH = 40.0
ROUTES = (
    "/firehose",
    "/kick/firehose?jsonBasic",
    "/",
    "/channels",
    "/list",
    "/capabilities",
    "/namehistory/{x}",
    "/channel/{room}",
    "/channel/{room}/{date}",
    "/channel/{room}/random",
    "/channel/{room}/stats",
    "/channel/{room}/user/{x}",
    "/channel/{room}/user/{x}/{month}",
    "/channel/{room}/user/{x}/{date}",
    "/channel/{room}/user/{x}/search",
    "/channel/{room}/userid/{x}/{month}",
    "/channelid/{x}/{date}",
    "/kick/channel/{room}/{date}",
    "/api/v2/recent-messages/{room}",
    "/api/v1/archive/rooms",
    "/api/v1/archive/rooms/twitch/{room}/days",
    "/api/v1/archive/rooms/twitch/{room}/messages",
    "/api/v1/archive/rooms/kick/{x}/messages",
    "/api/v1/archive/search",
    "/api/v1/archive/users/twitch/{x}",
    "/api/v1/archive/openapi.json",
    "/healthz",
    "/firehose",
    "/{x}",
    "/{x}/{x}/{x}",
)
PARAMETERS = (
    "json",
    "jsonBasic",
    "raw",
    "reverse",
    "gaps",
    "from",
    "to",
    "limit",
    "offset",
    "q",
    "regex",
    "room",
    "user",
    "type",
    "badge",
    "without",
    "order",
    "cursor",
    "month",
    "channel",
    "channelid",
    "userid",
    "hide_moderation_messages",
    "before",
    "after",
    "platform",
    "format",
    "jsonp",
)
NONSENSE = (
    "",
    "0",
    "1",
    "-1",
    "99999999999999999999",
    "1e400",
    "nan",
    "true",
    "../../secret.txt",
    "..%2f..%2fsecret.txt",
    "%2e%2e/%2e%2e/secret.txt",
    "....//secret.txt",
    "/etc/passwd",
    "\0",
    "\r\nX-Injected: 1",
    "<script>alert(1)</script>",
    "é",
    "ß",
    "\U0001f600",
    "a" * 5000,
    "(" * 400,
    "(a+)+$",
    "[[:alpha:]]*",
    "id:1234",
    "id:",
    "@",
    "#room1",
    "twitch/room1,kick/room1",
    "*",
    "%",
    "%zz",
    "%ff%fe",
    "2026-13-45",
    "0000-00-00",
    "9999-12-31T23:59:59Z",
    "-62135596800",
    "253402300800",
    "random()",
    "{}",
    "null",
)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz_archive", description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


class Requests:
    """Makes up requests."""

    def __init__(self, seed: int, days: list[str]) -> None:
        self._chance = random.Random(seed)
        self._days = days

    def next(self) -> bytes:
        """The next request, as it goes over the wire."""
        chance = self._chance
        path = chance.choice(ROUTES)
        for name, make in (("room", self._room), ("date", self._date), ("month", self._month)):
            path = path.replace(f"{{{name}}}", make() if chance.random() < 0.8 else self._nonsense())
        while "{x}" in path:
            path = path.replace("{x}", self._nonsense(), 1)
        names = chance.sample(PARAMETERS, chance.choice((0, 0, 1, 1, 2, 3, 6)))
        query = "&".join(f"{name}={self._value()}" if chance.random() < 0.9 else name for name in names)
        method = chance.choice(("GET",) * 12 + ("HEAD", "OPTIONS", "POST", "PUT", "DELETE", "X\0"))
        head = [f"{method} {path}{'?' if query else ''}{query} HTTP/1.1", "Host: 127.0.0.1"]
        # One address alone is not answered that often.
        head.append(f"X-Forwarded-For: 10.{chance.randrange(256)}.{chance.randrange(256)}.1")
        for header, values in (
            ("Accept-Encoding", ("gzip", "zstd", "br;q=1, *;q=0", "\x01")),
            ("If-None-Match", ('"x"', "*", "W/", 'W/"a", "b"')),
            ("Range", ("bytes=0-10", "bytes=-", "lines=1-2")),
            ("Origin", ("https://example.com", "null", "http://[")),
            ("Content-Length", ("0", "0", "-1", "x", "99999999999")),
            ("Content-Type", ("application/json",)),
            ("Upgrade", ("websocket",)),
        ):
            if chance.random() < 0.15:
                head.append(f"{header}: {chance.choice(values)}")
        data = "\r\n".join([*head, "Connection: close", "", ""]).encode("utf-8", "surrogateescape")
        if chance.random() < 0.05:
            at = chance.randrange(len(data))
            data = data[:at] + chance.randbytes(chance.randrange(1, 40)) + data[at:]
        return data

    def _room(self) -> str:
        return self._chance.choice(("room1", "ROOM1", "room2", "%23room1", "id:1"))

    def _date(self) -> str:
        year, month, day = self._chance.choice(self._days).split("-")
        return f"{year}/{int(month)}/{int(day)}"

    def _month(self) -> str:
        return self._date().rpartition("/")[0]

    def _value(self) -> str:
        return self._chance.choice((self._nonsense, self._room, lambda: self._chance.choice(self._days)))()

    def _nonsense(self) -> str:
        chance = self._chance
        text = chance.choice(NONSENSE)
        if chance.random() < 0.1:
            text = "".join(map(chr, (chance.randrange(1, 0xD800) for _ in range(chance.randrange(20)))))
        return text if text.startswith("%") or (chance.random() < 0.2 and text.isprintable()) else quote(text)


class Client:
    """Asks until ``end``, and keeps what it found."""

    def __init__(self, port: int, requests: Requests, chance: random.Random) -> None:
        self._port = port
        self._requests = requests
        self._chance = chance
        self.statuses: Counter[str] = Counter()
        self.findings: list[str] = []

    def run(self, end: float) -> None:
        """Ask until a time of the monotonic clock."""
        while time.monotonic() < end and len(self.findings) < 20:
            request = self._requests.next()
            try:
                self._ask(request)
            except OSError as error:
                self.statuses[type(error).__name__] += 1

    def _ask(self, request: bytes) -> None:
        with socket.create_connection(("127.0.0.1", self._port), timeout=10) as connection:
            connection.sendall(request)
            leaves = self._chance.random() < 0.05
            answer = bytearray()
            while data := connection.recv(1 << 16):
                answer += data
                if leaves:
                    return
                if len(answer) > 1 << 20:
                    # The rest is like it.
                    break
        status = bytes(answer[9:12]).decode("ascii", "replace")
        self.statuses[status or "none"] += 1
        if SECRET in answer:
            self.findings.append(f"answered with a file outside the archive: {request!r}")
        if status.startswith("5") and status not in ("501", "503", "505"):
            self.findings.append(f"status {status}: {request!r}")
        if b"\nX-Injected" in answer.partition(b"\r\n\r\n")[0]:
            self.findings.append(f"a header that the client made up: {request!r}")


def run(home: Path, options: argparse.Namespace) -> int:
    """Ask and print; the exit status."""
    archive = written(home, "archive", MESSAGES, DAYS)
    (home / "secret.txt").write_bytes(SECRET)
    server = Server(home, configuration(home, {"archive": {"directory": str(archive)}}))
    days = sorted({"-".join(path.parts[-6:-3]) for path in archive.glob("2*/*/*/*/*/*")}) or ["2026-01-01"]
    clients = [
        Client(server.port, Requests(1000 * options.seed + n, days), random.Random(n)) for n in range(CLIENTS)
    ]
    began = time.monotonic()
    threads = [threading.Thread(target=c.run, args=(began + 60 * options.minutes,)) for c in clients]
    for thread in threads:
        thread.start()
    before = 0.0
    while any(thread.is_alive() for thread in threads):
        time.sleep(2)
        if not before and time.monotonic() - began > min(60.0, 20 * options.minutes):
            before = server.resident()
    findings = [text for client in clients for text in client.findings]
    statuses = sum((client.statuses for client in clients), Counter[str]())
    print(f"{sum(statuses.values())} requests:", ", ".join(f"{n} x {s}" for s, n in statuses.most_common()))
    if not server.alive:
        findings.append(f"the server ended: {server.output()[-2000:]}")
    else:
        time.sleep(2)
        after = server.resident()
        print(
            f"memory: {before:.0f} MB after the first minute, {after:.0f} MB at the end, "
            f"{server.peak():.0f} MB at most"
        )
        if before and after - before > GROWTH:
            findings.append(f"memory grew by {after - before:.0f} MB")
        server.end()
    if "Traceback" in server.output():
        findings.append(f"a traceback in the log: {server.output()[-3000:]}")
    for text in findings[:20]:
        print(f"FOUND {text[:1500]}")
    print("nothing found" if not findings else f"{len(findings)} findings")
    return 1 if findings else 0


def main() -> int:
    """Run in a directory of its own and leave nothing behind."""
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="chatlog-fuzz-") as home:
        try:
            return run(Path(home), options)
        except Failed as error:
            print(error, file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main())
