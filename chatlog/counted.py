"""Counts in sentences for people."""

from __future__ import annotations


def many(count: int, noun: str, plural: str = "") -> str:
    """``1 line``, ``2 lines``, ``1,234 lines``. ``plural`` is that of the noun if it takes more than an s."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"
