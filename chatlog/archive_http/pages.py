"""Pages of records, from any place in both directions.

A place is a time, and how many records of the same millisecond are before it: ``2025-12-29T10:30:45.123Z~2``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from chatlog.archive import lines
from chatlog.archive.ordering import Found
from chatlog.archive.question import Question
from chatlog.archive.reader import Answer
from chatlog.archive_http.asked import Refused, Work

_PLACE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)~(\d{1,6})\Z", re.ASCII)


class Place(NamedTuple):
    """A place between two records: behind the first ``skip`` records of ``time``."""

    time: bytes
    skip: int

    def __str__(self) -> str:
        return f"{self.time.decode('ascii')}~{self.skip}"

    @property
    def seconds(self) -> float:
        """The place's time, since the epoch."""
        return lines.seconds(self.time)


def parsed_place(text: str) -> Place:
    """The place in a cursor. Raises Refused."""
    match = _PLACE.match(text)
    try:
        if match is None:
            raise ValueError
        place = Place(match[1].encode("ascii"), int(match[2]))
        lines.seconds(place.time)
    except ValueError:
        raise Refused(400, "bad_cursor", "this is no cursor: take older or newer of an answer") from None
    return place


@dataclass(slots=True)
class Page:
    """``records`` oldest first, the places before the first and behind the last one, and the answer's report.
    A place is None if there are no records beyond it."""

    records: list[Found]
    older: Place | None
    newer: Place | None
    answer: Answer


def page(work: Work, question: Question, place: Place | None, limit: int) -> Page:
    """The given number of records, in the question's direction, from a place or from the end of the range."""
    return (_backwards if question.newest else _forwards)(work, question, place, limit)


def _forwards(work: Work, question: Question, place: Place | None, limit: int) -> Page:
    skip = 0
    if place is not None:
        skip = place.skip
        question = replace(question, since=max(question.since, place.seconds))
    answer = work.ask(question)
    records: list[Found] = []
    behind = place or Place(lines.time_bytes(question.since), 0)
    more = False
    for found in _closing(answer, work):
        if place is not None and found.time == place.time and skip:
            skip -= 1
            continue
        if len(records) == limit:
            more = True
            break
        behind = Place(found.time, behind.skip + 1 if behind.time == found.time else 1)
        records.append(found)
    before = place or Place(records[0].time, 0) if records else place
    # There is a place also at the end: later messages will come behind it.
    return Page(records, before, behind if more or records or place else None, answer)


def _backwards(work: Work, question: Question, place: Place | None, limit: int) -> Page:
    if place is not None:
        question = replace(question, until=min(question.until, place.seconds + 0.001))
    answer = work.ask(question)
    stream = _closing(answer, work)
    taken: list[Found] = []
    rest: Found | None = None
    if place is not None:
        ties: list[Found] = []
        for found in stream:
            if found.time != place.time:
                rest = found
                break
            ties.append(found)
        taken = ties[max(0, len(ties) - place.skip) :]
    if rest is not None:
        taken.append(rest)
    for found in stream:
        taken.append(found)
        # All records of one millisecond together, to know how many of them are before the page.
        if len(taken) > limit and found.time != taken[limit - 1].time:
            break
    stream.close()  # type: ignore[attr-defined]
    records = taken[:limit][::-1]
    before = None
    if len(taken) > limit and records:
        ties_before = sum(found.time == records[0].time for found in taken[limit:])
        before = Place(records[0].time, ties_before)
    behind = place
    if behind is None and records:
        last = records[-1].time
        behind = Place(last, sum(found.time == last for found in taken))
    return Page(records, before, behind, answer)


def _closing(answer: Answer, work: Work) -> Iterator[Found]:
    try:
        yield from answer
    finally:
        work.done(answer)
