"""What browsers cost the recorder: the daemon's CPU a message without any, and with ten of them.

    python -m bench.page --rooms 500 --rate 2000

Five show the page about everything and ask as often as it does; five show the chat of the busiest rooms,
and one of those takes nothing of what it is sent. Windows with and without browsers take turns, so that
whatever else the machine does meets both.
"""

from __future__ import annotations

import argparse
import http.client
import re
import socket
import statistics
import sys
import threading
import time
from typing import Any

from bench.daemon import count
from tests.processes import Process, Stage, on_stage

#: Seconds between two looks of the page about everything: at the facts, and at the rooms.
STATUS_EVERY, ROOMS_EVERY = 2.0, 6.0
#: The same of a room's page, at the room.
ROOM_EVERY = 5.0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.page", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--rooms", type=int, default=500, help="Twitch rooms")
    add("--rate", type=float, default=2000, help="messages a second over all rooms")
    add("--pages", type=int, default=5, help="browsers with the page about everything")
    add("--viewers", type=int, default=5, help="browsers with a room's chat; the last one is stalled")
    add("--seconds", type=float, default=10, help="length of a window")
    add("--windows", type=int, default=7, help="windows with browsers, and as many without")
    return parser.parse_args()


class Browsers:
    """Browsers in threads; each runs until ``leave``."""

    def __init__(self, port: int, pages: int, viewers: int) -> None:
        self._port = port
        self._gone = threading.Event()
        self.answers = 0
        self.events = 0
        self.bytes = 0
        self.troubles: list[str] = []
        self._lock = threading.Lock()
        jobs: list[tuple[Any, ...]] = [(self._page, page / pages) for page in range(pages)]
        for viewer in range(viewers):
            jobs.append((self._stalled if viewer == viewers - 1 else self._viewer, f"room{viewer + 1}"))
            jobs.append((self._room, f"room{viewer + 1}"))
        self._threads = [threading.Thread(target=self._run, args=job) for job in jobs]
        for thread in self._threads:
            thread.start()

    def leave(self) -> None:
        """Close them all."""
        self._gone.set()
        for thread in self._threads:
            thread.join()

    def _run(self, browse: Any, given: Any) -> None:
        try:
            browse(given)
        except (OSError, http.client.HTTPException) as error:
            self.troubles.append(f"{browse.__name__}: {error!r}")

    def _page(self, phase: float) -> None:
        self._gone.wait(phase * STATUS_EVERY)
        self._poll({"/api/v1/status": STATUS_EVERY, "/api/v1/rooms": ROOMS_EVERY})

    def _room(self, name: str) -> None:
        self._poll({f"/api/v1/rooms/twitch/{name}": ROOM_EVERY})

    def _poll(self, paths: dict[str, float]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        due = dict.fromkeys(paths, 0.0)
        tags: dict[str, str] = {}
        # Woken only when there is something to ask: what else runs here costs the daemon its caches.
        while not self._gone.wait(max(0.0, min(due.values()) - time.monotonic())):
            for path, at in due.items():
                if time.monotonic() < at:
                    continue
                headers = {"Accept-Encoding": "gzip"}
                if path in tags:
                    headers["If-None-Match"] = tags[path]
                connection.request("GET", path, headers=headers)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status not in (200, 304):
                    self.troubles.append(f"{path}: {answer.status}")
                tags[path] = answer.headers.get("ETag", "")
                due[path] = time.monotonic() + paths[path]
                with self._lock:
                    self.answers += 1
                    self.bytes += len(body)
        connection.close()

    def _connect(self, name: str, buffer: int | None = None) -> socket.socket:
        stream = socket.socket()
        if buffer is not None:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        stream.settimeout(10)
        stream.connect(("127.0.0.1", self._port))
        head = f"GET /api/v1/rooms/twitch/{name}/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        stream.sendall(head.encode())
        return stream

    def _viewer(self, name: str) -> None:
        with self._connect(name) as stream:
            while not self._gone.is_set():
                data = stream.recv(1 << 16)
                if not data:
                    raise ConnectionResetError("dropped")
                with self._lock:
                    self.events += data.count(b"data: {")
                    self.bytes += len(data)

    def _stalled(self, name: str) -> None:
        # Dropped by the recorder after a while; a browser comes back then.
        while not self._gone.is_set():
            with self._connect(name, 4096):
                self._gone.wait(45)


class Windows:
    """CPU and messages of all windows of a kind."""

    def __init__(self) -> None:
        self._each: list[float] = []
        self._messages = 0
        self._seconds = 0.0

    def measure(self, daemon: Process, simulator: Any, seconds: float) -> None:
        """Add a window."""
        cpu, sent, began = daemon.cpu(), count(simulator), time.monotonic()
        time.sleep(seconds)
        cpu, sent = daemon.cpu() - cpu, count(simulator) - sent
        self._each.append(cpu / max(1, sent) * 1e6)
        self._messages += sent
        self._seconds += time.monotonic() - began

    @property
    def middle(self) -> float:
        """Microseconds of CPU a message in the middle one of the windows."""
        return statistics.median(self._each)

    def __str__(self) -> str:
        rate = self._messages / self._seconds
        spread = f"{min(self._each):.1f} to {max(self._each):.1f}"
        share = self.middle * rate / 1e4
        return f"{self.middle:.1f} us a message ({spread}), {rate:.0f} a second, {share:.1f} % of a core"


def run(options: argparse.Namespace, stage: Stage) -> int:
    """Measure and print; the exit status."""
    length = 2 * options.windows * (options.seconds + 2)
    simulator = stage.simulator(
        rate=options.rate,
        spread="zipf",
        kick_share=0,
        channels=options.rooms,
        own_records=True,
        seed=7,
        duration=round(length + options.rooms / 20 + 120),
    )
    channels = [f"room{n}" for n in range(1, options.rooms + 1)]
    stage.config(
        {
            "twitch": {"channels": channels, "joins_per_10s": 2000},
            "kick": None,
            "http": {"listen": "127.0.0.1:0"},
            # No upload in one window and not in another.
            "recorder": {"directory": str(stage.home / "data"), "rotate_size": "1GB"},
        }
    )
    daemon = stage.daemon()
    port = int(re.findall(r"\d+", daemon.says(r"page at http://127.0.0.1:\d+/"))[-1])
    daemon.says(rf"recording {options.rooms} of {options.rooms} rooms", options.rooms / 20 + 60)
    time.sleep(5)
    without, with_browsers = Windows(), Windows()
    troubles: list[str] = []
    answers = events = amount = 0
    for _ in range(options.windows):
        without.measure(daemon, simulator, options.seconds)
        browsers = Browsers(port, options.pages, options.viewers)
        time.sleep(2)
        with_browsers.measure(daemon, simulator, options.seconds)
        browsers.leave()
        troubles += browsers.troubles
        answers, events = answers + browsers.answers, events + browsers.events
        amount += browsers.bytes
    print(f"without browsers   {without}")
    print(f"with browsers      {with_browsers}")
    print(f"ratio              {with_browsers.middle / without.middle:.3f}")
    print(f"browsers           {answers} answers, {events} lines of chat, {amount / 1e6:.1f} MB")
    print(f"memory             {daemon.resident():.1f} MB resident, {daemon.peak():.1f} MB at most")
    for trouble in troubles:
        print(f"  {trouble}")
    simulator.end()
    time.sleep(2)
    daemon.end(limit=60)
    found = stage.judge()
    print(f"sent               {found['sent']}, lost {found['lost']}, doubled {found['doubled']}")
    return 0 if found["lost"] == 0 and not troubles else 1


def main() -> int:
    """Run on a stage and leave nothing behind."""
    options = arguments()
    return on_stage(lambda stage: run(options, stage))


if __name__ == "__main__":
    sys.exit(main())
