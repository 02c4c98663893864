"""Turns Kick's events into records, each once."""

from __future__ import annotations

import math

from twisted.logger import Logger

from chatlog.environment import Environment
from chatlog.kick import pusher
from chatlog.kick.events import EventRecords, chatroom_of, duplicate_key, payload_key
from chatlog.record import SERVER_CHANNEL
from chatlog.rooms.duplicates import Duplicates, Repeats
from chatlog.rooms.subscriptions import RecordSink, Room

#: The most seconds between two deliveries of an event on two Pusher channels of a room, and how many ids are
#: kept for that.
SIDES_APART = 5.0
SIDES_REMEMBERED = 50_000


class KickIntake:
    """Turns events into records. ``channels`` maps a Pusher channel to its room. Records without a room go to
    ``server_records``."""

    _log = Logger()

    def __init__(self, server_records: RecordSink, environment: Environment) -> None:
        self.channels: dict[str, Room] = {}
        #: The rooms with several Pusher channels, which may deliver the same event.
        self.spread: set[str] = set()
        self._sides = Duplicates(SIDES_REMEMBERED)
        #: The rooms that have sent an event, those with an event that names its chatroom, and those with an
        #: event that names the chatroom of another room.
        self.heard: set[str] = set()
        self.named: set[str] = set()
        self.mistaken: set[str] = set()
        self._server_records = server_records
        self._counters = environment.counters
        self._seconds = environment.reactor.seconds
        self._repeats = Repeats()
        self._records = EventRecords(environment.encode, environment.counters)

    def event(self, event: pusher.Event, frame: bytes, received: str, number: int) -> None:
        """Record one event from the connection ``number``."""
        self._counters.received += 1
        room = self.channels.get(event.channel)
        if room is None:
            if self._repeats.seen(frame) and duplicate_key(event, frame)[1]:
                self._counters.duplicates += 1
                return
            line = self._records.line(event, frame, SERVER_CHANNEL, "", received)
            if line:
                self._server_records.append(line)
            return
        repeated = self._repeats.seen(frame)
        if repeated or room.duplicates is not None:
            key, identified = duplicate_key(event, frame)
            since = -math.inf if identified else room.recorded_since(number)
            if (repeated and identified) or (
                room.duplicates is not None
                and room.duplicates.seen(key, number, self._seconds(), identified, since=since)
            ):
                self._counters.duplicates += 1
                return
        if room.name in self.spread and self._came_by_another(event, frame, room):
            self._counters.duplicates += 1
            return
        line = self._records.line(event, frame, room.name, room.identifier, received)
        if line:
            room.records.append(line)
        if room.name not in self.named:
            self._check_chatroom(room, event)

    def _came_by_another(self, event: pusher.Event, frame: bytes, room: Room) -> bool:
        """Whether another Pusher channel of the room has just delivered the same event."""
        key, identified = payload_key(event, frame)
        side = hash(event.channel)
        return self._sides.seen((room.name, key), side, self._seconds(), identified, SIDES_APART)

    def not_understood(self, frame: bytes, received: str) -> None:
        """Record a frame that is not an event."""
        self._counters.received += 1
        line = self._records.unparsed(frame, SERVER_CHANNEL, "", received)
        if line:
            self._server_records.append(line)

    def _check_chatroom(self, room: Room, event: pusher.Event) -> None:
        self.heard.add(room.name)
        other = chatroom_of(event)
        if other:
            self.named.add(room.name)
        if other and other != room.identifier:
            self.mistaken.add(room.name)
            self._log.error(
                "kick: the room {room} is configured with chatroom_id {configured}, but its events come "
                "from chatroom {other}: correct kick.channels in the configuration",
                room=room.name,
                configured=room.identifier,
                other=pusher.readable(other),
            )
