"""The common part of the engines over a network: each of their calls is a coroutine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from twisted.internet.defer import Deferred

from chatlog.cluster.engine import MOST_BYTES, Chunk, RoomChunks
from chatlog.cluster.roster import Reading


class CoroutineEngine(ABC):
    """See Engine."""

    def put(self, name: str, identity: str, beat: int, text: str, lease: float) -> Deferred[None]:
        """See Engine."""
        return Deferred.fromCoroutine(self._put(name, identity, beat, text, lease))

    def leave(self, name: str, identity: str, beat: int, lease: float) -> Deferred[None]:
        """See Engine."""
        return Deferred.fromCoroutine(self._put(name, identity, beat, "", lease))

    def read(self) -> Deferred[Reading]:
        """See Engine."""
        return Deferred.fromCoroutine(self._read())

    def rooms(self, after: int = 0) -> Deferred[RoomChunks]:
        """See Engine."""
        return Deferred.fromCoroutine(self._rooms(after))

    def change(self, chunk: int, data: bytes, version: int, known: int) -> Deferred[int]:
        """See Engine."""
        if len(data) > MOST_BYTES:
            raise ValueError(f"a chunk of {len(data)} bytes; {MOST_BYTES} is the most")
        return Deferred.fromCoroutine(self._change(chunk, data, version, known))

    def give_back(self, chunks: Mapping[int, Chunk]) -> Deferred[int]:
        """See Engine."""
        return Deferred.fromCoroutine(self._give_back(chunks))

    def check(self) -> Deferred[list[str]]:
        """See Engine."""
        return Deferred.fromCoroutine(self._check())

    def close(self) -> Deferred[None]:
        """See Engine."""
        return Deferred.fromCoroutine(self._close())

    @abstractmethod
    async def _put(self, name: str, identity: str, beat: int, text: str, lease: float) -> None:
        """Put a line, or remove it if the text is ``""``."""

    @abstractmethod
    async def _read(self) -> Reading: ...

    @abstractmethod
    async def _rooms(self, after: int) -> RoomChunks: ...

    @abstractmethod
    async def _change(self, chunk: int, data: bytes, version: int, known: int) -> int: ...

    @abstractmethod
    async def _give_back(self, chunks: Mapping[int, Chunk]) -> int: ...

    @abstractmethod
    async def _check(self) -> list[str]: ...

    @abstractmethod
    async def _close(self) -> None: ...
