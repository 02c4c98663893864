"""The file in which the coverage of rooms outlives the process: one JSON object a line, append only.

    {"boot": B, "since": T}                                     at the top, and whenever a period begins
    {"platform": P, "room": R, "recorded": T, "links": [..]}    acknowledged since T, on connections (below)
    {"platform": P, "room": R, "missing": T, "reason": W}       not recorded since T, because of W
    {"platform": P, "room": R}                                  no longer wanted
    {"platform": P, "link": N, "heard": T}                      a connection that has been quiet since T
    {"platform": P, "link": N}                                  it is quiet no more
    {"alive": T, "durable": T, "batch": N, "lines": N}          at every flush, behind N other lines

A room's line may also carry ``lost`` and ``begun``, see ``RoomSnapshot``, and ``heard``: should this be how
it stood at the end, what came after that may be missing. ``links`` are the connections that have the room,
each with since when, ``[[N, T], ..]``, or without where that does not matter, ``[N]``; ``spans`` are from
when to when those had it that are gone since a short while; ``holes`` are those whose gap records the
earlier run did not come to write. Times are seconds since the epoch.
``alive``: what arrived until then had been written; ``durable``: until then it was on the disk.
``boot`` tells whether the machine has been started anew since.

A disk may lose any part of what was not forced to it when the machine crashes, and keep what came later.
So batches have consecutive numbers and say how many lines they are; behind one that is not whole nothing
is believed, up to one with ``"all": true``, which says how every room stands. Half a line that a full disk
has left costs nothing: its batch comes again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from chatlog.record import from_json, to_line
from chatlog.timeline.intervals import ConnectionIntervals
from chatlog.timeline.timeline import RESTART
from chatlog.timeline.timelines import Key

#: From when to when.
Span = tuple[float, float]

#: The last second of the year 9999; nothing later can be written into a record.
_LAST = 253402300799.0
#: A reason is often in a server's words; so many characters of it are kept.
_REASON = 200


@dataclass(slots=True)
class RoomSnapshot:
    """How the timeline of a room ended: recorded, or missing because of ``reason``, since ``since``. ``lost``
    are the seconds of the period's closed gaps, ``first`` is when it was recorded for the first time, if that
    was in the period. ``links`` are the numbers of the connections that had it, and since when;
    ``spans`` tell of those that were gone since a short while. ``heard``: until then it certainly was
    recorded; None where that was so until the end. ``gaps``: when, before that, it was not."""

    since: float
    recorded: bool
    reason: str = ""
    lost: float = 0.0
    first: float | None = None
    links: tuple[tuple[int, float], ...] = ()
    spans: tuple[Span, ...] = ()
    heard: float | None = None
    gaps: tuple[Span, ...] = ()

    def missing_since(self, end: float | None) -> tuple[float, str]:
        """Since when the room is missing for a process that comes after ``end``, and why."""
        if not self.recorded:
            return self.since, self.reason
        if self.heard is not None:
            # Whether the connection was still alive after that, nobody can know.
            end = min(end or 0.0, self.heard)
        return max(self.since, end or 0.0), RESTART


@dataclass(slots=True)
class EarlierRun:
    """What an earlier run has left behind. ``end``: what came later than that was not recorded or did
    not outlive it; None if it never got to write anything. ``durable``: until then it was on the disk.
    ``batch`` is the number of its last batch."""

    end: float | None = None
    batch: int = 0
    durable: float | None = None
    since: float | None = None
    rooms: dict[Key, RoomSnapshot] = field(default_factory=dict)


def room_line(key: Key, snapshot: RoomSnapshot | None) -> bytes:
    """The line that says how the room stands; None: it is no longer wanted."""
    entry: dict[str, Any] = {"platform": key[0], "room": key[1]}
    if snapshot is not None:
        entry["recorded" if snapshot.recorded else "missing"] = round(snapshot.since, 3)
        if not snapshot.recorded:
            entry["reason"] = snapshot.reason[:_REASON]
        if snapshot.lost:
            entry["lost"] = round(snapshot.lost, 3)
        if snapshot.first is not None:
            entry["begun"] = round(snapshot.first, 3)
        if snapshot.links:
            entry["links"] = [(n, round(since, 3)) if since else n for n, since in snapshot.links]
        for name, spans in (("spans", snapshot.spans), ("holes", snapshot.gaps)):
            if spans:
                entry[name] = [(round(start, 3), round(end, 3)) for start, end in spans]
        if snapshot.heard is not None:
            entry["heard"] = round(snapshot.heard, 3)
    return to_line(entry)


def link_line(platform: str, number: int, heard: float | None) -> bytes:
    """The line of a connection that has been quiet since ``heard``, or, with None, no longer is."""
    quiet = {} if heard is None else {"heard": round(heard, 3)}
    return to_line({"platform": platform, "link": number, **quiet})


def head_line(boot: str, since: float) -> bytes:
    """The line that begins a period."""
    return to_line({"boot": boot, "since": round(since, 3)})


def batch(
    number: int, lines: Sequence[bytes], alive: float, durable: float, all_rooms: bool = False
) -> bytes:
    """The lines of a flush, and its own; ``all_rooms``: they say how every room stands."""
    last = b'{"alive":%.3f,"durable":%.3f,"batch":%d' % (alive, durable, number)
    if lines:
        last += b',"lines":%d' % len(lines)
    return b"".join([*lines, last, b',"all":true}\n' if all_rooms else b"}\n"])


def replay(data: bytes, boot: str) -> EarlierRun:
    """What the journal of an earlier run says to a process of the machine's start ``boot``; ``""`` is
    like no other start."""
    earlier = EarlierRun()
    alive = durable = None
    last_boot = ""
    batches = list(_believed(data))
    entries = [entry for lines in batches for entry in lines]
    for entry in entries:
        if "alive" in entry:
            alive, durable = _time(entry, "alive"), _time(entry, "durable")
            number = entry.get("batch")
            earlier.batch = number if isinstance(number, int) else 0
        elif "since" in entry:
            last_boot = str(entry.get("boot"))
    earlier.end = alive if boot and boot == last_boot else durable
    earlier.durable = durable
    quiet: dict[tuple[str, str], float | None] = {}
    for lines in batches:
        if lines and lines[-1].get("all"):
            # It says which connections are quiet, too: one of an earlier run may have had the same number.
            quiet.clear()
        _replay(earlier, lines, quiet)
    for (platform, _), snapshot in earlier.rooms.items():
        if earlier.end is not None:
            heard = {number: quiet.get((platform, str(number))) for number, _ in snapshot.links}
            _doubt(snapshot, heard, earlier.end)
        snapshot.links = snapshot.spans = ()
    return earlier


def _replay(
    earlier: EarlierRun, lines: list[dict[str, Any]], quiet: dict[tuple[str, str], float | None]
) -> None:
    for entry in lines:
        if "room" in entry:
            _apply(earlier, entry)
        elif "link" in entry:
            quiet[str(entry.get("platform")), str(entry["link"])] = _time(entry, "heard")
        elif "since" in entry:
            earlier.since = _time(entry, "since")
            for snapshot in earlier.rooms.values():
                snapshot.lost = 0.0
                if snapshot.first is not None and snapshot.first <= (earlier.since or 0.0):
                    snapshot.first = None


def _doubt(snapshot: RoomSnapshot, heard: dict[int, float | None], end: float) -> None:
    """Whether the connections that were quiet at the end were alive, nobody knows: what none of the others
    had since they were ``heard`` is a hole."""
    spans = ConnectionIntervals()
    for start, until in snapshot.spans:
        spans.ended(start, until)
    quiet, present = [], []
    for number, since in snapshot.links:
        last = heard[number]
        if last is None:
            present.append(since)
        else:
            spans.ended(since, max(last, since))
            quiet.append(max(last, since))
    missing = spans.uncovered(min(quiet, default=end), end, present)
    if missing and missing[-1][1] >= end:
        start, _ = missing.pop()
        snapshot.heard = min(start, snapshot.heard or start)
    snapshot.gaps += tuple(missing)


def _apply(earlier: EarlierRun, entry: dict[str, Any]) -> None:
    key = (str(entry.get("platform")), str(entry["room"]))
    recorded, missing = _time(entry, "recorded"), _time(entry, "missing")
    since = missing if recorded is None else recorded
    if since is None:
        earlier.rooms.pop(key, None)
        return
    if earlier.end is not None and since > earlier.end and key in earlier.rooms:
        # What it tells of happened when nothing was kept any more; perhaps not even the gap record.
        return
    reason = "" if recorded is not None else str(entry.get("reason", "restart"))
    lost, first = _time(entry, "lost") or 0.0, _time(entry, "begun")
    spans, gaps, heard = _spans(entry.get("spans")), _spans(entry.get("holes")), _time(entry, "heard")
    links = _links(entry.get("links"))
    earlier.rooms[key] = RoomSnapshot(
        since, recorded is not None, reason, lost, first, links, spans, heard, gaps
    )


def _believed(data: bytes) -> Iterator[list[dict[str, Any]]]:
    """The lines of each of the batches that are whole, and of one at the end that was not finished."""
    lines: list[dict[str, Any]] = []
    before: object = None
    broken = False
    for entry in _entries(data):
        lines.append(entry)
        if "alive" not in entry:
            continue
        number, count = entry.get("batch"), entry.get("lines", 0)
        # One that lacked only the end of its last line comes again.
        follows = not isinstance(before, int) or number in (before, before + 1)
        whole = isinstance(count, int) and len(lines) > count
        broken = not whole or (not entry.get("all") and (broken or not follows))
        if not broken:
            # What stands before them is of one that was cut off and came again.
            yield lines[-1 - count :]
        before = number
        lines = []
    if not broken:
        yield lines


def _entries(data: bytes) -> Iterator[dict[str, Any]]:
    for line in data.split(b"\n"):
        try:
            entry = from_json(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            yield entry


def _links(value: object) -> tuple[tuple[int, float], ...]:
    links = value if isinstance(value, list) else []
    pairs = _spans([link if isinstance(link, list) else [link, 0] for link in links])
    return tuple((int(number), since) for number, since in pairs)


def _spans(value: object) -> tuple[Span, ...]:
    pairs = value if isinstance(value, list) else []
    whole = (pair for pair in pairs if isinstance(pair, list) and len(pair) == 2 and all(map(_is_time, pair)))
    return tuple((float(first), float(second)) for first, second in whole)


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and 0 <= value <= _LAST


def _time(entry: dict[str, Any], name: str) -> float | None:
    value: Any = entry.get(name)
    return float(value) if _is_time(value) else None
