"""Records to import, with identities that distinguish copies of one event from two events."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from chatlog.naming import CHANNEL
from chatlog.platforms import PLATFORMS
from chatlog.record import CHAT_TYPES, encode_full, without_halves

#: Platform and channel.
Room = tuple[str, str]

#: The identity of an item: the platform's id of the event, or the text with its time and author. The time is
#: to the millisecond, or to the second if the source has whole seconds.
BY_ID, BY_MILLISECOND, BY_SECOND = range(3)
#: There is no chat from before this time; an earlier time is a mistake.
_FIRST = "2000-01-01"
#: The most texts whose number in a file is kept.
_REMEMBERED = 50_000


class LineError(ValueError):
    """The line is no record; the message says why."""


class Item(NamedTuple):
    """One record. ``line``: its line for the archive. ``identity``: equal for all copies of the event.
    ``by``: what the identity is made of. ``n``: the number of the item among equal ones of a file."""

    room: Room
    time: str
    line: bytes
    identity: bytes
    by: int
    n: int = 1


def by_id(kind: str, id: str) -> bytes:
    """The identity of an event with an id."""
    return _digest("id", kind, id)


def by_text(record: Mapping[str, Any], by: int) -> bytes:
    """The identity of an event without an id, or whose source does not keep ids."""
    details = record.get("details") or {}
    kind = str(record.get("type", "message"))
    time = str(record["timestamp"])
    return _digest(
        "chat" if kind in CHAT_TYPES else kind,
        time[:19] if by == BY_SECOND else time,
        str(record.get("username", "")).lower(),
        str(record.get("message", "")),
        str(details.get("ban-duration", "")),
        str(details.get("target-msg-id", "")),
    )


def _digest(*parts: str) -> bytes:
    # The archive has U+FFFD for half of a surrogate pair.
    text = without_halves("\0".join(parts))
    return blake2b(text.encode("utf-8"), digest_size=16).digest()


class Maker:
    """Makes the items of one import. ``received``: the time of the import, in the form of the records."""

    def __init__(self, received: str) -> None:
        self.received = received

    def item(self, record: Mapping[str, Any], where: str, whole_seconds: bool = False) -> Item:
        """The item of a record, which has all keys except ``received``. Raises LineError."""
        room = str(record["platform"]), str(record["channel"])
        if room[0] not in PLATFORMS or not CHANNEL.match(room[1]):
            raise LineError(f"{'/'.join(room)[:80]!r} is not a room")
        time, kind, id = str(record["timestamp"]), str(record["type"]), str(record["id"])
        if not _FIRST <= time[:10] <= self.received:
            raise LineError(f"{time[:40]!r} is not a time in which chat was recorded")
        details = dict(record["details"])
        if "imported" not in details:
            details["imported"] = where
        line = encode_full(
            time,
            room[1],
            str(record["username"]),
            str(record["user_id"]),
            str(record["message"]),
            kind,
            id,
            room[0],
            str(record["channel_id"]),
            self.received,
            details,
        )
        if id:
            return Item(room, time, line, by_id(kind, id), BY_ID)
        by = BY_SECOND if whole_seconds else BY_MILLISECOND
        return Item(room, time, line, by_text(record, by), by)


def counted(items: Iterable[Item]) -> Iterator[Item]:
    """The items of one file. Equal ones get numbers: a user may have said the same thing twice in a
    second."""
    seen: OrderedDict[bytes, int] = OrderedDict()
    for item in items:
        if item.by == BY_ID:
            yield item
            continue
        n = seen.pop(item.identity, 0) + 1
        seen[item.identity] = n
        if len(seen) > _REMEMBERED:
            seen.popitem(last=False)
        yield item._replace(n=n)
