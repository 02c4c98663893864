"""Idle connections: those that have said nothing for a while, as the journal has to know them.

Whether such a connection is still alive shows only when it is asked, and the process may be killed before
that. Then the next one dates the holes of its rooms back to when it was heard for the last time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatlog.journal.journal import Span, link_entry
from chatlog.rooms.pool import Pool
from chatlog.rooms.subscriptions import Room, State

#: Seconds without a byte after which a connection is noted.
IDLE = 2.0
#: Seconds after which a connection that is gone cannot matter any more: those that are dead are found out
#: sooner.
_GONE = 300.0


def connections_of(
    room: Room, wall: float, clock: float
) -> tuple[tuple[tuple[int, float], ...], tuple[Span, ...]]:
    """The numbers of the connections that have the room, and since when; and from when to when those had it
    that are gone since a short while. In wall-clock seconds; both times are now. Of one that was the only one
    all the time it does not matter since when, and 0 is shorter."""
    epoch = wall - clock
    seats = [seat for seat in room.subscriptions if seat.state is State.RECORDED]
    past = room.intervals.after(clock - _GONE) if room.intervals is not None and seats else []
    if len(seats) == 1 and not past:
        return ((seats[0].connection.number, 0),), ()
    links = tuple((seat.connection.number, seat.since + epoch) for seat in seats)
    return links, tuple((start + epoch, end + epoch) for start, end in past)


class IdleConnections:
    """Which connections of these pools are quiet, and what of it is in the journal."""

    def __init__(self, pools: Mapping[str, Pool]) -> None:
        self._pools = pools
        #: Since when they are quiet, in wall-clock seconds, by platform and number.
        self._noted: dict[tuple[str, int], float] = {}
        self._found: dict[tuple[str, int], float] = {}

    def entries(self, at: float) -> list[dict[str, Any]]:
        """What the journal lacks of them at the time ``at``; the same again until they are ``noted``."""
        self._found = {}
        entries = []
        for platform, pool in self._pools.items():
            for link in pool.connections:
                key = platform, link.number
                ago = link.heard_ago() if link.up else 0.0
                known = self._noted.get(key)
                if ago <= IDLE:
                    if known is not None:
                        entries.append(link_entry(*key, None))
                elif known is not None and at - ago < known + IDLE / 2:
                    self._found[key] = known
                else:
                    self._found[key] = at - ago
                    entries.append(link_entry(*key, at - ago))
        return entries

    def noted(self) -> None:
        """The latest entries are in the journal."""
        self._noted = self._found

    def all_entries(self) -> list[dict[str, Any]]:
        """What a journal that begins now has of them."""
        return [link_entry(*key, heard) for key, heard in self._noted.items()]

    def unsure(self) -> None:
        """Nobody knows what the journal holds."""
        links = (
            (platform, link.number) for platform, pool in self._pools.items() for link in pool.connections
        )
        self._noted = dict.fromkeys(links, 0.0)
