"""etcd 3.4 or later as an engine, over its JSON gateway.

Below ``chatlog/CLUSTER/``: ``member/NAME`` is a member's identity, beat and line, with spaces in between,
under a lease; ``chunk/NUMBER`` a chunk; ``index`` the version of the list and those of all chunks, as JSON;
``version`` that of the list alone, which members read every second; ``epoch`` a word of the member that wrote
first. Versions are our own numbers: etcd's revisions begin anew when it loses its data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import ceil
from secrets import token_hex
from typing import Any, NamedTuple

from chatlog.cluster.coroutine_engine import CoroutineEngine
from chatlog.cluster.engine import (
    CHUNKS,
    WITHIN,
    WITHIN_LONG,
    Chunk,
    Conflict,
    EngineAway,
    LatePut,
    NameTaken,
    RoomChunks,
)
from chatlog.cluster.etcd_check import check
from chatlog.cluster.etcd_link import EtcdLink, Value, exists, get_of, put_of, ranges, unchanged
from chatlog.cluster.roster import Reading
from chatlog.config.engine_address import EngineAddress
from chatlog.network.dialing import Network

#: The most bytes of chunks in one transaction, whose limit is 1.5 MiB and 128 operations by default.
_BATCH = 512 * 1024
_BATCH_CHUNKS = 32


class _Index(NamedTuple):
    """The versions of the list and of its chunks, and the revision at which they were changed last."""

    version: int = 0
    chunks: Mapping[int, int] = {}
    revision: int = 0


class EtcdEngine(CoroutineEngine):
    """See Engine."""

    def __init__(self, address: EngineAddress, cluster: str, network: Network, ca_file: str | None) -> None:
        self.place = str(address)
        self._link = EtcdLink(address, network, ca_file)
        self._prefix = f"chatlog/{cluster}/".encode("ascii")
        self._epoch, self._index = self._prefix + b"epoch", self._prefix + b"index"
        self._version, self._members = self._prefix + b"version", self._prefix + b"member/"
        #: The lease of the member's line.
        self._lease = ""
        #: The last put: the member's name and identity, the beat, and the revision of the put.
        self._last = ("", "", 0, 0)

    async def _check(self) -> list[str]:
        return await check(self._link, self._prefix, self.place)

    async def _close(self) -> None:
        await self._link.close()

    # -- lines -------------------------------------------------------------------------------------

    async def _put(self, name: str, identity: str, beat: int, text: str, lease: float) -> None:
        until = self._link.until(WITHIN)
        key = self._members + name.encode("utf-8")
        value = f"{identity} {beat} {text}".encode()
        await self._renew(lease, until)
        *whose, last, revision = self._last
        if whose != [name, identity] or beat <= last:
            revision = 0
        while True:
            put, answer = await self._try_put(key, value, revision, until)
            if put:
                self._last = name, identity, beat, _revision(answer)
                return
            members, epochs = _two(ranges(answer))
            if not epochs:
                await self._transact([unchanged(self._epoch, 0)], [put_of(self._epoch, _word())], [], until)
            if members:
                _may_replace(members[0], identity, beat)
            revision = members[0].revision if members else 0

    async def _try_put(
        self, key: bytes, value: bytes, revision: int, until: float
    ) -> tuple[bool, dict[str, Any]]:
        return await self._transact(
            [unchanged(key, revision), exists(self._epoch)],
            [put_of(key, value, self._lease)],
            [get_of(key), get_of(self._epoch)],
            until,
        )

    async def _renew(self, lease: float, until: float) -> None:
        """Renew the lease; get a new one if there is none or it has ended."""
        if self._lease:
            said = await self._link.ask("/v3/lease/keepalive", {"ID": self._lease}, until)
            result = said.get("result", said)
            if isinstance(result, dict) and int(result.get("TTL", 0)) > 0:
                return
        said = await self._link.ask("/v3/lease/grant", {"TTL": str(ceil(lease))}, until)
        self._lease = str(said.get("ID", ""))
        if not self._lease:
            raise EngineAway("it does not answer as etcd does")

    async def _read(self) -> Reading:
        until = self._link.until(WITHIN)
        reads = [get_of(self._members, prefix=True), get_of(self._epoch), get_of(self._version)]
        _, answer = await self._transact([], reads, [], until)
        found = ranges(answer)
        if len(found) != 3:
            raise EngineAway("it does not answer as etcd does")
        members, epochs, versions = found
        lines = {}
        for each in members:
            line = each.data.decode("utf-8", "replace").split(" ", 2)[-1]
            if line:
                lines[each.key[len(self._members) :].decode("utf-8", "replace")] = line
        # A server that was restarted may show lines that it had saved, which are old.
        epoch = f"{epochs[0].data.decode('ascii', 'replace')} {_term(answer)}" if epochs else ""
        return Reading(lines, epoch, _number(versions[0].data) if versions else 0)

    # -- the room list -----------------------------------------------------------------------------

    async def _rooms(self, after: int) -> RoomChunks:
        until = self._link.until(WITHIN_LONG)
        while True:
            index = await self._read_index(until)
            wanted = [number for number, version in index.chunks.items() if version > after]
            chunks: dict[int, Chunk] = {}
            for at in range(0, len(wanted), _BATCH_CHUNKS):
                reads = [get_of(self._chunk(number)) for number in wanted[at : at + _BATCH_CHUNKS]]
                same, answer = await self._transact(
                    [unchanged(self._index, index.revision)], reads, [], until
                )
                if not same:
                    break
                for number, values in zip(wanted[at:], ranges(answer), strict=False):
                    data = values[0].data if values else b""
                    chunks[number] = Chunk(data, index.chunks[number])
            else:
                return RoomChunks(index.version, chunks)

    async def _change(self, chunk: int, data: bytes, version: int, known: int) -> int:
        until = self._link.until(WITHIN_LONG)
        while True:
            index = await self._read_index(until)
            if index.chunks.get(chunk, 0) != version or index.version < known:
                raise Conflict
            new = index.version + 1
            if await self._write(index, {chunk: Chunk(data, new)}, until):
                return new

    async def _give_back(self, chunks: Mapping[int, Chunk]) -> int:
        until = self._link.until(WITHIN_LONG)
        while True:
            index = await self._read_index(until)
            newer = {at: each for at, each in chunks.items() if each.version > index.chunks.get(at, 0)}
            if not newer:
                return index.version
            await self._write(index, dict(_batch(newer)), until)

    async def _write(self, index: _Index, chunks: Mapping[int, Chunk], until: float) -> bool:
        """Write chunks with their versions. False if another member has changed the list since."""
        versions = {**index.chunks, **{number: chunk.version for number, chunk in chunks.items()}}
        version = max(index.version, *versions.values())
        text = json.dumps({"version": version, "chunks": versions}, separators=(",", ":"))
        writes = [put_of(self._chunk(number), chunk.data) for number, chunk in chunks.items()]
        writes += [
            put_of(self._index, text.encode("ascii")),
            put_of(self._version, str(version).encode("ascii")),
        ]
        written, _ = await self._transact([unchanged(self._index, index.revision)], writes, [], until)
        return written

    async def _read_index(self, until: float) -> _Index:
        _, answer = await self._transact([], [get_of(self._index)], [], until)
        found = [value for values in ranges(answer) for value in values]
        if not found:
            return _Index()
        try:
            said = json.loads(found[0].data)
            chunks = {int(number): int(version) for number, version in said["chunks"].items()}
            return _Index(int(said["version"]), chunks, found[0].revision)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise EngineAway(
                "its room list cannot be read", f"remove what is below {self._prefix.decode('ascii')}"
            ) from None

    def _chunk(self, number: int) -> bytes:
        assert 0 <= number < CHUNKS
        return self._prefix + f"chunk/{number:03}".encode("ascii")

    async def _transact(
        self,
        compare: list[dict[str, Any]],
        success: list[dict[str, Any]],
        failure: list[dict[str, Any]],
        until: float,
    ) -> tuple[bool, dict[str, Any]]:
        body = {"compare": compare, "success": success, "failure": failure}
        answer = await self._link.ask("/v3/kv/txn", body, until)
        return bool(answer.get("succeeded")), answer


def _may_replace(value: Value, identity: str, beat: int) -> None:
    """Raises NameTaken and LatePut."""
    owner, said, line = [*value.data.decode("utf-8", "replace").split(" ", 2), "", ""][:3]
    if owner != identity:
        if line:
            raise NameTaken
    elif _number(said.encode()) >= beat:
        raise LatePut(_number(said.encode()))


def _batch(chunks: Mapping[int, Chunk]) -> Iterator[tuple[int, Chunk]]:
    """As many chunks as fit into one transaction, the oldest first: the version of the list must never be
    above that of a chunk that is still missing."""
    size = 0
    for count, (number, chunk) in enumerate(sorted(chunks.items(), key=lambda item: item[1].version)):
        size += len(chunk.data)
        if count and (size > _BATCH or count >= _BATCH_CHUNKS):
            return
        yield number, chunk


def _two(found: list[list[Value]]) -> tuple[list[Value], list[Value]]:
    if len(found) != 2:
        raise EngineAway("it does not answer as etcd does")
    return found[0], found[1]


def _header(answer: Mapping[str, Any], name: str) -> str:
    header = answer.get("header")
    return str(header.get(name, "")) if isinstance(header, dict) else ""


def _revision(answer: Mapping[str, Any]) -> int:
    return _number(_header(answer, "revision").encode("ascii", "replace"))


def _term(answer: Mapping[str, Any]) -> str:
    return f"{_header(answer, 'cluster_id')}/{_header(answer, 'raft_term')}"


def _number(data: bytes) -> int:
    return int(data) if data.isdigit() and len(data) < 20 else 0


def _word() -> bytes:
    return token_hex(8).encode("ascii")
