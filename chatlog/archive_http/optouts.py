"""Opting out over HTTP: the page with the code, justlog's route, and the list for clients with the token."""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from typing import Any

import orjson

from chatlog.archive.opening import Archive
from chatlog.archive.person_lookup import KnownPerson, NotClear, find_person, parsed_person
from chatlog.archive.reader import Reader
from chatlog.archive_http.asked import TOKEN, Asked, Refused, Route
from chatlog.archive_http.optout_page import OptOutPage
from chatlog.archive_http.own_routes import OWN
from chatlog.archive_http.rooms import Rooms
from chatlog.config.settings import Settings
from chatlog.http.answers import JSON, Answer, json_answer
from chatlog.http.documents import Documents
from chatlog.record import rfc3339
from chatlog.store.store import StoreError
from chatlog.suppression.book import Book, ForeignKey
from chatlog.suppression.codes import SLOT, GivenCodes
from chatlog.suppression.key_file import KeyFileError, key_for, key_in
from chatlog.suppression.names import Key

#: The days back in which names and ids are looked for.
BACK = 90 * 86400.0
#: The most people in one answer.
MOST = 1000
_LIST = f"{OWN}/optouts"
_PERSON = re.compile(rf"{_LIST}/([a-z]+)/([^/]+)\Z")


