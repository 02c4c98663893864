"""The part of request handling that both servers share: host names, errors, unknown paths."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Any
from urllib.parse import unquote

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from chatlog.config.settings import HttpSettings
from chatlog.http.answers import Answer, error
from chatlog.http.documents import Documents
from chatlog.http.guard import is_our_name
from chatlog.http.requests import send


class Front(Resource, ABC):
    """Handles all paths of a server. After an internal error, the answer refers to the log of ``whose``.
    ``documents`` are the server's pages; ``open_paths`` are answered under any host name."""

    isLeaf = True
    _log = Logger()

    def __init__(self, whose: str, documents: Documents, open_paths: Collection[str]) -> None:
        super().__init__()
        self._whose = whose
        self._documents = documents
        self._open_paths = open_paths

    @abstractmethod
    def settings(self) -> HttpSettings:
        """The settings in force."""

    @abstractmethod
    def answer(self, request: Any, path: str, method: str) -> Answer | Deferred[Answer] | None:
        """The answer to a request from an allowed host; None if it is sent by other means."""

    def render(self, request: Any) -> int:
        """Answer one request. An exception is logged and answered with status 500."""
        try:
            answer = self._answer(request)
        except Exception:
            self._log.failure("while answering a request")
            answer = error(500, "internal", f"something went wrong; the log of {self._whose} has more")
        if isinstance(answer, Deferred):
            gone: list[object] = []
            request.notifyFinish().addBoth(gone.append)
            answer.addErrback(self._failed)
            answer.addCallback(lambda found: None if gone else send(request, found))
        elif answer is not None:
            send(request, answer)
        return NOT_DONE_YET

    def _failed(self, failure: Failure) -> Answer:
        self._log.failure("while answering a request", failure=failure)
        return error(500, "internal", f"something went wrong; the log of {self._whose} has more")

    def _answer(self, request: Any) -> Answer | Deferred[Answer] | None:
        try:
            path = unquote(request.path.decode("ascii"), errors="strict")
        except UnicodeDecodeError:
            return error(400, "bad_path", "the path is not UTF-8")
        host = request.getHeader("host")
        if path not in self._open_paths and (host is None or not is_our_name(host, self.settings())):
            text = "this is not served under that name; http.hosts lists further names"
            return error(421, "unknown_host", text)
        return self.answer(request, path, request.method.decode("ascii", "replace"))

    def nothing(self, request: Any) -> Answer:
        """The answer for an unknown path: a page for browsers, JSON for programs."""
        if "text/html" in (request.getHeader("accept") or ""):
            return self._documents.missing("There is nothing here")
        return error(404, "not_found", "there is nothing here")
