"""One connection to Kick's Pusher server: welcome, subscriptions, keepalive, goodbye.

The protocol is dumb: it takes frames apart and hands them to its owner, and reports welcome, answers
to subscriptions, and loss. What is done with rooms is decided elsewhere.

Autobahn does the WebSocket. Its own timers live on the global reactor, so they are switched off and
``check`` and ``close`` do their work on the clock that was handed in; it also logs every step of every
attempt, swallows what its callbacks raise and fires a Deferred for every message, none of which suits
a recorder.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import Protocol as Typed

from autobahn.twisted.websocket import WebSocketClientProtocol
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatlog.kick import pusher
from chatlog.kick.pusher import Closing
from chatlog.network import tls
from chatlog.record import rfc3339
from chatlog.rooms.arrivals import Arrivals

#: Seconds from connecting to the server's welcome.
WELCOME_WITHIN = 30.0
#: Seconds without a byte until we ping (less where the server asks for it), and then until we give up.
PING_AFTER = 30.0
PONG_WITHIN = 30.0
#: Seconds after which answers to subscriptions are no longer waited for with unpaced reading.
ANSWER_WITHIN = 30.0
#: Seconds for a close to be answered, and for the server to drop a connection that it closed.
CLOSE_WITHIN = 0.5
DROP_WITHIN = 1.0
#: Bytes of a message beyond which the connection is given up. Between this and ``pusher.MAX_FRAME`` it
#: is recorded, but not looked into.
MESSAGE_LIMIT = 2 * pusher.MAX_FRAME
#: Bytes that the server may send before its handshake is complete.
HANDSHAKE_LIMIT = 16384
#: Bytes that Autobahn gets at a time.
PORTION = 8192


class Owner(Typed):
    """Who a connection reports to. ``received`` has the form of a record's time."""

    def connected(self) -> None:
        """The server has welcomed us: subscriptions may be sent."""

    def event(self, event: pusher.Event, frame: bytes, received: str) -> None:
        """Somebody published ``event``; ``frame`` is what carried it."""

    def not_understood(self, frame: bytes, received: str) -> None:
        """A frame that is no event."""

    def subscribed(self, channel: str) -> None:
        """The server delivers the channel on this connection."""

    def subscription_refused(self, channel: str, reason: str) -> None:
        """The server does not deliver the channel; ``reason`` in its own words."""

    def lost(self, heard_ago: float | None, reason: str, closing: Closing) -> None:
        """The connection is gone, ``heard_ago`` seconds after the last byte, or an attempt failed: then
        ``heard_ago`` is None."""


class Silent:
    """Takes autobahn's log. What it says about a lost connection is in the reason of the loss as well."""

    def debug(self, *args: object, **fields: object) -> None:
        """Say nothing."""

    trace = info = warn = error = failure = critical = debug


