"""What is asked of an archive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chatlog.archive.lines import LAST
from chatlog.archive.matching import Filter
from chatlog.archive.room_files import Room


@dataclass(frozen=True, slots=True)
class Question:
    """The records of one room from ``since`` to before ``until`` (seconds since the epoch) that match a
    filter; ``newest`` first, or the oldest first. Once ``most_bytes`` were read, or ``is_over()`` is true,
    the answer ends early, and its report says so. Listings that were begun after the ``moment`` are reused:
    see ``Reader.list_ahead``."""

    room: Room
    since: float = 0.0
    until: float = LAST
    filter: Filter = field(default_factory=Filter)
    newest: bool = False
    most_bytes: int | None = None
    is_over: Callable[[], bool] | None = None
    moment: int | None = None


class Cancelled(Exception):
    """The answer was cancelled."""
