"""Puts the parts of a member together, and between the list of rooms and the platforms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from twisted.internet.defer import Deferred

from chatlog import __version__
from chatlog.cluster.assignment import Draws
from chatlog.cluster.cluster_rooms import ClusterRooms
from chatlog.cluster.draining import Draining
from chatlog.cluster.engine import Engine
from chatlog.cluster.engine_report import EngineReport
from chatlog.cluster.facts import ClusterFacts
from chatlog.cluster.list_keeper import ListKeeper
from chatlog.cluster.member import Member, Myself
from chatlog.cluster.own_state import OwnState
from chatlog.cluster.room_share import Calls, RoomShare
from chatlog.cluster.service import MemberService
from chatlog.cluster.shared_rooms import SharedRooms
from chatlog.cluster.takeovers import Takeovers
from chatlog.config.platform import Channel, Key, Registry
from chatlog.config.settings import ClusterSettings, Settings
from chatlog.environment import Environment
from chatlog.rooms.pool import Pool
from chatlog.rooms.room_list import RoomList
from chatlog.state.journal import Journal
from chatlog.timeline.timelines import Timelines


class Platforms(Protocol):
    """The part that records rooms: see ``sources.Platforms``."""

    pools: dict[str, Pool]

    def add(self, platform: str, channel: Channel) -> None: ...

    def remove(self, platform: str, name: str) -> None: ...


class Coverage(Protocol):
    """The part that keeps the coverage of rooms: see ``CoverageJournal``."""

    waits: bool

    def settle(self) -> None: ...


class Recording(Protocol):
    """The part that writes files: see ``Recorder``."""

    @property
    def trouble(self) -> str: ...
    @property
    def fatal(self) -> str: ...
    @property
    def open_files(self) -> int: ...
    @property
    def buffered_bytes(self) -> int: ...

    def rotate_now(self) -> None: ...


class Shipping(Protocol):
    """The part that uploads: see ``Uploader``."""

    @property
    def waiting_files(self) -> int: ...
    @property
    def in_flight(self) -> int: ...

    def hurry(self) -> None: ...


class Closing(Protocol):
    """The part that writes manifests: see ``Manifest``."""

    cluster: str

    def close(self) -> Deferred[None]: ...


class Joined(NamedTuple):
    """The parts of a member for the recorder: the list of rooms, the service, the facts of the cluster, the
    handing over of rooms, and the report about the engine."""

    rooms: ClusterRooms
    service: MemberService
    facts: ClusterFacts
    draining: Draining
    report: EngineReport


class Cluster:
    """The cluster that a recorder is a member of, as far as it exists before the recorder's own"""

    def __init__(
        self,
        settings: Settings,
        cluster: ClusterSettings,
        environment: Environment,
        registry: Registry,
        engine: Engine,
        draws: Draws | None = None,
    ) -> None:
        self._settings = settings
        self._cluster = cluster
        self._environment = environment
        self._registry = registry
        self._engine = engine
        self._draws = draws or Draws()
        #: The rooms that are to be recorded here.
        self.wanted: dict[Key, Channel] = {}

    def rooms(self) -> Mapping[Key, Channel]:
        """The rooms that are to be recorded here."""
        return self.wanted

    def join(
        self,
        configured: RoomList,
        platforms: Platforms,
        timelines: Timelines,
        coverage: Coverage,
        written: tuple[Recording, Shipping, Closing],
    ) -> Joined:
        """The member, made with the parts of the recorder. ``written``: the recorder, the uploader, the
        manifest."""
        recorder, uploader, manifest = written
        settings, cluster, environment = self._settings, self._cluster, self._environment
        clock, directory = environment.reactor, settings.recorder.directory
        shared, takeovers = SharedRooms(self._registry), Takeovers()
        own = OwnState(environment, directory, cluster.name, self._registry)
        claims = _Claims(takeovers, timelines, environment.wall)
        calls = Calls(platforms.add, platforms.remove, platforms.pools)
        share = RoomShare(shared, self.wanted, calls, clock, claims.taken_over)
        member = Member(_myself(settings, cluster), list(self._registry), self._draws, clock.seconds())
        service = MemberService(member, self._engine, environment, own, shared, share, takeovers)
        journal = Journal(environment, directory, "cluster_rooms", 5.0)
        keeper = ListKeeper(self._engine, shared, journal, environment.wall, service.list_changed)
        rooms = ClusterRooms(configured, own, shared, share, keeper, service.why_no_change)
        service.keeper, service.poll = keeper, rooms.poll
        service.disk = lambda: not (recorder.trouble or recorder.fatal)
        # Whether rooms of an earlier run are still wanted is known only after the first reading of lines and
        # list.
        coverage.waits, service.settled = True, coverage.settle
        timelines.is_elsewhere = lambda key: key in shared.rooms
        timelines.with_spans = True
        manifest.cluster = cluster.name
        draining = Draining(service, _SpoolLeft(recorder, uploader, manifest), clock, cluster.drain)
        facts, report = ClusterFacts(cluster.name, service), EngineReport(self._engine, clock)
        return Joined(rooms, service, facts, draining, report)


def _myself(settings: Settings, cluster: ClusterSettings) -> Myself:
    twitch = settings.platforms.get("twitch")
    account = getattr(twitch, "username", None) if getattr(twitch, "oauth", None) else None
    return Myself(
        settings.instance,
        cluster.capacity,
        cluster.zone,
        cluster.replicas,
        # An account has one budget, shared by all machines that use it.
        cluster.joins or account or "",
        _url(settings),
        __version__,
        cluster.lease,
    )


def _url(settings: Settings) -> str:
    """The address of the page, if there is one that others can reach."""
    listen = settings.http.listen or ""
    if settings.http.hosts:
        return f"http://{settings.http.hosts[0]}:{listen.rpartition(':')[2]}/"
    host = listen.rpartition(":")[0]
    return f"http://{listen}/" if host not in ("", "0.0.0.0", "[::]") else ""


class _Claims:
    """Notes since when a room is missing that this member takes over."""

    def __init__(
        self,
        takeovers: Takeovers,
        timelines: Timelines,
        wall: Callable[[], float],
    ) -> None:
        self._takeovers = takeovers
        self._timelines = timelines
        self._wall = wall

    def taken_over(self, key: Key, slot: int) -> None:
        """A room that no member records is about to be added: it is missing since the last line of the member
        that had it, unless this recorder knows better."""
        line = self._takeovers.source(key[0], slot)
        timeline = self._timelines.of(key)
        if line is not None and timeline.since is None:
            at = min(line.at, self._wall())
            timeline.resume(at, f"taken over from {line.name}", at)


class _SpoolLeft:
    """The files that are only on this disk so far."""

    def __init__(self, recorder: Recording, uploader: Shipping, manifest: Closing) -> None:
        self._recorder = recorder
        self._uploader = uploader
        self._manifest = manifest

    def rotate(self) -> None:
        """Finish every file."""
        self._recorder.rotate_now()
        self._uploader.hurry()

    def is_empty(self) -> bool:
        """Whether everything is stored."""
        recorder, uploader = self._recorder, self._uploader
        if recorder.buffered_bytes or recorder.open_files:
            self.rotate()
            return False
        return not (uploader.waiting_files or uploader.in_flight)

    def close(self) -> Deferred[None]:
        """Write the last manifest."""
        return self._manifest.close()
