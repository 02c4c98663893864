"""Kick's rooms: subscriptions, events to records, wrong ids, what several channels of a room mean."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.settings import KickChannel, KickSettings
from chatlog.counters import Counters
from chatlog.kick import pusher
from chatlog.kick.pusher import Closing
from chatlog.kick.rooms import DOUBT_AFTER, KickLink, KickRooms
from chatlog.rooms.seats import State
from chatlog.timeline.timeline import Gap
from tests.fakes import environment

START = 1_700_000_000.0
RECEIVED = "2023-11-14T22:13:20.000Z"


class Lines(list[bytes]):
    """The recorder's side of a room."""

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self]


class Connection:
    """What a link writes to; remembers it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.checked = 0

    def subscribe(self, channel: str) -> None:
        self.calls.append(("subscribe", channel))

    def unsubscribe(self, channel: str) -> None:
        self.calls.append(("unsubscribe", channel))

    def check(self) -> None:
        self.checked += 1

    def close(self, reason: str) -> None:
        self.calls.append(("close", reason))


def chat(chatroom: int, id: str, text: str, named: int | None = None) -> bytes:
    data = {
        "id": id,
        "chatroom_id": chatroom if named is None else named,
        "content": text,
        "type": "message",
        "created_at": "2023-11-14T22:13:19+00:00",
        "sender": {"id": 7, "username": "Ann_B", "slug": "ann-b", "identity": {"color": "", "badges": []}},
    }
    frame = {
        "event": "App\\Events\\ChatMessageEvent",
        "data": json.dumps(data),
        "channel": f"chatrooms.{chatroom}.v2",
    }
    return json.dumps(frame).encode()


class KickCase(SynchronousTestCase):
    def make(self, *channels: KickChannel, **settings: Any) -> KickRooms:
        self.clock = Clock()
        self.counters = Counters()
        self.server = Lines()
        self.logs: dict[str, Lines] = {}
        self.holes: list[tuple[str, Gap]] = []
        self.opened: list[Any] = []
        rooms = KickRooms(
            KickSettings(channels, **settings),
            environment(self.clock, self.wall, counters=self.counters),
            self.server,
            lambda slug: self.logs.setdefault(slug, Lines()),
            lambda room, hole: self.holes.append((room.name, hole)),
            self.opened.append,
        )
        for channel in channels:
            rooms.add(channel)
        rooms.pool.startService()
        rooms.startService()
        self.addCleanup(rooms.pool.stopService)
        self.addCleanup(rooms.stopService)
        return rooms

    def wall(self) -> float:
        return START + self.clock.seconds()

    def link(self, rooms: KickRooms, n: int = 0) -> tuple[KickLink, Connection]:
        link = rooms.pool.links[n]
        assert isinstance(link, KickLink)
        connection = Connection()
        link._factory.connection = connection  # type: ignore[assignment]
        self.addCleanup(setattr, link._factory, "connection", None)
        link.connected()
        self.clock.advance(0)
        return link, connection

    def say(self, link: KickLink, *frames: bytes) -> None:
        for frame in frames:
            event = pusher.parse(frame)
            assert event is not None
            link.event(event, frame, RECEIVED)


class SubscribeTests(KickCase):
    def test_subscribed_after_the_welcome(self) -> None:
        """Each room is asked for by its chatroom id once the server has welcomed us, and counts as
        recorded when the server has said so."""
        rooms = self.make(KickChannel("ann", 11), KickChannel("bob", 12))
        link, connection = self.link(rooms)
        self.assertEqual(
            connection.calls,
            [("subscribe", "chatrooms.11.v2"), ("subscribe", "chatrooms.12.v2")],
        )
        self.assertEqual(rooms.pool.states(), {State.REQUESTED: 2})
        link.subscribed("chatrooms.11.v2")
        self.assertEqual(rooms.pool.states(), {State.RECORDED: 1, State.REQUESTED: 1})

    def test_several_channels_of_a_room(self) -> None:
        """A room may have more Pusher channels; the one with its chat decides whether it is recorded,
        and a channel id that is found later adds the rest."""
        rooms = self.make(
            KickChannel("ann", 11), subscribe=("chatrooms.{chatroom_id}.v2", "channel.{channel_id}")
        )
        link, connection = self.link(rooms)
        self.assertEqual(connection.calls, [("subscribe", "chatrooms.11.v2")])
        link.subscribed("chatrooms.11.v2")
        rooms.add(KickChannel("ann", 11, 99))
        self.assertIn(("subscribe", "channel.99"), connection.calls)
        frame = {"event": "App\\Events\\StreamerIsLive", "data": "{}", "channel": "channel.99"}
        self.say(link, json.dumps(frame).encode())
        self.assertEqual([r["details"]["event"] for r in self.logs["ann"].records], ["StreamerIsLive"])
        self.assertEqual(len(rooms.pool.rooms), 1)

    def test_refused_subscription(self) -> None:
        """A refusal is kept as the room's state with the server's words."""
        rooms = self.make(KickChannel("ann", 11))
        link, _ = self.link(rooms)
        link.subscription_refused("chatrooms.11.v2", "AuthError 401")
        room = rooms.pool.rooms["ann"]
        self.assertEqual((room.state, room.reason), (State.REFUSED, "AuthError 401"))

    def test_same_chatroom_twice(self) -> None:
        """Two names with one chatroom id are a mistake that is named and stays to be seen; the first goes on,
        and when it is removed the other takes its place."""
        with capturedLogs() as events:
            rooms = self.make(KickChannel("ann", 11), KickChannel("bob", 11), KickChannel("cat", 11))
        self.assertEqual(list(rooms.pool.rooms), ["ann"])
        told = [(e["room"], e["other"]) for e in events if "other" in e]
        self.assertEqual(told, [("bob", "ann"), ("cat", "ann")])
        same = "has the same chatroom_id as ann"
        self.assertEqual(rooms.missing, {"bob": same, "cat": same})
        rooms.remove("ann")
        self.assertEqual(list(rooms.pool.rooms), ["bob"])
        self.assertEqual(rooms.missing, {"cat": "has the same chatroom_id as bob"})
        rooms.remove("cat")
        self.assertEqual(rooms.missing, {})

    def test_removed_room(self) -> None:
        """A room that is removed is given up at the server, and what still comes of it goes to
        _server."""
        rooms = self.make(KickChannel("ann", 11), KickChannel("bob", 12))
        link, connection = self.link(rooms)
        link.subscribed("chatrooms.11.v2")
        self.assertIsNotNone(rooms.remove("ann"))
        self.assertIn(("unsubscribe", "chatrooms.11.v2"), connection.calls)
        self.say(link, chat(11, "id-1", "late"))
        self.assertEqual([r["message"] for r in self.server.records], ["late"])
        self.assertIsNone(rooms.remove("ann"))


class EventTests(KickCase):
    def test_events_go_to_their_room(self) -> None:
        """An event becomes a record of the room whose channel carried it, with the room's id."""
        rooms = self.make(KickChannel("ann", 11))
        link, _ = self.link(rooms)
        self.say(link, chat(11, "id-1", "hello"))
        [record] = self.logs["ann"].records
        self.assertEqual(
            (record["channel"], record["channel_id"], record["message"], record["id"]),
            ("ann", "11", "hello", "id-1"),
        )
        self.assertEqual(self.counters.received, 1)

    def test_frames_of_nobody(self) -> None:
        """What belongs to no room of ours, and what is no event, is kept under _server."""
        rooms = self.make(KickChannel("ann", 11))
        link, _ = self.link(rooms)
        self.say(link, chat(999, "id-1", "stranger"))
        link.not_understood(b"\xff\x00 nonsense", RECEIVED)
        self.assertEqual([r["type"] for r in self.server.records], ["message", "unparsed"])
        self.assertEqual({r["channel"] for r in self.server.records}, {"_server"})
        self.say(link, chat(999, "id-1", "stranger"))
        self.assertEqual((len(self.server.records), self.counters.duplicates), (2, 1))

    def test_wrong_id_is_said_once(self) -> None:
        """When a room's events name another chatroom than the configured one, that is said once."""
        rooms = self.make(KickChannel("ann", 11))
        link, _ = self.link(rooms)
        with capturedLogs() as events:
            self.say(link, chat(11, "id-1", "a", named=77), chat(11, "id-2", "b", named=77))
        told = [e for e in events if e["log_level"] is LogLevel.error]
        self.assertEqual([(e["room"], e["configured"], e["other"]) for e in told], [("ann", "11", "77")])
        self.assertEqual(len(self.logs["ann"].records), 2)

    def test_wrong_id_after_an_event_that_names_none(self) -> None:
        """That the first event says nothing of a chatroom proves nothing."""
        rooms = self.make(KickChannel("ann", 11))
        link, _ = self.link(rooms)
        nameless = chat(11, "id-1", "a").replace(b"chatroom_id", b"something")
        self.say(link, nameless, chat(11, "id-2", "b", named=77))
        self.assertEqual(rooms.intake.mistaken, {"ann"})

    def test_silent_room_is_doubted_once(self) -> None:
        """A room that is acknowledged and never brings anything for hours is named once: the server
        accepts wrong ids."""
        rooms = self.make(KickChannel("ann", 11), KickChannel("bob", 12))
        link, _ = self.link(rooms)
        link.subscribed("chatrooms.11.v2")
        link.subscribed("chatrooms.12.v2")
        self.say(link, chat(12, "id-1", "hi"))
        with capturedLogs() as events:
            self.clock.pump([300.0] * int(DOUBT_AFTER / 300 + 30))
        self.assertEqual([e["room"] for e in events if e["log_level"] is LogLevel.warn], ["ann"])

    def test_loss_makes_a_hole(self) -> None:
        """A lost connection leaves a hole from the last byte until the subscription is answered
        again."""
        rooms = self.make(KickChannel("ann", 11))
        link, _ = self.link(rooms)
        link.subscribed("chatrooms.11.v2")
        self.clock.advance(20)
        link.lost(5.0, "closed by the server: 4200", Closing.AT_ONCE)
        self.assertEqual(rooms.pool.states(), {State.WANTED: 1})
        self.clock.advance(1)
        link.connected()
        self.clock.advance(1)
        link.subscribed("chatrooms.11.v2")
        self.assertEqual(self.holes, [("ann", Gap(START + 15, START + 22, "closed by the server: 4200"))])
        self.assertEqual(self.counters.disconnects, {"kick": 1})

    def test_refused_key_is_known(self) -> None:
        """Until it is taken, the connection knows that the key is refused; another loss is no refusal."""
        rooms = self.make(KickChannel("ann", 11))
        link, _ = self.link(rooms)
        link.lost(1.0, "closed by the server: 4001", Closing.REFUSED)
        self.assertEqual((link.refused, link.trouble), (True, "closed by the server: 4001"))
        link.connected()
        self.assertEqual((link.refused, link.trouble), (False, ""))
        link.lost(1.0, "connection lost", Closing.BACK_OFF)
        self.assertEqual((link.refused, link.trouble), (False, "connection lost"))

    def test_failed_attempts_are_said_once(self) -> None:
        """A server that stays away is one line in the log, not one for every try."""
        rooms = self.make(KickChannel("ann", 11))
        link = rooms.pool.links[0]
        assert isinstance(link, KickLink)
        with capturedLogs() as events:
            for _ in range(50):
                link.lost(None, "cannot connect: refused", Closing.BACK_OFF)
        self.assertEqual(len([e for e in events if e["log_level"] is LogLevel.warn]), 1)


