"""The settings as frozen objects; each part of the program gets its piece. ``config`` creates them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chatlog.config.engine_address import EngineAddress


class Secret:
    """A string that must not be shown: ``repr`` and ``str`` are stars, ``reveal()`` is the value."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value, for the code that sends it."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


@dataclass(frozen=True, slots=True)
class BackfillSettings:
    """A service that keeps recent messages, such as recent-messages.robotty.de. ``url`` is the address of its
    API, ``at_once`` the most requests at a time."""

    url: str
    at_once: int = 4


@dataclass(frozen=True, slots=True)
class TwitchSettings:
    """``username`` and ``oauth`` are both given or both None (anonymous). ``oauth`` holds the bare
    token, without its ``oauth:`` prefix."""

    channels: tuple[str, ...]
    username: str | None = None
    oauth: Secret | None = None
    host: str = "irc.chat.twitch.tv"
    port: int = 6697
    tls: bool = True
    ca_file: str | None = None
    rooms_per_connection: int = 90
    joins_per_10s: int = 20
    lanes: int = 1
    backfill: BackfillSettings | None = None


@dataclass(frozen=True, slots=True)
class KickChannel:
    """A Kick room. An id that is None is looked up."""

    slug: str
    chatroom_id: int | None = None
    channel_id: int | None = None


@dataclass(frozen=True, slots=True)
class KickSettings:
    """``server`` is the Pusher URL without a query. ``lookup`` is the address for looking ids up, with
    ``{slug}`` in it; None turns the look-up off. ``subscribe`` are the Pusher channels of a room, with
    ``{chatroom_id}`` and ``{channel_id}`` in them."""

    channels: tuple[KickChannel, ...]
    server: str = "wss://ws-us2.pusher.com/app/32cbd69e4b950bf97679"
    ca_file: str | None = None
    rooms_per_connection: int = 90
    lookup: str | None = "https://kick.com/api/v2/channels/{slug}"
    subscribe: tuple[str, ...] = ("chatrooms.{chatroom_id}.v2",)
    lanes: int = 1


