"""Kick's rooms: links that subscribe to their Pusher channels, and what becomes of the events.

A public channel is always acknowledged, also one with a wrong id: silence, or a ``chatroom_id`` in the
payload that is not the one we asked for, are the only signs of it, so both are said aloud.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from chatlog.config.settings import KickChannel, KickSettings
from chatlog.environment import Environment
from chatlog.kick import pusher
from chatlog.kick.client import KickFactory
from chatlog.kick.connection import CLOSE_WITHIN, PING_AFTER
from chatlog.kick.events import PLATFORM
from chatlog.kick.intake import KickIntake
from chatlog.kick.pusher import Closing
from chatlog.reasons import of_connection, with_code
from chatlog.rooms.links import Limits
from chatlog.rooms.pool import Pool
from chatlog.rooms.seats import Link, Log, Room, State
from chatlog.timeline.timeline import Gap

#: Subscriptions sent in a second, over all connections. Pusher names no limit; this is courtesy.
SUBSCRIPTIONS_PER_SECOND = 50
#: Seconds of silence since a room was acknowledged for the first time after which its id is doubted.
DOUBT_AFTER = 6 * 3600.0
#: Seconds in which a ping is answered, if at all: it is sent and read at whole seconds.
PING_ANSWER = 1.5
#: Seconds between two looks for such rooms.
CHECK_EVERY = 600.0


class KickLink(Link):
    """A connection to Kick's Pusher server that carries rooms."""

    _log = Logger()

    def __init__(
        self,
        pool: Pool,
        number: int,
        lane: int,
        intake: KickIntake,
        channels_of: Callable[[str], list[str]],
        settings: KickSettings,
        environment: Environment,
        connect: Callable[[KickFactory], Any],
    ) -> None:
        super().__init__(number, lane)
        self._pool = pool
        self._intake = intake
        self._channels_of = channels_of
        self._clock: IReactorTime = environment.reactor
        self._wall = environment.wall
        self._counters = environment.counters
        self._connect = connect
        self._factory = KickFactory(self, settings.server, environment.reactor, environment.wall)
        self._closed_at: float | None = None

    # -- what the pool asks ------------------------------------------------------------------------

    def open(self) -> None:
        self._connect(self._factory)

    def close(self) -> Deferred[None]:
        self._closed_at = self._clock.seconds()
        return self._factory.stop()

    def ask(self, names: list[str]) -> None:
        connection = self._factory.connection
        if connection is not None:
            for name in names:
                for channel in self._channels_of(name):
                    connection.subscribe(channel)

    def leave(self, name: str) -> None:
        connection = self._factory.connection
        if connection is not None:
            for channel in self._channels_of(name):
                connection.unsubscribe(channel)

    def heard_ago(self) -> float:
        connection = self._factory.connection
        return 0.0 if connection is None else connection.heard_ago()

    def check(self) -> None:
        if self._factory.connection is not None:
            self._factory.connection.check()

    # -- what the connection reports ---------------------------------------------------------------

    def connected(self) -> None:
        self.refused = False
        self._counters.connects[PLATFORM] += 1
        if self.trouble:
            self._log.info("kick: connection {number} is back", number=self.number)
            self.trouble = ""
        self.answers = True
        self._pool.link_up(self)

    def event(self, event: pusher.Event, frame: bytes, received: str) -> None:
        self._intake.event(event, frame, received, self.number)

    def not_understood(self, frame: bytes, received: str) -> None:
        self._intake.not_understood(frame, received)

    def subscribed(self, channel: str) -> None:
        room = self._intake.channels.get(channel)
        # The first channel of a room carries its chat; the others are extras.
        if room is not None and self._channels_of(room.name)[:1] == [channel]:
            self._pool.acknowledged(self, room.name)

    def subscription_refused(self, channel: str, reason: str) -> None:
        room = self._intake.channels.get(channel)
        if room is not None and self._channels_of(room.name)[:1] == [channel]:
            self._pool.refused(self, room.name, reason)

    def lost(self, heard_ago: float | None, reason: str, closing: Closing) -> None:
        self.refused = closing is Closing.REFUSED
        if heard_ago is not None:
            self._counters.disconnects[PLATFORM] += 1
            closed_at = self._closed_at
            self.answers = heard_ago <= PING_AFTER + PING_ANSWER and (
                # Whoever does not answer is not waited for any longer.
                closed_at is None or self._clock.seconds() - closed_at < CLOSE_WITHIN
            )
        if not self.closing and reason != self.trouble:
            # Once per change: a server that stays away says the same at every try.
            self.trouble = reason
            words = with_code(of_connection(PLATFORM, reason), reason)
            self._log.warn("kick: connection {number}: {reason}", number=self.number, reason=words)
        if self.up:
            self._pool.link_down(self, self._wall() - (heard_ago or 0.0), reason)


