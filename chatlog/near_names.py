"""Finds names that are spelt like another.

near("shruod", {"shroud", "summit1g"})      # ["shroud"]
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

#: The least likeness of two names, 0 to 1.
_ENOUGH = 0.5
#: Names with less than this share of the best name's likeness are left out.
_BESIDE = 0.8
#: The most names that are returned.
MOST = 5


def near(wanted: str, names: Iterable[str], most: int = MOST) -> list[str]:
    """The ``names`` that a user who wrote ``wanted`` may have meant, the likeliest first. Case does not
    matter. Takes one or two microseconds a name."""
    wanted = wanted.lower()
    pairs = {edged[at : at + 2] for edged in (f"^{wanted}$",) for at in range(len(wanted) + 1)}
    found = []
    for name in names:
        folded = name.lower()
        edged = f"^{folded}$"
        # Dice's coefficient: the share of common pairs of letters, with the edges of the names.
        shared = sum([pair in edged for pair in pairs])
        likeness = 2.0 * shared / (len(wanted) + len(folded) + 2)
        if len(wanted) > 2 and len(folded) > 2 and (wanted in folded or folded in wanted):
            likeness += 0.3
        if likeness >= _ENOUGH:
            found.append((-likeness, name))
    likeliest = heapq.nsmallest(most, found)
    return [name for likeness, name in likeliest if likeness <= _BESIDE * likeliest[0][0]]
