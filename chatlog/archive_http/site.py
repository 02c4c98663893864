"""The entry of all requests: checks who may ask, and answers failures."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from twisted.python.failure import Failure

from chatlog.archive.matching import FilterError
from chatlog.archive.reader import Reader
from chatlog.archive_http.access import Access
from chatlog.archive_http.asked import READ, Asked, Refused, Route, Work
from chatlog.archive_http.firehose import Firehose
from chatlog.archive_http.optouts import NotKept
from chatlog.archive_http.rates import CODE, SLOW, Rates, address_of
from chatlog.archive_http.routes import Routes
from chatlog.archive_http.streaming import AT_ONCE, Desk
from chatlog.config.settings import HttpSettings
from chatlog.counted import many
from chatlog.http.answers import Answer, error, json_answer
from chatlog.http.front import Front
from chatlog.http.guard import beside
from chatlog.printable import printable
from chatlog.store.store import StoreError

#: The most parameters of a query, and the most characters of each.
_PARAMETERS, _LONGEST = 50, 2000
_PLAIN = "text/plain; charset=utf-8"
#: Header of every answer that pages of other sites may read.
FOR_CLIENTS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "*",
}
_FIREHOSE = re.compile(r"(/kick)?/firehose/?\Z")


class Root(Front):
    """Every path. ``access`` says who may ask for what; ``page`` is the address at which the recorder's page
    listens, which may read the own API as well."""

    def __init__(
        self,
        routes: Routes,
        reader: Reader,
        desk: Desk,
        access: Access,
        describe: Callable[[], str],
        firehose: Firehose,
        page: str | None = None,
    ) -> None:
        super().__init__("the archive server", routes.documents, ("/healthz",))
        self._routes = routes
        self._reader = reader
        self._desk = desk
        self._access = access
        self._describe = describe
        self._firehose = firehose
        self._rates = Rates(desk.seconds)
        self._page = page

    def settings(self) -> HttpSettings:
        """The settings."""
        return self._access.http

    def answer(self, request: Any, path: str, method: str) -> Answer | None:
        """Answer a permitted request."""
        if (match := _FIREHOSE.match(path)) and method == "GET":
            as_json = b"jsonbasic" in request.uri.partition(b"?")[2].lower()
            refused = self._firehose.take(request, "kick" if match[1] else "twitch", as_json)
            return refused and _with(refused, self._for_clients())
        asset = self._documents.asset(path)
        route = self._routes.find(path) if asset is None else None
        if asset is None and route is None:
            return self.nothing(request) if _is_for_people(request, path) else _no_route(path)
        for_clients = route is not None and route.for_clients
        headers = self._for_clients() if for_clients else self._for_page(request)
        if method == "OPTIONS" and route is not None and for_clients:
            return Answer(200, b"", _PLAIN, {**headers, **_preflight(route)})
        methods = route.methods if route is not None else READ
        if method not in methods:
            allowed = ", ".join(methods)
            return _with(error(405, "not_allowed", f"allowed here: {allowed}", Allow=allowed), headers)
        if asset is not None or route is None:
            return asset
        if path == "/healthz":
            # Health checks are answered under load too.
            return json_answer(200, {"ok": True})
        cost = CODE if method == "POST" and route.for_clients else SLOW if route.slow else 1
        if wait := self._rates.wait(address_of(request), cost):
            text = f"too many requests from your address; ask again in {many(wait, 'second')}"
            return _busy(text, wait, route.for_clients, headers)
        if self._desk.full:
            text = f"{AT_ONCE} requests are being answered already; ask again in a moment"
            return _busy(text, 5, route.for_clients, headers)
        asked = _asked(request, method, Work(self._reader))
        try:
            self._access.check(request, asked, route)
        except Refused as problem:
            return _with(_refusal(problem, route.for_clients), headers)
        self._desk.start(
            request,
            asked,
            route.handle,
            lambda failure: self._refused(failure, route.for_clients),
            headers,
            route.slow,
        )
        return None

    def _for_clients(self) -> dict[str, str]:
        return {**FOR_CLIENTS, "x-rustlog-capabilities": ",".join(self._routes.capabilities)}

    def _for_page(self, request: Any) -> dict[str, str]:
        """Lets the page of the recorder on this machine read the answer."""
        origin = request.getHeader("origin")
        if origin is None or origin != beside(request.getHeader("host") or "", self._page):
            return {}
        return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}

    def _refused(self, failure: Failure, for_clients: bool) -> Answer:
        """The answer for a handler's exception."""
        problem = failure.value
        if isinstance(problem, Refused):
            return _refusal(problem, for_clients)
        if isinstance(problem, FilterError):
            return _refusal(Refused(400, "bad_query", str(problem)), for_clients)
        if isinstance(problem, NotKept):
            self._log.error(
                "cannot change the opt-out list: {reason}", reason=printable(problem.error.advice)
            )
            text = "the list cannot be changed; the log of the archive server says why"
            return _refusal(Refused(507, "not_kept", text), for_clients)
        if isinstance(problem, StoreError):
            self._log.error(
                "cannot read {archive}: {reason}", archive=self._describe(), reason=printable(str(problem))
            )
            text = "the archive cannot be read at present; the log of the archive server says why"
            answer = _refusal(Refused(503, "no_archive", text), for_clients)
            return _with(answer, {"Retry-After": "30"})
        self._log.failure("while answering a request", failure=failure)
        text = "something went wrong; the log of the archive server has more"
        return _refusal(Refused(500, "internal", text), for_clients)


