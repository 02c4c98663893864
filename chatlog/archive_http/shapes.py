"""Gaps and times as the archive's own API shows them."""

from __future__ import annotations

from typing import Any

from chatlog.archive import lines
from chatlog.archive.gaps import Gap


def gap_facts(gap: Gap) -> dict[str, Any]:
    """A gap as JSON."""
    return {
        "from": time_text(gap.since),
        "to": time_text(gap.until),
        "seconds": round(gap.seconds, 3),
        "reason": gap.reason,
        "backfilled": gap.backfilled,
    }


def time_text(at: float | None) -> str | None:
    """A time as records have it."""
    return None if at is None else lines.time_bytes(at).decode("ascii")
