"""The sources of the platforms: the parts that they are made with, and when they are made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.application.service import MultiService, Service

from chatlog.config.platform import Channel, PlatformSettings, Registry
from chatlog.config.settings import Settings
from chatlog.environment import Environment
from chatlog.network import pacing
from chatlog.network.dialing import Network
from chatlog.network.tls import CertificateAuthorityError, tls_wrapper
from chatlog.recorder.buffers import RoomBuffers
from chatlog.rooms.pool import Pool, RoomEvents
from chatlog.rooms.subscriptions import RecordSink


@dataclass(frozen=True, slots=True)
class Shared:
    """The parts that every source is built with."""

    environment: Environment
    network: Network
    directory: str
    pacer: pacing.Pacer
    buffers: RoomBuffers
    events: RoomEvents

    def records_of(self, platform: str) -> Callable[[str], RecordSink]:
        """The sinks for the records of a platform's rooms, by name."""
        return lambda name: self.buffers.room(platform, name)

    def wrap(self, factory: Any) -> Any:
        """The layer between TCP and the protocol, such as TLS."""
        return pacing.Paced(factory, self.pacer)


@dataclass(frozen=True, slots=True)
class Source:
    """One platform: its service, the pool of its rooms, and the functions that add and remove rooms.
    ``missing``: the rooms that are in no pool yet, each with the reason."""

    service: Service
    pool: Pool
    add: Callable[[Any], object]
    remove: Callable[[str], object]
    missing: dict[str, str]


def check_authorities(settings: Settings) -> None:
    """Raises CertificateAuthorityError if a configured one cannot be used."""
    for name, section in settings.platforms.items():
        try:
            tls_wrapper("localhost", section.ca_file)
        except CertificateAuthorityError as error:
            raise CertificateAuthorityError(f"{name}.ca_file: {error}") from error


class Platforms:
    """The platforms whose rooms are recorded. A platform is made for its first room."""

    def __init__(
        self,
        registry: Registry,
        settings: Settings,
        shared: Shared,
        parent: MultiService,
        on_new: Sequence[Callable[[Pool], object]],
    ) -> None:
        """``on_new`` are called with the pool of each platform before the pool starts."""
        self._registry = registry
        self._settings = settings
        self._shared = shared
        self._parent = parent
        self._on_new = on_new
        #: Called with platform and name of a room that was removed, and in no pool.
        self.dismissed: Callable[[str, str], object] = lambda platform, name: None
        self._sources: dict[str, Source] = {}
        #: For each platform, its pool and the rooms that are not in it yet.
        self.pools: dict[str, Pool] = {}
        self.missing: dict[str, dict[str, str]] = {}
        #: The settings with which each platform was made.
        self.made: dict[str, PlatformSettings] = {}

    def reconfigure(self, settings: Settings) -> None:
        """Use these settings for platforms that are not made yet."""
        self._settings = settings

    def prepare(self, platform: str) -> Source:
        """The source of the platform, made if necessary. Raises CertificateAuthorityError when it is made."""
        source = self._sources.get(platform)
        if source is None:
            registered = self._registry[platform]
            made = self._settings.platforms.get(platform) or registered.settings()
            source = registered.source(made, self._shared)
            self.made[platform] = made
            self._sources[platform] = source
            self.pools[platform] = source.pool
            self.missing[platform] = source.missing
            for on_new in self._on_new:
                on_new(source.pool)
            source.service.setServiceParent(self._parent)
        return source

    def add(self, platform: str, channel: Channel) -> None:
        """Record a room from now on, unless it is recorded already."""
        self.prepare(platform).add(channel)

    def remove(self, platform: str, name: str) -> None:
        """Stop recording a room, if it is recorded."""
        source = self._sources.get(platform)
        there = source is not None and name in source.pool.rooms
        if source is not None:
            source.remove(name)
        if not there:
            self.dismissed(platform, name)
        shared = self._shared
        shared.buffers.removed(platform, name, shared.environment.reactor.seconds())
