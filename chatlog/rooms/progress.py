"""Logs a line whenever the number of recorded rooms has changed."""

from __future__ import annotations

from twisted.logger import Logger

#: Seconds between two lines while rooms are being requested.
EVERY = 30.0


class Progress:
    """The line of one platform."""

    _log = Logger()

    def __init__(self, platform: str) -> None:
        self._platform = platform
        self._reported, self._reported_at = (0, 0), float("-inf")

    def report(
        self, now: float, recorded: int, rooms: int, absent: int, connections: int, asking: bool
    ) -> None:
        """``recorded`` of the ``rooms`` in the pool and of ``absent`` further rooms are recorded. ``asking``:
        more rooms are about to be requested."""
        reported = (recorded, rooms + absent)
        if reported == self._reported or (recorded < rooms and now - self._reported_at < EVERY and asking):
            return
        self._reported, self._reported_at = reported, now
        self._log.info(
            "{platform}: recording {recorded} of {rooms} rooms on {connections}",
            platform=self._platform,
            recorded=recorded,
            rooms=rooms + absent,
            connections="1 connection" if connections == 1 else f"{connections} connections",
        )
