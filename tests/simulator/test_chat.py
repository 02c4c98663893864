"""The generators of chat: deterministic, complete, and true to the form of the wire."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from chatlog.simulator.chat import Chat, Said
from chatlog.simulator.kick_chat import TOPICS, KickChat
from chatlog.simulator.rooms import Ids, Room, number_of
from chatlog.simulator.texts import make_texts
from chatlog.simulator.twitch_chat import TwitchChat
from tests.simulator.stage import unframed

MS = 1_760_000_000_250


def room(platform: str) -> Room:
    topics = len(TOPICS) if platform == "kick" else 1
    return Room(platform, "room1", 4204200, 4204201, 0, topics)


def said(chat: Chat, where: Room, count: int) -> list[Said]:
    """``count`` events, bursts included."""
    events = []
    for n in range(count):
        if chat.backlog:
            _, maker = chat.backlog.popleft()
            events.append(maker(where, MS + n))
        else:
            events.append(chat.next(where, MS + n))
    return events


def is_utf8(wire: bytes) -> bool:
    """Whether what is sent is UTF-8, the header of a frame left aside."""
    frame = unframed(wire) if wire[:1] == b"\x81" else None
    try:
        (wire if frame is None else frame[1]).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class EveryChat(SynchronousTestCase):
    def both(self, check: Callable[[str, type[TwitchChat] | type[KickChat]], None]) -> None:
        check("twitch", TwitchChat)
        check("kick", KickChat)

    def test_same_seed_same_bytes(self) -> None:
        """Two runs with one seed and one run name send the same bytes."""

        def check(platform: str, make: type[TwitchChat] | type[KickChat]) -> None:
            first = said(make("5", "a"), room(platform), 3000)
            self.assertEqual(first, said(make("5", "a"), room(platform), 3000))
            self.assertNotEqual(first, said(make("6", "a"), room(platform), 3000))

        self.both(check)

    def test_run_changes_ids_only(self) -> None:
        """Another run of the same seed says the same things under other ids, so that nobody takes them
        for copies."""

        def check(platform: str, make: type[TwitchChat] | type[KickChat]) -> None:
            one = said(make("5", "a"), room(platform), 500)
            other = said(make("5", "b"), room(platform), 500)
            ids = {event[1] for event in one if event[1]}
            self.assertFalse(ids & {event[1] for event in other})
            self.assertEqual([e[2:4] for e in one], [e[2:4] for e in other])

        self.both(check)

    def test_every_type(self) -> None:
        """Every type that a platform can lead to is there within some thousands of events."""
        expected = {
            "twitch": "message action delete timeout ban clear subscription gift raid announcement room "
            "notice event unparsed",
            "kick": "message delete timeout ban unban clear subscription gift raid reward pin poll room "
            "event unparsed",
        }

        def check(platform: str, make: type[TwitchChat] | type[KickChat]) -> None:
            types = {event[2].decode() for event in said(make("1"), room(platform), 15000)}
            self.assertEqual(types, set(expected[platform].split()))

        self.both(check)

    def test_ids_are_unique(self) -> None:
        """No id is given twice, and what has none has a key."""

        def check(platform: str, make: type[TwitchChat] | type[KickChat]) -> None:
            events = said(make("1"), room(platform), 15000)
            ids = [event[1] for event in events if event[1]]
            self.assertEqual(len(ids), len(set(ids)))
            self.assertTrue(all(event[1] or event[4] for event in events))

        self.both(check)

    def test_tame(self) -> None:
        """Tame chat is UTF-8 and parsable throughout; chat that is not tame has some that is not."""

        def check(platform: str, make: type[TwitchChat] | type[KickChat]) -> None:
            tame = said(make("1", tame=True), room(platform), 15000)
            self.assertEqual(sum(1 for event in tame if event[2] == b"unparsed" or not is_utf8(event[0])), 0)
            wild = said(make("1"), room(platform), 15000)
            self.assertGreater(sum(1 for event in wild if event[2] == b"unparsed"), 0)
            self.assertGreater(sum(1 for event in wild if not is_utf8(event[0])), 0)

        self.both(check)


class TwitchLines(SynchronousTestCase):
    def test_ordinary_message(self) -> None:
        """An ordinary message has the tags of today, in alphabetical order, and the very text."""
        chat = TwitchChat("1")
        for _ in range(300):
            wire, id, type, text, key, topic = chat.ordinary(room("twitch"), MS)
            head, source, command, channel, trailing = wire.decode().split(" ", 4)
            names = [item.split("=")[0] for item in head[1:].split(";")]
            self.assertEqual([n for n in names if n != "vip"], sorted(n for n in names if n != "vip"))
            self.assertTrue(
                {"badges", "color", "emotes", "first-msg", "flags", "room-id", "user-id"} < set(names)
            )
            self.assertIn(f";id={id.decode()};", head)
            self.assertIn(f";tmi-sent-ts={MS};", head)
            self.assertRegex(source, r"\A:([a-z0-9_]{1,25})!\1@\1\.tmi\.twitch\.tv\Z")
            self.assertEqual((command, channel, type, key, topic), ("PRIVMSG", "#room1", b"message", b"", 0))
            self.assertEqual(trailing, ":" + json.loads(text) + "\r\n")

    def test_one_line_each(self) -> None:
        """Every event is one line that ends in CR LF and holds no other line end."""
        for event in said(TwitchChat("1"), room("twitch"), 15000):
            self.assertTrue(event[0].endswith(b"\r\n"))
            self.assertNotRegex(event[0][:-2], rb"[\r\n\x00]")

    def test_sizes(self) -> None:
        """Lines are as long as real ones on average, and the longest come near Twitch's limit of 500
        characters."""
        events = said(TwitchChat("1"), room("twitch"), 5000)
        sizes = [len(event[0]) for event in events]
        self.assertTrue(350 < sum(sizes) / len(sizes) < 500)
        self.assertGreater(max(sizes), 1700)
        self.assertLessEqual(max(len(json.loads(text.json)) for text in make_texts("1")), 500)

    def test_emote_places(self) -> None:
        """Places of emotes count code points and lie where the emote's name is."""
        found = 0
        for text in make_texts("1"):
            for emote in filter(None, text.emotes.decode().split("/")):
                for start, end in re.findall(r"(\d+)-(\d+)", emote.partition(":")[2]):
                    found += 1
                    self.assertRegex(text.raw.decode()[int(start) : int(end) + 1], r"\A[A-Za-z_0-9/]{3,}\Z")
        self.assertGreater(found, 100)

    def test_gift_bomb(self) -> None:
        """A gift bomb is one announcement with a number, and that many gifts directly after it."""
        chat, where = TwitchChat("1"), room("twitch")
        wire = ""
        while "msg-param-mass-gift-count" not in wire:
            chat.backlog.clear()
            wire = chat.next(where, MS)[0].decode("utf-8", "replace")
        match = re.search(r";msg-param-mass-gift-count=(\d+);msg-param-origin-id=([^;]+);", wire)
        assert match is not None
        gifts = [maker(where, MS)[0].decode() for _, maker in chat.backlog]
        self.assertEqual(len(gifts), int(match[1]))
        for gift in gifts:
            self.assertIn(";msg-id=subgift;", gift)
            self.assertIn(f";msg-param-origin-id={match[2]};", gift)

    def test_reply_and_deletion_name_the_last_message(self) -> None:
        """A reply carries its parent's id and escaped text; a deletion the id and text of what it
        deletes."""
        chat, where = TwitchChat("1"), room("twitch")
        for _ in range(50):
            _, id, _, text, _, _ = chat.ordinary(where, MS)
            reply = chat.reply(where, MS)[0].decode()
            self.assertIn(f";reply-parent-msg-id={id.decode()};", reply)
            body = json.loads(text).replace("\\", "\\\\").replace(" ", "\\s").replace(";", "\\:")
            self.assertIn(f";reply-parent-msg-body={body};", reply)

    def test_emotes_of_a_reply(self) -> None:
        """The name in front of a reply's text moves its emotes: each place has one emote's name."""
        chat, where = TwitchChat("1"), room("twitch")
        found = 0
        for _ in range(300):
            chat.ordinary(where, MS)
            wire, _, _, json_text, _, _ = chat.reply(where, MS)
            text = json.loads(json_text)
            self.assertTrue(wire.decode().endswith(f" :{text}\r\n"))
            match = re.search(r";emotes=([^;]*);", wire.decode())
            assert match is not None
            for emote in filter(None, match[1].split("/")):
                for start, end in re.findall(r"(\d+)-(\d+)", emote.partition(":")[2]):
                    found += 1
                    name = text[int(start) : int(end) + 1]
                    self.assertRegex(name, r"\A(Kappa|LUL|otterWave|lanternHype(_TK)?|noodleStare/3)\Z", text)
        self.assertGreater(found, 50)