class CopiesTests(KickCase):
    def test_two_connections_one_record(self) -> None:
        """While a room is on two connections, what both deliver is recorded once: by its id, or, where
        it has none, by its bytes within a few seconds."""
        rooms = self.make(KickChannel("ann", 11))
        first, _ = self.link(rooms)
        first.subscribed("chatrooms.11.v2")
        rooms.pool.retire(first)
        second, _ = self.link(rooms, 1)
        second.subscribed("chatrooms.11.v2")
        poll = {"event": "App\\Events\\PollDeleteEvent", "data": "[]", "channel": "chatrooms.11.v2"}
        for frame in (chat(11, "id-1", "one"), json.dumps(poll).encode(), chat(11, "id-2", "two")):
            self.say(first, frame)
            self.say(second, frame)
        self.assertEqual([r["message"] for r in self.logs["ann"].records], ["one", "", "two"])
        self.assertEqual(self.counters.duplicates, 3)
        self.assertEqual(self.holes, [])

    def test_repeated_event_on_one_connection(self) -> None:
        """An event whose id came before is a copy, wherever it comes from; one without an id that comes
        again has happened again."""
        rooms = self.make(KickChannel("ann", 11))
        link, _ = self.link(rooms)
        link.subscribed("chatrooms.11.v2")
        poll = {"event": "App\\Events\\PollDeleteEvent", "data": "[]", "channel": "chatrooms.11.v2"}
        for frame in (chat(11, "id-1", "one"), json.dumps(poll).encode()):
            self.say(link, frame, frame)
        self.assertEqual([r["message"] for r in self.logs["ann"].records], ["one", "", ""])
        self.assertEqual(self.counters.duplicates, 1)

    def test_two_lanes(self) -> None:
        """With two lanes every room is subscribed to on two connections, either may be lost without a
        hole, and each event is recorded once."""
        rooms = self.make(KickChannel("ann", 11), lanes=2)
        self.clock.pump([1.0] * 3)
        lanes = [self.link(rooms, n) for n in (0, 1)]
        for link, connection in lanes:
            self.assertEqual(connection.calls, [("subscribe", "chatrooms.11.v2")])
            link.subscribed("chatrooms.11.v2")
        for n in range(4):
            gone, stays = lanes[n % 2][0], lanes[1 - n % 2][0]
            self.say(gone, chat(11, f"id-{n}", f"words {n}"))
            gone.lost(30.0, "connection lost", Closing.BACK_OFF)
            self.say(stays, chat(11, f"id-{n}", f"words {n}"), chat(11, f"late-{n}", f"more {n}"))
            gone.connected()
            self.clock.advance(0)
            gone.subscribed("chatrooms.11.v2")
            self.clock.advance(60)
        texts = [r["message"] for r in self.logs["ann"].records]
        self.assertEqual(texts, [words for n in range(4) for words in (f"words {n}", f"more {n}")])
        self.assertEqual(self.holes, [])


