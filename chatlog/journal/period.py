"""The seconds of every room in the present period of the manifest, rooms that came and went within it too."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from chatlog.journal.journal import Key, Standing
from chatlog.journal.standings import Standings
from chatlog.journal.tally import RoomTime, Tally


class Period:
    """``wanted()`` are the rooms that are to be recorded; ``began`` is when the process started, in
    wall-clock seconds."""

    def __init__(self, standings: Standings, wanted: Callable[[], Collection[Key]]) -> None:
        self._standings = standings
        self._wanted = wanted
        self.began = 0.0
        # The seconds of the rooms that were removed within the period.
        self._gone: dict[Key, RoomTime] = {}
        # Since when those are wanted that came after the start.
        self._wanted_since: dict[Key, float] = {}

    def added(self, key: Key, at: float) -> None:
        """A room has come after the start."""
        self._wanted_since[key] = at

    def removed(self, key: Key, standing: Standing | None, at: float) -> None:
        """The room is no longer recorded; what there was of it in this period counts all the same."""
        tally = self._standings.tally
        if standing is not None:
            self._gone[key] = tally.time(key, standing, at)._replace(reason="removed")
        tally.forget(key)
        self._wanted_since.pop(key, None)

    def turn(self, at: float) -> None:
        """A new period begins at ``at``."""
        self._standings.tally.turn(at)
        self._gone.clear()
        for standing in self._standings.earlier.values():
            standing.lost, standing.begun = 0.0, None

    def rows(self, since: float, until: float) -> Iterator[RoomTime]:
        """Every room's seconds between the two times, the first being when the period began."""
        tally = self._standings.tally
        tally = tally if abs(tally.since - since) < 0.01 else Tally(since)
        for key in sorted({*self._wanted(), *self._standings.known(), *self._gone}):
            standing = self._standings.of(key)
            gone = self._gone.get(key)
            if standing is None and gone is not None:
                yield gone
                continue
            if standing is None:
                wanted = self._wanted_since.get(key, self.began)
                yield RoomTime(*key, 0.0, max(0.0, until - max(since, wanted)), "not acknowledged")
                continue
            time = tally.time(key, standing, until)
            if gone is not None:
                # Removed, and added again.
                time = time._replace(
                    recorded=time.recorded + gone.recorded, missing=time.missing + gone.missing
                )
            yield time
