"""The file of the state in which the coverage of rooms outlives the process: one entry for every flush.

    {"alive": T, "durable": T, "boot": B, "since": T, "late": {..}, "rooms": [..], "links": [..], "all": true}

``alive``: records that arrived until then had been written. ``durable``: those until then were on the disk.
``late``: by platform, how many seconds late the latest data arrived. ``since``: when the period began; it
stands in the first entry and in the first one of every period. ``boot`` identifies the start of the machine.
``rooms`` and ``links`` hold the changes, or, with ``all``, all of them:

    {"platform": P, "room": R, "recorded": T, "links": [..]}    acknowledged since T, on connections (below)
    {"platform": P, "room": R, "missing": T, "reason": W}       not recorded since T, because of W
    {"platform": P, "room": R, "removed": T}                    removed at T, no longer wanted
    {"platform": P, "link": N, "heard": T}                      a connection that has been idle since T
    {"platform": P, "link": N}                                  it is idle no more

A room may also have ``lost``, ``begun`` and ``heard``, see ``RoomSnapshot``. ``links`` are the connections
that have the room: ``[[N, T], ..]`` with since when, or ``[N]`` if that does not matter. ``spans`` are the
intervals of connections that were lost a short while ago. ``holes`` are gaps without a gap record, which the
earlier run could not write. ``closed`` are the gaps that ``lost`` counts, if the manifest's rows say when
they were: ``[from, to, seconds]``. ``past`` is the row of the present period for the time before the room was
removed; the room may be back. Times are seconds since the epoch.

Each entry builds on those before it. So the entries behind a missing one are ignored, up to one with ``all``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chatlog.journal.evidence import NONE, ConnectionKey, Evidence
from chatlog.rooms.arrivals import BEHIND
from chatlog.timeline.intervals import Span
from chatlog.timeline.timeline import RESTART, RoomTimeline
from chatlog.timeline.timelines import CoverageTotals, Key, Past

#: The last second of the year 9999; nothing later can be written into a record.
_LAST = 253402300799.0
#: Characters of a reason that are kept; it is often in a server's words.
_REASON = 200
#: Wall clock and monotonic clock may drift apart by so many seconds between two flushes.
DRIFT = 2.0


#: From when to when a room lost so many seconds.
Lost = tuple[float, float, float]


@dataclass(slots=True)
class RoomSnapshot:
    """How the timeline of a room ended: since ``since`` the room was recorded, or missing because of
    ``reason``. ``lost``: the seconds of the period's closed gaps. ``first``: when the room was recorded for
    the first time, if that was in the period. ``heard``: until when it was certainly recorded; None means
    until the end. ``gaps``: earlier gaps without a gap record. ``closed``: those that ``lost`` counts, each
    with its seconds, if the manifest's rows list them."""

    since: float
    recorded: bool
    reason: str = ""
    lost: float = 0.0
    first: float | None = None
    evidence: Evidence = NONE
    heard: float | None = None
    gaps: tuple[Span, ...] = ()
    closed: tuple[Lost, ...] = ()

    def missing_since(self, end: float | None) -> tuple[float, str]:
        """Since when the room is missing, and why, if the process ended at ``end``."""
        if not self.recorded:
            return self.since, self.reason
        if self.heard is not None:
            # The connection may have been dead after that.
            end = min(end or 0.0, self.heard)
        return max(self.since, end or 0.0), RESTART

    def resume(self, timeline: RoomTimeline, end: float | None, period: float, now: float) -> None:
        """Continue the timeline of the room, which is missing at least since the process ended at ``end``.
        ``period``: when the present one began; ``now``: the present time."""
        since, reason = self.missing_since(end)
        if since > now + DRIFT:
            # The room is missing since a time in the future: the clock is wrong, or was.
            reason = "clock"
        timeline.resume(since, reason, self.first)
        lost = (max(period, self.first or period), min(since, now), self.lost)
        for stretch in self.closed or (lost,):
            timeline.lost_earlier(*stretch)

    def judge(self, heard: Mapping[int, float | None], end: float) -> None:
        """Count the times until ``end`` as missing in which only idle connections had the room, see
        ``Evidence``."""
        missing = self.evidence.doubtful(heard, end)
        if missing and missing[-1][1] >= end:
            start, _ = missing.pop()
            self.heard = min(start, self.heard or start)
        self.gaps += tuple(missing)
        self.evidence = NONE


