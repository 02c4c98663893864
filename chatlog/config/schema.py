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
class Table:
    """A mapping whose keys are free: ``key`` reads one, ``value`` its value. The settings have the pairs."""

    key: Kind
    value: Kind


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping. ``make`` creates the settings from the values of the keys, of which the ``required`` ones
    must be given. A single value instead of a mapping is the value of the key ``short``."""

    make: Callable[..., Any]
    keys: Mapping[str, Shape]
    required: tuple[str, ...] = ()
    short: str = ""


#: What a key may hold.
Shape = Kind | Items | Table | Section

#: The most uploads at a time.
MOST_UPLOADS = 16
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

#: The keys that concern no platform.
COMMON: Mapping[str, Shape] = {
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
        {
            "url": values.ARCHIVE_URL,
            "directory": values.PATH,
            "listen": values.LISTEN,
            "signing_key": values.SIGNING_KEY,
            "keep": Table(values.KEPT, values.KEEP),
            "tier_after": duration("1d", "36500d", "the store's days of a class count from then"),
            "tier_class": values.CLASS,
            "optout_key": values.OPTOUT_KEY,
            "cache": values.PATH,
            "cache_size": size("1MB", "1000TB"),
            "compact": values.YES_OR_NO,
            "public": values.YES_OR_NO,
            "public_search": values.YES_OR_NO,
            "optout_by_chat": values.YES_OR_NO,
        },
    ),
    "uploader": Section(
        settings.UploaderSettings,
        {
            "compression": choice("none", "gzip", "zstd"),
            "compression_level": number(1, 9, "more costs much processor time for little space"),
            "concurrency": number(1, MOST_UPLOADS, "each upload is a thread and holds a part of its file"),
            "storage_class": values.CLASS,
            "bundle": duration("0s", "1h", "so much longer is chat on this machine alone; 0s: off"),
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
    "cluster": Section(
        settings.ClusterSettings,
        {
            "name": values.CLUSTER,
            "engine": values.ENGINE,
            "replicas": number(1, 5, "each is a recorder more that listens to every room"),
            "capacity": number(1, 1_000_000),
            "zone": values.WORD,
            "lease": duration("6s", "10m", "a line is written every 3 s"),
            "drain": duration("0s", "1h"),
            "joins": values.WORD,
            "ca_file": values.PATH,
        },
        required=("name", "engine"),
    ),
    "log": Section(
        settings.LogSettings,
        {
            "format": choice("text", "json"),
            "level": choice(*values.LEVELS),
            "levels": Items(values.PART_LEVEL, "parts with their level", lambda pair: pair[0]),
        },
    ),
}


def root_of(platforms: Mapping[str, Section]) -> Section:
    """The whole file, with these sections of platforms by their names."""

    def make(**given: Any) -> settings.Settings:
        sections = {name: given.pop(name) for name in platforms if name in given}
        return settings.Settings(platforms=sections, **given)

    return Section(make, {"instance": values.NAME, **platforms, **COMMON})
