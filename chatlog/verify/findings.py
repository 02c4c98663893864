"""What a look at an archive finds: problems, and the sums of what is there."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

#: Every kind of problem, in the order in which people are told of them, with a sentence.
KINDS = {
    "missing-object": "objects that a manifest names are not there",
    "altered-object": "objects are not what was stored",
    "unreadable-object": "objects cannot be unpacked",
    "unnamed-object": "objects are in no manifest (the last before a recorder stops are in its next one)",
    "missing-manifest": "manifests are missing",
    "invalid-manifest": "manifests cannot be read",
    "invalid-line": "lines are no records",
    "duplicate": "records are there more than once",
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
    no manifest yet because their hour is not over."""

    manifests: int = 0
    objects: int = 0
    bytes: int = 0
    lines: int = 0
    pending: int = 0
    strangers: int = 0
    problems: Counter[str] = field(default_factory=Counter)

    @property
    def fine(self) -> bool:
        """Whether there are no problems."""
        return not any(self.problems.values())

    @property
    def empty(self) -> bool:
        """Whether there was nothing to look at: perhaps it is the wrong place."""
        return self.fine and not self.manifests and not self.objects
