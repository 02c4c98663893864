"""The buffers of all rooms: lines that are not in a file yet."""

from __future__ import annotations

from collections.abc import Iterator

from chatlog.naming import CHANNEL, FileName, parse_name
from chatlog.recorder.room import RoomBuffer

#: Seconds for which the buffer of a room that was removed is kept: until then it has figures of the hour and
#: of the day if the room comes back, and deferred gap records are written.
KEPT = 86400.0


class RoomBuffers:
    """All buffers, one a room. A buffer that gets its first line adds itself to ``waiting``."""

    def __init__(self) -> None:
        self._rooms: dict[tuple[str, str], RoomBuffer] = {}
        # When rooms were removed, in seconds of the clock.
        self._removed: dict[tuple[str, str], float] = {}
        #: Buffers with lines. Always the same list object: the buffers keep its ``append``.
        self.waiting: list[RoomBuffer] = []

    def room(self, platform: str, channel: str) -> RoomBuffer:
        """The buffer of a room, always the same object until the room is forgotten. Raises ValueError if a
        name is no valid one."""
        self._removed.pop((platform, channel), None)
        room = self._rooms.get((platform, channel))
        if room is None:
            name = FileName(platform, channel, "20000101_0000")
            if not CHANNEL.match(channel) or parse_name(str(name)) != name:
                raise ValueError(f"not a room: {platform[:32]!r} {channel[:80]!r}")
            room = self._rooms[platform, channel] = RoomBuffer(platform, channel, self.waiting.append)
        return room

    def removed(self, platform: str, channel: str, now: float) -> None:
        """The room is not recorded any more, unless its buffer is requested again."""
        if (platform, channel) in self._rooms:
            self._removed[platform, channel] = now

    def forget(self, now: float) -> None:
        """Forget the rooms that were removed a day ago, or earlier."""
        for key, since in list(self._removed.items()):
            if now - since >= KEPT and self._rooms[key].is_idle:
                del self._rooms[key], self._removed[key]

    def __iter__(self) -> Iterator[RoomBuffer]:
        return iter(self._rooms.values())

    def __len__(self) -> int:
        return len(self._rooms)

    @property
    def bytes(self) -> int:
        """Bytes of all lines that are not in a file yet."""
        return sum(sum(map(len, room.lines)) for room in self.waiting)
