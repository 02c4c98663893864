"""One line in the log whenever the number of recorded rooms has changed."""

from __future__ import annotations

from twisted.logger import Logger

#: Seconds between two lines while rooms are still being asked for.
EVERY = 30.0


class Progress:
    """The line of one platform."""

    _log = Logger()

    def __init__(self, platform: str) -> None:
        self._platform = platform
        self._told, self._told_at = (0, 0), float("-inf")

    def tell(self, now: float, recorded: int, rooms: int, absent: int, links: int, asking: bool) -> None:
        """Of ``rooms`` in the pool and ``absent`` others so many are recorded. ``asking``: more are about to
        be asked for."""
        told = (recorded, rooms + absent)
        if told == self._told or (recorded < rooms and now - self._told_at < EVERY and asking):
            return
        self._told, self._told_at = told, now
        self._log.info(
            "{platform}: recording {recorded} of {rooms} rooms on {links} {connections}",
            platform=self._platform,
            recorded=recorded,
            rooms=rooms + absent,
            links=links,
            connections="connection" if links == 1 else "connections",
        )
