"""Generates moderation on Twitch: CLEARCHAT, CLEARMSG, ROOMSTATE, NOTICE. None of these has an id."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from chatlog.simulator.chat import Maker, Said, twitch_key
from chatlog.simulator.people import Person
from chatlog.simulator.rooms import Room

if TYPE_CHECKING:
    from chatlog.simulator.twitch_chat import TwitchChat

#: A change of a room's settings: tag, value, msg-id of the notice that goes with it, text.
_SETTINGS = (
    ("slow", "5", "slow_on", "This room is now in slow mode. You may send messages every 5 seconds."),
    ("slow", "0", "slow_off", "This room is no longer in slow mode."),
    ("emote-only", "1", "emote_only_on", "This room is now in emote-only mode."),
    ("emote-only", "0", "emote_only_off", "This room is no longer in emote-only mode."),
    ("followers-only", "10", "followers_on", "This room is now in 10 minutes followers-only mode."),
    ("followers-only", "-1", "followers_off", "This room is no longer in followers-only mode."),
    ("subs-only", "1", "subs_on", "This room is now in subscribers-only mode."),
    ("subs-only", "0", "subs_off", "This room is no longer in subscribers-only mode."),
    ("r9k", "1", "r9k_on", "This room is now in unique-chat mode."),
    ("r9k", "0", "r9k_off", "This room is no longer in unique-chat mode."),
)


class Moderation:
    """Makes lines of moderation for a TwitchChat."""

    def __init__(self, chat: TwitchChat) -> None:
        self._chat = chat
        # The people moderated in the present millisecond: no person is moderated twice in one.
        self._ms = 0
        self._targets: set[tuple[bytes, int]] = set()

    def mix(self) -> list[tuple[float, Maker]]:
        """The share of each event, in a thousand."""
        return [
            (6, self.timeout),
            (1.5, self.ban),
            (0.3, self.ban_flood),
            (0.3, self.clear),
            (3, self.deletion),
            (1, self.setting),
        ]

    def _clearchat(self, room: Room, tags: dict[str, str], target: str, type: bytes) -> Said:
        key = twitch_key("CLEARCHAT", tags, "", target)
        wire = _line(tags, b"CLEARCHAT", room.wire, target.encode() if target else None)
        return wire, b"", type, b'""', key, 0

    def _is_new(self, room: Room, ms: int, user_id: int) -> bool:
        """Whether the person (0: everybody) was not moderated in this millisecond yet."""
        if ms != self._ms:
            self._ms = ms
            self._targets.clear()
        before = len(self._targets)
        self._targets.add((room.id, user_id))
        return len(self._targets) > before

    def _target(self, room: Room, ms: int, person: Person) -> Person:
        """The person, or another one if that person was moderated in this millisecond."""
        while not self._is_new(room, ms, person.user_id):
            person = self._chat.person()
        return person

    def timeout(self, room: Room, ms: int) -> Said:
        """A time-out, usually of the last person who wrote."""
        person = self._target(room, ms, room.last[1] if room.last else self._chat.person())
        tags = {
            "ban-duration": str(self._chat.rng.choice((1, 30, 150, 600, 86400, 1209600))),
            "room-id": room.id.decode(),
            "target-user-id": str(person.user_id),
            "tmi-sent-ts": str(ms),
        }
        return self._clearchat(room, tags, person.login, b"timeout")

    def ban(self, room: Room, ms: int) -> Said:
        """A permanent ban; one in ten lines has no time."""
        person = self._target(room, ms, self._chat.person())
        tags = {"room-id": room.id.decode(), "target-user-id": str(person.user_id)}
        if self._chat.rng.random() < 0.9:
            tags["tmi-sent-ts"] = str(ms)
        return self._clearchat(room, tags, person.login, b"ban")

    def ban_flood(self, room: Room, ms: int) -> Said:
        """A bot bans many at once."""
        for _ in range(self._chat.rng.randrange(20, 60)):
            self._chat.backlog.append((room, self.ban))
        return self.ban(room, ms)

    def clear(self, room: Room, ms: int) -> Said:
        """The whole chat is cleared."""
        if not self._is_new(room, ms, 0):
            return self._chat.ordinary(room, ms)
        return self._clearchat(room, {"room-id": room.id.decode(), "tmi-sent-ts": str(ms)}, "", b"clear")

    def deletion(self, room: Room, ms: int) -> Said:
        """The last message is deleted, once."""
        if room.last is None:
            return self._chat.ordinary(room, ms)
        id, person, text = room.last
        room.last = None
        tags = {
            "login": person.login,
            "room-id": "" if self._chat.rng.random() < 0.3 else room.id.decode(),
            "target-msg-id": id.decode(),
            "tmi-sent-ts": str(ms),
        }
        key = twitch_key("CLEARMSG", tags, text.raw.decode())
        return _line(tags, b"CLEARMSG", room.wire, text.raw), b"", b"delete", text.json, key, 0

    def setting(self, room: Room, ms: int) -> Said:
        """A change of the room's settings: the notice, then the ROOMSTATE."""
        name, value, msg_id, text = self._chat.rng.choice(_SETTINGS)

        def state(room: Room, ms: int) -> Said:
            tags = {name: value, "room-id": room.id.decode()}
            key = twitch_key("ROOMSTATE", tags, "")
            return _line(tags, b"ROOMSTATE", room.wire, None), b"", b"room", b'""', key, 0

        self._chat.backlog.append((room, state))
        return notice(room, msg_id, text)


def notice(room: Room, msg_id: str, text: str) -> Said:
    """A notice of the server about the room."""
    tags = {"msg-id": msg_id}
    key = twitch_key("NOTICE", tags, text)
    return _line(tags, b"NOTICE", room.wire, text.encode()), b"", b"notice", orjson.dumps(text), key, 0


def greeting(room: Room) -> tuple[bytes, bytes]:
    """The ROOMSTATE that follows a JOIN, and its key."""
    tags = {
        "emote-only": "0",
        "followers-only": "-1",
        "r9k": "0",
        "room-id": room.id.decode(),
        "slow": "0",
        "subs-only": "0",
    }
    return _line(tags, b"ROOMSTATE", room.wire, None), twitch_key("ROOMSTATE", tags, "")


def _line(tags: dict[str, str], command: bytes, channel: bytes, text: bytes | None) -> bytes:
    """A line of the server with tags whose values need no escaping."""
    joined = ";".join(f"{name}={value}" for name, value in tags.items()).encode()
    trailing = b"" if text is None else b" :" + text
    return b"@%b :tmi.twitch.tv %b #%b%b\r\n" % (joined, command, channel, trailing)
