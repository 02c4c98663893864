"""The rooms of an archive, for advice to users who named a room that is not there."""

from __future__ import annotations

from difflib import SequenceMatcher

#: The most rooms that are remembered, and the most that are named.
_MOST = 200_000
_NAMED = 5
#: The least likeness, 0 to 1, of names that count as near.
_NEAR = 0.6

Room = tuple[str, str]


class RoomsThere:
    """All rooms that were found, in the scope or not, as (platform, channel)."""

    def __init__(self) -> None:
        self._met: set[Room] = set()

    def met(self, platform: str, channel: str) -> None:
        """Add a room that was found."""
        if len(self._met) < _MOST:
            self._met.add((platform, channel))

    def has(self, room: Room) -> bool:
        """Whether the room was found."""
        return room in self._met

    def advice(self, room: Room) -> str:
        """Names the rooms that the user may have meant by ``room``, or else some of those that exist."""
        near = sorted((-likeness(room, other), other) for other in self._met)
        names = [f"{platform}/{channel}" for like, (platform, channel) in near if -like >= _NEAR]
        if names:
            return f"near it: {', '.join(names[:_NAMED])}"
        if not self._met:
            return "no room is there"
        # The platforms' own rooms come last.
        known = sorted(self._met, key=lambda other: (other[1].startswith("_"), other))
        shown = ", ".join(f"{platform}/{channel}" for platform, channel in known[:_NAMED])
        more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
        return f"the rooms there: {shown}{more}"


def likeness(room: Room, other: Room) -> float:
    """The likeness of two rooms' names, 0 to 1; a little less if their platforms differ."""
    same = SequenceMatcher(None, room[1], other[1]).ratio()
    return same if room[0] == other[0] else same - 0.05
