"""Rules that find the user, the text and the time in the payloads of Kick's events, one for each public
event.

The names, and the shapes of the payloads, are those that public clients read in 2026; Kick documents none. An
id or a time is used only if it is the event's own, and not that of the object in the payload (a goal has the
same id in each of its updates).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chatlog.kick.times import near, time_of

Payload = dict[str, Any]
#: (username, user_id, message, id, timestamp) of a payload; an empty timestamp means it has none.
Facts = tuple[str, str, str, str, str]
#: The type of a record, and the function that finds its facts in a payload and the time of arrival.
Rule = tuple[str, Callable[[Payload, str], Facts]]


def _text(value: object) -> str:
    return value if type(value) is str else ""


def id_of(value: object) -> str:
    """An id, which may be a number or a string; ``""`` for anything else."""
    if type(value) is str:
        return value
    return str(value) if type(value) is int else ""


def _name(person: Payload) -> str:
    slug = person.get("slug")
    if type(slug) is str and slug:
        return slug
    return _text(person.get("username")).lower()


def _object(value: object) -> Payload:
    return value if type(value) is dict else {}


def _recent(data: Payload, received: str) -> str:
    return near(received, data.get("updated_at"), data.get("created_at"))


def _chat(data: Payload, received: str) -> Facts:
    sender = _object(data.get("sender"))
    return (
        _name(sender),
        id_of(sender.get("id")),
        _text(data.get("content")),
        id_of(data.get("id")),
        time_of(data.get("created_at")),
    )


def _of_user(data: Payload, received: str) -> Facts:
    user = _object(data.get("user"))
    return _name(user), id_of(user.get("id")), "", id_of(data.get("id")), time_of(data.get("created_at"))


def _without_user(data: Payload, received: str) -> Facts:
    return "", "", "", id_of(data.get("id")), time_of(data.get("created_at"))


def _room(data: Payload, received: str) -> Facts:
    # The id and the time are those of the room.
    return "", "", "", "", near(received, data.get("updated_at"))


def _subscription(data: Payload, received: str) -> Facts:
    words = _text(data.get("custom_message"))
    return _name(data), id_of(data.get("user_id")), words, "", _recent(data, received)


def _gift(data: Payload, received: str) -> Facts:
    giver = _object(data.get("gifter"))
    return (
        _text(data.get("gifter_username")).lower() or _name(giver),
        id_of(giver.get("id")) or id_of(data.get("gifter_id")),
        "",
        "",
        _recent(data, received),
    )


def _kicks(data: Payload, received: str) -> Facts:
    sender = _object(data.get("sender"))
    return (
        _name(sender),
        id_of(sender.get("id")),
        _text(data.get("message")),
        id_of(data.get("gift_transaction_id")),
        time_of(data.get("created_at")),
    )


def _host(data: Payload, received: str) -> Facts:
    return (
        _text(data.get("host_username")).lower(),
        "",
        _text(data.get("optional_message")),
        "",
        _recent(data, received),
    )


def _pin(data: Payload, received: str) -> Facts:
    # The pinned message's own time is older than the pin's, so it is not the time of this event.
    message = _object(data.get("message"))
    sender = _object(message.get("sender"))
    return (
        _name(sender),
        id_of(sender.get("id")),
        _text(message.get("content")),
        "",
        _recent(data, received),
    )


def _poll(data: Payload, received: str) -> Facts:
    poll = _object(data.get("poll"))
    return "", "", _text(poll.get("title")) or _text(data.get("title")), "", _recent(data, received)


def _reward(data: Payload, received: str) -> Facts:
    return (
        _name(data),
        id_of(data.get("user_id")),
        _text(data.get("user_input")),
        "",
        near(received, data.get("redeemed_at")) or _recent(data, received),
    )


def _hosted(data: Payload, received: str) -> Facts:
    # The id and the time are one level down.
    user = _object(data.get("user"))
    message = _object(data.get("message"))
    return (
        _name(user),
        id_of(user.get("id")),
        _text(message.get("optionalMessage")),
        id_of(message.get("id")),
        time_of(message.get("createdAt")),
    )


def _info(data: Payload, received: str) -> Facts:
    # The chat line that the site shows for a subscription, with the subscriber's words.
    user = _object(data.get("user"))
    message = _object(data.get("message"))
    return (
        _name(user),
        id_of(user.get("id")),
        _text(message.get("message")) or _text(message.get("optional_message")),
        id_of(message.get("id")),
        time_of(message.get("created_at")),
    )


def _moved(data: Payload, received: str) -> Facts:
    return _name(_object(data.get("hosted"))), "", "", "", ""


def _follower(data: Payload, received: str) -> Facts:
    return _name(data), id_of(data.get("user_id")), "", "", time_of(data.get("created_at"))


def _livestream(data: Payload, received: str) -> Facts:
    # The stream may have begun hours ago.
    stream = _object(data.get("livestream")) or data
    return "", "", "", "", near(received, stream.get("updated_at"))


def _begun(data: Payload, received: str) -> Facts:
    return "", "", "", "", _recent(data, received)


def _achieved(data: Payload, received: str) -> Facts:
    return "", "", "", "", near(received, data.get("achieved_at"), data.get("updated_at"))


def _updated(data: Payload, received: str) -> Facts:
    # A repeated object may not have changed for months.
    return "", "", "", "", near(received, data.get("updated_at"))


def _prediction(data: Payload, received: str) -> Facts:
    return _updated(_object(data.get("prediction")) or data, received)


def _predicted(data: Payload, received: str) -> Facts:
    return _begun(_object(data.get("prediction")) or data, received)


def _any(data: Payload, received: str) -> Facts:
    for key in ("user", "sender"):
        person = data.get(key)
        if type(person) is dict:
            name, user_id = _name(person), id_of(person.get("id"))
            break
    else:
        # A slug alone may be that of the channel.
        name, user_id = (_name(data) if "username" in data else ""), id_of(data.get("user_id"))
    return name, user_id, _text(data.get("message")), "", _recent(data, received)


BANNED = "UserBannedEvent"
#: The rule for all other events.
UNKNOWN: Rule = ("event", _any)

#: The last part of an event's name to its rule; ``rule_of`` has the others.
RULES: dict[str, Rule] = {
    "ChatMessageEvent": ("message", _chat),
    "MessageDeletedEvent": ("delete", _without_user),
    "UserUnbannedEvent": ("unban", _of_user),
    "ChatroomClearEvent": ("clear", _without_user),
    "ChatroomUpdatedEvent": ("room", _room),
    "ChatSettingsChanged": ("room", _room),
    "SubscriptionEvent": ("subscription", _subscription),
    "ChannelSubscriptionEvent": ("subscription", _subscription),
    "GiftedSubscriptionsEvent": ("gift", _gift),
    "LuckyUsersWhoGotGiftSubscriptionsEvent": ("gift", _gift),
    "KicksGifted": ("gift", _kicks),
    "StreamHostEvent": ("raid", _host),
    "RewardRedeemedEvent": ("reward", _reward),
    "StreamHostedEvent": ("event", _hosted),
    "ChatMessageSentEvent": ("event", _info),
    "ChatMoveToSupportedChannelEvent": ("event", _moved),
    "FollowersUpdated": ("event", _follower),
    "FollowersUpdatedForChannelOwner": ("event", _follower),
    "NewActivityFeedEvent": ("event", _follower),
    "NewSubscriberUpdatedEvent": ("event", _subscription),
    "GiftsLeaderboardUpdated": ("event", _gift),
    "KicksLeaderboardUpdated": ("event", _updated),
    "StreamerIsLive": ("event", _livestream),
    "StartStream": ("event", _livestream),
    "StopStreamBroadcast": ("event", _livestream),
    "LivestreamUpdated": ("event", _livestream),
    "UpdatedLiveStreamEvent": ("event", _livestream),
    "GoalCreatedEvent": ("event", _begun),
    "GoalAchievedEvent": ("event", _achieved),
    "PredictionCreated": ("event", _predicted),
    "PointsUpdated": ("event", _any),
    "VideoPrivatedEvent": ("event", _any),
    "ChannelBannedForceRefresh": ("event", _any),
    "ChatMessageDeletedEvent": ("event", _any),
}
#: The beginnings of the names of families of events.
_FAMILIES: tuple[tuple[str, Rule], ...] = (
    ("PinnedMessage", ("pin", _pin)),
    ("Poll", ("poll", _poll)),
    ("Goal", ("event", _updated)),
    ("Prediction", ("event", _prediction)),
)


def rule_of(last: str, data: object) -> Rule | None:
    """The rule for an event with this last part of its name that has none in RULES; None if there is no
    rule."""
    if last == BANNED:
        return ("timeout" if _ends(data) else "ban"), _of_user
    return next((rule for start, rule in _FAMILIES if last.startswith(start)), None)


def _ends(data: object) -> bool:
    """Whether a ban ends by itself. Old payloads have no ``permanent``, only a date or no date."""
    ban = _object(data)
    permanent = ban.get("permanent")
    if type(permanent) is bool:
        return not permanent
    return ban.get("expires_at") is not None or ban.get("duration") is not None
