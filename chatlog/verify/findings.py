"""What a look at an archive finds: problems, and the sums of what is there."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

#: Every kind of problem, in the order in which people are told of them: what is said of one, and of several.
KINDS = {
    "missing-object": ("object is missing: a manifest names it", "objects are missing: manifests name them"),
    "altered-object": ("object is not what was stored", "objects are not what was stored"),
    "unreadable-object": (
        "object is damaged: it cannot be unpacked",
        "objects are damaged: they cannot be unpacked",
    ),
    "unread-object": (
        "object could not be read now, and was not checked",
        "objects could not be read now, and were not checked",
    ),
    "unnamed-object": (
        "object is in no manifest (what a recorder stores last before it stops is in its next one)",
        "objects are in no manifest (what a recorder stores last before it stops is in its next one)",
    ),
    "missing-manifest": ("manifest is missing", "manifests are missing"),
    "invalid-manifest": ("manifest is damaged", "manifests are damaged"),
    "invalid-line": ("line is not a record", "lines are not records"),
    "duplicate": ("record is there more than once", "records are there more than once"),
}


class Problem(NamedTuple):
    """One problem: its kind, the key it is about, the line (0: none in particular) and what is wrong."""

    kind: str
    key: str
    line: int
    what: str


@dataclass(slots=True)
class DaySums:
    """What the gap records of one room say about one day: how many begin on it, and their seconds by
    reason."""

    gaps: int = 0
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))


@dataclass(slots=True)
class Totals:
    """How much was looked at, and how many problems of which kind there are. ``pending`` objects are in
    no manifest yet because their hour is not over; those of ``unattested`` are in none because the spool
    that knew of them was lost, or because the manifest that may name them could not be read. ``copies`` are
    records that several instances have."""

    manifests: int = 0
    objects: int = 0
    bytes: int = 0
    lines: int = 0
    pending: int = 0
    unattested: int = 0
    copies: int = 0
    strangers: int = 0
    problems: Counter[str] = field(default_factory=Counter)

    @property
    def fine(self) -> bool:
        """Whether there are no problems."""
        return not any(self.problems.values())

    @property
    def empty(self) -> bool:
        """Whether there was nothing to look at: perhaps it is the wrong place."""
        return self.fine and not self.objects
