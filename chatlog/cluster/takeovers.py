"""The slots that are taken over from members that are gone: since when each room is missing, and how long the
takeover lasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chatlog.cluster.line import Line

#: The most members that are gone whose lines are remembered.
_MOST = 100


@dataclass(slots=True)
class _Pending:
    """A takeover under way: when the member last spoke, and the slots that are not recorded yet."""

    at: float
    slots: dict[str, int] = field(default_factory=dict)


class Takeovers:
    """``lost``: when each member that is gone last spoke, in seconds since the epoch."""

    def __init__(self) -> None:
        self._gone: dict[str, Line] = {}
        self._pending: dict[str, _Pending] = {}
        #: How many slots were taken over, and how long the latest whole takeover lasted, in seconds.
        self.slots = 0
        self.seconds = 0.0

    @property
    def lost(self) -> dict[str, float]:
        """The members that are gone, with the time of their last word."""
        return {name: line.at for name, line in self._gone.items()}

    @property
    def pending(self) -> dict[str, int]:
        """How many slots of each member that is gone are being taken over."""
        return {
            name: sum(some.bit_count() for some in pending.slots.values())
            for name, pending in self._pending.items()
        }

    def see(self, lost: Mapping[str, Line], present: Mapping[str, Line]) -> list[str]:
        """Use the lost and the present members. Returns the names of members that have gone since, and
        recorded something."""
        new = [name for name, line in lost.items() if any(line.recording.values())]
        for name in new:
            self._gone.pop(name, None)
            self._gone[name] = lost[name]
        for name in present:
            self._gone.pop(name, None)
        while len(self._gone) > _MOST:
            del self._gone[next(iter(self._gone))]
        return new

    def source(self, platform: str, slot: int) -> Line | None:
        """The line of the member that published the slot last and is gone; None if there is none."""
        found = [line for line in self._gone.values() if line.recording.get(platform, 0) >> slot & 1]
        return max(found, key=lambda line: line.at, default=None)

    def begun(self, platform: str, slot: int, line: Line) -> None:
        """A slot is being taken over."""
        pending = self._pending.setdefault(line.name, _Pending(line.at))
        pending.slots[platform] = pending.slots.get(platform, 0) | 1 << slot
        self.slots += 1

    def published(self, platform: str, slots: int, wall: float) -> list[tuple[str, float]]:
        """These slots are recorded here now. Returns the members whose slots are all taken over, with the
        seconds since their last word."""
        ended = []
        for name, pending in list(self._pending.items()):
            if platform in pending.slots:
                pending.slots[platform] &= ~slots
                if not any(pending.slots.values()):
                    del self._pending[name]
                    self.seconds = max(0.0, wall - pending.at)
                    ended.append((name, self.seconds))
        return ended

    def dropped(self, platform: str, slots: int) -> None:
        """These slots are recorded here no longer."""
        for name, pending in list(self._pending.items()):
            if platform in pending.slots:
                pending.slots[platform] &= ~slots
                if not any(pending.slots.values()):
                    del self._pending[name]
