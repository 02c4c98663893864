"""The records that a crash of the machine would lose now: they are written, and not on the disk yet.

Gap records are among them. If a room was recorded again before its gap was found, only the gap record shows
the gap. Until that record is on the disk, the journal says since when the room may be missing.
"""

from __future__ import annotations

from chatlog.timeline.timelines import Key


class Durability:
    """``until`` are two times of day: records that arrived before the first are in files, those that arrived
    before the second are on the disk. ``interval`` is that of the flushes, in seconds. ``now`` is the clock's
    time."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self.until = (0.0, 0.0)
        # Until when the earlier run's records were on the disk; None once all of them are.
        self._floor: float | None = None
        # Whether the latest flush was complete. The time of the first complete flush after an incomplete one,
        # and until when everything was on the disk before it.
        self._complete = True
        self._caught_up = (float("-inf"), 0.0)
        # For each room: when the earliest gap began whose record may be lost, and when the record was
        # written.
        self._gaps: dict[Key, tuple[float, float | None]] = {}

    def start(self, at: float, floor: float | None) -> None:
        """The journal begins at the time of day ``at``. ``floor``: until when the earlier run's records are
        on the disk, if that is not all of them."""
        self._floor = floor
        self.until = at, at if floor is None else floor

    def gap(self, key: Key, start: float) -> None:
        """The record of a gap that began at ``start`` will be written."""
        pending = self._gaps.get(key)
        self._gaps[key] = (start if pending is None else min(start, pending[0]), None)

    def gap_since(self, key: Key) -> float | None:
        """When the earliest gap of the room began whose record may be lost."""
        pending = self._gaps.get(key)
        return None if pending is None else pending[0]

    def forget(self, key: Key) -> None:
        """The room is no longer recorded."""
        self._gaps.pop(key, None)

    def not_flushed(self) -> None:
        """Not everything could be written."""
        self._complete = False

    def flushed(self, at: float, now: float, lag: float, recovered: bool) -> list[Key]:
        """Everything that arrived before ``at`` is in files. All of it is on the disk except the lines that
        were written in the last ``lag`` seconds. ``recovered``: the records of the earlier run are on the
        disk too. Returns the rooms whose gap records are safe now."""
        if not self._complete:
            self._complete = True
            self._caught_up = now, self.until[1]
        if recovered:
            self._floor = None
        self.until = at, self._durable(at, now, lag)
        safe = []
        for key, (start, written) in list(self._gaps.items()):
            if written is None:
                self._gaps[key] = (start, now)
            elif lag == 0.0 or now - lag > written:
                del self._gaps[key]
                safe.append(key)
        return safe

    def _durable(self, at: float, now: float, lag: float) -> float:
        durable = at - lag - self._interval if lag > 0.0 else at
        caught_up, before = self._caught_up
        if lag > 0.0 and now - lag <= caught_up:
            # The records written then may have arrived long before, and the lag does not say how long.
            durable = min(durable, before)
        return durable if self._floor is None else min(durable, self._floor)
