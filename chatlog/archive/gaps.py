"""What is missing of a range: gaps with their causes, what is not here yet, what could not be looked at.

A gap record is the claim of one recorder. Where several record a room, it is missing where nobody had it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from chatlog.archive import lines
from chatlog.naming import is_import


class Gap(NamedTuple):
    """The room is not recorded from ``since`` to ``until`` (seconds since the epoch), because of
    ``reason``. ``backfilled`` records of it came back; ``dropped`` were lost, -1 where nobody counted."""

    since: float
    until: float
    reason: str
    backfilled: int = 0
    dropped: int = -1

    @property
    def seconds(self) -> float:
        """Its length."""
        return max(0.0, self.until - self.since)


class Unread(NamedTuple):
    """A file that could not be read, or not to its end, and why."""

    name: str
    why: str


@dataclass(slots=True)
class Report:
    """What an answer does not hold. ``gaps``: not recorded; ``unread``: damaged or out of reach; ``stopped``:
    why not everything was looked at, ``""`` if it was; ``reached``: the time at which to go on then (what is
    older, or with the newest first younger, was given whole, and nothing else).
    ``later``: what was recorded after this time may not be in the archive yet; None if everything is here.
    ``files`` and ``bytes`` were read (bytes unpacked) in so many ``seconds``, ``records`` given."""

    gaps: list[Gap] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    stopped: str = ""
    reached: float | None = None
    later: float | None = None
    files: int = 0
    bytes: int = 0
    seconds: float = 0.0
    records: int = 0

    def missing(self, since: float, until: float) -> float:
        """Seconds of a range that are in gaps."""
        return sum(part.seconds for part in clipped(self.gaps, since, until))


def gap_of(line: bytes) -> Gap | None:
    """The gap that a gap record is about; None if the line is none."""
    if b'"type":"gap"' not in line:
        return None
    record = lines.record_of(line)
    if record is None or record.get("type") != "gap" or not isinstance(record.get("details"), dict):
        return None
    details: dict[str, Any] = record["details"]
    try:
        since, until = lines.seconds(str(details["from"])), lines.seconds(str(details["to"]))
    except (KeyError, ValueError):
        return None
    dropped, backfilled = details.get("dropped", -1), details.get("backfilled", 0)
    return Gap(
        since,
        max(since, until),
        str(details.get("reason", "")),
        backfilled if isinstance(backfilled, int) else 0,
        dropped if isinstance(dropped, int) else -1,
    )


def gaps_in(block: bytes) -> Iterator[Gap]:
    """The gaps that the gap records of a block are about."""
    at = block.find(b'"type":"gap"')
    while at >= 0:
        start, end = block.rfind(b"\n", 0, at) + 1, block.find(b"\n", at)
        if (gap := gap_of(block[start : end if end >= 0 else len(block)])) is not None:
            yield gap
        at = block.find(b'"type":"gap"', end) if end >= 0 else -1


def clipped(gaps: Iterable[Gap], since: float, until: float) -> list[Gap]:
    """The parts of the gaps that lie in a range, in order; what overlaps is one. Gaps without a length
    (records that were dropped in an instant) stay."""
    found: list[Gap] = []
    for gap in sorted(gaps):
        if gap.until < since or gap.since >= until:
            continue
        part = gap._replace(since=max(gap.since, since), until=min(gap.until, until))
        if found and part.since < found[-1].until:
            last = found[-1]
            if part.until <= last.until:
                continue
            part = part._replace(since=last.until)
        found.append(part)
    return found


def everywhere(by_instance: Mapping[str, list[Gap]]) -> list[Gap]:
    """Where none of several recorders had the room: the parts that lie in a gap of each. An import does not
    know what it lacks, so it fills no gap of theirs; where there is nothing else, it has those that came with
    it."""
    recorders = [gaps for instance, gaps in by_instance.items() if not is_import(instance)]
    claims = recorders or [gaps for gaps in by_instance.values() if gaps]
    if not claims:
        return []
    common = sorted(claims[0])
    for others in claims[1:]:
        common = [
            gap._replace(since=max(gap.since, other.since), until=min(gap.until, other.until))
            for gap in common
            for other in others
            if max(gap.since, other.since) < min(gap.until, other.until)
        ]
    return common
