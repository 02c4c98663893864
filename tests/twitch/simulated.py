"""Twitch's part of the daemon against the simulated server, in memory, on one clock: recorder, pool,
connections, coverage, backfill. Whatever happens is decided by a seed."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from chatlog.config.settings import BackfillSettings, TwitchSettings
from chatlog.naming import parse_name
from chatlog.network.http import Answer
from chatlog.record import encode_full
from chatlog.recorder.tails import Tails
from chatlog.rooms.gap import gap_line
from chatlog.rooms.pool import RoomEvents
from chatlog.rooms.subscriptions import Room
from chatlog.simulator.judgement import Judgement, judge
from chatlog.simulator.kick_chat import KickChat
from chatlog.simulator.ledger import Ledger
from chatlog.simulator.recent import SimulatedRecent
from chatlog.simulator.recordings import Recording as Recorded
from chatlog.simulator.traffic import Flow, Traffic
from chatlog.simulator.twitch import SimulatedTwitch, TwitchConnection
from chatlog.simulator.twitch_chat import TwitchChat
from chatlog.state.journal import Journal
from chatlog.timeline.timeline import Gap
from chatlog.twitch import recent
from chatlog.twitch.backfill import Backfill
from chatlog.twitch.deferred_gaps import DeferredGaps
from chatlog.twitch.rooms import twitch_pool
from tests.played import nothing
from tests.recording import Recording
from tests.simulator.stage import MemoryOracle

#: Seconds between two looks at the wires.
STEP = 0.125


class End(StringTransport):
    """One end of a wire."""

    def __init__(self, wire: Wire, ours: bool) -> None:
        super().__init__()
        self._wire = wire
        self._ours = ours

    def loseConnection(self) -> None:
        self._wire.ending = True

    def abortConnection(self) -> None:
        self._wire.cut(self._ours)

    def unregisterProducer(self) -> None:
        self.producer = None

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass


class Wire:
    """A connection between a client and the server."""

    def __init__(self, connector: Connector, server: SimulatedTwitch, chance: random.Random) -> None:
        self._connector = connector
        self._chance = chance
        self.ending = self.gone = False
        self.client: Any = connector.factory.buildProtocol(None)
        self.server: TwitchConnection = server.connection(None)
        self._clients_end, self._servers_end = End(self, True), End(self, False)
        self.client.makeConnection(self._clients_end)
        self.server.makeConnection(self._servers_end)

    def carry(self) -> None:
        """Let everything arrive that is under way, in pieces."""
        while not self.gone:
            up, down = self._clients_end.value(), self._servers_end.value()
            self._clients_end.clear()
            self._servers_end.clear()
            if not up and not down:
                break
            if up and not self.server.dead:
                self.server.dataReceived(up)
            while down and not self.gone:
                size = self._chance.randrange(1, len(down) + 1)
                self.client.dataReceived(down[:size])
                down = down[size:]
        if self.ending and not self.gone:
            self._lose(ConnectionDone())

    def cut(self, by_client: bool) -> None:
        """Reset: of what is under way to the client a part arrives."""
        if self.gone:
            return
        down = self._servers_end.value()
        if down and not by_client:
            self.client.dataReceived(down[: self._chance.randrange(len(down) + 1)])
        self._lose(ConnectionLost())

    def _lose(self, reason: Exception) -> None:
        self.gone = True
        self.client.connectionLost(Failure(reason))
        self.server.connectionLost(Failure(reason))
        self._connector.factory.clientConnectionLost(self._connector, Failure(reason))


class Connector:
    """What a factory connects with, and connects again."""

    def __init__(self, network: Network, factory: Any) -> None:
        self._network = network
        self.factory = factory

    def connect(self) -> None:
        self._network.opening.append(self)

    def stopConnecting(self) -> None:
        pass

    def disconnect(self) -> None:
        pass


class Network:
    """The reactor's part: connections to the one server there is."""

    def __init__(self) -> None:
        self.opening: list[Connector] = []

    def connectTCP(self, host: str, port: int, factory: Any, timeout: float = 30.0) -> Connector:
        connector = Connector(self, factory)
        connector.connect()
        return connector