class KickProtocol(WebSocketClientProtocol):
    """A connection. ``arrivals`` tells when the last byte came, in seconds of the clock; ``received`` the
    same by the wall clock, as records have it; ``established_at`` when the server welcomed us."""

    log = Silent()
    transport: Any
    _log = Logger()

    def __init__(
        self,
        owner: Owner,
        clock: IReactorTime,
        wall: Callable[[], float],
        on_settled: Callable[[Any], None],
        on_closing: Callable[[Any], None],
    ) -> None:
        super().__init__()
        self._owner = owner
        self._clock = clock
        self._wall = wall
        self._on_settled = on_settled
        self._on_closing = on_closing
        self._began = clock.seconds()
        self.arrivals = Arrivals(b"created_at", pusher.latest_time, self._began)
        self.received = ""
        self.established_at: float | None = None
        self.reason = ""
        self._code: int | None = None
        self._error_code: int | None = None
        self._ping_after = PING_AFTER
        self._pinged_at: float | None = None
        self._closed_at: float | None = None
        self._abort_call: IDelayedCall | None = None
        self._pending: set[str] = set()
        self._asked_at = 0.0
        self._settled = False
        self._errors = 0
        self._failures = 0

    @property
    def established(self) -> bool:
        """Whether the server has welcomed us."""
        return self.established_at is not None

    @property
    def closing(self) -> Closing:
        """What the way the connection ended asks for."""
        # Since protocol 6 the server closes with the code; before, it sent an error with it first.
        if self._code is not None and self._code >= 4000:
            return pusher.closing(self._code)
        return pusher.closing(self._error_code)

    def heard_ago(self) -> float:
        """Seconds since everything had come that the server had sent."""
        return self.arrivals.heard_ago(self._clock.seconds(), self._wall())

    # -- what the owner asks -----------------------------------------------------------------------

    def subscribe(self, channel: str) -> None:
        """Ask for a channel; answered by ``subscribed``, ``subscription_refused`` or not at all."""
        if self._write(pusher.subscribe(channel)):
            self._pending.add(channel)
            self._asked_at = self._clock.seconds()

    def unsubscribe(self, channel: str) -> None:
        """Give a channel up."""
        self._write(pusher.unsubscribe(channel))
        self._answered(channel)

    def close(self, reason: str) -> None:
        """Say goodbye and end the connection, within CLOSE_WITHIN seconds."""
        if not self.reason:
            self.reason = reason
        if self.state != self.STATE_OPEN:
            self.abort(reason)
        elif self._abort_call is None:
            # The server's goodbye must be read even if nobody ticks any more.
            self._on_closing(self.transport)
            self._abort_call = self._clock.callLater(CLOSE_WITHIN, self.abort, reason)
            self.sendClose(1000)

    def abort(self, reason: str) -> None:
        """End the connection now."""
        if not self.reason:
            self.reason = reason
        self.transport.abortConnection()

    def check(self) -> None:
        """Called every second: ping when it is quiet, give up when nothing answers."""
        now = self._clock.seconds()
        if self._closed_at is not None:
            if now - self._closed_at >= DROP_WITHIN:
                self.transport.abortConnection()
        elif self.established_at is None:
            if now - self._began >= WELCOME_WITHIN:
                self.abort("no welcome from the server")
        elif self._pinged_at is not None and self.arrivals.heard < self._pinged_at:
            if now - self._pinged_at >= PONG_WITHIN:
                self.abort("connection lost")
        elif now - self.arrivals.heard >= self._ping_after:
            self._pinged_at = now
            self._write(pusher.PING)
        if self._pending and now - self._asked_at >= ANSWER_WITHIN:
            self._settle()

    # -- what Twisted and autobahn call ------------------------------------------------------------

    def connectionMade(self) -> None:
        self._began = self.arrivals.heard = self._clock.seconds()
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        self.arrivals.came(data, self._clock.seconds())
        self.received = rfc3339(int(self._wall() * 1000))
        try:
            # Autobahn copies what is left once a frame and more: less of it at a time is less to copy.
            for start in range(0, len(data), PORTION):
                self._dataReceived(data[start : start + PORTION])
        except Exception as error:
            # A handshake of nonsense; frames are guarded one by one.
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
            self._on_closing(self.transport)
        done: bool | None = super().onCloseFrame(code, reasonRaw)
        return done

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._abort_call is not None and self._abort_call.active():
            self._abort_call.cancel()
        super().connectionLost(reason)
        if not self.reason:
            self.reason = self._why(reason)

    # -- the inside --------------------------------------------------------------------------------

    def _why(self, reason: Failure) -> str:
        """Why the connection ended, where it was not for a reason of ours."""
        if self._code is not None:
            said = pusher.readable(self.remoteCloseReason or "")
            return f"closed by the server: {self._code} {said}".rstrip()
        if self._closed_at is not None:
            return "closed by the server"
        if words := tls.trouble(reason):
            return f"connection lost: {words}"
        if self.wasNotCleanReason and (self.failedByMe or self.droppedByMe):
            # Autobahn gave the connection up; the cause stands behind what it did.
            words = pusher.readable(self.wasNotCleanReason)
            cause = words.partition("TCP connection: ")[2]
            return f"protocol violated: {cause}" if cause else words
        return "connection lost"

    def _write(self, frame: bytes) -> bool:
        if self.state != self.STATE_OPEN:
            return False
        self.sendMessage(frame)
        return True

    def _take(self, frame: bytes) -> None:
        event = pusher.parse(frame)
        if event is None:
            self._owner.not_understood(frame, self.received)
        elif event.name.startswith(pusher.OWN_PREFIXES):
            try:
                self._talk(event)
            except Exception:
                self._log.failure("kick: while taking {name}", name=event.name)
                self.abort(f"could not take {event.name}")
        else:
            self._owner.event(event, frame, self.received)

    def _broken(self, frame: bytes) -> None:
        """A frame that breaks us must neither drop the connection nor vanish."""
        self._failures += 1
        if self._failures == 1 or self._failures % 100 == 0:
            self._log.failure(
                "kick: a frame could not be taken ({failures} so far); it is recorded as unparsed",
                failures=self._failures,
            )
        try:
            self._owner.not_understood(frame, self.received)
        except Exception:
            self.abort("a frame could not be taken")

    def _talk(self, event: pusher.Event) -> None:
        name = event.name
        if name == "pusher:ping":
            self._write(pusher.PONG)
        elif name == pusher.SUBSCRIBED:
            self._owner.subscribed(event.channel)
            self._answered(event.channel)
        elif name in pusher.REFUSED:
            self._owner.subscription_refused(event.channel, pusher.refusal(event))
            self._answered(event.channel)
        elif name == pusher.ESTABLISHED:
            if self.established_at is None:
                self.established_at = self._clock.seconds()
                self._ping_after = min(PING_AFTER, pusher.activity_timeout(event))
                self._owner.connected()
        elif name == pusher.ERROR:
            self._error(event)

    def _error(self, event: pusher.Event) -> None:
        code, message = pusher.error(event)
        existing = pusher.already_subscribed(message)
        if code is not None and 4000 <= code <= 4299:
            self._error_code = code
            self.close(f"error from the server: {code} {message}".rstrip())
        elif existing:
            # The only answer there is to asking twice.
            self._owner.subscribed(existing)
            self._answered(existing)
        else:
            self._errors += 1
            if self._errors == 1:
                self._log.warn("kick: the server says: {message}", message=message)

    def _answered(self, channel: str) -> None:
        """Handshakes and answers are read as they come; once there are none left, reading is paced."""
        if channel in self._pending:
            self._pending.discard(channel)
            if not self._pending:
                self._settle()

    def _settle(self) -> None:
        if not self._settled:
            self._settled = True
            self._on_settled(self.transport)
