"""Which rooms of the shared list this member records: those of its slots. The share adds rooms to the
platforms and removes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from twisted.internet.interfaces import IReactorTime

from chatlog.cluster.line import Line
from chatlog.cluster.shared_rooms import Difference, SharedRooms
from chatlog.cluster.slots import each, slot_of, slot_set
from chatlog.config.platform import Channel, Key
from chatlog.rooms.pool import Pool
from chatlog.rooms.subscriptions import State

#: Seconds for which a slot waits for a room that cannot be asked for, because its id is not known.
PATIENCE = 30.0
#: The states of a room that does not keep its slot waiting.
_SETTLED = frozenset({State.RECORDED, State.REFUSED, State.SILENT})


class Calls(NamedTuple):
    """``add(platform, channel)`` begins to record a room, ``remove(platform, name)`` stops. ``pools`` are the
    rooms by platform."""

    add: Callable[[str, Channel], object]
    remove: Callable[[str, str], object]
    pools: Mapping[str, Pool]


class RoomShare:
    """The rooms that are recorded here, kept in ``wanted``. ``taken_over(key, slot)`` is called before a room
    of a slot that no member records is added."""

    def __init__(
        self,
        shared: SharedRooms,
        wanted: dict[Key, Channel],
        calls: Calls,
        clock: IReactorTime,
        taken_over: Callable[[Key, int], object],
    ) -> None:
        self._shared = shared
        self._calls = calls
        self._clock = clock
        self._taken_over = taken_over
        #: The rooms that are to be recorded here.
        self.wanted = wanted
        #: The slots of each platform that are recorded here.
        self.slots: dict[str, int] = {}
        # The slots that other members record as well, so that their rooms can wait.
        self._elsewhere: dict[str, int] = {}
        self._asked_at: dict[tuple[str, int], float] = {}

    def expect(self, slots: Mapping[str, int]) -> None:
        """The rooms of these slots were recorded last. Until ``settle`` they count as wanted, so that their
        coverage is kept."""
        for platform, some in slots.items():
            for key, channel in self._rooms(platform, some):
                self.wanted[key] = channel

    def settle(self) -> None:
        """Only rooms that are recorded are wanted from now on."""
        for key in [key for key in self.wanted if not self._is_here(key)]:
            del self.wanted[key]

    def start(self, platform: str, slots: int, elsewhere: bool) -> None:
        """Record these slots. ``elsewhere``: other members record them as well."""
        self.slots[platform] = self.slots.get(platform, 0) | slots
        known = self._elsewhere.get(platform, 0)
        self._elsewhere[platform] = known | slots if elsewhere else known & ~slots
        now = self._clock.seconds()
        for slot in each(slots):
            self._asked_at[platform, slot] = now
            for name, channel in self._shared.by_slot[platform].get(slot, {}).items():
                if not elsewhere:
                    self._taken_over((platform, name), slot)
                self._add((platform, name), channel)
        if platform in self._calls.pools:
            self._calls.pools[platform].is_elsewhere = partial(self.is_elsewhere, platform)

    def stop(self, platform: str, slots: int) -> None:
        """Record these slots no longer."""
        self.slots[platform] = self.slots.get(platform, 0) & ~slots
        for slot in each(slots):
            self._asked_at.pop((platform, slot), None)
            for name in self._shared.by_slot[platform].get(slot, {}):
                self._remove((platform, name))

    def hurry(self, platform: str, slots: int) -> None:
        """No other member records these slots any more: their rooms wait no longer than other rooms."""
        hurried = slots & self._elsewhere.get(platform, 0)
        if hurried and platform in self._calls.pools:
            self._elsewhere[platform] &= ~hurried
            self._calls.pools[platform].hurry(key[1] for key, _ in self._rooms(platform, hurried))

    def divide_requests(self, joins: str, others: Iterable[Line]) -> None:
        """Share a JOIN budget: each member with the same budget name uses an equal part of it."""
        among = 1 + sum(1 for line in others if joins and line.joins == joins)
        for pool in self._calls.pools.values():
            pool.share_requests(among)

    def apply(self, difference: Difference) -> dict[str, int]:
        """Apply a change of the list. Returns the slots recorded here that have more rooms, by platform."""
        for key in difference.removed:
            self._remove(key)
        more: dict[str, int] = {}
        now = self._clock.seconds()
        for key, channel in difference.added.items():
            if self._is_here(key):
                slot = slot_of(*key)
                self._asked_at[key[0], slot] = now
                more[key[0]] = more.get(key[0], 0) | 1 << slot
                self._add(key, channel)
        return more

    def ready(self, platform: str, slots: int) -> int:
        """The slots (of ``slots``) whose rooms are all recorded, refused, or silent for long."""
        pool = self._calls.pools.get(platform)
        rooms = {} if pool is None else pool.rooms
        now = self._clock.seconds()
        found = []
        for slot in each(slots):
            late = now - self._asked_at.get((platform, slot), now) >= PATIENCE
            for name in self._shared.by_slot[platform].get(slot, {}):
                room = rooms.get(name)
                if (not late) if room is None else (room.state not in _SETTLED):
                    break
            else:
                found.append(slot)
        return slot_set(found)

    def counts(self, platform: str) -> tuple[int, int]:
        """How many rooms are to be recorded here, and how many are."""
        pool = self._calls.pools.get(platform)
        rooms = {} if pool is None else pool.rooms
        sizes = self._shared.sizes.get(platform, ())
        wanted = sum(sizes[slot] for slot in each(self.slots.get(platform, 0)))
        return wanted, sum(1 for room in rooms.values() if room.timeline.recorded)

    def is_elsewhere(self, platform: str, name: str) -> bool:
        """Whether other members record the room as well, so that it can wait."""
        return bool(self._elsewhere.get(platform, 0) >> slot_of(platform, name) & 1)

    def _is_here(self, key: Key) -> bool:
        return bool(self.slots.get(key[0], 0) >> slot_of(*key) & 1)

    def _rooms(self, platform: str, slots: int) -> Iterator[tuple[Key, Channel]]:
        by_slot = self._shared.by_slot.get(platform, {})
        for slot in each(slots):
            for name, channel in by_slot.get(slot, {}).items():
                yield (platform, name), channel

    def _add(self, key: Key, channel: Channel) -> None:
        self.wanted[key] = channel
        self._calls.add(key[0], channel)

    def _remove(self, key: Key) -> None:
        if self.wanted.pop(key, None) is not None:
            self._calls.remove(*key)