class World:
    """Server, service and daemon. Time passes by ``run``; ``seed`` decides everything."""

    def __init__(
        self,
        path: str,
        seed: str,
        rooms: int = 3,
        rate: float = 40.0,
        lanes: int = 1,
        backfill: bool = False,
        tame: bool = False,
    ) -> None:
        self.chance = random.Random(seed)
        # The daemon draws its delays from the module's own generator.
        random.seed(f"daemon {seed}")
        self.recording = Recording()
        self.clock, self.now = self.recording.clock, self.recording.now
        self.oracle = MemoryOracle(path)
        self.traffic = Traffic(
            self.clock,
            self.now,
            TwitchChat(seed, tame=tame),
            KickChat(seed),
            self.oracle,
            Flow(rate, kick_share=0.0),
            seed,
        )
        self.server = SimulatedTwitch(self.clock, self.traffic)
        self.service = SimulatedRecent(self.clock, self.traffic)
        self.service.begin()
        self.network = Network()
        self.wires: list[Wire] = []
        self.holes: list[tuple[str, Gap, int]] = []
        self.counters = self.recording.counters
        recorder = self.recording.recorder

        def log(name: str) -> Any:
            return recorder.room("twitch", name)

        self.backfill: Backfill | None = None
        if backfill:
            files = self.recording.files
            journal = Journal(self.recording.environment, "/data", "deferred")
            self.backfill = Backfill(
                BackfillSettings("http://127.0.0.1"),
                self._get,
                self.recording.environment,
                self._write,
                log,
                Tails(files, "/data", "twitch", log, recent.record_key, self.clock.seconds),
                DeferredGaps(journal),
                self.chance.uniform,
            )
        names = tuple(f"room{n}" for n in range(1, rooms + 1))
        self.pool = twitch_pool(
            TwitchSettings(names, tls=False, lanes=lanes),
            self.recording.environment,
            log("_server"),
            RoomEvents(nothing, self._gap_closed, self._uncovered, nothing),
            self.network,  # type: ignore[arg-type]
            lambda factory: factory,
        )
        if self.backfill:
            self.backfill.watch(self.pool)
        for name in names:
            self.pool.add(Room(name, log(name)))
        self.recording.start()
        if self.backfill:
            self.backfill.startService()
        self.pool.startService()
        self.traffic.start()

    def _get(self, url: str) -> Deferred[Answer]:
        login, _, limit = url.rpartition("/")[2].partition("?limit=")
        self.traffic.send()
        return succeed(Answer(200, self.service.answer(login, int(limit))))

    def _gap_closed(self, platform: str, room: Room, hole: Gap) -> None:
        if self.backfill:
            self.backfill.closed(room, hole)
        else:
            self._write(room, hole, 0)

    def _uncovered(self, platform: str, room: Room) -> None:
        if self.backfill:
            self.backfill.uncovered(room)

    def _write(self, room: Room, hole: Gap, backfilled: int) -> None:
        self.holes.append((room.name, hole, backfilled))
        room.records.append(
            gap_line(encode_full, "twitch", room.name, room.identifier, hole, backfilled=backfilled)
        )

    def run(self, seconds: float, every_step: Callable[[], object] = lambda: None) -> None:
        """Let time pass."""
        for _ in range(round(seconds / STEP)):
            opening, self.network.opening = self.network.opening, []
            self.wires += [Wire(connector, self.server, self.chance) for connector in opening]
            for wire in self.wires:
                wire.carry()
            self.wires = [wire for wire in self.wires if not wire.gone]
            every_step()
            self.clock.advance(STEP)
            if self.clock.seconds() % 1.0 == 0.0:
                self.server.check()

    @property
    def whole(self) -> bool:
        """Whether every room is recorded on every lane, and nothing is half dead."""
        return all(not wire.server.dead for wire in self.wires) and all(
            {each.state.value for each in room.subscriptions} == {"recorded"}
            for room in self.pool.rooms.values()
        )

    def end(self) -> Judgement:
        """Let everything arrive, stop, and judge."""
        self.traffic.stop()
        self.run(70.0)
        self.pool.stopService()
        if self.backfill:
            self.backfill.stopService()
        self.run(1.0)
        self.recording.recorder.stopService()
        self.oracle.flush()
        ledger = Ledger()
        with open(self.oracle.path, "rb") as file:
            ledger.read(file)
        return judge(ledger, [self._recorded(*item) for item in self.recording.contents("sealed").items()])

    @staticmethod
    def _recorded(name: str, data: bytes) -> Recorded:
        return Recorded(parse_name(name), name, lambda: io.BytesIO(data))
