"""What is missing in a range: gaps with their causes, records that are not stored yet, and files that could
not be read.

A gap record speaks for one recorder. If several record a room, it is missing only where none of them had it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, NamedTuple

from chatlog.archive import lines
from chatlog.archive.copies import is_imported

#: From when to when, in seconds since the epoch.
Span = tuple[float, float]
#: A recorder without a record for up to so many seconds is assumed to have had the room, which was quiet.
QUIET = 7200.0


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
    damaged, or they could not be fetched. ``chatlog.archive.notices`` has the sentence."""

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


def common_gaps(
    by_instance: Mapping[str, list[Gap]], files: Mapping[str, Iterable[Span]] | None = None
) -> list[Gap]:
    """The gaps in which none of several recorders had the room. ``files``: from when to when each recorder's
    files reach; beyond them it fills no gap of another recorder, for the room may have come to it later, or
    have left it. An import does not know its own gaps, so it fills no gap of a recorder. If there is only an
    import, its gaps are those that were imported with it."""
    recorders = {name: gaps for name, gaps in by_instance.items() if not is_imported(name)}
    if not recorders:
        return [gap for gaps in by_instance.values() for gap in gaps]
    if len(recorders) == 1:
        return sorted(next(iter(recorders.values())))
    heard = {name: list(_heard(gaps, (files or {}).get(name))) for name, gaps in recorders.items()}
    found: list[Gap] = []
    for name, gaps in recorders.items():
        for gap in gaps:
            pieces = [gap]
            for other, spans in heard.items():
                if other != name:
                    pieces = [part for piece in pieces for part in outside(piece, spans)]
            found += pieces
    return sorted(set(found))


def _heard(gaps: Iterable[Gap], files: Iterable[Span] | None) -> Iterator[Span]:
    """When a recorder had the room: while it had files that are not long apart, but not in its gaps."""
    spans = [(-inf, inf)] if files is None else list(joined(files))
    for start, end in spans:
        for gap in sorted(gaps):
            if gap.until > start and gap.since < end:
                if gap.since > start:
                    yield start, gap.since
                start = max(start, gap.until)
        if start < end:
            yield start, end


def joined(spans: Iterable[Span], apart: float = QUIET) -> Iterator[Span]:
    """The spans in order; those that are at most so many seconds ``apart`` become one. The result may be
    joined again with more."""
    before: Span | None = None
    for start, end in sorted(spans):
        if before is not None and start - before[1] <= apart:
            before = before[0], max(before[1], end)
            continue
        if before is not None:
            yield before
        before = start, end
    if before is not None:
        yield before


def outside(gap: Gap, spans: Iterable[Span]) -> Iterator[Gap]:
    """The parts of a gap that are in none of the spans, which are in order."""
    since = gap.since
    for start, end in spans:
        if end <= since or start >= gap.until:
            continue
        if start > since:
            yield gap._replace(since=since, until=start)
        since = end
    if since < gap.until or (since == gap.since == gap.until and not _within(since, spans)):
        yield gap._replace(since=since)


def _within(time: float, spans: Iterable[Span]) -> bool:
    return any(start < time < end for start, end in spans)
