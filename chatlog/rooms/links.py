"""The links of one pool: which there are, where there is room on them, and when the next is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

from chatlog.rooms.seats import Link

#: Seconds between two new connections.
OPEN_EVERY = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How a pool may use its connections: at most ``requests`` rooms are asked for in ``period`` seconds,
    over all links; with two ``lanes`` every room has two seats."""

    rooms_per_connection: int
    requests: int
    period: float
    lanes: int = 1


class Links:
    """``new_link(number, lane)`` makes a link, for at most ``per_link`` rooms."""

    def __init__(self, clock: IReactorTime, new_link: Callable[[int, int], Link], per_link: int) -> None:
        self._clock = clock
        self._new_link = new_link
        self._per_link = per_link
        self.all: list[Link] = []
        self._numbers = 0
        self._unopened: list[Link] = []
        self._last_opened = float("-inf")

    def place(self, lane: int, rooms: int, avoid: Link | None = None) -> Link:
        """A link of the lane with a free seat, another than ``avoid`` if there can be one. ``rooms`` is how
        many rooms there are."""
        others = [link for link in self._of_lane(lane) if link is not avoid]
        free = [link for link in others if len(link.seats) < self._per_link]
        if free:
            return next((link for link in free if link.up), free[0])
        # One link beyond what the rooms need is enough to try the difficult ones elsewhere.
        if avoid is not None and len(others) * self._per_link >= rooms:
            return avoid
        link = self.make(lane)
        # Every room once before any room twice.
        place = sum(1 for other in self._unopened if other.lane <= lane)
        self._unopened.insert(place, link)
        return link

    def _of_lane(self, lane: int) -> Iterator[Link]:
        return (link for link in self.all if link.lane == lane and not link.retiring and not link.closing)

    def make(self, lane: int) -> Link:
        """A new link of the lane; it is not opened yet."""
        self._numbers += 1
        link = self._new_link(self._numbers, lane)
        self.all.append(link)
        return link

    def open(self, link: Link) -> None:
        """Open the link now."""
        self._last_opened = self._clock.seconds()
        link.open()

    def open_next(self) -> None:
        """Open one of those that wait for it, if it is time."""
        if self._unopened and self._clock.seconds() - self._last_opened >= OPEN_EVERY:
            self.open(self._unopened.pop(0))

    def open_no_more(self) -> None:
        """Those that wait for it stay as they are."""
        self._unopened.clear()

    def discard(self, link: Link) -> None:
        """The link is gone for good."""
        link.up = False
        if link in self.all:
            self.all.remove(link)

    def is_spare(self, link: Link) -> bool:
        """Whether it carries nothing, and others of its lane are there."""
        if not link.up or link.seats or link.retiring or link.closing:
            return False
        return sum(1 for _ in self._of_lane(link.lane)) > 1
