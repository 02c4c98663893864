"""A real daemon records from the simulator by names with odd addresses: ``.ci/addresses``.

To be run in a network and a mount namespace of its own, where it puts addresses on the loopback interface and
a file over ``/etc/hosts``. It refuses to do so anywhere else.
"""

from __future__ import annotations

import asyncio
import base64
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

from tests.processes import Failed, Stage, wait_for

#: Addresses on the loopback interface of the namespace, from the ranges for documentation.
V6, V4, DEAD = "2001:db8:c4a7::1", "198.51.100.1", "2001:db8:c4a7::9"
#: The name in the simulator's certificate, and another for Kick.
TWITCH, KICK = "localhost", "chat.test"
LOGIN = ("zoe", "a pass:word")
#: Nothing of the caller's environment counts.
NO_PROXIES = dict.fromkeys(
    ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy"), ""
)
#: Messages of each platform that are enough.
ENOUGH = 20

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def prepare(hosts: Path) -> None:
    """Addresses, and ``hosts`` in the place of ``/etc/hosts``. Raises Failed outside of namespaces."""
    interfaces = [name for _, name in socket.if_nameindex()]
    if interfaces != ["lo"]:
        raise Failed(f"this is no namespace of its own: it has {', '.join(interfaces)}")
    hosts.write_text("")
    for command in (
        ["mount", "--make-rprivate", "/"],
        ["mount", "--bind", str(hosts), "/etc/hosts"],
        ["ip", "link", "set", "lo", "up"],
        ["ip", "-6", "addr", "add", f"{V6}/128", "dev", "lo"],
        ["ip", "-6", "addr", "add", f"{DEAD}/128", "dev", "lo"],
        ["ip", "addr", "add", f"{V4}/32", "dev", "lo"],
    ):
        subprocess.run(command, check=True, timeout=10, capture_output=True)


