"""Whose turn it is: files that wait for their upload, oldest first, and those with trouble of their own.

When an upload fails and it is not plain whose trouble that is, another file decides, one that is as
different as can be: if that one passes, the first has trouble of its own, and waits turns of its own, longer
and longer, while all others go.

A room of which a file has failed, or has been under way for long, is in trouble. All rooms in trouble
together have one upload at a time for files in their own turn, and one for files that were not tried yet.
These two go beside the others, never in place of one: a room whose uploads all hang keeps no other waiting.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from chatlog.uploader.shipment import Item

#: Seconds of a file's first wait for its own turn, by what each is longer, and the longest.
OWN_FIRST, OWN_GROWTH, OWN_MOST = 5.0, 4.0, 3600.0
#: The longest for trouble that may pass.
PASSING_MOST = 600.0
#: Seconds after which an upload that is under way gives its place to another.
SLOW = 10.0
#: Uploads that may be under way beyond the limit, in trouble or slow. Each holds a file in memory.
SPARE = 2


class OwnTrouble(NamedTuple):
    """A file that cannot be stored because of itself: what is said of it, how large its object is, how often
    it was tried, and the seconds until it is again, as they were when it failed."""

    name: str
    size: int
    reason: str
    tries: int
    delay: float


class Failing(NamedTuple):
    """What went wrong with a file: what is said of it, the size of its object, how often it goes wrong before
    that is told, and the shortest and longest wait for the next turn, in seconds."""

    reason: str
    size: int = 0
    patience: int = 1
    least: float = 0.0
    most: float = OWN_MOST


_NOTHING = Failing("")


@dataclass(slots=True)
class _Trial:
    """What is held against a file."""

    strikes: int = 0
    failing: Failing = _NOTHING
    delay: float = 0.0
    named: bool = False


class Turns:
    """The files that wait. Every file is in one of four states: ready, under way, in doubt (it failed, and
    it is open whose trouble that is), or waiting for a turn of its own."""

    def __init__(self) -> None:
        self._sizes: dict[Item, int] = {}
        self._ready: list[Item] = []
        # Those whose own turn has come, and which of them are under way.
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
        """The size of all."""
        return sum(self._sizes.values())

    @property
    def oldest(self) -> Item | None:
        """The oldest of all."""
        heads = [*self._ready[:1], *self._again, *self._flying, *self._doubted]
        return min([*heads, *(item for _, item in self._waiting)], default=None)

    @property
    def under_way(self) -> int:
        """How many are."""
        return len(self._flying)

    @property
    def doubted(self) -> int:
        """How many are in doubt."""
        return len(self._doubted)

    @property
    def may_begin(self) -> bool:
        """Whether any other than those in doubt could begin, or is under way."""
        return bool(self._ready or self._again or self._flying)

    def named(self) -> list[OwnTrouble]:
        """Those that have trouble of their own, oldest first."""
        return [
            self._trouble_of(item) for item in sorted(i for i, trial in self._trials.items() if trial.named)
        ]

    def untold(self) -> list[OwnTrouble]:
        """Those that have come to it since this was asked for the last time."""
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
        """How many have trouble of their own."""
        return sum(trial.named for trial in self._trials.values())

    # -- coming and going ------------------------------------------------------------------------------

    def add(self, item: Item, size: int) -> None:
        """A file waits; its size may be told again."""
        if item not in self._sizes:
            heapq.heappush(self._ready, item)
        self._sizes[item] = size

    def begin(self, now: float, limit: int, in_trouble: bool) -> Item | None:
        """The next to begin while at most ``limit`` are under way, besides those that are slow or of a room
        in trouble; None if there is none. ``in_trouble``: the store itself is. Then those in doubt are tried
        as well, after all others, and only slow ones do not count."""
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
        """Those under way that are of a room in trouble."""
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
        """In turns the smallest and the newest of these while others are in doubt; of another room than they
        are, if there is one."""
        doubted = {item.room for item in self._doubted}
        free = [item for item in free if item.room not in doubted] or free
        self._small = not self._small
        return min(free, key=self._sizes.__getitem__) if self._small else max(free)

    def _release(self, now: float) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            self._again.append(heapq.heappop(self._waiting)[1])

    def next_change(self, now: float, limit: int, in_trouble: bool) -> float | None:
        """When another may begin though none ends: a file's own turn comes, or one under way gives its place
        away. None if it takes more."""
        changes = [turn for turn, _ in self._waiting[:1]] if self._has_place(now, limit, in_trouble) else []
        if len(self._flying) < limit + SPARE and len(self._sizes) > len(self._flying):
            changes += [began + SLOW for began in self._flying.values() if now < began + SLOW]
        return min(changes, default=None)

    def done(self, item: Item) -> int:
        """A file waits no more; how often it had failed by itself."""
        self._landed(item)
        self._sizes.pop(item, None)
        trial = self._trials.pop(item, None)
        return trial.strikes if trial is not None else 0

    def _landed(self, item: Item) -> None:
        self._flying.pop(item, None)
        self._own.discard(item)

    # -- trouble ---------------------------------------------------------------------------------------

    def strikes(self, item: Item) -> int:
        """How often this file has failed where others did not."""
        trial = self._trials.get(item)
        return trial.strikes if trial is not None else 0

    def doubt(self, item: Item, failing: Failing | None = None) -> None:
        """A file failed, and another has to decide. Without ``failing`` it is the store's trouble, and this
        file only waits behind the others."""
        self._landed(item)
        self._doubted[item] = failing

    def convict(self, now: float) -> None:
        """Another file passed, or something else did in its place: those in doubt have trouble of their own,
        and soon a turn of their own."""
        doubted, self._doubted = self._doubted, {}
        for item, failing in doubted.items():
            if failing is None:
                heapq.heappush(self._ready, item)
            else:
                self.strike(item, now, failing)

    def acquit(self) -> None:
        """The store has recovered: every file may try again, those that failed meanwhile first. Should one of
        these fail again, that is its own trouble."""
        doubted, self._doubted = self._doubted, {}
        for item, failing in doubted.items():
            if failing is not None:
                trial = self._trials.setdefault(item, _Trial())
                trial.strikes = max(trial.strikes, 1)
            heapq.heappush(self._ready, item)
        self.hurry()

    def hurry(self) -> None:
        """Things have changed: every file may try again."""
        self._again.extend(item for _, item in sorted(self._waiting))
        self._waiting.clear()

    def strike(self, item: Item, now: float, failing: Failing) -> None:
        """A file has trouble of its own, and waits for a turn of its own."""
        self._landed(item)
        trial = self._trials.setdefault(item, _Trial())
        trial.strikes += 1
        trial.failing = failing
        grown = OWN_FIRST * OWN_GROWTH ** (min(trial.strikes, 20) - 1)
        trial.delay = max(min(grown, failing.most), failing.least)
        heapq.heappush(self._waiting, (now + trial.delay, item))

    def put_off(self, item: Item, now: float, delay: float) -> None:
        """A file's turn comes later, through nobody's fault."""
        self._landed(item)
        heapq.heappush(self._waiting, (now + delay, item))
