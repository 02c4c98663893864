"""Prices of object stores and fly.io in US dollars, with their sources.

Prices change: ``read`` is the month in which a price was read, ``source`` the page. Discounts, taxes and
prices beyond 50 TB are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from chatlog.config.storage_classes import FAMILIES


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
    # us-central1. Published by the hour; a month has 730. A GB is 2**30 bytes.
    Prices(
        "GCS",
        "https://cloud.google.com/storage/pricing",
        "2026-09",
        0.005,
        0.0004,
        0.02,
        gb=2**30,
        free_puts=5_000,
        free_heads=50_000,
        free_gb=5.0,
    ),
)


def _priced(store: str, name: str, storage: float, moving: float, reading: float) -> StorageClass:
    """A class with its prices; its title and its minimum bytes and days come from the table of classes."""
    found = FAMILIES[store].find(name)
    assert found is not None
    return StorageClass(store, found.title, storage, moving, reading, found.least_bytes, found.least_days)


#: Left out are classes whose objects can be read only hours after a request, as S3's Glacier Flexible
#: Retrieval and Deep Archive. B2 has one class. Azure's prices depend on the region and on the redundancy.
CLASSES = (
    _priced("S3", "STANDARD_IA", 0.0125, 0.01, 0.01),
    _priced("S3", "GLACIER_IR", 0.004, 0.02, 0.03),
    _priced("R2", "STANDARD_IA", 0.01, 0.009, 0.01),
    _priced("Tigris", "STANDARD_IA", 0.01, 0.005, 0.01),
    _priced("Tigris", "GLACIER_IR", 0.004, 0.005, 0.03),
    _priced("GCS", "NEARLINE", 0.01, 0.01, 0.01),
    _priced("GCS", "COLDLINE", 0.004, 0.02, 0.02),
    _priced("GCS", "ARCHIVE", 0.0012, 0.05, 0.05),
)

#: shared-cpu-1x with 256 MB in iad; sending within North America and Europe, also to Tigris.
FLY = Host("fly.io", "https://fly.io/docs/about/pricing/", "2026-06", 2.02, 0.15, 0.02)
