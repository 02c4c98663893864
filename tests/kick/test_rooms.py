"""Kick's rooms: subscriptions, events to records, wrong ids, what several channels of a room mean."""

from __future__ import annotations

import json
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, IOPump
from twisted.test.iosim import connect as join
from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.settings import KickChannel, KickSettings
from chatlog.counters import Counters
from chatlog.kick.client import KickFactory
from chatlog.kick.rooms import DOUBT_AFTER, KickRooms
from chatlog.rooms.pool import RoomEvents
from chatlog.rooms.subscriptions import State
from chatlog.timeline.timeline import Gap
from tests.fakes import environment
from tests.kick.wire import WELCOME, ClientTransport, FakeConnector, PusherServer, acknowledgement
from tests.played import nothing

START = 1_700_000_000.0
RECEIVED = "2023-11-14T22:13:20.000Z"


class Lines(list[bytes]):
    """The recorder's side of a room."""

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self]


class Peer:
    """The server's end of a connection."""

    def __init__(self, clock: Clock, factory: KickFactory) -> None:
        self._clock = clock
        self._factory = factory
        connector: Any = FakeConnector(factory)
        self._connector = connector
        factory.startedConnecting(connector)
        self._servers = WebSocketServerFactory("ws://127.0.0.1:9", reactor=clock)
        self._servers.protocol = PusherServer
        self._servers.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=0)
        self.open()

    def open(self) -> None:
        """The connection is made, and welcomed."""
        client = self._factory.buildProtocol(None)
        self.server: Any = self._servers.buildProtocol(None)
        transport = ClientTransport(client, self._ended, [], [])
        self.pump: IOPump = join(
            self.server, FakeTransport(self.server, True), client, transport, greet=False, clock=self._clock
        )
        self.pump.flush()
        self.say(WELCOME)

    def _ended(self, reason: Failure) -> None:
        self._factory.clientConnectionLost(self._connector, reason)

    def say(self, *frames: bytes) -> None:
        for data in frames:
            self.server.sendMessage(data)
        self.pump.flush()
        self._clock.advance(0)
        self.pump.flush()

    def subscribed(self, channel: str) -> None:
        self.say(acknowledgement(channel))

    def close(self, code: int) -> None:
        self.server.sendClose(code)
        self.pump.flush()

    def lose(self) -> None:
        """The connection is just gone."""
        self.pump.serverIO.loseConnection()
        self.pump.flush()

    @property
    def calls(self) -> list[tuple[str, str]]:
        """What channels were asked for and given up, in order."""
        self.pump.flush()
        asked = [frame for frame in self.server.got if "channel" in frame["data"]]
        return [(frame["event"].removeprefix("pusher:"), frame["data"]["channel"]) for frame in asked]


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


def frame_of(name: str, data: object, channel: str) -> bytes:
    """A frame of an event on a Pusher channel."""
    return json.dumps({"event": name, "data": json.dumps(data), "channel": channel}).encode()


