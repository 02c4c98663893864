"""Which rooms a service of recent messages was asked for. It forgets a room a day after the last request."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

#: Seconds after which a room is asked for again, so that it is not forgotten.
AGAIN = 20 * 3600.0


class AskedRooms:
    """When each room was last asked for, in seconds of the clock, and which the service never keeps."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._never: set[str] = set()

    def __len__(self) -> int:
        return len(self._at)

    def asked(self, name: str, now: float) -> None:
        """The room is asked for."""
        self._at[name] = now

    def is_due(self, name: str, now: float) -> bool:
        """Whether the room has to be asked for, for the first time or again."""
        at = self._at.get(name)
        return at is None or now - at >= AGAIN

    def not_kept(self, name: str) -> None:
        """The service never keeps the room that was asked for."""
        self._never.add(name)

    def is_kept(self, name: str) -> bool:
        """Whether the service keeps the room, as far as that is known."""
        return name not in self._never

    def tidy(self, rooms: AbstractSet[str], now: float) -> None:
        """Forget rooms that are not among ``rooms`` any more, once the service forgets them too."""
        for name in self._at.keys() - rooms:
            if self.is_due(name, now):
                del self._at[name]
                self._never.discard(name)