def _preflight(route: Route) -> dict[str, str]:
    allowed = ", ".join((*route.methods, "OPTIONS"))
    return {
        "Access-Control-Allow-Methods": allowed,
        "Access-Control-Allow-Headers": "*",
        "Access-Control-Max-Age": "86400",
        "Allow": allowed,
    }


def _asked(request: Any, method: str, work: Work) -> Asked:
    query = {}
    for name, values in list(request.args.items())[:_PARAMETERS]:
        if values:
            value = values[-1].decode("utf-8", "replace")[:_LONGEST]
            query[name.decode("utf-8", "replace")[:100]] = value
    # Twisted leaves out names without a value, and most parameters of log servers have none.
    _, _, text = request.uri.partition(b"?")
    for part in text.split(b"&")[:_PARAMETERS]:
        if part and b"=" not in part:
            query.setdefault(unquote(part.decode("ascii", "replace"))[:100], "")
    tags = (request.getHeader("if-none-match") or "")[:4000]
    as_json = (request.getHeader("content-type") or "").lower().startswith("application/json")
    by_browser = "text/html" in (request.getHeader("accept") or "")
    body = b"" if method in READ else request.content.read()
    tagged = frozenset(tag.strip() for tag in tags.split(","))
    return Asked(query, work, tagged, as_json, method, body, by_browser)


def _refusal(problem: Refused, for_clients: bool) -> Answer:
    text = printable(problem.text)
    if for_clients:
        return _with(_text(problem.status, text), problem.headers)
    return _with(error(problem.status, problem.code, text), problem.headers)


def _busy(text: str, wait: int, for_clients: bool, headers: dict[str, str]) -> Answer:
    busy = _refusal(Refused(429, "too_many_requests", text), for_clients)
    return _with(busy, {**headers, "Retry-After": str(wait)})


def _text(status: int, text: str) -> Answer:
    return Answer(status, text.encode("utf-8", "replace"), _PLAIN, dict(FOR_CLIENTS))


def _no_route(path: str) -> Answer:
    if path.startswith("/api/v1/"):
        return error(404, "not_found", "there is nothing here")
    return _text(404, "route not found")


def _is_for_people(request: Any, path: str) -> bool:
    return "text/html" in (request.getHeader("accept") or "") and not path.startswith("/api/")


def _with(answer: Answer, headers: dict[str, str]) -> Answer:
    answer.headers = {**headers, **answer.headers}
    return answer
