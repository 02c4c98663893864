"""Finds the files that a search need not read, because an index says that nothing in them matches.

An index covers a file if it knows one of the same name and size, and all files of a room's day if they are
the ones that it knows. Files that no index covers are read. So an index that is old, or of half of the
archive, hides nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

from chatlog.archive.index_coverage import Day, IndexedFile, day_from_json, from_json, is_same, short_name
from chatlog.archive.index_lookup import Index, SetAnswer
from chatlog.archive.index_reading import People, Said, Term
from chatlog.archive.lines import LAST
from chatlog.archive.listings import DAY
from chatlog.archive.matching import Filter
from chatlog.archive.person_rows import Wanted
from chatlog.archive.room_files import Part
from chatlog.index.patterns import texts_of
from chatlog.index.sets import Room
from chatlog.index.words import pieces_of
from chatlog.naming import utc_minute

#: Months that are looked up at the same time.
_AT_ONCE = 8


def terms_of(wanted: Filter) -> tuple[Term, ...]:
    """The conditions of a filter that an index can check; a matching record meets all of them."""
    terms: list[Term] = []
    if wanted.users and all(map(_is_plain, wanted.users)):
        terms.append(People(frozenset(wanted.users)))
    texts = [wanted.text, *(texts_of(wanted.regex) if wanted.regex else ())]
    if pieces := frozenset(piece for text in texts for piece in pieces_of(text)):
        terms.append(Said(pieces))
    return tuple(terms)


def _is_plain(user: str) -> bool:
    """Whether an index has such a name or id."""
    return (
        user not in ("", "id:")
        and "\0" not in user
        and not any("\ud800" <= sign <= "\udfff" for sign in user)
    )


class KnownDay(NamedTuple):
    """All files of a room's day, as an index has them, and whether something in them may match."""

    files: Day
    may_match: bool


class Narrowing:
    """Asks an index about the files of one room, for one search."""

    def __init__(self, index: Index, room: Room, terms: tuple[Term, ...]) -> None:
        self._index = index
        self._room = room
        self._terms = terms
        self._months: dict[str, list[SetAnswer]] = {}
        self._coming: dict[str, Future[list[SetAnswer]]] = {}
        self._files: dict[tuple[int, str], dict[str, IndexedFile]] = {}

    def look_ahead(self, since: float, until: float) -> None:
        """Begin to look up the months of a time, in other threads."""
        first, last = (utc_minute(max(0.0, min(at, LAST))) for at in (since - DAY, until))
        months = self._index.months_ahead(f"{first[:4]}-{first[4:6]}", f"{last[:4]}-{last[4:6]}", self._terms)
        if months:
            threads = ThreadPoolExecutor(min(_AT_ONCE, len(months)))
            for month in months:
                self._coming[month] = threads.submit(self._index.of_month, month, self._terms)
            threads.shutdown(wait=False)

    @property
    def people(self) -> People | None:
        """The people who are looked for, if any are."""
        return next((term for term in self._terms if isinstance(term, People)), None)

    def day(self, day: str, digest: str) -> KnownDay | None:
        """All files of a day (``2025-12-29``), if an index knows the listing with this ``digest``; None if
        the files have to be checked one by one."""
        for answer in self._of_day(day):
            known = answer.known.get(self._room, {}).get(int(day[8:]))
            if known is None or known.listing != digest:
                continue
            with suppress(ValueError):
                if (found := day_from_json(known.text)) is not None:
                    return KnownDay(found, bool(answer.days.get(self._room, 0) >> int(day[8:]) & 1))
        return None

    def may_match_around(self, day: str) -> bool:
        """Whether something may match on one of the two days before or the two days after. No further month
        is looked up for that."""
        date = datetime.fromisoformat(day)
        return any(self._may_match((date + timedelta(days=n)).date().isoformat()) for n in (-2, -1, 1, 2))

    def _may_match(self, day: str) -> bool:
        if day[:7] not in self._months:
            return True
        bit = 1 << int(day[8:])
        sets = [answer for answer in self._of_day(day) if int(day[8:]) in answer.known.get(self._room, {})]
        return not sets or any(answer.days.get(self._room, 0) & bit for answer in sets)

    def wanted(self, days: Collection[str]) -> Wanted | None:
        """The people who are looked for, with the ids that they had on days; None if these cannot be had."""
        people = self.people
        if people is None:
            return None
        ids: set[str] = set()
        if people.names:
            sets = {answer.found: answer for day in days for answer in self._of_day(day)}
            for answer in sets.values():
                own = self._index.ids(answer, people.names)
                if own is None:
                    return None
                ids |= own
        return Wanted(people.ids, people.names, frozenset(ids))

    def needless(self, part: Part) -> IndexedFile | None:
        """A part as an index has it, if nothing in the part matches; None if it has to be read."""
        return self._of(part, even_if_it_matches=False)

    def covered(self, part: Part) -> IndexedFile | None:
        """A part as an index has it, whether something matches or not; None if no index covers it."""
        return self._of(part, even_if_it_matches=True)

    def _of(self, part: Part, even_if_it_matches: bool) -> IndexedFile | None:
        minute = part.name.minute
        month, day = f"{minute[:4]}-{minute[4:6]}", int(minute[6:8])
        if part.area or part.copy:
            # Several files have this name, and the index may know another one.
            return None
        for number, answer in enumerate(self._of_day(f"{month}-{minute[6:8]}")):
            if answer.days.get(self._room, 0) >> day & 1 and not even_if_it_matches:
                continue
            if day not in answer.known.get(self._room, {}):
                continue
            covered = self._known(number, minute[:8], answer).get(short_name(part))
            if covered is not None and covered.reached is not None and is_same(part, covered):
                return covered
        return None

    def _of_day(self, day: str) -> list[SetAnswer]:
        """The answers of the sets that may cover a day."""
        month = day[:7]
        if month not in self._months:
            coming = self._coming.pop(month, None)
            self._months[month] = (
                coming.result() if coming is not None else self._index.of_month(month, self._terms)
            )
        return [answer for answer in self._months[month] if answer.found.span in (month, day)]

    def _known(self, number: int, day: str, answer: SetAnswer) -> dict[str, IndexedFile]:
        """The files of a day in a set."""
        if (number, day) not in self._files:
            self._files[number, day] = {}
            with suppress(ValueError, KeyError):
                text = self._index.files(answer, self._room)[int(day[6:])]
                self._files[number, day] = from_json(text)
        return self._files[number, day]
