"""The storage classes of each store, with their names and minimums: the one table about them.

A colder class costs less a month, but has a least time for which an object is billed, mostly a least size,
and a price for reading. Objects of some classes have to be restored before they can be read, which takes
hours.

Sources, read 2026-11:
S3      https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html
R2      https://developers.cloudflare.com/r2/buckets/storage-classes/
Tigris  https://www.tigrisdata.com/docs/objects/tiers/
B2      https://www.backblaze.com/docs/cloud-storage-s3-compatible-api
GCS     https://cloud.google.com/storage/docs/storage-classes
Azure   https://learn.microsoft.com/azure/storage/blobs/access-tiers-overview
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

_K = 1024
#: The form of a class of a store that is not in the table.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,39}\Z")
#: The variables in which the S3 library finds the address of the store if none is configured.
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


@dataclass(frozen=True, slots=True)
class StorageClass:
    """A class by the name that the store gives it in requests, and by that of its web pages. An object is
    billed for at least ``least_bytes`` and at least ``least_days``. Without ``at_once`` it has to be restored
    before it can be read."""

    name: str
    title: str
    least_bytes: int = 0
    least_days: int = 0
    at_once: bool = True


@dataclass(frozen=True, slots=True)
class Family:
    """The classes of a kind of store, that of new objects first. ``coldest`` is the coldest that can be read
    at once, ``""`` if there is none but the first. ``moves``: how a request moves an object to another class:
    by a ``copy`` onto itself, by setting its ``tier``, or not at all (``""``). ``rules``: the form of a
    lifecycle rule, ``""`` where no rule moves objects. ``known``: the store has these classes and no
    others."""

    name: str
    title: str
    classes: tuple[StorageClass, ...]
    coldest: str
    moves: str
    rules: str
    known: bool = True

    def find(self, name: str) -> StorageClass | None:
        """The class of this name, in upper or lower case; None if the store has none."""
        for each in self.classes:
            if each.name.lower() == name.lower():
                return each
        return StorageClass(name, name) if not self.known and _NAME.match(name) else None

    def spelled(self, name: str | None) -> str:
        """The name as the store writes it; ``""`` for None."""
        found = self.find(name) if name else None
        return found.name if found is not None else name or ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all classes."""
        return tuple(each.name for each in self.classes)


S3 = Family(
    "S3",
    "Amazon S3",
    (
        StorageClass("STANDARD", "Standard"),
        StorageClass("INTELLIGENT_TIERING", "Intelligent-Tiering"),
        StorageClass("STANDARD_IA", "Standard-IA", 128 * _K, 30),
        StorageClass("ONEZONE_IA", "One Zone-IA", 128 * _K, 30),
        StorageClass("GLACIER_IR", "Glacier Instant Retrieval", 128 * _K, 90),
        StorageClass("GLACIER", "Glacier Flexible Retrieval", 0, 90, False),
        StorageClass("DEEP_ARCHIVE", "Glacier Deep Archive", 0, 180, False),
    ),
    "GLACIER_IR",
    "copy",
    "s3",
)
R2 = Family(
    "R2",
    "Cloudflare R2",
    (StorageClass("STANDARD", "Standard"), StorageClass("STANDARD_IA", "Infrequent Access", 0, 30)),
    "STANDARD_IA",
    "copy",
    "s3",
)
TIGRIS = Family(
    "Tigris",
    "Tigris",
    (
        StorageClass("STANDARD", "Standard"),
        StorageClass("STANDARD_IA", "Infrequent Access", 0, 30),
        StorageClass("GLACIER_IR", "Archive Instant Retrieval", 0, 90),
        StorageClass("GLACIER", "Archive", 0, 90, False),
    ),
    "GLACIER_IR",
    "copy",
    "s3",
)
B2 = Family("B2", "Backblaze B2", (StorageClass("STANDARD", "Standard"),), "", "", "")
GCS = Family(
    "GCS",
    "Google Cloud Storage",
    (
        StorageClass("STANDARD", "Standard"),
        StorageClass("NEARLINE", "Nearline", 0, 30),
        StorageClass("COLDLINE", "Coldline", 0, 90),
        StorageClass("ARCHIVE", "Archive", 0, 365),
    ),
    "COLDLINE",
    "copy",
    "gcs",
)
AZURE = Family(
    "Azure",
    "Azure Blob Storage",
    (
        StorageClass("Hot", "Hot"),
        StorageClass("Cool", "Cool", 128 * _K, 30),
        StorageClass("Cold", "Cold", 128 * _K, 90),
        StorageClass("Archive", "Archive", 128 * _K, 180, False),
    ),
    "Cold",
    "tier",
    "azure",
)
#: A store with the API of S3 that is not in the table; only its use shows whether the store knows a class.
OTHER = Family("other", "the store", (StorageClass("STANDARD", "Standard"),), "", "copy", "s3", known=False)
#: A directory has no classes.
DIRECTORY = Family("directory", "a directory", (), "", "", "")

