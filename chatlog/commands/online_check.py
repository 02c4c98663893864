"""Whether the servers of a configuration take us: a login and a room of each platform, one object written,
read and deleted. Nothing is recorded."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred, fail, gatherResults
from twisted.internet.error import NotConnectingError
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from chatlog.commands.store_check import StoreCheckFailed, object_key, walk
from chatlog.config.settings import KickChannel, KickSettings, Secret, Settings, TwitchSettings
from chatlog.kick.pusher import Closing, Event
from chatlog.network.dialing import Network
from chatlog.network.errors import words
from chatlog.network.proxies import DIRECT, Proxies
from chatlog.network.tls import tls_wrapper
from chatlog.printable import printable
from chatlog.services import OwnedThreads
from chatlog.store.store import Store
from chatlog.twitch import irc
from chatlog.twitch.client import TwitchProtocol, is_login_refusal
from chatlog.twitch.rooms import REFUSALS

#: Seconds that each check has.
WITHIN = 15.0


class Result(NamedTuple):
    """What came of one check: its name, whether all is well, and what happened."""

    name: str
    fine: bool
    what: str


class CheckFailed(Exception):
    """The text says what is wrong."""


def check_online(
    settings: Settings,
    reactor: Any,
    wall: Callable[[], float],
    open_store: Callable[[Settings], Store],
    tell: Callable[[Result], object],
    proxies: Proxies = DIRECT,
) -> Deferred[bool]:
    """Make every check of the configuration at the same time, and ``tell`` each result as soon as it is
    there; fires with whether all is well."""
    network = Network(reactor, proxies)
    checks: list[tuple[str, Begin]] = [("store", partial(store_check, settings, reactor, open_store))]
    if settings.twitch is not None:
        checks.append(("twitch", partial(twitch_check, settings.twitch, network)))
    if settings.kick is not None:
        checks.append(("kick", partial(kick_check, settings.kick, network, wall)))

    def told(result: Result) -> bool:
        what = without_secrets(printable(result.what, 500), settings)
        tell(Result(result.name, result.fine, what))
        return result.fine

    results = [_result(name, begin, reactor).addCallback(told) for name, begin in checks]
    everything: Deferred[list[bool]] = gatherResults(results)
    return everything.addCallback(all)


class Steps:
    """What a check is doing, in words that follow "while"."""

    def __init__(self) -> None:
        self.now = "connecting"


#: Begins a check; fires with what happened, or fails.
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
        if failure.check(CheckFailed):
            return Result(name, False, str(failure.value))
        return Result(name, False, f"{_words(failure)}, while {steps.now}")

    def ended(result: Result) -> Result:
        if timer.active():
            timer.cancel()
        return result

    return check.addCallbacks(lambda what: Result(name, True, what), failed).addCallback(ended)


def _words(failure: Failure) -> str:
    # What Twisted's HTTP client fails with has the causes in a list.
    causes = getattr(failure.value, "reasons", None) or [failure]
    return "; ".join(cause.getErrorMessage() or repr(cause.value) for cause in causes)


def without_secrets(text: str, settings: Settings) -> str:
    """The text with stars for every secret of the configuration, should a server quote one."""
    found = [settings.twitch.oauth if settings.twitch else None, settings.http.token]
    if settings.s3 is not None:
        found += [settings.s3.access_key_id, settings.s3.secret_access_key]
    for secret in found:
        # What is shorter is no secret, and would make holes in every word.
        if isinstance(secret, Secret) and len(secret.reveal()) >= 6:
            text = text.replace(secret.reveal(), "***")
    return text


# -- the store -----------------------------------------------------------------------------------------


def store_check(
    settings: Settings, reactor: Any, open_store: Callable[[Settings], Store], steps: Steps
) -> Deferred[str]:
    """Walk the whole life of an object."""
    # A thread that hangs in the network does not keep the process from ending.
    threads = OwnedThreads("check", 1, reactor.callFromThread)
    return threads.run(_use_store, open_store, settings, steps)


def _use_store(open_store: Callable[[Settings], Store], settings: Settings, steps: Steps) -> str:
    def step(words: str) -> None:
        steps.now = words

    try:
        store = open_store(settings)
        return walk(store, object_key(), step)
    except StoreCheckFailed as error:
        raise CheckFailed(str(error)) from None


# -- Twitch --------------------------------------------------------------------------------------------


class TwitchVisit:
    """One connection to Twitch: logs in, joins a room, and leaves."""

    def __init__(self, settings: TwitchSettings, clock: Any, steps: Steps) -> None:
        self._settings = settings
        self._room = settings.channels[0]
        self._where = f"{settings.host}:{settings.port}"
        self._steps = steps
        steps.now = f"logging in to {self._where}"
        self.protocol = TwitchProtocol(self, settings, clock)
        self.done: Deferred[str] = Deferred(lambda _: self.leave())

    def leave(self) -> None:
        """End the connection."""
        if self.protocol.transport is not None:
            self.protocol.drop("done", abort=True)

    def _end(self, result: str | Exception) -> None:
        if not self.done.called:
            if isinstance(result, str):
                self.done.callback(result)
            else:
                self.done.errback(result)
            self.leave()

    def welcomed(self) -> None:
        self._steps.now = f"joining {self._room}, after {self._where} took the login"
        self.protocol.send(irc.format_line("JOIN", f"#{self._room}"))

    def lines(self, lines: list[bytes]) -> None:
        for line in lines:
            try:
                message = irc.parse(line)
            except irc.ParseError:
                continue
            self._take(message)

    def _take(self, message: irc.Message) -> None:
        text = message.params[-1] if message.params else ""
        if message.command == "001":
            self.protocol.welcome(message.params[0] if message.params else "")
        elif message.command == "PING":
            self.protocol.send(b"PONG :tmi.twitch.tv\r\n")
        elif message.command == "NOTICE" and self.protocol.welcomed_at is None:
            if is_login_refusal(text):
                self._end(CheckFailed(f"{self._where}: login refused: {text}"))
        elif message.channel == self._room:
            if message.command == "NOTICE" and message.tags.get("msg-id") in REFUSALS:
                self._end(CheckFailed(f"{self._where}: {self._room} is refused: {text}"))
            elif message.command == "ROOMSTATE" or (
                message.command == "JOIN" and message.nick == self.protocol.nick
            ):
                who = "anonymously" if self._settings.oauth is None else f"as {self.protocol.nick}"
                self._end(f"{self._where}: logged in {who}, joined {self._room}")

    def cut_off(self, rest: bytes) -> None:
        """Nothing is recorded."""

    def lost(self, heard_ago: float | None, reason: str) -> None:
        self._end(CheckFailed(f"{self._where}: {reason}"))


class _OneConnection(ClientFactory):
    noisy = False

    def __init__(self, visit: TwitchVisit) -> None:
        self._visit = visit

    def buildProtocol(self, addr: Any) -> TwitchProtocol:
        return self._visit.protocol

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self._visit.lost(None, f"cannot connect: {words(reason.value)}")


def twitch_check(settings: TwitchSettings, network: Network, steps: Steps) -> Deferred[str]:
    """Log in to Twitch and join the first room."""
    visit = TwitchVisit(settings, network.reactor, steps)
    factory: Any = _OneConnection(visit)
    if settings.tls:
        factory = tls_wrapper(settings.host, settings.ca_file)(factory)
    dials = network.speaking("ircs" if settings.tls else "irc")
    connector = dials.connectTCP(settings.host, settings.port, factory, WITHIN)

    def ended(result: Any) -> Any:
        with suppress(NotConnectingError):
            connector.stopConnecting()
        return result

    return visit.done.addBoth(ended)


# -- Kick ----------------------------------------------------------------------------------------------


class KickVisit:
    """One connection to Kick's Pusher server: subscribes to a room, and leaves. ``factory`` is to be set
    to what makes the connection."""

    def __init__(self, settings: KickSettings, channel: KickChannel, steps: Steps) -> None:
        self._steps = steps
        self._where = urlsplit(settings.server).hostname or settings.server
        self._slug = channel.slug
        steps.now = f"connecting to {self._where}"
        ids = {"chatroom_id": channel.chatroom_id, "channel_id": channel.channel_id}
        self._channel = settings.subscribe[0].format(**ids)
        self.factory: Any = None
        self.done: Deferred[str] = Deferred(lambda _: self.factory.stop())

    def _end(self, result: str | Exception) -> None:
        if not self.done.called:
            if isinstance(result, str):
                self.done.callback(result)
            else:
                self.done.errback(result)
            self.factory.stop()

    def connected(self) -> None:
        self._steps.now = f"subscribing to {self._slug}, after {self._where} took the connection"
        self.factory.connection.subscribe(self._channel)

    def subscribed(self, channel: str) -> None:
        self._end(f"{self._where}: connected, subscribed to {self._slug} ({channel})")

    def subscription_refused(self, channel: str, reason: str) -> None:
        self._end(CheckFailed(f"{self._where}: {self._slug} is refused: {reason}"))

    def event(self, event: Event, frame: bytes, received: str) -> None:
        """Nothing is recorded."""

    def not_understood(self, frame: bytes, received: str) -> None:
        """Nothing is recorded."""

    def lost(self, heard_ago: float | None, reason: str, closing: Closing) -> None:
        self._end(CheckFailed(f"{self._where}: {reason}"))


def kick_check(
    settings: KickSettings, network: Network, wall: Callable[[], float], steps: Steps
) -> Deferred[str]:
    """Find the ids of the first room, if they are not in the configuration, and subscribe to it."""
    return Deferred.fromCoroutine(_visit_kick(settings, network, wall, steps))


async def _visit_kick(
    settings: KickSettings, network: Network, wall: Callable[[], float], steps: Steps
) -> str:
    from chatlog.kick.client import KickFactory, connect

    channel = await _with_ids(settings, network, steps)
    visit = KickVisit(settings, channel, steps)
    server = urlsplit(settings.server)
    tls = tls_wrapper(server.hostname or "", settings.ca_file)
    visit.factory = KickFactory(visit, settings.server, network.reactor, wall)
    connect(network.speaking(server.scheme), visit.factory, lambda factory: factory, tls)
    return await visit.done


async def _with_ids(settings: KickSettings, network: Network, steps: Steps) -> KickChannel:
    from chatlog.kick.lookup import ANSWER_LIMIT, ANSWER_WITHIN, LookupRefused, ids_in
    from chatlog.network.http import RequestFailed, http_client

    for channel in settings.channels:
        if channel.chatroom_id is not None:
            return channel
    channel = settings.channels[0]
    if settings.lookup is None:
        raise CheckFailed(f"{channel.slug} has no chatroom_id, and looking up is switched off")
    steps.now = f"looking up the ids of {channel.slug}"
    try:
        get = http_client(network).getter(ANSWER_LIMIT, ANSWER_WITHIN)
        answer = await get(settings.lookup.format(slug=channel.slug))
        chatroom_id, channel_id = ids_in(answer.status, answer.body)
    except (LookupRefused, RequestFailed) as error:
        raise CheckFailed(f"the ids of {channel.slug} cannot be looked up: {error}") from None
    return KickChannel(channel.slug, chatroom_id, channel_id)
