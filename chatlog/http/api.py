"""``/api/v1/``: the state as JSON, and the requests that change something."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, Protocol

import orjson
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatlog.config.platform import Channel, Key
from chatlog.http.answers import Answer, error, json_answer, tagged
from chatlog.http.cluster_api import ClusterApi
from chatlog.rooms.room_list import ListAway, RoomListError
from chatlog.status.natural import natural
from chatlog.status.room_problems import KINDS, UNWRITTEN
from chatlog.status.status import Status

#: The most rooms in one answer.
PAGE = 1000
#: A list of rooms is reused for this many seconds, and for at least this many times the time that it took to
#: make. So it never takes more than a hundredth of the processor.
_FRESH = 5.0
_PATIENCE = 100
#: The most answers that are kept for one list.
_KEPT = 8

Facts = dict[str, Any]

_WORST_FIRST = (UNWRITTEN, *KINDS, "")
#: The orders of a list of rooms.
SORTS: Mapping[str, Callable[[Facts], Any]] = {
    "name": lambda room: (natural(room["name"]), room["platform"]),
    "state": lambda room: (_WORST_FIRST.index(room["problem"]), natural(room["name"])),
    "rate": lambda room: (-room["rate"], natural(room["name"])),
    "last": lambda room: (-(room["last"] or 0.0), natural(room["name"])),
    "gaps": lambda room: (-room["gaps_today"], natural(room["name"])),
    "coverage": lambda room: (room["coverage_today"], natural(room["name"])),
}


class Rooms(Protocol):
    """The list of wanted rooms. ``platforms`` are the names of the platforms of rooms."""

    @property
    def platforms(self) -> Collection[str]: ...

    def rooms(self) -> dict[Key, Channel]: ...

    def named(self, text: str, platform: str = "", **ids: Any) -> tuple[Key, Channel]: ...

    def add(self, platform: str, channel: Channel) -> bool | Deferred[bool]: ...

    def remove(self, platform: str, name: str) -> bool | Deferred[bool]: ...


class Api:
    """The answers of the API. ``rotate()`` finishes all files at once; ``seconds`` is the clock. ``cluster``
    has the answers about other recorders."""

    def __init__(
        self,
        status: Status,
        rooms: Rooms,
        rotate: Callable[[], object],
        seconds: Callable[[], float],
        cluster: ClusterApi | None = None,
    ) -> None:
        self.cluster = cluster or ClusterApi()
        self._status = status
        self._rooms = rooms
        self._rotate = rotate
        self._seconds = seconds
        #: The names of the platforms that rooms can be of.
        self.platforms = rooms.platforms
        self._listed: list[Facts] = []
        self._fresh_until = float("-inf")
        self._answers: dict[tuple[str | int, ...], Answer] = {}
        self._answered: tuple[Any, Answer] | None = None

    def status(self) -> Answer:
        """GET status."""
        facts = self._status.snapshot()
        # The same answer for all requests within a second, compressed once.
        if self._answered is None or self._answered[0] != (facts["now"], facts["alarms"]):
            whole = {**facts, "archive": self._status.settings.archive.listen}
            self._answered = (facts["now"], facts["alarms"]), tagged(json_answer(200, whole))
        return self._answered[1]

    def part(self, name: str) -> Answer:
        """GET connections, uploads, alarms and so on: one part of the status."""
        return json_answer(200, self._status.snapshot()[name])

    def rooms(self, query: Mapping[str, str]) -> Answer:
        """GET rooms: ``q`` (part of the name), ``platform``, ``problems`` (1: only those that are not
        recorded), ``sort``, ``offset``, ``limit``."""
        sort = query.get("sort", "name")
        if sort not in SORTS:
            return error(400, "bad_query", f"sort must be one of {', '.join(SORTS)}")
        try:
            offset, limit = (
                int(query.get(name, default)) for name, default in (("offset", "0"), ("limit", str(PAGE)))
            )
        except ValueError:
            return error(400, "bad_query", "offset and limit must be whole numbers")
        if not (0 <= offset <= 10**6 and 1 <= limit <= PAGE):
            return error(400, "bad_query", f"offset must not be negative, limit 1 to {PAGE}")
        text, platform, problems = (
            query.get("q", "").lower(),
            query.get("platform", ""),
            query.get("problems"),
        )
        everything = self._list()
        asked = text, platform, problems == "1", sort, offset, limit
        answer = self._answers.get(asked)
        if answer is None:
            found = [
                room
                for room in everything
                if text in room["name"]
                and (not platform or room["platform"] == platform)
                and (problems != "1" or room["state"] != "recorded")
            ]
            found.sort(key=SORTS[sort])
            page = found[offset : offset + limit]
            facts = {"total": len(everything), "matching": len(found), "rooms": page}
            answer = tagged(json_answer(200, facts))
            if len(self._answers) < _KEPT:
                self._answers[asked] = answer
        return answer

    def _list(self) -> list[Facts]:
        now = self._seconds()
        if now >= self._fresh_until:
            self._listed = list(self._status.rooms())
            self._answers.clear()
            took = self._seconds() - now
            self._fresh_until = now + max(_FRESH, _PATIENCE * took)
        return self._listed

    def _changed(self) -> None:
        """The next answers show the change."""
        self._fresh_until = float("-inf")
        self._answered = None
        self._status.changed()

    def room(self, platform: str, name: str) -> Answer:
        """GET rooms/{platform}/{name}."""
        facts = self._status.room(platform, name) or self.cluster.elsewhere(platform, name)
        if facts is None:
            return error(404, "no_such_room", "this room is not recorded")
        return json_answer(200, facts)

    def add_room(self, body: bytes) -> Answer | Deferred[Answer]:
        """POST rooms."""
        try:
            given = orjson.loads(body)
        except ValueError:
            return error(400, "bad_json", "the body must be a JSON object")
        if (
            not isinstance(given, dict)
            or not isinstance(given.get("name"), str)
            or not isinstance(given.setdefault("platform", ""), str)
        ):
            return error(400, "bad_room", "the body must be an object with platform and name")
        unknown = sorted(set(given) - {"platform", "name", "chatroom_id", "channel_id"})
        if unknown:
            return error(400, "bad_room", f"unknown key: {unknown[0][:40]}")
        try:
            ids = {key: _id(given, key) for key in ("chatroom_id", "channel_id")}
            (platform, name), channel = self._rooms.named(given["name"], given["platform"], **ids)
            new = self._rooms.add(platform, channel)
        except RoomListError as problem:
            return error(400, "bad_room", str(problem))
        except OSError as problem:
            return self._not_kept(problem)
        return self._then(new, partial(self._added, platform, name))

    def _added(self, platform: str, name: str, new: bool) -> Answer:
        self._changed()
        return json_answer(201 if new else 200, {"platform": platform, "name": name, "added": new})

    @staticmethod
    def _then(found: bool | Deferred[bool], answer: Callable[[bool], Answer]) -> Answer | Deferred[Answer]:
        """The answer once the result of a change is known."""
        if not isinstance(found, Deferred):
            return answer(found)
        return found.addCallbacks(answer, _list_away)

    def remove_room(self, platform: str, name: str) -> Answer | Deferred[Answer]:
        """DELETE rooms/{platform}/{name}."""
        try:
            gone = self._rooms.remove(platform, name)
        except OSError as problem:
            return self._not_kept(problem)
        return self._then(gone, partial(self._removed, platform, name))

    def _removed(self, platform: str, name: str, gone: bool) -> Answer:
        try:
            if gone and self._status.acknowledged is not None:
                self._status.acknowledged.over([(platform, name)])
        except OSError as problem:
            return self._not_kept(problem)
        self._changed()
        if not gone:
            return error(404, "no_such_room", "this room is not recorded")
        return json_answer(200, {"platform": platform, "name": name, "removed": True})

    def acknowledge(self, platform: str, name: str, known: bool) -> Answer:
        """POST and DELETE rooms/{platform}/{name}/acknowledge: the user knows that the room is not recorded,
        or wants it reported again."""
        facts = self._status.room(platform, name)
        if facts is None:
            return error(404, "no_such_room", "this room is not on the list")
        if known and facts["state"] == "recorded":
            return error(409, "is_recorded", "this room is recorded, so there is nothing to acknowledge")
        acknowledged = self._status.acknowledged
        try:
            if acknowledged is not None:
                (acknowledged.add if known else acknowledged.discard)((platform, name))
        except OSError as problem:
            return self._not_kept(problem)
        self._changed()
        return json_answer(200, {"platform": platform, "name": name, "acknowledged": known})

    def rotate(self) -> Answer:
        """POST rotate."""
        self._rotate()
        return json_answer(202, {"rotating": True})

    @staticmethod
    def _not_kept(problem: OSError) -> Answer:
        why = problem.strerror or "the disk takes nothing"
        return error(507, "not_kept", f"the change cannot be kept, so it was not made: {why}")


def _list_away(failure: Failure) -> Answer:
    failure.trap(ListAway)
    return error(503, "list_away", failure.getErrorMessage())


def _id(given: Facts, name: str) -> Any:
    """An id of the body. 4.0 counts as 4, because JSON does not distinguish them."""
    value = given.get(name)
    return int(value) if isinstance(value, float) and value.is_integer() else value
