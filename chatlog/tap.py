"""``twistd chatlog``: its options, and the composition of all parts."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from twisted.application.service import Service
from twisted.python import usage

from chatlog import configuration as config
from chatlog import signals
from chatlog.alarms.alarms import Alarms
from chatlog.alarms.webhook import Webhook
from chatlog.config.ephemeral import warnings
from chatlog.config.places import placed
from chatlog.config.platform import Registry
from chatlog.config.settings import Settings
from chatlog.daemon import FAILED, Daemon, Lock, Remarks, Signals, Sources
from chatlog.environment import Environment, Threads, boot_id
from chatlog.files import OsFiles
from chatlog.journal.coverage_journal import CoverageJournal
from chatlog.mounts import FSTAB, read_mounts
from chatlog.network import pacing
from chatlog.network.dialing import Network
from chatlog.network.http import HttpClient, http_client
from chatlog.network.proxies import DIRECT, Proxies, proxies_in
from chatlog.network.tls import CertificateAuthorityError
from chatlog.platforms import PLATFORMS
from chatlog.preflight import examine, later_state, without_engine
from chatlog.record import Encode, encode_basic, encode_full
from chatlog.recorder.buffers import RoomBuffers
from chatlog.recorder.descriptors import raise_limit
from chatlog.recorder.hooks import Hooks
from chatlog.recorder.recorder import Recorder
from chatlog.reload import InForce, Reload
from chatlog.rooms.acknowledged import Acknowledged
from chatlog.rooms.gap import GapRecords, Gaps
from chatlog.rooms.pool import RoomEvents
from chatlog.rooms.room_changes import RoomChanges
from chatlog.rooms.room_list import RoomList
from chatlog.services import OwnedThreads
from chatlog.signing import signer_of
from chatlog.sources import Platforms, Shared, check_authorities
from chatlog.spool.spool import Spool
from chatlog.starter import unwritable
from chatlog.state.journal import Journal
from chatlog.status.status import Status
from chatlog.store.archive import open_store
from chatlog.store.store import Store, StoreError
from chatlog.suppression.left_out import LeftOut
from chatlog.suppression.suppression import OptOuts
from chatlog.timeline.timelines import Timelines
from chatlog.twitch import recent
from chatlog.twitch.backfill import Backfill, backfill_over
from chatlog.twitch.native import find
from chatlog.uploader.manifest import Manifest
from chatlog.uploader.manifest_chain import latest_in
from chatlog.uploader.stored_journal import StoredJournal
from chatlog.uploader.uploader import Uploader, threads_for
from chatlog.watchdog import Watchdog

if TYPE_CHECKING:
    from chatlog.cluster.wiring import Cluster, Joined


class Options(usage.Options):
    """The command line. If the configuration has problems, the command prints all of them and ends here."""

    synopsis = "[--config PATH] [--check]"
    longdesc = "Record the chat of Twitch and Kick channels around the clock."
    optParameters = [["config", "c", "chatlog.yaml", "The configuration file."]]  # noqa: RUF012
    optFlags = [  # noqa: RUF012
        ["check", None, "Show what the configuration means and its problems, then exit."],
        ["verbose", "v", "Log debug messages too."],
    ]

    def postOptions(self) -> None:
        """Read the configuration. Exits with status 1 if it has problems, and with 0 after a good --check."""
        try:
            self.settings = config.load(self["config"], os.environ)
        except config.ConfigError as error:
            _complain(error.problems)
        if self["check"]:
            meaning, problems = examine(self["config"], self.settings, os.environ)
            _print(meaning)
        else:
            problems = [*proxies_in(os.environ)[1], *config.check_directories(self.settings)]
            problems += [*later_state(self.settings), *without_engine(self.settings)]
            problems = [*placed(self["config"], problems), *unwritable(self.parent)]
        if problems:
            _complain(problems)
        if self["check"]:
            raise SystemExit(0)


def _print(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # Otherwise Python would try to write the rest at its own end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _complain([f"cannot write the output: {error.strerror}"])


def _complain(problems: list[str]) -> NoReturn:
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    raise SystemExit(FAILED)


def makeService(options: Options, reactor: Any = None) -> Daemon:
    """The daemon for ``options.settings``. Starts nothing and needs no server."""
    if reactor is None:
        from twisted.internet import reactor as installed

        reactor = installed
        # Timers must not stop when the wall clock is set back.
        reactor.seconds = time.monotonic
        raise_limit()
    proxies, _, mind = proxies_in(os.environ)

    def threads(name: str, size: int) -> OwnedThreads:
        return OwnedThreads(name, size, reactor.callFromThread)

    parser = find(os.environ)
    environment = Environment(
        reactor, time.time, OsFiles(), threads("disk", 2), boot=boot_id(), read_chat=parser.read_chat
    )
    uploads = Uploads(open_store, partial(threads, "upload"))
    try:
        notes: tuple[str, ...] = ()
        if config.local(options["config"]) != options["config"]:
            notes = (f"configuration: {config.read_for(options['config'])}",)
        if "twitch" in options.settings.platforms:
            words = f"twitch: {parser.words}"
            notes, mind = (notes, [*mind, words]) if parser.is_refused else ((*notes, words), mind)
        process = Process(Remarks(notes, tuple(mind)), partial(signals.Running, reactor))
        daemon = compose(options.settings, options, environment, uploads, proxies, process=process)
    except (CertificateAuthorityError, StoreError) as error:
        _complain([str(error)])
    before = signals.early()
    if before is not None:
        before.clear = daemon.starter.give_up
    return daemon


@dataclass(frozen=True, slots=True)
class Uploads:
    """How uploads are set up: ``open_store`` opens the store, ``threads`` creates so many threads."""

    open_store: Callable[[Settings], Store]
    threads: Callable[[int], Threads]


#: Hands all rooms over, and then calls its argument.
Drain = Callable[[Callable[[], None]], object]


class Signalling(Protocol):
    """Handles the signals of a process."""

    def take(self) -> None:
        """Install the handlers."""


@dataclass(frozen=True, slots=True)
class Process:
    """The parts that belong to the process. ``signalling(hangup, drain)`` handles its signals, see
    ``signals.Running``; None: other code handles them."""

    remarks: Remarks = field(default_factory=Remarks)
    signalling: Callable[[Callable[[], None], Drain | None], Signalling] | None = None


def compose(
    settings: Settings,
    options: Mapping[str, Any],
    environment: Environment,
    uploads: Uploads,
    proxies: Proxies = DIRECT,
    registry: Registry = PLATFORMS,
    process: Process = Process(),
) -> Daemon:
    """Put the parts together. Raises CertificateAuthorityError and StoreError."""
    check_authorities(settings)
    environment = replace(environment, encode=_encode(settings))
    reactor, files, directory = environment.reactor, environment.files, settings.recorder.directory
    found = *warnings(settings, os.environ, read_mounts(), read_mounts(FSTAB)), *process.remarks.warnings
    daemon = Daemon(reactor, options, process.remarks._replace(warnings=found))
    pacer, network = pacing.Pacer(reactor), Network(reactor, proxies)
    requests = http_client(network)

    # From a finished file to the store.
    spool = Spool(directory, files, settings.instance)
    stored = StoredJournal(files, directory, signer_of(settings.archive.signing_key))
    store, upload_threads = uploads.open_store(settings), uploads.threads(threads_for(settings.uploader))
    usage, on_stored = spool.usage, stored.stored
    uploader = Uploader(settings.uploader, store, directory, environment, upload_threads, usage, on_stored)

    # The coverage of rooms, and the gaps.
    buffers = RoomBuffers()
    records = GapRecords(environment, buffers, "" if settings.cluster is None else settings.instance)
    backfill = _backfill(settings, environment, requests, records, buffers)
    gaps = Gaps(records, backfill)
    wanted = RoomList(files, directory, settings, registry)
    cluster = _cluster(settings, environment, registry, network)
    journal = Journal(environment, directory, "coverage", settings.recorder.sync_interval)
    optouts = OptOuts(settings, store, environment, upload_threads)
    timelines = Timelines(environment.wall, (cluster or wanted).rooms, optouts.left_out.counts)
    every = settings.recorder.flush_interval
    coverage = CoverageJournal(journal, environment, gaps, timelines, every, buffers.room)
    ask = partial(upload_threads.run, latest_in, store)
    manifest = Manifest(stored, settings.instance, timelines, environment, uploader.manifest_ready, ask)

    # From a socket to a file.
    hooks = Hooks(
        pacer.tick,
        uploader.sealed,
        daemon.lost_the_disk,
        coverage.lost_records,
        optouts.left_out.lines,
        optouts.heard,
        (coverage.flushed, gaps.flushed),
    )
    recorder = Recorder(settings.recorder, spool, environment, hooks, buffers)
    events = RoomEvents(coverage.added, coverage.closed, gaps.uncovered, coverage.removed)
    shared, sources = Shared(environment, network, directory, pacer, buffers, events), Sources(pacer)
    platforms = Platforms(registry, settings, shared, sources, (coverage.watch, gaps.watch))
    platforms.dismissed = coverage.dismissed
    written = recorder, uploader, manifest
    joined = cluster.join(wanted, platforms, timelines, coverage, written) if cluster else None
    rooms: Any = joined.rooms if joined else RoomChanges(wanted, platforms.add, platforms.remove)

    # The displays: status, alarms, reports.
    acknowledged = Acknowledged(files, directory)
    status = Status(settings, environment, recorder, uploader, platforms, timelines, acknowledged)
    status.optouts, status.cluster = optouts.watch.facts, joined.facts.snapshot if joined else None
    webhook = Webhook(settings.alarms, settings.instance, requests, reactor)
    alarms = Alarms(status, reactor, environment.wall, webhook.send)
    force = InForce(settings, daemon, platforms, rooms, recorder, status, webhook)
    reload = Reload(partial(_load, options), settings, force.apply, force.made)

    watchdog = Watchdog(reactor, daemon.end_at_once)
    lock = Lock(spool, (rooms.load, acknowledged.load, optouts.watch.load))
    parts: list[Service] = _signals(process, reload, reactor, joined)
    parts += [lock, watchdog, uploader, *optouts.services, recorder, coverage, manifest]
    parts += [] if backfill is None else [backfill]
    parts += [webhook, status, alarms]
    parts += _http(settings, environment, status, recorder, rooms, optouts.left_out, uploader.hurry, joined)
    parts += [*_archive_server(settings, environment, options), sources, *_member(joined)]
    for part in parts:
        part.setServiceParent(daemon)
    return daemon


def _encode(settings: Settings) -> Encode:
    return encode_full if settings.recorder.detail == "full" else encode_basic


def _cluster(
    settings: Settings, environment: Environment, registry: Registry, network: Network
) -> Cluster | None:
    if settings.cluster is None:
        return None
    # Imported only if needed, to save memory.
    from chatlog.cluster.engines import open_engine
    from chatlog.cluster.wiring import Cluster

    section = settings.cluster
    engine = open_engine(section.engine, section.name, network, section.ca_file)
    return Cluster(settings, section, environment, registry, engine)


def _member(joined: Joined | None) -> list[Service]:
    return [] if joined is None else [joined.service, joined.report]


def _signals(
    process: Process, reload: Callable[[], None], reactor: Any, joined: Joined | None
) -> list[Service]:
    if process.signalling is None:
        return []
    drain = None if joined is None or not joined.draining.limit else joined.draining.end
    return [Signals(reactor, process.signalling(reload, drain).take)]


def _backfill(
    settings: Settings,
    environment: Environment,
    requests: HttpClient,
    records: GapRecords,
    buffers: RoomBuffers,
) -> Backfill | None:
    section = settings.platforms.get("twitch")
    if section is None or section.backfill is None:
        return None
    return backfill_over(
        section.backfill,
        settings.recorder,
        environment,
        requests.getter(recent.ANSWER_LIMIT, recent.ANSWER_WITHIN),
        partial(records.write, Backfill.platform),
        buffers,
    )


def _http(
    settings: Settings,
    environment: Environment,
    status: Status,
    recorder: Recorder,
    rooms: Any,
    left_out: LeftOut,
    hurry: Callable[[], object],
    joined: Joined | None,
) -> list[Service]:
    if settings.http.listen is None:
        return []
    # Imported only if needed, to save memory.
    from chatlog.http.service import http_service

    files, reactor = environment.files, environment.reactor
    return [http_service(settings, reactor, status, recorder, rooms, files, left_out, hurry, joined)]


def _archive_server(
    settings: Settings, environment: Environment, options: Mapping[str, Any]
) -> list[Service]:
    if settings.archive.listen is None:
        return []
    from chatlog.companion import ArchiveCompanion

    return [ArchiveCompanion(environment.reactor, options["config"], os.environ)]


def _load(options: Mapping[str, Any]) -> Settings:
    new = config.load(options["config"], os.environ)
    check_authorities(new)
    return new
