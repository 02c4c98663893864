"""Gaps and times in the form of the archive's own API."""

from __future__ import annotations

from typing import Any

from chatlog.archive import lines
from chatlog.archive.gaps import Gap, Unread
from chatlog.archive.notices import public_name, unread_text
from chatlog.printable import printable

#: The most files that one answer names.
_NAMED = 100


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
    """A time in the form of the records."""
    return None if at is None else lines.time_bytes(at).decode("ascii")


def unread_facts(unread: list[Unread]) -> list[dict[str, str]]:
    """Files that could not be read, as JSON: by their keys, or by their names if they are not stored yet.
    ``text`` is the sentence for people."""
    return [
        {
            "name": public_name(each),
            "why": printable(each.why, 300),
            "text": unread_text(each, public_name(each)),
        }
        for each in unread[:_NAMED]
    ]
