"""Kick's events beside the chat: goals, predictions, starts of streams, leaderboards."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from chatlog.simulator.chat import Maker, Said
from chatlog.simulator.rooms import Room

if TYPE_CHECKING:
    from chatlog.simulator.kick_chat import KickChat

#: The Pusher channels of these events, by topic.
_CHATROOM, _CHANNEL, _CHANNEL_NEW = 2, 3, 4
#: The time of creation of the objects in the events: long ago.
_MADE = "2025-07-17T18:21:12.158724Z"


class ChannelEvents:
    """Generates events for a KickChat. Their ids and times are mostly those of the objects that they
    describe."""

    def __init__(self, chat: KickChat) -> None:
        self._chat = chat
        self._count = 0

    def mix(self) -> list[tuple[float, Maker]]:
        """The share of each event, in a thousand."""
        return [(0.3, self.goal), (0.5, self.prediction), (2, self.any)]

    def _event(self, room: Room, name: str, payload: Any, topic: int, prefix: bool = False) -> Said:
        return self._chat.event(room, name, payload, b"event", topic=topic, prefix=prefix)

    def _now(self, ms: int) -> str:
        self._count += 1
        return self._chat.created(ms).decode()[:19] + f".{ms % 1000:03d}{self._count % 1000000:06d}Z"

    def goal(self, room: Room, ms: int) -> Said:
        """Progress of a goal: many updates at once, all with the goal's id."""
        id = f"chgoal_{self._chat.ids.hex().decode()[:26].upper()}"
        for step in range(self._chat.rng.choice((3, 20, 100))):
            self._chat.backlog.append((room, partial(self._goal, id=id, step=step)))
        return self._goal(room, ms, id, 0, "GoalCreatedEvent")

    def _goal(self, room: Room, ms: int, id: str, step: int, name: str = "GoalProgressUpdateEvent") -> Said:
        payload = {
            "id": id,
            "channel_id": "channel_01JEXAMPLE",
            "type": "followers",
            "target_value": 100000,
            "current_value": 87000 + step,
            "status": "active",
            "created_at": _MADE,
            "updated_at": self._now(ms),
            "achieved_at": None,
            "count_from_creation": True,
        }
        return self._event(room, name, payload, _CHANNEL_NEW)

    def prediction(self, room: Room, ms: int) -> Said:
        """A viewer bets."""
        rng = self._chat.rng
        votes = {"vote_count": rng.randrange(900), "return_rate": rng.choice((1.5, 2.25, 1))}
        payload = {
            "prediction": {
                "id": "01K-prediction",
                "title": "Win?",
                "state": "ACTIVE",
                "outcomes": [{"id": "a", "title": "yes", **votes}, {"id": "b", "title": "no"}],
                "created_at": _MADE,
                "updated_at": self._now(ms),
            }
        }
        name = rng.choice(
            ("PredictionCreated", "PredictionUpdated", "PredictionUpdated", "PredictionDeleted")
        )
        return self._event(room, name, payload, _CHANNEL_NEW)

    def any(self, room: Room, ms: int) -> Said:
        """One of the other events."""
        rng, chat = self._chat.rng, self._chat
        stream = {"id": 129000001, "channel_id": int(room.channel_id), "created_at": _MADE}
        person = chat.person()
        name, payload, topic, prefix = rng.choice(
            (
                ("StreamerIsLive", {"livestream": stream | {"session_title": "hi"}}, _CHANNEL, True),
                ("LivestreamUpdated", {"livestream": stream, "viewers": rng.randrange(900)}, _CHANNEL, True),
                (
                    "ChatMoveToSupportedChannelEvent",
                    {"channel": {"id": int(room.channel_id)}, "hosted": {"id": 5, "slug": person.slug}},
                    _CHANNEL,
                    True,
                ),
                (
                    "GiftsLeaderboardUpdated",
                    {"leaderboard": [], "gifter_id": 9, "gifter_username": person.username},
                    _CHANNEL,
                    False,
                ),
                ("KicksLeaderboardUpdated", {"gifts_week": [], "gifts_enabled": True}, _CHANNEL_NEW, False),
                (
                    "NewActivityFeedEvent",
                    {"type": "new_subscriber", "username": person.username, "created_at": 0},
                    _CHANNEL,
                    True,
                ),
                ("PointsUpdated", {"points": rng.randrange(900), "reason": "watched"}, _CHATROOM, False),
            )
        )
        return self._event(room, name, payload, topic, prefix)
