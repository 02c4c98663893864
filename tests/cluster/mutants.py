"""Members that leave out one rule of the protocol. The tests must find every one of them."""

from __future__ import annotations

from chatlog.cluster.slot_life import Orders, SlotLife, View
from chatlog.cluster.slots import ALL


class NoSecondLook(SlotLife):
    """Leaves without a view that was read after its withdrawal was confirmed."""

    def reading_begins(self) -> None:
        self._fresh = self.withdrawn


class BreakBeforeMake(SlotLife):
    """Leaves as soon as it is no longer wanted, whether anybody else records or not."""

    def see(self, view: View) -> Orders:
        return super().see(view._replace(served=ALL))
