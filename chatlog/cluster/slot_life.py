"""The life of each slot of a platform at one member: a state machine for all slots at once.

    none -> starting       wanted; its rooms are asked for
    starting -> held       all its rooms are acknowledged, refused, or silent for long; published from now on
    held -> withdrawn      not wanted, and every target publishes it; recorded, and no longer published
    withdrawn -> leaving   a view that was read after the withdrawal was confirmed still shows every target
    leaving -> none        the views still show every target when the overlap has passed

From withdrawn and leaving a slot becomes held again as soon as it is wanted or a target does not publish it.
Two members may hand a slot over to each other at the same moment; the second view shows that. Each withdraws
first and reads afterwards, so at least one of them sees that the other has withdrawn.

This module has no clock and no engine: the member passes the view, and the time when its reading began.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

#: Seconds for which a slot is still recorded after it was given away.
OVERLAP = 2.0


class View(NamedTuple):
    """The lines of all, as sets of slots. ``wanted``: those that this member shall record. ``served``: those
    with at least one target, whose targets without this member all publish them. ``published``: those that
    any other member publishes. ``began``: when the reading began, in seconds of the member's clock."""

    wanted: int
    served: int
    published: int
    began: float


class Orders(NamedTuple):
    """The orders of a view, as sets of slots: ``first`` and ``then`` are to be started in this order,
    ``stop`` are no longer to be recorded."""

    first: int = 0
    then: int = 0
    stop: int = 0


class SlotLife:
    """The slots of one platform at one member."""

    def __init__(self, overlap: float = OVERLAP) -> None:
        self._overlap = overlap
        self.starting = 0
        self.held = 0
        self.withdrawn = 0
        #: Held slots with rooms that came later and are not all acknowledged.
        self._growing = 0
        #: Withdrawn, and the engine has confirmed the line without them.
        self._confirmed = 0
        #: Of these, those whose confirmation came before the present reading began.
        self._fresh = 0
        #: Slots that are being left, with the time since when.
        self._leaving: tuple[tuple[float, int], ...] = ()

    @property
    def leaving(self) -> int:
        """The slots that are being left."""
        found = 0
        for _, slots in self._leaving:
            found |= slots
        return found

    @property
    def recorded(self) -> int:
        """The slots whose rooms are asked for or recorded."""
        return self.starting | self.held | self.withdrawn | self.leaving

    @property
    def published(self) -> int:
        """The slots that this member publishes: it records every room of them."""
        return self.held & ~self._growing

    def state(self) -> Hashable:
        """Everything that decides what it does next."""
        return (
            self.starting,
            self.held,
            self.withdrawn,
            self._growing,
            self._confirmed,
            self._fresh,
            self._leaving,
        )

    def resume(self, slots: int) -> int:
        """Record these slots without a view, because they were recorded before. Returns those that are
        new."""
        new = slots & ~self.recorded
        self.starting |= new
        return new

    def ready(self, slots: int) -> bool:
        """The rooms of these slots are recorded as far as possible. True if the published slots change."""
        found = (self.starting | self._growing) & slots
        self.starting &= ~found
        self.held |= found
        self._growing &= ~found
        return bool(found)

    def grows(self, slots: int) -> bool:
        """Rooms came to these slots: none of these slots is published before ``ready`` names it again. True
        if the published slots change."""
        found = self.published & slots
        # They stay held: other members may have seen them published, so a second view is needed to drop them.
        self._growing |= self.held & slots
        return bool(found)

    def confirmed(self, published: int) -> None:
        """The engine has confirmed a line that publishes just these. Lines are put one at a time."""
        self._confirmed |= self.withdrawn & ~published

    def reading_begins(self) -> None:
        """Everything that the next view shows was read after this moment."""
        self._fresh = self._confirmed

    def freeze(self) -> bool:
        """The engine is silent: go on recording the slots that are recorded, and publish them. True if the
        published slots change."""
        back = self.withdrawn | self.leaving
        self._leaving = ()
        self._hold(back)
        return bool(back)

    def see(self, view: View) -> Orders:
        """Act on a view."""
        needed = view.wanted | ~view.served
        # Slots are kept or given up from the last state to the first, so that no slot takes two steps at
        # once.
        stop, remaining = 0, []
        for since, slots in self._leaving:
            self._hold(slots & needed)
            slots &= ~needed
            if slots and view.began >= since + self._overlap:
                stop |= slots
            elif slots:
                remaining.append((since, slots))
        self._leaving = tuple(remaining)
        left = self._fresh & self.withdrawn & ~needed
        self._hold(self.withdrawn & needed)
        self.withdrawn &= ~left
        self._confirmed &= self.withdrawn
        self._fresh = 0
        if left:
            self._leaving += ((view.began, left),)
        withdrawn = self.held & ~needed
        self.held &= ~withdrawn
        self._growing &= ~withdrawn
        self.withdrawn |= withdrawn
        dropped = self.starting & ~needed
        self.starting &= ~dropped
        started = view.wanted & ~self.recorded
        self.starting |= started
        return Orders(started & ~view.published, started & view.published, stop | dropped)

    def _hold(self, slots: int) -> None:
        self.held |= slots
        self.withdrawn &= ~slots
        self._confirmed &= ~slots
