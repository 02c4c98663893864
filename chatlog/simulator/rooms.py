"""The rooms of the simulated platforms, and ids computed from names."""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

import orjson

_MASK = (1 << 120) - 1
_ODD = 0x9E3779B97F4A7C15F39CC0605CEDC9


class Listener(Protocol):
    """A connection as the traffic sees it: a number, a list of data to send, and whether the other side can
    no longer receive it."""

    number: int
    pending: list[bytes]
    dead: bool


class Room:
    """A room: its name, its ids, and the listeners of its topics.

    Twitch has one topic, 0. Kick has one for each kind of Pusher channel: 0 is the chatroom.
    """

    __slots__ = ("channel_id", "id", "index", "last", "name", "oracle", "platform", "topics", "wire")

    def __init__(self, platform: str, name: str, id: int, channel_id: int, index: int, topics: int) -> None:
        self.platform = platform
        self.name = name
        self.wire = name.encode()
        self.id = b"%d" % id
        self.channel_id = b"%d" % channel_id
        #: The position in the order of first requests on its platform; the first rooms are the busiest.
        self.index = index
        self.topics: list[list[Listener]] = [[] for _ in range(topics)]
        #: The room's part of an oracle line.
        self.oracle = b'"platform":"%b","channel":%b' % (platform.encode(), orjson.dumps(name))
        #: The latest chat message, for replies and deletions, in the form of the platform's chat.
        self.last: Any = None

    @property
    def listened(self) -> bool:
        """Whether the room's chat has a listener."""
        return bool(self.topics[0])


def number_of(kind: str, name: str) -> int:
    """The id that ``name`` always has; ``kind`` distinguishes the ids of one room. 1,000,000 to about
    900,000,000."""
    digest = hashlib.blake2b(f"{kind} {name}".encode(), digest_size=8).digest()
    return 1_000_000 + int.from_bytes(digest, "big") % 900_000_000


class Ids:
    """UUIDs that never repeat: a scattered running number. ``run`` makes the runs of one seed differ."""

    __slots__ = ("_key", "_n")

    def __init__(self, seed: str, run: str = "") -> None:
        self._n = 0
        self._key = int.from_bytes(hashlib.blake2b(f"{seed} {run}".encode(), digest_size=15).digest(), "big")

    def hex(self) -> bytes:
        """Thirty hexadecimal digits."""
        self._n += 1
        return b"%030x" % ((self._n * _ODD + self._key) & _MASK)

    def next(self) -> bytes:
        """A version 4 UUID as text."""
        return uuid_text(self.hex())


def uuid_text(digits: bytes) -> bytes:
    """Thirty digits as a version 4 UUID."""
    return b"%b-%b-4%b-8%b-%b" % (digits[:8], digits[8:12], digits[12:15], digits[15:18], digits[18:])
