"""``twistd chatlog``: its options, and the one place where the parts are put together."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urlsplit

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python import usage
from twisted.web.client import Agent

from chatlog import config, logs, pacing
from chatlog.counters import Counters
from chatlog.coverage import Hole
from chatlog.files import OsFiles
from chatlog.gap import gap_line
from chatlog.kick.client import connect as connect_kick
from chatlog.kick.ids import ChannelIds, IdCache
from chatlog.kick.lookup import http_get
from chatlog.kick.rooms import KickRooms
from chatlog.record import SERVER_CHANNEL, Encode, encode_basic, encode_full
from chatlog.recorder import Recorder
from chatlog.seats import Log, Room
from chatlog.services import OwnedThreads, StagedService
from chatlog.settings import KickSettings, Settings, TwitchSettings
from chatlog.spool import Spool, SpoolError
from chatlog.store import StoreError, open_store
from chatlog.tls import CertificateAuthorityError, tls_wrapper
from chatlog.twitch.intake import Intake
from chatlog.twitch.rooms import twitch_pool
from chatlog.uploader import Uploader

#: The exit status when the daemon gives up by itself, so that a supervisor starts it again.
FAILED = 1


class Options(usage.Options):
    """The command line. A configuration with problems ends the command here, with all of them."""

    synopsis = "[--config PATH] [--check]"
    longdesc = "Record the chat of Twitch and Kick channels around the clock."
    optParameters = [["config", "c", "chatlog.yaml", "The configuration file."]]  # noqa: RUF012
    optFlags = [  # noqa: RUF012
        ["check", None, "Say what the configuration means and what is wrong with it, then exit."],
        ["verbose", "v", "Log debug messages too."],
    ]

    def postOptions(self) -> None:
        """Read the configuration. Exits with status 1 when it has problems, and after --check."""
        try:
            self.settings = config.load(self["config"], os.environ)
        except config.ConfigError as error:
            _complain(error.problems)
        problems = config.check_directories(self.settings)
        if self["check"]:
            sys.stdout.write(config.describe(self.settings))
        if problems:
            _complain(problems)
        if self["check"]:
            raise SystemExit(0)


def _complain(problems: list[str]) -> NoReturn:
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    raise SystemExit(FAILED)


class Daemon(StagedService):
    """Everything, in the order in which it starts; it stops the other way round: sources first, then
    the recorder, then the uploader."""

    _log = Logger()

    def __init__(self, reactor: Any, options: Mapping[str, Any]) -> None:
        super().__init__(reactor)
        self._reactor = reactor
        self._options = options
        self._failed = False

    def setServiceParent(self, parent: Any) -> None:
        # twistd asks the application for its log observer after this and before it logs anything.
        logs.install(parent, self._options)
        super().setServiceParent(parent)

    def startService(self) -> None:
        try:
            super().startService()
        except SpoolError as error:
            self.fail(str(error))

    def fail(self, reason: str) -> None:
        """End the process with a status that makes a supervisor start it again."""
        if self._failed:
            return
        self._failed = True
        self._log.critical("{reason}; chatlog ends, so that a new start can recover", reason=reason)
        # twistd itself would report success.
        self._reactor.addSystemEventTrigger("after", "shutdown", os._exit, FAILED)
        self._reactor.callWhenRunning(self._reactor.stop)


class Drain(Service):
    """Reads what the kernel still holds before the connections are closed. Stops first."""

    name = "last reads"

    def __init__(self, pacer: pacing.Pacer) -> None:
        self._pacer = pacer

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return Deferred.fromCoroutine(self._pacer.drain())


@dataclass(frozen=True, slots=True)
class Shared:
    """What every source is built with."""

    reactor: Any
    wall: Callable[[], float]
    counters: Counters
    encode: Encode
    pacer: pacing.Pacer
    recorder: Recorder

    def log(self, platform: str) -> Callable[[str], Log]:
        """The recorder's rooms of a platform, by name."""
        return lambda name: self.recorder.room(platform, name)

    def on_hole(self, platform: str) -> Callable[[Room, Hole], None]:
        """What writes down the holes of a platform's rooms."""

        def write(room: Room, hole: Hole) -> None:
            self.counters.gaps += 1
            line = gap_line(self.encode, platform, room.name, room.identifier, hole)
            if line:
                room.log.append(line)

        return write

    def wrap(self, factory: Any) -> Any:
        """What lies between TCP and what speaks over it."""
        return pacing.Paced(factory, self.pacer)


