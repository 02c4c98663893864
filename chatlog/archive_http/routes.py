"""The paths of the archive server and their handlers."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote, urlencode

from chatlog.archive.day_book import DayBook
from chatlog.archive.lines import LAST
from chatlog.archive.matching import LONGEST_TEXT, Filter
from chatlog.archive.opening import Archive
from chatlog.archive.room_files import Room
from chatlog.archive.tallies import Tallies
from chatlog.archive_http.asked import ALL_ROOMS, EVERYBODY, Asked, Refused, Route, Stream
from chatlog.archive_http.facts import Facts
from chatlog.archive_http.logs import MOST_BYTES, Logs
from chatlog.archive_http.one_log import Wanted
from chatlog.archive_http.opted_out import unless_opted_out
from chatlog.archive_http.optouts import OptOuts
from chatlog.archive_http.own_routes import OWN, OwnRoutes
from chatlog.archive_http.ranges import Range, asked_range, of_day, of_month
from chatlog.archive_http.recent_messages import RecentMessages
from chatlog.archive_http.rooms import Rooms
from chatlog.archive_http.visits import Visits
from chatlog.http.answers import Answer, json_answer
from chatlog.http.documents import Documents

#: The capabilities that rustlog's clients look for.
CAPABILITIES = ("arbitrary-range-query", "search", "stats", "namehistory")
_C = r"/channel(?P<c>id)?/(?P<channel>[^/]+)"
_U = r"/user(?P<u>id)?/(?P<user>[^/]+)"
_DATE = r"(?P<year>[0-9]{4})/(?P<month>[0-9]{1,2})"
_DAY = rf"{_DATE}/(?P<day>[0-9]{{1,2}})"
_SLOW = re.compile(
    rf"{OWN}/(?:search|overview|users/.*|rooms/.*/export)\Z|.*/(?:search|stats|random)\Z|/namehistory/.*"
)
#: The paths that a public archive serves to everybody for one room at a time.
_ALL_ROOMS = re.compile(rf"{OWN}/(?:search|users/.*)\Z|(?:/kick)?/namehistory/.*")
_RECENT = re.compile(r"(?:/kick)?/api/v2/recent-messages/(?P<channel>[^/]+)\Z")


Groups = dict[str, str | None]


class Routes:
    """``now()`` is the time of day; ``most_bytes`` is the limit of records read for one request;
    ``is_live()`` says whether there is a firehose. ``all_rooms``: everybody may look through all rooms."""

    def __init__(
        self,
        archive: Archive,
        now: Callable[[], float],
        most_bytes: int = MOST_BYTES,
        is_live: Callable[[], bool] = lambda: False,
        optouts: OptOuts | None = None,
        all_rooms: bool = True,
    ) -> None:
        self._optouts = optouts
        self._all_rooms = all_rooms
        self._now = now
        self._is_live = is_live
        #: The pages.
        self.documents = Documents("chatlog.http", "chatlog.archive_http")
        self._hidden = archive.hidden
        days = DayBook(archive.store, now, archive.waiting)
        self._rooms = Rooms(archive, now, days)
        tallies = Tallies(archive.parts, hidden=archive.hidden)
        self._logs = Logs(archive, days, tallies, self._rooms.recordings, now, most_bytes)
        self._facts = Facts(self._rooms, now, most_bytes=most_bytes // 2)
        self._recent = RecentMessages(self._rooms, now)
        self._own = OwnRoutes(archive, self._rooms, days, tallies, now, most_bytes)
        self._visits = Visits(self._rooms, self.documents, optouts is not None and optouts.has_page)
        if optouts is not None:
            optouts.use(self.documents)
        self._compatible: list[tuple[re.Pattern[str], Callable[[Asked, str, Groups], Answer | Stream]]] = [
            (re.compile(pattern + r"\Z"), handle)
            for pattern, handle in (
                ("/channels", lambda asked, platform, groups: self._facts.channels(platform)),
                ("/list", self._list),
                ("/capabilities", lambda asked, platform, groups: json_answer(200, self.capabilities)),
                (r"/namehistory/(?P<id>[^/]+)", self._names),
                (_C, self._latest_day),
                (rf"{_C}/{_DAY}", self._day),
                (rf"{_C}/random", self._random),
                (rf"{_C}/stats", self._stats),
                (_C + _U, self._latest_month),
                (rf"{_C}{_U}/{_DATE}", self._month),
                (rf"{_C}{_U}/{_DAY}", self._day),
                (rf"{_C}{_U}/random", self._random),
                (rf"{_C}{_U}/search", self._search),
                (rf"{_C}{_U}/stats", self._stats),
            )
        ]

    @property
    def capabilities(self) -> list[str]:
        """The capabilities beyond justlog's API."""
        known = CAPABILITIES if self._all_rooms else CAPABILITIES[:-1]
        return [*known, *(["firehose"] if self._is_live() else [])]

    def find(self, path: str) -> Route | None:
        """The handler of a path; None if there is none."""
        if self._optouts is not None and (route := self._optouts.find(path)):
            return route
        slow = bool(_SLOW.match(path.removeprefix("/kick")))
        who = ALL_ROOMS if _ALL_ROOMS.match(path) else EVERYBODY
        if visit := self._visits.find(path):
            return Route(visit)
        if own := self._own.find(path):
            return Route(own, slow=slow, who=who)
        platform = "kick" if path.startswith("/kick/") else "twitch"
        if match := _RECENT.match(path):
            channel = match["channel"]
            return Route(lambda asked: self._recent.answer(asked, platform, channel), for_clients=True)
        path = path.removeprefix("/kick") if platform == "kick" else path
        path = path.rstrip("/") or "/"
        for pattern, handle in self._compatible:
            if match := pattern.match(path):
                groups = match.groupdict()
                if path != path.lower():
                    return Route(lambda asked: _to_lower_case(asked, platform, path), for_clients=True)
                return Route(
                    lambda asked, handle=handle, groups=groups: handle(asked, platform, groups),  # type: ignore[misc]
                    True,
                    slow,
                    who,
                )
        return None

    # -- rooms and people --------------------------------------------------------------------------------

    def _room(self, platform: str, groups: Groups) -> Room:
        channel = groups["channel"] or ""
        return self._rooms.of_id(platform, channel) if groups["c"] else self._rooms.named(platform, channel)

    # -- the compatible API --------------------------------------------------------------------------

    def _list(self, asked: Asked, platform: str, groups: Groups) -> Answer | Stream:
        query = asked.query
        if "channel" not in query and "channelid" not in query:
            raise Refused(400, "bad_query", "channel or channelid is missing")
        by_id = "channelid" in query
        room = (
            self._rooms.of_id(platform, query["channelid"])
            if by_id
            else self._rooms.named(platform, query["channel"])
        )
        if "userid" in query or "user" in query:
            user = f"id:{query['userid']}" if "userid" in query else query["user"].lower()
            return self._unless_opted_out(
                asked, room, user, lambda asked: self._facts.months(asked, room, user)
            )
        return self._facts.days(room)

    def _unless_opted_out(
        self, asked: Asked, room: Room, user: str, answer: Callable[[Asked], Answer | Stream]
    ) -> Answer | Stream:
        return unless_opted_out(self._hidden, room, user, asked, answer)

    def _names(self, asked: Asked, platform: str, groups: Groups) -> Answer | Stream:
        id = groups["id"] or ""
        everywhere = platform, ""
        return self._unless_opted_out(
            asked, everywhere, f"id:{id}", lambda asked: self._facts.names(asked, platform, id)
        )

    def _latest_day(self, asked: Asked, platform: str, groups: Groups) -> Answer | Stream:
        room = self._room(platform, groups)
        if range := asked_range(asked.query, self._now()):
            return self._logs.answer(asked, Wanted(room, range))
        days = self._rooms.days(room)
        if not days:
            raise Refused(404, "no_logs", "Not found")
        year, month, day = days[-1].split("-")
        return _redirect(asked, platform, groups, f"{year}/{int(month)}/{int(day)}")

    def _latest_month(self, asked: Asked, platform: str, groups: Groups) -> Answer | Stream:
        room, user = self._room(platform, groups), _user(groups)
        range = asked_range(asked.query, self._now())

        def answer(asked: Asked) -> Answer | Stream:
            if range:
                return self._logs.answer(asked, Wanted(room, range, Filter(users=(user,))))
            year, month = self._facts.latest_month(asked, room, user).split("-")
            return _redirect(asked, platform, groups, f"{year}/{int(month)}")

        return self._unless_opted_out(asked, room, user, answer)

    def _day(self, asked: Asked, platform: str, groups: Groups) -> Answer | Stream:
        day = of_day(groups["year"] or "", groups["month"] or "", groups["day"] or "")
        return self._log(asked, platform, groups, day)

    def _month(self, asked: Asked, platform: str, groups: Groups) -> Answer | Stream:
        return self._log(asked, platform, groups, of_month(groups["year"] or "", groups["month"] or ""))

    def _log(self, asked: Asked, platform: str, groups: Groups, range: Range) -> Answer | Stream:
        # justlog accepts from and to on paths with a date as well, and they take precedence.
        range = asked_range(asked.query, self._now()) or range
        user = _user(groups)
        if groups["c"] or asked.has("gaps"):
            room, is_certain = self._room(platform, groups), True
        else:
            room, is_certain = self._rooms.likely(platform, groups["channel"] or "")
        wanted = Wanted(room, range, Filter(users=(user,)) if user else Filter())
        try:
            return self._unless_opted_out(asked, room, user, lambda asked: self._logs.answer(asked, wanted))
        except Refused:
            if not is_certain:
                self._room(platform, groups)
            raise

    def _search(self, asked: Asked, platform: str, groups: Groups) -> Answer | Stream:
        text = asked.query.get("q", "")
        if not text:
            raise Refused(400, "bad_query", "q is missing: what to search for")
        if len(text) > LONGEST_TEXT:
            raise Refused(400, "bad_query", f"q has more than {LONGEST_TEXT} characters")
        room, user = self._room(platform, groups), _user(groups)
        range = asked_range(asked.query, self._now()) or Range(0.0, LAST)
        wanted = Wanted(room, range, Filter(text=text, users=(user,)))
        return self._unless_opted_out(asked, room, user, lambda asked: self._logs.answer(asked, wanted))

    def _random(self, asked: Asked, platform: str, groups: Groups) -> Answer | Stream:
        room, user = self._room(platform, groups), _user(groups)
        return self._unless_opted_out(asked, room, user, lambda asked: self._facts.random(asked, room, user))

    def _stats(self, asked: Asked, platform: str, groups: Groups) -> Answer | Stream:
        room, user = self._room(platform, groups), _user(groups)
        range = asked_range(asked.query, self._now()) or Range(0.0, LAST)
        if not user:
            return self._facts.stats(asked, room, range)
        return self._unless_opted_out(
            asked, room, user, lambda asked: self._facts.user_stats(asked, room, user, range)
        )


def _user(groups: Groups) -> str:
    """The person in a path, in the form for filters; ``""`` for none."""
    user = groups.get("user") or ""
    return f"id:{user}" if user and groups.get("u") else user.lower()


def _above(platform: str) -> str:
    return "/kick" if platform == "kick" else ""


def _redirect(asked: Asked, platform: str, groups: Groups, rest: str) -> Answer:
    path = f"{_above(platform)}/channel{groups['c'] or ''}/{quote(groups['channel'] or '', '')}"
    if groups.get("user"):
        path += f"/user{groups['u'] or ''}/{quote(groups['user'] or '', '')}"
    return _moved(303, f"{path}/{rest}", asked)


def _to_lower_case(asked: Asked, platform: str, path: str) -> Answer:
    return _moved(302, _above(platform) + quote(path.lower()), asked)


def _moved(status: int, path: str, asked: Asked) -> Answer:
    query = urlencode(dict(asked.query), errors="replace")
    where = f"{path}?{query}" if query else path
    return Answer(status, b"", "text/plain; charset=utf-8", {"Location": where})
