"""Compares an archive with the events that were sent: lost, doubled, altered, out of order, invalid,
hidden."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import zstandard

from chatlog.simulator.ledger import GREETING, Ledger, loads
from chatlog.simulator.recordings import Recording, in_order

#: A record of full detail has these keys, in this order.
KEYS = [
    "timestamp",
    "channel",
    "username",
    "user_id",
    "message",
    "type",
    "id",
    "platform",
    "channel_id",
    "received",
    "details",
]
#: Milliseconds by which a gap may begin later or end earlier than its missing events: a tick.
GAP_TOLERANCE = 1500
_MOST_EXAMPLES = 10
_Gaps = dict[tuple[str, str], list[tuple[int, int]]]


@dataclass(slots=True)
class Range:
    """Consecutive missing events of one room; times in milliseconds. ``hidden`` of the ``count`` events are
    in no gap record."""

    platform: str
    channel: str
    start: int
    end: int
    count: int = 0
    hidden: int = 0
    why: str = ""


@dataclass
class Judgement:
    """The result. ``lost`` events were delivered and are in no file; ``excused`` ones are lost as expected;
    ``undelivered`` ones could not be delivered. ``hidden`` are events of these three without a gap record.
    ``copies``: records that another instance has as well. ``doubled_after``: for each of the ``doubled``
    records that has no id, how many milliseconds after its event it was made."""

    sent: int = 0
    recorded: int = 0
    backfilled: int = 0
    copies: int = 0
    lost: int = 0
    excused: int = 0
    undelivered: int = 0
    hidden: int = 0
    pending: int = 0
    doubled: int = 0
    altered: int = 0
    out_of_order: int = 0
    invalid: int = 0
    unknown: int = 0
    duplicate_names: list[str] = field(default_factory=list)
    gaps: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    missing: list[Range] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)
    doubled_after: list[int] = field(default_factory=list)
    files: int = 0

    def good(self, gaps: bool = False, any_order: bool = False) -> bool:
        """Whether there is no fault; with ``gaps``, missing events without a gap record are one too."""
        faults = self.lost + self.doubled + self.altered + self.invalid + self.unknown
        faults += len(self.duplicate_names) + (0 if any_order else self.out_of_order)
        return not faults and not (gaps and self.hidden)

    def example(self, text: str) -> None:
        """Keep ``text`` if there are not enough examples already."""
        if len(self.examples) < _MOST_EXAMPLES:
            self.examples.append(text)


@dataclass(frozen=True, slots=True)
class Excuses:
    """Expected losses: events in one of ``windows`` (milliseconds since the epoch), and events whose
    connection was closed within ``closes`` milliseconds. Events of the last ``settle`` milliseconds before
    the oracle's end, or before ``until`` (milliseconds since the epoch) if that is earlier, are not
    judged."""

    windows: tuple[tuple[int, int], ...] = ()
    closes: int = 0
    settle: int = 0
    until: int | None = None

    def horizon(self, last: int) -> int:
        """The end of the judged time; ``last`` is when the latest event was sent."""
        return (last if self.until is None else min(last, self.until)) - self.settle


def judge(
    ledger: Ledger, recordings: list[Recording], excuses: Excuses = Excuses(), copies: bool = False
) -> Judgement:
    """Compare ``recordings`` with the events in ``ledger``. This changes the ledger. With ``copies``, several
    recorders may have the same event: each is compared by itself, and an event that no recorder has is
    lost."""
    found = Judgement(sent=len(ledger))
    gaps: _Gaps = defaultdict(list)
    names: Counter[str] = Counter(str(recording.name) for recording in recordings)
    found.duplicate_names = sorted(name for name, count in names.items() if count > 1)
    whole = ledger.forget()
    for instance in sorted(
        {recording.name.instance for recording in recordings} if copies else {None}, key=str
    ):
        chosen = [each for each in recordings if not copies or each.name.instance == instance]
        _judge_files(ledger, found, gaps, chosen, copies)
        seen = ledger.forget()
        both = sum(map(int.__and__, whole, seen))
        found.copies += both
        found.recorded -= both
        whole = bytearray(map(int.__or__, whole, seen))
    ledger.seen = whole
    _judge_missing(ledger, found, gaps, excuses)
    return found


def _judge_files(
    ledger: Ledger, found: Judgement, gaps: _Gaps, recordings: list[Recording], copies: bool
) -> None:
    last: dict[tuple[str, str], int] = {}
    for recording in in_order(recordings):
        found.files += 1
        try:
            for number, line in enumerate(recording.lines(), 1):
                _judge_line(ledger, found, gaps, last, line, f"{recording.where}:{number}", copies)
        except (OSError, EOFError, zstandard.ZstdError) as error:
            found.invalid += 1
            found.example(f"{recording.where}: {error}")


def _judge_line(
    ledger: Ledger,
    found: Judgement,
    gaps: _Gaps,
    last: dict[tuple[str, str], int],
    line: bytes,
    where: str,
    copies: bool,
) -> None:
    record = _record(line)
    if record is None:
        found.invalid += 1
        found.example(f"invalid {where}: {line[:100]!r}")
        return
    room = (record["platform"], record["channel"])
    found.types[record["type"]] += 1
    if record["type"] == "gap":
        details = record["details"]
        gaps[room].append((milliseconds(details["from"]), milliseconds(details["to"])))
        found.gaps[details["reason"]] += 1
        return
    number, why = ledger.take(record, last.get(room, -1))
    if number is None:
        if why == "doubled":
            found.doubled += 1
            if not record["id"]:
                found.doubled_after.append(ledger.age(record) or 0)
        elif copies and record["channel"].startswith("_") and _is_stray(ledger, record):
            # The event came in a room that was left already, so its record is with those of no room.
            found.copies += 1
            return
        elif record["type"] != "unparsed":
            found.unknown += 1
        else:
            return
        found.example(f"{why} {where}: {record['type']} {record['id']} {record['message'][:80]!r}")
        return
    found.recorded += 1
    backfilled = record["details"].get("backfilled") is True
    found.backfilled += backfilled
    differs = ledger.difference(number, record)
    if differs:
        found.altered += 1
        found.example(
            f"altered {differs} {where}: {record['type']} {record['id']} {record['message'][:80]!r}"
        )
    # Backfilled records are in the file at the time of their arrival. The settings that follow a JOIN go to
    # one connection only, while another one may still deliver earlier messages.
    if record["type"] != "unparsed" and not backfilled and not ledger.flags[number] & GREETING:
        if number < last.get(room, -1):
            found.out_of_order += 1
            found.example(f"out of order {where}: {record['type']} {record['id']}")
        else:
            last[room] = number


def _is_stray(ledger: Ledger, record: dict[str, Any]) -> bool:
    """Whether a record without a room may be that of an event in a room. Without an id, it may be that of
    any."""
    return not record["id"] or ledger.knows(record["platform"], record["id"])


def _record(line: bytes) -> dict[str, Any] | None:
    """The record in a line; None if the line is no record."""
    try:
        record = loads(line)
    except ValueError:
        return None
    if type(record) is not dict or list(record) != KEYS or type(record["details"]) is not dict:
        return None
    if record["type"] == "gap" and not {"from", "to", "reason"} <= record["details"].keys():
        return None
    return record


def _judge_missing(
    ledger: Ledger,
    found: Judgement,
    gaps: _Gaps,
    excuses: Excuses,
) -> None:
    open_ranges: dict[int, Range] = {}
    horizon = excuses.horizon(max(ledger.at, default=0))
    for number in range(len(ledger)):
        room = ledger.rooms[number]
        if ledger.seen[number]:
            open_ranges.pop(room, None)
            continue
        if ledger.flags[number] & GREETING:
            # After two joins at once, the same settings come twice and are recorded once.
            found.recorded += 1
            continue
        at = ledger.at[number]
        if at > horizon:
            found.pending += 1
            continue
        why = _why_missing(ledger, number, excuses)
        setattr(found, why, getattr(found, why) + 1)
        platform, channel = ledger.room_names[room]
        intervals = gaps.get((platform, channel), ())
        # Events without a room have no gap record.
        hidden = bool(channel) and not any(
            start - GAP_TOLERANCE <= at <= end + GAP_TOLERANCE for start, end in intervals
        )
        found.hidden += hidden
        missing = open_ranges.get(room)
        if missing is None or missing.why != why:
            missing = open_ranges[room] = Range(platform, channel, at, at, why=why)
            found.missing.append(missing)
        missing.count += 1
        missing.hidden += hidden
        missing.end = at


def _why_missing(ledger: Ledger, number: int, excuses: Excuses) -> str:
    if ledger.undelivered(number):
        return "undelivered"
    at = ledger.at[number]
    if any(start <= at <= end for start, end in excuses.windows):
        return "excused"
    if excuses.closes:
        closed = ledger.closed_after(number)
        if closed is not None and closed <= excuses.closes:
            return "excused"
    return "lost"


def milliseconds(text: str) -> int:
    """An RFC 3339 time, or seconds since the epoch, in milliseconds."""
    try:
        return round(float(text) * 1000)
    except ValueError:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
