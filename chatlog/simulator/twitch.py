"""A simulated Twitch chat server: login, joins, refusals, keepalive.

Behaves as in dev.twitch.tv/docs/chat/irc and, where that says nothing, as clients have found: rooms that do
not exist are not answered, refusals come as NOTICE, a login that fails as NOTICE to ``*``.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Any

from twisted.internet.protocol import Protocol, ServerFactory
from twisted.python.failure import Failure

from chatlog.simulator.link import Link
from chatlog.simulator.rooms import Room
from chatlog.simulator.server import Platform
from chatlog.simulator.traffic import Traffic
from chatlog.simulator.twitch_moderation import greeting, notice

_LOGIN = re.compile(r"[a-z0-9_]{1,25}\Z")
_ROOM = re.compile(r"#([a-z0-9_]{1,25})\Z")
_KNOWN = {"twitch.tv/tags", "twitch.tv/commands", "twitch.tv/membership"}
#: Rooms that are not answered or refused, by the beginning of the name, with msg-id and text.
SILENT = "ghost"
REFUSED = {
    "banned": ("msg_banned", "You are permanently banned from talking in {}."),
    "suspended": ("msg_channel_suspended", "This channel does not exist or has been suspended."),
    "blocked": ("msg_channel_blocked", "Your account is not in good standing in this channel."),
    "tos": ("tos_ban", "The community has closed channel {} due to Terms of Service violations."),
    "full": ("msg_concurrent_channel_limit_reached", ""),
}
_TOO_MANY = (
    "You are connected to too many chat channels. "
    "Please close some existing chat connections to join a new chat"
)
_MOST_INPUT = 8192


@dataclass(frozen=True, slots=True)
class TwitchRules:
    """How the server behaves. ``rooms``: only ``room1`` to that number exist, None for any name;
    ``joins_per_10s``: more JOINs in ten seconds, over all connections, cost the connection, None for no
    limit; times in seconds."""

    rooms: int | None = None
    joins_per_10s: int | None = None
    rooms_per_connection: int = 100
    ping_every: float = 300.0
    pong_within: float = 10.0
    bad_token: str = "bad"
    first_after: float = 0.0
    own_records: bool = False


class TwitchConnection(Link, Protocol):
    """One client."""

    server: SimulatedTwitch

    def connectionMade(self) -> None:
        self._rules = self.server.rules
        self._rest = b""
        self.nick = ""
        self._password = ""
        self._welcomed = False
        self._capabilities: set[str] = set()
        self.opened(self.server.traffic, self.server.clock, self._rules.own_records)
        self._pinged = self.server.clock.seconds()
        self._waiting_for_pong = False
        self.server.connections[self.number] = self
        self.transport.registerProducer(self, True)
        if hasattr(self.transport, "setTcpNoDelay"):
            self.transport.setTcpNoDelay(True)

    def connectionLost(self, reason: Failure = Failure(Exception())) -> None:  # noqa: B008
        self.server.connections.pop(self.number, None)
        self.lost()

    def send(self, line: str) -> None:
        """Send one line after the pending lines."""
        self.pending.append(line.encode() + b"\r\n")
        self.flush()

    def dataReceived(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _MOST_INPUT:
            self.finish()
            return
        for line in lines:
            self._line(line.strip(b"\r").decode("utf-8", "replace"))

    def _line(self, line: str) -> None:
        middle, colon, trailing = line.partition(" :")
        command, *params = middle.split() or [""]
        if colon:
            params.append(trailing)
        act = getattr(self, f"_do_{command.lower()}", None)
        if act is not None and not self.dead:
            act(params)

    def _do_cap(self, params: list[str]) -> None:
        if params[:1] == ["LS"]:
            self.send(":tmi.twitch.tv CAP * LS :twitch.tv/membership twitch.tv/tags twitch.tv/commands")
        if len(params) < 2 or params[0].upper() != "REQ":
            return
        asked = set(params[1].split())
        if asked <= _KNOWN:
            self._capabilities |= asked
            self.send(f":tmi.twitch.tv CAP * ACK :{params[1]}")
        else:
            self.send(f":tmi.twitch.tv CAP * NAK :{params[1]}")

    def _do_pass(self, params: list[str]) -> None:
        self._password = params[0] if params else ""

    def _do_nick(self, params: list[str]) -> None:
        nick = params[0].lower() if params else ""
        if self.server.stalled:
            return
        if self.server.login_refused or self._password == f"oauth:{self._rules.bad_token}":
            self._refuse("Login authentication failed")
        elif not _LOGIN.match(nick):
            self._refuse("Invalid NICK")
        elif not re.match(r"justinfan[0-9]+\Z", nick) and not self._password.startswith("oauth:"):
            self._refuse("Improperly formatted auth")
        else:
            self._welcome(nick)

    def _refuse(self, text: str) -> None:
        self.send(f":tmi.twitch.tv NOTICE * :{text}")
        self.finish()

    def _welcome(self, nick: str) -> None:
        self.nick = nick
        self._welcomed = True
        for number, text in (
            ("001", "Welcome, GLHF!"),
            ("002", "Your host is tmi.twitch.tv"),
            ("003", "This server is rather new"),
            ("004", "-"),
            ("375", "-"),
            ("372", "You are in a maze of twisty passages, all alike."),
            ("376", ">"),
        ):
            self.send(f":tmi.twitch.tv {number} {nick} :{text}")
        if not nick.startswith("justinfan") and "twitch.tv/commands" in self._capabilities:
            tags = (
                f"@badge-info=;badges=;color=;display-name={nick};emote-sets=0;user-id=20000001;user-type= "
            )
            self.send(f"{tags}:tmi.twitch.tv GLOBALUSERSTATE")

    def _do_join(self, params: list[str]) -> None:
        if not self._welcomed or not params:
            return
        for asked in params[0].split(","):
            if not self.server.join_allowed(self.server.clock.seconds()):
                self.finish()
                return
            match = _ROOM.match(asked.lower())
            if match is not None and not self.server.joins_ignored:
                self._join(match[1])

    def _join(self, name: str) -> None:
        for start, (msg_id, text) in REFUSED.items():
            if name.startswith(start):
                self._notice(name, msg_id, (text or _TOO_MANY).format(name))
                return
        if name.startswith(SILENT) or not self.server.exists(name):
            return
        room = self.server.traffic.room("twitch", name)
        if (room, 0) in self.joined:
            return
        if len(self.joined) >= self._rules.rooms_per_connection:
            self._notice(name, "msg_concurrent_channel_limit_reached", _TOO_MANY)
            return
        nick = self.nick
        self.send(f":{nick}!{nick}@{nick}.tmi.twitch.tv JOIN #{name}")
        self.send(f":{nick}.tmi.twitch.tv 353 {nick} = #{name} :{nick}")
        self.send(f":{nick}.tmi.twitch.tv 366 {nick} #{name} :End of /NAMES list")
        if "twitch.tv/commands" in self._capabilities:
            if not nick.startswith("justinfan"):
                tags = f"@badge-info=;badges=;color=;display-name={nick};emote-sets=0;mod=0;user-type= "
                self.send(f"{tags}:tmi.twitch.tv USERSTATE #{name}")
            line, key = greeting(room)
            self.pending.append(line)
            self.server.traffic.oracle.greeting(room, self.server.traffic.milliseconds(), key, self)
            self.flush()
        self.join(room, after=self._rules.first_after)

    def flush(self) -> None:
        # A client does not get tags or commands that it did not request.
        if "twitch.tv/tags" not in self._capabilities:
            self.pending = [line.partition(b" ")[2] if line[:1] == b"@" else line for line in self.pending]
        super().flush()

    def _notice(self, name: str, msg_id: str, text: str) -> None:
        """Refuse a room for this client. The notice is an event for this client only."""
        room = Room("twitch", name, 0, 0, 0, 1)
        said = notice(room, msg_id, text)
        traffic = self.server.traffic
        traffic.oracle.sent(room, traffic.milliseconds(), said, [self], self.dead)
        self.pending.append(said[0])
        self.flush()

    def _do_part(self, params: list[str]) -> None:
        for asked in params[0].split(",") if params else ():
            self.part_room(asked.lower().removeprefix("#"))

    def part_room(self, name: str) -> None:
        """Remove the client from a room, and send the PART line."""
        room = self.server.traffic.room("twitch", name)
        if (room, 0) in self.joined:
            self.part(room)
            self.send(f":{self.nick}!{self.nick}@{self.nick}.tmi.twitch.tv PART #{name}")

    def _do_ping(self, params: list[str]) -> None:
        said = f" :{params[-1]}" if params else ""
        self.send(f":tmi.twitch.tv PONG tmi.twitch.tv{said}")

    def _do_pong(self, params: list[str]) -> None:
        self._waiting_for_pong = False

    def _do_quit(self, params: list[str]) -> None:
        self.finish()

    def check(self, now: float) -> None:
        """Called every second: ping a silent client, and close if it does not answer."""
        if self._waiting_for_pong and now - self._pinged > self._rules.pong_within:
            self.finish()
        elif now - self._pinged >= self._rules.ping_every:
            self._pinged = now
            self._waiting_for_pong = True
            self.send("PING :tmi.twitch.tv")

    def announce_reconnect(self, seconds: float) -> None:
        """Send RECONNECT, and close ``seconds`` later."""
        self.send(":tmi.twitch.tv RECONNECT")
        self.later(seconds, self.finish)

    def close(self, code: int | None = None) -> None:
        """Close normally, after everything that was sent."""
        self.finish()

    def garbage(self, chance: Any) -> None:
        """Bytes that are not IRC: random bytes, and a line beyond any limit."""
        noise = bytes(chance.randrange(1, 256) for _ in range(300)).replace(b"\n", b" ")
        self.pending += [b"? " + noise + b"\r\n", b"\r\n\n", b"\x00\r\n", b"@" + b"x" * 70_000 + b"\r\n"]
        self.flush()

    def broken(self, chance: Any) -> None:
        """Bytes below TLS that are not TLS; without TLS an incomplete line."""
        below = getattr(self.transport, "transport", self.transport)
        self.break_with(b"@half;a=line" * 100, below.write)


class SimulatedTwitch(Platform[TwitchConnection]):
    """The server. ``login_refused``, ``joins_ignored`` and ``stalled`` (new clients are not answered) can
    be set at any time."""

    def __init__(self, reactor: Any, traffic: Traffic, rules: TwitchRules | None = None) -> None:
        super().__init__(reactor, traffic)
        self.rules = rules or TwitchRules()
        self.joins_ignored = False
        self._joins: deque[float] = deque()
        #: How often a client joined more rooms than allowed.
        self.violations = 0

    def make_factory(self) -> ServerFactory:
        factory = ServerFactory()
        factory.noisy = False
        factory.buildProtocol = self.connection  # type: ignore[method-assign]
        return factory

    def connection(self, addr: Any) -> TwitchConnection:
        """A connection that is about to be made."""
        connection = TwitchConnection()
        connection.server = self
        return connection

    def exists(self, name: str) -> bool:
        """Whether the room exists."""
        if self.rules.rooms is None:
            return True
        number = name.removeprefix("room")
        return name.startswith("room") and number.isdigit() and 1 <= int(number) <= self.rules.rooms

    def join_allowed(self, now: float) -> bool:
        """Count one JOIN at ``now``. Returns whether it is within the limit."""
        limit = self.rules.joins_per_10s
        if limit is None:
            return True
        # A little less than ten seconds: JOINs may arrive closer together than they were sent.
        while self._joins and now - self._joins[0] >= 9.8:
            self._joins.popleft()
        self._joins.append(now)
        if len(self._joins) > limit:
            self.violations += 1
            return False
        return True
