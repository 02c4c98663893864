"""Counts of a room's records by minute, with the gaps.

With these counts a page can show any place of a day with hundreds of thousands of records: it knows how many
are before the place, and fetches only those in view.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from chatlog.archive import lines
from chatlog.archive.copies import is_imported
from chatlog.archive.gaps import Gap, Report, Span, clipped, common_gaps
from chatlog.archive.index_coverage import begun as begun_in
from chatlog.archive.matching import Filter
from chatlog.archive.opening import Archive
from chatlog.archive.recordings import NO_LONGER
from chatlog.archive.room_files import Room
from chatlog.archive.tallies import Tallies
from chatlog.archive_http.asked import Asked, Refused
from chatlog.archive_http.filters import asked_filter
from chatlog.archive_http.opted_out import everybody_opted_out
from chatlog.archive_http.ranges import Range, open_range
from chatlog.archive_http.rooms import Rooms
from chatlog.archive_http.shapes import gap_facts, time_text, unread_facts
from chatlog.archive_http.states import state_of
from chatlog.http.answers import Answer, json_answer

K = TypeVar("K")

DAY = 86400.0
#: The most steps of one answer.
STEPS = 3000
#: A step with so many records is counted by second as well.
BUSY = 300
#: The most gaps that are named.
_MOST_GAPS = 1000


class Timelines:
    """``now()`` is the time of day; ``most_bytes`` is the limit for one answer. May be used by several
    threads."""

    def __init__(
        self, archive: Archive, rooms: Rooms, tallies: Tallies, now: Callable[[], float], most_bytes: int
    ) -> None:
        self._parts = archive.parts
        self._rooms = rooms
        self._tallies = tallies
        self._now = now
        self._most = most_bytes

    def answer(self, asked: Asked, platform: str, name: str) -> Answer:
        """GET the timeline of a room, by default of the last 24 hours."""
        room = self._rooms.named(platform, name)
        now = self._now()
        span = open_range(asked.query, Range(now - DAY, now))
        step = asked.number("step", 60, 1, 86400) or 60
        if span.seconds > STEPS * step:
            text = f"that is more than {STEPS} steps: ask for a shorter time, or for a larger step"
            raise Refused(400, "bad_query", text)
        wanted = asked_filter(asked)
        minutes, report = self._read(asked, room, span, wanted)
        opted_out = not minutes and everybody_opted_out(self._rooms.hidden, [room], wanted.users)
        days = self._rooms.days(room)
        recordings = self._rooms.recordings
        begun = recordings.begun_after(room, span.since)
        gaps = recordings.gaps(room, *span, report.gaps)
        is_known = partial(recordings.is_known, room)
        state = state_of(report, gaps, span, now, begun, is_known, self._rooms.is_expired(room))
        has_ended = bool(gaps) and gaps[-1].reason == NO_LONGER
        facts = {
            "platform": room[0],
            "name": room[1],
            "from": time_text(span.since),
            "to": time_text(span.until),
            "step": step,
            **_counted(minutes, span, step),
            "state": "opted_out" if opted_out else state,
            "kept": self._rooms.kept(room),
            "days": {"first": days[0] if days else None, "last": days[-1] if days else None},
            "ended": time_text(recordings.end_of(room)) if has_ended else None,
            "gaps": [gap_facts(gap) for gap in gaps[:_MOST_GAPS]],
            "unread": unread_facts(report.unread),
            "partial": time_text(report.reached),
        }
        return json_answer(200, facts)

    def _read(
        self, asked: Asked, room: Room, span: Range, wanted: Filter
    ) -> tuple[dict[float, list[int]], Report]:
        """The records of each second. Of several recorders, the one with most records of a minute counts.
        Imported records are added: no recorder has them."""
        report = Report()
        by_recorder = self._parts.by_recorder(room, *span)
        counts: list[dict[bytes, list[int]]] = []
        imported: dict[bytes, list[int]] = {}
        gaps: dict[str, list[Gap]] = {}
        files: dict[str, list[Span]] = {}
        for instance, parts in (by_recorder or {"": []}).items():
            counts.append(imported if is_imported(instance) else {})
            beyond = self._tallies.beyond(room, span.until, instance, parts, asked.work.reading)
            gaps[instance] = list(beyond.gaps)
            files[instance] = [] if beyond.file is None else [beyond.file]
            report.unread += [beyond.unread] if beyond.unread is not None else []
            for part in parts:
                if asked.work.bytes > self._most:
                    report.stopped = "the limit of what is read for one request was reached"
                    report.reached = min(report.reached or span.until, begun_in(part.minute))
                    break
                tally = self._tallies.of(part, wanted, asked.work.reading)
                report.unread += [tally.unread] if tally.unread is not None else []
                gaps[instance] += tally.gaps
                files[instance] += [] if tally.file is None else [tally.file]
                _add(counts[-1], tally.minutes)
        report.gaps = clipped(common_gaps(gaps, files), *span)
        found = _within([each for each in counts if each is not imported], span)
        _add(found, _within([imported], span))
        return found, report


def _add(counts: dict[K, list[int]], more: Mapping[K, Sequence[int]]) -> None:
    for minute, by_second in more.items():
        before = counts.get(minute)
        counts[minute] = (
            [a + b for a, b in zip(before, by_second, strict=True)] if before else list(by_second)
        )


def _within(counts: list[dict[bytes, list[int]]], span: Range) -> dict[float, list[int]]:
    """The records of each second in a time, by minute."""
    found = {}
    for minute in {minute for each in counts for minute in each}:
        at = lines.seconds(minute)
        if at + 60.0 <= span.since or at >= span.until:
            continue
        by_second = max((each[minute] for each in counts if minute in each), key=sum)
        if at < span.since or at + 60.0 > span.until:
            inside = range(math.floor(span.since - at), math.ceil(span.until - at))
            by_second = [count if second in inside else 0 for second, count in enumerate(by_second)]
        if any(by_second):
            found[at] = by_second
    return found


def _counted(minutes: dict[float, list[int]], span: Range, step: int) -> dict[str, Any]:
    """``counts``: the records of each step. ``seconds``: for busy steps, those of each second."""
    counts = [0] * -int(-span.seconds // step)
    fine: dict[str, list[int]] = {}
    for at, by_second in minutes.items():
        first = int(at - span.since)
        if first % step == 0 and step == 60:
            counts[first // 60] += sum(by_second)
            if counts[first // 60] > BUSY:
                fine[str(first // 60)] = by_second
            continue
        for second, count in enumerate(by_second):
            if count:
                counts[min(max(first + second, 0) // step, len(counts) - 1)] += count
    return {"total": sum(counts), "counts": counts, "seconds": fine}
