"""The keys of the configuration: their values, and the settings that they fill.

A new key is one line here and a field with its default in ``settings``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chatlog.config import settings, values
from chatlog.config.values import Kind, choice, duration, number, size, url


@dataclass(frozen=True, slots=True)
class Items:
    """A list. Two items with the same ``identity`` are an error."""

    item: Kind | Section
    called: str
    identity: Callable[[Any], Any] = lambda item: item


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping. ``make`` creates the settings from the values of the keys, of which the ``required`` ones
    must be given. A single value instead of a mapping is the value of the key ``short``."""

    make: Callable[..., Any]
    keys: Mapping[str, Kind | Items | Section]
    required: tuple[str, ...] = ()
    short: str = ""


KICK_CHANNEL = Section(
    settings.KickChannel,
    {
        "slug": values.SLUG,
        "chatroom_id": number(1, 10**15),
        "channel_id": number(1, 10**15),
    },
    required=("slug",),
    short="slug",
)

LANES = number(1, 2, "connections that deliver every room")
PERCENT = number(0, 100)

HEALTH = Section(
    settings.HealthSettings,
    {
        "reactor_lag": duration("100ms", "10m"),
        "sync_lag": duration("1s", "10m"),
        "rooms": PERCENT,
        "room_grace": duration("0s", "1d"),
        "upload_age": duration("1s", "30d"),
        "store_grace": duration("0s", "1d"),
    },
)

ROOT = Section(
    settings.Settings,
    {
        "instance": values.NAME,
        "twitch": Section(
            settings.TwitchSettings,
            {
                "username": values.LOGIN,
                "oauth": values.TOKEN,
                "channels": Items(values.LOGIN, "logins"),
                "server": values.IRC,
                "ca_file": values.PATH,
                "rooms_per_connection": number(1, 100, "Twitch lets one account join 100 rooms"),
                "joins_per_10s": number(1, 2000, "Twitch's limit for verified bots; 20 for all others"),
                "lanes": LANES,
                "backfill": Section(
                    settings.BackfillSettings,
                    {"url": url("https", "http"), "at_once": number(1, 4, "it is one person's service")},
                    required=("url",),
                    short="url",
                ),
            },
        ),
        "kick": Section(
            settings.KickSettings,
            {
                "channels": Items(KICK_CHANNEL, "channels", lambda channel: channel.get("slug")),
                "server": url("wss", "ws"),
                "ca_file": values.PATH,
                "rooms_per_connection": number(1, 100, "so that one lost connection costs few rooms"),
                "lanes": LANES,
                "lookup": values.LOOKUP,
                "subscribe": Items(values.SUBSCRIPTION, "Pusher channels"),
            },
        ),
        "recorder": Section(
            settings.RecorderSettings,
            {
                "directory": values.PATH,
                "detail": choice("full", "basic"),
                "flush_interval": duration("50ms", "10s", "this much is lost when the process dies"),
                "sync_interval": duration("100ms", "60s", "this much is lost when the machine dies"),
                "rotate_interval": duration("1s", "1d", "a file lies under the day it was opened"),
                "rotate_size": size("1KB", "4GB", "a file is uploaded in one request"),
                "max_size": size("100KB", "1000TB"),
                "buffer_limit": size("1MB", "1GB", "it is memory"),
            },
        ),
        "s3": Section(
            settings.S3Settings,
            {
                "bucket": values.BUCKET,
                "region": values.REGION,
                "endpoint": url("https", "http"),
                "access_key_id": values.SECRET,
                "secret_access_key": values.SECRET,
                "prefix": values.PREFIX,
                "addressing": choice("auto", "path", "virtual"),
            },
            required=("bucket",),
        ),
        "archive": Section(
            settings.ArchiveSettings,
            {"url": values.ARCHIVE_URL, "directory": values.PATH, "listen": values.LISTEN},
        ),
        "uploader": Section(
            settings.UploaderSettings,
            {
                "compression": choice("none", "gzip", "zstd"),
                "concurrency": number(1, 16, "each upload is a thread and holds a part of its file"),
            },
        ),
        "http": Section(
            settings.HttpSettings,
            {
                "listen": values.LISTEN,
                "token": values.SECRET,
                "hosts": Items(values.HOST, "host names"),
                "room_metrics": values.YES_OR_NO,
                "health": HEALTH,
            },
        ),
        "alarms": Section(
            settings.AlarmSettings,
            {
                "webhook": values.SECRET_URL,
                "webhook_format": choice("auto", "json", "discord", "slack"),
                "coverage": PERCENT,
                "spool": PERCENT,
                "disk": PERCENT,
                "unknown_per_hour": number(0, 10**9),
                "after": duration("0s", "1d"),
            },
        ),
        "log": Section(
            settings.LogSettings,
            {
                "format": choice("text", "json"),
                "level": choice(*values.LEVELS),
                "levels": Items(values.PART_LEVEL, "parts with their level", lambda pair: pair[0]),
            },
        ),
    },
)
