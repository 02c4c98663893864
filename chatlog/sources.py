"""The sources put together: Twitch and Kick, from their settings to the recorder's door."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from twisted.application.service import MultiService, Service

from chatlog.config.settings import KickChannel, KickSettings, Settings, TwitchSettings
from chatlog.environment import Environment
from chatlog.network import pacing
from chatlog.network.dialing import Network
from chatlog.network.tls import CertificateAuthorityError, tls_wrapper
from chatlog.record import SERVER_CHANNEL
from chatlog.recorder.buffers import RoomBuffers
from chatlog.rooms.pool import Pool, RoomEvents
from chatlog.rooms.subscriptions import RecordSink, Room
from chatlog.twitch.rooms import twitch_pool


@dataclass(frozen=True, slots=True)
class Shared:
    """What every source is built with."""

    environment: Environment
    network: Network
    directory: str
    pacer: pacing.Pacer
    buffers: RoomBuffers
    events: RoomEvents

    def records_of(self, platform: str) -> Callable[[str], RecordSink]:
        """Where the records of a platform's rooms go, by name."""
        return lambda name: self.buffers.room(platform, name)

    def wrap(self, factory: Any) -> Any:
        """What lies between TCP and what speaks over it."""
        return pacing.Paced(factory, self.pacer)


@dataclass(frozen=True, slots=True)
class Source:
    """One platform: its service, the pool of its rooms, and how rooms come and go. ``missing`` are the
    rooms that are not in the pool yet, each with the reason."""

    service: Service
    pool: Pool
    add: Callable[[Any], object]
    remove: Callable[[str], object]
    missing: dict[str, str]


def twitch(settings: TwitchSettings, shared: Shared) -> Source:
    """The recorder of Twitch's rooms, still without any. ``add`` takes a login. Raises
    CertificateAuthorityError."""
    tls = tls_wrapper(settings.host, settings.ca_file) if settings.tls else _plain
    records_of = shared.records_of("twitch")
    pool = twitch_pool(
        settings,
        shared.environment,
        records_of(SERVER_CHANNEL),
        shared.events,
        shared.network.speaking("ircs" if settings.tls else "irc"),
        lambda factory: shared.wrap(tls(factory)),
    )

    def add(login: str) -> None:
        if login not in pool.rooms:
            pool.add(Room(login, records_of(login)))

    return Source(pool, pool, add, pool.remove, {})


def kick(settings: KickSettings, shared: Shared) -> Source:
    """The recorder of Kick's rooms, still without any. ``add`` takes a KickChannel. Raises
    CertificateAuthorityError."""
    # Imported here, because whoever records no Kick room need not pay 8 MB for a WebSocket library.
    from chatlog.kick.client import connect as connect_kick
    from chatlog.kick.ids import ChannelIds, IdCache
    from chatlog.kick.lookup import ANSWER_LIMIT, ANSWER_WITHIN
    from chatlog.kick.rooms import KickRooms
    from chatlog.network.http import http_client

    server = urlsplit(settings.server)
    tls = tls_wrapper(server.hostname or "", settings.ca_file)
    dials = shared.network.speaking(server.scheme)
    environment = shared.environment
    # Why channels cannot be recorded yet.
    missing: dict[str, str] = {}
    rooms = KickRooms(
        settings,
        environment,
        shared.records_of("kick"),
        shared.events,
        missing,
        lambda factory: connect_kick(dials, factory, shared.wrap, tls),
    )
    ids = ChannelIds(
        settings.lookup,
        http_client(shared.network).getter(ANSWER_LIMIT, ANSWER_WITHIN),
        IdCache(environment.files, shared.directory),
        environment.reactor,
        rooms.add,
        missing,
        any("{channel_id}" in template for template in settings.subscribe),
    )
    together = MultiService()
    together.setName("kick")
    for part in (rooms.pool, rooms, ids):
        part.setServiceParent(together)

    def add(channel: KickChannel) -> None:
        ids.add(channel)

    def remove(slug: str) -> None:
        ids.remove(slug)
        rooms.remove(slug)

    return Source(together, rooms.pool, add, remove, missing)


def check_authorities(settings: Settings) -> None:
    """Raises CertificateAuthorityError if one that is named cannot be used."""
    for name, section in (("twitch", settings.twitch), ("kick", settings.kick)):
        if section is not None:
            try:
                tls_wrapper("localhost", section.ca_file)
            except CertificateAuthorityError as error:
                raise CertificateAuthorityError(f"{name}.ca_file: {error}") from error


class Platforms:
    """The platforms whose rooms are recorded. One that has no room yet does not exist yet; the first
    room brings it to life."""

    def __init__(
        self,
        settings: Settings,
        shared: Shared,
        parent: MultiService,
        on_new: Sequence[Callable[[Pool], object]],
    ) -> None:
        """``on_new`` are called with the pool of every platform before it starts."""
        self._settings = settings
        self._shared = shared
        self._parent = parent
        self._on_new = on_new
        self._sources: dict[str, Source] = {}
        #: By platform, its pool and the rooms that are not in it yet.
        self.pools: dict[str, Pool] = {}
        self.missing: dict[str, dict[str, str]] = {}
        #: The settings with which each of those that exist was made.
        self.made: dict[str, TwitchSettings | KickSettings] = {}

    def reconfigure(self, settings: Settings) -> None:
        """Use these settings for platforms that do not exist yet."""
        self._settings = settings

    def prepare(self, platform: str) -> Source:
        """The source of ``twitch`` or ``kick``. Raises CertificateAuthorityError when it is new."""
        source = self._sources.get(platform)
        if source is None:
            made: TwitchSettings | KickSettings
            if platform == "twitch":
                made = self._settings.twitch or TwitchSettings(())
                source = twitch(made, self._shared)
            else:
                made = self._settings.kick or KickSettings(())
                source = kick(made, self._shared)
            self.made[platform] = made
            self._sources[platform] = source
            self.pools[platform] = source.pool
            self.missing[platform] = source.missing
            for on_new in self._on_new:
                on_new(source.pool)
            source.service.setServiceParent(self._parent)
        return source

    def add(self, platform: str, channel: str | KickChannel) -> None:
        """Record a room from now on: a login of Twitch, or a KickChannel. Fine if it is there."""
        self.prepare(platform).add(channel)

    def remove(self, platform: str, name: str) -> None:
        """Stop recording a room. Fine if it is not there."""
        if platform in self._sources:
            self._sources[platform].remove(name)


def _plain(factory: Any) -> Any:
    return factory
