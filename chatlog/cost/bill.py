"""What an archive makes in a month, and what that costs: the arithmetic of ``python -m chatlog.cost``.

Every object is one PUT and one HEAD, which verifies it; an hourly manifest is one more object. A month has
30 days.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from math import ceil

from chatlog.config.settings import RecorderSettings, UploaderSettings
from chatlog.cost.prices import FLY, Prices, StorageClass
from chatlog.cost.sizes import record_bytes

DAYS = 30
MANIFESTS_A_DAY = 24
#: Bytes of the rows of a manifest, one for every object and one for every room, before compression. They are
#: counted like that, which is more than a compressed manifest takes.
OBJECT_ROW, ROOM_ROW = 270, 104
#: GB of the volume in fly.toml.
VOLUME = 3

_RECORDER = RecorderSettings()


@dataclass(frozen=True, slots=True)
class Load:
    """What is recorded, and how. ``messages`` are those of a room in a day, spread over ``hours`` of it;
    ``size`` bytes a record before compression, None for what was measured. ``rotate_interval`` is in
    seconds, ``rotate_size`` in bytes."""

    rooms: int = 100
    messages: float = 10_000.0
    hours: float = 24.0
    size: float | None = None
    platform: str = "twitch"
    detail: str = _RECORDER.detail
    compression: str = UploaderSettings().compression
    rotate_interval: float = _RECORDER.rotate_interval
    rotate_size: int = _RECORDER.rotate_size


@dataclass(frozen=True, slots=True)
class Month:
    """What a month adds to the archive: objects with chat, manifests, and the bytes of both as they are
    stored. ``raw`` are the bytes of a record before, ``packed`` after compression."""

    objects: float
    manifests: float
    stored: float
    raw: float
    packed: float

    @property
    def requests(self) -> float:
        """PUTs, and as many HEADs."""
        return self.objects + self.manifests


def month_of(load: Load) -> Month:
    """What ``load`` makes in 30 days."""
    raw = record_bytes(load.platform, load.detail, "none", 1)
    size = raw if load.size is None else load.size
    intervals = ceil(load.hours * 3600 / load.rotate_interval)
    # No file is empty; in a quiet room most intervals have none.
    written = min(float(intervals), load.messages)
    if not written:
        files = records = packed = 0.0
    else:
        files = written * max(1, ceil(load.messages / written * size / load.rotate_size))
        records = load.messages / files
        measured = record_bytes(load.platform, load.detail, load.compression, records)
        packed = size * measured / record_bytes(load.platform, load.detail, "none", records)
    objects = files * load.rooms * DAYS
    rows = objects * OBJECT_ROW + load.rooms * MANIFESTS_A_DAY * DAYS * ROOM_ROW
    stored = load.messages * packed * load.rooms * DAYS + rows
    return Month(objects, MANIFESTS_A_DAY * DAYS, stored, size, packed)


def _billed(amount: float, free: float, unit: float) -> float:
    """What is left of an amount to be paid, in whole units."""
    paid = max(0.0, amount - free)
    return ceil(paid / unit) * unit if unit else paid


def requests_cost(prices: Prices, month: Month) -> tuple[float, float]:
    """Dollars for the PUTs and for the HEADs of a month."""
    puts = _billed(month.requests, prices.free_puts, prices.request_unit)
    heads = _billed(month.requests, prices.free_heads, prices.request_unit)
    return puts / 1000 * prices.put, heads / 1000 * prices.head


def storage_cost(prices: Prices, month: Month, number: int) -> float:
    """Dollars for what is stored in the ``number``-th month, counted from 1: everything of the months
    before and, since it grows evenly, half of its own."""
    stored = month.stored * (number - 0.5) / prices.gb
    return _billed(stored, prices.free_gb, prices.storage_unit) * prices.storage


def total_cost(prices: Prices, month: Month, number: int) -> float:
    """Dollars for the ``number``-th month."""
    return math.fsum(requests_cost(prices, month)) + storage_cost(prices, month, number)


def host_cost(month: Month) -> float:
    """Dollars a month for the machine on fly.io, its volume, and what it sends."""
    return FLY.machine + VOLUME * FLY.volume + month.stored / 10**9 * FLY.sending


def class_cost(storage: StorageClass, prices: Prices, month: Month) -> tuple[float, float]:
    """Dollars for moving the objects of one month into a class, and for keeping them there a month."""
    size = month.stored / month.requests
    kept = max(size, storage.minimum) * month.requests
    return month.requests / 1000 * storage.moving, kept / prices.gb * storage.storage