@dataclass(frozen=True, slots=True)
class RecorderSettings:
    """Durations in seconds, sizes in bytes."""

    directory: str = "data"
    detail: str = "full"
    flush_interval: float = 0.5
    sync_interval: float = 1.0
    rotate_interval: float = 3600.0
    rotate_size: int = 32_000_000
    max_size: int = 2_000_000_000
    buffer_limit: int = 16_000_000


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Without ``endpoint`` the store is AWS; without keys, the usual AWS credential chain is used.
    ``addressing``: the bucket is in the ``path`` or in the host name (``virtual``); ``auto`` finds out."""

    bucket: str
    region: str = "us-east-1"
    endpoint: str | None = None
    access_key_id: Secret | None = None
    secret_access_key: Secret | None = None
    prefix: str = ""
    addressing: str = "auto"


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """The archive if ``s3`` is not set: ``url`` (s3://, gs://, az://, file://), else ``directory``.
    ``listen`` is the ``host:port`` of the archive server; None: there is none. ``signing_key`` signs the
    manifests; None: they are not signed. Bundles older than ``tier_after`` seconds (None: never) are moved to
    the storage class ``tier_class``; None: the coldest that can be read at once. ``keep`` are pairs of a
    room, a platform or ``default``, and the seconds for which its records are kept: see ``Retention``.
    ``optout_key`` is the secret of the suppression list; None: that in ``optout.key``. ``cache`` is the
    directory of the cache of files, of at most ``cache_size`` bytes; None: the user's own cache directory.
    ``compact``: the archive server makes Parquet daily. ``public``: everybody may read it; with
    ``public_search`` also search all rooms, and look for a person in all of them. ``optout_by_chat``: people
    opt out by a code that they write in a recorded chat; None: if ``public``."""

    url: str | None = None
    directory: str = "archive"
    listen: str | None = None
    signing_key: Secret | None = None
    tier_after: float | None = None
    tier_class: str | None = None
    keep: tuple[tuple[str, float], ...] = ()
    optout_key: Secret | None = None
    cache: str | None = None
    cache_size: int = 2_000_000_000
    compact: bool = False
    public: bool = False
    public_search: bool = False
    optout_by_chat: bool | None = None

    @property
    def has_codes(self) -> bool:
        """Whether people opt out by a code that they write in a recorded chat."""
        return self.public if self.optout_by_chat is None else self.optout_by_chat


@dataclass(frozen=True, slots=True)
class UploaderSettings:
    """``compression`` is ``none``, ``gzip`` or ``zstd``, and ``compression_level`` its level, from 1 to 9.
    ``storage_class`` is that of new objects; None: that of the bucket. ``bundle``: the files that were
    finished in so many seconds become one object; 0: each becomes its own."""

    compression: str = "zstd"
    concurrency: int = 2
    storage_class: str | None = None
    bundle: float = 0.0
    compression_level: int = 6


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """The limits of ``/healthz`` and ``/readyz``. ``rooms`` is the least percentage of rooms that are
    recorded. The others are seconds: how long the reactor may be blocked, how long a write may wait for its
    sync, how old a file may become before its upload, and how long a room or a store may be in trouble before
    it counts."""

    reactor_lag: float = 5.0
    sync_lag: float = 20.0
    rooms: int = 95
    room_grace: float = 45.0
    upload_age: float = 10800.0
    store_grace: float = 45.0


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """``listen`` is ``host:port``; None: no page. Without ``token`` nothing can be changed over HTTP.
    ``hosts`` are host names of the page besides its address. ``room_metrics``: there are metrics for each
    room."""

    listen: str | None = "127.0.0.1:8080"
    token: Secret | None = None
    hosts: tuple[str, ...] = ()
    room_metrics: bool = False
    health: HealthSettings = field(default_factory=HealthSettings)


@dataclass(frozen=True, slots=True)
class AlarmSettings:
    """``webhook`` gets every alarm; ``webhook_format`` is ``json``, ``discord``, ``slack``, or ``auto``,
    which depends on the address. ``coverage`` is the least percentage of the last hour that a room is
    recorded. ``spool`` and ``disk`` are the most percent of ``max_size`` and of the file system in use.
    ``unknown_per_hour`` is the most unknown commands and events. ``after`` is how many seconds a room or a
    store may be in trouble before there is an alarm."""

    webhook: Secret | None = None
    webhook_format: str = "auto"
    coverage: int = 95
    spool: int = 80
    disk: int = 90
    unknown_per_hour: int = 100
    after: float = 300.0


@dataclass(frozen=True, slots=True)
class LogSettings:
    """``format`` is ``text`` or ``json``. ``level`` is the lowest level shown; ``levels`` are pairs of a part
    and its level."""

    format: str = "text"
    level: str = "info"
    levels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """The cluster ``name`` of recorders that share their rooms, and the ``engine`` that they meet at.
    ``replicas`` of them record each room; this one at most ``capacity`` rooms. Members of different zones
    are chosen first. ``lease``: seconds after which a silent member counts as dead. ``drain``: seconds in
    which rooms are handed over before the process ends; 0.0: it ends at once. Members that name the same
    ``joins`` divide one JOIN budget. ``ca_file``: the authority of the engine's certificate."""

    name: str
    engine: EngineAddress
    replicas: int = 1
    capacity: int = 10_000
    zone: str = ""
    lease: float = 10.0
    drain: float = 60.0
    joins: str = ""
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of chatlog.yaml."""

    instance: str = ""
    #: The settings of every platform with rooms, by its name.
    platforms: Mapping[str, Any] = field(default_factory=dict)
    recorder: RecorderSettings = field(default_factory=RecorderSettings)
    s3: S3Settings | None = None
    archive: ArchiveSettings = field(default_factory=ArchiveSettings)
    uploader: UploaderSettings = field(default_factory=UploaderSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    alarms: AlarmSettings = field(default_factory=AlarmSettings)
    log: LogSettings = field(default_factory=LogSettings)
    cluster: ClusterSettings | None = None
