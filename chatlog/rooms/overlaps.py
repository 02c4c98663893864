"""Decides in which rooms duplicates are searched, and for how long."""

from __future__ import annotations

from chatlog.rooms.duplicates import Duplicates
from chatlog.rooms.subscriptions import Room

#: Seconds for which duplicates are expected after the second connection of a room has ended.
LINGER = 10.0


class Overlaps:
    """Switches the search for duplicates on and off, room by room. ``always``: rooms always have two
    connections."""

    def __init__(self, always: bool) -> None:
        self._always = always
        self._duplicates = Duplicates()
        self._until: dict[Room, float] = {}

    def added(self, room: Room) -> None:
        """The room is recorded from now on."""
        if self._always:
            room.duplicates = self._duplicates

    def begin(self, room: Room, until: float) -> None:
        """Search for duplicates in the room, at least until ``until`` (in seconds of the clock)."""
        if not self._always:
            room.duplicates = self._duplicates
            self._until[room] = max(until, self._until.get(room, until))

    def removed(self, room: Room) -> None:
        """The room is no longer recorded."""
        room.duplicates = None
        self._until.pop(room, None)

    def check(self, now: float) -> None:
        """Called every second."""
        for room, until in list(self._until.items()):
            if len(room.subscriptions) > 1:
                self._until[room] = max(until, now + LINGER)
            elif until <= now:
                room.duplicates = None
                del self._until[room]