def event_on(channel: str, name: str, data: object) -> bytes:
    """A frame of an event on a Pusher channel."""
    return json.dumps({"event": name, "data": json.dumps(data), "channel": channel}).encode()


class SidesTests(KickCase):
    """One room on several Pusher channels, over which the same event may come."""

    SIDES = ("chatrooms.{chatroom_id}.v2", "chatroom_{chatroom_id}", "channel_{channel_id}")
    CHAT, OTHER, CHANNEL = "chatrooms.11.v2", "chatroom_11", "channel_12"

    def sides(self, **settings: Any) -> KickRooms:
        return self.make(KickChannel("ann", 11, 12), subscribe=self.SIDES, **settings)

    def recorded(self) -> list[str]:
        return [record["details"]["event"] for record in self.logs["ann"].records]

    def test_once_over_several_channels(self) -> None:
        """An event that comes over two or three channels is recorded once: by its id, or by its name and
        what it says, with a prefix or without, whatever the order of its keys."""
        link, _ = self.link(self.sides())
        gift = {"gifter_username": "Ann", "gifted_usernames": ["bob"]}
        turned = {"gifted_usernames": ["bob"], "gifter_username": "Ann"}
        said = chat(11, "id-1", "one")
        self.say(
            link,
            said,
            said.replace(b"chatrooms.11.v2", b"chatroom_11"),
            event_on(self.CHAT, "App\\Events\\GiftedSubscriptionsEvent", gift),
            event_on(self.OTHER, "GiftedSubscriptionsEvent", turned),
            event_on(self.CHANNEL, "GiftedSubscriptionsEvent", gift),
            event_on(self.CHAT, "App\\Events\\PinnedMessageDeletedEvent", []),
            event_on(self.OTHER, "App\\Events\\PinnedMessageDeletedEvent", []),
        )
        expected = ["ChatMessageEvent", "GiftedSubscriptionsEvent", "PinnedMessageDeletedEvent"]
        self.assertEqual(self.recorded(), expected)
        self.assertEqual(self.counters.duplicates, 4)

    def test_what_happens_again_is_recorded_again(self) -> None:
        """Neither is swallowed what one channel says twice, whether or not the other says it twice as well,
        nor what another says much later, nor another name or other words."""
        link, _ = self.link(self.sides())
        poll = {"poll": {"title": "More?"}}
        here, there = (event_on(side, "PollUpdateEvent", poll) for side in (self.CHAT, self.OTHER))
        self.say(link, here, there, here, there)
        self.assertEqual(len(self.recorded()), 2)
        self.clock.advance(60)
        self.say(link, here, here, there, there)
        self.assertEqual(len(self.recorded()), 4)
        self.clock.advance(60)
        self.say(link, here)
        self.clock.advance(6)
        self.say(link, there)
        self.assertEqual(len(self.recorded()), 6)
        self.say(link, event_on(self.CHANNEL, "PollDeleteEvent", poll))
        self.say(link, event_on(self.CHANNEL, "PollUpdateEvent", {"poll": {"title": "More!"}}))
        self.assertEqual(len(self.recorded()), 8)

    def test_two_lanes_and_two_channels(self) -> None:
        """Two connections with two channels each bring the same event four times: it is recorded once."""
        rooms = self.sides(lanes=2)
        self.clock.pump([1.0] * 3)
        links = [self.link(rooms, n)[0] for n in (0, 1)]
        for link in links:
            link.subscribed(self.CHAT)
        for _ in range(2):
            self.clock.advance(60)
            for link in links:
                for side in (self.CHAT, self.OTHER):
                    self.say(link, event_on(side, "GoalProgressUpdateEvent", {"current_value": 5}))
        self.assertEqual(len(self.recorded()), 2)

    def test_neighbours(self) -> None:
        """What comes in two rooms happened in both."""
        rooms = self.make(KickChannel("ann", 11, 12), KickChannel("bob", 21, 22), subscribe=self.SIDES)
        link, _ = self.link(rooms)
        self.say(link, event_on(self.CHAT, "PollDeleteEvent", []))
        self.say(link, event_on("chatroom_21", "PollDeleteEvent", []))
        self.assertEqual((len(self.logs["ann"]), len(self.logs["bob"])), (1, 1))

    def test_what_says_more_than_its_meaning(self) -> None:
        """A copy whose JSON says more than its meaning is told by its text."""
        link, _ = self.link(self.sides())
        for side in (self.CHAT, self.OTHER):
            data = '{"a":1,"a":%d}'
            for number in (2, 3):
                frame = {"event": "SomethingNew", "data": data % number, "channel": side}
                self.say(link, json.dumps(frame).encode())
        self.assertEqual([record["details"]["a"] for record in self.logs["ann"].records], [2, 3])


class StopTests(KickCase):
    def stopped(self, heard_ago: float, closing: float) -> tuple[float | None, str]:
        """Since when the room is missing, in seconds after the start, and why, if the connection is gone
        ``closing`` seconds after a stop that came after 60 s."""
        rooms = self.make(KickChannel("ann", 11))
        link, _ = self.link(rooms)
        link.subscribed("chatrooms.11.v2")
        self.clock.advance(60)
        rooms.pool.stopService()
        self.clock.advance(closing)
        link.lost(heard_ago + closing, "stopped", Closing.BACK_OFF)
        timeline = rooms.pool.rooms["ann"].timeline
        assert timeline.missing_since is not None
        return timeline.missing_since - START, timeline.reason

    def test_goodbye(self) -> None:
        """A connection that answers our goodbye was heard until then; of one that does not, or that has
        left a ping without an answer, nothing is sure after its last byte."""
        self.assertEqual(self.stopped(20.0, 0.25), (60.25, "restart"))
        self.assertEqual(self.stopped(20.0, 0.5), (40.0, "connection lost"))
        self.assertEqual(self.stopped(33.0, 0.25), (27.0, "connection lost"))
