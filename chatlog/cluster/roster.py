"""The members of a cluster, as far as one of them knows them from the engine.

An engine may forget everything at any time. Then, for as long as a lease, the members that were known still
count as members, so that no member takes their rooms; but the slots that they published count no longer, so
that no member leaves rooms to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from chatlog.cluster.line import Line, OtherProtocol, decoded


class Reading(NamedTuple):
    """One reading of an engine: every member's line by its name, a word that changes once the engine has
    forgotten (``epoch``), and the version of the room list."""

    lines: Mapping[str, str]
    epoch: str = ""
    rooms: int = 0


class Roster:
    """The other members. Times are seconds of the member's clock."""

    def __init__(self, me: str, lease: float) -> None:
        self._me = me
        self._lease = lease
        self._epoch = ""
        self._settled_at = float("-inf")
        self._confirmed_at = float("-inf")
        #: The members whose lines were seen at the last look.
        self.present: dict[str, Line] = {}
        #: Members that were known when the engine forgot, and have not been seen since.
        self.ghosts: dict[str, Line] = {}
        #: Members that follow other rules, or whose lines cannot be read.
        self.strangers: frozenset[str] = frozenset()
        #: Members whose leases ended, with their last lines.
        self.lost: dict[str, Line] = {}

    def confirmed(self, now: float) -> None:
        """The engine has confirmed this member's own line."""
        self._confirmed_at = now

    def settle(self, now: float) -> None:
        """The engine was away: its lines may be old or incomplete for one lease."""
        self._settled_at = max(self._settled_at, now + self._lease)

    def see(self, reading: Reading, now: float) -> None:
        """Use the lines that the engine shows."""
        forgot = bool(self._epoch) and reading.epoch != self._epoch
        self._epoch = reading.epoch
        if self._me not in reading.lines and now - self._confirmed_at < self._lease:
            forgot = True
        if forgot:
            self.settle(now)
        present, strangers = {}, set()
        for name, text in reading.lines.items():
            if name == self._me:
                continue
            try:
                present[name] = decoded(name, text)
            except (OtherProtocol, ValueError):
                strangers.add(name)
        known = {**self.ghosts, **self.present}
        gone = {name: line for name, line in known.items() if name not in present and name not in strangers}
        settling = now < self._settled_at
        self.lost = {} if settling else gone
        self.ghosts = gone if settling else {}
        self.present, self.strangers = present, frozenset(strangers)

    @property
    def others(self) -> dict[str, Line]:
        """All other members that slots can be given to."""
        return {**self.ghosts, **self.present}


class Ages:
    """The age of each other member's latest line. Times are seconds of the member's clock."""

    def __init__(self) -> None:
        self._spoke: dict[str, tuple[float, float]] = {}

    def see(self, present: Mapping[str, Line], now: float) -> None:
        """Use the lines of one reading."""
        before = self._spoke
        self._spoke = {
            name: before[name] if name in before and before[name][0] == line.at else (line.at, now)
            for name, line in present.items()
        }

    def of(self, name: str, now: float) -> float:
        """Seconds since the member's latest line was seen first; 0.0 if there is none."""
        return now - self._spoke[name][1] if name in self._spoke else 0.0


def published(lines: Mapping[str, str], me: str) -> dict[str, int]:
    """The slots that members other than ``me`` publish, by platform."""
    found: dict[str, int] = {}
    for name, text in lines.items():
        if name != me:
            with suppress(OtherProtocol, ValueError):
                for platform, some in decoded(name, text).recording.items():
                    found[platform] = found.get(platform, 0) | some
    return found
