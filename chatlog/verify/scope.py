"""The scope of a verification, and the interface for its progress."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from chatlog.archive.retention import Retention
from chatlog.naming import FileName
from chatlog.verify.findings import Problem

HOUR = 3600.0
#: The first and the last day of a scope of all days.
FIRST_DAY, LAST_DAY = date(1, 1, 1), date(9999, 12, 31)


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of an archive that is checked: the days from ``since`` to ``until``, both included, and the
    rooms as (platform, channel); no room means all. ``read``: the objects are read. ``at_once``: how many
    pairs of room and day are checked at a time. ``rotate``: how long a file is written at most, in seconds.
    ``keys`` are the public keys that sign the manifests. ``retention``: how long records are to be kept; None
    if that is not known."""

    since: date = FIRST_DAY
    until: date = LAST_DAY
    rooms: frozenset[tuple[str, str]] = frozenset()
    read: bool = True
    at_once: int = 4
    rotate: float = HOUR
    keys: frozenset[str] = frozenset()
    retention: Retention | None = None

    @property
    def all_days(self) -> bool:
        """Whether the scope has all days."""
        return (self.since, self.until) == (FIRST_DAY, LAST_DAY)

    @property
    def days(self) -> str:
        """The days, for people; "" for all."""
        if self.all_days:
            return ""
        if self.since == self.until:
            return f"of {self.since}"
        if self.until == LAST_DAY:
            return f"from {self.since} on"
        return f"until {self.until}" if self.since == FIRST_DAY else f"from {self.since} to {self.until}"

    def has(self, name: FileName) -> bool:
        """Whether the scope has the file of this name."""
        day = f"{name.minute[:4]}-{name.minute[4:6]}-{name.minute[6:8]}"
        return self.has_room(name.platform, name.channel) and (
            self.since.isoformat() <= day <= self.until.isoformat()
        )

    def has_room(self, platform: str, channel: str) -> bool:
        """Whether the scope has the room."""
        return not self.rooms or (platform, channel) in self.rooms


class Watcher:
    """Is informed about the progress. Here, every method does nothing."""

    def problem(self, problem: Problem) -> None:
        """A problem was found."""

    def note(self, text: str) -> None:
        """Show the user a sentence that is not about a problem."""

    def reading(self, size: int) -> None:
        """``size`` bytes were read. Called from any thread."""

    def step(self, what: str, done: int, total: int) -> None:
        """``done`` of about ``total`` ``what`` are done; ``total`` is 0 if unknown."""
