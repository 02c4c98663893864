"""The recorder's parsers and the simulator's expectations were written apart; here they are compared."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatlog.counters import Counters
from chatlog.kick import pusher
from chatlog.kick.events import EventRecords
from chatlog.record import encode_full
from chatlog.simulator.chat import Chat, record_key
from chatlog.simulator.kick_chat import KickChat
from chatlog.simulator.twitch_chat import TwitchChat
from chatlog.twitch import events, irc
from chatlog.twitch.lines import LineSplitter
from tests.simulator.stage import unframed
from tests.simulator.test_chat import room, said

RECEIVED = "2026-01-02T03:04:05.678Z"


def twitch_record(wire: bytes) -> dict[str, Any]:
    """The record that the recorder makes of a line."""
    (line,) = LineSplitter().feed(wire)
    found = events.chat_record(line, RECEIVED, encode_full)
    if found is not None:
        return json.loads(found[1])  # type: ignore[no-any-return]
    try:
        message = irc.parse(line)
    except irc.ParseError:
        return json.loads(events.unparsed_record(line, RECEIVED, encode_full))  # type: ignore[no-any-return]
    return json.loads(events.event_record(message, RECEIVED, encode_full))  # type: ignore[no-any-return]


class Agreement(SynchronousTestCase):
    def compare(self, record: dict[str, Any], expected: tuple[bytes, ...]) -> None:
        id, type, text, key = expected
        self.assertEqual(record["id"], id.decode(), record)
        self.assertEqual(record["type"], type.decode(), record)
        self.assertEqual(record["message"], json.loads(text), record)
        if key:
            self.assertEqual(record_key(record), key, record)
        if type != b"unparsed":
            self.assertEqual(record["channel"], "room1")

    def test_twitch(self) -> None:
        """What the oracle says of a Twitch line is what the recorder makes of it: id, type, text, key."""
        chat: Chat = TwitchChat("3")
        for wire, id, type, text, key, _ in said(chat, room("twitch"), 15000):
            self.compare(twitch_record(wire), (id, type, text, key))

    def test_kick(self) -> None:
        """What the oracle says of a Kick frame is what the recorder makes of it."""
        records = EventRecords(encode_full, Counters())
        chat: Chat = KickChat("3")
        for wire, id, type, text, key, _ in said(chat, room("kick"), 15000):
            frame = unframed(wire)
            assert frame is not None
            event = pusher.parse(frame[1])
            if event is None:
                line = records.unparsed(frame[1], "_server", "", RECEIVED)
            else:
                line = records.line(event, frame[1], "room1", "4204200", RECEIVED)
            self.compare(json.loads(line), (id, type, text, key))
