"""The HTTP server as a service. Its errors never affect recording."""

from __future__ import annotations

from typing import Any, NamedTuple

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.web.resource import Resource

from chatlog.config.settings import HttpSettings
from chatlog.http.guard import is_loopback, listen_host
from chatlog.http.requests import BoundedSite

#: Seconds until a taken port is tried again.
AGAIN = 30.0


class Words(NamedTuple):
    """The log messages of a server: it is readable by everybody, its port is taken, it listens."""

    open: str
    taken: str
    ready: str


PAGE = Words(
    "the page at {listen} can be read by everybody who reaches it; http.token is not set, so nothing can be "
    "changed there",
    "no page at {listen}: {reason}; recording goes on, and it is tried again",
    "page at http://{host}:{port}/",
)


class HttpServer(Service):
    """Listens where the settings say. A taken port is reported once and tried again; recording goes on
    without the page. ``words`` are the log messages; ``for_everybody``: everybody may read on purpose."""

    _log = Logger()
    name = "http"
    stop_limit = 0.1

    def __init__(
        self,
        settings: HttpSettings,
        reactor: Any,
        root: Resource,
        words: Words = PAGE,
        for_everybody: bool = False,
    ) -> None:
        self._words = words
        self._for_everybody = for_everybody
        #: Where to listen; read when the service starts.
        self.settings = settings
        self._reactor = reactor
        #: Serves the connections; its length is how many there are.
        self.site = BoundedSite(root, reactor)
        self._again: IDelayedCall | None = None
        self._reported = False
        #: The port; None while the server does not listen.
        self.port: Any = None

    def startService(self) -> None:
        super().startService()
        listen = self.settings.listen
        if listen and not is_loopback(listen) and self.settings.token is None and not self._for_everybody:
            self._log.warn(self._words.open, listen=listen)
        self._listen()

    def _listen(self) -> None:
        self._again = None
        listen = self.settings.listen or ""
        try:
            self.port = self._reactor.listenTCP(
                int(listen.rpartition(":")[2]), self.site, interface=listen_host(listen)
            )
        except (CannotListenError, OSError) as error:
            if not self._reported:
                self._reported = True
                reason = getattr(getattr(error, "socketError", error), "strerror", None) or str(error)
                self._log.error(self._words.taken, listen=listen, reason=reason)
            self._again = self._reactor.callLater(AGAIN, self._listen)
            return
        self._reported = False
        at = self.port.getHost()
        host = f"[{at.host}]" if ":" in at.host else at.host
        self._log.info(self._words.ready, host=host, port=at.port)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        if self._again is not None:
            self._again.cancel()
            self._again = None
        port, self.port = self.port, None
        self.site.drop_all()
        if port is None:
            return succeed(None)
        return maybeDeferred(port.stopListening).addCallback(lambda _: None)