class KickRooms(Service):
    """Kick's rooms on their pool. A room is added once its ids are known."""

    _log = Logger()
    name = "kick rooms"

    def __init__(
        self,
        settings: KickSettings,
        environment: Environment,
        server_log: Log,
        log_of: Callable[[str], Log],
        on_gap: Callable[[Room, Gap], None],
        connect: Callable[[KickFactory], Any],
    ) -> None:
        """``log_of(slug)`` is the recorder's side of a room; ``connect(factory)`` starts a connection."""
        self._settings = settings
        self._clock = clock = environment.reactor
        self._log_of = log_of
        self._channels: dict[str, list[str]] = {}
        self._doubted: set[str] = set()
        self._added: dict[str, float] = {}
        #: Why channels cannot be recorded, by their names; somebody else may use it as well.
        self.missing: dict[str, str] = {}
        # Channels with ids that another room has.
        self._waiting: dict[str, KickChannel] = {}
        self.intake = KickIntake(server_log, environment.encode, environment.counters, clock.seconds)

        def new_link(pool: Pool, number: int, lane: int) -> Link:
            return KickLink(pool, number, lane, self.intake, self.channels_of, settings, environment, connect)

        limits = Limits(settings.rooms_per_connection, SUBSCRIPTIONS_PER_SECOND, 1.0, settings.lanes)
        self.pool = Pool(PLATFORM, environment, new_link, on_gap, limits)
        self._checks = LoopingCall(self._doubt)
        self._checks.clock = clock

    def channels_of(self, name: str) -> list[str]:
        """The Pusher channels of a room, the one with its chat first."""
        return self._channels.get(name, [])

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
            self.missing[slug] = f"has the same chatroom_id as {others[0]}"
            return
        if self._waiting.pop(slug, None) is not None:
            self.missing.pop(slug, None)
        self._channels[slug] = known + new
        if len(self._channels[slug]) > 1:
            self.intake.spread.add(slug)
        if room is None:
            room = Room(slug, self._log_of(slug), str(channel.chatroom_id))
            self._added[slug] = self._clock.seconds()
            self.intake.channels.update(dict.fromkeys(new, room))
            self.pool.add(room)
        else:
            self.intake.channels.update(dict.fromkeys(new, room))
            for seat in room.seats:
                # What it has already is answered with a harmless error.
                if new and seat.link.up and seat.state is State.RECORDED:
                    seat.link.ask([slug])

    def _names_of(self, channel: KickChannel) -> list[str]:
        ids = {"chatroom_id": channel.chatroom_id, "channel_id": channel.channel_id}
        return [
            template.format(**ids)
            for template in self._settings.subscribe
            if channel.channel_id is not None or "{channel_id}" not in template
        ]

    def remove(self, slug: str) -> Room | None:
        """Stop recording the room; None if it was not there."""
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
            self.missing.pop(slug, None)
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
        """The rooms that have been acknowledged for hours and have never brought an event."""
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
