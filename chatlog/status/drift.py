"""Whether a platform has begun to send what no rule knows, by kinds and rooms.

A new kind of event may come a hundred times within a minute in one room: somebody plays with a new
button. That is no reason to wake anybody. The same kind in several rooms, or several kinds, is: then it is
the platform that has changed.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from chatlog.counters import UNKNOWN_APART, Counters

#: Seconds between two notes of what came, and how many notes make an hour.
EVERY = 300.0
NOTES = 12
#: Kinds that are named in a text.
_NAMED = 5
#: Kinds that belong together at most, as those of a combo do.
_OF_ONE_TOY = 4

_Pair = tuple[str, str]


@dataclass(slots=True)
class Unknown:
    """What no rule knew of one platform in the last hour: how often each kind came in each room (both
    ``""`` for those that were too many to be told apart)."""

    pairs: Counter[_Pair] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """How many came."""
        return self.pairs.total()

    @property
    def rooms(self) -> int:
        """In how many rooms."""
        return len({room for _, room in self.pairs})

    def is_drift(self, threshold: int) -> bool:
        """Whether more than ``threshold`` came, of which one kind in one room counts for half at most. A few
        kinds in a single room are one new toy: a combo has a kind for its beginning, its taps and its end."""
        most = threshold // 2 + 1
        kinds = len({kind for kind, _ in self.pairs})
        wide = self.rooms > 1 or kinds > _OF_ONE_TOY
        return wide and sum(min(n, most) for n in self.pairs.values()) > threshold

    def kinds(self) -> str:
        """The names of the kinds, those in most rooms first."""
        rooms = Counter(kind for kind, _ in self.pairs)
        names = [kind for kind, _ in rooms.most_common() if kind]
        text = ", ".join(names[:_NAMED])
        more = len(names) - _NAMED
        return text + (f" and {more} more" if more > 0 else "")


class Drift:
    """Remembers the last hour, by the clock."""

    def __init__(self, now: float) -> None:
        self._notes: deque[tuple[float, Counter[tuple[str, str, str]]]] = deque([(now, Counter())], NOTES)
        self._unreadable: deque[tuple[float, int]] = deque([(now, 0)], NOTES + 1)

    def poll(self, counters: Counters, now: float) -> dict[str, Unknown]:
        """What no rule knew in the last hour, by platform. Takes it out of ``counters``."""
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
        """How many lines could not even be read in the last hour; ``total`` since the start."""
        if now - self._unreadable[-1][0] >= EVERY:
            self._unreadable.append((now, total))
        return total - self._unreadable[0][1]
