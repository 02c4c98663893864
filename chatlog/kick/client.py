"""Connecting to Kick's Pusher server, and connecting again when a connection is lost."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from autobahn.twisted.websocket import WebSocketClientFactory
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConnector, IReactorTime
from twisted.internet.protocol import ReconnectingClientFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatlog import __version__
from chatlog.kick.connection import MESSAGE_LIMIT, KickProtocol, Owner, Silent
from chatlog.kick.pusher import Closing
from chatlog.network import pacing
from chatlog.network.dialing import Dials
from chatlog.network.errors import words
from chatlog.reasons import of_connection, with_code
from chatlog.services import Backoff

#: Seconds that a connection may take, over all addresses.
CONNECT_WITHIN = 20.0
#: Seconds of connection after which the next loss starts with short delays again.
STABLE_AFTER = 60.0
#: Seconds in which a second "come back at once" is answered with a growing delay.
AT_ONCE_AGAIN = 10.0
#: Shortest and longest wait, in seconds, when the server asks to come back at once, ...
AT_ONCE = (0.0, 0.5)
#: ... the least that is waited when it asks not to come back at once (the protocol wants a second), ...
LATER = (1.0, 2.0)
#: ... and after a refusal.
REFUSED_AGAIN = (300.0, 900.0)


class KickFactory(WebSocketClientFactory, ReconnectingClientFactory):  # type: ignore[misc]
    """Makes the connection again whenever it is lost, until ``stop``; ``connection`` is the one there is.

    The delay is ours: full jitter from one second to a minute that starts over only after a minute of
    stable connection; a moment when the server asks to come back at once, unless it keeps asking; at
    least a second when it is full; five to fifteen minutes when it refuses us, because only a change of
    the configuration or of the server can help.
    """

    log = Silent()
    _log = Logger()
    noisy = False
    jitter: Any = None
    factor = 1.0

    def __init__(
        self,
        owner: Owner,
        server: str,
        clock: IReactorTime,
        wall: Callable[[], float],
        on_settled: Callable[[Any], None] = pacing.begin,
        on_closing: Callable[[Any], None] = pacing.end,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """``server`` is the address without its query. ``on_settled`` and ``on_closing`` get the
        transport when all answers are there, and when a goodbye is waited for."""
        super().__init__(address(server), useragent=f"chatlog/{__version__}", reactor=clock)
        self.setProtocolOptions(
            utf8validateIncoming=False,
            maxFramePayloadSize=MESSAGE_LIMIT,
            maxMessagePayloadSize=MESSAGE_LIMIT,
            openHandshakeTimeout=0,
            closeHandshakeTimeout=0,
            serverConnectionDropTimeout=0,
        )
        self.clock: Any = clock
        self.connection: KickProtocol | None = None
        self._owner = owner
        self._clock = clock
        self._wall = wall
        self._on_settled = on_settled
        self._on_closing = on_closing
        self._uniform = uniform
        self._backoff = Backoff(1.0, 60.0, uniform)
        self._at_once = float("-inf")
        self._alarmed = False
        self._gone: list[Deferred[None]] = []

    def stop(self) -> Deferred[None]:
        """End the connection and do not come back; fires when it is gone, which takes no longer than
        CLOSE_WITHIN seconds."""
        self.continueTrying = 0
        if self._callID is not None:
            self._callID.cancel()
            self._callID = None
        elif self.connection is not None:
            gone: Deferred[None] = Deferred()
            self._gone.append(gone)
            self.connection.close("stopped")
            return gone
        elif self.connector is not None:
            self.connector.disconnect()
        return succeed(None)

    def startedConnecting(self, connector: IConnector) -> None:
        self.connector = connector

    def buildProtocol(self, addr: Any) -> KickProtocol:
        protocol = KickProtocol(self._owner, self._clock, self._wall, self._on_settled, self._on_closing)
        protocol.factory = self
        self.connection = protocol
        return protocol

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        self.delay = self._backoff.next()
        self._ended(connector, None, f"cannot connect: {words(reason.value)}", Closing.BACK_OFF)

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        lost, self.connection = self.connection, None
        if lost is None:
            self.clientConnectionFailed(connector, reason)
            return
        now = self._clock.seconds()
        if lost.established_at is not None and now - lost.established_at >= STABLE_AFTER:
            self._backoff.reset()
            self._alarmed = False
        closing = lost.closing
        if closing is Closing.REFUSED:
            self.delay = self._uniform(*REFUSED_AGAIN)
            self._alarm(lost.reason)
        elif closing is Closing.AT_ONCE and now - self._at_once >= AT_ONCE_AGAIN:
            self._at_once = now
            self.delay = self._uniform(*AT_ONCE)
        elif closing is Closing.LATER:
            self.delay = max(self._uniform(*LATER), self._backoff.next())
        else:
            self.delay = self._backoff.next()
        heard_ago = lost.heard_ago() if lost.established_at is not None else None
        self._ended(connector, heard_ago, lost.reason, closing)

    def _ended(self, connector: IConnector, heard_ago: float | None, reason: str, closing: Closing) -> None:
        try:
            self._owner.lost(heard_ago, reason, closing)
        except Exception:
            self._log.failure("kick: while taking note of a lost connection")
        self.retry(connector)
        gone, self._gone = self._gone, []
        for waiting in gone:
            waiting.callback(None)

    def _alarm(self, reason: str) -> None:
        if not self._alarmed:
            self._alarmed = True
            self._log.error(
                "kick: {server}: {reason}. Kick may have a new address or key: look at kick.server in the "
                "configuration. Trying again every 5 to 15 minutes",
                server=self.host,
                reason=with_code(of_connection("kick", reason), reason),
            )


def address(server: str) -> str:
    """The address to connect to: ``server`` and what Pusher wants to know about a client."""
    query = urlencode({"protocol": 7, "client": "chatlog", "version": __version__})
    return f"{server}{'&' if '?' in server else '?'}{query}"


def connect(
    dials: Dials,
    factory: KickFactory,
    wrap: Callable[[Any], Any],
    tls: Callable[[Any], Any] | None = None,
) -> IConnector:
    """Connect ``factory`` by ``dials``. ``tls`` puts TLS around a factory and is needed for a ``wss:``
    address; ``wrap`` puts around that what lies between it and TCP. Raises ValueError for ``wss:``
    without ``tls``."""
    inner: Any = factory
    if factory.isSecure:
        if tls is None:
            raise ValueError(f"{factory.host}: a wss: address needs TLS")
        inner = tls(factory)
    return dials.connectTCP(factory.host, factory.port, wrap(inner), CONNECT_WITHIN)
