"""How much was said when: counts of a room's records by minute, with what is missing.

That is what a page needs to show any place of a day with hundreds of thousands of records: it knows how many
lie before the place, and fetches only those that are seen.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any

import orjson

from chatlog.archive import lines
from chatlog.archive.gaps import Report
from chatlog.archive.matching import Filter
from chatlog.archive.opened import Archive
from chatlog.archive.parts import Part, Room
from chatlog.archive.reader import Question
from chatlog.archive_http.asked import Asked, Refused
from chatlog.archive_http.filters import asked_filter
from chatlog.archive_http.ranges import Range, asked_range
from chatlog.archive_http.rooms import Rooms
from chatlog.archive_http.shapes import gap_facts, time_text, unread_facts
from chatlog.archive_http.states import state_of
from chatlog.http.answers import Answer

DAY = 86400.0
#: Steps of one answer at most.
STEPS = 3000
#: Records of a step from which on it is told by second as well.
BUSY = 300
#: Answers that are kept, of times that are over.
KEPT = 64
#: Seconds after a time until what was recorded in it is at rest.
SETTLED = 2 * DAY
#: Gaps that are named.
_MOST_GAPS = 1000


class Timelines:
    """``now()`` is the time of day; so many bytes are read for one answer. May be used by several threads."""

    def __init__(self, archive: Archive, rooms: Rooms, now: Callable[[], float], most_bytes: int) -> None:
        self._archive = archive
        self._rooms = rooms
        self._now = now
        self._most = most_bytes
        self._lock = Lock()
        self._kept: OrderedDict[tuple[Any, ...], bytes] = OrderedDict()

    def answer(self, asked: Asked, platform: str, name: str) -> Answer:
        """GET the timeline of a room; of the last 24 hours unless a time is asked for."""
        room = self._rooms.named(platform, name)
        now = self._now()
        span = asked_range(asked.query, now) or Range(now - DAY, now)
        step = asked.number("step", 60, 1, 86400) or 60
        if span.seconds > STEPS * step:
            text = f"that is more than {STEPS} steps: ask for a shorter time, or for a larger step"
            raise Refused(400, "bad_query", text)
        wanted = asked_filter(asked)
        key = self._key(room, span, step, wanted)
        with self._lock:
            known = self._kept.get(key) if key else None
        if known is None:
            facts, whole = self._made(asked, room, span, step, wanted)
            known = orjson.dumps(facts) + b"\n"
            if key and whole:
                with self._lock:
                    self._kept[key] = known
                    while len(self._kept) > KEPT:
                        self._kept.popitem(last=False)
        return Answer(200, known, "application/json")

    def _key(self, room: Room, span: Range, step: int, wanted: Filter) -> tuple[Any, ...]:
        """What names an answer that stays the same; empty for one that may change."""
        if span.until > self._now() - SETTLED:
            return ()
        parts = self._archive.parts.of_room(room, *span)
        if any(part.area for part in parts):
            return ()
        return room, span, step, wanted, tuple(map(_key_of, parts))

    def _made(
        self, asked: Asked, room: Room, span: Range, step: int, wanted: Filter
    ) -> tuple[dict[str, Any], bool]:
        answer = asked.work.ask(Question(room, *span, wanted, most_bytes=self._most))
        # By second, of which a day has few enough.
        seconds = Counter(found.time[:19] for found in answer)
        asked.work.done(answer)
        report = answer.report
        days = self._rooms.days(room)
        facts = {
            "platform": room[0],
            "name": room[1],
            "from": time_text(span.since),
            "to": time_text(span.until),
            "step": step,
            **_counted(seconds, span, step),
            "state": state_of(report, span, self._now(), days, bool(seconds)),
            "days": {"first": days[0] if days else None, "last": days[-1] if days else None},
            "gaps": [gap_facts(gap) for gap in report.gaps[:_MOST_GAPS]],
            "unread": unread_facts(report.unread),
            "partial": time_text(report.reached),
        }
        return facts, _is_whole(report)


def _is_whole(report: Report) -> bool:
    return not (report.stopped or report.unread)


def _key_of(part: Part) -> str:
    return part.name.key(suffix=part.suffix)


def _counted(seconds: Counter[bytes], span: Range, step: int) -> dict[str, Any]:
    """``counts`` of each step, and of busy ones those of each second in ``seconds``."""
    counts = [0] * -int(-span.seconds // step)
    fine: dict[int, dict[int, int]] = {}
    for time, count in seconds.items():
        at = int(lines.seconds(time) - span.since)
        index = min(max(at, 0) // step, len(counts) - 1)
        counts[index] += count
        fine.setdefault(index, {})[at - index * step] = count
    return {
        "total": sum(counts),
        "counts": counts,
        "seconds": {
            str(index): [by_second.get(second, 0) for second in range(step)]
            for index, by_second in fine.items()
            if counts[index] > BUSY and step <= 60
        },
    }