class OptOuts:
    """``platforms`` are the names of all platforms; ``now()`` is the time of day. The page and the code are
    there if the archive is public, or has codes."""

    def __init__(
        self,
        archive: Archive,
        settings: Settings,
        platforms: Container[str],
        now: Callable[[], float],
        codes: GivenCodes | None = None,
    ) -> None:
        self._archive = archive
        self._settings = settings
        self._platforms = platforms
        self._now = now
        self._codes = codes or GivenCodes()
        # Its own reader, which hides nobody: people who are on the list already have to be found too.
        self._reader = Reader(archive.parts, now)
        self._rooms = Rooms(archive, now)
        #: Whether there is a page.
        self.has_page = settings.archive.public or settings.archive.has_codes
        self._page: OptOutPage | None = None

    def use(self, documents: Documents) -> None:
        """Use the page from these documents."""
        self._page = OptOutPage(documents, self._settings.archive.has_codes)

    def find(self, path: str) -> Route | None:
        """The route of a path; None if the path is not about opting out."""
        if path.rstrip("/") in ("/optout", "/kick/optout") and self.has_page:
            has_codes = self._settings.archive.has_codes
            methods = ("GET", "HEAD", "POST") if has_codes else ("GET", "HEAD")
            return Route(self._optout, for_clients=True, methods=methods)
        if path == _LIST:
            return Route(self._list, slow=True, who=TOKEN, methods=("GET", "HEAD", "POST"))
        if match := _PERSON.match(path):
            platform, user = match.groups()
            return Route(lambda asked: self._remove(asked, platform, user), who=TOKEN, methods=("DELETE",))
        return None

    # -- codes -----------------------------------------------------------------------------------------

    def _optout(self, asked: Asked) -> Answer:
        """GET the page, POST for a code: a page for browsers, a string of JSON for clients."""
        assert self._page is not None
        if asked.method != "POST":
            return self._page.asking()
        try:
            code = self._code()
        except Refused as problem:
            if not asked.by_browser:
                raise
            return self._page.trouble(problem.status, problem.text, problem.headers)
        return self._page.code(code) if asked.by_browser else Answer(200, orjson.dumps(code), JSON)

    def _code(self) -> str:
        try:
            key = key_in(self._settings)
        except KeyFileError:
            key = None
        if key is None:
            text = "opting out is not possible at present: the secret of the list is missing"
            raise Refused(503, "no_key", text)
        code = self._codes.next(key, self._now())
        if code is None:
            wait = {"Retry-After": str(round(SLOT))}
            text = "too many codes were asked for; try again in two minutes"
            raise Refused(429, "too_many_requests", text, wait)
        return code

    # -- the list ----------------------------------------------------------------------------------------

    def _list(self, asked: Asked) -> Answer:
        """GET the list, or POST a person onto it."""
        if asked.method == "POST":
            return self._add(asked)
        offset, limit = asked.number("offset", 0) or 0, asked.number("limit", MOST, 1, MOST) or MOST
        self._archive.hidden.renew()
        found = self._archive.hidden.now()
        rows = sorted((e.platform, e.channel, e.person) for e in found.entries if not e.name)
        shown = [
            {"platform": platform, "room": channel or None, "person": person}
            for platform, channel, person in rows[offset : offset + limit]
        ]
        facts = {"people": found.people, "matching": len(rows), "trouble": self._archive.hidden.trouble}
        return json_answer(200, {**facts, "optouts": shown})

    def _add(self, asked: Asked) -> Answer:
        given = _given(asked.body)
        platform, user = self._parsed(str(given.get("who", "")))
        channel = self._channel(platform, given.get("room"))
        person = self._meant(platform, user)
        at = rfc3339(round(self._now() * 1000))
        new = self._changed(
            lambda book: book.add(platform, person.id, person.names, channel, at, "http"), made=True
        )
        facts = {"who": f"{platform}/id:{person.id}", "names": list(person.names), "room": channel or None}
        return json_answer(201 if new else 200, {**facts, "added": bool(new)})

    def _remove(self, asked: Asked, platform: str, user: str) -> Answer:
        """DELETE a person from the list, for one room or for all."""
        platform, user = self._parsed(f"{platform}/{user}")
        room = asked.query.get("room")
        channel = self._channel(platform, room) if room else None
        if user.startswith("id:"):
            removed = self._changed(lambda book: book.remove(platform, user[3:], channel))
        elif channel is None:
            removed = self._changed(lambda book: _without(book, platform, user))
        else:
            id = self._meant(platform, user).id
            removed = self._changed(lambda book: book.remove(platform, id, channel))
        if not removed:
            raise Refused(404, "not_listed", f"{platform}/{user} is not on the list")
        return json_answer(200, {"who": f"{platform}/{user}", "room": channel, "removed": removed})

    def _parsed(self, who: str) -> tuple[str, str]:
        try:
            return parsed_person(who, self._platforms)
        except ValueError as error:
            raise Refused(400, "bad_person", str(error)) from None

    def _channel(self, platform: str, room: object) -> str:
        if room is None:
            return ""
        above, slash, name = str(room).lower().partition("/")
        if not slash or above != platform:
            raise Refused(400, "bad_room", f"room is one of {platform}, as in {platform}/x")
        return self._rooms.named(platform, name)[1]

    def _meant(self, platform: str, user: str) -> KnownPerson:
        now = self._now()
        try:
            return find_person(self._reader, self._rooms.all(), platform, user, now - BACK, now + 60.0)
        except NotClear as error:
            ids = ", ".join(f"id:{id} until {last[:10]}" for id, last in error.ids.items())
            text = (
                f"{platform}/{user} was the name of several people: {ids}; say which one is meant"
                if ids
                else f"the archive of the last 90 days does not know the id of {platform}/{user}; "
                f"write {platform}/id:1234"
            )
            raise Refused(409 if ids else 404, "not_clear" if ids else "unknown_person", text) from None

    def _changed(self, change: Callable[[Book], int], made: bool = False) -> int:
        """Change the list, and apply it at once. The key is ``made`` if there is none."""
        try:
            key: Key | None = key_for(self._settings)[0] if made else key_in(self._settings)
        except KeyFileError as error:
            raise Refused(503, "no_key", str(error)) from None
        if key is None:
            raise Refused(503, "no_key", self._archive.hidden.trouble or "nobody is on the list")
        try:
            found = change(Book(self._archive.store, key))
        except ForeignKey as error:
            raise Refused(503, "no_key", str(error)) from None
        except StoreError as error:
            raise NotKept(error) from error
        self._archive.hidden.renew()
        return found


class NotKept(Exception):
    """The list cannot be changed; ``error`` says why, for the log."""

    def __init__(self, error: StoreError) -> None:
        super().__init__(str(error))
        self.error = error


def _without(book: Book, platform: str, name: str) -> int:
    people = book.people_called(platform, name)
    if len(people) > 1:
        text = f"{len(people)} people on the list had that name; write {platform}/id:1234"
        raise Refused(409, "not_clear", text)
    return book.remove_person(platform, people.pop()) if people else 0


def _given(body: bytes) -> dict[str, Any]:
    try:
        given = orjson.loads(body)
    except ValueError:
        raise Refused(400, "bad_json", "the body is not JSON") from None
    if not isinstance(given, dict):
        raise Refused(400, "bad_json", 'the body is a JSON object, as {"who": "twitch/id:1234"}')
    room = given.get("room")
    if not isinstance(given.get("who"), str) or not (room is None or isinstance(room, str)):
        raise Refused(400, "bad_json", 'who and room are strings, as {"who": "twitch/id:1234"}')
    return given
