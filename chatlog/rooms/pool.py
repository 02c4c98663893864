"""Rooms spread over connections: who is asked for where, who is acknowledged, who is tried again.

When a server announces that it will close a connection, a second link is opened and every room gets a
second seat there; the first is given up only when the second is acknowledged, and what both deliver is
recorded once. With two lanes every room has two seats all the time, and only what neither of them
delivers is a hole.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from functools import partial

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from chatlog.environment import Environment
from chatlog.reasons import of_room, with_code
from chatlog.rooms.bucket import Bucket
from chatlog.rooms.links import Limits, Links
from chatlog.rooms.overlaps import LINGER, Overlaps
from chatlog.rooms.progress import Progress
from chatlog.rooms.seats import Link, Room, Seat, State
from chatlog.services import SuspendDetector
from chatlog.timeline.timeline import Gap

#: Seconds until a request without an answer counts as silent, counted from when it left.
ACKNOWLEDGE_WITHIN = 30.0
#: First and longest wait, in seconds, before asking again.
SILENT_AGAIN = (30.0, 600.0)
REFUSED_AGAIN = (300.0, 21600.0)
#: Seconds between a retiring link losing its last seat and being closed: what is under way arrives.
RETIRE_LINGER = 3.0


class Pool(Service):
    """The rooms of one platform. Links report what happens to them through the methods of the second
    half; ``on_gap`` is told of every hole that closes."""

    _log = Logger()

    def __init__(
        self,
        platform: str,
        environment: Environment,
        new_link: Callable[[Pool, int, int], Link],
        on_gap: Callable[[Room, Gap], None],
        limits: Limits,
    ) -> None:
        """``new_link(pool, number, lane)`` makes a link."""
        clock: IReactorTime = environment.reactor
        self.setName(platform)
        self.platform = platform
        self.rooms: dict[str, Room] = {}
        self._links = Links(clock, partial(new_link, self), limits.rooms_per_connection)
        self.links = self._links.all
        self.lanes = limits.lanes
        #: How many rooms are on the list besides ``rooms``, because they cannot be joined yet.
        self.absent: Callable[[], int] = lambda: 0
        #: Called with every room that is added, before it is asked for anywhere.
        self.on_added: Callable[[Room], object] = lambda room: None
        #: Called with every room that is no longer recorded, when that is noticed.
        self.on_lost: Callable[[Room], object] = lambda room: None
        #: Names of the rooms whose coverage began, ended or turned, of those that came to another link,
        #: and of those removed, since somebody last emptied it.
        self.changed: set[str] = set()
        self._clock = clock
        self._wall = environment.wall
        self._on_gap = on_gap
        self._bucket: Bucket[Seat] = Bucket(clock, limits.requests, limits.period, self._request)
        self._timers: list[tuple[float, int, Seat, int]] = []
        self._timer_count = 0
        self._overlaps = Overlaps(limits.lanes > 1)
        self._suspends = SuspendDetector()
        self._ticks = LoopingCall(self._tick)
        self._ticks.clock = clock
        self._progress = Progress(platform)

    def add(self, room: Room) -> None:
        """Record ``room`` from now on; a room of that name must not be there yet."""
        self.rooms[room.name] = room
        self._overlaps.added(room)
        self.on_added(room)
        for lane in range(self.lanes):
            self._sit(Seat(room, self._links.place(lane, len(self.rooms))))

    def remove(self, name: str) -> Room | None:
        """Stop recording the room; None if it was not there."""
        room = self.rooms.pop(name, None)
        if room is not None:
            for seat in list(room.seats):
                self._leave(seat)
            self._overlaps.removed(room)
            self.changed.add(name)
        return room

    def expect_copies(self, room: Room, seconds: float) -> None:
        """Look for copies in the room for so long, because events that it has had may come again."""
        self._overlaps.begin(room, self._clock.seconds() + seconds)

    def states(self) -> Counter[State]:
        """How many rooms are in which state."""
        return Counter(room.state for room in self.rooms.values())

    def startService(self) -> None:
        super().startService()
        self._ticks.start(1.0)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        if self._ticks.running:
            self._ticks.stop()
        self._bucket.stop()
        self._links.open_no_more()
        gone = DeferredList([self._close(link) for link in list(self.links)], consumeErrors=True)
        return gone.addCallback(lambda _: None)

    # -- what links report -------------------------------------------------------------------------

    def link_up(self, link: Link) -> None:
        """The server has welcomed the link."""
        link.up = True
        for seat in list(link.seats.values()):
            if seat.state is State.WANTED:
                self._queue(seat)

    def link_down(self, link: Link, heard: float, reason: str) -> None:
        """The connection is gone; ``heard`` is the wall-clock time of the last byte from it."""
        if not self.running:
            # We ended it ourselves. If the other side took part in that, everything until now was read.
            heard, reason = (self._wall(), "restart") if link.answers else (heard, "connection lost")
        link.up = False
        for seat in list(link.seats.values()):
            seat.queued = False
            if seat.state is State.REQUESTED:
                seat.enter(State.WANTED)
            self._uncover(seat, heard, reason)
            if link.retiring:
                self._abandon(seat)
        if link.retiring or link.closing:
            self._links.discard(link)

    def acknowledged(self, link: Link, name: str) -> None:
        """The server has confirmed that the room is delivered on this link."""
        seat = link.seats.get(name)
        if seat is None:
            if name not in self.rooms:
                link.leave(name)
            return
        if seat.state is State.RECORDED:
            return
        seat.enter(State.RECORDED)
        seat.since = self._clock.seconds()
        seat.tries = 0
        self.changed.add(name)
        hole = seat.room.timeline.began(self._wall())
        if hole is not None:
            self._on_gap(seat.room, hole)
        if seat.replaces is not None:
            self._abandon(seat.replaces)
            seat.replaces = None

    def refused(self, link: Link, name: str, reason: str) -> None:
        """The server will not deliver the room; ``reason`` in its own words."""
        self._fail(link.seats.get(name), State.REFUSED, reason, f"refused: {reason}", REFUSED_AGAIN)

    def parted(self, link: Link, name: str) -> None:
        """The server has taken the room away."""
        self._fail(link.seats.get(name), State.SILENT, "parted", "parted by the server", SILENT_AGAIN)

    def retire(self, link: Link) -> None:
        """The server will close the link soon: move its rooms to a new one without a hole."""
        if link.retiring or link.closing:
            return
        link.retiring = True
        successor = self._links.make(link.lane)
        successor.follows = True
        self._links.open(successor)
        for seat in list(link.seats.values()):
            self._sit(Seat(seat.room, successor, replaces=seat))
            self._overlaps.begin(seat.room, self._clock.seconds() + LINGER)

    # -- the inside --------------------------------------------------------------------------------

    def _close(self, link: Link) -> Deferred[None]:
        link.closing = True
        return link.close().addCallbacks(lambda _: self._links.discard(link), lambda _: self._give_up(link))

    def _give_up(self, link: Link) -> None:
        """Nobody waits any longer for the connection to end."""
        if link.up:
            link.answers = False
            self.link_down(link, self._wall() - link.heard_ago(), "connection lost")
        self._links.discard(link)

    def _sit(self, seat: Seat) -> None:
        seat.room.seats.append(seat)
        seat.link.seats[seat.room.name] = seat
        if seat.link.up:
            self._queue(seat)

    def _abandon(self, seat: Seat) -> None:
        """Give the seat up without telling the server."""
        if seat.state is State.RECORDED:
            seat.room.remember(seat, self._clock.seconds())
            self.changed.add(seat.room.name)
        seat.queued = False
        seat.turn += 1
        if seat in seat.room.seats:
            seat.room.seats.remove(seat)
        if seat.link.seats.get(seat.room.name) is seat:
            del seat.link.seats[seat.room.name]
        if seat.link.retiring and not seat.link.seats and seat.link.up:
            self._clock.callLater(RETIRE_LINGER, self._close_retired, seat.link)

    def _close_retired(self, link: Link) -> None:
        if link in self.links and not link.closing:
            self._close(link)

    def _leave(self, seat: Seat) -> None:
        if seat.link.up and seat.state is not State.WANTED:
            seat.link.leave(seat.room.name)
        self._abandon(seat)

    def _queue(self, seat: Seat) -> None:
        if not seat.queued:
            seat.queued = True
            self._bucket.add(seat, patient=seat.room.timeline.recorded)

    def _request(self, seats: list[Seat]) -> int:
        asked: dict[Link, list[str]] = {}
        for seat in seats:
            if seat.queued and seat.link.up and seat.state is State.WANTED:
                seat.queued = False
                seat.enter(State.REQUESTED)
                asked.setdefault(seat.link, []).append(seat.room.name)
                self._set_timer(ACKNOWLEDGE_WITHIN, seat)
        for link, names in asked.items():
            link.ask(names)
        return sum(map(len, asked.values()))

    def _fail(
        self,
        seat: Seat | None,
        state: State,
        reason: str,
        hole_reason: str,
        again: tuple[float, float],
    ) -> None:
        if seat is None:
            return
        if seat.tries == 0 or seat.state is State.RECORDED:
            self._log.warn(
                "{platform}: {room} is not recorded: {reason}; it is tried again from time to time",
                platform=self.platform,
                room=seat.room.name,
                reason=with_code(of_room(self.platform, reason, seat.room.name), reason),
            )
        wait = min(again[0] * 2.0 ** min(seat.tries, 20), again[1])
        now = self._wall()
        self._uncover(seat, now, hole_reason)
        seat.queued = False
        seat.tries += 1
        seat.enter(state, reason)
        self._set_timer(wait, seat)
        if not seat.room.timeline.recorded:
            hole = seat.room.timeline.turned(now, hole_reason)
            if hole is not None:
                self.changed.add(seat.room.name)
                self._on_gap(seat.room, hole)

    def _uncover(self, seat: Seat, at: float, reason: str) -> None:
        """The seat has recorded nothing since ``at``; what no other seat has recorded is missing."""
        if seat.state is not State.RECORDED:
            return
        room = seat.room
        now = self._clock.seconds()
        epoch = self._wall() - now
        over, since = room.lost(seat, at - epoch, now)
        self.changed.add(room.name)
        for start, end in over:
            # Another connection has recorded since, so it was over before we knew of it.
            self._on_gap(room, Gap(start + epoch, end + epoch, reason))
        if since is not None:
            room.timeline.ended(since + epoch, reason)
            self.on_lost(room)
            for other in room.seats:
                # It may be waiting patiently behind the second seats of others.
                if other.queued:
                    self._bucket.add(other)

    def _set_timer(self, delay: float, seat: Seat) -> None:
        self._timer_count += 1
        entry = (self._clock.seconds() + delay, self._timer_count, seat, seat.turn)
        heapq.heappush(self._timers, entry)

    def _tick(self) -> None:
        try:
            now = self._clock.seconds()
            judging = self._suspends.ticked(now)
            self._links.open_next()
            while self._timers and self._timers[0][0] <= now:
                _, _, seat, turn = heapq.heappop(self._timers)
                if seat.turn == turn:
                    self._timed_out(seat)
            for link in list(self.links):
                if self._links.is_spare(link):
                    self._close(link)
                elif judging:
                    link.check()
            self._overlaps.check(now)
            self._tell(now)
        except Exception:
            # One bad room must not stop the clock of all the others.
            self._log.failure("{platform}: while looking after the rooms", platform=self.platform)

    def _timed_out(self, seat: Seat) -> None:
        if seat.state is State.REQUESTED:
            self._fail(seat, State.SILENT, "no answer from the server", "join not acknowledged", SILENT_AGAIN)
        elif seat.state in (State.SILENT, State.REFUSED):
            self._ask_elsewhere(seat)

    def _ask_elsewhere(self, seat: Seat) -> None:
        old = seat.link
        new = old if old.retiring else self._links.place(old.lane, len(self.rooms), avoid=old)
        seat.enter(State.WANTED)
        if new is not old:
            if old.up:
                old.leave(seat.room.name)
            del old.seats[seat.room.name]
            seat.link = new
            new.seats[seat.room.name] = seat
        if new.up:
            self._queue(seat)

    def _tell(self, now: float) -> None:
        recorded = sum(1 for room in self.rooms.values() if room.timeline.recorded)
        links = sum(1 for link in self.links if link.up)
        asking = len(self._bucket) > 0
        self._progress.tell(now, recorded, len(self.rooms), self.absent(), links, asking)