#: All families of the table.
FAMILIES: Mapping[str, Family] = MappingProxyType(
    {family.name: family for family in (S3, R2, TIGRIS, B2, GCS, AZURE)}
)
#: The family of the store at an address, by the end of its host name.
_HOSTS: tuple[tuple[str, Family], ...] = (
    ("amazonaws.com", S3),
    ("amazonaws.com.cn", S3),
    ("r2.cloudflarestorage.com", R2),
    ("tigris.dev", TIGRIS),
    ("storage.dev", TIGRIS),
    ("tigrisfiles.io", TIGRIS),
    ("backblazeb2.com", B2),
    ("storage.googleapis.com", GCS),
)


def family_of(has_bucket: bool, endpoint: str | None, url: str | None) -> Family:
    """The kind of the store. ``has_bucket``: ``s3`` is configured, with this endpoint; else the store is at
    the address ``archive.url``, or is a directory without an address."""
    scheme = "s3" if has_bucket else urlsplit(url or "").scheme
    if scheme in ("gs", "az"):
        return GCS if scheme == "gs" else AZURE
    if scheme != "s3":
        return DIRECTORY
    named = endpoint if has_bucket else None
    address = named or next((value for name in _ENDPOINTS if (value := os.environ.get(name, ""))), "")
    host = (urlsplit(address).hostname or "").rstrip(".")
    if not host:
        return S3
    return next((family for end, family in _HOSTS if f".{host}".endswith(f".{end}")), OTHER)


def wrong_class(family: Family, name: str) -> str:
    """Why a store does not accept a class: the rest of a sentence that begins with the name; ``""`` if it
    does."""
    if family is DIRECTORY:
        return "is a class of a store, and the archive is a directory; leave it out"
    if family.find(name) is not None:
        return ""
    if not family.known:
        return "is not the name of a class; write it as the store does, such as STANDARD_IA"
    if len(family.classes) == 1:
        return f"is no class of {family.title}, which has one alone; leave it out"
    return f"is no class of {family.title}; it has {', '.join(family.names)}"


def wrong_for_writing(family: Family, name: str) -> str:
    """The same for a class of new objects, which have to be readable at once: every object is verified after
    its put."""
    found = family.find(name) if family is not DIRECTORY else None
    if found is not None and not found.at_once:
        fit = ", ".join(each.name for each in family.classes if each.at_once)
        return (
            "is a class whose objects cannot be read before they were restored, and what is written is read "
            f"again; write one of {fit}, or let chatlog tier move what is old (archive.tier_class)"
        )
    return wrong_class(family, name)


def remarks(family: Family, storage_class: str | None, tier_class: str | None) -> Iterator[str]:
    """Remarks about the classes of a configuration, in sentences."""
    found = family.find(storage_class) if storage_class else None
    if found is not None and found.least_bytes:
        least = found.least_bytes // _K
        yield (
            f"uploader.storage_class: {family.title} bills an object in {found.name} for at least {least} "
            f"KiB and {found.least_days} days, and most objects are smaller: bundle them (chatlog bundle), "
            "and move the bundles (archive.tier_after)"
        )
    found = family.find(tier_class) if tier_class else None
    if found is not None and not found.at_once:
        yield (
            f"archive.tier_class: what is in {found.name} has to be restored before anything can read it, "
            "which takes hours: search, log, export, verify and erase leave it out and say so"
        )
