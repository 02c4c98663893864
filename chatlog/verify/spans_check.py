"""Checks the manifests of recorders that share their rooms together: a room has a hole where none of them
recorded it.

A hole is explained if a recorder states that it had the room then, and that the room was missing: then there
is a gap record. Only the manifests of clusters are checked; a recorder that works alone states by itself what
it missed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from chatlog.uploader.manifest_rows import LOST, HeadRow, RoomRow
from chatlog.verify.findings import Problem

#: Seconds by which the times of recorders may differ.
SLACK = 3.0
#: The most rooms, and stretches of one, that are remembered.
_MOST_ROOMS, _MOST = 200_000, 1000

Span = tuple[float, float]


@dataclass(slots=True)
class _Room:
    """A room: when it was recorded, and when a recorder states that it was missing (``stated``), both in
    order and apart; and when it was taken off the list."""

    spans: list[Span] = field(default_factory=list)
    stated: list[Span] = field(default_factory=list)
    removed: list[float] = field(default_factory=list)


@dataclass(slots=True)
class _Recorder:
    """The end of an instance's last period, its manifest, and whether the instance ended on purpose."""

    until: float
    manifest: str
    closed: bool


class SpansCheck:
    """The manifests of clusters, which may be added in any order. ``now`` is the time of day."""

    def __init__(self, now: float) -> None:
        self._now = now
        self._rooms: dict[tuple[str, str, str], _Room] = {}
        self._recorders: dict[tuple[str, str], _Recorder] = {}
        # Since when instances have objects that are in no manifest yet.
        self._unnamed: dict[str, float] = {}

    def period(self, head: HeadRow, manifest: str) -> None:
        """Add the period of a manifest."""
        if not head.cluster:
            return
        known = self._recorders.get((head.cluster, head.instance))
        if known is None or head.until > known.until:
            self._recorders[head.cluster, head.instance] = _Recorder(head.until, manifest, head.closed)

    def room(self, head: HeadRow, row: RoomRow) -> None:
        """Add a row of a room."""
        if not head.cluster:
            return
        key = head.cluster, row.platform, row.channel
        room = self._rooms.get(key)
        if room is None:
            if len(self._rooms) >= _MOST_ROOMS:
                return
            room = self._rooms[key] = _Room()
        whole = ((0.0, head.until - head.since),) if row.spans is None else row.spans
        for known, some in ((room.spans, whole), (room.stated, row.gaps)):
            for start, end in some:
                _add(known, (head.since + start, head.since + end))
        if row.reason == "removed":
            room.removed.append(head.since + max((end for _, end in (*whole, *row.gaps)), default=0.0))

    def unnamed(self, instance: str, since: float | None) -> None:
        """An object of the instance that was begun then is in no manifest yet. Call this before the methods
        that follow."""
        if since is not None:
            instance = instance or "main"
            self._unnamed[instance] = min(since, self._unnamed.get(instance, since))

    def lost(self) -> Iterator[tuple[str, str, _Recorder]]:
        """The recorders that did not hand over, and have written no manifest for LOST seconds, while others
        have."""
        latest: dict[str, float] = {}
        for (cluster, _), each in self._recorders.items():
            latest[cluster] = max(latest.get(cluster, 0.0), each.until)
        for (cluster, instance), each in sorted(self._recorders.items()):
            if not each.closed and latest[cluster] - each.until > LOST:
                yield cluster, instance, each

    def problems(self) -> Iterator[Problem]:
        """The problems, once all manifests were read."""
        tails: dict[str, list[float]] = {}
        for cluster, instance, each in self.lost():
            tails.setdefault(cluster, []).append(each.until)
            yield Problem(
                "lost-instance",
                each.manifest,
                0,
                f"this is the last manifest of {instance}, which did not hand over: what it recorded later "
                "and had not stored is on its disk alone",
            )
        for (cluster, platform, channel), room in sorted(self._rooms.items()):
            known = self._known_until(cluster)
            if max(len(room.spans), len(room.stated)) >= _MOST:
                words = f"it was lost and found again {_MOST} times or more: too often to look at all holes"
                yield Problem("unexplained-hole", f"{platform}/{channel}", 0, words)
                continue
            for start, end in _holes(room, known, tails.get(cluster, [])):
                yield Problem(
                    "unexplained-hole",
                    f"{platform}/{channel}",
                    0,
                    f"nobody recorded it for {end - start:.1f} s from {_time(start)}, and nobody says why",
                )

    def united(self) -> Iterator[tuple[str, int, float]]:
        """For each cluster its name, the number of its rooms, and the sum of the seconds in which no recorder
        recorded one of them, explained or not."""
        for cluster in sorted({name for name, _, _ in self._rooms}):
            known = self._known_until(cluster)
            rooms = [room for key, room in self._rooms.items() if key[0] == cluster]
            holes = (hole for room in rooms for hole in _between(room) if hole[0] < known)
            yield cluster, len(rooms), sum(end - start for start, end, _ in holes)

    def _known_until(self, cluster: str) -> float:
        """Until when all recorders that may be at work have written manifests. A recorder that has handed
        everything over, as for an upgrade, may be back; then it writes its next manifest when an hour has
        passed, as a new recorder does."""
        found = {instance: each for (name, instance), each in self._recorders.items() if name == cluster}
        latest = max(each.until for each in found.values())
        at = self._now if all(each.closed for each in found.values()) else latest
        at_work = [each.until for each in found.values() if at - each.until <= LOST]
        unnamed = [
            found[instance].until if instance in found else since for instance, since in self._unnamed.items()
        ]
        return min([*at_work, *unnamed], default=latest)


def _add(spans: list[Span], new: Span) -> None:
    """Add a span to those that are in order and apart."""
    start, end = new
    at = bisect_left(spans, (start - SLACK,))
    if at and spans[at - 1][1] >= start - SLACK:
        at -= 1
    last = at
    while last < len(spans) and spans[last][0] <= end + SLACK:
        start, end = min(start, spans[last][0]), max(end, spans[last][1])
        last += 1
    if last > at or len(spans) < _MOST:
        spans[at:last] = [(start, end)]


def _between(room: _Room) -> Iterator[tuple[float, float, bool]]:
    """The times in which no recorder recorded a room that was on the list, and whether a recorder states
    it."""
    for (_, start), (end, _) in zip(room.spans, room.spans[1:], strict=False):
        for stated_from, stated_until in room.stated:
            if stated_until <= start or stated_from >= end:
                continue
            if stated_from > start:
                yield from _unless_removed(room, start, stated_from)
            yield max(start, stated_from), min(end, stated_until), True
            start = stated_until
        if start < end:
            yield from _unless_removed(room, start, end)


def _unless_removed(room: _Room, start: float, end: float) -> Iterator[tuple[float, float, bool]]:
    if not any(abs(start - at) <= SLACK for at in room.removed):
        yield start, end, False


def _holes(room: _Room, known: float, tails: list[float]) -> Iterator[Span]:
    """The times in which no recorder recorded a room, and none states it."""
    for start, end, is_stated in _between(room):
        if is_stated or end - start <= SLACK or start >= known:
            continue
        if any(until - SLACK <= start <= until + LOST or start <= until < end for until in tails):
            # The manifest that would state it is lost with its recorder, which is reported already.
            continue
        yield start, end


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
