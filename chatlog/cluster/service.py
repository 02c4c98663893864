"""A member of a cluster at work: it writes its line, reads all lines, and records the rooms of its slots.

The rules are in ``member``; the service drives them. Recording does not depend on the engine: while it is
away, all rooms that are recorded stay so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from chatlog.cluster.engine import Engine, EngineError, NameTaken
from chatlog.cluster.line import Line
from chatlog.cluster.list_keeper import ListKeeper
from chatlog.cluster.member import AWAY, BEAT, READ_EVERY, Member
from chatlog.cluster.own_state import OwnState
from chatlog.cluster.room_share import RoomShare
from chatlog.cluster.roster import Ages, Reading, published
from chatlog.cluster.shared_rooms import Difference, SharedRooms
from chatlog.cluster.slot_life import Orders
from chatlog.cluster.slots import each
from chatlog.cluster.speaking import Speaker
from chatlog.cluster.takeovers import Takeovers
from chatlog.cluster.wellness import Wellness
from chatlog.environment import Environment

#: Seconds between two lines if the line has changed.
SOON = 0.25
#: Once in so many readings the member judges whether enough rooms of its platforms are recorded.
JUDGED = 5


class MemberService(Service):
    """Drives ``member``. Before it starts, it gets these parts of the recorder: ``keeper`` of the list,
    ``disk()`` (whether the disk accepts writes), and ``settled()``. That is called whenever it is known which
    of the rooms that were recorded here last are still wanted."""

    _log = Logger()
    name = "cluster"

    def __init__(
        self,
        member: Member,
        engine: Engine,
        environment: Environment,
        own: OwnState,
        shared: SharedRooms,
        share: RoomShare,
        takeovers: Takeovers,
    ) -> None:
        self.member = member
        self.engine = engine
        self.own = own
        self.shared = shared
        self.share = share
        self.takeovers = takeovers
        self.keeper: ListKeeper | None = None
        self.disk: Callable[[], bool] = lambda: True
        #: Called every second.
        self.poll: Callable[[], object] = lambda: None
        self.settled: Callable[[], object] = lambda: None
        self._clock: IReactorTime = environment.reactor
        self.now = self._clock.seconds
        self.wall = environment.wall
        self.speaker = Speaker(engine, member.myself, lambda: own.identity, self._clock)
        # Whether the line has changed since the latest write of it began.
        self._due = False
        self._reading = False
        # Whether the slots that were recorded last are recorded again, or left to other members.
        self._resumed = False
        self._settled = False
        self._looks = 0
        self.ages = Ages()
        self._began = self._clock.seconds()
        self._confirmed_since: float | None = None
        self._wellness = {name: Wellness() for name in member.lives}
        #: Since when another process uses this member's name; None if none does.
        self.taken_since: float | None = None
        #: Why the engine is away, in words; "" if it answers.
        self.trouble = ""
        #: When the engine answered last, in seconds of the clock.
        self.heard_at = self._clock.seconds()
        #: How many slots were started here, by reason, and how many were given away.
        self.moves = {"takeover": 0, "assigned": 0, "handover": 0, "given": 0}
        self._loops = [self._loop(self.put), self._loop(self.read_lines)]

    def _loop(self, call: Callable[[], object]) -> LoopingCall:
        loop = LoopingCall(self._guarded, call)
        loop.clock = self._clock
        return loop

    def _guarded(self, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception:
            # The next beat tries again.
            self._log.failure("while acting as a member of the cluster")

    # -- service -------------------------------------------------------------------------------------

    def startService(self) -> None:
        """Find the other members, then take part."""
        super().startService()
        now = self._clock.seconds()
        self._began = self.heard_at = now
        # The list that an earlier run left.
        self.member.rooms = self.shared.version
        if self.keeper is not None:
            self.keeper.begin()
        Deferred.fromCoroutine(self._join()).addErrback(self._failed)
        self.speaker.check_engine()
        for loop, interval in zip(self._loops, (BEAT, READ_EVERY), strict=True):
            loop.start(interval, now=False)

    def stopService(self) -> Deferred[None]:
        """Stop. The line stays until its lease ends, so that a quick restart moves nothing."""
        super().stopService()
        for loop in self._loops:
            if loop.running:
                loop.stop()
        if self.keeper is not None:
            self.keeper.close()
        return self.engine.close()

    async def _join(self) -> None:
        """The first reading: slots that were recorded here last go on, unless other members have them."""
        # No other member must take the slots meanwhile: this member's line, old or new, protects them.
        reading = await self.engine.read()
        await self._write()
        if not self._resumed:
            self._resume(reading)

    def _resume(self, reading: Reading | None) -> None:
        """Record the slots of the last run. ``reading``: the lines of all; None if the engine is away."""
        self._resumed = True
        others = {} if reading is None else published(reading.lines, self.member.myself.name)
        for platform, some in self.own.recorded.items():
            if platform in self.member.lives:
                new = self.member.lives[platform].resume(some & ~others.get(platform, 0))
                self.share.start(platform, new, elsewhere=False)

    def set_draining(self, draining: bool) -> None:
        """Give all rooms away, or take part again."""
        self.member.draining = draining
        self._put_soon()

    @property
    def knows_others(self) -> bool:
        """Whether the other members are known."""
        return self._settled

    # -- the line ------------------------------------------------------------------------------------

    def put(self) -> None:
        """Write the line, unless one is being written."""
        if not self.speaker.is_busy and self.running:
            Deferred.fromCoroutine(self._write()).addErrback(self._failed)

    def _put_soon(self) -> None:
        """Write the line soon: the published slots have changed."""
        self._due = True
        self._put_if_due()

    def _put_if_due(self) -> None:
        if self._due and self._clock.seconds() - self.speaker.put_at >= SOON:
            self.put()

    def _line(self) -> Line:
        self._due = False
        return self.member.line(self.wall())

    async def _write(self) -> None:
        line = await self.speaker.say(self._line)
        now = self._clock.seconds()
        self._heard(now)
        if self.taken_since is not None:
            self.taken_since = None
            self._log.info("the name {name} is free again", name=self.member.myself.name)
        self._confirmed_since = now if self._confirmed_since is None else self._confirmed_since
        self.member.line_confirmed(line, now)
        if any(life.withdrawn for life in self.member.lives.values()):
            # The sooner the next reading, the shorter is the time in which two members record.
            self.read_lines()

    def leave(self) -> Deferred[None]:
        """Write no more lines, and remove the last one. Never fails."""
        for loop in self._loops:
            if loop.running:
                loop.stop()
        return self.speaker.leave()

    def _failed(self, failure: Any) -> None:
        error = failure.value
        if isinstance(error, NameTaken):
            self._heard(self._clock.seconds())
            if self.taken_since is None:
                self.taken_since = self.wall()
                self._log.error(
                    "another recorder is there under the name {name}: this one records nothing until that "
                    "one is gone; give each an instance of its own",
                    name=self.member.myself.name,
                )
        elif isinstance(error, EngineError):
            self.trouble = str(error)
        else:
            self._log.failure("while speaking to the engine", failure=failure)

    def _heard(self, now: float) -> None:
        self.heard_at, self.trouble = now, ""

    # -- the lines of all ----------------------------------------------------------------------------

    def why_no_change(self) -> str:
        """Why the list of rooms cannot be changed now; "" if it can. First, all members must have had the
        time to give the list back to an engine that has lost it."""
        if self.taken_since is not None:
            return "another recorder is there under this name"
        if self.member.away:
            return f"{self.engine.place} does not answer: {self.trouble or 'it is silent'}"
        since = self._confirmed_since
        if since is None or self._clock.seconds() - since < BEAT + READ_EVERY:
            return "this recorder has just come to the cluster; try again in some seconds"
        return ""

    def read_lines(self) -> None:
        """Read all lines, unless that is under way, and do the work of every second."""
        now = self._clock.seconds()
        was_away = self.member.away
        changed = self.member.tick(now)
        if self.member.away and not was_away:
            self._log.warn(
                "{engine} does not answer: {why}; what is recorded here is recorded on",
                engine=self.engine.place,
                why=self.trouble or "it is silent",
            )
        if not self._resumed and self.taken_since is None and now - self._began >= AWAY:
            self._log.warn("the cluster cannot be reached: recording what was recorded here last")
            self._resume(None)
        changed = self._settle_slots(now) or changed
        self._due = self._due or changed
        self._put_if_due()
        self.poll()
        if not self._reading and self.taken_since is None:
            self._reading = True
            self.member.reading_begins(now)
            reading = self.engine.read()
            reading.addCallback(self._read).addErrback(self._failed).addBoth(self._reading_ended)

    def _reading_ended(self, _: object) -> None:
        self._reading = False

    def _read(self, reading: Reading) -> None:
        if not self.running:
            return
        now, wall = self._clock.seconds(), self.wall()
        was_away = self.member.away
        self._heard(now)
        if not self._resumed and self._confirmed_since is not None:
            self._resume(reading)
        held = {name: life.published for name, life in self.member.lives.items()}
        orders = self.member.see(reading, now, self.shared.sizes, self.shared.changed_since)
        if was_away and not self.member.away:
            self._log.info("{engine} answers again", engine=self.engine.place)
        roster = self.member.roster
        self.ages.see(roster.present, now)
        for name in self.takeovers.see(roster.lost, roster.present):
            self._log.warn("{name} is gone: its rooms are taken over", name=name)
        self.share.divide_requests(self.member.myself.joins, roster.present.values())
        for platform, order in orders.items():
            self._obey(platform, order, wall)
        if orders and not self._settled:
            self._settled = True
            self.share.settle()
        self._after(held)
        if self.keeper is not None and self.keeper.is_behind(reading.rooms):
            self.keeper.compare(reading.rooms).addErrback(self._failed)
        elif self._settled:
            self.settled()

    def _obey(self, platform: str, order: Orders, wall: float) -> None:
        taken = 0
        for slot in each(order.first):
            line = self.takeovers.source(platform, slot)
            if line is not None:
                taken += 1
                self.takeovers.begun(platform, slot, line)
        self.moves["takeover"] += taken
        self.moves["assigned"] += order.first.bit_count() - taken
        self.moves["handover"] += order.then.bit_count()
        self.moves["given"] += order.stop.bit_count()
        if order.stop:
            self.takeovers.dropped(platform, order.stop)
            self.share.stop(platform, order.stop)
        if order.first:
            self.share.start(platform, order.first, elsewhere=False)
        if order.then:
            self.share.start(platform, order.then, elsewhere=True)
        published = 0
        for other in self.member.roster.present.values():
            published |= other.recording.get(platform, 0)
        self.share.hurry(platform, self.share.slots.get(platform, 0) & ~published)

    def _settle_slots(self, now: float) -> bool:
        """Publish the slots whose rooms are all recorded. True if the line changes by that."""
        changed = False
        for platform, life in self.member.lives.items():
            waiting = life.starting | (life.held & ~life.published)
            ready = self.share.ready(platform, waiting) if waiting else 0
            if ready and life.ready(ready):
                changed = True
                for name, seconds in self.takeovers.published(platform, ready, self.wall()):
                    self._log.info(
                        "the rooms of {name} are taken over, {seconds:.1f} s after its last word",
                        name=name,
                        seconds=seconds,
                    )
        self._looks += 1
        if self._looks % JUDGED == 0:
            changed = self._judge(now) or changed
        return changed

    def _judge(self, now: float) -> bool:
        """Judge whether enough rooms of each platform are recorded. True if the line changes by that."""
        well, before = self.disk(), self.member.unwell
        counts = {name: self.share.counts(name) for name in self._wellness}
        judged = {name: each.judge(now, *counts[name], well) for name, each in self._wellness.items()}
        self.member.unwell = frozenset(name for name, unwell in judged.items() if unwell)
        return self.member.unwell != before

    def _after(self, before: Mapping[str, int]) -> None:
        lives = self.member.lives
        self.own.keep_recorded({name: life.recorded for name, life in lives.items() if life.recorded})
        if any(life.published != before[name] for name, life in lives.items()):
            self._put_soon()

    def list_changed(self, difference: Difference) -> None:
        """The list of rooms has changed."""
        changed = self.shared.version != self.member.rooms
        for platform, slots in self.share.apply(difference).items():
            changed = self.member.lives[platform].grows(slots) or changed
        self.member.rooms = self.shared.version
        if changed:
            self._put_soon()
