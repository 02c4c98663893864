"""Keeps a member's copy of the room list equal to the engine's: reads newer chunks, changes chunks, gives the
list back to an engine that has lost it, and keeps the copy on the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from chatlog.cluster.engine import Chunk, Conflict, Engine, EngineAway
from chatlog.cluster.shared_rooms import Difference, SharedRooms, chunk_of
from chatlog.config.platform import Channel, Key
from chatlog.state.journal import Journal

#: How often a change is tried while others change the same chunk.
_TRIES = 12
#: Chunks that are written at the same time.
_AT_ONCE = 8


class ListKeeper:
    """``changed(difference)`` is called whenever rooms came or went. Only one call at a time asks the engine
    about the list."""

    _log = Logger()

    def __init__(
        self,
        engine: Engine,
        shared: SharedRooms,
        journal: Journal,
        wall: Callable[[], float],
        changed: Callable[[Difference], object],
    ) -> None:
        self._engine = engine
        self._shared = shared
        self._journal = journal
        self._wall = wall
        self._changed = changed
        self._lock = DeferredLock()

    # -- on the disk ---------------------------------------------------------------------------------

    def load(self, ours: bool) -> None:
        """Read the copy of an earlier run; ``ours``: it is of this cluster."""
        try:
            for _, entry in self._journal.file.read() if ours else ():
                if (found := _entry(entry)) is not None:
                    self._shared.take(found[1].version, dict([found]))
        except OSError as error:
            self._log.warn(
                "{path} cannot be read, and is left out: {error}",
                path=self._journal.file.path,
                error=str(error),
            )

    def begin(self) -> None:
        """Begin to keep the copy on the disk."""
        self._journal.begin(
            lambda: [_shown(*each) for each in self._shared.chunks.items()], self._journal.write_anew
        )

    def close(self) -> None:
        """Stop keeping the copy on the disk."""
        self._journal.close()

    # -- the engine ----------------------------------------------------------------------------------

    def is_behind(self, version: int) -> bool:
        """Whether the engine has another version of the list."""
        return version != self._shared.version and not self._lock.locked

    def compare(self, version: int) -> Deferred[None]:
        """Read the newer chunks of the engine, or give back the chunks that it has lost. Fails with
        EngineAway."""
        return self._lock.run(lambda: Deferred.fromCoroutine(self._compare(version)))

    async def _compare(self, version: int) -> None:
        if version < self._shared.version:
            self._log.warn("the engine has lost the list of rooms; it gets it back from here")
            await self._engine.give_back(dict(self._shared.chunks))
            self._take(await self._engine.rooms(0))
        else:
            # The same version, but another chunk: read everything.
            after = self._shared.version if version > self._shared.version else 0
            self._take(await self._engine.rooms(after))

    def _take(self, found: Any) -> None:
        new = {at: chunk for at, chunk in found.chunks.items() if chunk != self._shared.chunks.get(at)}
        difference = self._shared.take(found.version, new)
        if new:
            self._journal.append(*(_shown(*each) for each in new.items()))
            self._journal.maintain(settled=True)
        self._changed(difference)

    def change(self, edits: Mapping[Key, Channel | None], patient: bool = False) -> Deferred[bool]:
        """Add rooms, or remove those that are None. Fires with whether the list has changed. Fails with
        EngineAway and Conflict; then a part of the edits may be done. ``patient``: see
        ``SharedRooms.edited``."""
        return self._lock.run(lambda: Deferred.fromCoroutine(self._change(edits, patient)))

    async def _change(self, edits: Mapping[Key, Channel | None], patient: bool) -> bool:
        chunks: dict[int, dict[Key, Channel | None]] = {}
        for key, channel in edits.items():
            chunks.setdefault(chunk_of(*key), {})[key] = channel
        done = False
        for number, some in chunks.items():
            done = await self._change_one(number, some, patient) or done
        return done

    async def _change_one(self, number: int, edits: Mapping[Key, Channel | None], patient: bool) -> bool:
        for _ in range(_TRIES):
            data = self._shared.edited(number, edits, self._wall(), patient)
            if data is None:
                return False
            before = self._shared.chunks.get(number, Chunk(b"", 0)).version
            try:
                await self._engine.change(number, data, before, self._shared.version)
            except Conflict:
                now = (await self._engine.read()).rooms
                await self._compare(now)
                continue
            # Others may have changed other chunks meanwhile.
            self._take(await self._engine.rooms(self._shared.version))
            return True
        raise EngineAway("the list of rooms is changed by others all the time")


def _shown(number: int, chunk: Chunk) -> dict[str, Any]:
    return {"chunk": number, "version": chunk.version, "data": chunk.data.decode("utf-8", "replace")}


def _entry(entry: Any) -> tuple[int, Chunk] | None:
    if not isinstance(entry, dict):
        return None
    number, version, data = entry.get("chunk"), entry.get("version"), entry.get("data")
    if type(number) is not int or type(version) is not int or not isinstance(data, str):
        return None
    return number, Chunk(data.encode(), version)


def difference_of(
    applied: Mapping[Key, Channel], configured: Mapping[Key, Channel]
) -> dict[Key, Channel | None]:
    """The edits that lead from the rooms of one configuration to those of another."""
    edits: dict[Key, Channel | None] = {key: None for key in applied if key not in configured}
    edits.update((key, channel) for key, channel in configured.items() if applied.get(key) != channel)
    return edits


def in_parts(edits: Mapping[Key, Channel | None], most: int) -> Iterable[dict[Key, Channel | None]]:
    """The edits in parts of about so many, none of which shares a chunk with another."""
    part: dict[Key, Channel | None] = {}
    last = -1
    for key in sorted(edits, key=lambda each: chunk_of(*each)):
        if len(part) >= most and chunk_of(*key) != last:
            yield part
            part = {}
        part[key] = edits[key]
        last = chunk_of(*key)
    if part:
        yield part
