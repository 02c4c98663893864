"""The file of the state in which the coverage of rooms outlives the process: one entry for every flush.

    {"alive": T, "durable": T, "boot": B, "since": T, "rooms": [..], "links": [..], "all": true}

``alive``: what arrived until then had been written; ``durable``: until then it was on the disk. ``since``
says when the period began, at the top and whenever another begins; ``boot`` tells whether the machine has
been started anew since then. ``rooms`` and ``links`` are what has changed, or, with ``all``, all there is:

    {"platform": P, "room": R, "recorded": T, "links": [..]}    acknowledged since T, on connections (below)
    {"platform": P, "room": R, "missing": T, "reason": W}       not recorded since T, because of W
    {"platform": P, "room": R}                                  no longer wanted
    {"platform": P, "link": N, "heard": T}                      a connection that has been quiet since T
    {"platform": P, "link": N}                                  it is quiet no more

A room may also have ``lost`` and ``begun``, see ``RoomSnapshot``, and ``heard``: should this be how it stood
at the end, what came after that may be missing. ``links`` are the connections that have the room, each with
since when, ``[[N, T], ..]``, or without where that does not matter, ``[N]``; ``spans`` are from when to when
those had it that are gone since a short while; ``holes`` are those whose gap records the earlier run did not
come to write. Times are seconds since the epoch.

Entries build on those before. So behind one that is missing nothing is believed, up to one with ``all``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

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
    not outlive it; None if it never got to write anything. ``durable``: until then it was on the disk."""

    end: float | None = None
    durable: float | None = None
    since: float | None = None
    rooms: dict[Key, RoomSnapshot] = field(default_factory=dict)


def room_entry(key: Key, snapshot: RoomSnapshot | None) -> dict[str, Any]:
    """How the room stands; None: it is no longer wanted."""
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
    return entry


def link_entry(platform: str, number: int, heard: float | None) -> dict[str, Any]:
    """A connection that has been quiet since ``heard``, or, with None, no longer is."""
    quiet = {} if heard is None else {"heard": round(heard, 3)}
    return {"platform": platform, "link": number, **quiet}


def head(boot: str, since: float) -> dict[str, Any]:
    """What begins a period."""
    return {"boot": boot, "since": round(since, 3)}


def flush_entry(
    alive: float, durable: float, rooms: list[Any], links: list[Any], **more: object
) -> dict[str, Any]:
    """The entry of a flush. ``more`` is a head, or ``all=True``: it says how every room stands."""
    changed = {name: entries for name, entries in (("rooms", rooms), ("links", links)) if entries}
    return {"alive": round(alive, 3), "durable": round(durable, 3), **more, **changed}


def replay(entries: Iterable[tuple[int, Any]], boot: str) -> EarlierRun:
    """What the numbered entries of an earlier run say to a process of the machine's start ``boot``; ``""`` is
    like no other start."""
    earlier = EarlierRun()
    alive = durable = None
    last_boot = ""
    flushes = list(_believed(entries))
    for flush in flushes:
        if "alive" in flush:
            alive, durable = _time(flush, "alive"), _time(flush, "durable")
        if "since" in flush:
            last_boot = str(flush.get("boot"))
    earlier.end = alive if boot and boot == last_boot else durable
    earlier.durable = durable
    quiet: dict[tuple[str, str], float | None] = {}
    for flush in flushes:
        if flush.get("all"):
            # It says which connections are quiet, too: one of an earlier run may have had the same number.
            quiet.clear()
        _replay(earlier, flush, quiet)
    for (platform, _), snapshot in earlier.rooms.items():
        if earlier.end is not None:
            heard = {number: quiet.get((platform, str(number))) for number, _ in snapshot.links}
            _doubt(snapshot, heard, earlier.end)
        snapshot.links = snapshot.spans = ()
    return earlier


def _replay(earlier: EarlierRun, flush: dict[str, Any], quiet: dict[tuple[str, str], float | None]) -> None:
    if "since" in flush:
        earlier.since = _time(flush, "since")
        for snapshot in earlier.rooms.values():
            snapshot.lost = 0.0
            if snapshot.first is not None and snapshot.first <= (earlier.since or 0.0):
                snapshot.first = None
    for entry in _objects(flush, "rooms"):
        _apply(earlier, entry)
    for entry in _objects(flush, "links"):
        quiet[str(entry.get("platform")), str(entry.get("link"))] = _time(entry, "heard")


def _objects(flush: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    found = flush.get(name)
    return (entry for entry in (found if isinstance(found, list) else ()) if isinstance(entry, dict))


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
    key = (str(entry.get("platform")), str(entry.get("room")))
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


def _believed(entries: Iterable[tuple[int, Any]]) -> Iterator[dict[str, Any]]:
    before, broken = 0, False
    for number, entry in entries:
        if isinstance(entry, dict):
            # One that lacked only the end of its line comes again.
            follows = number in (before, before + 1)
            broken = not entry.get("all") and (broken or not follows)
            before = number
            if not broken:
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
