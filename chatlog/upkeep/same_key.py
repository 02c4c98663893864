"""Compares objects of one key that are in several places."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from chatlog.chunks import sha256_of
from chatlog.naming import parse_key
from chatlog.uploader.manifest_rows import ObjectRow
from chatlog.uploader.packing import unpacked


def has_others(chunks: Iterable[bytes], key: str, row: ObjectRow | None) -> bool:
    """Whether an object differs from the one that a manifest names, and consists of records, so that it is no
    damaged copy of that one."""
    data = b"".join(chunks)
    if row is not None and sha256_of([data]) == row.sha256:
        return False
    with suppress(ValueError):
        lines = b"".join(unpacked([data], parse_key(key)[1])).splitlines()
        return bool(lines) and all(line.startswith(b"{") and line.endswith(b"}") for line in lines)
    return False
