"""Twitch's rooms: links that join them, and what the server says about joining.

A room is acknowledged by the echo of our own JOIN or by its ROOMSTATE; a NOTICE with one of REFUSALS
refuses it; a room that does not exist is met with silence. (dev.twitch.tv/docs/chat/irc)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatlog.config.settings import TwitchSettings
from chatlog.environment import Environment
from chatlog.network.dialing import Dials
from chatlog.reasons import of_connection, with_code
from chatlog.rooms.links import Limits
from chatlog.rooms.pool import Pool
from chatlog.rooms.seats import Link, Room, State
from chatlog.timeline.timeline import Gap
from chatlog.twitch import irc
from chatlog.twitch.client import LOGIN_REFUSED, PING_AFTER, TwitchFactory, TwitchProtocol, is_login_refusal
from chatlog.twitch.events import channel_of
from chatlog.twitch.intake import Intake

PLATFORM = "twitch"

#: The msg-ids of a NOTICE that says a room will not be delivered to us. The last two are not in
#: Twitch's own table, but servers send them.
REFUSALS = frozenset(
    {
        "msg_channel_suspended",
        "msg_banned",
        "msg_channel_blocked",
        "tos_ban",
        "msg_room_not_found",
        "msg_concurrent_channel_limit_reached",
    }
)

#: Seconds that a connection attempt may take, over all addresses, and that a close may wait for the peer.
CONNECT_WITHIN = 20.0
CLOSE_WITHIN = 0.4
#: Seconds since its welcome after which a connection that was opened because the server asked for it is left
#: because the server asks for it.
RECONNECT_AFTER = 5.0
#: Seconds in which a ping is answered, if at all: it is sent and read at whole seconds.
PING_ANSWER = 1.5


class TwitchLink(Link):
    """A connection to Twitch that carries rooms. ``connect(factory)`` starts a TCP connection for the
    factory, with TLS and pacing around it."""

    _log = Logger()

    def __init__(
        self,
        pool: Pool,
        number: int,
        lane: int,
        intake: Intake,
        settings: TwitchSettings,
        environment: Environment,
        connect: Callable[[TwitchFactory], Any],
    ) -> None:
        super().__init__(number, lane)
        self._pool = pool
        self._intake = intake
        self._clock: IReactorTime = environment.reactor
        self._wall = environment.wall
        self._counters = environment.counters
        self._connect = connect
        self._tls = settings.tls
        self._factory = TwitchFactory(self, settings, environment.reactor)
        self._connector: Any = None
        self._gone: Deferred[None] | None = None
        # The connection that the server has asked to leave.
        self._leaving: TwitchProtocol | None = None

    # -- what the pool asks ------------------------------------------------------------------------

    def open(self) -> None:
        self._connector = self._connect(self._factory)

    def close(self) -> Deferred[None]:
        protocol = self._factory.protocol
        self._factory.stopTrying()
        if protocol is None:
            if self._connector is not None:
                self._connector.disconnect()
            return succeed(None)
        gone: Deferred[None] = Deferred()
        self._gone = gone
        abort = self._clock.callLater(CLOSE_WITHIN, self._give_up, protocol)
        protocol.drop("closed")

        def done(result: None) -> None:
            if abort.active():
                abort.cancel()

        return gone.addCallback(done)

    def _give_up(self, protocol: TwitchProtocol) -> None:
        self.answers = False
        protocol.drop("closed", abort=True)

    def ask(self, names: list[str]) -> None:
        self._send(irc.format_channels("JOIN", names))

    def leave(self, name: str) -> None:
        self._send(irc.format_channels("PART", [name]))

    def heard_ago(self) -> float:
        protocol = self._factory.protocol
        if protocol is None:
            return 0.0
        return protocol.arrivals.heard_ago(self._clock.seconds(), self._wall())

    def check(self) -> None:
        protocol = self._factory.protocol
        if protocol is not None:
            protocol.check()
            self._retire_if_settled(protocol)

    def _retire_if_settled(self, protocol: TwitchProtocol) -> None:
        """Move to another connection as the server has asked for, but not at once from one to the next and
        the next. Before its welcome there is nothing to move."""
        welcomed = protocol.welcomed_at
        if protocol is not self._leaving or welcomed is None:
            return
        if not self.follows or self._clock.seconds() - welcomed >= RECONNECT_AFTER:
            self._pool.retire(self)

    def _send(self, lines: list[bytes]) -> None:
        if self._factory.protocol is not None:
            self._factory.protocol.send(b"".join(lines))

    # -- what the connection reports ---------------------------------------------------------------

    def welcomed(self) -> None:
        self.refused = False
        self._counters.connects[PLATFORM] += 1
        if self.trouble:
            self._log.info("twitch: connection {number} is back", number=self.number)
            self.trouble = ""
        self.answers = True
        self._pool.link_up(self)

    def lines(self, lines: list[bytes]) -> None:
        self._intake.lines(lines, self)

    def cut_off(self, rest: bytes) -> None:
        room = self._pool.rooms.get(channel_of(rest))
        if room is None:
            whole_elsewhere = self.retiring or self._pool.lanes > 1
        else:
            others = (seat for seat in room.seats if seat.link is not self)
            whole_elsewhere = any(seat.state is State.RECORDED for seat in others)
        if not whole_elsewhere:
            self._intake.cut_off(rest)

    def lost(self, heard_ago: float | None, reason: str) -> None:
        gone, self._gone = self._gone, None
        self.refused = reason.startswith(LOGIN_REFUSED)
        if heard_ago is not None:
            self._counters.disconnects[PLATFORM] += 1
            # Without TLS nobody says goodbye.
            if heard_ago > PING_AFTER + PING_ANSWER or (self.closing and not self._tls):
                self.answers = False
        if not self.closing and not self.retiring and reason != self.trouble:
            # Once per change: a server that stays away says the same at every try.
            self.trouble = reason
            words = with_code(of_connection(PLATFORM, reason), reason)
            self._log.warn("twitch: connection {number}: {reason}", number=self.number, reason=words)
        if self.up:
            reason = "reconnect" if self.retiring else reason
            self._pool.link_down(self, self._wall() - self.heard_ago(), reason)
        if self.retiring:
            self._factory.stopTrying()
        if gone is not None:
            gone.callback(None)

    def talk(self, message: irc.Message) -> None:
        """What the server says to us, in the order it says it."""
        protocol = self._factory.protocol
        if protocol is None:
            return
        command = message.command
        if command == "PING":
            self._pong(message.params[-1] if message.params else "")
        elif command == "ROOMSTATE":
            self._roomstate(message)
        elif command == "NOTICE":
            self._notice(message)
        elif command == "JOIN":
            if message.nick == protocol.nick:
                self._pool.acknowledged(self, message.channel)
        elif command == "PART":
            if message.nick == protocol.nick and message.channel in self.seats:
                self._pool.parted(self, message.channel)
        elif command == "001":
            protocol.welcome(message.params[0] if message.params else "")
        elif command == "RECONNECT":
            if self._leaving is not protocol:
                self._log.info(
                    "twitch: connection {number}: the server asks to reconnect", number=self.number
                )
            self._leaving = protocol
            self._retire_if_settled(protocol)
        elif command == "CAP" and "NAK" in message.params:
            self._log.error(
                "twitch: the server does not give the capabilities {capabilities}; "
                "records will lack what they carry",
                capabilities=message.params[-1],
            )

    def _pong(self, text: str) -> None:
        try:
            line = irc.format_line("PONG", text)
        except ValueError:
            # Not to be echoed, but still to be answered.
            line = irc.format_line("PONG", "tmi.twitch.tv")
        assert self._factory.protocol is not None
        self._factory.protocol.send(line)

    def _roomstate(self, message: irc.Message) -> None:
        room_id = message.tags.get("room-id", "")
        room = self._pool.rooms.get(message.channel)
        if room is not None and room_id:
            room.identifier = room_id
            if message.channel in self.seats:
                self._pool.acknowledged(self, message.channel)

    def _notice(self, message: irc.Message) -> None:
        protocol = self._factory.protocol
        text = message.params[-1] if message.params else ""
        if protocol is not None and protocol.welcomed_at is None:
            if is_login_refusal(text):
                protocol.refuse_login(text)
        elif message.tags.get("msg-id") in REFUSALS:
            self._pool.refused(self, message.channel, message.tags["msg-id"])


def twitch_pool(
    settings: TwitchSettings,
    environment: Environment,
    dials: Dials,
    intake: Callable[[dict[str, Room]], Intake],
    on_gap: Callable[[Room, Gap], None],
    wrap: Callable[[TwitchFactory], Any],
) -> Pool:
    """The pool of Twitch rooms, still empty. ``dials`` makes the connections; ``intake(rooms)`` makes what
    takes the lines; ``wrap(factory)`` puts TLS and pacing around the factory of a connection."""

    def connect(factory: TwitchFactory) -> Any:
        return dials.connectTCP(settings.host, settings.port, wrap(factory), CONNECT_WITHIN)

    def new_link(pool: Pool, number: int, lane: int) -> Link:
        return TwitchLink(pool, number, lane, lines, settings, environment, connect)

    limits = Limits(settings.rooms_per_connection, settings.joins_per_10s, 10.0, settings.lanes)
    pool = Pool(PLATFORM, environment, new_link, on_gap, limits)
    lines = intake(pool.rooms)
    return pool
