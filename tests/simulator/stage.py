"""A simulator without a network: both servers on a Clock, and clients that are lists of what they got."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.testing import MemoryReactorClock, StringTransport

from chatlog.simulator.kick import KickConnection, KickRules, SimulatedKick
from chatlog.simulator.kick_chat import KickChat
from chatlog.simulator.oracle import Oracle
from chatlog.simulator.traffic import Flow, Traffic
from chatlog.simulator.twitch import SimulatedTwitch, TwitchConnection, TwitchRules
from chatlog.simulator.twitch_chat import TwitchChat

#: The time of day at which every stage begins, in seconds since the epoch.
START = 1_760_000_000.25
_ADDRESS = IPv4Address("TCP", "127.0.0.1", 1)


class Transport(StringTransport):
    """Records a reset, and informs the protocol when the connection ends."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True
        self.loseConnection()

    def unregisterProducer(self) -> None:
        # A real transport does not mind when there is none.
        self.producer = None

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass

    def setTcpKeepAlive(self, enabled: bool) -> None:
        pass


class MemoryOracle(Oracle):
    """An oracle whose lines are read with ``entries``."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def entries(self) -> list[dict[str, Any]]:
        """Everything written so far."""
        self.flush()
        with open(self.path, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def events(self) -> list[dict[str, Any]]:
        """Only the events, without greetings."""
        return [entry for entry in self.entries() if "n" in entry and not entry.get("greeting")]


class Stage:
    """``clock``, ``oracle``, ``traffic`` and the servers ``twitch`` and ``kick``."""

    def __init__(
        self,
        path: str,
        twitch: TwitchRules | None = None,
        kick: KickRules | None = None,
        **traffic: Any,
    ) -> None:
        self.clock = MemoryReactorClock()
        self.oracle = MemoryOracle(path)
        self.traffic = Traffic(
            self.clock,
            lambda: START + self.clock.seconds(),
            TwitchChat("7"),
            KickChat("7"),
            self.oracle,
            Flow(**traffic),
        )
        self.twitch = SimulatedTwitch(self.clock, self.traffic, twitch)
        self.kick = SimulatedKick(self.clock, self.traffic, kick)
        self.twitch.listen()
        self.kick.listen()

    def twitch_client(self, *rooms: str, nick: str = "justinfan1", caps: bool = True) -> TwitchClient:
        """A client that has logged in and joined ``rooms``."""
        client = TwitchClient(self)
        if caps:
            client.send("CAP REQ :twitch.tv/tags twitch.tv/commands")
        client.send(f"NICK {nick}")
        for room in rooms:
            client.send(f"JOIN #{room}")
        return client

    def kick_client(self, *channels: str, path: str = "/app/demo?protocol=7&client=test") -> KickClient:
        """A client that has been welcomed and subscribed to ``channels``."""
        client = KickClient(self, path)
        for channel in channels:
            client.send("pusher:subscribe", {"auth": "", "channel": channel})
        return client


class TwitchClient:
    """A client of Twitch: ``send`` lines, ``lines`` takes what came since the last time."""

    def __init__(self, stage: Stage) -> None:
        self.transport = Transport()
        self.connection: TwitchConnection = stage.twitch.make_factory().buildProtocol(_ADDRESS)  # type: ignore[assignment]
        self.connection.makeConnection(self.transport)

    def send(self, line: str) -> None:
        self.connection.dataReceived(line.encode() + b"\r\n")

    def raw(self) -> bytes:
        data: bytes = self.transport.value()
        self.transport.clear()
        return data

    def lines(self) -> list[str]:
        return [line for line in self.raw().decode("utf-8", "replace").split("\r\n") if line]

    @property
    def closed(self) -> bool:
        return self.transport.disconnecting


class KickClient:
    """A client of Kick: ``send`` events, ``events`` takes the decoded frames since the last time."""

    def __init__(self, stage: Stage, path: str) -> None:
        self.transport = Transport()
        self.connection: KickConnection = stage.kick.connection(_ADDRESS)
        self.connection.makeConnection(self.transport)
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        self.connection.dataReceived((head + upgrade + key).encode())
        self._head, _, self._buffer = self.transport.value().partition(b"\r\n\r\n")
        self.transport.clear()

    def send(self, event: str, data: object) -> None:
        self.send_text(json.dumps({"event": event, "data": data}).encode())

    def send_text(self, payload: bytes) -> None:
        # Clients must mask; a mask of zeros leaves the bytes as they are.
        size = (
            bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
        )
        self.connection.dataReceived(b"\x81" + size + bytes(4) + payload)

    def frames(self) -> list[tuple[int, bytes]]:
        """(opcode, payload) of every whole frame since the last time."""
        self._buffer += self.transport.value()
        self.transport.clear()
        found: list[tuple[int, bytes]] = []
        while True:
            frame = unframed(self._buffer)
            if frame is None:
                return found
            opcode, payload, self._buffer = frame
            found.append((opcode, payload))

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(payload) for opcode, payload in self.frames() if opcode == 1]

    @property
    def closed(self) -> bool:
        return self.transport.disconnecting


def unframed(data: bytes) -> tuple[int, bytes, bytes] | None:
    """(opcode, payload, rest) of the first frame in ``data``, None while it is not whole (RFC 6455, 5.2)."""
    if len(data) < 2:
        return None
    size, start = data[1] & 0x7F, 2
    if size == 126:
        size, start = int.from_bytes(data[2:4], "big"), 4
    elif size == 127:
        size, start = int.from_bytes(data[2:10], "big"), 10
    if len(data) < start + size:
        return None
    return data[0] & 0x0F, data[start : start + size], data[start + size :]
