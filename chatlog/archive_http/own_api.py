"""``/api/v1/archive``: rooms, messages, search and people, as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import orjson

from chatlog.archive import lines
from chatlog.archive.gaps import Gap
from chatlog.archive.lines import LAST
from chatlog.archive.matching import Filter
from chatlog.archive.moderation import LOOK_AHEAD, Moderation
from chatlog.archive.ordering import Found
from chatlog.archive.people import Person, facts_of
from chatlog.archive.question import Question
from chatlog.archive.room_files import Parts, Room
from chatlog.archive.tallies import Tallies
from chatlog.archive_http.asked import Asked, Refused, Stream
from chatlog.archive_http.facts import Budget
from chatlog.archive_http.filters import asked_filter, is_newest, is_on
from chatlog.archive_http.opted_out import OPTED_OUT, everybody_opted_out
from chatlog.archive_http.pages import Page, page, parsed_place
from chatlog.archive_http.ranges import Range, open_range
from chatlog.archive_http.rooms import Rooms
from chatlog.archive_http.search import Search
from chatlog.archive_http.shapes import gap_facts, time_text
from chatlog.archive_http.states import state_of
from chatlog.http.answers import Answer, json_answer
from chatlog.status.natural import natural

#: The most records and rooms in one answer, and the default.
MOST, PAGE = 1000, 100
#: The most rooms of one search, and the most bytes that one request reads.
ROOMS = 200
#: The most rooms of a search for which the answer says since when, and until when, they were recorded.
_BESIDE = 20
_AT_ONCE = 8
MOST_BYTES = 4 << 30
DAY = 86400.0
NDJSON = "application/x-ndjson"


class OwnApi:
    """``now()`` is the time of day."""

    def __init__(
        self,
        parts: Parts,
        rooms: Rooms,
        tallies: Tallies,
        now: Callable[[], float],
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._parts = parts
        self._rooms = rooms
        self._tallies = tallies
        self._now = now
        self._most = most_bytes

    def rooms(self, asked: Asked) -> Answer:
        """GET rooms."""
        offset, limit = asked.number("offset", 0) or 0, asked.number("limit", MOST, 1, MOST) or MOST
        text, platform = asked.query.get("q", "").lower(), asked.query.get("platform", "")
        found = sorted(
            (room for room in self._rooms.all() if text in room[1] and platform in ("", room[0])),
            key=lambda room: (natural(room[1]), room[0]),
        )
        shown = found[offset : offset + limit]
        ids = self._rooms.ids(shown)
        rooms = [
            {"platform": platform, "name": name, "id": id}
            for (platform, name), id in zip(shown, ids, strict=True)
        ]
        return json_answer(200, {"matching": len(found), "rooms": rooms})

    def messages(self, asked: Asked, platform: str, name: str) -> Answer:
        """GET messages: a page of records in either direction, from a cursor or an end of the range."""
        room = self._rooms.named(platform, name)
        newest = is_newest(asked)
        limit = asked.number("limit", PAGE, 1, MOST) or PAGE
        cursor = asked.query.get("cursor")
        place = parsed_place(cursor) if cursor is not None else None
        range = open_range(asked.query, Range(0.0, LAST))
        filter = asked_filter(asked)
        wanted = Question(room, *range, filter, newest, self._most)
        found = page(asked.work, wanted, place, limit)
        report, begun = found.answer.report, self._begun_if(room, found, range)
        opted_out = not found.records and self._have_opted_out([room], filter)
        # The gap at the beginning of the time belongs on the first page, if the request names the beginning.
        is_first = (found.older is None or (place is None and not newest)) and "from" in asked.query
        is_last = (place is None and newest) or (not newest and len(found.records) < limit)
        gaps = self._gaps_of_page(room, found, range, is_first, is_last)
        is_known = partial(self._rooms.recordings.is_known, room)
        expired = self._rooms.is_expired(room)
        state = state_of(report, gaps, range, self._now(), begun, is_known, expired)
        facts: dict[str, Any] = {
            "platform": platform,
            "name": room[1],
            "state": "opted_out" if opted_out else state,
            "older": str(found.older) if found.older else None,
            "newer": str(found.newer) if found.newer else None,
            "gaps": [gap_facts(gap) for gap in gaps[:MOST]],
            "unread": len(report.unread),
            "partial": time_text(report.reached),
        }
        if is_on(asked, "marks"):
            facts["marks"] = self._marks(asked, room, found)
        head = orjson.dumps(facts)[:-1] + b',"records":['
        return Answer(200, head + b",".join(_whole(found.records)) + b"]}\n", "application/json")

    def _have_opted_out(self, rooms: list[Room], filter: Filter) -> bool:
        return everybody_opted_out(self._rooms.hidden, rooms, filter.users)

    def _begun_if(self, room: Room, found: Page, range: Range) -> float | None:
        """When the room was first recorded, if the page is empty; finding that out may take a while."""
        return None if found.records else self._rooms.recordings.begun_after(room, range.since)

    def _gaps_of_page(
        self, room: Room, found: Page, range: Range, is_first: bool, is_last: bool
    ) -> list[Gap]:
        """The gaps among the records of a page, beside them, and at the ends of the time if these are on
        it."""
        known = _of_page(found, found.answer.report.gaps, is_last)
        times = [lines.seconds(found.records[at].time) for at in (0, -1)] if found.records else []
        since = range.since if is_first else times[0] if times else None
        until = range.until if is_last else times[1] if times else None
        if since is None or until is None or since >= until:
            return known
        other = [gap for gap in known if gap.until < since or gap.since >= until]
        return sorted([*other, *self._rooms.recordings.gaps(room, since, until, known)])

    def _not_recorded(self, asked: Asked, rooms: list[Room], range: Range) -> list[tuple[Room, Gap]]:
        """The parts of a time after the last recording of the first few rooms; and, if the request names its
        beginning, before their first recording."""
        recordings, moment, has_begin = self._rooms.recordings, asked.work.moment, "from" in asked.query
        rooms = rooms[:_BESIDE]

        def look(room: Room) -> list[Gap]:
            before = recordings.gaps_before(room, *range, moment) if has_begin else []
            ended = recordings.ended(room, *range, moment)
            return before if ended is None else [*before, ended]

        if not rooms:
            return []
        with ThreadPoolExecutor(min(_AT_ONCE, len(rooms))) as threads:
            return [
                (room, gap)
                for room, gaps in zip(rooms, threads.map(look, rooms), strict=True)
                for gap in gaps
            ]

    def _marks(self, asked: Asked, room: Room, found: Page) -> dict[str, str]:
        """What moderators did to the records of a page, by position in the page."""
        records = [record for each in found.records if (record := lines.record_of(each.line)) is not None]
        if not records:
            return {}
        first, last = (lines.seconds(found.records[at].time) for at in (0, -1))
        moderated = []
        for part in self._parts.of_room(room, first, last + LOOK_AHEAD):
            moderated += self._tallies.of(part, Filter(), asked.work.reading).moderation
        moderation = Moderation()
        # In the order of their times: every line begins with its time.
        for line in sorted(moderated):
            if (record := lines.record_of(line)) is not None:
                moderation.add(record)
        return {str(at): hit for at, record in enumerate(records) if (hit := moderation.hit(record))}

    def user(self, asked: Asked, platform: str, who: str) -> Answer:
        """GET a person: rooms, names, days, moderation."""
        now = self._now()
        range = open_range(asked.query, Range(now - 90 * DAY, now + 60.0))
        user = who.lower()
        rooms = self._chosen_rooms(asked, platform)
        budget = Budget(asked, self._most)
        asked.work.list_ahead(rooms, *range)

        def person_of(users: tuple[str, ...]) -> Person:
            return budget.of_rooms(rooms, Question(("", ""), *range, Filter(users=users), newest=True))

        person = person_of((user,))
        if person.ids and not user.startswith("id:"):
            # The same person may have had other names.
            person = person_of(tuple(f"id:{id}" for id in list(person.ids)[:20]))
        if not person.rooms and self._have_opted_out([(platform, ""), *rooms], Filter(users=(user,))):
            raise Refused(403, "opted_out", OPTED_OUT)
        facts = facts_of(f"{platform}/{user}", person)
        since, until = (lines.time_bytes(at).decode("ascii") for at in range)
        return json_answer(200, {**facts, "from": since, "to": until, "partial": budget.stopped or None})

    # -- search --------------------------------------------------------------------------------------

    def search(self, asked: Asked) -> Stream:
        """GET search: NDJSON of records, with progress, and an end that says what is missing."""
        wanted = asked_filter(asked)
        if wanted.everything:
            raise Refused(400, "bad_query", "say what to look for: q, user, type or badge")
        rooms = self._chosen_rooms(asked, asked.query.get("platform", ""))
        if len(rooms) > ROOMS:
            text = f"{len(rooms)} rooms are too many for one search: name up to {ROOMS} with room="
            raise Refused(400, "too_many_rooms", text)
        now = self._now()
        limit = asked.number("limit", PAGE, 1, MOST) or PAGE
        range = open_range(asked.query, Range(now - 30 * DAY, now + 60.0))
        opted_out = self._have_opted_out(rooms, wanted)
        search = Search(asked, rooms, range, wanted, is_newest(asked), limit, self._most, opted_out)
        if "from" in asked.query or "room" in asked.query:
            search.beside = lambda range: self._not_recorded(asked, rooms, range)
        # An invalid pattern is reported before anything is sent.
        asked.work.done(asked.work.ask(Question(("", ""), filter=wanted)))
        return Stream(NDJSON, search.lines(), alive=search.progress)

    def _chosen_rooms(self, asked: Asked, platform: str) -> list[Room]:
        """The rooms that ``room`` names, or all."""
        names = [name for name in asked.query.get("room", "").split(",") if name.strip()]
        if not names:
            return sorted(room for room in self._rooms.all() if platform in ("", room[0]))
        found = []
        for name in names[: ROOMS + 1]:
            place, slash, bare = name.strip().lower().rpartition("/")
            if slash and platform and place != platform:
                continue
            found.append(self._rooms.named(place if slash else platform or "twitch", bare.lstrip("#")))
        return list(dict.fromkeys(found))


def _whole(records: list[Found]) -> Iterator[bytes]:
    """The unchanged lines; a line that is no JSON object is left out."""
    for found in records:
        if lines.record_of(found.line) is not None:
            yield found.line


def _of_page(found: Page, gaps: list[Gap], is_last: bool) -> list[Gap]:
    """The gaps between the first and the last record of a page, and beside them; to the end of the time if
    the page is the last one."""
    if not found.records:
        return gaps[:MOST]
    first, last = (lines.seconds(found.records[at].time) for at in (0, -1))
    start = first if found.older is not None else 0.0
    return [gap for gap in gaps if gap.until >= start and (gap.since <= last or is_last)][:MOST]
