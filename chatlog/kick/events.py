"""What a Pusher event from Kick means: one event in, one encoded record out.

Event names come with ``App\\Events\\`` in front and, the newer ones, without; both mean the same. A
payload is recorded whole under ``details`` together with ``event``, its short name. Where the payload
has a key ``event`` of its own, or is no object, it is whole in ``details.payload`` instead. What else
the frame had besides event, channel and data is in ``details.frame``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Hashable
from datetime import datetime
from functools import lru_cache
from typing import Any

from chatlog.counters import Counters
from chatlog.kick.pusher import MAX_FRAME, Event
from chatlog.record import Encode, raw_details, rfc3339

PLATFORM = "kick"

_PREFIX = "App\\Events\\"

#: (username, user_id, message, id, timestamp) of a payload; an empty timestamp means it has none.
_Facts = tuple[str, str, str, str, str]
_Payload = dict[str, Any]

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}"
    r"(?P<fraction>\.[0-9]{1,12})?(?P<zone>[Zz]|[+-][0-9]{2}:[0-9]{2})\Z"
)
#: The last second of the year 9999: a greater number counts milliseconds.
_LAST_SECOND = 253402300799


@lru_cache(maxsize=1024)
def _time_of_text(text: str) -> str:
    match = _RFC3339.match(text)
    if match is None:
        return ""
    fraction = match["fraction"] or ""
    try:
        whole = datetime.fromisoformat(text[:10] + "T" + text[11:19] + match["zone"].upper())
        return rfc3339(int(whole.timestamp()) * 1000 + int(fraction[1:4].ljust(3, "0")))
    except ValueError:
        return ""


def time_of(value: object) -> str:
    """A time as Kick writes it (RFC 3339 with any zone and fraction, or seconds since the epoch) in
    the form of a record; ``""`` for anything else."""
    if type(value) is str:
        # Bounded before it is remembered.
        return _time_of_text(value) if 20 <= len(value) <= 40 else ""
    if type(value) is int or type(value) is float:
        try:
            return rfc3339(int(value * 1000 if abs(value) <= _LAST_SECOND else value))
        except (ValueError, OverflowError):
            return ""
    return ""


def _text(value: object) -> str:
    return value if type(value) is str else ""


def _id(value: object) -> str:
    if type(value) is str:
        return value
    return str(value) if type(value) is int else ""


def _name(person: _Payload) -> str:
    slug = person.get("slug")
    if type(slug) is str and slug:
        return slug
    return _text(person.get("username")).lower()


def _object(value: object) -> _Payload:
    return value if type(value) is dict else {}


def _chat(data: _Payload) -> _Facts:
    sender = _object(data.get("sender"))
    return (
        _name(sender),
        _id(sender.get("id")),
        _text(data.get("content")),
        _id(data.get("id")),
        time_of(data.get("created_at")),
    )


def _of_user(data: _Payload) -> _Facts:
    user = _object(data.get("user"))
    return _name(user), _id(user.get("id")), "", _id(data.get("id")), time_of(data.get("created_at"))


def _of_nobody(data: _Payload) -> _Facts:
    return "", "", "", _id(data.get("id")), time_of(data.get("created_at"))


def _room(data: _Payload) -> _Facts:
    # The payload's id is the room's, not the event's.
    return "", "", "", "", time_of(data.get("created_at"))


def _subscription(data: _Payload) -> _Facts:
    return (
        _name(data),
        _id(data.get("user_id")),
        "",
        _id(data.get("id")),
        time_of(data.get("created_at")),
    )


def _gift(data: _Payload) -> _Facts:
    giver = _object(data.get("gifter"))
    return (
        _text(data.get("gifter_username")).lower() or _name(giver),
        _id(giver.get("id")),
        "",
        _id(data.get("id")),
        time_of(data.get("created_at")),
    )


def _kicks(data: _Payload) -> _Facts:
    sender = _object(data.get("sender"))
    return (
        _name(sender),
        _id(sender.get("id")),
        _text(data.get("message")),
        _id(data.get("gift_transaction_id")) or _id(data.get("id")),
        time_of(data.get("created_at")),
    )


def _host(data: _Payload) -> _Facts:
    return (
        _text(data.get("host_username")).lower(),
        "",
        _text(data.get("optional_message")),
        _id(data.get("id")),
        time_of(data.get("created_at")),
    )


def _pin(data: _Payload) -> _Facts:
    # The pinned message's own time is older than the pin's, so it is not the time of this event.
    message = _object(data.get("message"))
    sender = _object(message.get("sender"))
    return (
        _name(sender),
        _id(sender.get("id")),
        _text(message.get("content")),
        _id(data.get("id")),
        time_of(data.get("created_at")),
    )


def _poll(data: _Payload) -> _Facts:
    title = _text(_object(data.get("poll")).get("title")) or _text(data.get("title"))
    return "", "", title, _id(data.get("id")), time_of(data.get("created_at"))


def _reward(data: _Payload) -> _Facts:
    return (
        _name(data),
        _id(data.get("user_id")),
        _text(data.get("user_input")),
        _id(data.get("id")),
        time_of(data.get("created_at")),
    )


def _hosted(data: _Payload) -> _Facts:
    # The only event whose time and id lie one level down.
    user = _object(data.get("user"))
    message = _object(data.get("message"))
    return (
        _name(user),
        _id(user.get("id")),
        _text(message.get("optionalMessage")),
        _id(message.get("id")),
        time_of(message.get("createdAt")),
    )


def _any(data: _Payload) -> _Facts:
    for key in ("user", "sender"):
        person = data.get(key)
        if type(person) is dict:
            return (
                _name(person),
                _id(person.get("id")),
                _text(data.get("message")),
                _id(data.get("id")),
                time_of(data.get("created_at")),
            )
    return (
        # A slug alone may be the channel's.
        _name(data) if "username" in data else "",
        _id(data.get("user_id")),
        _text(data.get("message")),
        _id(data.get("id")),
        time_of(data.get("created_at")),
    )


_Rule = tuple[str, Callable[[_Payload], _Facts]]

#: The last part of an event's name to its type and where its facts are.
_RULES: dict[str, _Rule] = {
    "ChatMessageEvent": ("message", _chat),
    "MessageDeletedEvent": ("delete", _of_nobody),
    "UserUnbannedEvent": ("unban", _of_user),
    "ChatroomClearEvent": ("clear", _of_nobody),
    "ChatroomUpdatedEvent": ("room", _room),
    "SubscriptionEvent": ("subscription", _subscription),
    "ChannelSubscriptionEvent": ("subscription", _subscription),
    "GiftedSubscriptionsEvent": ("gift", _gift),
    "LuckyUsersWhoGotGiftSubscriptionsEvent": ("gift", _gift),
    "KicksGifted": ("gift", _kicks),
    "StreamHostEvent": ("raid", _host),
    "RewardRedeemedEvent": ("reward", _reward),
    "StreamHostedEvent": ("event", _hosted),
}
_BANNED = "UserBannedEvent"
_UNKNOWN: _Rule = ("event", _any)
_PIN: _Rule = ("pin", _pin)
_POLL: _Rule = ("poll", _poll)

#: Events whose ``id`` is known to be their own, so that the same id means the same event.
_IDENTIFIED = frozenset(
    {"ChatMessageEvent", "MessageDeletedEvent", _BANNED, "UserUnbannedEvent", "ChatroomClearEvent"}
)


def _kind(last: str, data: object) -> _Rule:
    rule = _RULES.get(last)
    if rule is not None:
        return rule
    if last == _BANNED:
        return ("timeout" if _ends(data) else "ban"), _of_user
    if last.startswith("PinnedMessage"):
        return _PIN
    if last.startswith("Poll"):
        return _POLL
    return _UNKNOWN


def _ends(data: object) -> bool:
    """Whether a ban ends by itself. Old payloads have no ``permanent``, only a date or no date."""
    ban = _object(data)
    permanent = ban.get("permanent")
    if type(permanent) is bool:
        return not permanent
    return ban.get("expires_at") is not None or ban.get("duration") is not None


def short_name(name: str) -> str:
    """An event's name without ``App\\Events\\``."""
    return name.removeprefix(_PREFIX)


