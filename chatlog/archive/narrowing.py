"""Which files a search need not read, because an index says that nothing in them matches.

An index covers a file if it knows one of the same name and size, and all files of a room's day if they are
the ones that it knows. What no index covers is read, so an index that is old, or of half of the archive,
hides nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

from chatlog.archive.index_coverage import Day, IndexedFile, day_from_json, from_json, is_same, short_name
from chatlog.archive.index_lookup import Index, Looked
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
    """What an index can say of records that match a filter; all of it applies to each of them."""
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
    """What is known of all files of a room's day besides their records, and whether one may match."""

    files: Day
    may_match: bool


class Narrowing:
    """What an index says of the files of one room in one search."""

    def __init__(self, index: Index, room: Room, terms: tuple[Term, ...]) -> None:
        self._index = index
        self._room = room
        self._terms = terms
        self._months: dict[str, list[Looked]] = {}
        self._coming: dict[str, Future[list[Looked]]] = {}
        self._files: dict[tuple[int, str], dict[str, IndexedFile]] = {}

    def look_ahead(self, since: float, until: float) -> None:
        """Begin to look up what is needed for a time, while something else is done."""
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
        """What is known of all files of a day (``2025-12-29``), if ``digest`` is that of their listing; None
        if they have to be looked at one by one."""
        for looked in self._of_day(day):
            known = looked.known.get(self._room, {}).get(int(day[8:]))
            if known is None or known.listing != digest:
                continue
            with suppress(ValueError):
                if (found := day_from_json(known.text)) is not None:
                    return KnownDay(found, bool(looked.days.get(self._room, 0) >> int(day[8:]) & 1))
        return None

    def may_match_around(self, day: str) -> bool:
        """Whether something may match on one of the two days before or the two days after. No other month is
        looked at for it."""
        date = datetime.fromisoformat(day)
        return any(self._may_match((date + timedelta(days=n)).date().isoformat()) for n in (-2, -1, 1, 2))

    def _may_match(self, day: str) -> bool:
        if day[:7] not in self._months:
            return True
        bit = 1 << int(day[8:])
        sets = [looked for looked in self._of_day(day) if int(day[8:]) in looked.known.get(self._room, {})]
        return not sets or any(looked.days.get(self._room, 0) & bit for looked in sets)

    def wanted(self, days: Collection[str]) -> Wanted | None:
        """The people who are looked for, with the ids that they had on days; None if these cannot be had."""
        people = self.people
        if people is None:
            return None
        ids: set[str] = set()
        if people.names:
            sets = {looked.found: looked for day in days for looked in self._of_day(day)}
            for looked in sets.values():
                own = self._index.ids(looked, people.names)
                if own is None:
                    return None
                ids |= own
        return Wanted(people.ids, people.names, frozenset(ids))

    def needless(self, part: Part) -> IndexedFile | None:
        """What is known of a part in which nothing matches; None if it has to be read."""
        return self._of(part, even_if_it_matches=False)

    def covered(self, part: Part) -> IndexedFile | None:
        """What is known of a part, whatever matches; None if nothing is."""
        return self._of(part, even_if_it_matches=True)

    def _of(self, part: Part, even_if_it_matches: bool) -> IndexedFile | None:
        minute = part.name.minute
        month, day = f"{minute[:4]}-{minute[4:6]}", int(minute[6:8])
        if part.area or part.copy:
            # Of several files with one name the index may know another one.
            return None
        for number, looked in enumerate(self._of_day(f"{month}-{minute[6:8]}")):
            if looked.days.get(self._room, 0) >> day & 1 and not even_if_it_matches:
                continue
            if day not in looked.known.get(self._room, {}):
                continue
            covered = self._known(number, minute[:8], looked).get(short_name(part))
            if covered is not None and covered.reached is not None and is_same(part, covered):
                return covered
        return None

    def _of_day(self, day: str) -> list[Looked]:
        """What the sets say that may have a day."""
        month = day[:7]
        if month not in self._months:
            coming = self._coming.pop(month, None)
            self._months[month] = (
                coming.result() if coming is not None else self._index.of_month(month, self._terms)
            )
        return [looked for looked in self._months[month] if looked.found.span in (month, day)]

    def _known(self, number: int, day: str, looked: Looked) -> dict[str, IndexedFile]:
        """The files of a day in a set."""
        if (number, day) not in self._files:
            self._files[number, day] = {}
            with suppress(ValueError, KeyError):
                text = self._index.files(looked, self._room)[int(day[6:])]
                self._files[number, day] = from_json(text)
        return self._files[number, day]
