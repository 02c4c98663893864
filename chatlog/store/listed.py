"""Reads the library's answers about objects, and recognises errors with another meaning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chatlog.store.store import Head

#: Errors of the library for an answer without a header that it needs.
_ODD_HEADERS = (
    "Header missing from response",
    "Invalid last modified",
    "Invalid content length",
    "content range",
)


def part_of(chunks: Iterable[bytes], offset: int, size: int) -> Iterator[bytes]:
    """``size`` bytes behind ``offset`` in the chunks."""
    for chunk in chunks:
        if offset < len(chunk):
            piece = chunk[offset : offset + size]
            yield piece
            size -= len(piece)
        if size <= 0:
            return
        offset = max(offset - len(chunk), 0)


def head_of(key: str, meta: Mapping[str, Any]) -> Head:
    """The metadata of a single object, from the library's answer."""
    return Head(key, int(meta["size"]), _bare(meta))


def listed(meta: Mapping[str, Any]) -> Head:
    """The metadata of an object in a list, from the library's answer."""
    stored = meta["last_modified"].timestamp()
    # The library gives the epoch if the store gave no time.
    return Head(str(meta["path"]), int(meta["size"]), _bare(meta), stored if stored > 0 else None)


def _bare(meta: Mapping[str, Any]) -> str:
    return (meta.get("e_tag") or "").removeprefix("W/").strip('"').lower()


def is_odd(error: Exception) -> bool:
    """Whether the answer was fine except for a header that the library needs."""
    return any(words in str(error) for words in _ODD_HEADERS)


def is_bucket_missing(error: Exception) -> bool:
    """Whether the error is that there is no such bucket."""
    return "NoSuchBucket" in str(error) or "ContainerNotFound" in str(error)
