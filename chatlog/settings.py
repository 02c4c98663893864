"""The settings of a recorder, as frozen objects handed down in pieces. ``config`` fills them in."""

from __future__ import annotations

from dataclasses import dataclass, field


class Secret:
    """A string that never shows itself: ``repr`` and ``str`` are stars, ``reveal()`` is the value."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the one place that sends it."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


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


@dataclass(frozen=True, slots=True)
class KickChannel:
    """A Kick room: ids that are None are looked up."""

    slug: str
    chatroom_id: int | None = None
    channel_id: int | None = None


@dataclass(frozen=True, slots=True)
class KickSettings:
    """``server`` is the Pusher URL without a query; ``lookup`` the address of the ids with
    ``{slug}`` in it, None to look nothing up; ``subscribe`` the Pusher channels of a room, with
    ``{chatroom_id}`` and ``{channel_id}`` in them."""

    channels: tuple[KickChannel, ...]
    server: str = "wss://ws-us2.pusher.com/app/32cbd69e4b950bf97679"
    ca_file: str | None = None
    rooms_per_connection: int = 90
    lookup: str | None = "https://kick.com/api/v2/channels/{slug}"
    subscribe: tuple[str, ...] = ("chatrooms.{chatroom_id}.v2",)


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
    """``endpoint`` None means AWS itself; keys None mean the usual AWS chain."""

    bucket: str
    region: str = "us-east-1"
    endpoint: str | None = None
    access_key_id: Secret | None = None
    secret_access_key: Secret | None = None
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """Where objects go without ``s3``: ``url`` (s3://, gs://, az://, file://), else ``directory``."""

    url: str | None = None
    directory: str = "archive"


@dataclass(frozen=True, slots=True)
class UploaderSettings:
    """``compression`` is ``none``, ``gzip`` or ``zstd``."""

    compression: str = "none"
    concurrency: int = 2


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """``listen`` is ``host:port``; None: no page."""

    listen: str | None = "127.0.0.1:8080"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that chatlog.yaml says."""

    instance: str = ""
    twitch: TwitchSettings | None = None
    kick: KickSettings | None = None
    recorder: RecorderSettings = field(default_factory=RecorderSettings)
    s3: S3Settings | None = None
    archive: ArchiveSettings = field(default_factory=ArchiveSettings)
    uploader: UploaderSettings = field(default_factory=UploaderSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
