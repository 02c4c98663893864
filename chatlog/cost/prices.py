"""Prices of object stores and fly.io in US dollars, with their sources.

Prices change: ``read`` is the month in which a price was read, ``source`` the page. Discounts, taxes and
prices beyond 50 TB are left out.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices of a store. ``put`` and ``head`` are for 1000 requests, ``storage`` is for a GB in a month,
    and a GB has ``gb`` bytes. The free amounts are per month. Beyond them, requests are billed in units of
    ``request_unit`` and storage in units of ``storage_unit`` GB; 0 means exactly."""

    name: str
    source: str
    read: str
    put: float
    head: float
    storage: float
    gb: int = 10**9
    free_puts: int = 0
    free_heads: int = 0
    free_gb: float = 0.0
    request_unit: int = 0
    storage_unit: float = 0.0


@dataclass(frozen=True, slots=True)
class StorageClass:
    """A cheaper storage class whose objects can be read at once. ``storage`` and ``reading`` are for a GB,
    ``moving`` is for 1000 objects that a lifecycle rule moves there. An object is billed for at least
    ``minimum`` bytes and at least ``days`` days."""

    store: str
    name: str
    storage: float
    moving: float
    reading: float
    minimum: int
    days: int


@dataclass(frozen=True, slots=True)
class Host:
    """A host's prices: a machine a month, a GB of its volume a month, a GB of sent data."""

    name: str
    source: str
    read: str
    machine: float
    volume: float
    sending: float


STORES = (
    # N. Virginia. A GB of AWS is 2**30 bytes.
    Prices("S3", "https://aws.amazon.com/s3/pricing/", "2026-03", 0.005, 0.0004, 0.023, gb=2**30),
    Prices(
        "R2",
        "https://developers.cloudflare.com/r2/pricing/",
        "2026-06",
        0.0045,
        0.00036,
        0.015,
        free_puts=1_000_000,
        free_heads=10_000_000,
        free_gb=10.0,
        request_unit=1_000_000,
        storage_unit=1.0,
    ),
    Prices(
        "Tigris",
        "https://www.tigrisdata.com/docs/pricing/",
        "2026-08",
        0.005,
        0.0005,
        0.02,
        free_puts=10_000,
        free_heads=100_000,
        free_gb=5.0,
    ),
    # Since May 2026 no request costs anything.
    Prices(
        "B2",
        "https://www.backblaze.com/cloud-storage/pricing",
        "2026-09",
        0.0,
        0.0,
        0.00695,
        free_gb=10.0,
    ),
)

#: Left out are S3's Glacier Flexible Retrieval and Deep Archive, and Tigris's Archive: their objects can be
#: read only hours after a request. B2 has no classes.
CLASSES = (
    StorageClass("S3", "Standard-IA", 0.0125, 0.01, 0.01, 128 * 1024, 30),
    StorageClass("S3", "Glacier Instant Retrieval", 0.004, 0.02, 0.03, 128 * 1024, 90),
    StorageClass("R2", "Infrequent Access", 0.01, 0.009, 0.01, 0, 30),
    StorageClass("Tigris", "Infrequent Access", 0.01, 0.005, 0.01, 0, 30),
    StorageClass("Tigris", "Archive Instant Retrieval", 0.004, 0.005, 0.03, 0, 90),
)

#: shared-cpu-1x with 256 MB in iad; sending within North America and Europe, also to Tigris.
FLY = Host("fly.io", "https://fly.io/docs/about/pricing/", "2026-06", 2.02, 0.15, 0.02)
