"""A connection that reconnects by itself until it is closed, and the table of its states.

    PLANNED        it waits to be opened
    CONNECTING     it is being made, or made again, and the server has not welcomed it
    ONLINE         the server has welcomed it
    RETIRING       the server will close it, and its rooms are moving to another one
    CLOSING        we have said goodbye, and the other side has not
    CLOSED         it has ended and does not reconnect

``TABLE`` says which event leads from one state to the next. An event that it does not name changes nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger, LogLevel

from chatlog.environment import Environment
from chatlog.reasons import of_connection, with_code
from chatlog.rooms.chat_protocol import ChatProtocol
from chatlog.rooms.closing import Closing
from chatlog.rooms.reconnecting import Reconnecting
from chatlog.rooms.subscriptions import Subscription

#: A connection that was opened at the server's request follows the next such request only so many seconds
#: after its welcome.
RECONNECT_AFTER = 5.0


class Phase(enum.Enum):
    """The state of a connection."""

    PLANNED = "planned"
    CONNECTING = "connecting"
    ONLINE = "online"
    RETIRING = "retiring"
    CLOSING = "closing"
    CLOSED = "closed"


class Step(enum.Enum):
    """An event of a connection."""

    OPEN = "it is opened"
    WELCOME = "the server welcomes it"
    LOSE = "it is lost, or an attempt fails"
    RETIRE = "the server asks to leave it"
    CLOSE = "it is closed"


TABLE: Mapping[tuple[Phase, Step], Phase] = MappingProxyType(
    {
        (Phase.PLANNED, Step.OPEN): Phase.CONNECTING,
        (Phase.PLANNED, Step.CLOSE): Phase.CLOSED,
        (Phase.CONNECTING, Step.WELCOME): Phase.ONLINE,
        (Phase.CONNECTING, Step.CLOSE): Phase.CLOSED,
        (Phase.ONLINE, Step.LOSE): Phase.CONNECTING,
        (Phase.ONLINE, Step.RETIRE): Phase.RETIRING,
        (Phase.ONLINE, Step.CLOSE): Phase.CLOSING,
        (Phase.RETIRING, Step.LOSE): Phase.CLOSED,
        (Phase.RETIRING, Step.CLOSE): Phase.CLOSING,
        (Phase.CLOSING, Step.LOSE): Phase.CLOSED,
    }
)

#: The states in which the server delivers.
UP = frozenset({Phase.ONLINE, Phase.RETIRING, Phase.CLOSING})


class Events(Protocol):
    """Receives the events of a connection."""

    def welcomed(self, connection: Connection) -> None:
        """The server has welcomed the connection."""

    def lost(self, connection: Connection, at: float, reason: str) -> None:
        """A welcomed connection has ended; it delivered everything until ``at``, by the wall clock."""

    def acknowledged(self, connection: Connection, name: str) -> None:
        """The server delivers the room on the connection."""

    def refused(self, connection: Connection, name: str, reason: str) -> None:
        """The server will not deliver the room; ``reason`` in its own words."""

    def parted(self, connection: Connection, name: str) -> None:
        """The server has removed us from the room."""

    def retiring(self, connection: Connection) -> None:
        """The server will close the connection, whose rooms need another one."""


class Connection:
    """``number`` is never used twice in a pool. ``trouble`` is why the latest attempt or connection ended,
    ``""`` once it is welcomed; ``refused``: the server did not accept our login or key."""

    _log = Logger()

    def __init__(
        self,
        number: int,
        lane: int,
        platform: str,
        environment: Environment,
        events: Events,
        dial: Callable[[Connection], Reconnecting],
        relieves: bool,
    ) -> None:
        """``dial(connection)`` begins to connect. ``relieves``: it is for the rooms of one that retires."""
        self.number = number
        self.lane = lane
        self.phase = Phase.PLANNED
        self.subscriptions: dict[str, Subscription] = {}
        self.trouble = ""
        self.refused_login = False
        self._platform = platform
        self._clock = environment.reactor
        self._wall = environment.wall
        self._counters = environment.counters
        self._events = events
        self._dial = dial
        self._relieves = relieves
        self._factory: Reconnecting | None = None
        # The single connection that the server has asked to leave.
        self._leaving: ChatProtocol | None = None

    @property
    def up(self) -> bool:
        """Whether the server has welcomed the connection, and delivers."""
        return self.phase in UP

    @property
    def _chat(self) -> ChatProtocol | None:
        return None if self._factory is None else self._factory.chat

    def _step(self, step: Step) -> bool:
        """Change the state by the table. Returns False if nothing has changed."""
        before = self.phase
        self.phase = TABLE.get((before, step), before)
        return self.phase is not before

    # -- commands of the pool --------------------------------------------------------------------------

    def open(self) -> None:
        """Connect, and reconnect whenever the connection is lost."""
        if self._step(Step.OPEN):
            self._factory = self._dial(self)

    def close(self) -> Deferred[None]:
        """End the connection for good. Fires when it has ended, within a bounded time."""
        self._step(Step.CLOSE)
        if self._factory is None:
            return succeed(None)
        return self._factory.stop().addErrback(lambda _: self._give_up())

    def carry(self, subscription: Subscription) -> None:
        """Add a subscription."""
        self.subscriptions[subscription.room.name] = subscription

    def drop(self, subscription: Subscription) -> None:
        """Remove a subscription. Does nothing if another subscription of the room has its place."""
        if self.subscriptions.get(subscription.room.name) is subscription:
            del self.subscriptions[subscription.room.name]

    def subscribe(self, names: list[str]) -> None:
        """Ask the server for these rooms."""
        if self._chat is not None:
            self._chat.subscribe(names)

    def unsubscribe(self, name: str) -> None:
        """Leave a room on this connection."""
        if self._chat is not None:
            self._chat.unsubscribe(name)

    def read_now(self) -> None:
        """Read the data that has arrived and waits for the next tick."""
        if self._chat is not None:
            self._chat.read_now()

    def heard(self) -> tuple[float, float]:
        """How many seconds ago everything had arrived, and by how many seconds the latest data was late: see
        ``Arrivals``."""
        chat = self._chat
        return (0.0, 0.0) if chat is None else chat.heard()

    def check(self) -> None:
        """Called every second: ping, and give up a server that is silent for too long."""
        if self._chat is not None:
            self._chat.check()
            self._retire_if_settled()

    # -- events of the protocol ------------------------------------------------------------------------

    def welcomed(self) -> None:
        self.refused_login = False
        self._counters.connects[self._platform] += 1
        if self.trouble:
            self._log.info(
                "{platform}: connection {number} is back", platform=self._platform, number=self.number
            )
            self.trouble = ""
        if self._step(Step.WELCOME):
            self._events.welcomed(self)

    def acknowledged(self, name: str) -> None:
        self._events.acknowledged(self, name)

    def refused(self, name: str, reason: str) -> None:
        self._events.refused(self, name, reason)

    def parted(self, name: str) -> None:
        self._events.parted(self, name)

    def asked_to_leave(self) -> None:
        if self._leaving is not self._chat:
            self._leaving = self._chat
            self._log.info(
                "{platform}: connection {number}: the server asks to reconnect",
                platform=self._platform,
                number=self.number,
            )
        self._retire_if_settled()

    def is_delivered_elsewhere(self, name: str) -> bool:
        subscriptions = (
            [self.subscriptions[name]] if name in self.subscriptions else self.subscriptions.values()
        )
        if not subscriptions:
            return self.phase in (Phase.RETIRING, Phase.CLOSING)
        return all(subscription.room.is_delivered_elsewhere(self.number) for subscription in subscriptions)

    def ended(self, chat: ChatProtocol | None, reason: str, closing: Closing) -> None:
        before = self.phase
        self._step(Step.LOSE)
        if chat is not None and chat.welcomed_at is not None:
            self._counters.disconnects[self._platform] += 1
        if self.phase is Phase.CONNECTING:
            self.refused_login = closing is Closing.REFUSED
            if reason != self.trouble:
                # Logged once per change: every attempt fails with the same text.
                self.trouble = reason
                why = of_connection(self._platform, reason)
                self._log.emit(
                    LogLevel.error if self.refused_login else LogLevel.warn,
                    "{platform}: connection {number}: {reason}",
                    platform=self._platform,
                    number=self.number,
                    reason=with_code(why, reason) + (f". {why.remedy}" if self.refused_login else ""),
                )
        if chat is None or before not in UP:
            return
        if before is Phase.CLOSING and chat.answers:
            # The server took part in the end, so everything until now was read.
            self._events.lost(self, self._wall(), "restart")
            return
        reason = {Phase.RETIRING: "reconnect", Phase.CLOSING: "connection lost"}.get(before, reason)
        self._events.lost(self, self._heard_until(chat), reason)

    # -- the inside ------------------------------------------------------------------------------------

    def _retire_if_settled(self) -> None:
        """Retire as the server has asked, but not within RECONNECT_AFTER: otherwise connections could follow
        each other without end. Before the welcome there is nothing to move."""
        chat = self._chat
        if chat is None or chat is not self._leaving or chat.welcomed_at is None:
            return
        settled = not self._relieves or self._clock.seconds() - chat.welcomed_at >= RECONNECT_AFTER
        if settled and self._factory is not None and self._step(Step.RETIRE):
            self._factory.come_back_no_more()
            self._events.retiring(self)

    def _heard_until(self, chat: ChatProtocol) -> float:
        """Until when everything that was sent has arrived: later messages are lost."""
        ago, late = chat.heard()
        return self._wall() - ago - late

    def _give_up(self) -> None:
        """Stop waiting for the end of the connection."""
        chat = self._chat
        if chat is not None and self._step(Step.LOSE):
            self._events.lost(self, self._heard_until(chat), "connection lost")
