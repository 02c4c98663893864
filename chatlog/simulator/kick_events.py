"""Kick's rarer events: moderation, subscriptions, gifts, hosts, pins, polls, rewards, unknown ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatlog.simulator.chat import Maker, Said
from chatlog.simulator.people import Person
from chatlog.simulator.rooms import Room

if TYPE_CHECKING:
    from chatlog.simulator.kick_chat import KickChat


class KickEvents:
    """Makes events for a KickChat. Topics above 0 are on other Pusher channels than the chatroom's and
    come only to those who subscribed to them."""

    def __init__(self, chat: KickChat) -> None:
        self._chat = chat

    def mix(self) -> list[tuple[float, Maker]]:
        """The share of each event, in a thousand."""
        return [
            (3, self.deletion),
            (4, self.ban),
            (1, self.unban),
            (0.3, self.clear),
            (1, self.settings),
            (3, self.subscription),
            (2, self.gifts),
            (0.5, self.lucky),
            (1, self.kicks),
            (0.7, self.host),
            (0.7, self.hosted),
            (0.7, self.pin),
            (2, self.poll),
            (1, self.reward),
            (2, self.channel_side),
            (1, self.unknown),
        ]

    def _user(self) -> dict[str, Any]:
        person = self._chat.person()
        return {"id": person.user_id // 10, "username": person.username, "slug": person.slug}

    def deletion(self, room: Room, ms: int) -> Said:
        """The last message is deleted."""
        if room.last is None:
            return self._chat.ordinary(room, ms)
        id = self._chat.ids.next()
        by_machine = self._chat.rng.random() < 0.3
        payload = {
            "id": id.decode(),
            "message": {"id": room.last[0].decode()},
            "aiModerated": by_machine,
            "violatedRules": ["hate"] if by_machine else [],
        }
        return self._chat.event(room, "MessageDeletedEvent", payload, b"delete", id)

    def ban(self, room: Room, ms: int) -> Said:
        """A ban for good or for minutes, in the old form and in the new one."""
        rng = self._chat.rng
        id = self._chat.ids.next()
        payload: dict[str, Any] = {
            "id": id.decode(),
            "user": self._user(),
            "banned_by": {"id": 0, "username": "moderator", "slug": "moderator"},
        }
        for_good = rng.random() < 0.3
        if rng.random() < 0.8:
            payload["permanent"] = for_good
            if not for_good:
                payload["duration"] = rng.choice((1, 2, 10, 1440))
        if not for_good:
            payload["expires_at"] = self._chat.created(ms + 120_000).decode()
        return self._chat.event(room, "UserBannedEvent", payload, b"ban" if for_good else b"timeout", id)

    def unban(self, room: Room, ms: int) -> Said:
        """A ban is taken back."""
        id = self._chat.ids.next()
        payload = {"id": id.decode(), "user": self._user(), "unbanned_by": self._user(), "permanent": True}
        return self._chat.event(room, "UserUnbannedEvent", payload, b"unban", id)

    def clear(self, room: Room, ms: int) -> Said:
        """The whole chat is cleared."""
        id = self._chat.ids.next()
        return self._chat.event(room, "ChatroomClearEvent", {"id": id.decode()}, b"clear", id)

    def settings(self, room: Room, ms: int) -> Said:
        """The settings of the room; the id in them is the room's."""
        slow = self._chat.rng.random() < 0.5
        payload = {
            "id": int(room.id),
            "slow_mode": {"enabled": slow, "message_interval": 6},
            "subscribers_mode": {"enabled": False},
            "followers_mode": {"enabled": not slow, "min_duration": 10},
            "emotes_mode": {"enabled": False},
            "advanced_bot_protection": {"enabled": False, "remaining_time": 0},
        }
        return self._chat.event(room, "ChatroomUpdatedEvent", payload, b"room")

    def subscription(self, room: Room, ms: int) -> Said:
        """A viewer subscribed."""
        payload = {
            "chatroom_id": int(room.id),
            "username": self._chat.person().username,
            "months": self._chat.rng.randrange(1, 40),
        }
        return self._chat.event(room, "SubscriptionEvent", payload, b"subscription")

    def gifts(self, room: Room, ms: int) -> Said:
        """Subscriptions for others, in the old form and in the new one (without a prefix)."""
        rng = self._chat.rng
        names = [self._chat.person().username for _ in range(rng.choice((1, 1, 5, 10)))]
        payload: dict[str, Any] = {
            "chatroom_id": int(room.id),
            "gifted_usernames": names,
            "gifter_username": self._chat.person().username,
        }
        new = rng.random() < 0.5
        if new:
            payload["correlation_id"] = "pi_" + self._chat.ids.hex().decode()[:24]
            payload["gifted_total"] = len(names)
            payload["gifter_total"] = rng.randrange(1, 4000)
            payload["chunk_details"] = None
        return self._chat.event(room, "GiftedSubscriptionsEvent", payload, b"gift", prefix=not new)

    def lucky(self, room: Room, ms: int) -> Said:
        """The viewers who got the gifts."""
        names = [self._chat.person().username for _ in range(5)]
        payload = {
            "channel": {"id": int(room.channel_id), "slug": room.name},
            "usernames": names,
            "gifter_username": self._chat.person().username,
        }
        return self._chat.event(room, "LuckyUsersWhoGotGiftSubscriptionsEvent", payload, b"gift", topic=3)

    def kicks(self, room: Room, ms: int) -> Said:
        """Kick's own coins, with words."""
        id = self._chat.ids.next()
        person: Person = self._chat.person()
        text = self._chat.text().kick
        payload = {
            "gift_transaction_id": id.decode(),
            "message": text,
            "sender": {"id": person.user_id // 10, "username": person.username, "username_color": "#E9113C"},
            "gift": {"gift_id": "big_lantern", "name": "Big Lantern", "amount": 1000, "type": "LEVEL_UP"},
            "created_at": self._chat.created(ms).decode()[:19] + f".{ms % 1000:03d}823974Z",
        }
        return self._chat.event(room, "KicksGifted", payload, b"gift", id, text, topic=4, prefix=False)

    def host(self, room: Room, ms: int) -> Said:
        """Another channel hosts this one."""
        words = self._chat.rng.choice(("", "hello from us"))
        payload = {
            "chatroom_id": int(room.id),
            "optional_message": words,
            "number_viewers": self._chat.rng.randrange(1, 5000),
            "host_username": self._chat.person().username,
        }
        return self._chat.event(room, "StreamHostEvent", payload, b"raid", b"", words)

    def hosted(self, room: Room, ms: int) -> Said:
        """The old form of a host, on its own Pusher channel."""
        id = self._chat.ids.next()
        payload = {
            "message": {
                "id": id.decode(),
                "numberOfViewers": 8,
                "optionalMessage": None,
                "createdAt": self._chat.created(ms).decode()[:19] + ".859247Z",
            },
            "user": {**self._user(), "isSuperAdmin": False, "verified": False},
        }
        return self._chat.event(room, "StreamHostedEvent", payload, b"event", id, topic=1)

    def pin(self, room: Room, ms: int) -> Said:
        """The last message is pinned, or a pin taken off (its data is an empty array)."""
        if room.last is None or self._chat.rng.random() < 0.4:
            return self._chat.event(room, "PinnedMessageDeletedEvent", [], b"pin")
        id, person, text = room.last
        payload = {
            "message": {
                "id": id.decode(),
                "chatroom_id": int(room.id),
                "content": text.kick,
                "type": "message",
                "created_at": self._chat.created(ms).decode(),
                "sender": {"id": person.user_id // 10, "username": person.username, "slug": person.slug},
                "metadata": None,
            },
            "duration": "1200",
        }
        return self._chat.event(room, "PinnedMessageCreatedEvent", payload, b"pin", b"", text.kick)

    def poll(self, room: Room, ms: int) -> Said:
        """A poll goes on, or ends."""
        rng = self._chat.rng
        if rng.random() < 0.2:
            return self._chat.event(room, "PollDeleteEvent", [], b"poll")
        title = rng.choice(("Next game?", "¿Otra partida? 🔥", "Reset / go on"))
        payload = {
            "poll": {
                "title": title,
                "options": [
                    {"id": 0, "label": "yes", "votes": rng.randrange(900)},
                    {"id": 1, "label": "no", "votes": rng.randrange(900)},
                ],
                "duration": 120,
                "remaining": rng.randrange(120),
                "result_display_duration": 30,
            }
        }
        return self._chat.event(room, "PollUpdateEvent", payload, b"poll", b"", title)

    def reward(self, room: Room, ms: int) -> Said:
        """Points of the channel are spent."""
        person, words = self._chat.person(), self._chat.rng.choice(("", "drink now"))
        payload = {
            "reward_title": "Hydrate",
            "user_id": person.user_id // 10,
            "channel_id": int(room.channel_id),
            "username": person.username,
            "user_input": words,
            "reward_background_color": "#00CCFF",
        }
        return self._chat.event(
            room, "RewardRedeemedEvent", payload, b"reward", b"", words, topic=2, prefix=False
        )

    def channel_side(self, room: Room, ms: int) -> Said:
        """Events on the channel's side: subscriptions, followers, the end of a stream."""
        rng, channel = self._chat.rng, int(room.channel_id)
        name, payload, type = rng.choice(
            (
                (
                    "ChannelSubscriptionEvent",
                    {"user_ids": [62000001], "username": self._chat.person().username, "channel_id": channel},
                    b"subscription",
                ),
                (
                    "FollowersUpdated",
                    {
                        "followersCount": rng.randrange(90_000),
                        "channel_id": channel,
                        "username": None,
                        "created_at": ms // 1000,
                        "followed": True,
                    },
                    b"event",
                ),
                (
                    "StopStreamBroadcast",
                    {"livestream": {"id": 129000001, "channel": {"id": channel, "is_banned": False}}},
                    b"event",
                ),
            )
        )
        return self._chat.event(room, name, payload, type, topic=3)

    def unknown(self, room: Room, ms: int) -> Said:
        """An unknown event, with or without an id, which may not be unique."""
        payload: dict[str, Any] = {"what": "a/b \\ c", "deep": [{"n": 1}, None, 1.5]}
        if self._chat.rng.random() < 0.5:
            payload["id"] = self._chat.ids.next().decode()
        return self._chat.event(room, "SomethingNewEvent", payload, b"event", prefix=False)
