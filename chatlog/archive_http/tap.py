"""``twistd chatlog-archive``: its options, and building the archive server."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from typing import Any, NoReturn

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.python import usage

from chatlog import configuration as config
from chatlog import logs, signals
from chatlog.archive.file_cache import cache_of
from chatlog.archive.opening import Archive, open_archive
from chatlog.archive_http.access import Access
from chatlog.archive_http.chores import chores_in
from chatlog.archive_http.firehose import Firehose
from chatlog.archive_http.list_watch import ListWatch
from chatlog.archive_http.memory import share_arenas
from chatlog.archive_http.optouts import OptOuts
from chatlog.archive_http.routes import Routes
from chatlog.archive_http.site import Root
from chatlog.archive_http.streaming import THREADS, Desk
from chatlog.archive_http.tidying import Tidying
from chatlog.config import values
from chatlog.config.settings import Settings
from chatlog.http.server import HttpServer, Words
from chatlog.platforms import PLATFORMS
from chatlog.printable import printable
from chatlog.services import OwnedThreads
from chatlog.store.store import StoreError

#: The exit status if the server cannot start.
FAILED = 1
#: The default address.
LISTEN = "127.0.0.1:8081"
WORDS = Words(
    "the archive at {listen} can be read by everybody who reaches it",
    "the archive is not served at {listen}: {reason}; it is tried again",
    "archive at http://{host}:{port}/",
)


class Options(usage.Options):
    """The command line. A configuration with problems ends the command here, and all problems are shown."""

    synopsis = "[--config PATH] [--listen HOST:PORT]"
    longdesc = "Serve what was recorded over HTTP."
    optParameters = [  # noqa: RUF012
        ["config", "c", "chatlog.yaml", "The configuration file; it names the archive."],
        ["listen", "l", None, f"Where to listen, else archive.listen, else {LISTEN}."],
    ]
    optFlags = [  # noqa: RUF012
        ["beside", None, "A recorder runs beside it, which may not have stored anything yet."],
        ["verbose", "v", "Log debug messages too."],
    ]

    def postOptions(self) -> None:
        """Read the configuration. Exits with status 1 when it has problems."""
        try:
            self.settings = config.load(self["config"], os.environ)
        except config.ConfigError as error:
            _complain(error.problems)
        if self["listen"] is not None:
            try:
                self["listen"] = values.LISTEN.read(self["listen"])
            except ValueError as problem:
                _complain([f"--listen: {printable(self['listen'], 80)} {problem}"])


def _complain(problems: list[str]) -> NoReturn:
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    raise SystemExit(FAILED)


class ArchiveServer(MultiService):
    """The archive's server. ``http`` is its listening port; ``page`` is the address at which the recorder's
    page listens."""

    def __init__(
        self,
        archive: Archive,
        settings: Settings,
        reactor: Any,
        options: Any = None,
        page: str | None = None,
    ) -> None:
        super().__init__()
        self._options = options
        deliver = reactor.callFromThread
        quick, slow = (OwnedThreads(name, THREADS, deliver) for name in ("archive", "search"))
        self._pools = quick, slow
        self.desk = Desk(quick, slow, reactor)
        self.firehose = Firehose(archive.tail, quick, reactor)
        access = Access(settings.http, settings.archive)
        optouts = OptOuts(archive, settings, PLATFORMS, time.time)
        live = lambda: self.firehose.is_there  # noqa: E731
        routes = Routes(archive, time.time, is_live=live, optouts=optouts, all_rooms=access.all_rooms)
        describe = archive.store.describe
        root = Root(routes, archive.reader, self.desk, access, describe, self.firehose, page)
        self.http = HttpServer(settings.http, reactor, root, WORDS, settings.archive.public)
        self.http.setServiceParent(self)
        ListWatch(archive.hidden, quick, reactor).setServiceParent(self)

    def setServiceParent(self, parent: Any) -> None:
        if self._options is not None:
            logs.install(parent, self._options)
        super().setServiceParent(parent)

    def stopService(self) -> Deferred[None]:
        stopped: Deferred[None] = super().stopService()
        self.firehose.stop()
        self.desk.stop()
        for pool in self._pools:
            pool.stop()
        return stopped


def makeService(options: Options, reactor: Any = None) -> ArchiveServer:
    """The server for ``options.settings``, not started yet."""
    if reactor is None:
        from twisted.internet import reactor as installed

        reactor = installed
        # Timers must not stop if the clock is set back.
        reactor.seconds = time.monotonic
        # SIGHUP has nothing to reload: every request reads the archive.
        reactor.callWhenRunning(signals.Running(reactor, lambda: None).take)
    share_arenas()
    settings: Settings = options.settings
    listen = options["listen"] or settings.archive.listen or LISTEN
    try:
        archive = open_archive(settings, time.time, may_be_new=bool(options["beside"]))
    except StoreError as error:
        _complain([f"cannot read the archive: {error}"])
    here = replace(settings, http=replace(settings.http, listen=listen))
    server = ArchiveServer(archive, here, reactor, options, settings.http.listen)
    chores_in(reactor, options["config"], settings).setServiceParent(server)
    Tidying(reactor, cache_of(settings, archive.store).tidy).setServiceParent(server)
    return server