@dataclass(slots=True)
class EarlierRun:
    """The state of an earlier run. ``end``: later events were not recorded, or did not outlive the run; None
    if the run never wrote anything. ``durable``: until when everything was on the disk. ``since``: when its
    last period began. ``removed``: the rooms that it removed in that period; some may have come back.
    ``late``: by how many seconds the latest data of each platform was late."""

    end: float | None = None
    durable: float | None = None
    since: float | None = None
    rooms: dict[Key, RoomSnapshot] = field(default_factory=dict)
    removed: dict[Key, Past] = field(default_factory=dict)
    late: dict[str, float] = field(default_factory=dict)

    def heard_until(self, platform: str) -> float | None:
        """Until when everything that the platform sent was recorded; nothing later was."""
        return None if self.end is None else self.end - self.late.get(platform, 0.0)


# -- writing ---------------------------------------------------------------------------------------


def flush_entry(
    alive: float,
    durable: float,
    rooms: Iterable[tuple[Key, RoomSnapshot | None]],
    idle: Mapping[ConnectionKey, float | None],
    removed: Mapping[Key, Past] = {},
    late: Mapping[str, float] = {},
    **more: object,
) -> dict[str, Any]:
    """The entry of a flush. ``rooms``: the snapshots of rooms, None for a room that is no longer wanted.
    ``removed``: the rooms that were removed within the period. ``late``: by how many seconds arrivals were.
    ``idle``: since when connections are idle, None for one that no longer is. ``more`` is a head, or
    ``all=True`` for an entry with every room."""
    changed: dict[str, Any] = {
        "late": {name: round(by, 3) for name, by in late.items()},
        "rooms": [_room_entry(key, snapshot, removed.get(key)) for key, snapshot in rooms],
        "links": [
            {"platform": platform, "link": number, **({} if heard is None else {"heard": round(heard, 3)})}
            for (platform, number), heard in idle.items()
        ],
    }
    entries = {name: entries for name, entries in changed.items() if entries}
    return {"alive": round(alive, 3), "durable": round(durable, 3), **more, **entries}


def head(boot: str, since: float) -> dict[str, Any]:
    """The part of an entry that begins a period."""
    return {"boot": boot, "since": round(since, 3)}


def _room_entry(key: Key, snapshot: RoomSnapshot | None, past: Past | None) -> dict[str, Any]:
    entry: dict[str, Any] = {"platform": key[0], "room": key[1]}
    if past is not None:
        entry["removed"], row = round(past.until, 3), past.totals
        entry["past"] = {"recorded": round(row.recorded, 3), "missing": round(row.missing, 3)}
        entry["past"]["reason"] = row.reason
        if row.spans is not None:
            entry["past"] |= {"spans": _rounded(row.spans), "gaps": _rounded(row.gaps)}
    if snapshot is None:
        return entry
    entry["recorded" if snapshot.recorded else "missing"] = round(snapshot.since, 3)
    if not snapshot.recorded:
        entry["reason"] = snapshot.reason[:_REASON]
    if snapshot.lost:
        entry["lost"] = round(snapshot.lost, 3)
    for name, time in (("begun", snapshot.first), ("heard", snapshot.heard)):
        if time is not None:
            entry[name] = round(time, 3)
    present, connections = snapshot.evidence
    if present:
        entry["links"] = [(number, round(since, 3)) if since else number for number, since in present]
    for name, spans in (("spans", connections), ("holes", snapshot.gaps), ("closed", snapshot.closed)):
        if spans:
            entry[name] = _rounded(spans)
    return entry


def _rounded(times: Iterable[tuple[float, ...]]) -> list[list[float]]:
    return [[round(time, 3) for time in some] for some in times]


# -- reading ---------------------------------------------------------------------------------------


def replay(entries: Iterable[tuple[int, Any]], boot: str) -> EarlierRun:
    """The state in the numbered entries of an earlier run. ``boot`` identifies the present start of the
    machine; ``""`` equals no other start."""
    earlier = EarlierRun()
    alive = None
    last_boot = ""
    flushes = list(_believed(entries))
    for flush in flushes:
        if "alive" in flush:
            alive, earlier.durable = _time(flush, "alive"), _time(flush, "durable")
            late = flush.get("late")
            found = late.items() if isinstance(late, dict) else ()
            earlier.late = {name: min(float(by), BEHIND) for name, by in found if _is_time(by)}
        if "since" in flush:
            last_boot = str(flush.get("boot"))
    earlier.end = alive if boot and boot == last_boot else earlier.durable
    idle: dict[tuple[str, str], float | None] = {}
    for flush in flushes:
        if flush.get("all"):
            # Such an entry lists the idle connections too. One of an earlier run may have had the same
            # number.
            idle.clear()
        _replay(earlier, flush, idle)
    for (platform, _), snapshot in earlier.rooms.items():
        if earlier.end is not None:
            present = snapshot.evidence.present
            heard = {number: idle.get((platform, str(number))) for number, _ in present}
            snapshot.judge(heard, earlier.end)
    return earlier


