"""The rooms that something is recorded of, each with the lines that are not in a file yet."""

from __future__ import annotations

from collections.abc import Iterator

from chatlog.naming import CHANNEL, FileName, parse_name
from chatlog.recorder.room import RoomBuffer


class RoomBuffers:
    """Gives every room of a platform its place. Whoever appends to a room makes it one of ``waiting``."""

    def __init__(self) -> None:
        self._rooms: dict[tuple[str, str], RoomBuffer] = {}
        #: Rooms with lines that wait. Always the same list: rooms hold on to its append.
        self.waiting: list[RoomBuffer] = []

    def room(self, platform: str, channel: str) -> RoomBuffer:
        """The room of that name, always the same one. Raises ValueError for what can be no channel."""
        room = self._rooms.get((platform, channel))
        if room is None:
            name = FileName(platform, channel, "20000101_0000")
            if not CHANNEL.match(channel) or parse_name(str(name)) != name:
                raise ValueError(f"not a room: {platform[:32]!r} {channel[:80]!r}")
            room = self._rooms[platform, channel] = RoomBuffer(platform, channel, self.waiting.append)
        return room

    def __iter__(self) -> Iterator[RoomBuffer]:
        return iter(self._rooms.values())

    def __len__(self) -> int:
        return len(self._rooms)

    @property
    def bytes(self) -> int:
        """Bytes of lines that are not in a file yet."""
        return sum(sum(map(len, room.lines)) for room in self.waiting)
