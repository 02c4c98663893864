"""Fills gaps with messages from a service that keeps recent Twitch messages.

When a gap closes, its gap record is held back while the service is asked, once, for the room's latest lines.
Lines that lie in the gap and are not recorded yet become records, marked with ``details.backfilled``. Then
the gap record is written with their number. The service is free of charge, so it gets few requests at a time,
one for a gap, and none while it is in trouble. It only keeps rooms that were requested lately, so every room
is requested at the start and once a day.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Coroutine, Hashable
from contextlib import suppress
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatlog.config.settings import BackfillSettings, RecorderSettings
from chatlog.environment import Environment
from chatlog.network.http import Get, RequestFailed
from chatlog.printable import printable
from chatlog.record import rfc3339
from chatlog.recorder.buffers import RoomBuffers
from chatlog.recorder.room import RoomBuffer
from chatlog.recorder.tails import Tail, Tails
from chatlog.rooms.pool import Pool
from chatlog.rooms.subscriptions import Room
from chatlog.services import Backoff
from chatlog.state.journal import Journal
from chatlog.timeline.timeline import Gap
from chatlog.twitch import recent
from chatlog.twitch.asked_rooms import AskedRooms
from chatlog.twitch.deferred_gaps import DeferredGap, DeferredGaps
from chatlog.twitch.events import event_record
from chatlog.twitch.intake import event_key

#: Seconds from the end of a gap until the service is asked, at random: the last messages of the gap have to
#: arrive there, and not all rooms are asked for at once.
ASK_AFTER = (4.0, 8.0)
#: The most seconds that a gap record is deferred.
HOLD_FOR = 60.0
#: The most gap records that are deferred at a time.
HELD_MOST = 5000
#: Seconds by which times may differ because of Twitch's clock, ours and the way of a message. Lines up to so
#: many seconds outside of a gap are recorded too, unless they are recorded already.
EDGE = 10.0
#: The same for the arrival of a record, which is later than its time.
_ARRIVAL_EDGE = EDGE + 5.0
#: The latest lines may take so many seconds to arrive.
_UNDER_WAY = 2.0
#: Seconds between two requests that only make the service remember a room.
WARM_EVERY = (1.0, 3.0)
#: The first and the longest delay, in seconds, while the service is in trouble. It may ask for longer delays.
TROUBLE_WAIT = (10.0, 900.0)
LONGEST_WAIT = 6 * 3600.0


class Backfill(Service):
    """Asks the service about gaps. ``write(room, gap, backfilled)`` writes a gap record; ``recorded`` gives
    the recorder's room of a name. The backfill is started after the pool knows since when its rooms are
    missing, and stopped after the pool and before the recorder."""

    _log = Logger()
    name = "backfill"
    platform = "twitch"

    def __init__(
        self,
        settings: BackfillSettings,
        get: Get,
        environment: Environment,
        write: Callable[[Room, Gap, int], None],
        recorded: Callable[[str], RoomBuffer],
        tails: Tails,
        held: DeferredGaps,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._settings = settings
        self._get = get
        self._clock = clock = environment.reactor
        self._wall = environment.wall
        self._encode = environment.encode
        self._counters = environment.counters
        self._write = write
        self._recorded = recorded
        self._tails = tails
        self._deferred = held
        self._uniform = uniform
        self._pool: Pool | None = None
        # The records of a room when its gap began.
        self._before: dict[str, Tail] = {}
        self._held: deque[DeferredGap] = deque()
        self._running = 0
        #: The rooms that the service was asked for.
        self.asked = AskedRooms()
        self._warm_at = 0.0
        self._warming: Deferred[None] | None = None
        #: Why the service cannot be used at present; "" if it can.
        self.trouble = ""
        self._wait_until = float("-inf")
        self._backoff = Backoff(*TROUBLE_WAIT, uniform)
        self._checks = LoopingCall(self._check)
        self._checks.clock = clock

    def watch(self, pool: Pool) -> None:
        """Fill the gaps of this pool's rooms."""
        self._pool = pool

    def flushed(self, complete: bool) -> None:
        """To be called after every flush; ``complete``: everything handed to the recorder is in files."""
        self._deferred.flushed(complete, last=not self.running)

    # -- start and end -----------------------------------------------------------------------------

    def startService(self) -> None:
        super().startService()
        rooms = {} if self._pool is None else self._pool.rooms
        for room in rooms.values():
            if room.timeline.missing_since is not None:
                self.uncovered(room)
        try:
            for name, gap in self._deferred.earlier():
                with suppress(ValueError):  # no recorder has had a room with such a name
                    room_left = rooms.get(name) or Room(name, self._recorded(name))
                    self._hold(room_left, gap, self._tails.read(name, _before(gap)))
        except OSError as error:
            self._log.error("cannot read which gap records were held back: {error}", error=str(error))
        self._deferred.begin()
        self._checks.start(1.0)

    def stopService(self) -> None:
        """Write all deferred gap records at once."""
        super().stopService()
        if self._checks.running:
            self._checks.stop()
        if self._warming is not None:
            self._warming.cancel()
        for held in list(self._held):
            self._finish(held)

    # -- gaps --------------------------------------------------------------------------------------

    def closed(self, room: Room, gap: Gap) -> None:
        """A gap of the room has closed."""
        tail = self._before.pop(room.name, None)
        if (
            not self.running
            or gap.reason.startswith("refused")
            or not self.asked.is_kept(room.name)
            or len(self._held) >= HELD_MOST
        ):
            self._write(room, gap, 0)
        else:
            self._hold(room, gap, tail or self._tails.read(room.name, _before(gap)))

    def _hold(self, room: Room, gap: Gap, tail: Tail) -> None:
        held = DeferredGap(self._deferred.put(room.name, gap), room, gap, tail)
        now = self._clock.seconds()
        held.ask_at = now + self._uniform(*ASK_AFTER)
        held.deadline = now + HOLD_FOR
        if room.timeline.recorded:
            held.until = gap.end + EDGE
        self._held.append(held)
        if self._pool is not None:
            self._pool.expect_copies(room, HOLD_FOR + EDGE)

    def uncovered(self, room: Room) -> None:
        """Read the room's latest records now, while their file exists; after a long gap it may be gone."""
        since = room.timeline.missing_since
        if since is not None:
            self._before[room.name] = self._tails.read(room.name, _before(Gap(since, since, "")))

    def _finish(self, held: DeferredGap) -> None:
        if held in self._held:
            self._held.remove(held)
            self._write(held.room, held.gap, held.backfilled)
            self._deferred.done(held.number)
        if held.request is not None:
            held.request.cancel()

    # -- requests ----------------------------------------------------------------------------------

    def _check(self) -> None:
        now = self._clock.seconds()
        free = self._settings.at_once - self._running
        for held in list(self._held):
            hopeless = held.request is None and self._wait_until > held.deadline
            if held.deadline <= now or hopeless or not self.asked.is_kept(held.room.name):
                self._finish(held)
            elif free > 0 and held.request is None and max(held.ask_at, self._wait_until) <= now:
                free -= 1
                held.request = self._begin(self._fill(held))
        if free > 0 and self._warming is None and max(self._warm_at, self._wait_until) <= now:
            self._warm(now)

    def _begin(self, request: Coroutine[Deferred[Any], Any, None]) -> Deferred[None]:
        self._running += 1

        def ended(result: object) -> None:
            self._running -= 1
            if isinstance(result, Failure) and not result.check(CancelledError):
                self._log.failure("twitch: while filling a gap", failure=result)

        return Deferred.fromCoroutine(request).addBoth(ended)

    async def _fill(self, held: DeferredGap) -> None:
        try:
            self._take(held, await self._ask(held.room.name))
        finally:
            held.request = None
            self._finish(held)

    def _warm(self, now: float) -> None:
        """Request one more room, so that the service keeps it."""
        rooms = {} if self._pool is None else self._pool.rooms
        for name in self._before.keys() - rooms.keys():
            del self._before[name]
        self.asked.tidy(rooms.keys(), now)
        for room in rooms.values():
            if room.timeline.recorded and self.asked.is_due(room.name, now):
                request = self._begin(self._only_ask(room.name))
                if not request.called:
                    self._warming = request
                return

    async def _only_ask(self, name: str) -> None:
        try:
            await self._ask(name, 1)
        finally:
            self._warming = None
            self._warm_at = self._clock.seconds() + self._uniform(*WARM_EVERY)

    async def _ask(self, name: str, lines: int = recent.ASKED_LINES) -> list[bytes]:
        """The latest lines of a room; none if the service has none."""
        self.asked.asked(name, self._clock.seconds())
        wait = 0.0
        try:
            answer = await self._get(recent.address(self._settings.url, name, lines))
            wait = answer.retry_after
            found = recent.lines_in(answer.status, answer.body)
        except CancelledError:
            raise
        except recent.NoAnswer as error:
            if not error.never:
                self._in_trouble(str(error), wait)
                return []
            self.asked.not_kept(name)
            self._log.info("twitch: {room} is not backfilled: {reason}", room=name, reason=str(error))
            found = []
        except Exception as error:
            if isinstance(error, RequestFailed) and error.answer is not None:
                wait = error.answer.retry_after
            self._in_trouble(printable(str(error), 200) or type(error).__name__, wait)
            return []
        if self.trouble:
            self.trouble = ""
            self._log.info("twitch: the service for backfill answers again")
        self._backoff.reset()
        return found

    def _in_trouble(self, reason: str, wait: float) -> None:
        now = self._clock.seconds()
        if now >= self._wait_until:
            # If several requests failed together, the first one has set the delay.
            self._wait_until = now + self._backoff.next()
        self._wait_until = max(self._wait_until, now + min(wait, LONGEST_WAIT))
        if not self.trouble:
            self._log.warn(
                "twitch: the service for backfill does not help ({reason}); it is asked less and less "
                "often, and until it does gaps stay as they are",
                reason=reason,
            )
        self.trouble = reason

    # -- answers -----------------------------------------------------------------------------------

    def _take(self, held: DeferredGap, lines: list[bytes]) -> None:
        """Record the lines that lie in the gap and are not recorded yet."""
        room, gap, tail = held.room, held.gap, held.tail
        now = self._wall()
        received = rfc3339(int(now * 1000))
        # Before the gap, only lines of the time for which the recorded lines are known.
        first = min(max(_before(gap, EDGE), tail.since), rfc3339(round(gap.start * 1000)))
        last = rfc3339(round(min(held.until, now - _UNDER_WAY) * 1000))
        added: set[Hashable] = set()
        gaps = [other for other in self._held if other.room.name == room.name]
        for line in lines:
            found = recent.chat_in(line, room.name, room.identifier)
            if found is None or not first <= rfc3339(found[1]) <= last:
                continue
            message = found[0]
            encoded = event_record(message, received, self._marked, room.name, room.identifier)
            if not encoded or (record_key := recent.key_of(encoded)) in tail.keys:
                continue
            key, identified, window = event_key(message)
            # Every request makes a connection of its own.
            if room.duplicates is None or not room.duplicates.seen(
                key, -held.number, self._clock.seconds(), identified, window
            ):
                room.records.append(encoded)
                added.add(record_key)
                self._counters.backfilled += 1
                seconds = found[1] / 1000
                # If gaps lie close together, each gets its own messages.
                owners = (other for other in gaps if other.gap.start <= seconds < other.gap.end)
                next(owners, held).backfilled += 1
        self._recorded_now(room.name, added)

    def _recorded_now(self, name: str, keys: set[Hashable]) -> None:
        """Note these lines as recorded: if the room was lost again meanwhile, some may lie in the next
        gap."""
        if name in self._before:
            self._before[name] = self._before[name].joined(keys)
        for held in self._held:
            if held.room.name == name:
                held.tail = held.tail.joined(keys)

    def _marked(self, *parts: Any) -> bytes:
        marked: list[Any] = [*parts[:-1], {**parts[-1], "backfilled": True}]
        return self._encode(*marked)


def backfill_over(
    settings: BackfillSettings,
    recording: RecorderSettings,
    environment: Environment,
    get: Get,
    write: Callable[[Room, Gap, int], None],
    buffers: RoomBuffers,
) -> Backfill:
    """Create the backfill for a recorder's spool."""
    recorded = partial(buffers.room, Backfill.platform)
    files, clock, directory = environment.files, environment.reactor, recording.directory
    tails = Tails(files, directory, Backfill.platform, recorded, recent.record_key, clock.seconds)
    deferred = DeferredGaps(Journal(environment, directory, "deferred", recording.sync_interval))
    return Backfill(settings, get, environment, write, recorded, tails, deferred)


def _before(gap: Gap, seconds: float = _ARRIVAL_EDGE) -> str:
    """The time ``seconds`` before a gap."""
    return rfc3339(round(max(gap.start - seconds, 0.0) * 1000))