def twitch(settings: TwitchSettings, shared: Shared) -> Service:
    """The recorder of Twitch's rooms. Raises CertificateAuthorityError."""
    tls = tls_wrapper(settings.host, settings.ca_file) if settings.tls else _plain
    log_of = shared.log("twitch")
    pool = twitch_pool(
        settings,
        shared.reactor,
        shared.reactor,
        shared.wall,
        shared.counters,
        lambda rooms: Intake(
            rooms,
            log_of(SERVER_CHANNEL),
            shared.encode,
            shared.counters,
            shared.reactor.seconds,
            shared.wall,
        ),
        shared.on_hole("twitch"),
        lambda factory: shared.wrap(tls(factory)),
    )
    for login in settings.channels:
        pool.add(Room(login, log_of(login)))
    return pool


def kick(settings: KickSettings, shared: Shared, directory: str) -> Service:
    """The recorder of Kick's rooms. Raises CertificateAuthorityError."""
    tls = tls_wrapper(urlsplit(settings.server).hostname or "", settings.ca_file)
    log_of = shared.log("kick")
    rooms = KickRooms(
        settings,
        shared.reactor,
        shared.wall,
        shared.counters,
        shared.encode,
        log_of(SERVER_CHANNEL),
        log_of,
        shared.on_hole("kick"),
        lambda factory: connect_kick(shared.reactor, factory, shared.wrap, tls),
    )
    ids = ChannelIds(
        settings.lookup,
        http_get(Agent(shared.reactor)),
        IdCache(OsFiles(), directory),
        shared.reactor,
        rooms.add,
        any("{channel_id}" in template for template in settings.subscribe),
    )
    for channel in settings.channels:
        ids.add(channel)
    together = StagedService(shared.reactor)
    together.setName("kick")
    for part in (rooms.pool, rooms, ids):
        part.setServiceParent(together)
    return together


def _plain(factory: Any) -> Any:
    return factory


def makeService(options: Options, reactor: Any = None) -> Daemon:
    """The daemon that ``options.settings`` describe. Nothing is started and no server is needed."""
    if reactor is None:
        from twisted.internet import reactor

        # Timers must not stand still when somebody sets the clock back.
        reactor.seconds = time.monotonic
    try:
        return compose(options.settings, options, reactor, time.time)
    except (CertificateAuthorityError, StoreError) as error:
        _complain([str(error)])


def compose(
    settings: Settings, options: Mapping[str, Any], reactor: Any, wall: Callable[[], float]
) -> Daemon:
    """Put the parts together. Raises CertificateAuthorityError and StoreError."""
    daemon = Daemon(reactor, options)
    counters = Counters()
    files = OsFiles()
    pacer = pacing.Pacer(reactor)
    uploader = Uploader(
        settings.uploader,
        open_store(settings),
        settings.recorder.directory,
        files,
        counters,
        reactor,
        wall,
        OwnedThreads("upload", settings.uploader.concurrency, reactor.callFromThread),
        on_freed=lambda size: recorder.freed(size),
        on_packed=lambda delta: recorder.packed(delta),
    )
    recorder = Recorder(
        settings.recorder,
        Spool(settings.recorder.directory, files, settings.instance),
        counters,
        reactor,
        wall,
        OwnedThreads("disk", 2, reactor.callFromThread),
        pacer.tick,
        uploader.sealed,
        daemon.fail,
    )
    encode = encode_full if settings.recorder.detail == "full" else encode_basic
    shared = Shared(reactor, wall, counters, encode, pacer, recorder)
    uploader.setServiceParent(daemon)
    recorder.setServiceParent(daemon)
    if settings.twitch is not None:
        twitch(settings.twitch, shared).setServiceParent(daemon)
    if settings.kick is not None:
        kick(settings.kick, shared, settings.recorder.directory).setServiceParent(daemon)
    Drain(pacer).setServiceParent(daemon)
    return daemon
