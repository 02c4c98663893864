"""Words that the sentences about a configuration share."""

from __future__ import annotations

from math import ceil

#: Seconds between two new connections of a platform.
OPEN_EVERY = 2.0


def all_asked(rooms: int, seconds: float) -> str:
    """When the last of the rooms is requested, if all requests take so many seconds."""
    what = "the room is" if rooms == 1 else f"all {rooms:,} rooms are"
    if seconds < 2:
        return f"{what} requested as soon as there is a connection."
    time = f"{ceil(seconds)} s" if seconds < 120 else f"{ceil(seconds / 60)} min"
    return f"{what} requested within {time} of the start."
