"""The buffers of all rooms: lines that are not in a file yet."""

from __future__ import annotations

from collections.abc import Iterator

from chatlog.naming import CHANNEL, FileName, parse_name
from chatlog.recorder.room import RoomBuffer


class RoomBuffers:
    """All buffers, one a room. A buffer that gets its first line adds itself to ``waiting``."""

    def __init__(self) -> None:
        self._rooms: dict[tuple[str, str], RoomBuffer] = {}
        #: Buffers with lines. Always the same list object: the buffers keep its ``append``.
        self.waiting: list[RoomBuffer] = []

    def room(self, platform: str, channel: str) -> RoomBuffer:
        """The buffer of a room, always the same object. Raises ValueError if a name is no valid one."""
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
        """Bytes of all lines that are not in a file yet."""
        return sum(sum(map(len, room.lines)) for room in self.waiting)
