"""Spreads rooms over connections: requests their subscriptions, and tries failed ones again.

When a server announces that it will close a connection, a second one is opened and every room gets a second
subscription there; the first is given up only when the second is acknowledged, and events that both deliver
are recorded once. With two lanes every room has two subscriptions all the time, and it is missing only while
neither of them delivers it.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from chatlog.environment import Environment
from chatlog.reasons import of_room, with_code
from chatlog.rooms.bucket import Bucket
from chatlog.rooms.connection import Connection, Phase
from chatlog.rooms.connections import Connections, Limits
from chatlog.rooms.overlaps import LINGER, Overlaps
from chatlog.rooms.progress import Progress
from chatlog.rooms.reconnecting import Reconnecting
from chatlog.rooms.subscriptions import Room, State, Subscription
from chatlog.services import SuspendDetector
from chatlog.timeline.timeline import Gap

#: Seconds until a request without an answer counts as silent, counted from when it left.
ACKNOWLEDGE_WITHIN = 30.0
#: First and longest wait, in seconds, before asking again.
SILENT_AGAIN = (30.0, 600.0)
REFUSED_AGAIN = (300.0, 21600.0)
#: Seconds that a retiring connection stays open after its last subscription, for events under way.
RETIRE_LINGER = 3.0


@dataclass(frozen=True, slots=True)
class RoomEvents:
    """The callbacks of a pool, called with the platform and the room. ``added``: before the room is
    requested. ``gap_closed``: also with the gap. ``uncovered``: the room is no longer recorded.
    ``removed``: it is not wanted any more."""

    added: Callable[[str, Room], object]
    gap_closed: Callable[[str, Room, Gap], object]
    uncovered: Callable[[str, Room], object]
    removed: Callable[[str, Room], object]


class Pool(Service):
    """The rooms of one platform. Connections call the methods under "what connections report"."""

    _log = Logger()

    def __init__(
        self,
        platform: str,
        environment: Environment,
        dial: Callable[[Connection], Reconnecting],
        events: RoomEvents,
        limits: Limits,
        rooms: dict[str, Room],
        absent: Callable[[], int] = lambda: 0,
    ) -> None:
        """``dial(connection)`` begins to connect. ``rooms``: the dictionary in which the pool keeps its rooms
        by name. ``absent()``: how many rooms on the list cannot be in the pool yet."""
        clock: IReactorTime = environment.reactor
        self.setName(platform)
        self.platform = platform
        self.rooms = rooms
        self.lanes = limits.lanes
        #: Names of the rooms that changed since this was last emptied: recorded or not, the reason of a gap,
        #: another connection, removed.
        self.changed: set[str] = set()
        self._environment = environment
        self._clock = clock
        self._wall = environment.wall
        self._dial = dial
        self._events = events
        self._absent = absent
        self._limits = limits
        self._connections = Connections(clock, self._make, limits.rooms_per_connection)
        self.connections = self._connections.all
        self._bucket: Bucket[Subscription] = Bucket(clock, limits.requests, limits.period, self._request)
        self._timers: list[tuple[float, int, Subscription, int]] = []
        self._timer_numbers = count()
        #: Whether another recorder has the room of that name as well, so that its request can wait.
        self.is_elsewhere: Callable[[str], bool] = lambda name: False
        self._overlaps = Overlaps(limits.lanes > 1)
        self._suspends = SuspendDetector()
        self._ticks = LoopingCall(self._tick)
        self._ticks.clock = clock
        self._progress = Progress(platform)

    def add(self, room: Room) -> None:
        """Record ``room`` from now on; a room of that name must not be there yet."""
        self.rooms[room.name] = room
        self._overlaps.added(room)
        self._events.added(self.platform, room)
        for lane in range(self.lanes):
            self._subscribe(Subscription(room, self._connections.place(lane, len(self.rooms))))

    def remove(self, name: str) -> Room | None:
        """Stop recording the room; None if it was not there. Its events that have arrived are recorded."""
        for subscription in list(self.rooms[name].subscriptions) if name in self.rooms else ():
            subscription.connection.read_now()
        room = self.rooms.pop(name, None)
        if room is not None:
            for subscription in list(room.subscriptions):
                if subscription.connection.up and subscription.state is not State.WANTED:
                    subscription.connection.unsubscribe(name)
                self._abandon(subscription)
            self._overlaps.removed(room)
            self._events.removed(self.platform, room)
            self.changed.add(name)
        return room

    def expect_copies(self, room: Room, seconds: float) -> None:
        """Look for copies in the room for so many seconds: earlier events may come again."""
        self._overlaps.begin(room, self._clock.seconds() + seconds)

    def hurry(self, names: Iterable[str]) -> None:
        """These rooms are asked for before those that can wait."""
        for room in (self.rooms[name] for name in names if name in self.rooms):
            self._ask_first(room)

    def share_requests(self, among: int) -> None:
        """Use an equal part of a budget of requests that so many recorders share."""
        self._bucket.limit = max(1, self._limits.requests // among)

    def states(self) -> Counter[State]:
        """The number of rooms in each state."""
        return Counter(room.state for room in self.rooms.values())

    def startService(self) -> None:
        super().startService()
        self._ticks.start(1.0)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        if self._ticks.running:
            self._ticks.stop()
        self._bucket.stop()
        gone = DeferredList([self._close(each) for each in list(self.connections)])
        return gone.addCallback(lambda _: None)

    # -- what connections report -----------------------------------------------------------------------

    def welcomed(self, connection: Connection) -> None:
        """The server has welcomed the connection."""
        for subscription in list(connection.subscriptions.values()):
            if subscription.state is State.WANTED:
                self._queue(subscription)

    def lost(self, connection: Connection, at: float, reason: str) -> None:
        """A welcomed connection is gone; it delivered everything until ``at``, by the wall clock."""
        gone = connection.phase is Phase.CLOSED
        for subscription in list(connection.subscriptions.values()):
            if subscription.state in (State.WANTED, State.REQUESTED):
                subscription.enter(State.WANTED)
            self._uncover(subscription, at, reason)
            if gone:
                self._abandon(subscription)
        if gone:
            self._connections.discard(connection)

    def acknowledged(self, connection: Connection, name: str) -> None:
        """The server has confirmed that the room is delivered on this connection."""
        subscription = connection.subscriptions.get(name)
        if subscription is None:
            if name not in self.rooms:
                connection.unsubscribe(name)
            return
        if subscription.state is State.RECORDED:
            return
        subscription.acknowledged(self._clock.seconds(), self._wall())
        self.changed.add(name)
        self._closed(subscription.room, subscription.room.timeline.began(self._wall()))
        replaced, subscription.replaces = subscription.replaces, None
        if replaced is not None:
            self._abandon(replaced)

    def refused(self, connection: Connection, name: str, reason: str) -> None:
        """The server will not deliver the room; ``reason`` in its own words."""
        if name in connection.subscriptions:
            subscription = connection.subscriptions[name]
            self._fail(subscription, State.REFUSED, reason, f"refused: {reason}", REFUSED_AGAIN)

    def parted(self, connection: Connection, name: str) -> None:
        """The server has removed us from the room."""
        if name in connection.subscriptions:
            subscription = connection.subscriptions[name]
            self._fail(subscription, State.SILENT, "parted", "parted by the server", SILENT_AGAIN)

    def retiring(self, connection: Connection) -> None:
        """The server will close the connection soon: move its rooms to a new one without a gap."""
        relief = self._connections.open_relief(connection.lane)
        for subscription in list(connection.subscriptions.values()):
            self._subscribe(Subscription(subscription.room, relief, replaces=subscription))
            self._overlaps.begin(subscription.room, self._clock.seconds() + LINGER)

    # -- the inside --------------------------------------------------------------------------------------

    def _make(self, number: int, lane: int, relieves: bool) -> Connection:
        return Connection(number, lane, self.platform, self._environment, self, self._dial, relieves)

    def _close(self, connection: Connection) -> Deferred[None]:
        return connection.close().addCallback(lambda _: self._connections.discard(connection))

    def _subscribe(self, subscription: Subscription) -> None:
        subscription.room.subscriptions.append(subscription)
        subscription.connection.carry(subscription)
        self._queue(subscription)

    def _abandon(self, subscription: Subscription) -> None:
        """Give the subscription up without a message to the server."""
        room, connection = subscription.room, subscription.connection
        if subscription.state is State.RECORDED:
            room.remember(subscription, self._clock.seconds())
        subscription.enter(State.WANTED)
        if subscription in room.subscriptions:
            room.subscriptions.remove(subscription)
        connection.drop(subscription)
        if connection.phase is Phase.RETIRING and not connection.subscriptions:
            self._clock.callLater(RETIRE_LINGER, self._close, connection)

    def _queue(self, subscription: Subscription) -> None:
        if subscription.connection.up:
            subscription.queued = True
            room = subscription.room
            self._bucket.add(subscription, room.timeline.recorded or self.is_elsewhere(room.name))

    def _request(self, subscriptions: list[Subscription]) -> int:
        asked: dict[Connection, list[str]] = {}
        for subscription in subscriptions:
            if subscription.queued and subscription.connection.up:
                subscription.enter(State.REQUESTED)
                asked.setdefault(subscription.connection, []).append(subscription.room.name)
                self._set_timer(ACKNOWLEDGE_WITHIN, subscription)
        for connection, names in asked.items():
            connection.subscribe(names)
        return sum(map(len, asked.values()))

    def _fail(
        self, subscription: Subscription, state: State, reason: str, gap: str, again: tuple[float, float]
    ) -> None:
        room = subscription.room
        if subscription.tries == 0 or subscription.state is State.RECORDED:
            self._log.warn(
                "{platform}: {room} is not recorded: {reason}; it is tried again from time to time",
                platform=self.platform,
                room=room.name,
                reason=with_code(of_room(self.platform, reason, room.name), reason),
            )
        wait = min(again[0] * 2.0 ** min(subscription.tries, 20), again[1])
        now = self._wall()
        self._uncover(subscription, now, gap)
        subscription.failed(state, reason)
        self._set_timer(wait, subscription)
        self._closed(room, room.timeline.reason_changed(now, gap))

    def _uncover(self, subscription: Subscription, at: float, reason: str) -> None:
        """The subscription has recorded nothing since ``at``; what no other one recorded since is a gap."""
        if subscription.state is not State.RECORDED:
            return
        room = subscription.room
        now = self._clock.seconds()
        epoch = self._wall() - now
        over, since = room.lost(subscription, at - epoch, now)
        self.changed.add(room.name)
        for start, end in over:
            # Another connection has recorded since then, so the gap was over before it was found.
            self._closed(room, room.timeline.missed(start + epoch, end + epoch, reason))
        if since is not None:
            room.timeline.ended(subscription.missing_from(since, at, epoch), reason)
            self._events.uncovered(self.platform, room)
            self._ask_first(room)

    def _ask_first(self, room: Room) -> None:
        # The room's request may be queued behind requests that can wait.
        for subscription in room.subscriptions:
            if subscription.queued:
                self._bucket.add(subscription)

    def _closed(self, room: Room, gap: Gap | None) -> None:
        if gap is not None:
            self.changed.add(room.name)
            self._events.gap_closed(self.platform, room, gap)

    def _set_timer(self, delay: float, subscription: Subscription) -> None:
        entry = (self._clock.seconds() + delay, next(self._timer_numbers), subscription, subscription.turn)
        heapq.heappush(self._timers, entry)

    def _tick(self) -> None:
        try:
            now = self._clock.seconds()
            judging = self._suspends.ticked(now)
            self._connections.open_next()
            while self._timers and self._timers[0][0] <= now:
                _, _, subscription, turn = heapq.heappop(self._timers)
                if subscription.turn == turn:
                    self._timed_out(subscription)
            for connection in list(self.connections):
                if self._connections.is_spare(connection):
                    self._close(connection)
                elif judging:
                    connection.check()
            self._overlaps.check(now)
            self._report(now)
        except Exception:
            # A failure in one room must not stop the others.
            self._log.failure("{platform}: while looking after the rooms", platform=self.platform)

    def _timed_out(self, subscription: Subscription) -> None:
        if subscription.state is State.REQUESTED:
            words = "no answer from the server"
            self._fail(subscription, State.SILENT, words, "join not acknowledged", SILENT_AGAIN)
        else:
            self._ask_elsewhere(subscription)

    def _ask_elsewhere(self, subscription: Subscription) -> None:
        old = new = subscription.connection
        if old.phase is not Phase.RETIRING:
            new = self._connections.place(old.lane, len(self.rooms), avoid=old)
        subscription.enter(State.WANTED)
        if new is not old and old.up:
            old.unsubscribe(subscription.room.name)
        subscription.move(new)
        self._queue(subscription)

    def _report(self, now: float) -> None:
        recorded = sum(1 for room in self.rooms.values() if room.timeline.recorded)
        up = sum(1 for connection in self.connections if connection.up)
        self._progress.report(now, recorded, len(self.rooms), self._absent(), up, bool(self._bucket))
