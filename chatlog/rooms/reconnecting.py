"""Reconnects whenever a connection is lost, with delays, and reports every end."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConnector, IReactorTime
from twisted.internet.protocol import ReconnectingClientFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatlog.network.errors import words
from chatlog.rooms.chat_protocol import ChatProtocol, Owner
from chatlog.rooms.closing import Closing
from chatlog.services import Backoff

#: Seconds that an attempt may take for all addresses together.
CONNECT_WITHIN = 20.0
#: After so many seconds of connection, the next loss starts with short delays again.
STABLE_AFTER = 60.0
#: A second request to reconnect at once within so many seconds gets a growing delay.
AT_ONCE_AGAIN = 10.0
#: The shortest and the longest delay, in seconds, if the server asks to reconnect at once, ...
AT_ONCE = (0.0, 0.5)
#: ... and the shortest delay if it is full (Pusher requires a second).
LATER = (1.0, 2.0)


class Reconnecting(ReconnectingClientFactory):
    """Makes the connection again whenever it is lost, until ``stop``; ``chat`` is the protocol of the present
    connection.

    The delay has full jitter, grows from one second to a minute, and starts over only after a minute of
    stable connection. How a connection ended may change it: see ``Closing``.
    """

    noisy = False
    factor = 1.0
    jitter: Any = None
    maxDelay = 3600
    #: The longest delay after the first refusal, and after many, in seconds.
    refused_again = (60.0, 600.0)
    _log = Logger()

    def __init__(
        self,
        owner: Owner,
        build: Callable[[], ChatProtocol],
        clock: IReactorTime,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """``build()`` creates the protocol of a new connection."""
        self.clock: Any = clock
        self.chat: ChatProtocol | None = None
        self._owner = owner
        self._build = build
        self._uniform = uniform
        self._backoff = Backoff(1.0, 60.0, uniform)
        self._refused = Backoff(*self.refused_again, uniform)
        self._at_once = float("-inf")
        self._gone: list[Deferred[None]] = []

    def come_back_no_more(self) -> None:
        """Do not reconnect when the connection is lost."""
        self.continueTrying = 0

    def stop(self) -> Deferred[None]:
        """End the connection and do not reconnect. Fires when the connection has ended, after a goodbye at
        the latest."""
        self.come_back_no_more()
        if self.chat is not None:
            gone: Deferred[None] = Deferred()
            self._gone.append(gone)
            self.chat.close("stopped")
            return gone
        self.stopTrying()
        return succeed(None)

    def startedConnecting(self, connector: IConnector) -> None:
        self.connector = connector

    def buildProtocol(self, addr: Any) -> Any:
        self.chat = self._build()
        # Twisted and Autobahn find their factory there.
        self.chat.factory = self  # type: ignore[attr-defined]
        return self.chat

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        self._ended(connector, None, f"cannot connect: {words(reason.value)}", Closing.BACK_OFF)

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        lost, self.chat = self.chat, None
        if lost is None:
            self.clientConnectionFailed(connector, reason)
        else:
            self._ended(connector, lost, lost.reason, lost.closing)

    def _ended(self, connector: IConnector, lost: ChatProtocol | None, reason: str, closing: Closing) -> None:
        self.delay = self._delay(lost, closing)
        try:
            self._owner.ended(lost, reason, closing)
        except Exception:
            self._log.failure("while taking note of a lost connection")
        self.retry(connector)
        gone, self._gone = self._gone, []
        for waiting in gone:
            waiting.callback(None)

    def _delay(self, lost: ChatProtocol | None, closing: Closing) -> float:
        now = self.clock.seconds()
        welcomed_at = None if lost is None else lost.welcomed_at
        if welcomed_at is not None and now - welcomed_at >= STABLE_AFTER:
            self._backoff.reset()
            self._refused.reset()
        if closing is Closing.REFUSED:
            return self._refused.next()
        if closing is Closing.AT_ONCE and now - self._at_once >= AT_ONCE_AGAIN:
            self._at_once = now
            return self._uniform(*AT_ONCE)
        delay = self._backoff.next()
        return max(self._uniform(*LATER), delay) if closing is Closing.LATER else delay