class KickFrames(SynchronousTestCase):
    def test_ordinary_message(self) -> None:
        """An ordinary message is JSON inside JSON, slashes escaped, with the very text."""
        chat = KickChat("1")
        for _ in range(300):
            wire, id, _, text, _, topic = chat.ordinary(room("kick"), MS)
            frame = unframed(wire)
            assert frame is not None
            opcode, payload, rest = frame
            self.assertEqual((opcode, rest, topic), (1, b"", 0))
            outer = json.loads(payload)
            self.assertEqual(list(outer), ["event", "data", "channel"])
            self.assertEqual(outer["event"], "App\\Events\\ChatMessageEvent")
            self.assertEqual(outer["channel"], "chatrooms.4204200.v2")
            data = json.loads(outer["data"])
            self.assertEqual(data["id"], id.decode())
            self.assertEqual(data["content"], json.loads(text))
            self.assertEqual(data["created_at"], "2025-10-09T08:53:20+00:00")
            self.assertEqual(data["chatroom_id"], 4204200)
            self.assertIn("https:\\/\\/", outer["data"])

    def test_channels(self) -> None:
        """Every event names the Pusher channel of its topic."""
        names = [t.format(chatroom=4204200, channel=4204201) for t in TOPICS]
        topics = set()
        for wire, _, type, _, _, topic in said(KickChat("1"), room("kick"), 15000):
            frame = unframed(wire)
            assert frame is not None
            if type != b"unparsed":
                self.assertEqual(json.loads(frame[1].decode("utf-8", "replace"))["channel"], names[topic])
                topics.add(topic)
        self.assertEqual(topics, set(range(len(TOPICS))))


class Numbers(SynchronousTestCase):
    def test_ids_of_names(self) -> None:
        """A name always has the same id, and its kinds of id differ."""
        self.assertEqual(number_of("kick room", "alpha"), number_of("kick room", "alpha"))
        kinds = {number_of(kind, "alpha") for kind in ("kick room", "kick channel", "kick user")}
        self.assertEqual(len(kinds), 3)

    def test_uuid(self) -> None:
        """Ids are version 4 UUIDs and never repeat."""
        ids = Ids("1")
        made = [ids.next().decode() for _ in range(20000)]
        self.assertEqual(len(set(made)), 20000)
        for id in made[:500]:
            self.assertRegex(id, r"\A[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}\Z")
