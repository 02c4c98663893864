"""When a room was recorded and when it was missing, by its row in a manifest.

If the seconds of a row are fewer than those of the period, the room was added within the period, or left it.
Most rows have only the number of seconds. So the times here may include gaps that only gap records name. A
gap that goes on at the end of a period has no record yet (``Open``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from chatlog.archive.gaps import Gap, Span, joined
from chatlog.uploader.manifest_rows import HeadRow, RoomRow

#: Seconds by which the times of two recorders, and of two manifests, may differ.
SLACK = 3.0
#: The reasons of rooms that left a period before its end.
_LEFT = ("removed", "handed over")


class Open(NamedTuple):
    """The time that a row covers, of a room that was missing at its end: for ``missing`` seconds in all,
    because of ``reason``."""

    since: float
    until: float
    missing: float
    reason: str

    def gap(self, known: Iterable[Gap]) -> Gap | None:
        """The gap at the end; None if the ``known`` gaps explain all missing seconds."""
        explained = united((gap.since, gap.until) for gap in known)
        seconds = self.missing - length(explained, self.since, self.until)
        return Gap(self.until - seconds, self.until, self.reason) if seconds > SLACK else None

    def recorded(self, open: Gap | None) -> Span:
        """The time before the gap."""
        return self.since, self.until if open is None else open.since


def extent(head: HeadRow, row: RoomRow) -> Span | None:
    """From when to when a row covers its room, in seconds since the epoch; None if it does not."""
    seconds = row.recorded + row.missing
    if head.until <= head.since or seconds <= 0.0:
        return None
    if row.spans is not None and (named := [*row.spans, *row.gaps]):
        return head.since + min(first for first, _ in named), head.since + max(last for _, last in named)
    if row.reason in _LEFT:
        return head.since, min(head.until, head.since + seconds)
    return max(head.since, head.until - seconds), head.until


def recorded_in(head: HeadRow, row: RoomRow) -> Iterator[Span]:
    """When the room was recorded, in seconds since the epoch."""
    named = extent(head, row)
    if named is None or row.recorded <= 0.0 or open_in(head, row) is not None:
        return
    if row.spans is None:
        yield named
    else:
        yield from ((head.since + first, head.since + last) for first, last in row.spans)


def missing_in(head: HeadRow, row: RoomRow) -> Iterator[Gap]:
    """When the room was missing, by the row: all the time, or in times that it names."""
    named = extent(head, row)
    if named is None or row.missing <= 0.0:
        return
    if row.spans is not None:
        for first, last in row.gaps:
            yield Gap(head.since + first, head.since + last, row.reason or "not recorded")
    elif row.recorded <= 0.0:
        yield Gap(*named, row.reason or "not recorded")


def open_in(head: HeadRow, row: RoomRow) -> Open | None:
    """The time of a row, if its room was recorded at first, and missing at the end."""
    named = extent(head, row)
    if named is None or row.spans is not None or not row.reason or row.reason in _LEFT:
        return None
    return Open(*named, row.missing, row.reason) if row.recorded > 0.0 < row.missing else None


def united(spans: Iterable[Span]) -> list[Span]:
    """The spans in order, and in one piece where they are not apart."""
    return list(joined(spans, SLACK))


def length(spans: Sequence[Span], since: float, until: float) -> float:
    """The seconds of a time that are in these spans, which are in order and apart."""
    return sum(max(0.0, min(last, until) - max(first, since)) for first, last in spans)


def in_a_row(gaps: Iterable[Gap]) -> Iterator[Gap]:
    """The gaps in order, and in one piece those with one reason that are not apart."""
    last: Gap | None = None
    for gap in sorted(gaps):
        if last is not None and gap.reason == last.reason and gap.since <= last.until + SLACK:
            last = last._replace(until=max(last.until, gap.until))
            continue
        if last is not None:
            yield last
        last = gap
    if last is not None:
        yield last
