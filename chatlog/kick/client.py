"""The protocol of a connection to Kick's Pusher server: welcome, subscriptions, keepalive, goodbye.

Autobahn does the WebSocket. Its own timers live on the global reactor, so they are switched off and ``check``
and ``close`` do their work on the clock that was handed in; it also logs every step of every attempt,
swallows exceptions of its callbacks, and fires a Deferred for every message, which does not suit a recorder.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any
from typing import Protocol as Typed
from urllib.parse import urlencode

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatlog import __version__
from chatlog.environment import Environment
from chatlog.kick import pusher
from chatlog.network import pacing
from chatlog.network.dialing import Dials
from chatlog.record import rfc3339
from chatlog.rooms.chat_protocol import PING_AFTER, ChatProtocol, Owner
from chatlog.rooms.closing import Closing
from chatlog.rooms.reconnecting import CONNECT_WITHIN, Reconnecting

#: Seconds for which reading is unpaced while answers to subscriptions are missing.
ANSWER_WITHIN = 30.0
#: Seconds for the server to drop a connection that it closed.
DROP_WITHIN = 1.0
#: The connection is given up after a longer message (bytes). Between ``pusher.MAX_FRAME`` and this, a message
#: is recorded, but not parsed.
MESSAGE_LIMIT = 2 * pusher.MAX_FRAME
#: The most bytes that the server may send before its handshake is complete.
HANDSHAKE_LIMIT = 16384
#: The most bytes that Autobahn gets at a time.
PORTION = 8192


class EventSink(Typed):
    """Receives the frames of a connection. ``received`` is the time in the form of records, ``number`` that
    of the connection."""

    def event(self, event: pusher.Event, frame: bytes, received: str, number: int) -> None:
        """The event in ``frame``."""

    def not_understood(self, frame: bytes, received: str) -> None:
        """A frame that is not an event."""


class Channels(Typed):
    """The Pusher channels of rooms."""

    def channels_of(self, name: str) -> list[str]:
        """The Pusher channels of a room, the one with its chat first."""

    def room_of(self, channel: str) -> str:
        """The name of the room whose chat comes over the channel; ``""`` if there is none."""


class Silent:
    """Drops autobahn's log: the reason of a lost connection is reported anyway."""

    def debug(self, *args: object, **fields: object) -> None:
        """Log nothing."""

    trace = info = warn = error = failure = critical = debug


