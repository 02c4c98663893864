"""Names that are spelt like one that is not there.

near("shruod", {"shroud", "summit1g"})      # ["shroud"]
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

#: How much of two names must be the same, 0 to 1; how much less than the likeliest one another may be like
#: it; and how many names are told at most.
_ENOUGH = 0.5
_BESIDE = 0.8
MOST = 5


def near(wanted: str, names: Iterable[str], most: int = MOST) -> list[str]:
    """Those of ``names`` that somebody who wrote ``wanted`` may have meant, the likeliest first. Upper and
    lower case are the same. Takes a microsecond or two for each name."""
    wanted = wanted.lower()
    pairs = {edged[at : at + 2] for edged in (f"^{wanted}$",) for at in range(len(wanted) + 1)}
    found = []
    for name in names:
        folded = name.lower()
        edged = f"^{folded}$"
        # The share of pairs of letters, edges included, that both have: Dice's coefficient.
        shared = sum([pair in edged for pair in pairs])
        likeness = 2.0 * shared / (len(wanted) + len(folded) + 2)
        if len(wanted) > 2 and len(folded) > 2 and (wanted in folded or folded in wanted):
            likeness += 0.3
        if likeness >= _ENOUGH:
            found.append((-likeness, name))
    likeliest = heapq.nsmallest(most, found)
    return [name for likeness, name in likeliest if likeness <= _BESIDE * likeliest[0][0]]
