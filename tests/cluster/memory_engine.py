"""An engine in memory, for tests of whatever uses one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import IReactorTime

from chatlog.cluster.engine import (
    MOST_BYTES,
    Chunk,
    Conflict,
    EngineAway,
    LatePut,
    NameTaken,
    RoomChunks,
)
from chatlog.cluster.roster import Reading

T = TypeVar("T")


class MemoryServer:
    """What members of a cluster share. Its clock only goes forward."""

    def __init__(self, clock: IReactorTime) -> None:
        self.clock = clock
        #: By name: identity, beat, when the lease ends, and the line, "" after a leave.
        self.lines: dict[str, tuple[str, int, float, str]] = {}
        self.chunks: dict[int, Chunk] = {}
        self.version = 0
        self.epoch = ""
        #: Sentences that ``check`` finds.
        self.wrong: list[str] = []
        self._epochs = 0

    def forget(self) -> None:
        """Lose everything."""
        self.lines.clear()
        self.chunks.clear()
        self.version, self.epoch = 0, ""

    def new_epoch(self) -> None:
        """Somebody writes: there is an epoch from now on."""
        if not self.epoch:
            self._epochs += 1
            self.epoch = f"epoch{self._epochs}"


class MemoryEngine:
    """One member's way to the server. ``away`` is the reason why no call succeeds, "" if they do, and
    ``full`` the reason why none does that writes. A call made while it is ``paused`` is answered by
    ``proceed``, in order."""

    def __init__(self, server: MemoryServer, place: str = "memory://test") -> None:
        self.place = place
        self.away = ""
        self.full = ""
        self.paused = False
        self.closed = False
        self._server = server
        self._waiting: list[Callable[[], object]] = []

    def put(self, name: str, identity: str, beat: int, text: str, lease: float) -> Deferred[None]:
        """See Engine."""
        return self._answer(lambda: self._put(name, identity, beat, text, lease))

    def leave(self, name: str, identity: str, beat: int, lease: float) -> Deferred[None]:
        """See Engine."""
        return self._answer(lambda: self._put(name, identity, beat, "", lease))

    def read(self) -> Deferred[Reading]:
        """See Engine."""
        return self._answer(self._read)

    def rooms(self, after: int = 0) -> Deferred[RoomChunks]:
        """See Engine."""
        server = self._server
        return self._answer(
            lambda: RoomChunks(
                server.version, {at: chunk for at, chunk in server.chunks.items() if chunk.version > after}
            )
        )

    def change(self, chunk: int, data: bytes, version: int, known: int) -> Deferred[int]:
        """See Engine."""
        if len(data) > MOST_BYTES:
            raise ValueError("too many bytes for a chunk")
        return self._answer(lambda: self._change(chunk, data, version, known))

    def give_back(self, chunks: Mapping[int, Chunk]) -> Deferred[int]:
        """See Engine."""
        return self._answer(lambda: self._give_back(chunks))

    def check(self) -> Deferred[list[str]]:
        """See Engine."""
        away = [f"{self.place}: {self.away}"] if self.away else []
        return execute(lambda: [*away, *self._server.wrong])

    def close(self) -> Deferred[None]:
        """See Engine."""
        self.closed = True
        self._waiting.clear()
        return execute(lambda: None)

    def proceed(self) -> None:
        """Answer what was asked while it was paused, and pause no longer."""
        self.paused = False
        waiting, self._waiting = self._waiting, []
        for answer in waiting:
            answer()

    def _answer(self, call: Callable[[], T]) -> Deferred[T]:
        assert not self.closed, "nothing may be called after close"
        if self.paused:
            later: Deferred[T] = Deferred()
            self._waiting.append(lambda: execute(self._unless_away, call).chainDeferred(later))
            return later
        return execute(self._unless_away, call)

    def _unless_away(self, call: Callable[[], T]) -> T:
        if self.away:
            raise EngineAway(self.away)
        return call()

    def _put(self, name: str, identity: str, beat: int, text: str, lease: float) -> None:
        if self.full:
            raise EngineAway(self.full)
        server, now = self._server, self._server.clock.seconds()
        if name in server.lines:
            owner, known, until, said = server.lines[name]
            if owner != identity and said and now < until:
                raise NameTaken
            if owner == identity and known >= beat:
                raise LatePut(known)
        server.lines[name] = identity, beat, now + lease, text
        server.new_epoch()

    def _read(self) -> Reading:
        server, now = self._server, self._server.clock.seconds()
        lines = {name: said for name, (_, _, until, said) in server.lines.items() if said and now < until}
        return Reading(lines, server.epoch, server.version)

    def _change(self, chunk: int, data: bytes, version: int, known: int) -> int:
        server = self._server
        now = server.chunks[chunk].version if chunk in server.chunks else 0
        if server.version < known or version != now:
            raise Conflict
        server.version += 1
        server.chunks[chunk] = Chunk(data, server.version)
        server.new_epoch()
        return server.version

    def _give_back(self, chunks: Mapping[int, Chunk]) -> int:
        server = self._server
        for at, chunk in chunks.items():
            if at not in server.chunks or server.chunks[at].version < chunk.version:
                server.chunks[at] = chunk
            server.version = max(server.version, chunk.version)
        server.new_epoch()
        return server.version