class KickCase(SynchronousTestCase):
    def make(self, *channels: KickChannel, **settings: Any) -> KickRooms:
        self.clock = Clock()
        self.counters = Counters()
        self.server = Lines()
        self.logs: dict[str, Lines] = {}
        self.gaps: list[tuple[str, Gap]] = []
        self.opened: list[KickFactory] = []
        self.missing: dict[str, str] = {}
        rooms = KickRooms(
            KickSettings(channels, **settings),
            environment(self.clock, self.wall, counters=self.counters),
            lambda slug: self.server if slug == "_server" else self.logs.setdefault(slug, Lines()),
            RoomEvents(
                nothing, lambda platform, room, gap: self.gaps.append((room.name, gap)), nothing, nothing
            ),
            self.missing,
            self.connect,
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

    def connect(self, factory: KickFactory) -> KickFactory:
        self.opened.append(factory)
        return factory

    def peer(self, n: int = 0) -> Peer:
        """The server's end of a connection that is made now."""
        return Peer(self.clock, self.opened[n])


class SubscribeTests(KickCase):
    def test_subscribed_after_the_welcome(self) -> None:
        """Each room is asked for by its chatroom id once the server has welcomed us, and counts as
        recorded when the server has said so."""
        rooms = self.make(KickChannel("ann", 11), KickChannel("bob", 12))
        peer = self.peer()
        self.assertEqual(
            peer.calls,
            [("subscribe", "chatrooms.11.v2"), ("subscribe", "chatrooms.12.v2")],
        )
        self.assertEqual(rooms.pool.states(), {State.REQUESTED: 2})
        peer.subscribed("chatrooms.11.v2")
        self.assertEqual(rooms.pool.states(), {State.RECORDED: 1, State.REQUESTED: 1})

    def test_several_channels_of_a_room(self) -> None:
        """A room may have more Pusher channels; the one with its chat decides whether it is recorded,
        and a channel id that is found later adds the rest."""
        rooms = self.make(
            KickChannel("ann", 11), subscribe=("chatrooms.{chatroom_id}.v2", "channel.{channel_id}")
        )
        peer = self.peer()
        self.assertEqual(peer.calls, [("subscribe", "chatrooms.11.v2")])
        peer.subscribed("chatrooms.11.v2")
        rooms.add(KickChannel("ann", 11, 99))
        self.assertIn(("subscribe", "channel.99"), peer.calls)
        frame = {"event": "App\\Events\\StreamerIsLive", "data": "{}", "channel": "channel.99"}
        peer.say(json.dumps(frame).encode())
        self.assertEqual([r["details"]["event"] for r in self.logs["ann"].records], ["StreamerIsLive"])
        self.assertEqual(len(rooms.pool.rooms), 1)

    def test_refused_subscription(self) -> None:
        """A refusal is kept as the room's state with the server's words."""
        rooms = self.make(KickChannel("ann", 11))
        peer = self.peer()
        refusal = {"type": "AuthError", "status": 401}
        peer.say(frame_of("pusher_internal:subscription_error", refusal, "chatrooms.11.v2"))
        room = rooms.pool.rooms["ann"]
        self.assertEqual((room.state, room.reason), (State.REFUSED, "AuthError 401"))

    def test_same_chatroom_twice(self) -> None:
        """Two names with one chatroom id are a mistake that is named and stays to be seen; the first goes on,
        and when it is removed the other takes its place."""
        with capturedLogs() as events:
            rooms = self.make(KickChannel("ann", 11), KickChannel("bob", 11), KickChannel("cat", 11))
        self.assertEqual(list(rooms.pool.rooms), ["ann"])
        reported = [(e["room"], e["other"]) for e in events if "other" in e]
        self.assertEqual(reported, [("bob", "ann"), ("cat", "ann")])
        same = "has the same chatroom_id as ann"
        self.assertEqual(self.missing, {"bob": same, "cat": same})
        rooms.remove("ann")
        self.assertEqual(list(rooms.pool.rooms), ["bob"])
        self.assertEqual(self.missing, {"cat": "has the same chatroom_id as bob"})
        rooms.remove("cat")
        self.assertEqual(self.missing, {})

    def test_removed_room(self) -> None:
        """A room that is removed is given up at the server, and what still comes of it goes to
        _server."""
        rooms = self.make(KickChannel("ann", 11), KickChannel("bob", 12))
        peer = self.peer()
        peer.subscribed("chatrooms.11.v2")
        self.assertIsNotNone(rooms.remove("ann"))
        self.assertIn(("unsubscribe", "chatrooms.11.v2"), peer.calls)
        peer.say(chat(11, "id-1", "late"))
        self.assertEqual([r["message"] for r in self.server.records], ["late"])
        self.assertIsNone(rooms.remove("ann"))


class EventTests(KickCase):
    def test_events_go_to_their_room(self) -> None:
        """An event becomes a record of the room whose channel carried it, with the room's id."""
        self.make(KickChannel("ann", 11))
        peer = self.peer()
        peer.say(chat(11, "id-1", "hello"))
        [record] = self.logs["ann"].records
        self.assertEqual(
            (record["channel"], record["channel_id"], record["message"], record["id"]),
            ("ann", "11", "hello", "id-1"),
        )
        self.assertEqual(self.counters.received, 1)

    def test_frames_of_no_room(self) -> None:
        """What belongs to no room of ours, and what is no event, is kept under _server."""
        self.make(KickChannel("ann", 11))
        peer = self.peer()
        peer.say(chat(999, "id-1", "stranger"))
        peer.say(b"\xff\x00 nonsense")
        self.assertEqual([r["type"] for r in self.server.records], ["message", "unparsed"])
        self.assertEqual({r["channel"] for r in self.server.records}, {"_server"})
        peer.say(chat(999, "id-1", "stranger"))
        self.assertEqual((len(self.server.records), self.counters.duplicates), (2, 1))

    def test_wrong_id_is_said_once(self) -> None:
        """When a room's events name another chatroom than the configured one, that is said once."""
        self.make(KickChannel("ann", 11))
        peer = self.peer()
        with capturedLogs() as events:
            peer.say(chat(11, "id-1", "a", named=77), chat(11, "id-2", "b", named=77))
        reported = [e for e in events if e["log_level"] is LogLevel.error]
        self.assertEqual([(e["room"], e["configured"], e["other"]) for e in reported], [("ann", "11", "77")])
        self.assertEqual(len(self.logs["ann"].records), 2)

    def test_wrong_id_after_an_event_that_names_none(self) -> None:
        """That the first event says nothing of a chatroom proves nothing."""
        rooms = self.make(KickChannel("ann", 11))
        peer = self.peer()
        nameless = chat(11, "id-1", "a").replace(b"chatroom_id", b"something")
        peer.say(nameless, chat(11, "id-2", "b", named=77))
        self.assertEqual(rooms.intake.mistaken, {"ann"})

    def test_silent_room_is_doubted_once(self) -> None:
        """A room that is acknowledged and never brings anything for hours is named once: the server
        accepts wrong ids."""
        self.make(KickChannel("ann", 11), KickChannel("bob", 12))
        peer = self.peer()
        peer.subscribed("chatrooms.11.v2")
        peer.subscribed("chatrooms.12.v2")
        peer.say(chat(12, "id-1", "hi"))
        with capturedLogs() as events:
            self.clock.pump([300.0] * int(DOUBT_AFTER / 300 + 30))
        self.assertEqual([e["room"] for e in events if e["log_level"] is LogLevel.warn], ["ann"])

    def test_loss_makes_a_hole(self) -> None:
        """A lost connection leaves a gap from the last byte until the subscription is answered
        again."""
        rooms = self.make(KickChannel("ann", 11))
        peer = self.peer()
        peer.subscribed("chatrooms.11.v2")
        self.clock.advance(20)
        peer.close(4200)
        self.assertEqual(rooms.pool.states(), {State.WANTED: 1})
        self.clock.advance(1)
        peer.open()
        self.clock.advance(1)
        peer.subscribed("chatrooms.11.v2")
        self.assertEqual(self.gaps, [("ann", Gap(START + 20, START + 22, "closed by the server: 4200"))])
        self.assertEqual(self.counters.disconnects, {"kick": 1})

    def test_refused_key_is_known(self) -> None:
        """Until it is taken, the connection knows that the key is refused; another loss is no refusal."""
        rooms = self.make(KickChannel("ann", 11))
        peer = self.peer()
        [connection] = rooms.pool.connections
        peer.close(4001)
        self.assertEqual((connection.refused_login, connection.trouble), (True, "closed by the server: 4001"))
        peer.open()
        self.assertEqual((connection.refused_login, connection.trouble), (False, ""))
        peer.lose()
        self.assertEqual((connection.refused_login, connection.trouble), (False, "connection lost"))

    def test_failed_attempts_are_said_once(self) -> None:
        """A server that stays away is one line in the log, not one for every try."""
        self.make(KickChannel("ann", 11))
        connector: Any = FakeConnector(self.opened[0])
        with capturedLogs() as events:
            for _ in range(50):
                self.opened[0].clientConnectionFailed(connector, Failure(ConnectionRefusedError()))
        self.assertEqual(len([e for e in events if e["log_level"] is LogLevel.warn]), 1)


class CopiesTests(KickCase):
    def test_two_connections_one_record(self) -> None:
        """While a room is on two connections, what both deliver is recorded once: by its id, or, where
        it has none, by its bytes within a few seconds."""
        rooms = self.make(KickChannel("ann", 11))
        first = self.peer()
        first.subscribed("chatrooms.11.v2")
        rooms.pool.connections[0].asked_to_leave()
        second = self.peer(1)
        second.subscribed("chatrooms.11.v2")
        poll = {"event": "App\\Events\\PollDeleteEvent", "data": "[]", "channel": "chatrooms.11.v2"}
        for frame in (chat(11, "id-1", "one"), json.dumps(poll).encode(), chat(11, "id-2", "two")):
            first.say(frame)
            second.say(frame)
        self.assertEqual([r["message"] for r in self.logs["ann"].records], ["one", "", "two"])
        self.assertEqual(self.counters.duplicates, 3)
        self.assertEqual(self.gaps, [])

    def test_repeated_event_on_one_connection(self) -> None:
        """An event whose id came before is a copy, wherever it comes from; one without an id that comes
        again has happened again."""
        self.make(KickChannel("ann", 11))
        peer = self.peer()
        peer.subscribed("chatrooms.11.v2")
        poll = {"event": "App\\Events\\PollDeleteEvent", "data": "[]", "channel": "chatrooms.11.v2"}
        for frame in (chat(11, "id-1", "one"), json.dumps(poll).encode()):
            peer.say(frame, frame)
        self.assertEqual([r["message"] for r in self.logs["ann"].records], ["one", "", ""])
        self.assertEqual(self.counters.duplicates, 1)

    def test_two_lanes(self) -> None:
        """With two lanes every room is subscribed to on two connections, either may be lost without a
        gap, and each event is recorded once."""
        self.make(KickChannel("ann", 11), lanes=2)
        self.clock.pump([1.0] * 3)
        lanes = [self.peer(n) for n in (0, 1)]
        for peer in lanes:
            self.assertEqual(peer.calls, [("subscribe", "chatrooms.11.v2")])
            peer.subscribed("chatrooms.11.v2")
        for n in range(4):
            gone, stays = lanes[n % 2], lanes[1 - n % 2]
            gone.say(chat(11, f"id-{n}", f"words {n}"))
            gone.lose()
            stays.say(chat(11, f"id-{n}", f"words {n}"), chat(11, f"late-{n}", f"more {n}"))
            gone.open()
            gone.subscribed("chatrooms.11.v2")
            self.clock.advance(60)
        texts = [r["message"] for r in self.logs["ann"].records]
        self.assertEqual(texts, [words for n in range(4) for words in (f"words {n}", f"more {n}")])
        self.assertEqual(self.gaps, [])


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
        self.sides()
        peer = self.peer()
        gift = {"gifter_username": "Ann", "gifted_usernames": ["bob"]}
        turned = {"gifted_usernames": ["bob"], "gifter_username": "Ann"}
        said = chat(11, "id-1", "one")
        peer.say(
            said,
            said.replace(b"chatrooms.11.v2", b"chatroom_11"),
            frame_of("App\\Events\\GiftedSubscriptionsEvent", gift, self.CHAT),
            frame_of("GiftedSubscriptionsEvent", turned, self.OTHER),
            frame_of("GiftedSubscriptionsEvent", gift, self.CHANNEL),
            frame_of("App\\Events\\PinnedMessageDeletedEvent", [], self.CHAT),
            frame_of("App\\Events\\PinnedMessageDeletedEvent", [], self.OTHER),
        )
        expected = ["ChatMessageEvent", "GiftedSubscriptionsEvent", "PinnedMessageDeletedEvent"]
        self.assertEqual(self.recorded(), expected)
        self.assertEqual(self.counters.duplicates, 4)

    def test_what_happens_again_is_recorded_again(self) -> None:
        """Neither is swallowed what one channel says twice, whether or not the other says it twice as well,
        nor what another says much later, nor another name or other words."""
        self.sides()
        peer = self.peer()
        peer.subscribed(self.CHAT)
        poll = {"poll": {"title": "More?"}}
        here, there = (frame_of("PollUpdateEvent", poll, side) for side in (self.CHAT, self.OTHER))
        peer.say(here, there, here, there)
        self.assertEqual(len(self.recorded()), 2)
        self.clock.advance(60)
        peer.say(here, here, there, there)
        self.assertEqual(len(self.recorded()), 4)
        self.clock.advance(60)
        peer.say(here)
        self.clock.advance(6)
        peer.say(there)
        self.assertEqual(len(self.recorded()), 6)
        peer.say(frame_of("PollDeleteEvent", poll, self.CHANNEL))
        peer.say(frame_of("PollUpdateEvent", {"poll": {"title": "More!"}}, self.CHANNEL))
        self.assertEqual(len(self.recorded()), 8)

    def test_two_lanes_and_two_channels(self) -> None:
        """Two connections with two channels each bring the same event four times: it is recorded once."""
        self.sides(lanes=2)
        self.clock.pump([1.0] * 3)
        peers = [self.peer(n) for n in (0, 1)]
        for peer in peers:
            peer.subscribed(self.CHAT)
        for _ in range(2):
            self.clock.advance(60)
            for peer in peers:
                for side in (self.CHAT, self.OTHER):
                    peer.say(frame_of("GoalProgressUpdateEvent", {"current_value": 5}, side))
        self.assertEqual(len(self.recorded()), 2)

    def test_neighbours(self) -> None:
        """What comes in two rooms happened in both."""
        self.make(KickChannel("ann", 11, 12), KickChannel("bob", 21, 22), subscribe=self.SIDES)
        peer = self.peer()
        peer.say(frame_of("PollDeleteEvent", [], self.CHAT))
        peer.say(frame_of("PollDeleteEvent", [], "chatroom_21"))
        self.assertEqual((len(self.logs["ann"]), len(self.logs["bob"])), (1, 1))

    def test_what_says_more_than_its_meaning(self) -> None:
        """A copy whose JSON says more than its meaning is told by its text."""
        self.sides()
        peer = self.peer()
        for side in (self.CHAT, self.OTHER):
            data = '{"a":1,"a":%d}'
            for number in (2, 3):
                frame = {"event": "SomethingNew", "data": data % number, "channel": side}
                peer.say(json.dumps(frame).encode())
        self.assertEqual([record["details"]["a"] for record in self.logs["ann"].records], [2, 3])


class StopTests(KickCase):
    def stopped(self, heard_ago: float, closing: float) -> tuple[float | None, str]:
        """Since when the room is missing, in seconds after the start, and why, if the connection is gone
        ``closing`` seconds after a stop that came after 60 s."""
        rooms = self.make(KickChannel("ann", 11))
        peer = self.peer()
        peer.subscribed("chatrooms.11.v2")
        self.clock.advance(60 - heard_ago)
        peer.say(frame_of("pusher:pong", {}, ""))
        self.clock.advance(heard_ago)
        rooms.pool.stopService()
        self.clock.advance(closing)
        peer.lose()
        coverage = rooms.pool.rooms["ann"].timeline
        assert coverage.missing_since is not None
        return coverage.missing_since - START, coverage.reason

    def test_goodbye(self) -> None:
        """A connection that answers our goodbye was heard until then; of one that does not, or that has
        left a ping without an answer, nothing is sure after its last byte."""
        self.assertEqual(self.stopped(20.0, 0.25), (60.25, "restart"))
        self.assertEqual(self.stopped(20.0, 0.5), (40.0, "connection lost"))
        self.assertEqual(self.stopped(33.0, 0.25), (27.0, "connection lost"))
