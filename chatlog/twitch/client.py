"""The protocol of a connection to Twitch: login, control messages, keepalive.

It splits the data into lines and hands them to its intake, which hands back the control messages.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatlog.config.settings import TwitchSettings
from chatlog.network import pacing
from chatlog.rooms.chat_protocol import ChatProtocol, Owner
from chatlog.rooms.closing import Closing
from chatlog.twitch import irc
from chatlog.twitch.events import channel_of
from chatlog.twitch.intake import Intake
from chatlog.twitch.lines import LineSplitter

#: Texts of a NOTICE to ``*`` with which Twitch refuses a login; compared in lower case, as a
#: part of the text. (dev.twitch.tv/docs/chat/irc, and older texts that clients still know.)
LOGIN_REFUSALS = (
    "login authentication failed",
    "improperly formatted auth",
    "login unsuccessful",
    "error logging in",
    "invalid nick",
)
#: The msg-ids of a NOTICE that refuses a room. The last two are not in
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


class TwitchProtocol(ChatProtocol, Protocol):
    """A connection. ``nick`` is our name at the server, ``number`` the number of the owner.

    A room is acknowledged by the echo of our own JOIN or by its ROOMSTATE; a NOTICE with one of REFUSALS
    refuses it; a room that does not exist is met with silence. (dev.twitch.tv/docs/chat/irc)
    """

    pong_within = 10.0
    _log = Logger()

    def __init__(
        self,
        owner: Owner,
        intake: Intake,
        settings: TwitchSettings,
        clock: IReactorTime,
        wall: Callable[[], float],
    ) -> None:
        super().__init__(owner, clock, wall, b"tmi-sent-ts=", irc.latest_time)
        self.number = owner.number
        self.nick = ""
        # Without TLS the end of a connection is no goodbye.
        self.says_goodbye = settings.tls
        self._intake = intake
        self._settings = settings
        self._splitter = LineSplitter()
        self._refused_login = False

    @property
    def closing(self) -> Closing:
        return Closing.REFUSED if self._refused_login else Closing.BACK_OFF

    def subscribe(self, names: list[str]) -> None:
        self.transport.write(b"".join(irc.format_channels("JOIN", names)))

    def unsubscribe(self, name: str) -> None:
        self.transport.write(b"".join(irc.format_channels("PART", [name])))

    def ping(self) -> None:
        self._send("PING", "chatlog")

    def connectionMade(self) -> None:
        self._connected()
        # The capabilities come first, so that everything after the welcome has tags.
        self._send("CAP", "REQ", "twitch.tv/tags twitch.tv/commands")
        if self._settings.oauth is not None and self._settings.username is not None:
            self.nick = self._settings.username
            self._send("PASS", f"oauth:{self._settings.oauth.reveal()}")
        else:
            # Anonymous reading. New digits for every connection are common practice.
            self.nick = f"justinfan{random.randint(10_000, 99_999_999)}"
        self._send("NICK", self.nick)

    def dataReceived(self, data: bytes) -> None:
        self.arrivals.came(data, self._clock.seconds())
        lines = self._splitter.feed(data)
        if lines:
            self._intake.lines(lines, self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        rest = self._splitter.rest()
        if rest and not self._owner.is_delivered_elsewhere(channel_of(rest)):
            self._intake.cut_off(rest)
        self._disconnected(reason)

    def control(self, message: irc.Message) -> None:
        """Handle a control message, in the order of arrival."""
        command, text = message.command, message.params[-1] if message.params else ""
        if command == "PING":
            self._pong(text)
        elif command == "ROOMSTATE":
            if self._intake.identify(message):
                self._owner.acknowledged(message.channel)
        elif command == "NOTICE":
            self._notice(message, text)
        elif command == "JOIN":
            if message.nick == self.nick:
                self._owner.acknowledged(message.channel)
        elif command == "PART":
            if message.nick == self.nick:
                self._owner.parted(message.channel)
        elif command == "001":
            if self.welcomed_at is None:
                self.nick = (message.params[0] if message.params else "") or self.nick
                pacing.begin(self.transport)
                self._welcomed()
        elif command == "RECONNECT":
            self._owner.asked_to_leave()
        elif command == "CAP" and "NAK" in message.params:
            self._log.error(
                "twitch: the server does not give the capabilities {capabilities}; "
                "records will lack what they carry",
                capabilities=text,
            )

    def _send(self, command: str, *params: str) -> None:
        self.transport.write(irc.format_line(command, *params))

    def _pong(self, text: str) -> None:
        try:
            self._send("PONG", text)
        except ValueError:
            # The text cannot be echoed, but the ping must be answered.
            self._send("PONG", "tmi.twitch.tv")

    def _notice(self, message: irc.Message, text: str) -> None:
        if self.welcomed_at is None:
            if any(known in text.lower() for known in LOGIN_REFUSALS):
                if self._settings.oauth is not None:
                    # The server might quote the refused token.
                    text = text.replace(self._settings.oauth.reveal(), "***")
                self._refused_login = True
                self.close(f"login refused: {text}")
        elif message.tags.get("msg-id") in REFUSALS:
            self._owner.refused(message.channel, message.tags["msg-id"])
