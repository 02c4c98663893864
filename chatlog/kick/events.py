"""Turns a Pusher event of Kick into an encoded record.

Event names come with ``App\\Events\\`` in front and, the newer ones, without; both mean the same. A payload
is recorded whole under ``details`` together with ``event``, its short name. If the payload has a key of ours,
or is no object, the whole of it is in ``details.payload`` instead. Members of the frame other than event,
channel and data are in ``details.frame``. If parsing the JSON loses something (a repeated key, digits of a
number, a number beyond any float), the frame is in ``details.raw``.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Hashable
from contextlib import suppress
from typing import Any

import orjson

from chatlog.counters import Counters
from chatlog.kick.facts import BANNED, RULES, UNKNOWN, id_of, rule_of
from chatlog.kick.pusher import MAX_FRAME, Event
from chatlog.kick.times import FIRST
from chatlog.record import Encode, believed, has_half, raw_details

PLATFORM = "kick"

#: U+FFFD in UTF-8.
_REPLACED = b"\xef\xbf\xbd"
_PREFIX = "App\\Events\\"

#: Our own keys in ``details``. A payload with one of these keys is stored whole under ``payload``.
OWN_DETAILS = frozenset({"event", "payload", "frame", "raw", "raw_base64"})

#: Events whose ``id`` is known to be unique, so that the same id means the same event.
_IDENTIFIED = frozenset(
    {"ChatMessageEvent", "MessageDeletedEvent", BANNED, "UserUnbannedEvent", "ChatroomClearEvent"}
)


class EventRecords:
    """Turns events into encoded records, and counts unknown events."""

    __slots__ = ("_counters", "_encode")

    def __init__(self, encode: Encode, counters: Counters) -> None:
        self._encode = encode
        self._counters = counters

    def line(self, event: Event, frame: bytes, slug: str, chatroom_id: str, received: str) -> bytes:
        """The record of ``event``, which ``frame`` carried, in the room ``slug``; ``b""`` if the chosen
        detail does not record it. ``received`` has the form of a record's time."""
        name = event.name
        short = name[11:] if name.startswith(_PREFIX) else name
        last = short.rpartition("\\")[2]
        data = event.data
        rule = RULES.get(last) or rule_of(last, data)
        if rule is None:
            rule = UNKNOWN
            self._counters.saw_unknown(PLATFORM, last, slug)
        kind, facts = rule
        username = user_id = message = id_ = timestamp = ""
        if type(data) is dict:
            username, user_id, message, id_, timestamp = facts(data, received)
            # A time before Kick began, or far in the future, is ignored.
            if timestamp[:4] != received[:4] and not believed(timestamp, received, FIRST):
                timestamp = ""
            if OWN_DETAILS.isdisjoint(data):
                details: dict[str, Any] = {**data, "event": short}
            else:
                details = {"payload": data, "event": short}
        elif kind == "message" or (kind != "event" and not event.decoded):
            return self.unparsed(frame, slug, chatroom_id, received)
        else:
            details = {"payload": data, "event": short}
        if event.more is not None:
            details["frame"] = event.more
        if not event.clean:
            details["raw_base64"] = raw_details(frame)["raw_base64"]
        elif not event.whole:
            details["raw"] = frame.decode()
        head = (timestamp or received, slug, username, user_id, message, kind, id_)
        try:
            line = self._encode(*head, PLATFORM, chatroom_id, received, details)
            if _REPLACED in line and event.clean and has_half(details):
                # Half of a surrogate pair: the frame is kept, as with bytes that are not UTF-8.
                details["raw_base64"] = base64.b64encode(frame).decode("ascii")
                line = self._encode(*head, PLATFORM, chatroom_id, received, details)
            return line
        except (RecursionError, TypeError, ValueError):
            # Nested too deeply to be written again.
            return self.unparsed(frame, slug, chatroom_id, received)

    def unparsed(self, frame: bytes, slug: str, chatroom_id: str, received: str) -> bytes:
        """The record of a frame that could not be parsed."""
        self._counters.unparsed += 1
        if len(frame) > MAX_FRAME:
            self._counters.oversized += 1
        return self._encode(
            received,
            slug,
            "",
            "",
            "",
            "unparsed",
            "",
            PLATFORM,
            chatroom_id,
            received,
            raw_details(frame),
        )


def chatroom_of(event: Event) -> str:
    """The chatroom id that the payload names, ``""`` if it names none.

    A server accepts a subscription to a wrong id, so another room's id in the payload is one of two signs of
    that (the other is silence).
    """
    data = event.data
    if type(data) is dict:
        return id_of(data.get("chatroom_id"))
    return ""


def duplicate_key(event: Event, frame: bytes) -> tuple[Hashable, bool]:
    """A key that identifies the event, and whether the key is a unique id.

    Only events whose ``id`` is known to be unique are identified by it; ChatroomUpdatedEvent, for
    one, has the room's id. All others are identified by their bytes.
    """
    own = _own_id(event)
    if own is not None:
        return own, True
    return hashlib.blake2b(frame, digest_size=16).digest(), False


def payload_key(event: Event, frame: bytes) -> tuple[Hashable, bool]:
    """The same without the Pusher channel: two channels may carry one event, one with a prefix in its name
    and the other without, or with the members of the payload in another order."""
    own = _own_id(event)
    if own is not None:
        return own, True
    said = b""
    if event.clean and event.whole:
        with suppress(TypeError):
            said = orjson.dumps(event.data, option=orjson.OPT_SORT_KEYS)
    if not said:
        said = frame.replace(event.channel.encode("utf-8", "surrogatepass"), b"")
    return (event.name.rpartition("\\")[2], hashlib.blake2b(said, digest_size=16).digest()), False


def _own_id(event: Event) -> Hashable | None:
    data = event.data
    if type(data) is dict:
        id_ = data.get("id")
        if (type(id_) is str and 0 < len(id_) <= 64) or type(id_) is int:
            last = event.name.rpartition("\\")[2]
            if last in _IDENTIFIED:
                return (last, str(id_))
    return None
