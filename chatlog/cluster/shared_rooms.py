"""The room list of a cluster, as one member knows it: 256 chunks with versions, and the rooms in them.

    {"rooms":{"twitch":["ann"],"kick":[{"slug":"bob","chatroom_id":4}]},"removed":{"twitch":{"cat":1767052800}}}

A chunk holds the rooms of sixteen slots of every platform. ``removed``: when rooms were taken off the list,
so that a member that starts with an old file does not bring them back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from chatlog.cluster.engine import CHUNKS, Chunk
from chatlog.cluster.slots import SLOTS, slot_of
from chatlog.config.platform import Channel, Key, Registry

#: Seconds for which it is remembered that a room was taken off the list.
REMEMBERED = 30 * 86400.0
_LARGEST_ID = 10**15
_EACH = SLOTS // CHUNKS


def chunk_of(platform: str, name: str) -> int:
    """The chunk that a room is in."""
    return slot_of(platform, name) // _EACH


@dataclass(slots=True)
class Content:
    """The content of a chunk: ``rooms``, and ``removed`` with the times, in seconds since the epoch."""

    rooms: dict[Key, Channel] = field(default_factory=dict)
    removed: dict[Key, float] = field(default_factory=dict)


@dataclass(slots=True)
class Difference:
    """The rooms that were added to the list and removed from it. A room whose ids changed is in both.
    ``slots``: those with more or other rooms than before, by platform."""

    added: dict[Key, Channel] = field(default_factory=dict)
    removed: list[Key] = field(default_factory=list)
    slots: dict[str, set[int]] = field(default_factory=dict)


class SharedRooms:
    """The list. ``version``: that of its newest chunk."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.version = 0
        self.chunks: dict[int, Chunk] = {}
        self._contents: dict[int, Content] = {}
        self.rooms: dict[Key, Channel] = {}
        #: The rooms of each slot, by platform.
        self.by_slot: dict[str, dict[int, dict[str, Channel]]] = {name: {} for name in registry}
        #: How many rooms are in each slot, by platform.
        self.sizes: dict[str, list[int]] = {name: [0] * SLOTS for name in registry}
        # The version that brought the latest change of each slot, on any platform.
        self._changed = [0] * SLOTS
        self._since: dict[int, int] = {}

    def take(self, version: int, chunks: Mapping[int, Chunk]) -> Difference:
        """Use newer chunks. Returns what they change."""
        found = Difference()
        for number, chunk in chunks.items():
            if 0 <= number < CHUNKS and chunk != self.chunks.get(number):
                self._take_one(number, chunk, found)
        self.version = max(self.version, version)
        self._since.clear()
        return found

    def _take_one(self, number: int, chunk: Chunk, found: Difference) -> None:
        before = self._contents.get(number, Content())
        after = decode(chunk.data, number, self._registry)
        self.chunks[number], self._contents[number] = chunk, after
        for key, channel in before.rooms.items():
            if after.rooms.get(key) != channel:
                platform, name = key
                slot = slot_of(platform, name)
                del self.by_slot[platform][slot][name]
                del self.rooms[key]
                self.sizes[platform][slot] -= 1
                self._changed[slot] = chunk.version
                found.removed.append(key)
        for key, channel in after.rooms.items():
            if before.rooms.get(key) != channel:
                platform, name = key
                slot = slot_of(platform, name)
                self.by_slot[platform].setdefault(slot, {})[name] = channel
                self.rooms[key] = channel
                self.sizes[platform][slot] += 1
                self._changed[slot] = chunk.version
                found.added[key] = channel
                found.slots.setdefault(platform, set()).add(slot)

    def changed_since(self, version: int) -> int:
        """The set of the slots whose rooms changed after a version of the list."""
        known = self._since.get(version)
        if known is None:
            known = 0
            for slot, changed in enumerate(self._changed):
                if changed > version:
                    known |= 1 << slot
            self._since[version] = known
        return known

    def edited(
        self, number: int, edits: Mapping[Key, Channel | None], now: float, patient: bool = False
    ) -> bytes | None:
        """The chunk's bytes with these rooms added, or removed (None); None if that changes nothing.
        ``patient``: a room that was removed in the last 30 days is not added."""
        content = self._contents.get(number, Content())
        rooms = dict(content.rooms)
        removed = {key: at for key, at in content.removed.items() if now - at < REMEMBERED}
        for key, channel in edits.items():
            if channel is None:
                if rooms.pop(key, None) is not None:
                    removed[key] = now
            elif not (patient and key in removed):
                if not (key in rooms and not self._registry[key[0]].ids_of(channel)):
                    rooms[key] = channel
                removed.pop(key, None)
        if rooms == content.rooms and (patient or removed.keys() == content.removed.keys()):
            return None
        return encode(Content(rooms, removed), self._registry)


def encode(content: Content, registry: Registry) -> bytes:
    """A chunk's bytes."""
    rooms: dict[str, list[Any]] = {}
    for (platform, name), channel in sorted(content.rooms.items(), key=lambda item: item[0]):
        ids = registry[platform].ids_of(channel)
        rooms.setdefault(platform, []).append({"slug": name, **ids} if ids else name)
    removed: dict[str, dict[str, int]] = {}
    for (platform, name), at in sorted(content.removed.items()):
        removed.setdefault(platform, {})[name] = round(at)
    return json.dumps({"rooms": rooms, "removed": removed}, separators=(",", ":")).encode()


def decode(data: bytes, number: int, registry: Registry) -> Content:
    """The content of a chunk's bytes. Rooms that are invalid, or belong into another chunk, are left out."""
    content = Content()
    try:
        entry = json.loads(data) if data else {}
    except (ValueError, RecursionError):
        return content
    for platform, item in _each(entry, "rooms"):
        given = item if isinstance(item, dict) else {"slug": item}
        with suppress(ValueError, TypeError, KeyError):
            known = registry[platform]
            ids = {key: _id(given[key]) for key in known.ids if key in given}
            channel = known.read(_name(given["slug"]), **ids)
            key = platform, known.name_of(channel)
            if chunk_of(*key) == number:
                content.rooms[key] = channel
    for platform, item in _each(entry, "removed"):
        with suppress(ValueError, TypeError, KeyError):
            name, at = item
            known = registry[platform]
            key = platform, known.name_of(known.read(_name(name)))
            if chunk_of(*key) == number and type(at) in (int, float) and 0 <= at < 10**11:
                content.removed[key] = float(at)
    return content


def _each(entry: Any, part: str) -> Iterable[tuple[str, Any]]:
    platforms = entry.get(part) if isinstance(entry, dict) else None
    for platform, items in platforms.items() if isinstance(platforms, dict) else ():
        if isinstance(items, dict):
            items = list(items.items())
        for item in items if isinstance(items, list) else ():
            yield platform, item


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no name")
    return value


def _id(value: Any) -> int:
    if type(value) is not int or not 0 < value <= _LARGEST_ID:
        raise ValueError("no id")
    return value
