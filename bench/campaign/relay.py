"""Relays of plain connections, each of which can be paused and cut: what a partition is to whoever connects
through one."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import Any

#: What a relay can do. ``pause``: nothing is handed on, and no connection ends; ``cut``: all connections are
#: reset, and further ones are refused.
WAYS = ("pass", "pause", "cut")


class Relays:
    """The thread of all relays."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._relays: list[WireRelay] = []
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def to(self, port: int) -> WireRelay:
        """A relay on loopback to a port on loopback."""
        relay = WireRelay(self, port)
        self._relays.append(relay)
        self.call(relay.listen())
        return relay

    def call(self, coroutine: Any) -> Any:
        """Run a coroutine in the thread; its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def close(self) -> None:
        """Cut everything, and end the thread."""
        for relay in self._relays:
            relay.go("cut")
        # Whoever serves a connection notices its end.
        self.call(asyncio.sleep(0.05))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)


class WireRelay:
    """Listens on ``port`` and hands everything on to another port, as ``go`` says."""

    def __init__(self, relays: Relays, target: int) -> None:
        self.port = 0
        self.way = "pass"
        self._relays = relays
        self._target = target
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = asyncio.Event()
        self._open.set()

    def go(self, way: str) -> None:
        """Behave that way from now on."""
        self._relays.call(self._go(way))

    async def listen(self) -> None:
        """Accept connections."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _go(self, way: str) -> None:
        before, self.way = self.way, way
        if way == "pause":
            self._open.clear()
        elif before == "pause" and way == "pass":
            self._open.set()
        if way == "cut" and self._server is not None:
            self._server.close()
            self._server = None
            for writer in list(self._writers):
                writer.transport.abort()
            self._open.set()
        elif way != "cut" and self._server is None:
            await self.listen()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        self._writers.add(writer)
        try:
            with suppress(OSError):
                await self._open.wait()
                theirs, there = await asyncio.open_connection("127.0.0.1", self._target)
                writers.append(there)
                self._writers.add(there)
                await asyncio.gather(self._pump(reader, there), self._pump(theirs, writer))
        finally:
            for each in writers:
                self._writers.discard(each)
                each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        # The end of one direction is that of both, once what was said has arrived.
        with suppress(OSError):
            writer.close()
