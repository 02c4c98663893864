"""What is looked at, and who is told how far that is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from chatlog.naming import FileName
from chatlog.verify.findings import Problem

HOUR = 3600.0
#: What begins and ends a scope of all days.
FIRST_DAY, LAST_DAY = date(1, 1, 1), date(9999, 12, 31)


@dataclass(frozen=True, slots=True)
class Scope:
    """What is looked at: days, both included, and rooms as (platform, channel), none meaning all.
    ``read``: also what is in the objects. ``at_once`` is the number of rooms and days in hand at a time;
    ``rotate`` how long files are written to at most, in seconds."""

    since: date = FIRST_DAY
    until: date = LAST_DAY
    rooms: frozenset[tuple[str, str]] = frozenset()
    read: bool = True
    at_once: int = 4
    rotate: float = HOUR

    @property
    def all_days(self) -> bool:
        """Whether no day is left out."""
        return (self.since, self.until) == (FIRST_DAY, LAST_DAY)

    @property
    def all(self) -> bool:
        """Whether nothing is left out."""
        return self.all_days and not self.rooms

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
        """Whether a file of this name belongs to it."""
        day = f"{name.minute[:4]}-{name.minute[4:6]}-{name.minute[6:8]}"
        return self.has_room(name.platform, name.channel) and (
            self.since.isoformat() <= day <= self.until.isoformat()
        )

    def has_room(self, platform: str, channel: str) -> bool:
        """Whether a room belongs to it."""
        return not self.rooms or (platform, channel) in self.rooms


class Watcher:
    """Who wants to know how far it is. Every method does nothing."""

    def problem(self, problem: Problem) -> None:
        """A problem was found."""

    def note(self, text: str) -> None:
        """Something that people should know, and that is no problem."""

    def reading(self, size: int) -> None:
        """So many bytes were read; called in any thread."""

    def step(self, what: str, done: int, total: int) -> None:
        """``done`` of about ``total`` ``what`` were looked at; 0 if nobody knows."""
