"""Compares objects of one key that are in several places."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress

from chatlog.naming import parse_key
from chatlog.uploader.manifest_rows import ObjectRow
from chatlog.uploader.packing import unpacked


def sha256_of(chunks: Iterable[bytes]) -> str:
    """The digest of an object."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def has_others(chunks: Iterable[bytes], key: str, row: ObjectRow | None) -> bool:
    """Whether an object is not the one that a manifest names, and has records nevertheless: it is not a
    damaged copy of that."""
    data = b"".join(chunks)
    if row is not None and sha256_of([data]) == row.sha256:
        return False
    with suppress(ValueError):
        lines = b"".join(unpacked([data], parse_key(key)[1])).splitlines()
        return bool(lines) and all(line.startswith(b"{") and line.endswith(b"}") for line in lines)
    return False
