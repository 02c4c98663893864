"""A third platform, as small as one can be: docs/extend.md explains it. Lines of words over TCP.

server: WELCOME            client: JOIN ann
server: JOINED ann         or      NO ann no such room
server: SAY ann 17 bob hello there
client: PING               server: PONG
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from chatlog.config import values
from chatlog.config.platform import Platform
from chatlog.config.schema import Items, Section
from chatlog.environment import Environment
from chatlog.network import pacing
from chatlog.record import SERVER_CHANNEL, rfc3339
from chatlog.rooms.chat_protocol import ChatProtocol, Owner
from chatlog.rooms.connections import Limits
from chatlog.rooms.pool import Pool
from chatlog.rooms.reconnecting import CONNECT_WITHIN, Reconnecting
from chatlog.rooms.subscriptions import RecordSink, Room
from chatlog.rooms.visit import Nowhere, Steps, Visit
from chatlog.sources import Shared, Source


@dataclass(frozen=True, slots=True)
class ToySettings:
    """The part ``toy`` of the configuration."""

    channels: tuple[str, ...]
    server: str = "toy.test"
    ca_file: str | None = None


class ToyProtocol(ChatProtocol, Protocol):
    """One connection. It answers what the server says to it, and records what people say."""

    def __init__(
        self, owner: Owner, rooms: dict[str, Room], server: RecordSink, environment: Environment
    ) -> None:
        super().__init__(owner, environment.reactor, environment.wall, b"\0", lambda data: None)
        self._rooms = rooms
        self._server = server
        self._encode = environment.encode
        self._counters = environment.counters
        self._tail = b""

    def subscribe(self, names: list[str]) -> None:
        self.transport.write(f"JOIN {' '.join(names)}\n".encode())

    def unsubscribe(self, name: str) -> None:
        self.transport.write(f"PART {name}\n".encode())

    def ping(self) -> None:
        self.transport.write(b"PING\n")

    def connectionMade(self) -> None:
        self._connected()

    def dataReceived(self, data: bytes) -> None:
        self.arrivals.came(data, self._clock.seconds())
        *lines, self._tail = (self._tail + data).split(b"\n")
        for line in lines:
            self._take(line.decode("utf-8", "replace"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._disconnected(reason)

    def _take(self, line: str) -> None:
        command, _, rest = line.partition(" ")
        name, _, text = rest.partition(" ")
        if command == "WELCOME":
            pacing.begin(self.transport)
            self._welcomed()
        elif command == "JOINED":
            self._owner.acknowledged(name)
        elif command == "NO":
            self._owner.refused(name, text)
        elif command == "SAY":
            self._said(name, text)

    def _said(self, name: str, text: str) -> None:
        self._counters.received += 1
        id, _, text = text.partition(" ")
        user, _, text = text.partition(" ")
        now = rfc3339(round(self._wall() * 1000))
        room = self._rooms.get(name)
        channel, records = (SERVER_CHANNEL, self._server) if room is None else (name, room.records)
        line = self._encode(now, channel, user, user, text, "message", id, "toy", "", now, {})
        if line:
            records.append(line)


class Toy(Platform):
    """The registration."""

    name = "toy"
    title = "Toy"
    sites = ("toy.example",)
    section = Section(
        ToySettings,
        {"channels": Items(values.LOGIN, "names"), "server": values.HOST, "ca_file": values.PATH},
    )

    def read(self, name: str, **ids: int) -> str:
        return str(values.LOGIN.read(name))

    def sentences(self, settings: ToySettings) -> Iterator[str]:
        yield f"{len(settings.channels)} rooms of {settings.server}."

    def source(self, settings: ToySettings, shared: Shared) -> Source:
        environment, records_of = shared.environment, shared.records_of(self.name)
        rooms: dict[str, Room] = {}

        def dial(owner: Owner) -> Reconnecting:
            server = records_of(SERVER_CHANNEL)
            return self._dial(owner, settings, rooms, server, environment, shared.network, shared.wrap)

        pool = Pool(self.name, environment, dial, shared.events, Limits(90, 20, 1.0), rooms)

        def add(name: str) -> None:
            if name not in rooms:
                pool.add(Room(name, records_of(name)))

        return Source(pool, pool, add, pool.remove, {})

    async def visit(self, settings: ToySettings, environment: Any, network: Any, steps: Steps) -> str:
        name = settings.channels[0]

        def dial(owner: Owner) -> Reconnecting:
            return self._dial(owner, settings, {}, Nowhere(), environment, network, lambda factory: factory)

        return await Visit(settings.server, name, f"joined {name}", steps, dial).done

    @staticmethod
    def _dial(
        owner: Owner,
        settings: ToySettings,
        rooms: dict[str, Room],
        server: RecordSink,
        environment: Environment,
        network: Any,
        wrap: Any,
    ) -> Reconnecting:
        clock = environment.reactor
        factory = Reconnecting(owner, lambda: ToyProtocol(owner, rooms, server, environment), clock)
        network.speaking("toy").connectTCP(settings.server, 7777, wrap(factory), CONNECT_WITHIN)
        return factory


TOY = Toy()
