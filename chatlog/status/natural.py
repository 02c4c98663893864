"""Natural sorting of names: room2 before room10."""

from __future__ import annotations

import re

_PARTS = re.compile(r"(\d+)")


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key in which digits count as numbers."""
    return tuple(
        (0, int(part), part) if part.isdecimal() and part.isascii() else (1, 0, part)
        for part in _PARTS.split(text)
        if part
    )
