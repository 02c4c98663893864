"""The arithmetic of ``python -m chatlog.cost``: the growth of an archive in a month, and its cost.

Every object costs one PUT and one HEAD, which verifies it, and a bundle one LIST more, which is billed as a
PUT. Every hour has one manifest, which is one more object. A month has 30 days.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from math import ceil

from chatlog.config.settings import RecorderSettings, UploaderSettings
from chatlog.cost.prices import FLY, Prices, StorageClass
from chatlog.cost.sizes import record_bytes
from chatlog.uploader.bundle_plan import MOST_BYTES, MOST_FILES

DAYS = 30
MANIFESTS_A_DAY = 24
#: Bytes of a manifest's row of an object, of a room, and of an object in a bundle, uncompressed. A compressed
#: manifest costs less than is counted here.
OBJECT_ROW, ROOM_ROW, BUNDLED_ROW = 270, 104, 300
#: GB of the volume in fly.toml.
VOLUME = 3

_RECORDER = RecorderSettings()


@dataclass(frozen=True, slots=True)
class Load:
    """The recorded chat. ``messages`` is the number of messages in a room in a day, spread over ``hours`` of
    the day. ``size`` is the bytes of a record before compression; with None, the measured size is used.
    ``rotate_interval`` is in seconds, ``rotate_size`` in bytes; ``bundle``: ``uploader.bundle``, 0 if off."""

    rooms: int = 100
    messages: float = 10_000.0
    hours: float = 24.0
    size: float | None = None
    platform: str = "twitch"
    detail: str = _RECORDER.detail
    compression: str = UploaderSettings().compression
    rotate_interval: float = _RECORDER.rotate_interval
    rotate_size: int = _RECORDER.rotate_size
    bundle: float = UploaderSettings().bundle


@dataclass(frozen=True, slots=True)
class Month:
    """What a month adds to the archive: objects with chat, manifests, and the stored bytes of both. ``raw``
    is the bytes of a record before compression, ``packed`` after it. ``lists``: how many LISTs it takes."""

    objects: float
    manifests: float
    stored: float
    raw: float
    packed: float
    lists: float = 0.0

    @property
    def requests(self) -> float:
        """The number of PUTs, which is also the number of HEADs."""
        return self.objects + self.manifests


def month_of(load: Load) -> Month:
    """What ``load`` adds to the archive in 30 days."""
    raw = record_bytes(load.platform, load.detail, "none", 1)
    size = raw if load.size is None else load.size
    intervals = ceil(load.hours * 3600 / load.rotate_interval)
    # A file exists only for an interval with messages; in a quiet room most intervals have no file.
    written = min(float(intervals), load.messages)
    if not written:
        files = records = packed = 0.0
    else:
        files = written * max(1, ceil(load.messages / written * size / load.rotate_size))
        records = load.messages / files
        measured = record_bytes(load.platform, load.detail, load.compression, records)
        packed = size * measured / record_bytes(load.platform, load.detail, "none", records)
    inside = files * load.rooms * DAYS
    rows = inside * OBJECT_ROW + load.rooms * MANIFESTS_A_DAY * DAYS * ROOM_ROW
    objects, lists = inside, 0.0
    if load.bundle:
        objects = lists = _bundles(load, files * load.rooms, load.messages * size * load.rooms) * DAYS
        rows += inside * BUNDLED_ROW
    stored = load.messages * packed * load.rooms * DAYS + rows
    return Month(objects, MANIFESTS_A_DAY * DAYS, stored, size, packed, lists)


def _bundles(load: Load, files: float, raw: float) -> float:
    """How many bundles a recorder stores in a day, of so many files with so many bytes before compression."""
    # All rooms finish their files at the same time.
    times = min(float(ceil(load.hours * 3600 / max(load.bundle, load.rotate_interval))), files)
    if not times:
        return 0.0
    return times * max(1, ceil(files / times / MOST_FILES), ceil(raw / times / MOST_BYTES))


def billed(amount: float, free: float, unit: float) -> float:
    """The part of an amount that has to be paid, in whole units (0: exactly)."""
    paid = max(0.0, amount - free)
    return ceil(paid / unit) * unit if unit else paid


def requests_cost(prices: Prices, month: Month) -> tuple[float, float]:
    """Dollars for the PUTs (and LISTs) and for the HEADs of a month."""
    return put_dollars(prices, month.requests + month.lists), head_dollars(prices, month.requests)


def put_dollars(prices: Prices, puts: float) -> float:
    """Dollars for so many PUTs in a month."""
    return billed(puts, prices.free_puts, prices.request_unit) / 1000 * prices.put


def head_dollars(prices: Prices, heads: float) -> float:
    """Dollars for so many HEADs or GETs in a month."""
    return billed(heads, prices.free_heads, prices.request_unit) / 1000 * prices.head


def storage_cost(prices: Prices, month: Month, number: int) -> float:
    """Dollars for the storage in the ``number``-th month, counted from 1: for everything from the months
    before, and for half of this month's growth."""
    stored = month.stored * (number - 0.5) / prices.gb
    return billed(stored, prices.free_gb, prices.storage_unit) * prices.storage


def total_cost(prices: Prices, month: Month, number: int) -> float:
    """Dollars for the ``number``-th month."""
    return math.fsum(requests_cost(prices, month)) + storage_cost(prices, month, number)


def host_cost(month: Month) -> float:
    """Dollars a month for the machine on fly.io, its volume, and its sent data."""
    return FLY.machine + VOLUME * FLY.volume + month.stored / 10**9 * FLY.sending


def class_cost(storage: StorageClass, prices: Prices, month: Month) -> tuple[float, float]:
    """Dollars for moving the objects of one month into a storage class, and for storing them there a
    month."""
    size = month.stored / month.requests
    kept = max(size, storage.minimum) * month.requests
    return month.requests / 1000 * storage.moving, kept / prices.gb * storage.storage
