"""Holes that were made, as the simulator's oracle shows them, and the gap records that stand for them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from chatlog.simulator.judgement import milliseconds
from chatlog.simulator.ledger import loads
from chatlog.simulator.recordings import in_directory

Room = tuple[str, str]
Span = tuple[int, int]

#: A room that came back for less than so many milliseconds may not have come as far as a flush: two holes
#: that are so close may be one gap record.
BRIEF = 1500
#: Seconds by which a gap record may be off at either end.
EXACT = 1.0
#: Seconds by which it may begin early on Kick, whose times are whole seconds: a recorder that is behind has
#: to take the beginning of the second.
KICK_EARLY = 2.0
#: A gap record stands for a hole if they overlap, or are no further apart than these milliseconds.
TOUCH = 100


@dataclass
class Made:
    """When rooms had nobody who listened; times in milliseconds since the epoch. A hole ends when the next
    connection joins. ``doubles``: for how many milliseconds in all two or more connections listened."""

    holes: dict[Room, list[Span]] = field(default_factory=lambda: defaultdict(list))
    doubles: dict[Room, int] = field(default_factory=lambda: defaultdict(int))
    _listening: dict[Room, set[int]] = field(default_factory=lambda: defaultdict(set))
    _rooms: dict[int, set[Room]] = field(default_factory=lambda: defaultdict(set))
    _since: dict[Room, int] = field(default_factory=dict)
    _gone: set[int] = field(default_factory=set)
    _changed: dict[Room, int] = field(default_factory=dict)

    def read(self, oracle: Path) -> None:
        """Take one oracle file."""
        with open(oracle, "rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    self._take(loads(line))

    def _take(self, entry: dict[str, object]) -> None:
        at, connection = int(str(entry["at"])), int(str(entry["connection"]))
        note = entry.get("note", "")
        if note in ("closed", "cut"):
            self._left(connection, at)
        if note not in ("", "joined", "parted"):
            return
        room = str(entry["platform"]), str(entry["channel"])
        if note == "parted":
            self._parted(room, connection, at)
            return
        if entry.get("dead"):
            for heard in (connection, *entry.get("also", ())):  # type: ignore[misc]
                self._left(heard, at)
        elif note == "joined" and connection not in self._gone:
            self._joined(room, connection, at)

    def _joined(self, room: Room, connection: int, at: int) -> None:
        listening = self._listening[room]
        if not listening and room in self._since:
            self.holes[room].append((self._since.pop(room), at))
        self._count(room, at)
        listening.add(connection)
        self._rooms[connection].add(room)

    def _left(self, connection: int, at: int) -> None:
        self._gone.add(connection)
        for room in list(self._rooms.pop(connection, ())):
            self._parted(room, connection, at)

    def _parted(self, room: Room, connection: int, at: int) -> None:
        listening = self._listening[room]
        if connection in listening:
            self._count(room, at)
            listening.discard(connection)
            self._rooms[connection].discard(room)
            if not listening:
                self._since[room] = at

    def _count(self, room: Room, at: int) -> None:
        if len(self._listening[room]) > 1:
            self.doubles[room] += at - self._changed.get(room, at)
        self._changed[room] = at


def recorded(archive: Path) -> tuple[dict[Room, list[tuple[int, int, str]]], int]:
    """The gap records of every room, (from, to, reason), and how many records they say were dropped."""
    gaps: dict[Room, list[tuple[int, int, str]]] = defaultdict(list)
    dropped = 0
    for recording in in_directory(str(archive)):
        for line in recording.lines():
            if b'"type":"gap"' in line:
                record = loads(line)
                details = record["details"]
                room = record["platform"], record["channel"]
                span = milliseconds(details["from"]), milliseconds(details["to"])
                gaps[room].append((*span, details["reason"]))
                dropped += details.get("dropped", 0)
    return gaps, dropped


@dataclass
class Comparison:
    """Holes that were made, how many of them have a gap record, how many of those are not exact (``EXACT``),
    how far the two ends are off at most (in seconds), and the first few without one."""

    made: int = 0
    found: int = 0
    inexact: int = 0
    start_off: float = 0.0
    end_off: float = 0.0
    worst: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)


def compare(made: Made, gaps: dict[Room, list[tuple[int, int, str]]]) -> Comparison:
    """Compare every hole with the gap records that touch it."""
    result = Comparison()
    worst: list[tuple[float, str]] = []
    for room, holes in made.holes.items():
        for start, end in _merged(holes):
            result.made += 1
            touching = [
                gap for gap in gaps.get(room, ()) if gap[0] <= end + TOUCH and gap[1] >= start - TOUCH
            ]
            if not touching:
                result.unexplained.append(f"{room[0]} {room[1]}: {start} to {end}")
                continue
            result.found += 1
            first, last = min(gap[0] for gap in touching), max(gap[1] for gap in touching)
            off = abs(first - start) / 1000, abs(last - end) / 1000
            result.start_off = max(result.start_off, off[0])
            result.end_off = max(result.end_off, off[1])
            early = KICK_EARLY if room[0] == "kick" and first < start else EXACT
            result.inexact += off[0] > early or off[1] > EXACT
            reasons = ", ".join(sorted({gap[2] for gap in touching}))
            worst.append(
                (
                    max(off),
                    f"{room[0]} {room[1]} {start} to {end}: {off[0]:.2f} s, {off[1]:.2f} s ({reasons})",
                )
            )
    result.worst = [text for _, text in sorted(worst, reverse=True)[:5]]
    return result


def _merged(holes: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in holes:
        if merged and start - merged[-1][1] < BRIEF:
            merged[-1] = merged[-1][0], end
        else:
            merged.append((start, end))
    return merged