class Doors:
    """Listens on other addresses, and hands connections on to 127.0.0.1. ``proxied`` are the targets that
    the proxy was asked for."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.proxied: list[str] = []
        self.proxy_port = 0

    def _run(self, job: Awaitable[Any]) -> Any:
        async def whole() -> Any:
            return await job

        return asyncio.run_coroutine_threadsafe(whole(), self._loop).result(10)

    def open(self, host: str, port: int) -> None:
        """Hand on what connects to ``host:port``."""

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await _join((reader, writer), await asyncio.open_connection("127.0.0.1", port))

        self._run(asyncio.start_server(accept, host, port))

    def proxy(self) -> None:
        """An HTTP proxy that requires LOGIN, and resolves names that nothing else knows."""
        server = self._run(asyncio.start_server(self._asked, "127.0.0.1", 0))
        self.proxy_port = server.sockets[0].getsockname()[1]

    async def _asked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
        method, target, _ = head.split("\r\n", 1)[0].split(" ")
        login = base64.b64encode(":".join(LOGIN).encode()).decode()
        if f"Proxy-Authorization: Basic {login}" not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            writer.close()
            return
        self.proxied.append(f"{method} {target}")
        place = target.removeprefix("http://").partition("/")[0]
        there = await asyncio.open_connection("127.0.0.1", int(place.rpartition(":")[2]))
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            there[1].write(head.replace(f"http://{place}", "", 1).encode("ascii"))
        await _join((reader, writer), there)


async def _join(one: Streams, other: Streams) -> None:
    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    await asyncio.gather(carry(one[0], other[1]), carry(other[0], one[1]))


@contextmanager
def dead(port: int) -> Iterator[None]:
    """Nobody answers at DEAD: the queue of what listens there is full, and the kernel drops what comes."""
    sockets = [socket.socket(socket.AF_INET6)]
    sockets[0].bind((DEAD, port))
    sockets[0].listen(0)
    try:
        for _ in range(16):
            sockets.append(socket.socket(socket.AF_INET6))
            sockets[-1].settimeout(1.0)
            try:
                sockets[-1].connect((DEAD, port))
            except TimeoutError:
                yield
                return
        raise Failed("the dead address answers")
    finally:
        for each in sockets:
            each.close()


class Reaching:
    """A simulator, and a recorder for each way to it."""

    def __init__(self, stage: Stage, hosts: Path) -> None:
        self.stage = stage
        self.hosts = hosts
        self.simulator = stage.simulator(rate=100, kick_share=0.5, channels=2, spread="even", duration=300)
        self.ports = [self.simulator.ports[platform] for platform in ("twitch", "kick")]
        self.doors = Doors()
        for port in self.ports:
            for host in (V6, V4):
                self.doors.open(host, port)
        self.doors.proxy()

    def names(self, *addresses: str) -> None:
        """Both names have these addresses, and no others."""
        # In its place: another file would not be the one that is mounted.
        lines = [f"{address} {name}\n" for address in addresses for name in (TWITCH, KICK)]
        with open(self.hosts, "r+", encoding="ascii") as file:
            file.truncate(0)
            file.write("".join(lines))
        for name in (TWITCH, KICK):
            try:
                found = [info[4][0] for info in socket.getaddrinfo(name, 1, type=socket.SOCK_STREAM)]
            except socket.gaierror:
                found = []
            if found != list(addresses):
                raise Failed(f"{name} has the addresses {found} here, and should have {list(addresses)}")

    def records(self, what: str, environ: dict[str, str] | None = None) -> None:
        """A daemon records both platforms; says how many messages."""
        data = self.stage.home / f"data-{self.stage.daemons}"
        twitch, kick = self.ports
        self.stage.config(
            {
                "twitch": {"server": f"ircs://{TWITCH}:{twitch}", "channels": ["room1", "room2"]},
                "kick": {
                    "server": f"ws://{KICK}:{kick}/app/demo",
                    "lookup": f"http://{KICK}:{kick}/api/v2/channels/{{slug}}",
                    "channels": ["room1"],
                },
                "recorder": {"directory": str(data)},
            }
        )
        began = time.monotonic()
        daemon = self.stage.daemon(environ={**NO_PROXIES, **(environ or {})})

        def enough() -> bool:
            if not daemon.alive:
                raise Failed(daemon.output()[-2000:])
            return min(self.messages(data).values()) >= ENOUGH

        try:
            wait_for(f"{what}: messages of both platforms", enough, 45)
        except Failed as error:
            raise Failed(f"{error}; {self.messages(data)}: {daemon.output()[-2000:]}") from None
        took = time.monotonic() - began
        daemon.end(signal.SIGTERM)
        if "cannot connect" in daemon.output():
            raise Failed(f"{what}: an attempt failed: {daemon.output()[-2000:]}")
        found = ", ".join(f"{count} of {platform}" for platform, count in self.messages(data).items())
        print(f"ok   {what}: {found} in {took:.1f} s", flush=True)

    def messages(self, data: Path) -> dict[str, int]:
        """Chat messages in the files of each platform."""
        counts = {"twitch": 0, "kick": 0}
        for path in data.glob("*/*.jsonl"):
            for line in path.read_bytes().splitlines():
                with suppress(ValueError):
                    record = orjson.loads(line)
                    counts[record["platform"]] += record["type"] == "message"
        return counts


def main() -> int:
    """The exit status."""
    stage = Stage()
    hosts = stage.home / "hosts"
    try:
        prepare(hosts)
        reaching = Reaching(stage, hosts)
        reaching.names(V6)
        reaching.records("IPv6 addresses only")
        with dead(reaching.ports[0]), dead(reaching.ports[1]):
            reaching.names(DEAD, V4)
            reaching.records("a first address that answers nothing")
        reaching.names()
        user, password = LOGIN[0], LOGIN[1].replace(" ", "%20").replace(":", "%3A")
        proxy = f"http://{user}:{password}@127.0.0.1:{reaching.doors.proxy_port}"
        reaching.records("no address but the proxy's", {"ALL_PROXY": proxy, "NO_PROXY": ""})
        twitch, kick = reaching.ports
        expected = {
            f"CONNECT {TWITCH}:{twitch}",
            f"CONNECT {KICK}:{kick}",
            f"GET http://{KICK}:{kick}/api/v2/channels/room1",
        }
        if set(reaching.doors.proxied) != expected:
            raise Failed(f"the proxy was asked for {reaching.doors.proxied}")
    except (Failed, subprocess.SubprocessError, OSError) as error:
        print(f"fail {error}", file=sys.stderr)
        return 1
    finally:
        stage.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
