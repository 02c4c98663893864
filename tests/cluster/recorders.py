"""Recorders of a cluster on one clock and one engine in memory; their platforms acknowledge rooms when a test
says so."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from chatlog.cluster.assignment import Draws
from chatlog.cluster.wiring import Cluster, Joined
from chatlog.config.engine_address import read_engine
from chatlog.config.platform import Channel
from chatlog.config.settings import ClusterSettings, RecorderSettings, Settings, TwitchSettings
from chatlog.platforms import registered
from chatlog.rooms.room_list import RoomList
from chatlog.rooms.subscriptions import State
from chatlog.timeline.timelines import Timelines
from chatlog.twitch.platform import TWITCH
from tests.cluster.memory_engine import MemoryEngine, MemoryServer
from tests.fakes import MemoryFiles, environment

#: One platform, and the draws of all tests, for speed.
ONE = registered(TWITCH)
DRAWS = Draws()
#: The wall clock when the other one is at 0.
WALL = 1_700_000_000.0


class FakePool:
    """The rooms of a platform."""

    def __init__(self) -> None:
        self.rooms: dict[str, Any] = {}
        self.among = 1
        self.hurried: list[str] = []
        self.is_elsewhere: Any = None

    def hurry(self, names: Any) -> None:
        self.hurried += names

    def share_requests(self, among: int) -> None:
        self.among = among


class FakePlatforms:
    """Records what it is told. Unless ``quiet``, a platform acknowledges every room at once."""

    def __init__(self, timelines: Timelines, wall: Any) -> None:
        self.pools: dict[str, Any] = {"twitch": FakePool()}
        self.quiet = False
        self.said: list[tuple[str, str, str]] = []
        self.gaps: list[Any] = []
        self._timelines = timelines
        self._wall = wall

    def add(self, platform: str, channel: Channel) -> None:
        name = ONE[platform].name_of(channel)
        self.said.append(("add", platform, name))
        timeline = self._timelines.of((platform, name))
        self.pools[platform].rooms[name] = SimpleNamespace(state=State.WANTED, timeline=timeline)
        if not self.quiet:
            self.acknowledge(platform, name)

    def acknowledge(self, platform: str, name: str) -> None:
        room = self.pools[platform].rooms[name]
        room.state = State.RECORDED
        gap = room.timeline.began(self._wall())
        if gap is not None:
            self.gaps.append((name, gap))

    def remove(self, platform: str, name: str) -> None:
        self.said.append(("remove", platform, name))
        self.pools[platform].rooms.pop(name, None)
        self._timelines.remove((platform, name))

    def names(self) -> set[str]:
        """The rooms that are recorded or asked for."""
        return {name for pool in self.pools.values() for name in pool.rooms}


class FakeCoverage:
    """Notes what is wanted once that is known."""

    def __init__(self, timelines: Timelines) -> None:
        self.waits = False
        self.settled: list[set[str]] = []
        self._timelines = timelines

    def settle(self) -> None:
        self.settled.append({name for _, name in self._timelines.wanted()})


class FakeWriting:
    """The recorder, the uploader and the manifest."""

    def __init__(self) -> None:
        self.trouble = self.fatal = ""
        self.open_files = self.buffered_bytes = self.waiting_files = self.in_flight = 0
        self.cluster = ""
        self.said: list[str] = []

    def rotate_now(self) -> None:
        self.said.append("rotate")
        self.open_files = 0

    def hurry(self) -> None:
        self.said.append("hurry")

    def close(self) -> Deferred[None]:
        self.said.append("close")
        return succeed(None)


class Recorder:
    """One process of a recorder. ``files`` is its disk, which a later process may get."""

    def __init__(
        self,
        clock: Clock,
        server: MemoryServer,
        name: str,
        rooms: tuple[str, ...] = (),
        files: MemoryFiles | None = None,
        **settings: Any,
    ) -> None:
        self.clock = clock
        self.files = files or MemoryFiles()
        self.files.make_directories("/data")
        self.engine = MemoryEngine(server)
        section = ClusterSettings("main", read_engine("redis://localhost"), **settings)
        self.settings = Settings(
            name, {"twitch": TwitchSettings(rooms)}, RecorderSettings("/data"), cluster=section
        )
        env = environment(clock, files=self.files, wall=self.wall)
        cluster = Cluster(self.settings, section, env, ONE, self.engine, DRAWS)
        self.timelines = Timelines(self.wall, cluster.rooms)
        self.platforms = FakePlatforms(self.timelines, self.wall)
        self.coverage = FakeCoverage(self.timelines)
        self.writing = FakeWriting()
        self.configured = RoomList(self.files, "/data", self.settings, ONE)
        self.joined: Joined = cluster.join(
            self.configured,
            self.platforms,
            self.timelines,
            self.coverage,
            (self.writing, self.writing, self.writing),
        )

    def wall(self) -> float:
        return WALL + float(self.clock.seconds())

    def start(self) -> Recorder:
        """Read the state and take part."""
        self.joined.rooms.load()
        self.timelines.start(None)
        self.joined.service.startService()
        return self

    def die(self) -> None:
        """Say nothing more."""
        self.joined.service.stopService()

    def rooms(self) -> set[str]:
        """The rooms that it records."""
        return self.platforms.names()

    def facts(self) -> dict[str, Any]:
        """What it knows of the cluster."""
        return self.joined.facts.snapshot()


def passes(clock: Clock, seconds: float) -> None:
    """Time passes."""
    for _ in range(round(seconds * 4)):
        clock.advance(0.25)
