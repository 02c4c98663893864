"""The pages for people: the documents by path, and redirects for justlog's links."""

from __future__ import annotations

import re
from datetime import date
from urllib.parse import quote, urlencode

from chatlog.archive.room_files import Room
from chatlog.archive_http.asked import Asked, Handler, Refused
from chatlog.archive_http.rooms import Rooms
from chatlog.http.answers import Answer, tagged
from chatlog.http.documents import Documents, links_to_rooms
from chatlog.near_names import near
from chatlog.printable import printable
from chatlog.store.store import StoreError

_ROOM = re.compile(r"/rooms/([a-z]+)/([^/]+)(/\d{4}-\d\d-\d\d)?\Z", re.ASCII)
_PERSON = re.compile(r"/people/([a-z]+)/[^/]+\Z", re.ASCII)
_LONGEST = 64


class Visits:
    """``rooms`` are those of the archive. ``has_optout``: whether there is a page for opting out, to which
    the other pages link."""

    def __init__(self, rooms: Rooms, documents: Documents, has_optout: bool = False) -> None:
        self._rooms = rooms
        self._documents = documents
        names = "archive.html", "calendar.html", "day.html", "person.html", "search.html"
        self._pages = {name: _linked(documents.page(name), has_optout) for name in names}

    def find(self, path: str) -> Handler | None:
        """The handler of a page's path; None if there is none."""
        if path == "/":
            return self._start
        if path == "/search":
            return lambda asked: self._pages["search.html"]
        if _PERSON.match(path):
            return lambda asked: self._pages["person.html"]
        if match := _ROOM.match(path):
            platform, name, day = match.groups()
            page = "day.html" if day else "calendar.html"
            if day and not _is_day(day[1:]):
                return lambda asked: self._documents.missing("is no day", day[1:])
            return lambda asked: self._room(platform, name, page)
        return None

    def _start(self, asked: Asked) -> Answer:
        """The page of rooms, or a redirect for ``?channel=x&username=y``, the links of justlog's page."""
        channel, user = (asked.query.get(name, "").strip().lower() for name in ("channel", "username"))
        if not channel and not user:
            return self._pages["archive.html"]
        if not channel:
            return _moved(f"/people/twitch/{quote(user, ':')}")
        try:
            if channel.startswith("id:"):
                room = self._rooms.of_id("twitch", channel[3:])
            else:
                room = self._rooms.named("twitch", channel)
        except Refused:
            return self._no_room("twitch", channel)
        if not user:
            return _moved(f"/rooms/twitch/{room[1]}")
        return _moved(f"/people/twitch/{quote(user, ':')}?{urlencode({'room': '/'.join(room)})}")

    def _room(self, platform: str, name: str, page: str) -> Answer:
        try:
            self._rooms.named(platform, name)
        except Refused:
            return self._no_room(platform, name)
        except StoreError:
            # The page asks again and shows the error.
            pass
        return self._pages[page]

    def _no_room(self, platform: str, name: str) -> Answer:
        rooms = self._rooms.all()
        names = near(name[:_LONGEST].strip("#@ "), {other for _, other in rooms})
        others = sorted({other for other, _ in rooms} - {platform})
        alike: list[Room] = [(p, n) for n in names for p in (platform, *others) if (p, n) in rooms]
        shown = printable(f"{platform}/{name[:_LONGEST]}")
        return self._documents.missing("is not in this archive", shown, links_to_rooms(alike))


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _linked(page: Answer, has_optout: bool) -> Answer:
    """A page, with the link to the page for opting out if there is one."""
    if not has_optout:
        return page
    switch = b'  <label class="switch">'
    body = page.body.replace(switch, b'  <a href="/optout">Opt out</a>\n' + switch, 1)
    return tagged(Answer(200, body, page.type))


def _moved(where: str) -> Answer:
    return Answer(303, b"", "text/plain; charset=utf-8", {"Location": where})
