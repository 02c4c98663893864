"""Kick's rooms: their Pusher channels, and rooms with a doubtful id.

A public channel is always acknowledged, even with a wrong id. The only signs of a wrong id are silence, and a
``chatroom_id`` in a payload that is not the requested one; both are logged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.application.service import Service
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from chatlog.config.settings import KickChannel, KickSettings
from chatlog.environment import Environment
from chatlog.kick.client import KickFactory
from chatlog.kick.events import PLATFORM
from chatlog.kick.intake import KickIntake
from chatlog.record import SERVER_CHANNEL
from chatlog.rooms.chat_protocol import Owner
from chatlog.rooms.connections import Limits
from chatlog.rooms.pool import Pool, RoomEvents
from chatlog.rooms.subscriptions import RecordSink, Room, State

#: The most subscriptions a second, over all connections. Pusher documents no limit; this is courtesy.
SUBSCRIPTIONS_PER_SECOND = 50
#: A room without any event for so many seconds after its first acknowledgement has a doubtful id.
DOUBT_AFTER = 6 * 3600.0
#: Seconds between two searches for such rooms.
CHECK_EVERY = 600.0


class KickRooms(Service):
    """Kick's rooms on their pool. A room is added once its ids are known."""

    _log = Logger()
    name = "kick rooms"

    def __init__(
        self,
        settings: KickSettings,
        environment: Environment,
        records_of: Callable[[str], RecordSink],
        events: RoomEvents,
        missing: dict[str, str],
        connect: Callable[[KickFactory], KickFactory],
    ) -> None:
        """``records_of(slug)`` is where the records of a room go; ``missing`` says why channels cannot be
        recorded, by their names, and other parts may write there too; ``connect(factory)`` starts a
        connection."""
        self._settings = settings
        self._clock = environment.reactor
        self._records_of = records_of
        self._channels: dict[str, list[str]] = {}
        self._doubted: set[str] = set()
        self._added: dict[str, float] = {}
        self._missing = missing
        # Channels whose ids belong to another room.
        self._waiting: dict[str, KickChannel] = {}
        self.intake = KickIntake(records_of(SERVER_CHANNEL), environment)

        def dial(owner: Owner) -> KickFactory:
            return connect(KickFactory(owner, settings.server, self.intake, self, environment))

        limits = Limits(settings.rooms_per_connection, SUBSCRIPTIONS_PER_SECOND, 1.0, settings.lanes)
        self.pool = Pool(PLATFORM, environment, dial, events, limits, {}, self._absent)
        self._checks = LoopingCall(self._doubt)
        self._checks.clock = environment.reactor

    def channels_of(self, name: str) -> list[str]:
        """The Pusher channels of a room; the first one has its chat."""
        return self._channels.get(name, [])

    def room_of(self, channel: str) -> str:
        """The name of the room whose chat comes over the channel; ``""`` if there is none."""
        room = self.intake.channels.get(channel)
        return room.name if room is not None and self.channels_of(room.name)[:1] == [channel] else ""

    def _absent(self) -> int:
        return sum(1 for name in self._missing if name not in self.pool.rooms)

    def add(self, channel: KickChannel) -> None:
        """Record the room of ``channel``, whose chatroom id is known. Called again when its channel id
        is found later."""
        slug = channel.slug
        room = self.pool.rooms.get(slug)
        known = self.channels_of(slug)
        new = [name for name in self._names_of(channel) if name not in known]
        others = [self.intake.channels[name].name for name in new if name in self.intake.channels]
        if others:
            if slug not in self._waiting:
                self._log.error(
                    "kick: {room} has the same chatroom_id as {other}; it is not recorded",
                    room=slug,
                    other=others[0],
                )
            self._waiting[slug] = channel
            self._missing[slug] = f"has the same chatroom_id as {others[0]}"
            return
        if self._waiting.pop(slug, None) is not None:
            self._missing.pop(slug, None)
        self._channels[slug] = known + new
        if len(self._channels[slug]) > 1:
            self.intake.spread.add(slug)
        if room is None:
            room = Room(slug, self._records_of(slug), str(channel.chatroom_id))
            self._added[slug] = self._clock.seconds()
            self.intake.channels.update(dict.fromkeys(new, room))
            self.pool.add(room)
        else:
            self.intake.channels.update(dict.fromkeys(new, room))
            for subscription in room.subscriptions:
                # The server answers a repeated subscription with a harmless error.
                if new and subscription.connection.up and subscription.state is State.RECORDED:
                    subscription.connection.subscribe([slug])

    def _names_of(self, channel: KickChannel) -> list[str]:
        ids = {"chatroom_id": channel.chatroom_id, "channel_id": channel.channel_id}
        return [
            template.format(**ids)
            for template in self._settings.subscribe
            if channel.channel_id is not None or "{channel_id}" not in template
        ]

    def remove(self, slug: str) -> Room | None:
        """Stop recording the room. Returns None if it was not recorded."""
        room = self.pool.remove(slug)
        for channel in self._channels.pop(slug, []):
            self.intake.channels.pop(channel, None)
        self._added.pop(slug, None)
        for names in (
            self.intake.spread,
            self.intake.heard,
            self.intake.named,
            self.intake.mistaken,
            self._doubted,
        ):
            names.discard(slug)
        if self._waiting.pop(slug, None) is not None:
            self._missing.pop(slug, None)
        for other in list(self._waiting.values()):
            self.add(other)
        return room

    def startService(self) -> None:
        super().startService()
        self._checks.start(CHECK_EVERY, now=False)

    def stopService(self) -> None:
        super().stopService()
        if self._checks.running:
            self._checks.stop()

    def silent_for_long(self) -> Iterable[str]:
        """The rooms that were acknowledged hours ago and have never had an event."""
        now = self._clock.seconds()
        return (
            name
            for name, room in self.pool.rooms.items()
            if room.timeline.recorded
            and name not in self.intake.heard
            and now - self._added[name] >= DOUBT_AFTER
        )

    def _doubt(self) -> None:
        for name in self.silent_for_long():
            if name not in self._doubted:
                self._doubted.add(name)
                self._log.warn(
                    "kick: {room} has not brought a single event in {hours} hours. If it has been live, "
                    "its chatroom_id ({id}) is wrong: the server accepts any number",
                    room=name,
                    hours=int(DOUBT_AFTER // 3600),
                    id=self.pool.rooms[name].identifier,
                )
