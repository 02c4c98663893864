"""The common part of all platforms' protocols: the welcome, keepalive, and the end of a connection.

A platform's protocol answers control messages (welcome, ping, refusals) itself, hands chat to its intake, and
reports to its owner only events of rooms.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any
from typing import Protocol as Typed

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from chatlog.network import pacing, tls
from chatlog.rooms.arrivals import Arrivals
from chatlog.rooms.closing import Closing

#: Seconds from connecting to the server's welcome.
WELCOME_WITHIN = 30.0
#: Seconds without a byte until the server is pinged.
PING_AFTER = 30.0
#: Seconds in which a ping must be answered; pings are sent and answers read at whole seconds.
PING_ANSWER = 1.5
#: Seconds that a goodbye may take.
CLOSE_WITHIN = 0.4


class Owner(Typed):
    """Receives the events of a protocol. Rooms have the names of the platform's pool."""

    number: int

    def welcomed(self) -> None:
        """The server has welcomed us: rooms may be requested."""

    def acknowledged(self, name: str) -> None:
        """The server delivers the room on this connection."""

    def refused(self, name: str, reason: str) -> None:
        """The server does not deliver the room; ``reason`` in its own words."""

    def parted(self, name: str) -> None:
        """The server has removed us from the room."""

    def asked_to_leave(self) -> None:
        """The server will close the connection soon."""

    def is_delivered_elsewhere(self, name: str) -> bool:
        """Whether another connection delivers the room too. If ``name`` is no room: whether others deliver
        all rooms of this one."""

    def ended(self, chat: ChatProtocol | None, reason: str, closing: Closing) -> None:
        """The connection ``chat`` has ended; None if it could not be made."""


class ChatProtocol(ABC):
    """A single connection. ``arrivals`` knows when the last byte came, in seconds of the clock.
    ``welcomed_at``: when the server welcomed us. ``reason``: why the connection ended, ``""`` if that is not
    known yet."""

    transport: Any
    #: Seconds of silence until a ping, and from there until the connection is given up.
    ping_after = PING_AFTER
    pong_within = 30.0
    #: Whether the server answers a goodbye.
    says_goodbye = True

    def __init__(
        self,
        owner: Owner,
        clock: IReactorTime,
        wall: Callable[[], float],
        mark: bytes,
        sent: Callable[[bytes], float | None],
    ) -> None:
        """``mark`` and ``sent`` find times in the data: see ``Arrivals``."""
        super().__init__()
        self._owner = owner
        self._clock = clock
        self._wall = wall
        self._began = clock.seconds()
        self.arrivals = Arrivals(mark, sent, self._began, wall)
        self.welcomed_at: float | None = None
        self.reason = ""
        self._pinged_at: float | None = None
        self._abort_call: IDelayedCall | None = None
        self._gave_up = False

    # -- the platform's part -------------------------------------------------------------------------

    @property
    def closing(self) -> Closing:
        """How soon to reconnect after this end."""
        return Closing.BACK_OFF

    @abstractmethod
    def subscribe(self, names: list[str]) -> None:
        """Request these rooms."""

    @abstractmethod
    def unsubscribe(self, name: str) -> None:
        """Leave a room."""

    @abstractmethod
    def ping(self) -> None:
        """Send a ping."""

    def say_goodbye(self) -> None:
        """Begin to end the connection."""
        self.transport.loseConnection()

    # -- for the owner -------------------------------------------------------------------------------

    def read_now(self) -> None:
        """Read the data that has arrived and waits for the next tick."""
        pacing.read_now(self.transport)

    def heard_ago(self) -> float:
        """The age in seconds of the latest moment until which everything sent by the server has arrived."""
        return self.heard()[0]

    def heard(self) -> tuple[float, float]:
        """That age, and by how many seconds the latest data was late: see ``Arrivals``."""
        return self.arrivals.heard_ago(self._clock.seconds())

    @property
    def answers(self) -> bool:
        """Whether everything that the server has sent has arrived, judged by its answers to the last ping and
        to a goodbye."""
        parted = self._abort_call is None or (self.says_goodbye and not self._gave_up)
        return parted and self.heard_ago() <= PING_AFTER + PING_ANSWER

    def check(self) -> None:
        """Called every second: ping after a silence, and give up without an answer."""
        now = self._clock.seconds()
        if self.welcomed_at is None:
            if now - self._began >= WELCOME_WITHIN:
                self.abort("no welcome from the server")
        elif self._pinged_at is not None and self.arrivals.heard < self._pinged_at:
            if now - self._pinged_at >= self.pong_within:
                self.abort("connection lost")
        elif now - self.arrivals.heard >= self.ping_after:
            self._pinged_at = now
            self.ping()

    def close(self, reason: str) -> None:
        """Say goodbye and end the connection, within CLOSE_WITHIN seconds."""
        self.reason = self.reason or reason
        if self._abort_call is None:
            # The server's goodbye must be read even if there are no more ticks.
            pacing.end(self.transport)
            self._abort_call = self._clock.callLater(CLOSE_WITHIN, self._give_up)
            self.say_goodbye()

    def abort(self, reason: str) -> None:
        """End the connection now."""
        self.reason = self.reason or reason
        self.transport.abortConnection()

    # -- the inside ------------------------------------------------------------------------------------

    def _give_up(self) -> None:
        self._gave_up = True
        self.transport.abortConnection()

    def _connected(self) -> None:
        self._began = self.arrivals.heard = self._clock.seconds()

    def _welcomed(self) -> None:
        if self.welcomed_at is None:
            self.welcomed_at = self._clock.seconds()
            self._owner.welcomed()

    def _disconnected(self, reason: Failure) -> None:
        if self._abort_call is not None and self._abort_call.active():
            self._abort_call.cancel()
        if not self.reason:
            # After the welcome, the reason of a gap does not depend on the error of TLS.
            words = "" if self.welcomed_at is not None else tls.trouble(reason)
            self.reason = f"connection lost: {words}" if words else "connection lost"
