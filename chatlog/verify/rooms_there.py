"""The rooms that an archive has, for those who asked for one that it has not."""

from __future__ import annotations

from difflib import SequenceMatcher

#: Rooms that are remembered, and rooms that are named.
_MOST = 20_000
_NAMED = 5
#: How much two names must have in common, from 0 to 1, to be called near.
_NEAR = 0.6

Room = tuple[str, str]


class RoomsThere:
    """Which rooms were met, in and out of the scope: (platform, channel)."""

    def __init__(self) -> None:
        self._met: set[Room] = set()

    def met(self, platform: str, channel: str) -> None:
        """There is something of this room."""
        if len(self._met) < _MOST:
            self._met.add((platform, channel))

    def has(self, room: Room) -> bool:
        """Whether something of it was met."""
        return room in self._met

    def advice(self, room: Room) -> str:
        """Which rooms may have been meant in place of ``room``, or else which there are, for people."""
        near = sorted((-likeness(room, other), other) for other in self._met)
        names = [f"{platform}/{channel}" for like, (platform, channel) in near if -like >= _NEAR]
        if names:
            return f"near it: {', '.join(names[:_NAMED])}"
        if not self._met:
            return "no room is there"
        # Platforms' own rooms are seldom what was meant.
        known = sorted(self._met, key=lambda other: (other[1].startswith("_"), other))
        shown = ", ".join(f"{platform}/{channel}" for platform, channel in known[:_NAMED])
        more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
        return f"the rooms there: {shown}{more}"


def likeness(room: Room, other: Room) -> float:
    """How near a room's name is to another's, 0 to 1; a little less on another platform."""
    same = SequenceMatcher(None, room[1], other[1]).ratio()
    return same if room[0] == other[0] else same - 0.05
