"""The paths of the HTTP server, their methods, and who may use them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred

from chatlog.config.settings import HttpSettings
from chatlog.http import openapi
from chatlog.http.answers import Answer, error, json_answer, tagged
from chatlog.http.api import Api
from chatlog.http.documents import Documents
from chatlog.http.front import Front
from chatlog.http.guard import POLICY, beside, has_token, is_cross_site, policy
from chatlog.http.live import Live
from chatlog.http.metrics import CONTENT_TYPE, Metrics
from chatlog.http.no_room import NoRoom
from chatlog.naming import CHANNEL
from chatlog.recorder.recorder import Recorder
from chatlog.status import health
from chatlog.status.condition import Condition
from chatlog.status.status import Status

#: Paths that are answered under any host name, for monitoring. They show nothing that another site could use.
_OPEN = frozenset({"/healthz", "/readyz", "/metrics"})
_ROOM = re.compile(r"/api/v1/rooms/([a-z]+)/([^/]+)\Z")
_ACKNOWLEDGE = re.compile(r"/api/v1/rooms/([a-z]+)/([^/]+)/acknowledge\Z")
_WHERE = re.compile(r"/api/v1/cluster/rooms/([a-z]+)/([^/]+)\Z")
_LIVE = re.compile(r"/api/v1/rooms/([a-z]+)/([^/]+)/live\Z")
_PAGE = re.compile(r"/rooms/([a-z]+)/([^/]+)\Z")
_PARTS = (
    "alarms",
    "conditions",
    "connections",
    "counters",
    "headline",
    "platforms",
    "process",
    "spool",
    "uploads",
)
_READ = ("GET", "HEAD")
#: Answers a request; None if that is done by other means.
Handler = Callable[[Any], Answer | Deferred[Answer] | None]


class Root(Front):
    """Answers every path. The settings are read from ``status`` for each request, so that a reload takes
    effect. ``seconds`` is the clock."""

    def __init__(
        self, status: Status, recorder: Recorder, api: Api, live: Live, seconds: Callable[[], float]
    ) -> None:
        documents = Documents("chatlog.http")
        super().__init__("the recorder", documents, _OPEN)
        self._status = status
        self._recorder = recorder
        self._api = api
        self._live = live
        self._metrics = Metrics(status)
        self._no_room = NoRoom(documents, status.keys, seconds)

    def settings(self) -> HttpSettings:
        """The settings in force."""
        return self._status.settings.http

    def answer(self, request: Any, path: str, method: str) -> Answer | Deferred[Answer] | None:
        """Answer a request from an allowed host."""
        methods = self._methods(path)
        if not methods:
            return self.nothing(request)
        if method not in methods:
            allowed = ", ".join(sorted(methods))
            return error(405, "not_allowed", f"allowed here: {allowed}", Allow=allowed)
        if method not in _READ:
            refusal = self._refusal(request, request.getHeader("host") or "")
            if refusal is not None:
                return refusal
        return methods[method](request)

    def _refusal(self, request: Any, host: str) -> Answer | None:
        """The refusal of a request that may not change anything; None if it may."""
        if is_cross_site(host, request.getHeader("origin"), request.getHeader("sec-fetch-site")):
            return error(403, "cross_site", "another site's page may change nothing here")
        settings = self._status.settings.http
        if settings.token is None:
            return error(
                403, "no_token", "rooms cannot be changed here, because the configuration has no http.token"
            )
        if not has_token(request.getHeader("authorization"), settings):
            return error(
                401,
                "wrong_token",
                "send the configured http.token as Authorization: Bearer",
                WWW_Authenticate="Bearer",
            )
        return None

    def _methods(self, path: str) -> dict[str, Handler]:
        """The methods of a path with their handlers; empty if the path does not exist."""
        api = self._api
        if found := _LIVE.match(path):
            watched = found[1], found[2]
            # An endless stream, so there is no HEAD.
            return {"GET": lambda request: self._watch(request, *watched)}
        if found := _ACKNOWLEDGE.match(path):
            known = found[1], found[2]
            return {
                "POST": lambda request: api.acknowledge(*known, True),
                "DELETE": lambda request: api.acknowledge(*known, False),
            }
        if found := _ROOM.match(path):
            platform, name = found[1], found[2]
            removing: Handler = lambda request: api.remove_room(platform, name)  # noqa: E731
            return {**_reading(lambda request: api.room(platform, name)), "DELETE": removing}
        if (page := _PAGE.match(path)) and page[1] in self._api.platforms:
            return _reading(lambda request: self._room_page(request, *page.groups()))
        if path == "/api/v1/rooms":
            adding: Handler = lambda request: api.add_room(request.content.read())  # noqa: E731
            return {**_reading(lambda request: api.rooms(_query(request))), "POST": adding}
        if found := _WHERE.match(path):
            where = found[1], found[2]
            return _reading(lambda request: api.cluster.where(*where))
        if path == "/api/v1/drain":
            return {
                "POST": lambda request: api.cluster.drain(True),
                "DELETE": lambda request: api.cluster.drain(False),
            }
        if path == "/api/v1/rotate":
            return {"POST": lambda request: api.rotate()}
        if asset := self._documents.asset(path):
            return _reading(lambda request: asset)
        if path.startswith("/api/v1/") and (part := path.removeprefix("/api/v1/")) in _PARTS:
            return _reading(lambda request: api.part(part))
        single: dict[str, Handler] = {
            "/": lambda request: self._documents.page("index.html"),
            "/healthz": lambda request: self._verdict(health.alive),
            "/readyz": lambda request: self._verdict(health.ready),
            "/metrics": lambda request: Answer(200, self._metrics.exposition(), CONTENT_TYPE),
            "/api/v1/status": lambda request: api.status(),
            "/api/v1/cluster": lambda request: api.cluster.cluster(),
            "/api/v1/openapi.json": lambda request: tagged(json_answer(200, openapi.document())),
        }
        return _reading(single[path]) if path in single else {}

    def _room_page(self, request: Any, platform: str, name: str) -> Answer:
        if not self._status.has_room(platform, name):
            return self._no_room.answer(platform, name)
        page = self._documents.page("room.html")
        archive = beside(request.getHeader("host") or "", self._status.settings.archive.listen)
        # The page requests earlier messages from the archive server.
        return replace(page, headers={POLICY: policy(archive)}, etag=f'{page.etag[:-1]}{archive}"')

    def _verdict(self, judge: Callable[[list[Condition]], health.Verdict]) -> Answer:
        verdict = judge(self._status.conditions())
        return json_answer(verdict.status, verdict.body)

    def _watch(self, request: Any, platform: str, name: str) -> Answer | None:
        if not CHANNEL.match(name) or self._status.room(platform, name) is None:
            return error(404, "no_such_room", "this room is not recorded")
        return self._live.watch(request, self._recorder.room(platform, name))


def _reading(answer: Handler) -> dict[str, Handler]:
    return dict.fromkeys(_READ, answer)


def _query(request: Any) -> dict[str, str]:
    """The parameters of the query; of several values the last."""
    return {
        name.decode("utf-8", "replace"): values[-1].decode("utf-8", "replace")
        for name, values in request.args.items()
        if values
    }