def _believed(entries: Iterable[tuple[int, Any]]) -> Iterator[dict[str, Any]]:
    before, broken = 0, False
    for number, entry in entries:
        if isinstance(entry, dict):
            # An entry that lacked only the end of its line is written again.
            follows = number in (before, before + 1)
            broken = not entry.get("all") and (broken or not follows)
            before = number
            if not broken:
                yield entry


def _replay(earlier: EarlierRun, flush: dict[str, Any], idle: dict[tuple[str, str], float | None]) -> None:
    if flush.get("all"):
        # Changes of the other rooms may be in entries that are missing.
        listed = {_key(entry) for entry in _objects(flush, "rooms")}
        for known in (earlier.rooms, earlier.removed):
            for key in known.keys() - listed:
                del known[key]
    if "since" in flush:
        earlier.since = _time(flush, "since")
        earlier.removed.clear()
        for snapshot in earlier.rooms.values():
            snapshot.lost, snapshot.closed = 0.0, ()
            if snapshot.first is not None and snapshot.first <= (earlier.since or 0.0):
                snapshot.first = None
    for entry in _objects(flush, "rooms"):
        _apply(earlier, entry)
    for entry in _objects(flush, "links"):
        idle[str(entry.get("platform")), str(entry.get("link"))] = _time(entry, "heard")


def _apply(earlier: EarlierRun, entry: dict[str, Any]) -> None:
    key, past = _key(entry), _past(entry)
    recorded, missing = _time(entry, "recorded"), _time(entry, "missing")
    since = missing if recorded is None else recorded
    at = since if since is not None else None if past is None else past.until
    if at is not None and earlier.end is not None and at > earlier.end and key in earlier.rooms:
        # This happened after the last moment that was kept; perhaps the gap record was lost too.
        return
    if past is not None:
        earlier.removed[key] = past
    if since is None:
        earlier.rooms.pop(key, None)
        return
    found = entry.get("links")
    links = found if isinstance(found, list) else []
    pairs = [[link, 0] if isinstance(link, int) else link for link in links]
    earlier.rooms[key] = RoomSnapshot(
        since,
        recorded is not None,
        "" if recorded is not None else str(entry.get("reason", RESTART)),
        _time(entry, "lost") or 0.0,
        _time(entry, "begun"),
        Evidence(tuple((int(number), at) for number, at in _spans(pairs)), _spans(entry.get("spans"))),
        _time(entry, "heard"),
        _spans(entry.get("holes")),
        tuple((start, end, lost) for start, end, lost in _times(entry.get("closed"), 3)),
    )


def _key(entry: dict[str, Any]) -> Key:
    return str(entry.get("platform")), str(entry.get("room"))


def _past(entry: dict[str, Any]) -> Past | None:
    until, row = _time(entry, "removed"), entry.get("past")
    if until is None or not isinstance(row, dict):
        return None
    recorded, missing = _time(row, "recorded") or 0.0, _time(row, "missing") or 0.0
    spans = _spans(row["spans"]) if "spans" in row else None
    reason = str(row.get("reason", ""))[:_REASON]
    gaps = _spans(row.get("gaps"))
    totals = CoverageTotals(*_key(entry), recorded, missing, reason, spans=spans, gaps=gaps)
    return Past(totals, until)


def _objects(flush: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    found = flush.get(name)
    return (entry for entry in (found if isinstance(found, list) else ()) if isinstance(entry, dict))


def _spans(value: object) -> tuple[Span, ...]:
    return tuple((first, second) for first, second in _times(value, 2))


def _times(value: object, count: int) -> Iterator[list[float]]:
    for some in value if isinstance(value, list) else []:
        if isinstance(some, list) and len(some) == count and all(map(_is_time, some)):
            yield [float(time) for time in some]


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and 0 <= value <= _LAST


def _time(entry: dict[str, Any], name: str) -> float | None:
    value: Any = entry.get(name)
    return float(value) if _is_time(value) else None
