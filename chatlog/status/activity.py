"""Counts the messages of every room: in each minute of the last hour, and today.

Nothing is done per message: the rooms count the records in their files anyway, and once a minute the
differences are computed.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from chatlog.recorder.room import RoomBuffer

#: The minutes that are kept.
MINUTES = 60
#: The minutes of every room without messages.
SILENCE = [0] * MINUTES


class _Past:
    """One room's last hour. ``before`` and ``before_today`` are its totals when this minute and this day
    began."""

    __slots__ = ("before", "before_today", "minutes")

    def __init__(self) -> None:
        self.before = 0
        self.before_today = 0
        self.minutes = array("I", SILENCE)


class Activity:
    """``next_minute`` is called once a minute. A room has an entry from its first message on; it takes about
    400 bytes."""

    def __init__(self, now: float) -> None:
        """``now`` is in seconds of the monotonic clock, as in all methods."""
        self._minute_began = now
        self._pasts: dict[RoomBuffer, _Past] = {}
        # The index of the latest whole minute in every array.
        self._at = MINUTES - 1

    def next_minute(self, rooms: Iterable[RoomBuffer], now: float) -> None:
        """A minute is over."""
        self._minute_began = now
        self._at = at = (self._at + 1) % MINUTES
        pasts = self._pasts
        for room in rooms:
            past = pasts.get(room)
            if past is None:
                if not room.written:
                    continue
                past = pasts[room] = _Past()
            past.minutes[at] = min(room.written - past.before, 0xFFFF_FFFF)
            past.before = room.written

    def reset_day(self, rooms: Iterable[RoomBuffer]) -> None:
        """A new day begins. Rooms that are not among these are forgotten."""
        before, self._pasts = self._pasts, {}
        for room in rooms:
            if room.written:
                past = self._pasts[room] = before.get(room) or _Past()
                past.before_today = room.written

    def rate(self, room: RoomBuffer, now: float) -> float:
        """Messages in the last minute. The part of it that lies in the minute before is taken to be as
        busy as that minute was."""
        past = self._pasts.get(room)
        if past is None:
            return float(room.written)
        rest = max(0.0, 1.0 - (now - self._minute_began) / 60.0)
        return room.written - past.before + past.minutes[self._at] * rest

    def today(self, room: RoomBuffer) -> int:
        """Records written since the day began, or the process if that was later."""
        past = self._pasts.get(room)
        return room.written - past.before_today if past is not None else room.written

    def hour(self, room: RoomBuffer) -> list[int]:
        """Messages in each of the last 60 whole minutes, the latest last. Do not change the list."""
        past = self._pasts.get(room)
        if past is None:
            return SILENCE
        minutes = past.minutes.tolist()
        return minutes[self._at + 1 :] + minutes[: self._at + 1]
