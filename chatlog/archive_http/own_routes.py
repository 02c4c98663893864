"""The paths below ``/api/v1/archive`` and their handlers."""

from __future__ import annotations

import re
from collections.abc import Callable

from chatlog.archive.day_book import DayBook
from chatlog.archive.opening import Archive
from chatlog.archive.tallies import Tallies
from chatlog.archive_http import openapi
from chatlog.archive_http.asked import Asked, Handler, Stream
from chatlog.archive_http.downloads import Downloads
from chatlog.archive_http.overview import Overview
from chatlog.archive_http.own_api import OwnApi
from chatlog.archive_http.rooms import Rooms
from chatlog.archive_http.timeline import Timelines
from chatlog.archive_http.uncounted import Uncounted
from chatlog.http.answers import Answer, json_answer, tagged

OWN = "/api/v1/archive"
_ROOM = rf"{OWN}/rooms/([a-z]+)/([^/]+)"
_PERSON = rf"{OWN}/users/([a-z]+)/([^/]+)"


class OwnRoutes:
    """``now()`` is the time of day; ``most_bytes`` is the limit of records read for one request."""

    def __init__(
        self,
        archive: Archive,
        rooms: Rooms,
        days: DayBook,
        tallies: Tallies,
        now: Callable[[], float],
        most_bytes: int,
    ) -> None:
        own = OwnApi(archive.parts, rooms, tallies, now, most_bytes)
        uncounted = Uncounted(archive.parts, tallies, rooms.recordings, now)
        overview = Overview(archive, rooms, days, uncounted, now)
        timelines = Timelines(archive, rooms, tallies, now, most_bytes)
        downloads = Downloads(rooms, now)
        self._routes: list[tuple[re.Pattern[str], Callable[..., Answer | Stream]]] = [
            (re.compile(pattern + r"\Z"), handle)
            for pattern, handle in (
                (rf"{OWN}/rooms", own.rooms),
                (rf"{OWN}/overview", overview.rooms),
                (rf"{_ROOM}/days", overview.month),
                (rf"{_ROOM}/timeline", timelines.answer),
                (rf"{_ROOM}/export", downloads.answer),
                (rf"{_ROOM}/messages", own.messages),
                (rf"{OWN}/search", own.search),
                (_PERSON, own.user),
                (rf"{OWN}/openapi\.json", _described),
                ("/healthz", _alive),
            )
        ]

    def find(self, path: str) -> Handler | None:
        """The handler of a path; None if there is none."""
        for pattern, handle in self._routes:
            if match := pattern.match(path):
                return _handler(handle, match.groups())
        return None


def _handler(handle: Callable[..., Answer | Stream], parts: tuple[str, ...]) -> Handler:
    return lambda asked: handle(asked, *parts)


def _described(asked: Asked) -> Answer:
    return tagged(json_answer(200, openapi.document()))


def _alive(asked: Asked) -> Answer:
    return json_answer(200, {"ok": True})
