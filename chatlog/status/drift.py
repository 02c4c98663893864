"""Notices that a platform sends unknown commands or events, by kinds and rooms.

A new kind of event may come a hundred times within a minute in one room: a viewer plays with a new button.
That is no reason for an alarm. The same kind in several rooms, or several kinds, mean that the platform has
changed.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from chatlog.counters import UNKNOWN_APART, Counters

#: Seconds between two samples of the counters, and how many samples make an hour.
EVERY = 300.0
NOTES = 12
#: The most kinds that a text names.
_NAMED = 5
#: The most kinds that may belong together, like those of a combo.
_RELATED_KINDS = 4

_Pair = tuple[str, str]


@dataclass(slots=True)
class Unknown:
    """The unknown commands and events of one platform in the last hour: how often each kind came in each
    room. Both names are ``""`` for those beyond the number that is counted one by one."""

    pairs: Counter[_Pair] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """How many unknown commands and events came."""
        return self.pairs.total()

    @property
    def rooms(self) -> int:
        """In how many rooms they came."""
        return len({room for _, room in self.pairs})

    def is_drift(self, threshold: int) -> bool:
        """Whether more than ``threshold`` came; one kind in one room counts for at most half of that. A few
        kinds in a single room count as one: a combo has a kind for its beginning, its taps and its end."""
        most = threshold // 2 + 1
        kinds = len({kind for kind, _ in self.pairs})
        wide = self.rooms > 1 or kinds > _RELATED_KINDS
        return wide and sum(min(n, most) for n in self.pairs.values()) > threshold

    def kinds(self) -> str:
        """The names of the kinds, those in the most rooms first."""
        rooms = Counter(kind for kind, _ in self.pairs)
        names = [kind for kind, _ in rooms.most_common() if kind]
        text = ", ".join(names[:_NAMED])
        more = len(names) - _NAMED
        return text + (f" and {more} more" if more > 0 else "")


class Drift:
    """Counts over the last hour, by the clock."""

    def __init__(self, now: float) -> None:
        self._notes: deque[tuple[float, Counter[tuple[str, str, str]]]] = deque([(now, Counter())], NOTES)
        self._unreadable: deque[tuple[float, int]] = deque([(now, 0)], NOTES + 1)

    def poll(self, counters: Counters, now: float) -> dict[str, Unknown]:
        """The unknown commands and events of the last hour, by platform. New ones are taken out of
        ``counters``."""
        if now - self._notes[-1][0] >= EVERY:
            self._notes.append((now, Counter()))
        note = self._notes[-1][1]
        for key, count in counters.unknown_kinds.items():
            note[key if key in note or len(note) < UNKNOWN_APART else (key[0], "", "")] += count
        counters.unknown_kinds.clear()
        found: dict[str, Unknown] = {}
        for _, each in self._notes:
            for (platform, kind, room), count in each.items():
                found.setdefault(platform, Unknown()).pairs[kind, room] += count
        return found

    def unreadable(self, total: int, now: float) -> int:
        """How many lines could not be read in the last hour; ``total`` is the number since the start."""
        if now - self._unreadable[-1][0] >= EVERY:
            self._unreadable.append((now, total))
        return total - self._unreadable[0][1]
