"""``twistd chatlog``: its options, and the one place where the parts are put together."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from twisted.application.service import Service
from twisted.python import usage

from chatlog import logs, signals
from chatlog.alarms.alarms import Alarms
from chatlog.alarms.webhook import Webhook
from chatlog.config import config
from chatlog.config.ephemeral import warnings
from chatlog.config.settings import Settings
from chatlog.counters import Counters
from chatlog.daemon import FAILED, Daemon, Lock, Sources
from chatlog.files import Files, OsFiles
from chatlog.journal.journal_file import JournalFile, boot_id
from chatlog.journal.presence import Presence
from chatlog.mounts import read_mounts
from chatlog.network import pacing
from chatlog.network.dialing import Network
from chatlog.network.http import http_client
from chatlog.network.proxies import DIRECT, Proxies, proxies_in
from chatlog.network.tls import CertificateAuthorityError
from chatlog.preflight import examine
from chatlog.record import encode_basic, encode_full
from chatlog.recorder.commits import Threads
from chatlog.recorder.recorder import Recorder
from chatlog.recorder.room import Loss
from chatlog.reload import Reload, in_force
from chatlog.rooms.acknowledged import Acknowledged
from chatlog.rooms.coverage import Hole
from chatlog.rooms.gap import gap_line, loss_line
from chatlog.rooms.pool import Pool
from chatlog.rooms.room_list import RoomList
from chatlog.rooms.seats import Room
from chatlog.services import OwnedThreads
from chatlog.sources import Platforms, Shared, check_authorities
from chatlog.spool.spool import Spool
from chatlog.starter import unwritable
from chatlog.status.status import Status
from chatlog.store.archive import open_store
from chatlog.store.store import Store, StoreError
from chatlog.twitch import recent
from chatlog.twitch.backfill import Backfill, backfill_over
from chatlog.uploader.manifest import Manifest
from chatlog.uploader.uploader import Uploader
from chatlog.watchdog import Watchdog


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
        if self["check"]:
            told, problems = examine(self["config"], self.settings, os.environ)
            sys.stdout.write(told)
        else:
            problems = [*proxies_in(os.environ)[1], *config.check_directories(self.settings)]
            problems += unwritable(self.parent)
        if problems:
            _complain(problems)
        if self["check"]:
            raise SystemExit(0)


def _complain(problems: list[str]) -> NoReturn:
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    raise SystemExit(FAILED)


def makeService(options: Options, reactor: Any = None) -> Daemon:
    """The daemon that ``options.settings`` describe. Nothing is started and no server is needed."""
    if reactor is None:
        from twisted.internet import reactor as installed

        reactor = installed
        # Timers must not stand still when somebody sets the clock back.
        reactor.seconds = time.monotonic
    proxies, _, mind = proxies_in(os.environ)
    world = World(
        reactor,
        time.time,
        OsFiles(),
        open_store,
        lambda name, size: OwnedThreads(name, size, reactor.callFromThread),
        proxies,
        mind,
    )
    try:
        daemon = compose(options.settings, options, world)
    except (CertificateAuthorityError, StoreError) as error:
        _complain([str(error)])
    daemon.take_signals = signals.Running(reactor, lambda: daemon.on_hangup()).take
    if config.local(options["config"]) != options["config"]:
        daemon.notes = [f"configuration: {config.read_for(options['config'])}"]
    before = signals.early()
    if before is not None:
        before.clear = daemon.starter.give_up
    return daemon


@dataclass(frozen=True, slots=True)
class World:
    """What the daemon touches outside itself. ``wall`` gives the seconds since the epoch;
    ``threads(name, size)`` makes a pool of threads; ``proxies`` lie between it and the servers."""

    reactor: Any
    wall: Callable[[], float]
    files: Files
    open_store: Callable[[Settings], Store]
    threads: Callable[[str, int], Threads]
    proxies: Proxies = DIRECT
    warnings: Sequence[str] = ()


def compose(settings: Settings, options: Mapping[str, Any], world: World) -> Daemon:
    """Put the parts together. Raises CertificateAuthorityError and StoreError."""
    check_authorities(settings)
    reactor, wall, files = world.reactor, world.wall, world.files
    daemon = Daemon(reactor, options)
    counters = Counters()
    directory = settings.recorder.directory
    disk = world.threads("disk", 2)
    spool = Spool(directory, files, settings.instance)
    pacer = pacing.Pacer(reactor)
    network = Network(reactor, world.proxies)
    requests = http_client(network)
    encode = encode_full if settings.recorder.detail == "full" else encode_basic
    uploader = Uploader(
        settings.uploader,
        world.open_store(settings),
        directory,
        files,
        counters,
        reactor,
        wall,
        world.threads("upload", settings.uploader.concurrency),
        on_freed=lambda size: recorder.freed(size),
        on_packed=lambda delta: recorder.packed(delta),
        on_stored=lambda stored: manifest.stored(stored),
    )
    recorder: Recorder = Recorder(
        settings.recorder,
        spool,
        counters,
        reactor,
        wall,
        disk,
        pacer.tick,
        uploader.sealed,
        daemon.lost_the_disk,
        lambda losses: write_losses(losses),
        lambda now: flushed(now),
    )

    def flushed(now: float) -> None:
        complete = recorder.complete
        presence.flushed(now, complete, recorder.durable_lag, recorder.recovered_durable)
        if backfill is not None:
            backfill.flushed(complete)

    def closed(platform: str, room: Room, hole: Hole) -> None:
        status.closed(platform, room.name, hole)
        if backfill is not None and platform == "twitch":
            backfill.hole(room, hole)
        else:
            write_gap(platform, room, hole)

    def write_gap(platform: str, room: Room, hole: Hole, backfilled: int = 0) -> None:
        counters.gaps += 1
        if line := gap_line(encode, platform, room.name, room.identifier, hole, backfilled=backfilled):
            room.log.append(line)

    def write_losses(losses: list[Loss]) -> None:
        for loss in losses:
            counters.gaps += 1
            status.closed(loss.platform, loss.channel, Hole(loss.first, loss.last, loss.reason))
            presence.count_loss(loss)
            if line := loss_line(encode, loss, presence.identifier(loss.platform, loss.channel)):
                recorder.room(loss.platform, loss.channel).append(line)

    rooms = RoomList(files, directory, settings)
    rooms.load()
    presence: Presence = Presence(
        JournalFile(files, directory, reactor, disk, settings.recorder.sync_interval),
        reactor,
        wall,
        closed,
        rooms.rooms,
        boot_id(),
        settings.recorder.flush_interval,
    )
    manifest: Manifest = Manifest(
        files, directory, settings.instance, presence, reactor, wall, disk, uploader.manifest_ready
    )
    backfill: Backfill | None = None
    if settings.twitch is not None and settings.twitch.backfill is not None:
        backfill = backfill_over(
            settings.twitch.backfill,
            requests.getter(recent.ANSWER_LIMIT, recent.ANSWER_WITHIN),
            reactor,
            wall,
            encode,
            counters,
            lambda room, hole, backfilled: write_gap("twitch", room, hole, backfilled),
            recorder,
            files,
            settings.recorder,
            disk,
        )
    shared = Shared(
        reactor, network, wall, counters, files, directory, encode, pacer, recorder, presence.on_hole
    )
    sources = Sources(pacer)

    def watch(pool: Pool) -> None:
        presence.watch(pool)
        if backfill is not None and pool.platform == "twitch":
            backfill.watch(pool)

    platforms = Platforms(settings, shared, sources, watch)
    for (platform, _), channel in rooms.rooms().items():
        platforms.add(platform, channel)
    rooms.on_add, rooms.on_remove = platforms.add, platforms.remove

    acknowledged = Acknowledged(files, directory)
    acknowledged.load()
    status: Status = Status(
        settings,
        counters,
        recorder,
        uploader,
        platforms.pools,
        reactor,
        wall,
        platforms.missing,
        acknowledged=acknowledged,
    )
    status.earlier = lambda: (presence.since, presence.lost)
    webhook = Webhook(settings.alarms, settings.instance, requests, reactor)
    alarms = Alarms(status, reactor, wall, webhook.send)

    def load() -> Settings:
        new = config.load(options["config"], os.environ)
        check_authorities(new)
        return new

    def apply(new: Settings) -> None:
        platforms.reconfigure(new)
        rooms.reload(new)
        new = in_force(settings, new)
        recorder.reconfigure(new.recorder)
        status.settings = new
        webhook.settings = new.alarms
        if daemon.console is not None:
            daemon.console.levels = logs.Levels(new.log.level, new.log.levels)

    daemon.warnings = [*warnings(settings, os.environ, read_mounts()), *world.warnings]
    daemon.on_hangup = Reload(load, settings, apply, lambda: platforms.made)
    watchdog = Watchdog(reactor, daemon.end_at_once)
    parts: list[Service] = [Lock(spool), watchdog, uploader, recorder, presence, manifest]
    if backfill is not None:
        parts.append(backfill)
    parts += [webhook, status, alarms]
    if settings.http.listen is not None:
        # Imported only where it is needed, to save its memory.
        from chatlog.http.service import http_service

        parts.append(http_service(settings, reactor, status, recorder, rooms, files))
    for part in (*parts, sources):
        part.setServiceParent(daemon)
    return daemon
