"""Turns lines into records for the recorder, and passes control messages to the connection.

The hot path of the daemon: everything here runs for every line, so it uses plain calls and bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Protocol

from twisted.logger import Logger

from chatlog.environment import Environment
from chatlog.record import SERVER_CHANNEL, encode_basic, encode_full, rfc3339
from chatlog.rooms.duplicates import REMEMBERED, WITHOUT_ID_WINDOW, Repeats
from chatlog.rooms.subscriptions import RecordSink, Room
from chatlog.twitch import irc
from chatlog.twitch.events import (
    channel_of,
    chat_record,
    dedup_key,
    event_record,
    is_control,
    unknown_kind,
    unparsed_record,
)
from chatlog.twitch.lines import Oversized

#: The commands that make a record and go to the connection as well.
HEARD = frozenset({"ROOMSTATE", "NOTICE"})

#: The key of an event; whether it is an id, which no other event has; and if not, for how many seconds an
#: equal event from another connection counts as the same.
EventKey = tuple[Hashable, bool, float]


class Source(Protocol):
    """The connection on which lines arrive."""

    number: int

    def control(self, message: irc.Message) -> None:
        """Handle a control message of the protocol, or one of HEARD."""


class Intake:
    """Turns lines into records. ``rooms`` are the rooms by login. Records that belong to no room go to
    ``server_records``."""

    _log = Logger()

    def __init__(
        self, rooms: Mapping[str, Room], server_records: RecordSink, environment: Environment
    ) -> None:
        self._rooms = rooms
        self._server_records = server_records
        self._encode = environment.encode
        self._chat_record, self._detail = _chat_reader(environment)
        self._counters = environment.counters
        self._seconds = environment.reactor.seconds
        self._wall = environment.wall
        self._failures = 0
        self._repeats = Repeats()

    def lines(self, lines: list[bytes], source: Source) -> None:
        """Process the lines of one read from one connection."""
        self._counters.received += len(lines)
        received = rfc3339(int(self._wall() * 1000))
        rooms = self._rooms
        chat_record, detail = self._chat_record, self._detail
        self._repeats.forget_old()
        younger, older = self._repeats.younger, self._repeats.older
        for line in lines:
            try:
                number = hash(line)
                if number not in younger and number not in older:
                    younger.add(number)
                elif self._is_repeated(line):
                    continue
                found = chat_record(line, received, detail)
                if found is None:
                    self._other(line, received, source)
                    continue
                channel, encoded = found
                room = rooms.get(channel)
                if room is None:
                    self._server(line, received)
                elif encoded and (room.duplicates is None or not self._is_copied_chat(line, room, source)):
                    room.records.append(encoded)
            except Exception:
                # A line that causes an exception must neither end the connection nor be lost.
                self._broken(line, received, source)

    def identify(self, message: irc.Message) -> bool:
        """Set a room's id from its ROOMSTATE. Returns False if the message has no id, or belongs to no
        recorded room."""
        identifier = message.tags.get("room-id", "")
        room = self._rooms.get(message.channel)
        if room is None or not identifier:
            return False
        room.identifier = identifier
        return True

    def cut_off(self, rest: bytes) -> None:
        """Record the part of a line that had arrived when its connection was lost."""
        self._counters.received += 1
        self._unparsed(rest, rfc3339(int(self._wall() * 1000)))

    def _other(self, line: bytes, received: str, source: Source) -> None:
        try:
            message = irc.parse(line)
        except irc.ParseError:
            self._unparsed(line, received, source)
            return
        command = message.command
        if is_control(command):
            source.control(message)
            return
        room = self._rooms.get(message.channel)
        unknown = unknown_kind(message)
        if unknown:
            self._counters.saw_unknown("twitch", unknown, room.name if room else SERVER_CHANNEL)
        if room is None:
            encoded = event_record(message, received, self._encode, SERVER_CHANNEL)
            records = self._server_records
        else:
            if room.duplicates is not None and self._is_copy(message, room, source):
                return
            encoded = event_record(message, received, self._encode, room.name, room.identifier)
            records = room.records
        if encoded:
            records.append(encoded)
        if command in HEARD:
            source.control(message)

    def _is_repeated(self, line: bytes) -> bool:
        """Whether a line that equals an earlier one is a copy. A line with the id of its event is; without an
        id, the same thing may have happened again."""
        if not _id_of(line) or not (b" PRIVMSG #" in line or b" USERNOTICE #" in line):
            return False
        self._counters.duplicates += 1
        return True

    def _is_copied_chat(self, line: bytes, room: Room, source: Source) -> bool:
        id = _id_of(line)
        if not id:
            return self._is_copy(irc.parse(line), room, source)
        return self._seen((id, True, 0.0), room, source)

    def _is_copy(self, message: irc.Message, room: Room, source: Source) -> bool:
        return self._seen(event_key(message), room, source)

    def _seen(self, key: EventKey, room: Room, source: Source) -> bool:
        assert room.duplicates is not None
        name, identified, window = key
        since = -math.inf if identified else room.recorded_since(source.number)
        if room.duplicates.seen(name, source.number, self._seconds(), identified, window, since):
            self._counters.duplicates += 1
            return True
        return False

    def _server(self, line: bytes, received: str) -> None:
        encoded = event_record(irc.parse(line), received, self._encode, SERVER_CHANNEL)
        if encoded:
            self._server_records.append(encoded)

    def _unparsed(self, line: bytes, received: str, source: Source | None = None) -> None:
        room = self._rooms.get(channel_of(line))
        key = bytes(line), False, WITHOUT_ID_WINDOW
        if room and source and room.duplicates is not None and self._seen(key, room, source):
            return
        self._counters.unparsed += 1
        if isinstance(line, Oversized):
            self._counters.oversized += 1
        if room is None:
            encoded = unparsed_record(line, received, self._encode)
            records = self._server_records
        else:
            encoded = unparsed_record(line, received, self._encode, room.name, room.identifier)
            records = room.records
        if encoded:
            records.append(encoded)

    def _broken(self, line: bytes, received: str, source: Source) -> None:
        self._failures += 1
        if self._failures == 1 or self._failures % 100 == 0:
            self._log.failure(
                "twitch: a line could not be processed ({failures} so far); it is recorded as unparsed",
                failures=self._failures,
            )
        self._unparsed(line, received, source)


def _chat_reader(
    environment: Environment,
) -> tuple[Callable[[bytes, str, Any], tuple[str, bytes] | None], Any]:
    """The function that turns a line of chat into its record, and its last argument. A line for which it
    returns None is parsed the long way, with the same record as the result."""
    encode = environment.encode
    if environment.read_chat is not None and encode in (encode_full, encode_basic):
        return environment.read_chat, encode is encode_full
    return chat_record, encode


def _id_of(line: bytes) -> bytes:
    """The tag ``id`` of a line; ``b""`` if it has none, or has it in an unusual place."""
    start = 4 if line.startswith(b"@id=") else line.find(b";id=") + 4
    if start < 4 or start > line.find(b" "):
        return b""
    return line[start : line.find(b";", start)].partition(b" ")[0]


def event_key(message: irc.Message) -> EventKey:
    """The key that identifies the event, and how reliable it is."""
    key = dedup_key(message)
    if isinstance(key, str):
        return key.encode("utf-8", "surrogateescape"), True, 0.0
    # Moderators and bots can do the same thing twice in a millisecond.
    timed = key is not message.raw and "tmi-sent-ts" in message.tags
    return key, False, REMEMBERED if timed else WITHOUT_ID_WINDOW
