"""An overview of rooms and days from the manifests: the number of messages, and the coverage."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from chatlog.archive import lines
from chatlog.archive.day_book import DayBook, DayOfRoom
from chatlog.archive.gaps import clipped
from chatlog.archive.opening import Archive
from chatlog.archive.retention import DAY
from chatlog.archive.room_files import Room
from chatlog.archive_http.asked import Asked, Refused
from chatlog.archive_http.ranges import of_month
from chatlog.archive_http.rooms import Rooms
from chatlog.archive_http.shapes import time_text
from chatlog.archive_http.uncounted import Uncounted
from chatlog.http.answers import Answer, json_answer
from chatlog.status.natural import natural
from chatlog.uploader.manifest_rows import LOST

#: The most rooms in one answer, and the most days of each.
MOST, DAYS = 1000, 7
#: The most rooms whose files are counted if no manifest has their figures yet.
COUNTED = 20


class Overview:
    """``now()`` is the time of day."""

    def __init__(
        self,
        archive: Archive,
        rooms: Rooms,
        days: DayBook,
        uncounted: Uncounted,
        now: Callable[[], float],
    ) -> None:
        self._archive = archive
        self._rooms = rooms
        self._days = days
        self._uncounted = uncounted
        self._now = now

    def rooms(self, asked: Asked) -> Answer:
        """GET the rooms with their figures on the latest days of the archive."""
        count = asked.number("days", DAYS, 0, 31)
        assert count is not None
        offset, limit = asked.number("offset", 0) or 0, asked.number("limit", MOST, 1, MOST) or MOST
        text = asked.query.get("q", "").lower()
        rooms = sorted(
            (room for room in self._rooms.all() if text in room[1]),
            key=lambda room: (natural(room[1]), room[0]),
        )
        last = self._last_day()
        days = [(last - timedelta(days=back)).isoformat() for back in range(count)][::-1] if last else []
        books = self._days.of_days(days)
        page = rooms[offset : offset + limit]
        fresh = self._fresh(asked, page[:COUNTED], days, books)
        stored = {day: set(self._archive.catalog.rooms(day)) for day in days}
        recent = self._archive.parts.rooms().union(*stored.values())
        named = {day: {*books[day], *stored[day]} for day in days if books[day] and self._is_due(day)}
        shown = [
            {
                "platform": room[0],
                "name": room[1],
                "days": [
                    _figures(books[day].get(room) or fresh.get((room, day)) or unrecorded.get(day))
                    for unrecorded in (_unrecorded(room, named, books, room in recent),)
                    for day in days
                ],
            }
            for room in page
        ]
        return json_answer(200, {"matching": len(rooms), "days": days, "rooms": shown})

    def _fresh(
        self, asked: Asked, rooms: list[Room], days: list[str], books: dict[str, dict[Room, DayOfRoom]]
    ) -> dict[tuple[Room, str], DayOfRoom]:
        """The figures of the latest days for the given rooms, if no manifest has them yet."""
        found = {}
        for day in days[-2:]:
            for room in rooms:
                if room not in books[day]:
                    facts = self._uncounted.of(room, day, asked.work.reading)
                    if facts is not None:
                        found[room, day] = facts
        return found

    def _last_day(self) -> date | None:
        """Today; if nothing is recorded any more, the last day with objects."""
        stored = self._archive.catalog.days()
        if not stored:
            return date.fromisoformat(self._today()) if self._rooms.all() else None
        today = date.fromisoformat(self._today())
        last = date.fromisoformat(stored[-1])
        return today if today - last <= timedelta(days=1) else last

    def _today(self) -> str:
        return lines.time_bytes(self._now()).decode("ascii")[:10]

    def month(self, asked: Asked, platform: str, name: str) -> Answer:
        """GET the days of a room in one month, by default the latest."""
        room = self._rooms.named(platform, name)
        days = self._rooms.days(room)
        months = sorted({day[:7] for day in days})
        month = asked.query.get("month", months[-1] if months else "")
        rows = self._rows_of(asked, room, set(days), month) if month else []
        return json_answer(
            200,
            {
                "platform": platform,
                "name": room[1],
                "id": self._rooms.id(room),
                "first": days[0] if days else None,
                "last": days[-1] if days else None,
                "ended": time_text(self._rooms.recordings.end_of(room)),
                "months": months,
                "kept": self._rooms.kept(room),
                "month": month,
                "days": rows,
            },
        )

    def _rows_of(self, asked: Asked, room: Room, with_files: set[str], month: str) -> list[dict[str, Any]]:
        """The days of a month with records, or with a reason in the manifests why there are none."""
        year, _, number = month.partition("-")
        if len(year) != 4 or not (year + number).isdecimal() or not month.isascii():
            raise Refused(400, "bad_query", "write month as 2025-12")
        first, end = of_month(year, number)
        today = self._today()
        all_days = [lines.time_bytes(at).decode()[:10] for at in range(int(first), int(end), 86400)]
        stored = set(self._archive.catalog.days())
        begun = self._archive.parts.first_day(room) or today
        chosen = [day for day in all_days if day in with_files or begun < day <= today or day in stored]
        books = self._days.of_days([day for day in chosen if day <= today])
        unlisted = [
            day
            for day in chosen
            if day > begun and day not in with_files and room not in books[day] and self._is_due(day)
        ]
        holes = self._unrecorded_days(asked, room, unlisted)
        found = []
        for day in chosen:
            facts = books.get(day, {}).get(room) or holes.get(day)
            if facts is not None or day in with_files:
                facts = facts or self._uncounted.of(room, day, asked.work.reading)
                found.append(_day_row(day, facts, day < today))
        return found

    def _is_due(self, day: str) -> bool:
        """Whether all manifests of a day should be stored by now: then a room that they do not name was not
        recorded. That it was recorded may be known before: see ``Recordings.is_known``."""
        return lines.seconds(f"{day}T00:00:00Z") + DAY + LOST <= self._now()

    def _unrecorded_days(self, asked: Asked, room: Room, days: list[str]) -> dict[str, DayOfRoom]:
        """The figures of those of these days on which no recorder recorded the room. The days have no files,
        and no manifest names the room on them."""
        if not days:
            return {}
        since, until = lines.seconds(f"{days[0]}T00:00:00Z"), lines.seconds(f"{days[-1]}T00:00:00Z") + DAY
        known = self._uncounted.gaps(room, since, until, asked.work.reading)
        gaps = self._rooms.recordings.gaps(room, since, until, known)
        found = {}
        for day in days:
            midnight = lines.seconds(f"{day}T00:00:00Z")
            of_day = clipped(gaps, midnight, midnight + DAY)
            missing = sum(gap.seconds for gap in of_day)
            if missing >= 0.999 * DAY:
                reasons = tuple(dict.fromkeys(gap.reason for gap in of_day))
                found[day] = DayOfRoom(0, 0.0, missing, reasons, since=midnight)
        return found


def _unrecorded(
    room: Room, named: dict[str, set[Room]], books: dict[str, dict[Room, DayOfRoom]], is_recent: bool
) -> dict[str, DayOfRoom]:
    """The figures of days with manifests, of which none names this room, and without files of it (``named``
    has the rooms with either): no recorder recorded it, if it was recorded before, or has no files of the
    latest days. Imported records are in no manifest."""
    found = {}
    was_recorded = not is_recent
    for day, there in named.items():
        if room in books[day]:
            was_recorded = True
        elif was_recorded and room not in there:
            found[day] = DayOfRoom(0, 0.0, DAY)
    return found


def _figures(facts: DayOfRoom | None) -> list[Any] | None:
    """The records and the coverage of a day; None if they are not known."""
    if facts is None:
        return None
    return [facts.records, None if facts.coverage is None else round(facts.coverage, 6)]


def _day_row(day: str, facts: DayOfRoom | None, finished: bool) -> dict[str, Any]:
    """The figures of a day as JSON; null for unknown ones."""
    if facts is None:
        unknown = dict.fromkeys(("records", "recorded", "missing", "coverage"))
        return {"day": day, **unknown, "reasons": [], "finished": finished}
    coverage = facts.coverage
    return {
        "day": day,
        "records": facts.records,
        "recorded": round(facts.recorded, 3),
        "missing": round(facts.missing, 3),
        "coverage": None if coverage is None else round(coverage, 6),
        "reasons": list(facts.reasons),
        "finished": finished,
    }