class EventRecords:
    """Turns events into encoded records, and counts those that no rule knows."""

    __slots__ = ("_counters", "_encode")

    def __init__(self, encode: Encode, counters: Counters) -> None:
        self._encode = encode
        self._counters = counters

    def line(self, event: Event, frame: bytes, slug: str, chatroom_id: str, received: str) -> bytes:
        """The record of ``event``, which ``frame`` carried, in the room ``slug``; ``b""`` where the
        chosen detail does not record it. ``received`` has the form of a record's time."""
        name = event.name
        short = name[11:] if name.startswith(_PREFIX) else name
        last = short.rpartition("\\")[2]
        data = event.data
        kind, facts = _kind(last, data)
        if type(data) is dict:
            username, user_id, message, id_, timestamp = facts(data)
            if "event" in data:
                details: dict[str, Any] = {"payload": data, "event": short}
            else:
                details = {**data, "event": short}
        elif kind == "message" or (kind != "event" and not event.decoded):
            return self.unparsed(frame, slug, chatroom_id, received)
        else:
            username = user_id = message = id_ = timestamp = ""
            details = {"payload": data, "event": short}
        if event.more is not None:
            details = _with_frame(details, event)
        if not event.clean:
            details["raw_base64"] = raw_details(frame)["raw_base64"]
        if kind == "event":
            self._counters.saw_unknown(PLATFORM, last, slug)
        try:
            return self._encode(
                timestamp or received,
                slug,
                username,
                user_id,
                message,
                kind,
                id_,
                PLATFORM,
                chatroom_id,
                received,
                details,
            )
        except (RecursionError, TypeError, ValueError):
            # Nested deeper than can be written again.
            return self.unparsed(frame, slug, chatroom_id, received)

    def unparsed(self, frame: bytes, slug: str, chatroom_id: str, received: str) -> bytes:
        """The record of a frame that could not be understood."""
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


def _with_frame(details: dict[str, Any], event: Event) -> dict[str, Any]:
    if "frame" in details:
        details = {"payload": event.data, "event": details["event"]}
    details["frame"] = event.more
    return details


def chatroom_of(event: Event) -> str:
    """The chatroom id that the payload names, ``""`` if it names none.

    A server accepts a subscription to a wrong id, so this is one of the two signs of one (the other is
    silence).
    """
    data = event.data
    if type(data) is dict:
        return _id(data.get("chatroom_id"))
    return ""


def duplicate_key(event: Event, frame: bytes) -> tuple[Hashable, bool]:
    """What tells this event from others, and whether that is an id of its own.

    Only events whose ``id`` is known to be the event's are told apart by it; ChatroomUpdatedEvent, for
    one, carries the room's. All others are told apart by their bytes.
    """
    data = event.data
    if type(data) is dict:
        id_ = data.get("id")
        if (type(id_) is str and 0 < len(id_) <= 64) or type(id_) is int:
            last = event.name.rpartition("\\")[2]
            if last in _IDENTIFIED:
                return (last, str(id_)), True
    return hashlib.blake2b(frame, digest_size=16).digest(), False
