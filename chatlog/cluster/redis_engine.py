"""Redis 6.2 or later, or Valkey, as an engine. Each call is one script, which the server carries out as one
step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from secrets import token_hex
from typing import Any

from chatlog.cluster import redis_scripts as scripts
from chatlog.cluster.coroutine_engine import CoroutineEngine
from chatlog.cluster.engine import (
    WITHIN,
    WITHIN_LONG,
    Chunk,
    Conflict,
    EngineAway,
    LatePut,
    NameTaken,
    RoomChunks,
)
from chatlog.cluster.redis_check import check
from chatlog.cluster.redis_link import RedisLink
from chatlog.cluster.roster import Reading
from chatlog.config.engine_address import EngineAddress
from chatlog.network.dialing import Network

#: The most bytes of chunks in one request: some services take no more than a megabyte.
_BATCH = 512 * 1024


class RedisEngine(CoroutineEngine):
    """See Engine."""

    def __init__(self, address: EngineAddress, cluster: str, network: Network, ca_file: str | None) -> None:
        self.place = str(address)
        self._link = RedisLink(address, network, ca_file)
        # Requests with many bytes take long, and must not delay the lines.
        self._slow_link = RedisLink(address, network, ca_file, keep=False)
        self._keys = [f"chatlog:{{{cluster}}}:{key}".encode("ascii") for key in scripts.KEYS]

    async def _check(self) -> list[str]:
        return await check(self._slow_link, self._keys, self.place)

    async def _close(self) -> None:
        self._link.close()
        self._slow_link.close()

    async def _run(self, script: scripts.Script, *arguments: object, within: float = WITHIN) -> Any:
        encoded = (each if isinstance(each, bytes) else str(each).encode("utf-8") for each in arguments)
        link = self._link if within == WITHIN else self._slow_link
        answer = await link.run(script, self._keys, *encoded, within=within)
        if not isinstance(answer, bytes):
            raise EngineAway("it does not answer as Redis does")
        return answer

    async def _put(self, name: str, identity: str, beat: int, text: str, lease: float) -> None:
        said = await self._run(scripts.PUT, name, identity, beat, round(lease * 1000), text, _epoch())
        if said == b"taken":
            raise NameTaken
        if said.startswith(b"late "):
            raise LatePut(int(said[5:]))

    async def _read(self) -> Reading:
        epoch, version, *rest = await self._parts(scripts.READ)
        run = self._link.server_run
        lines = {name.decode("utf-8"): line.decode("utf-8", "replace") for name, line in _tuples(rest, 2)}
        # A server that was restarted may show lines that it had saved, which are old.
        return Reading(lines, f"{epoch.decode('ascii')} {run}" if epoch else "", int(version))

    async def _rooms(self, after: int) -> RoomChunks:
        version, *rest = await self._parts(scripts.ROOMS, after, within=WITHIN_LONG)
        chunks = {int(number): Chunk(data, int(brought)) for number, brought, data in _tuples(rest, 3)}
        return RoomChunks(int(version), chunks)

    async def _change(self, chunk: int, data: bytes, version: int, known: int) -> int:
        said = await self._run(scripts.CHANGE, chunk, version, known, data, _epoch(), within=WITHIN_LONG)
        if said == b"conflict":
            raise Conflict
        return int(said)

    async def _give_back(self, chunks: Mapping[int, Chunk]) -> int:
        version = 0
        for batch in _batches(chunks):
            version = int(await self._run(scripts.GIVE_BACK, _epoch(), *batch, within=WITHIN_LONG))
        return version

    async def _parts(self, script: scripts.Script, *arguments: object, within: float = WITHIN) -> list[bytes]:
        try:
            parts = scripts.netstrings(await self._run(script, *arguments, within=within))
            if len(parts) >= 2 or (parts and script is scripts.ROOMS):
                return parts
        except ValueError:
            pass
        raise EngineAway("it does not answer as Redis does")


def _epoch() -> str:
    return token_hex(8)


def _tuples(parts: list[bytes], size: int) -> Iterator[tuple[bytes, ...]]:
    """The parts in groups of ``size``."""
    return zip(*(parts[at::size] for at in range(size)), strict=False)


def _batches(chunks: Mapping[int, Chunk]) -> Iterator[list[object]]:
    """Numbers, versions and data of chunks, in batches that fit into one request."""
    batch: list[object] = []
    size = 0
    for number, chunk in sorted(chunks.items()):
        if batch and size + len(chunk.data) > _BATCH:
            yield batch
            batch, size = [], 0
        batch += [number, chunk.version, chunk.data]
        size += len(chunk.data)
    yield batch
