"""The cost of bundles, and their savings once they are in a cheaper class.

A month's objects of a room become one bundle at the end of the month: every object is read once, every bundle
is written, verified by a HEAD and read back; deleting costs nothing. Some time later each bundle is moved.
Reading the archive is left out, as in ``bill``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from math import floor

from chatlog.cost.bill import (
    BUNDLED_ROW,
    DAYS,
    Load,
    Month,
    billed,
    head_dollars,
    month_of,
    put_dollars,
    requests_cost,
    storage_cost,
)
from chatlog.cost.prices import Prices, StorageClass

#: Months within which bundles have to pay for themselves.
HORIZON = 120


@dataclass(frozen=True, slots=True)
class Plan:
    """A load whose months are bundled, and moved to ``storage`` (None: never) ``after`` months."""

    load: Load
    storage: StorageClass | None = None
    after: float = 3.0

    @property
    def month(self) -> Month:
        """What a month adds without bundles."""
        return month_of(self.load)

    @property
    def bundles(self) -> float:
        """The bundles of a month: one for each room in which something was said."""
        return float(self.load.rooms) if self.month.objects else 0.0

    @property
    def stored(self) -> float:
        """The bytes of a month, with the rows about bundles."""
        return self.month.stored + self.month.objects * BUNDLED_ROW

    def moved(self, number: int) -> float:
        """How many months of chat are in the cheaper class in the ``number``-th month, on average."""
        return max(0.0, number - 1 - self.after) if self.storage is not None else 0.0

    def moves(self, number: int) -> int:
        """How many months of chat are moved in the ``number``-th month."""
        if self.storage is None:
            return 0
        return max(0, floor(number - self.after)) - max(0, floor(number - 1 - self.after))


def bundling_cost(plan: Plan, prices: Prices) -> float:
    """Dollars for bundling a month: reading its objects, and storing and checking the bundles, beside the
    requests of recording."""
    before, reads = plan.month.requests, plan.month.objects + 2 * plan.bundles
    puts = put_dollars(prices, before + plan.bundles) - put_dollars(prices, before)
    return puts + head_dollars(prices, before + reads) - head_dollars(prices, before)


def moving_cost(plan: Plan) -> float:
    """Dollars for moving the bundles of a month."""
    return plan.bundles / 1000 * plan.storage.moving if plan.storage is not None else 0.0


def class_storage(plan: Plan, prices: Prices) -> float:
    """Dollars for storing a month's chat for a month once it was moved."""
    if plan.storage is None or not plan.bundles:
        return 0.0
    kept = max(plan.stored / plan.bundles, plan.storage.minimum) * plan.bundles
    return kept / prices.gb * plan.storage.storage


def cost(plan: Plan, prices: Prices, number: int) -> float:
    """Dollars for the ``number``-th month, counted from 1, with bundles."""
    moved = plan.moved(number)
    here = plan.stored * (number - 0.5 - moved) / prices.gb
    parts = [
        *requests_cost(prices, plan.month),
        billed(here, prices.free_gb, prices.storage_unit) * prices.storage,
        moved * class_storage(plan, prices),
        plan.moves(number) * moving_cost(plan),
        # The first month is bundled when it is over.
        bundling_cost(plan, prices) if number > 1 else 0.0,
    ]
    return math.fsum(parts)


def plain(plan: Plan, prices: Prices, number: int) -> float:
    """Dollars for the ``number``-th month without bundles."""
    return math.fsum([*requests_cost(prices, plan.month), storage_cost(prices, plan.month, number)])


def pays_in(plan: Plan, prices: Prices) -> int | None:
    """The first month until whose end the bundles have saved more than they have cost; None if they do not
    within ten years."""
    saved = 0.0
    for number in range(1, HORIZON + 1):
        saved += plain(plan, prices, number) - cost(plan, prices, number)
        if saved > 1e-6 and plan.moved(number):
            return number
    return None


def early_cost(plan: Plan, prices: Prices, keep: float) -> float:
    """Dollars a month for chat that is deleted ``keep`` months after its month, before the least days of the
    class are over: it is billed for the rest of them."""
    if plan.storage is None:
        return 0.0
    left = plan.storage.days / DAYS - max(0.0, keep - plan.after)
    return class_storage(plan, prices) * left if left > 0 and keep > plan.after else 0.0
