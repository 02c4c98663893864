"""Gap records that are not on the disk yet.

A machine that crashes takes such a record along. Where the room was recorded again before its hole was even
found, nothing else would tell of it; so the journal says for so long that the room may be missing since.
"""

from __future__ import annotations

from typing import Protocol

from chatlog.journal.journal import Key
from chatlog.recorder.room import Loss
from chatlog.rooms.subscriptions import Room
from chatlog.timeline.timeline import Gap


class GapSink(Protocol):
    """Where holes and losses become gap records."""

    def closed(self, platform: str, room: Room, hole: Gap) -> None:
        """A hole of the room has closed."""

    def lost(self, loss: Loss, identifier: str) -> None:
        """Records of a room with this id could not be kept."""


class PendingGaps:
    """Rooms whose latest gap record may still be lost."""

    def __init__(self) -> None:
        # When the hole began, in wall-clock seconds, and when its record was written, by the clock.
        self._rooms: dict[Key, tuple[float, float | None]] = {}

    def closed(self, key: Key, start: float) -> None:
        """A record of a hole that began at ``start`` will be written."""
        pending = self._rooms.get(key)
        self._rooms[key] = (start if pending is None else min(start, pending[0]), None)

    def since(self, key: Key) -> float | None:
        """When the earliest hole of the room began whose record may be lost."""
        pending = self._rooms.get(key)
        return None if pending is None else pending[0]

    def flushed(self, now: float, lag: float) -> list[Key]:
        """All records are written, and those that were before ``now - lag`` are on the disk, in seconds of
        the clock; returns the rooms for which that was all."""
        safe = []
        for key, (start, written) in list(self._rooms.items()):
            if written is None:
                self._rooms[key] = (start, now)
            elif lag == 0.0 or now - lag > written:
                del self._rooms[key]
                safe.append(key)
        return safe

    def forget(self, key: Key) -> None:
        """The room is no longer recorded."""
        self._rooms.pop(key, None)
