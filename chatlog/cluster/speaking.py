"""Writes a member's line, one at a time."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatlog.cluster.engine import Engine, EngineError, LatePut, NameTaken
from chatlog.cluster.line import Line
from chatlog.cluster.member import Myself


class Speaker:
    """The line of one member. ``identity()`` is that of its spool."""

    _log = Logger()

    def __init__(
        self, engine: Engine, myself: Myself, identity: Callable[[], str], clock: IReactorTime
    ) -> None:
        self._engine = engine
        self._myself = myself
        self._identity = identity
        self._clock = clock
        self._beat = 0
        self._lock = DeferredLock()
        #: When the latest line was begun, in seconds of the clock.
        self.put_at = float("-inf")
        #: When a line was confirmed last, in seconds of the clock.
        self.confirmed_at = clock.seconds()
        # Why the latest confirmation is so long ago.
        self._unwritten = ""

    def check_engine(self) -> None:
        """Log what is wrong with the engine, such as that it is too old."""

        def report(sentences: list[str]) -> None:
            for sentence in sentences:
                self._log.warn("{sentence}", sentence=sentence)

        self._engine.check().addCallback(report)

    @property
    def is_busy(self) -> bool:
        """Whether a line is being written."""
        return self._lock.locked

    @property
    def trouble(self) -> str:
        """Why no line was written for as long as a lease, though the engine may answer, for example when its
        memory is full. Other members count this one as dead. "" if all is well."""
        late = self._clock.seconds() - self.confirmed_at > self._myself.lease
        return self._unwritten if late else ""

    async def say(self, line: Callable[[], Line]) -> Line:
        """Write the line that ``line()`` returns at its turn. Returns the line once it is confirmed. Raises
        EngineError; NameTaken also where another process of the same spool writes lines."""
        return await self._lock.run(lambda: Deferred.fromCoroutine(self._say(line())))

    async def _say(self, line: Line) -> Line:
        me = self._myself
        self.put_at = self._clock.seconds()
        for _ in range(2):
            self._beat += 1
            try:
                await self._engine.put(me.name, self._identity(), self._beat, line.encoded(), me.lease)
            except LatePut as error:
                # An earlier run of this spool has put later beats.
                self._beat = max(self._beat, error.beat)
            except NameTaken:
                raise
            except EngineError as error:
                self._unwritten = str(error)
                raise
            else:
                self.confirmed_at, self._unwritten = self._clock.seconds(), ""
                return line
        raise NameTaken

    def leave(self) -> Deferred[None]:
        """Remove the line, so that other members need not wait for the lease. Never fails."""
        return self._lock.run(self._leave).addErrback(lambda failure: failure.trap(EngineError) and None)

    def _leave(self) -> Deferred[None]:
        me = self._myself
        self._beat += 1
        return self._engine.leave(me.name, self._identity(), self._beat, me.lease)
