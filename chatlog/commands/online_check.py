"""Checks the servers of a configuration: logs in and joins a room on each platform, and writes, reads and
deletes one object. Nothing is recorded."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred, fail, gatherResults
from twisted.python.failure import Failure

from chatlog.commands.store_check import StoreCheckFailed, object_key, walk
from chatlog.config.settings import KickChannel, KickSettings, Secret, Settings, TwitchSettings
from chatlog.environment import Environment
from chatlog.files import OsFiles
from chatlog.network.dialing import Network
from chatlog.network.proxies import DIRECT, Proxies
from chatlog.network.tls import tls_wrapper
from chatlog.printable import printable
from chatlog.reasons import of_room
from chatlog.rooms.chat_protocol import Owner
from chatlog.rooms.subscriptions import Room
from chatlog.rooms.visit import Nowhere, Steps, Visit, VisitFailed
from chatlog.services import OwnedThreads
from chatlog.store.store import Store
from chatlog.twitch.intake import Intake
from chatlog.twitch.rooms import dial

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
) -> Deferred[bool]:
    """Make all checks of the configuration at the same time, and ``report`` each result when it is there.
    Fires with whether all checks passed."""
    network = Network(reactor, proxies)
    # A thread that hangs in the network does not keep the process from ending.
    environment = Environment(reactor, wall, OsFiles(), OwnedThreads("check", 1, reactor.callFromThread))
    checks: list[tuple[str, Begin]] = [("store", partial(store_check, settings, environment, open_store))]
    if settings.twitch is not None:
        checks.append(("twitch", partial(twitch_check, settings.twitch, environment, network)))
    if settings.kick is not None:
        checks.append(("kick", partial(kick_check, settings.kick, environment, network)))

    def reported(result: Result) -> bool:
        what = without_secrets(printable(result.what, 500), settings)
        report(Result(result.name, result.fine, what))
        return result.fine

    results = [_result(name, begin, reactor).addCallback(reported) for name, begin in checks]
    everything: Deferred[list[bool]] = gatherResults(results)
    return everything.addCallback(all)


#: Starts a check. Fires with what happened, or fails.
Begin = Callable[[Steps], Deferred[str]]


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
    found = [settings.twitch.oauth if settings.twitch else None, settings.http.token]
    if settings.s3 is not None:
        found += [settings.s3.access_key_id, settings.s3.secret_access_key]
    for secret in found:
        # A shorter text is no secret, and replacing it would destroy other words.
        if isinstance(secret, Secret) and len(secret.reveal()) >= 6:
            text = text.replace(secret.reveal(), "***")
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


# -- Twitch --------------------------------------------------------------------------------------------


def twitch_check(
    settings: TwitchSettings, environment: Environment, network: Network, steps: Steps
) -> Deferred[str]:
    """Log in to Twitch and join the first room."""
    name = settings.channels[0]
    tls = tls_wrapper(settings.host, settings.ca_file) if settings.tls else _plain
    intake = Intake({name: Room(name, Nowhere())}, Nowhere(), environment)
    dials = network.speaking("ircs" if settings.tls else "irc")
    who = "anonymously" if settings.oauth is None else f"as {settings.username}"
    visit = Visit(
        f"{settings.host}:{settings.port}",
        name,
        f"logged in {who}, joined {name}",
        steps,
        lambda owner: dial(owner, settings, intake, environment, dials, tls),
        lambda reason: of_room("twitch", reason, name).words,
    )
    return visit.done


# -- Kick ----------------------------------------------------------------------------------------------


class OneRoom:
    """The channels of one room; what comes over them goes nowhere."""

    def __init__(self, name: str, channel: str) -> None:
        self._name = name
        self._channel = channel

    def channels_of(self, name: str) -> list[str]:
        """The Pusher channel of the room."""
        return [self._channel]

    def room_of(self, channel: str) -> str:
        """The room, if it is its channel."""
        return self._name if channel == self._channel else ""

    def event(self, *event: object) -> None:
        """Nothing is recorded."""

    not_understood = event


def kick_check(
    settings: KickSettings, environment: Environment, network: Network, steps: Steps
) -> Deferred[str]:
    """Find the ids of the first room, if they are not in the configuration, and subscribe to it."""
    return Deferred.fromCoroutine(_visit_kick(settings, environment, network, steps))


async def _visit_kick(
    settings: KickSettings, environment: Environment, network: Network, steps: Steps
) -> str:
    from chatlog.kick.client import KickFactory, connect

    channel = await _with_ids(settings, network, steps)
    server = urlsplit(settings.server)
    tls = tls_wrapper(server.hostname or "", settings.ca_file)
    ids = {"chatroom_id": channel.chatroom_id, "channel_id": channel.channel_id}
    room = OneRoom(channel.slug, settings.subscribe[0].format(**ids))

    def dial(owner: Owner) -> KickFactory:
        factory = KickFactory(owner, settings.server, room, room, environment)
        return connect(network.speaking(server.scheme), factory, _plain, tls)

    success = f"connected, subscribed to {channel.slug} ({room.channels_of(channel.slug)[0]})"
    return await Visit(server.hostname or settings.server, channel.slug, success, steps, dial).done


async def _with_ids(settings: KickSettings, network: Network, steps: Steps) -> KickChannel:
    from chatlog.kick.lookup import ANSWER_LIMIT, ANSWER_WITHIN, LookupRefused, ids_in
    from chatlog.network.http import RequestFailed, http_client

    for channel in settings.channels:
        if channel.chatroom_id is not None:
            return channel
    channel = settings.channels[0]
    if settings.lookup is None:
        raise VisitFailed(f"{channel.slug} has no chatroom_id, and looking up is switched off")
    steps.now = f"looking up the ids of {channel.slug}"
    try:
        get = http_client(network).getter(ANSWER_LIMIT, ANSWER_WITHIN)
        answer = await get(settings.lookup.format(slug=channel.slug))
        chatroom_id, channel_id = ids_in(answer.status, answer.body)
    except (LookupRefused, RequestFailed) as error:
        raise VisitFailed(f"the ids of {channel.slug} cannot be looked up: {error}") from None
    return KickChannel(channel.slug, chatroom_id, channel_id)


def _plain(factory: Any) -> Any:
    return factory
