"""Generates Kick chat as WebSocket frames of Pusher events: messages from prepared pieces, and rarer
events."""

from __future__ import annotations

import json
import time
from typing import Any

import orjson

from chatlog.simulator.chat import NO_ROOM, Chat, Said, kick_key, unparsed_key
from chatlog.simulator.kick_channel import ChannelEvents
from chatlog.simulator.kick_events import KickEvents
from chatlog.simulator.people import Person
from chatlog.simulator.rooms import Room
from chatlog.simulator.texts import Text

#: The Pusher channels of a room, by topic: the channel on which Kick publishes each event.
TOPICS = (
    "chatrooms.{chatroom}.v2",
    "chatrooms.{chatroom}",
    "chatroom_{chatroom}",
    "channel.{channel}",
    "channel_{channel}",
)
_PREFIX = "App\\Events\\"


class KickChat(Chat):
    """Generates frames of Kick. ``room.last`` is (id, person, text) of the room's latest message."""

    def __init__(self, seed: str = "1", run: str = "", tame: bool = False) -> None:
        """``tame`` leaves out frames that a stricter client than a recorder may refuse: those that are not
        UTF-8 or not JSON."""
        super().__init__(f"kick {seed}", run)
        self._second = 0
        self._created = b""
        self._tame = tame
        self.mix(
            [
                (25, self.reply),
                (2, self.celebration),
                (3, self.escaped),
                (2, self.old),
                *(
                    []
                    if tame
                    else [
                        (0.5, self.not_utf8),
                        (0.3, self.half_pair),
                        (0.3, self.key_twice),
                        (0.3, self.not_json),
                        (0.3, self.no_frame),
                    ]
                ),
                *KickEvents(self).mix(),
                *ChannelEvents(self).mix(),
            ]
        )

    def created(self, ms: int) -> bytes:
        """``ms`` as Kick writes the time of a message: whole seconds."""
        second = ms // 1000
        if second != self._second:
            self._second = second
            self._created = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(second)).encode()
        return self._created

    def ordinary(self, room: Room, ms: int) -> Said:
        id = self.ids.next()
        random = self.rng.random
        person = self.people[int(random() * len(self.people))]
        text = self.texts[int(random() * len(self.texts))]
        room.last = (id, person, text)
        return self.message(room, ms, id, person, text, b"message", b"")

    def message(
        self,
        room: Room,
        ms: int,
        id: bytes,
        person: Person,
        text: Text,
        type: bytes,
        more: bytes,
        end: bytes = b"",
    ) -> Said:
        """A ChatMessageEvent; ``more`` goes into its metadata, ``end`` behind them, both escaped once."""
        payload = (
            b'{"event":"App\\\\Events\\\\ChatMessageEvent","data":"{\\"id\\":\\"%b\\",\\"chatroom_id\\":%b,'
            b'\\"content\\":\\"%b\\",\\"type\\":\\"%b\\",\\"created_at\\":\\"%b\\",\\"sender\\":%b,'
            b'\\"metadata\\":{%b\\"message_ref\\":\\"%d\\"}%b}","channel":"chatrooms.%b.v2"}'
        ) % (id, room.id, text.content, type, self.created(ms), person.sender, more, ms - 400, end, room.id)
        return frame(payload), id, b"message", text.kick_json, b"", 0

    def reply(self, room: Room, ms: int) -> Said:
        """A reply to the last message of the room."""
        if room.last is None:
            return self.ordinary(room, ms)
        parent_id, parent, parent_text = room.last
        more = (
            b'\\"original_sender\\":{\\"id\\":%d,\\"username\\":\\"%b\\"},'
            b'\\"original_message\\":{\\"id\\":\\"%b\\",\\"content\\":\\"%b\\"},'
        ) % (parent.user_id // 10, parent.username.encode(), parent_id, parent_text.content)
        end = b',\\"thread_parent_id\\":\\"%b\\"' % parent_id
        return self.message(room, ms, self.ids.next(), self.person(), self.text(), b"reply", more, end)

    def celebration(self, room: Room, ms: int) -> Said:
        """A viewer shows how long they have subscribed."""
        more = (
            b'\\"celebration\\":{\\"id\\":\\"chceleb_%b\\",\\"type\\":\\"subscription_renewed\\",\\"total_months\\":5},'
            % (self.ids.hex()[:26])
        )
        return self.message(room, ms, self.ids.next(), self.person(), self.text(), b"celebration", more)

    def _payload(self, room: Room, ms: int, content: str) -> tuple[bytes, dict[str, Any]]:
        id, person = self.ids.next(), self.person()
        sender = {"id": person.user_id // 10, "username": person.username, "slug": person.slug}
        return id, {
            "id": id.decode(),
            "chatroom_id": int(room.id),
            "content": content,
            "type": "message",
            "created_at": self.created(ms).decode(),
            "sender": {**sender, "identity": {"color": "#E9113C", "badges": []}},
        }

    def old(self, room: Room, ms: int) -> Said:
        """A message as it was in 2023: no metadata, no badges_v2."""
        text = self.text()
        id, payload = self._payload(room, ms, text.kick)
        return self.event(room, "ChatMessageEvent", payload, b"message", id, text.kick)

    def half_pair(self, room: Room, ms: int) -> Said:
        """A message with a lone surrogate, as in a text that was cut."""
        text = "cut here \ud83d"
        id, payload = self._payload(room, ms, text)
        outer = {
            "event": _PREFIX + "ChatMessageEvent",
            "data": json.dumps(payload),
            "channel": _channel(room, 0),
        }
        recorded = orjson.dumps("cut here \ufffd")
        return frame(json.dumps(outer).encode()), id, b"message", recorded, b"", 0

    def key_twice(self, room: Room, ms: int) -> Said:
        """A message with a repeated key, and with a number that few programs write again unchanged."""
        text = self.text()
        id, payload = self._payload(room, ms, text.kick)
        data = orjson.dumps(payload).decode().replace('"type":', '"type":1.50,"type":', 1)
        outer = {"event": _PREFIX + "ChatMessageEvent", "data": data, "channel": _channel(room, 0)}
        return frame(orjson.dumps(outer)), id, b"message", text.kick_json, b"", 0

    def escaped(self, room: Room, ms: int) -> Said:
        """A message in ASCII, everything else escaped, as some senders do."""
        text = self.text()
        id, payload = self._payload(room, ms, text.kick)
        data = json.dumps(payload).replace("/", "\\/")
        outer = {"event": _PREFIX + "ChatMessageEvent", "data": data, "channel": _channel(room, 0)}
        return frame(json.dumps(outer).encode()), id, b"message", text.kick_json, b"", 0

    def not_utf8(self, room: Room, ms: int) -> Said:
        """A text frame with bytes that are not UTF-8."""
        said = self.old(room, ms)
        text = orjson.loads(said[3]) + " ?!"
        id, payload = self._payload(room, ms, text)
        wire, id, type, _, key, topic = self.event(room, "ChatMessageEvent", payload, b"message", id, text)
        payload_bytes = _unframed(wire).replace(b" ?!", b" \xff!", 1)
        return frame(payload_bytes), id, type, orjson.dumps(text[:-2] + "\ufffd!"), key, topic

    def not_json(self, room: Room, ms: int) -> Said:
        """A message whose data is not JSON."""
        start = '{"event":"App\\\\Events\\\\ChatMessageEvent","data":"{broken '
        raw = f'{start}{self.ids.hex().decode()[:12]}","channel":"{_channel(room, 0)}"}}'
        return frame(raw.encode()), b"", b"unparsed", b'""', unparsed_key(raw), 0

    def no_frame(self, room: Room, ms: int) -> Said:
        """A frame that is not an event."""
        raw = (
            self.rng.choice(('["no","event","%s"]', "plain words %s", '{"data":"%s"}'))
            % self.ids.hex().decode()[:12]
        )
        return frame(raw.encode()), b"", b"unparsed", b'""', unparsed_key(raw), NO_ROOM

    def event(
        self,
        room: Room,
        name: str,
        payload: Any,
        type: bytes,
        id: bytes = b"",
        message: str = "",
        topic: int = 0,
        prefix: bool = True,
    ) -> Said:
        """An event on the Pusher channel of ``topic``; ``id`` is the id of its record."""
        data = orjson.dumps(payload).replace(b"/", b"\\/").decode()
        outer = {"event": _PREFIX + name if prefix else name, "data": data, "channel": _channel(room, topic)}
        key = b"" if id else kick_key(name, payload)
        return frame(orjson.dumps(outer)), id, type, orjson.dumps(message), key, topic


def _channel(room: Room, topic: int) -> str:
    return TOPICS[topic].format(chatroom=room.id.decode(), channel=room.channel_id.decode())


def frame(payload: bytes) -> bytes:
    """One unfragmented, unmasked text frame (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return b"\x81%c%b" % (size, payload)
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def _unframed(wire: bytes) -> bytes:
    return wire[{126: 4, 127: 10}.get(wire[1], 2) :]
