"""How many seconds of a period each room was recorded, and how many not: the room rows of a manifest."""

from __future__ import annotations

from typing import NamedTuple

from chatlog.journal.journal import Key, Standing
from chatlog.rooms.coverage import Hole


class RoomTime(NamedTuple):
    """Seconds of a period in which a room was recorded and in which it was not; why it is missing at
    the end, ``""`` if it is not."""

    platform: str
    channel: str
    recorded: float
    missing: float
    reason: str


class Tally:
    """The holes of one period, which began at ``since`` (wall-clock seconds).

    ``lost`` holds the seconds of the holes that have closed.
    """

    __slots__ = ("_next", "lost", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.lost: dict[Key, float] = {}
        self._next: Tally | None = None

    def closed(self, key: Key, hole: Hole) -> None:
        """A hole of the room has closed."""
        seconds = hole.end - max(hole.start, self.since)
        if seconds > 0:
            self.lost[key] = self.lost.get(key, 0.0) + seconds
        if self._next is not None:
            self._next.closed(key, hole)

    def closing(self, at: float) -> None:
        """The period will end at ``at``: of the holes that close from now on, what comes after that
        counts for the next one."""
        self._next = Tally(at)

    def turn(self, at: float) -> None:
        """The next period begins at ``at``."""
        following, self._next = self._next, None
        self.since = at
        self.lost = following.lost if following is not None and following.since == at else {}

    def time(self, key: Key, standing: Standing, until: float) -> RoomTime:
        """The seconds, up to ``until``, of a room that stands so."""
        open_since = None if standing.recorded else standing.since
        recorded, missing = self.seconds(key, standing.begun, open_since, until)
        return RoomTime(*key, recorded, missing, "" if standing.recorded else standing.reason)

    def seconds(
        self, key: Key, first: float | None, missing_since: float | None, until: float
    ) -> tuple[float, float]:
        """Seconds recorded and seconds missing up to ``until``. ``first``: when the room was recorded
        for the first time, if that is known; before it nothing was promised. ``missing_since``: the
        start of its open hole."""
        start = self.since if first is None else max(first, self.since)
        whole = max(until - start, 0.0)
        missing = self.lost.get(key, 0.0)
        if missing_since is not None:
            missing += max(until - max(missing_since, start), 0.0)
        missing = min(missing, whole)
        return whole - missing, missing
