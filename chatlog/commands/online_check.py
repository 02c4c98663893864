"""Checks the servers of a configuration: logs in and joins a room on each platform, writes, reads and deletes
one object, and asks the engine of a cluster. Nothing is recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, fail, gatherResults
from twisted.python.failure import Failure

from chatlog.commands.store_check import StoreCheckFailed, object_key, walk
from chatlog.config.platform import Platform, Registry
from chatlog.config.settings import ClusterSettings, Secret, Settings
from chatlog.environment import Environment
from chatlog.files import OsFiles
from chatlog.network.dialing import Network
from chatlog.network.proxies import DIRECT, Proxies
from chatlog.platforms import PLATFORMS
from chatlog.printable import printable
from chatlog.rooms.visit import Steps, VisitFailed
from chatlog.services import OwnedThreads
from chatlog.store.store import Store

#: The time limit of each check in seconds.
WITHIN = 15.0


class Result(NamedTuple):
    """The result of one check: its name, whether it passed, and what happened."""

    name: str
    fine: bool
    what: str


def check_online(
    settings: Settings,
    reactor: Any,
    wall: Callable[[], float],
    open_store: Callable[[Settings], Store],
    report: Callable[[Result], object],
    proxies: Proxies = DIRECT,
    registry: Registry = PLATFORMS,
) -> Deferred[bool]:
    """Make all checks of the configuration at the same time, and ``report`` each result when it is there.
    Fires with whether all checks passed."""
    network = Network(reactor, proxies)
    # A thread that hangs in the network does not keep the process from ending.
    environment = Environment(reactor, wall, OsFiles(), OwnedThreads("check", 1, reactor.callFromThread))
    checks: list[tuple[str, Begin]] = [("store", partial(store_check, settings, environment, open_store))]
    for name, section in settings.platforms.items():
        checks.append((name, partial(_visit, registry[name], section, environment, network)))
    if settings.cluster is not None:
        checks.append(("cluster", partial(_engine, settings.cluster, network)))

    def reported(result: Result) -> bool:
        what = without_secrets(printable(result.what, 500), settings)
        report(Result(result.name, result.fine, what))
        return result.fine

    results = [_result(name, begin, reactor).addCallback(reported) for name, begin in checks]
    everything: Deferred[list[bool]] = gatherResults(results)
    return everything.addCallback(all)


#: Starts a check. Fires with its result in words, or fails.
Begin = Callable[[Steps], Deferred[str]]


def _visit(
    platform: Platform, section: Any, environment: Environment, network: Network, steps: Steps
) -> Deferred[str]:
    return Deferred.fromCoroutine(platform.visit(section, environment, network, steps))


def _engine(cluster: ClusterSettings, network: Network, steps: Steps) -> Deferred[str]:
    # Imported late: most configurations have no cluster.
    from chatlog.commands.engine_check import engine_check

    return Deferred.fromCoroutine(engine_check(cluster, network, steps))


def _result(name: str, begin: Begin, reactor: Any) -> Deferred[Result]:
    steps = Steps()
    try:
        check = begin(steps)
    except Exception:
        check = fail(Failure())
    expired: list[str] = []

    def expire() -> None:
        expired.append(steps.now)
        check.cancel()

    timer = reactor.callLater(WITHIN, expire)

    def failed(failure: Failure) -> Result:
        if expired:
            return Result(name, False, f"no answer within {WITHIN:.0f} s while {expired[0]}")
        if failure.check(VisitFailed):
            return Result(name, False, str(failure.value))
        return Result(name, False, f"{_words(failure)}, while {steps.now}")

    def ended(result: Result) -> Result:
        if timer.active():
            timer.cancel()
        return result

    return check.addCallbacks(lambda what: Result(name, True, what), failed).addCallback(ended)


def _words(failure: Failure) -> str:
    # Errors of Twisted's HTTP client have the causes in a list.
    causes = getattr(failure.value, "reasons", None) or [failure]
    return "; ".join(cause.getErrorMessage() or repr(cause.value) for cause in causes)


def without_secrets(text: str, settings: Settings) -> str:
    """The text with stars for the configuration's secrets, in case a server quotes one."""
    sections = [*settings.platforms.values(), settings.http, settings.s3]
    found = [getattr(each, field.name) for each in sections if each is not None for field in fields(each)]
    secrets = [each.reveal() for each in found if isinstance(each, Secret)]
    if settings.cluster is not None:
        secrets.append(settings.cluster.engine.password)
    for secret in secrets:
        # A shorter text is no secret, and replacing it would destroy other words.
        if len(secret) >= 6:
            text = text.replace(secret, "***")
    return text


# -- the store -----------------------------------------------------------------------------------------


def store_check(
    settings: Settings, environment: Environment, open_store: Callable[[Settings], Store], steps: Steps
) -> Deferred[str]:
    """Check the store with a test object."""
    return environment.disk.run(_use_store, open_store, settings, steps)


def _use_store(open_store: Callable[[Settings], Store], settings: Settings, steps: Steps) -> str:
    def step(words: str) -> None:
        steps.now = words

    try:
        store = open_store(settings)
        return walk(store, object_key(), step)
    except StoreCheckFailed as error:
        raise VisitFailed(str(error)) from None