class KickProtocol(ChatProtocol, WebSocketClientProtocol):  # type: ignore[misc]
    """A connection. ``received`` is when the last byte came, in the form of a record's time."""

    log = Silent()
    _log = Logger()

    def __init__(self, owner: Owner, sink: EventSink, channels: Channels, environment: Environment) -> None:
        super().__init__(owner, environment.reactor, environment.wall, b"created_at", pusher.latest_time)
        self.received = ""
        self._number = owner.number
        self._sink = sink
        self._channels = channels
        self._code: int | None = None
        self._error_code: int | None = None
        self._closed_at: float | None = None
        self._pending: set[str] = set()
        self._asked_at = 0.0
        self._settled = False
        self._errors = 0
        self._failures = 0

    @property
    def closing(self) -> Closing:
        # Since protocol 6 the server closes with the code; before, it sent an error with it first.
        if self._code is not None and self._code >= 4000:
            return pusher.closing(self._code)
        return pusher.closing(self._error_code)

    # -- for the owner -----------------------------------------------------------------------------

    def subscribe(self, names: list[str]) -> None:
        for name in names:
            for channel in self._channels.channels_of(name):
                if self._write(pusher.subscribe(channel)):
                    self._pending.add(channel)
                    self._asked_at = self._clock.seconds()

    def unsubscribe(self, name: str) -> None:
        for channel in self._channels.channels_of(name):
            self._write(pusher.unsubscribe(channel))
            self._answered(channel)

    def ping(self) -> None:
        self._write(pusher.PING)

    def say_goodbye(self) -> None:
        if self.state == self.STATE_OPEN:
            self.sendClose(1000)
        else:
            self.transport.abortConnection()

    def check(self) -> None:
        now = self._clock.seconds()
        if self._closed_at is None:
            super().check()
        elif now - self._closed_at >= DROP_WITHIN:
            self.transport.abortConnection()
        if self._pending and now - self._asked_at >= ANSWER_WITHIN:
            self._settle()

    # -- for Twisted and autobahn ------------------------------------------------------------------

    def connectionMade(self) -> None:
        self._connected()
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        self.arrivals.came(data, self._clock.seconds())
        self.received = rfc3339(int(self._wall() * 1000))
        try:
            # Autobahn copies the remaining bytes at least once a frame: with smaller pieces it copies less.
            for start in range(0, len(data), PORTION):
                self._dataReceived(data[start : start + PORTION])
        except Exception as error:
            # The handshake was invalid; errors in frames are caught one by one.
            self.abort(f"cannot be read as WebSocket: {type(error).__name__}")
        if self.state == self.STATE_CONNECTING and len(self.data) > HANDSHAKE_LIMIT:
            self.abort("cannot be read as WebSocket: endless handshake")

    def onMessageEnd(self) -> None:
        if not self.failedByMe:
            parts = self.message_data
            frame = parts[0] if len(parts) == 1 else b"".join(parts)
            try:
                self._take(frame)
            except Exception:
                self._broken(frame)
        self.message_data = []

    def onCloseFrame(self, code: Any, reasonRaw: Any) -> bool | None:
        if self._closed_at is None:
            self._code = code
            self._closed_at = self._clock.seconds()
            pacing.end(self.transport)
        done: bool | None = super().onCloseFrame(code, reasonRaw)
        return done

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self.reason = self.reason or self._why()
        self._disconnected(reason)

    # -- the inside --------------------------------------------------------------------------------

    def _why(self) -> str:
        """Why the connection ended, if the cause was the WebSocket protocol, and neither this side nor the
        network."""
        if self._code is not None:
            said = pusher.readable(self.remoteCloseReason or "")
            return f"closed by the server: {self._code} {said}".rstrip()
        if self._closed_at is not None:
            return "closed by the server"
        if self.wasNotCleanReason and (self.failedByMe or self.droppedByMe):
            # Autobahn gave the connection up; the cause follows its own words.
            words = pusher.readable(self.wasNotCleanReason)
            cause = words.partition("TCP connection: ")[2]
            return f"protocol violated: {cause}" if cause else words
        return ""

    def _write(self, frame: bytes) -> bool:
        if self.state != self.STATE_OPEN:
            return False
        self.sendMessage(frame)
        return True

    def _take(self, frame: bytes) -> None:
        event = pusher.parse(frame)
        if event is None:
            self._sink.not_understood(frame, self.received)
        elif event.name.startswith(pusher.OWN_PREFIXES):
            try:
                self._control(event)
            except Exception:
                self._log.failure("kick: while taking {name}", name=event.name)
                self.abort(f"could not take {event.name}")
        else:
            self._sink.event(event, frame, self.received, self._number)

    def _broken(self, frame: bytes) -> None:
        """Record a frame that caused an exception; the connection stays."""
        self._failures += 1
        if self._failures == 1 or self._failures % 100 == 0:
            self._log.failure(
                "kick: a frame could not be taken ({failures} so far); it is recorded as unparsed",
                failures=self._failures,
            )
        try:
            self._sink.not_understood(frame, self.received)
        except Exception:
            self.abort("a frame could not be taken")

    def _control(self, event: pusher.Event) -> None:
        """Handle a message of the protocol."""
        name = event.name
        if name == "pusher:ping":
            self._write(pusher.PONG)
        elif name == pusher.SUBSCRIBED:
            self._subscribed(event.channel)
        elif name in pusher.REFUSED:
            if room := self._channels.room_of(event.channel):
                self._owner.refused(room, pusher.refusal(event))
            self._answered(event.channel)
        elif name == pusher.ESTABLISHED:
            if self.welcomed_at is None:
                self.ping_after = min(PING_AFTER, pusher.activity_timeout(event))
                self._welcomed()
        elif name == pusher.ERROR:
            self._error(event)

    def _error(self, event: pusher.Event) -> None:
        code, message = pusher.error(event)
        existing = pusher.already_subscribed(message)
        if code is not None and 4000 <= code <= 4299:
            self._error_code = code
            self.close(f"error from the server: {code} {message}".rstrip())
        elif existing:
            # The server's answer to a repeated subscription.
            self._subscribed(existing)
        else:
            self._errors += 1
            if self._errors == 1:
                self._log.warn("kick: the server says: {message}", message=message)

    def _subscribed(self, channel: str) -> None:
        # The first channel of a room carries its chat; the others are extras.
        if room := self._channels.room_of(channel):
            self._owner.acknowledged(room)
        self._answered(channel)

    def _answered(self, channel: str) -> None:
        """Read unpaced while answers are missing, and paced afterwards."""
        if channel in self._pending:
            self._pending.discard(channel)
            if not self._pending:
                self._settle()

    def _settle(self) -> None:
        if not self._settled:
            self._settled = True
            pacing.begin(self.transport)


class KickFactory(Reconnecting, WebSocketClientFactory):  # type: ignore[misc]
    """Reconnects whenever the connection is lost."""

    log = Silent()
    # Only a change of the configuration or of the server helps.
    refused_again = (600.0, 900.0)

    def __init__(
        self,
        owner: Owner,
        server: str,
        sink: EventSink,
        channels: Channels,
        environment: Environment,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """``server`` is the address without its query."""
        clock = environment.reactor
        WebSocketClientFactory.__init__(
            self, address(server), useragent=f"chatlog/{__version__}", reactor=clock
        )
        build = partial(KickProtocol, owner, sink, channels, environment)
        Reconnecting.__init__(self, owner, build, clock, uniform)
        self.setProtocolOptions(
            utf8validateIncoming=False,
            maxFramePayloadSize=MESSAGE_LIMIT,
            maxMessagePayloadSize=MESSAGE_LIMIT,
            openHandshakeTimeout=0,
            closeHandshakeTimeout=0,
            serverConnectionDropTimeout=0,
        )


def address(server: str) -> str:
    """The address to connect to: ``server`` with the query that Pusher requires of a client."""
    query = urlencode({"protocol": 7, "client": "chatlog", "version": __version__})
    return f"{server}{'&' if '?' in server else '?'}{query}"


def connect(
    dials: Dials,
    factory: KickFactory,
    wrap: Callable[[Any], Any],
    tls: Callable[[Any], Any] | None = None,
) -> KickFactory:
    """Begin to connect ``factory`` by ``dials``. ``tls`` puts TLS around a factory and is needed for a
    ``wss:`` address; ``wrap`` puts around that the layer between it and TCP. Raises ValueError for ``wss:``
    without ``tls``."""
    inner: Any = factory
    if factory.isSecure:
        if tls is None:
            raise ValueError(f"{factory.host}: a wss: address needs TLS")
        inner = tls(factory)
    dials.connectTCP(factory.host, factory.port, wrap(inner), CONNECT_WITHIN)
    return factory
