"""Answers of log servers besides messages: lists of days, counts, names, a random message."""

from __future__ import annotations

import random
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from threading import Lock
from typing import Any

import orjson

from chatlog.archive import lines
from chatlog.archive.lines import LAST
from chatlog.archive.matching import Filter
from chatlog.archive.people import Person, person_of
from chatlog.archive.question import Question
from chatlog.archive.reader import Answer as Records
from chatlog.archive.room_files import Room
from chatlog.archive_http.asked import Asked, Headers, Refused
from chatlog.archive_http.log_formats import shown, wanted_format
from chatlog.archive_http.ranges import Range, of_month
from chatlog.archive_http.rooms import Rooms
from chatlog.http.answers import JSON, Answer

#: The most bytes of records that are read for one of these answers.
MOST_BYTES = 2 << 30
#: The fewest bytes that are read of a room, however many rooms there are.
LEAST_SHARE = 20_000
#: The most people who are counted at the same time; beyond that, those seen once are dropped.
PEOPLE = 200_000
TOP = 5
#: Seconds after the end of a month in which its results are not cached.
_SETTLED = 2 * 86400.0
_REMEMBERED = 4096
_SPOKEN = ("message", "action")

Record = dict[str, Any]


class Budget:
    """The bytes that may still be read for a request. ``stopped``: where the limit was reached."""

    def __init__(self, asked: Asked, most: int) -> None:
        self._asked = asked
        self._left = most
        self.stopped = ""

    def records(self, question: Question) -> Iterator[Record]:
        """The records of a question, up to the limit."""
        if self._left <= 0:
            self.stopped = self.stopped or "unknown"
            return
        answer = self._asked.work.ask(replace(question, most_bytes=self._left))
        records = iter(answer)
        try:
            for found in records:
                if (record := lines.record_of(found.line)) is not None:
                    yield record
        finally:
            records.close()  # type: ignore[attr-defined]
            self._asked.work.done(answer)
            self._left -= answer.report.bytes
            if answer.report.stopped and answer.report.reached is not None:
                self.stopped = lines.time_bytes(answer.report.reached).decode("ascii")

    def of_rooms(self, rooms: list[Room], question: Question) -> Person:
        """The person of the records of a question, which is asked of several rooms at the same time; each of
        them has a share of the limit."""
        if not rooms:
            return Person()
        share = max(LEAST_SHARE, self._left // len(rooms))
        answers = [self._asked.work.ask(replace(question, room=room, most_bytes=share)) for room in rooms]
        person = Person()
        with closing(self._asked.work.each(answers, _person_in)) as people:
            for one in people:
                person.join(one)
        for answer in answers:
            self._left -= answer.report.bytes
            if answer.report.stopped and answer.report.reached is not None:
                stopped = lines.time_bytes(answer.report.reached).decode("ascii")
                self.stopped = max(self.stopped, stopped) if question.newest else stopped
        return person

    @property
    def headers(self) -> Headers:
        """The header for an incomplete answer, if it is one."""
        return {"x-chatlog-partial": self.stopped} if self.stopped else {}


def _person_in(answer: Records) -> Person:
    records = (lines.record_of(found.line) for found in answer)
    return person_of(record for record in records if record is not None)


class Facts:
    """``now()`` is the time of day; ``choose(n)`` returns a number below n."""

    def __init__(
        self,
        rooms: Rooms,
        now: Callable[[], float],
        choose: Callable[[int], int] = random.randrange,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._rooms = rooms
        self._now = now
        self._choose = choose
        self._most = most_bytes
        self._lock = Lock()
        #: The key ends with the version of the opt-out list.
        self._months: OrderedDict[tuple[Room, str, str, str], bool] = OrderedDict()

    def channels(self, platform: str) -> Answer:
        """GET /channels."""
        rooms = self._rooms.of_platform(platform)
        ids = self._rooms.ids(rooms)
        found = [{"name": name, "userID": id} for (_, name), id in zip(rooms, ids, strict=True)]
        return _json({"channels": found})

    def days(self, room: Room) -> Answer:
        """GET /list of a room: its days, newest first."""
        days = [day.split("-") for day in reversed(self._rooms.days(room))]
        found = [{"year": year, "month": str(int(month)), "day": str(int(day))} for year, month, day in days]
        if not found:
            raise Refused(404, "no_logs", "Not found")
        return _json({"availableLogs": found})

    def months(self, asked: Asked, room: Room, user: str) -> Answer:
        """GET /list of a person in a room: the months with messages of the person, newest first."""
        budget = Budget(asked, self._most)
        found = []
        for month in self._months_of(room):
            if self._is_in(budget, room, user, month):
                found.append({"year": month[:4], "month": str(int(month[5:]))})
        if not found:
            raise Refused(404, "no_logs", "Not found")
        return _json({"availableLogs": found}, budget.headers)

    def latest_month(self, asked: Asked, room: Room, user: str) -> str:
        """The latest month (``2026-03``) with messages of a person. Raises Refused."""
        budget = Budget(asked, self._most)
        for month in self._months_of(room):
            if self._is_in(budget, room, user, month):
                return month
        raise Refused(404, "no_logs", "Not found")

    def _months_of(self, room: Room) -> list[str]:
        return sorted({day[:7] for day in self._rooms.days(room)}, reverse=True)

    def _is_in(self, budget: Budget, room: Room, user: str, month: str) -> bool:
        key = room, user, month, self._rooms.hidden.now().version
        with self._lock:
            known = self._months.get(key)
        if known is not None:
            return known
        range = of_month(month[:4], month[5:])
        records = budget.records(Question(room, *range, Filter(users=(user,)), newest=True))
        there = next(records, None) is not None
        records.close()  # type: ignore[attr-defined]
        if there or (not budget.stopped and range.until < self._now() - _SETTLED):
            with self._lock:
                self._months[key] = there
                while len(self._months) > _REMEMBERED:
                    self._months.popitem(last=False)
        return there

    # -- counts --------------------------------------------------------------------------------------

    def stats(self, asked: Asked, room: Room, range: Range) -> Answer:
        """GET stats of a room: the number of messages, and the people who wrote most."""
        budget, total = Budget(asked, self._most), 0
        people: Counter[tuple[str, str]] = Counter()
        logins: dict[str, str] = {}
        for record in budget.records(Question(room, *range, newest=True)):
            if record.get("type", "message") not in _SPOKEN:
                continue
            total += 1
            id, login = str(record.get("user_id", "")), str(record.get("username", ""))
            people[("id", id) if id else ("login", login)] += 1
            if len(people) > PEOPLE:
                people = Counter({who: count for who, count in people.items() if count > 1})
                logins = {id: name for id, name in logins.items() if ("id", id) in people}
            logins.setdefault(id, login)
        top = [
            {
                "userId": who if kind == "id" else "",
                "userLogin": (logins.get(who) if kind == "id" else who) or None,
                "messageCount": count,
            }
            for (kind, who), count in people.most_common(TOP)
        ]
        return _json({"messageCount": total, "topChatters": top}, budget.headers)

    def user_stats(self, asked: Asked, room: Room, user: str, range: Range) -> Answer:
        """GET stats of a person in a room."""
        budget, total, id, login = Budget(asked, self._most), 0, "", ""
        for record in budget.records(Question(room, *range, Filter(users=(user,)), newest=True)):
            id, login = id or str(record.get("user_id", "")), login or str(record.get("username", ""))
            total += record.get("type", "message") in _SPOKEN
        if not id and not login:
            raise Refused(404, "no_logs", "Not found")
        return _json({"userId": id, "userLogin": login or None, "messageCount": total}, budget.headers)

    def names(self, asked: Asked, platform: str, id: str) -> Answer:
        """GET /namehistory: the names of an id, from all rooms, the latest first."""
        budget = Budget(asked, self._most)
        rooms = self._rooms.of_platform(platform)
        asked.work.list_ahead(rooms, 0.0, LAST)
        seen = budget.of_rooms(
            rooms, Question(("", ""), filter=Filter(users=(f"id:{id}",)), newest=True)
        ).names
        names = sorted(seen.items(), key=lambda item: item[1][1], reverse=True)
        if not names:
            raise Refused(404, "no_logs", "Not found")
        return _json(
            [
                {"user_login": name, "last_timestamp": last, "first_timestamp": first}
                for name, (first, last) in names
            ],
            budget.headers,
        )

    # -- random messages -----------------------------------------------------------------------------------

    def random(self, asked: Asked, room: Room, user: str = "") -> Answer:
        """GET random: a log with one message, of a random day, or of all messages of a person."""
        budget = Budget(asked, self._most)
        days = [] if user else self._rooms.days(room)
        record = None
        for _ in range(5):
            if user:
                question = Question(room, filter=Filter(users=(user,)), newest=True)
            elif days:
                since = lines.seconds(f"{days.pop(self._choose(len(days)))}T00:00:00Z")
                question = Question(room, since, since + 86400.0)
            else:
                break
            record = self._any_of(budget.records(question))
            if record is not None or user:
                break
        if record is None:
            raise Refused(404, "no_logs", "Not found")
        form = wanted_format(asked.query, asked.as_json)
        body = form.begin + form.item(record) + form.end
        return Answer(200, body, form.type)

    def _any_of(self, records: Iterator[Record]) -> Record | None:
        """One of the items, with equal chances."""
        chosen, count = None, 0
        for record in records:
            if record.get("type", "message") in _SPOKEN and shown(record) is not None:
                count += 1
                if self._choose(count) == 0:
                    chosen = record
        return chosen


def _json(value: Any, headers: Headers | None = None) -> Answer:
    return Answer(200, orjson.dumps(value), JSON, headers or {})
