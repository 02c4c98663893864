"""The common part of generated chat: events, the mix of kinds, and keys for events without an id.

A generator is deterministic: the same seed, run and sequence of calls give the same bytes.
"""

from __future__ import annotations

import hashlib
import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from chatlog.simulator.people import Person, make_people
from chatlog.simulator.rooms import Ids, Room
from chatlog.simulator.texts import Text, make_texts

#: (bytes for the wire, id, record type, expected message as JSON, key or b"", topic). A plain tuple, since
#: one is created per message. Topic -1: a line without a room, for one connection only.
Said = tuple[bytes, bytes, bytes, bytes, bytes, int]
Maker = Callable[[Room, int], Said]

#: The topic of lines without a room.
NO_ROOM = -1

#: Keys of a Twitch record's details that are not tags.
_NOT_TAGS = frozenset({"command", "params", "source", "raw", "raw_base64"})
#: Keys of a Kick record's details that are not the payload's.
_NOT_PAYLOAD = frozenset({"event", "frame", "raw", "raw_base64"})
#: Further keys of the details of backfilled records.
_ADDED = frozenset({"historical", "rm-received-ts", "rm-deleted", "backfilled"})


class Chat(ABC):
    """Generates chat for rooms, one event a call.

    ``every`` lists (share in a thousand, maker); the other events are ordinary messages. A maker may put
    further events of a burst into ``backlog``, which is sent before new events.
    """

    def __init__(self, seed: str, run: str) -> None:
        self.ids = Ids(seed, run)
        self.rng = random.Random(f"chat {seed}")
        self.people = make_people(seed)
        self.texts = make_texts(seed)
        self.backlog: deque[tuple[Room, Maker]] = deque()
        self._mix: list[Maker | None] = [None] * 4096

    def mix(self, every: list[tuple[float, Maker]]) -> None:
        """Let ``maker`` make one in ``1000 / share`` of the events."""
        slots: list[Maker | None] = []
        for share, maker in every:
            slots += [maker] * max(1, round(share * 4.096))
        self._mix = [*slots, *[None] * (4096 - len(slots))]

    def next(self, room: Room, ms: int) -> Said:
        """The next event of ``room`` at ``ms`` since the epoch."""
        maker = self._mix[int(self.rng.random() * 4096)]
        return self.ordinary(room, ms) if maker is None else maker(room, ms)

    @abstractmethod
    def ordinary(self, room: Room, ms: int) -> Said:
        """An ordinary chat message."""

    def person(self) -> Person:
        """A random person."""
        return self.people[int(self.rng.random() * len(self.people))]

    def text(self) -> Text:
        """A random text."""
        return self.texts[int(self.rng.random() * len(self.texts))]


def _digest(parts: list[Any]) -> bytes:
    document = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(document, digest_size=12).hexdigest().encode()


def twitch_key(command: str, tags: Mapping[str, str], message: str, target: str = "") -> bytes:
    """The key of a line without an id; ``target`` is that of a CLEARCHAT."""
    return _digest([command, dict(tags), message, target])


def kick_key(event: str, payload: Any) -> bytes:
    """The key of a Kick event without an id; ``event`` is its short name."""
    return _digest([event, payload])


def unparsed_key(raw: str) -> bytes:
    """The key of a line or frame that cannot be parsed."""
    return _digest(["unparsed", raw])


def record_key(record: Mapping[str, Any]) -> bytes:
    """The key of a record without an id, which equals the key of its event."""
    details = record["details"]
    if record["type"] == "unparsed":
        return unparsed_key(details.get("raw", ""))
    if record["platform"] == "twitch":
        command = details.get("command", "")
        others = _NOT_TAGS | _ADDED if details.get("backfilled") is True else _NOT_TAGS
        tags = {name: value for name, value in details.items() if name not in others}
        target = record["username"] if command == "CLEARCHAT" else ""
        return twitch_key(command, tags, record["message"], target)
    if "payload" in details:
        return kick_key(details["event"], details["payload"])
    payload = {name: value for name, value in details.items() if name not in _NOT_PAYLOAD}
    return kick_key(details.get("event", ""), payload)
