"""The order of uploads: the oldest file first, and files that failed at growing intervals.

When an upload fails and the cause is not clear, another file decides, one that is as different as possible.
If that one succeeds, the first file is itself the cause: it is quarantined and tried again at growing
intervals, while all others are uploaded.

A room is in trouble if one of its files has failed or has been under way for long. All rooms in trouble
together have one upload at a time for files that are tried again, and one for files that were not tried yet.
These two uploads are additional, so a room whose uploads all hang delays no other room.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from chatlog.uploader.shipment import Item

#: A quarantined file's first delay in seconds, the factor of the next ones, and the longest delay.
OWN_FIRST, OWN_GROWTH, OWN_MOST = 5.0, 4.0, 3600.0
#: The longest delay after errors that may pass.
PASSING_MOST = 600.0
#: An upload that takes longer than this (seconds) no longer counts against the limit.
SLOW = 10.0
#: The most uploads beyond the limit. Each holds a file in memory.
SPARE = 2


class OwnTrouble(NamedTuple):
    """A file that is itself the cause of its failures: the reason, the bytes of its object, the number of
    attempts, and the delay of the next attempt in seconds, counted from the last one."""

    name: str
    size: int
    reason: str
    tries: int
    delay: float


class Failing(NamedTuple):
    """A failure of a file: the reason, the bytes of its object, after how many failures it is reported, and
    the shortest and the longest delay of the next attempt in seconds."""

    reason: str
    size: int = 0
    patience: int = 1
    least: float = 0.0
    most: float = OWN_MOST


_NOTHING = Failing("")


@dataclass(slots=True)
class _Trial:
    """The failures of one file."""

    strikes: int = 0
    failing: Failing = _NOTHING
    delay: float = 0.0
    named: bool = False


class Turns:
    """The waiting files. Each is in one of four states: ready, under way, in doubt (it failed, and the cause
    is open), or waiting for its next attempt."""

    def __init__(self) -> None:
        self._sizes: dict[Item, int] = {}
        self._ready: list[Item] = []
        # Files whose next attempt is due, and which of these are under way.
        self._again: deque[Item] = deque()
        self._own: set[Item] = set()
        self._flying: dict[Item, float] = {}
        self._doubted: dict[Item, Failing | None] = {}
        self._waiting: list[tuple[float, Item]] = []
        self._trials: dict[Item, _Trial] = {}
        self._small = False

    def __contains__(self, item: Item) -> bool:
        return item in self._sizes

    def __len__(self) -> int:
        return len(self._sizes)

    @property
    def bytes(self) -> int:
        """The bytes of all waiting files."""
        return sum(self._sizes.values())

    def size(self, item: Item) -> int:
        """The bytes of a waiting file."""
        return self._sizes.get(item, 0)

    @property
    def oldest(self) -> Item | None:
        """The oldest waiting file."""
        heads = [*self._ready[:1], *self._again, *self._flying, *self._doubted]
        return min([*heads, *(item for _, item in self._waiting)], default=None)

    @property
    def under_way(self) -> int:
        """How many files are under way."""
        return len(self._flying)

    @property
    def doubted(self) -> int:
        """How many files are in doubt."""
        return len(self._doubted)

    @property
    def may_begin(self) -> bool:
        """Whether a file that is not in doubt could begin or is under way."""
        return bool(self._ready or self._again or self._flying)

    def named(self) -> list[OwnTrouble]:
        """The reported files, oldest first."""
        return [
            self._trouble_of(item) for item in sorted(i for i, trial in self._trials.items() if trial.named)
        ]

    def unreported(self) -> list[OwnTrouble]:
        """The files that must be reported now. They count as reported afterwards."""
        new = [
            item
            for item, trial in self._trials.items()
            if not trial.named and trial.failing.reason and trial.strikes >= trial.failing.patience
        ]
        for item in new:
            self._trials[item].named = True
        return [self._trouble_of(item) for item in sorted(new)]

    def _trouble_of(self, item: Item) -> OwnTrouble:
        trial = self._trials[item]
        size = trial.failing.size or self._sizes.get(item, 0)
        return OwnTrouble(item.name, size, trial.failing.reason, trial.strikes, trial.delay)

    @property
    def named_count(self) -> int:
        """How many files have been reported."""
        return sum(trial.named for trial in self._trials.values())

    # -- coming and going ------------------------------------------------------------------------------

    def add(self, item: Item, size: int) -> None:
        """Add a waiting file, or correct its size."""
        if item not in self._sizes:
            heapq.heappush(self._ready, item)
        self._sizes[item] = size

    def begin(self, now: float, limit: int, in_trouble: bool) -> Item | None:
        """The next file to upload; None if there is none. At most ``limit`` are under way, not counting slow
        uploads and those of rooms in trouble. If the store itself is ``in_trouble``, files in doubt are tried
        too, after all others, and only slow uploads do not count."""
        self._release(now)
        if not self._has_place(now, limit, in_trouble):
            return None
        item = self._next(now)
        if item is None and in_trouble and self._doubted and not self._flying:
            item = next(iter(self._doubted))
            del self._doubted[item]
        if item is not None:
            self._flying[item] = now
        return item

    def _has_place(self, now: float, limit: int, in_trouble: bool) -> bool:
        aside = self._slow(now) if in_trouble else self._own | self._of_rooms_in_trouble(now)
        return len(self._flying) - len(aside) < limit and len(self._flying) < limit + SPARE

    def _slow(self, now: float) -> set[Item]:
        return {item for item, began in self._flying.items() if now >= began + SLOW}

    def _of_rooms_in_trouble(self, now: float) -> set[Item]:
        """The files under way whose rooms are in trouble."""
        rooms = self._rooms_in_trouble(now)
        return {item for item in self._flying if item.room in rooms}

    def _rooms_in_trouble(self, now: float) -> set[str]:
        return {item.room for item in (*self._slow(now), *self._trials, *self._doubted)}

    def _next(self, now: float) -> Item | None:
        if self._again and not self._own:
            item = self._again.popleft()
            self._own.add(item)
            return item
        held = self._rooms_in_trouble(now) if self._of_rooms_in_trouble(now) - self._own else set()
        if not held and not self._doubted:
            return heapq.heappop(self._ready) if self._ready else None
        free = [item for item in self._ready if item.room not in held]
        if not free:
            return None
        found = self._decider(free) if self._doubted else min(free)
        self._ready.remove(found)
        heapq.heapify(self._ready)
        return found

    def _decider(self, free: list[Item]) -> Item:
        """The file that decides while others are in doubt: alternately the smallest and the newest, if
        possible of another room."""
        doubted = {item.room for item in self._doubted}
        free = [item for item in free if item.room not in doubted] or free
        self._small = not self._small
        return min(free, key=self._sizes.__getitem__) if self._small else max(free)

    def _release(self, now: float) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            self._again.append(heapq.heappop(self._waiting)[1])

    def next_change(self, now: float, limit: int, in_trouble: bool) -> float | None:
        """The next time at which a file may begin without another one ending: an attempt is due, or an upload
        becomes slow. None if there is no such time."""
        changes = [turn for turn, _ in self._waiting[:1]] if self._has_place(now, limit, in_trouble) else []
        if len(self._flying) < limit + SPARE and len(self._sizes) > len(self._flying):
            changes += [began + SLOW for began in self._flying.values() if now < began + SLOW]
        return min(changes, default=None)

    def done(self, item: Item) -> int:
        """Remove a file. Returns how often it had failed by itself."""
        self._landed(item)
        self._sizes.pop(item, None)
        trial = self._trials.pop(item, None)
        return trial.strikes if trial is not None else 0

    def _landed(self, item: Item) -> None:
        self._flying.pop(item, None)
        self._own.discard(item)

    # -- trouble ---------------------------------------------------------------------------------------

    def strikes(self, item: Item) -> int:
        """How often the file has failed while others did not."""
        trial = self._trials.get(item)
        return trial.strikes if trial is not None else 0

    def doubt(self, item: Item, failing: Failing | None = None) -> None:
        """A file failed, and another one has to decide. Without ``failing`` the store is the cause, and the
        file only waits after the others."""
        self._landed(item)
        self._doubted[item] = failing

    def convict(self, now: float) -> None:
        """Another file, or the probe, has succeeded: the files in doubt are themselves the cause."""
        doubted, self._doubted = self._doubted, {}
        for item, failing in doubted.items():
            if failing is None:
                heapq.heappush(self._ready, item)
            else:
                self.strike(item, now, failing)

    def acquit(self) -> None:
        """The store has recovered: all files are tried again, those that failed meanwhile first. If one of
        these fails again, it is itself the cause."""
        doubted, self._doubted = self._doubted, {}
        for item, failing in doubted.items():
            if failing is not None:
                trial = self._trials.setdefault(item, _Trial())
                trial.strikes = max(trial.strikes, 1)
            heapq.heappush(self._ready, item)
        self.hurry()

    def hurry(self) -> None:
        """All waiting attempts are due now."""
        self._again.extend(item for _, item in sorted(self._waiting))
        self._waiting.clear()

    def strike(self, item: Item, now: float, failing: Failing) -> None:
        """A file is itself the cause of its failure; it waits for its next attempt."""
        self._landed(item)
        trial = self._trials.setdefault(item, _Trial())
        trial.strikes += 1
        trial.failing = failing
        grown = OWN_FIRST * OWN_GROWTH ** (min(trial.strikes, 20) - 1)
        trial.delay = max(min(grown, failing.most), failing.least)
        heapq.heappush(self._waiting, (now + trial.delay, item))

    def put_off(self, item: Item, now: float, delay: float) -> None:
        """Try a file again after ``delay`` seconds; the attempt does not count as a failure."""
        self._landed(item)
        heapq.heappush(self._waiting, (now + delay, item))
