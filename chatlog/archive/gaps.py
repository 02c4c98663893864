"""What is missing in a range: gaps with their causes, records that are not stored yet, and files that could
not be read.

A gap record speaks for one recorder. If several record a room, it is missing only where all of them have a
gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from chatlog.archive import lines
from chatlog.naming import is_import


class Gap(NamedTuple):
    """The room is not recorded from ``since`` to ``until`` (seconds since the epoch), because of ``reason``.
    ``backfilled``: records that were filled in later. ``dropped``: records that were lost, -1 if they were
    not counted."""

    since: float
    until: float
    reason: str
    backfilled: int = 0
    dropped: int = -1

    @property
    def seconds(self) -> float:
        """The gap's length."""
        return max(0.0, self.until - self.since)


class Unread(NamedTuple):
    """A file that could not be read, or not to its end: its key or path, and why. Either its bytes are
    damaged, or they could not be had. ``chatlog.archive.notices`` has the sentence."""

    name: str
    why: str
    is_damaged: bool = False


@dataclass(slots=True)
class Report:
    """What is missing in an answer. ``gaps``: times that were not recorded. ``unread``: files that are
    damaged or out of reach. ``stopped``: why the answer ended early, ``""`` if it did not. ``reached``: the
    time at which to continue then; the answer has all records on this side of it and none beyond. ``later``:
    records after this time may not be in the archive yet; None if all are. ``files``, ``bytes`` (unpacked)
    and ``seconds``: the work of reading. ``records``: how many were returned."""

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
    """The gap of a gap record; None if the line is no gap record."""
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
    """The gaps of all gap records in a block."""
    at = block.find(b'"type":"gap"')
    while at >= 0:
        start, end = block.rfind(b"\n", 0, at) + 1, block.find(b"\n", at)
        if (gap := gap_of(block[start : end if end >= 0 else len(block)])) is not None:
            yield gap
        at = block.find(b'"type":"gap"', end) if end >= 0 else -1


def clipped(gaps: Iterable[Gap], since: float, until: float) -> list[Gap]:
    """The parts of the gaps within a range, in order; overlapping gaps become one. Gaps without a length
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
    """The times at which none of several recorders had the room: the intersection of their gaps. An import
    does not know its own gaps, so it fills no gap of a recorder. If there is only an import, its gaps are
    those that were imported with it."""
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
