"""Parses the keys of an archive."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from chatlog.naming import BundleName, FileName, parse_bundle_key, parse_name

_SUFFIXES = (".gz", ".zst")


def suffix_of(key: str) -> str:
    """The suffix of a compressed object's key; "" if it is not compressed."""
    return next((end for end in _SUFFIXES if key.endswith(end)), "")


def name_of_object(key: str) -> FileName | None:
    """The name in an object's key; None if this is not the key of a recorder's object."""
    suffix = suffix_of(key)
    with suppress(ValueError):
        name = parse_name(key.removesuffix(suffix).rpartition("/")[2])
        if name.key(suffix=suffix) == key:
            return name
    return None


def is_bundle(key: str) -> bool:
    """Whether this is the key of a bundle."""
    try:
        parse_bundle_key(key)
    except ValueError:
        return False
    return True


def created(name: FileName | BundleName) -> float | None:
    """When a file was created, in seconds since the epoch; None if its name has no valid time."""
    try:
        return datetime.strptime(name.minute, "%Y%m%d_%H%M").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
