"""The results of a verification: its problems and totals."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

#: Every kind of problem in the order of the report, with its text for one problem and for several.
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
    "two-objects": (
        "key stands for two different objects: both are read",
        "keys stand for two different objects each: all are read",
    ),
    "not-erased": ("object is there that should be gone", "objects are there that should be gone"),
    "missing-manifest": ("manifest is missing", "manifests are missing"),
    "broken-chain": (
        "manifest breaks the chain: it was changed, or the one before it is missing",
        "manifests break the chain: they were changed, or the ones before them are missing",
    ),
    "bad-signature": (
        "manifest was changed after it was signed",
        "manifests were changed after they were signed",
    ),
    "foreign-signature": ("manifest was signed by somebody else", "manifests were signed by somebody else"),
    "missing-signature": ("manifest is not signed", "manifests are not signed"),
    "invalid-manifest": ("manifest is damaged", "manifests are damaged"),
    "lost-instance": (
        "recorder of a cluster is gone without having handed over",
        "recorders of a cluster are gone without having handed over",
    ),
    "unexplained-hole": (
        "hole that no recorder explains: nobody recorded the room",
        "holes that no recorder explains: nobody recorded the rooms",
    ),
    "invalid-line": ("line is not a record", "lines are not records"),
    "duplicate": ("record is there more than once", "records are there more than once"),
}


class Problem(NamedTuple):
    """One problem: its kind, the key of the object, the line (0: the object as a whole) and what is wrong."""

    kind: str
    key: str
    line: int
    what: str


@dataclass(slots=True)
class DaySums:
    """The gap records of one room on one day: how many gaps begin on it, and the missing seconds by
    reason."""

    gaps: int = 0
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))


@dataclass(slots=True)
class Totals:
    """How much was checked, and how many problems of each kind were found.

    ``pending`` objects are in no manifest yet, because their hour has not ended. ``unattested`` objects are
    in no manifest because the spool that knew them was lost, or because the manifest that may name them could
    not be read. ``copies`` are records that several instances have. ``unknown_files`` are not from chatlog.
    ``gone`` is how many objects are replaced, expired or bundled, ``erased`` and ``redacted`` how many
    records were, for how many ``requests``; ``open_requests`` of these are not done.
    """

    manifests: int = 0
    objects: int = 0
    bytes: int = 0
    lines: int = 0
    pending: int = 0
    unattested: int = 0
    copies: int = 0
    unknown_files: int = 0
    requests: int = 0
    open_requests: int = 0
    erased: int = 0
    redacted: int = 0
    gone: dict[str, int] = field(default_factory=dict)
    problems: Counter[str] = field(default_factory=Counter)

    @property
    def fine(self) -> bool:
        """Whether there are no problems."""
        return not any(self.problems.values())

    @property
    def empty(self) -> bool:
        """Whether there was nothing to check. Perhaps the archive is another one."""
        return self.fine and not self.objects
