"""One connection to Twitch: login, the talk of the protocol, keepalive, coming back.

The protocol is dumb: it splits lines and hands them to its owner, and reports welcome, refusal and
loss. What is done with rooms is decided in ``rooms``, what becomes of a line in ``intake``.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any
from typing import Protocol as Typed

from twisted.internet.interfaces import IConnector, IReactorTime
from twisted.internet.protocol import Protocol, ReconnectingClientFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatlog.config.settings import TwitchSettings
from chatlog.network import pacing, tls
from chatlog.network.errors import words
from chatlog.rooms.arrivals import Arrivals
from chatlog.services import Backoff
from chatlog.twitch import irc
from chatlog.twitch.lines import LineSplitter

#: Seconds without a byte until we ping, and until we give the connection up.
PING_AFTER = 30.0
DEAD_AFTER = 40.0
#: Seconds from connecting to the server's welcome.
LOGIN_WITHIN = 30.0
#: Seconds of connection after which the next loss starts with short delays again.
STABLE_AFTER = 60.0

#: What Twitch says in a NOTICE to ``*`` when it does not take a login; compared in lower case, as a
#: part of the text. (dev.twitch.tv/docs/chat/irc, and older texts that clients still know.)
LOGIN_REFUSALS = (
    "login authentication failed",
    "improperly formatted auth",
    "login unsuccessful",
    "error logging in",
    "invalid nick",
)
#: With what the reason of such a loss begins.
LOGIN_REFUSED = "login refused: "


class Owner(Typed):
    """Who a connection reports to."""

    def welcomed(self) -> None:
        """The server has taken the login."""

    def lines(self, lines: list[bytes]) -> None:
        """These lines arrived together."""

    def cut_off(self, rest: bytes) -> None:
        """The connection ended in the middle of a line; this is what had come of it."""

    def lost(self, heard_ago: float | None, reason: str) -> None:
        """The connection is gone, ``heard_ago`` seconds after the last byte; None if it never came
        to a welcome."""


class TwitchProtocol(Protocol):
    """A connection. ``arrivals`` tells when the last byte came, in seconds of the clock; ``nick`` is what
    the server calls us."""

    transport: Any
    _log = Logger()

    def __init__(self, owner: Owner, settings: TwitchSettings, clock: IReactorTime) -> None:
        self._owner = owner
        self._settings = settings
        self._clock = clock
        self._splitter = LineSplitter()
        self._pinged = False
        self._began = clock.seconds()
        self.arrivals = Arrivals(b"tmi-sent-ts=", irc.latest_time, self._began)
        self.welcomed_at: float | None = None
        self.reason = ""
        self.login_refused = ""
        self.nick = ""

    def connectionMade(self) -> None:
        self._began = self.arrivals.heard = self._clock.seconds()
        # The capabilities come first, so that what follows the welcome is tagged already.
        self.send(irc.format_line("CAP", "REQ", "twitch.tv/tags twitch.tv/commands"))
        if self._settings.oauth is not None and self._settings.username is not None:
            self.nick = self._settings.username
            self.send(irc.format_line("PASS", f"oauth:{self._settings.oauth.reveal()}"))
        else:
            # Anonymous reading; fresh digits for every connection are the common practice.
            self.nick = f"justinfan{random.randint(10_000, 99_999_999)}"
        self.send(irc.format_line("NICK", self.nick))

    def send(self, line: bytes) -> None:
        """Send one line, its end included."""
        self.transport.write(line)

    def dataReceived(self, data: bytes) -> None:
        self.arrivals.came(data, self._clock.seconds())
        self._pinged = False
        lines = self._splitter.feed(data)
        if lines:
            self._owner.lines(lines)

    def welcome(self, nick: str) -> None:
        """The server has said 001, to ``nick``."""
        if self.welcomed_at is None:
            self.nick = nick or self.nick
            self.welcomed_at = self._clock.seconds()
            pacing.begin(self.transport)
            self._owner.welcomed()

    def refuse_login(self, text: str) -> None:
        """The server has said that it does not take our login; it closes the connection next."""
        if self._settings.oauth is not None:
            # Should it quote what it does not take.
            text = text.replace(self._settings.oauth.reveal(), "***")
        self.login_refused = text
        self.drop(f"{LOGIN_REFUSED}{text}")

    def check(self) -> None:
        """Called every second: ping when it is quiet, give up when nothing answers."""
        now = self._clock.seconds()
        if self.welcomed_at is None:
            if now - self._began > LOGIN_WITHIN:
                self.drop("no welcome from the server", abort=True)
        elif now - self.arrivals.heard > DEAD_AFTER:
            self.drop("connection lost", abort=True)
        elif now - self.arrivals.heard > PING_AFTER and not self._pinged:
            self._pinged = True
            self.send(irc.format_line("PING", "chatlog"))

    def drop(self, reason: str, abort: bool = False) -> None:
        """Close the connection for ``reason``; ``abort`` does not wait for anything to be sent."""
        if not self.reason:
            self.reason = reason
        if abort:
            self.transport.abortConnection()
        else:
            # The other side's goodbye must be read even if nobody ticks any more.
            pacing.end(self.transport)
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        heard_ago = None if self.welcomed_at is None else self._clock.seconds() - self.arrivals.heard
        if not self.reason and heard_ago is None and (trouble := tls.trouble(reason)):
            self.reason = f"connection lost: {trouble}"
        if rest := self._splitter.rest():
            self._owner.cut_off(rest)
        self._owner.lost(heard_ago, self.reason or "connection lost")


class TwitchFactory(ReconnectingClientFactory):
    """Makes the connection again whenever it is lost, until ``stopTrying``.

    The delay is ours: full jitter from one second to a minute that starts over only after a minute of
    stable connection, and from one to ten minutes when the login was refused.
    """

    noisy = False
    factor = 1.0
    jitter: Any = None
    maxDelay = 3600
    _log = Logger()

    def __init__(
        self,
        owner: Owner,
        settings: TwitchSettings,
        clock: IReactorTime,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.clock: Any = clock
        self._owner = owner
        self._settings = settings
        self._clock = clock
        self._backoff = Backoff(1.0, 60.0, uniform)
        self._refused = Backoff(60.0, 600.0, uniform)
        self.protocol: TwitchProtocol | None = None  # type: ignore[assignment]

    def buildProtocol(self, addr: Any) -> TwitchProtocol:
        self.protocol = TwitchProtocol(self._owner, self._settings, self._clock)
        self.protocol.factory = self
        return self.protocol

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        self.delay = self._backoff.next()
        self._owner.lost(None, f"cannot connect: {words(reason.value)}")
        super().clientConnectionFailed(connector, reason)

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        lost, self.protocol = self.protocol, None
        if lost is not None and lost.login_refused:
            self.delay = self._refused.next()
        else:
            welcomed = lost.welcomed_at if lost is not None else None
            if welcomed is not None:
                self._refused.reset()
                if self._clock.seconds() - welcomed >= STABLE_AFTER:
                    self._backoff.reset()
            self.delay = self._backoff.next()
        super().clientConnectionLost(connector, reason)


def is_login_refusal(text: str) -> bool:
    """Whether the text of a NOTICE says that the login was not taken."""
    text = text.lower()
    return any(known in text for known in LOGIN_REFUSALS)
