"""Slots: each platform's rooms are divided over 4096 of them, for ever. Members share slots, not rooms.

A set of slots is an integer with a bit for each, so that a rule for all slots is one operation.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from hashlib import blake2b

#: The slots of each platform. All members of a cluster must have the same number.
SLOTS = 4096
#: The set of all slots.
ALL = (1 << SLOTS) - 1

_BYTES = SLOTS // 8


def slot_of(platform: str, channel: str) -> int:
    """The slot of a room. It never changes."""
    digest = blake2b(f"{platform}/{channel}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % SLOTS


def slot_set(slots: Iterable[int]) -> int:
    """The set of these slots."""
    found = bytearray(_BYTES)
    for slot in slots:
        found[slot >> 3] |= 1 << (slot & 7)
    return int.from_bytes(found, "little")


def each(slots: int) -> Iterator[int]:
    """The slots of a set, in order."""
    for index, byte in enumerate(slots.to_bytes(_BYTES, "little")):
        while byte:
            low = byte & -byte
            yield (index << 3) + low.bit_length() - 1
            byte ^= low


def encode(slots: int) -> str:
    """A set as text (base64 of a bitmap). Zeros at the end are left out."""
    return base64.b64encode(slots.to_bytes(_BYTES, "little").rstrip(b"\0")).decode("ascii")


def decode(text: str) -> int:
    """The set in a text. Raises ValueError if there is none."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not a bitmap of slots") from error
    if len(data) > _BYTES:
        raise ValueError(f"a bitmap of more than {SLOTS} slots")
    return int.from_bytes(data, "little")
