"""How every room stands, as the journal writes it down: rooms of the pools, and those that only an earlier
run has had so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from twisted.internet.interfaces import IReactorTime

from chatlog.journal.journal import Key, Standing
from chatlog.journal.pending_gaps import PendingGaps
from chatlog.journal.quiet import carriers
from chatlog.journal.tally import Tally
from chatlog.rooms.pool import Pool
from chatlog.rooms.subscriptions import Room

#: Why a room that nobody took leave of is missing.
RESTART = "restart"
#: Wall clock and monotonic clock may drift apart by so many seconds between two flushes.
DRIFT = 2.0


class Standings:
    """``pools`` by platform; ``earlier`` are rooms of the journal that no pool has yet (Kick's ids may have
    to be looked up first); ``tally`` counts the seconds of the present period."""

    def __init__(self, clock: IReactorTime, wall: Callable[[], float]) -> None:
        self._clock = clock
        self._wall = wall
        self.pools: dict[str, Pool] = {}
        self.earlier: dict[Key, Standing] = {}
        self.tally = Tally(0.0)
        self.pending_gaps = PendingGaps()

    def room(self, key: Key) -> Room | None:
        """The room in its pool; None if it is in none."""
        pool = self.pools.get(key[0])
        return pool.rooms.get(key[1]) if pool else None

    def rooms(self) -> Iterator[tuple[str, Room]]:
        """Every room in a pool, with its platform."""
        for platform, pool in self.pools.items():
            for room in pool.rooms.values():
                yield platform, room

    def known(self) -> Iterator[Key]:
        """Every room."""
        yield from self.earlier
        for platform, room in self.rooms():
            yield platform, room.name

    def of(self, key: Key) -> Standing | None:
        """How the room stands; None if it was never acknowledged."""
        room = self.room(key)
        return self.earlier.get(key) if room is None else self.of_room(key, room)

    def of_room(self, key: Key, room: Room) -> Standing | None:
        """How a room that is or was in a pool stands."""
        timeline = room.timeline
        if timeline.since is None:
            return None
        begun = timeline.first
        if begun is not None and begun <= self.tally.since:
            begun = None
        missing = timeline.missing_since
        since = timeline.since if missing is None else missing
        lost = self.tally.lost.get(key, 0.0)
        links, spans = carriers(room, self._wall(), self._clock.seconds())
        heard = self.pending_gaps.since(key) if timeline.recorded else None
        return Standing(since, timeline.recorded, timeline.reason, lost, begun, links, spans, heard)


def since_the_end(standing: Standing, end: float | None, now: float) -> Standing:
    """How a room stands for the next run: missing at least since the end of the earlier one."""
    since, reason = standing.since, standing.reason
    if standing.recorded:
        if standing.heard is not None:
            # Whether the connection was still alive after that, nobody can know.
            end = min(end or 0.0, standing.heard)
        since, reason = max(since, end or 0.0), RESTART
    if since > now + DRIFT:
        # It lies in the future: the clock is wrong, or was.
        reason = "clock"
    return Standing(since, False, reason, standing.lost, standing.begun, holes=standing.holes)
