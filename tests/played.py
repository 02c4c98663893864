"""A platform that a test plays: its connections come up, answer and go as the test says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed

from chatlog.environment import Environment
from chatlog.rooms.closing import Closing
from chatlog.rooms.connection import Connection, Phase
from chatlog.rooms.connections import Limits
from chatlog.rooms.pool import Pool, RoomEvents
from chatlog.rooms.subscriptions import Room
from chatlog.timeline.timeline import Gap

LIMITS = Limits(90, 1000, 10.0)


def nothing(*arguments: object) -> None:
    """What is called and does nothing."""


class Wire:
    """The far end of a connection. ``last`` is when it was heard last, by the wall clock; None: just now.
    ``late``: by how many seconds that was late. ``answers``: whether it takes part in a goodbye. ``endless``:
    it never ends by itself. ``on_read``: called when what has arrived is asked for."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self.calls: list[tuple[object, ...]] = [("open",)]
        self.welcomed_at: float | None = None
        self.last: float | None = None
        self.late = 0.0
        self.answers = True
        self.endless = False
        self.on_read: Callable[[], object] = nothing

    # -- what a connection asks of what makes it ---------------------------------------------------------

    @property
    def chat(self) -> Any:
        return None if self.welcomed_at is None else self

    def come_back_no_more(self) -> None:
        self.calls.append(("come back no more",))

    def stop(self) -> Deferred[None]:
        self.calls.append(("close",))
        return Deferred() if self.endless else succeed(None)

    # -- what it asks of a protocol ------------------------------------------------------------------------

    def subscribe(self, names: list[str]) -> None:
        self.calls.append(("ask", *names))

    def unsubscribe(self, name: str) -> None:
        self.calls.append(("leave", name))

    def read_now(self) -> None:
        self.calls.append(("read",))
        self.on_read()

    def check(self) -> None:
        self.calls.append(("check",))

    def heard_ago(self) -> float:
        return self.heard()[0]

    def heard(self) -> tuple[float, float]:
        return 0.0 if self.last is None else self._wall() - self.last, self.late


class Played:
    """The platform behind pools that ``pool`` makes. ``connections`` are all there have been, oldest first.
    ``quiet``: nothing is heard of them once they are open."""

    def __init__(self, wall: Callable[[], float], quiet: bool = False) -> None:
        self._wall = wall
        self._quiet = quiet
        self._pools: list[Pool] = []
        self._wires: dict[Connection, Wire] = {}
        self._seen: list[Connection] = []

    def pool(
        self,
        environment: Environment,
        gap_closed: Callable[[str, Room, Gap], object] = nothing,
        limits: Limits = LIMITS,
        platform: str = "twitch",
        added: Callable[[str, Room], object] = nothing,
        uncovered: Callable[[str, Room], object] = nothing,
        removed: Callable[[str, Room], object] = nothing,
        absent: Callable[[], int] = lambda: 0,
    ) -> Pool:
        """A pool without rooms."""
        events = RoomEvents(added, gap_closed, uncovered, removed)
        pool = Pool(platform, environment, self._dial, events, limits, {}, absent)
        self._pools.append(pool)
        return pool

    @property
    def connections(self) -> list[Connection]:
        for pool in self._pools:
            self._seen += [each for each in pool.connections if each not in self._seen]
        return self._seen

    def _dial(self, connection: Connection) -> Any:
        wire = self._wires[connection] = Wire(self._wall)
        if self._quiet:
            wire.last = self._wall()
        return wire

    def wire(self, connection: Connection) -> Wire:
        """The far end; a connection that waits for its turn is opened now."""
        connection.open()
        return self._wires[connection]

    def calls(self, connection: Connection) -> list[tuple[object, ...]]:
        """What was asked, in order."""
        return [] if connection.phase is Phase.PLANNED else self._wires[connection].calls

    def asked(self, connection: Connection) -> list[str]:
        """The rooms that were asked for, in order."""
        return [str(name) for call in self.calls(connection) if call[0] == "ask" for name in call[1:]]

    def up(self, connection: Connection) -> None:
        """The server welcomes the connection."""
        self.wire(connection).welcomed_at = 0.0
        connection.welcomed()

    def recorded(self, connection: Connection) -> None:
        """It does, and delivers all that is wanted there."""
        if not connection.up:
            self.up(connection)
        for name in list(connection.subscriptions):
            connection.acknowledged(name)

    def down(
        self, connection: Connection, heard: float | None = None, reason: str = "connection lost"
    ) -> None:
        """The connection is lost; ``heard`` is when it was heard last."""
        wire = self.wire(connection)
        gone = Wire(self._wall)
        gone.welcomed_at, gone.last, gone.answers = wire.welcomed_at, heard, wire.answers
        wire.welcomed_at = None
        refused = reason.startswith("login refused")
        chat: Any = gone
        connection.ended(chat, reason, Closing.REFUSED if refused else Closing.BACK_OFF)

    def fails(self, connection: Connection, reason: str) -> None:
        """The connection cannot be made."""
        self.wire(connection)
        connection.ended(None, reason, Closing.BACK_OFF)
