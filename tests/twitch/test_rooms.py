"""Twitch's rooms on connections in memory: login, joins, refusals, reconnects, keepalive."""

from __future__ import annotations

import json
from typing import Any

from OpenSSL.SSL import Error
from twisted.internet.error import ConnectionLost, ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.settings import Secret, TwitchSettings
from chatlog.counters import Counters
from chatlog.record import encode_basic, encode_full
from chatlog.rooms.pool import Pool, RoomEvents
from chatlog.rooms.subscriptions import Room, State
from chatlog.timeline.timeline import Gap
from chatlog.twitch.client import REFUSALS
from chatlog.twitch.rooms import twitch_pool
from tests.fakes import environment
from tests.played import nothing

START = 1_700_000_000.0


class Lines:
    """The recorder's side of a room: a list of records."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def append(self, line: bytes) -> None:
        self.lines.append(line)

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


class Peer:
    """The server's end of one connection."""

    def __init__(self, factory: Any) -> None:
        self.factory = factory
        self.protocol = factory.buildProtocol(None)
        self.transport = StringTransport()
        self.transport.abortConnection = self.abort  # type: ignore[method-assign]
        self.protocol.makeConnection(self.transport)
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True
        self.lose()

    def lose(self, connector: Any = None, error: Exception | None = None) -> None:
        reason = Failure(error or ConnectionLost())
        self.protocol.connectionLost(reason)
        self.factory.clientConnectionLost(connector or Connector(), reason)

    def say(self, *lines: str) -> None:
        self.protocol.dataReceived("".join(line + "\r\n" for line in lines).encode())

    def heard(self) -> list[str]:
        """What we were sent since the last call."""
        said: str = self.transport.value().decode()
        self.transport.clear()
        return said.split("\r\n")[:-1]

    def welcome(self) -> None:
        nick = self.protocol.nick
        self.say(":tmi.twitch.tv CAP * ACK :twitch.tv/tags twitch.tv/commands")
        self.say(f":tmi.twitch.tv 001 {nick} :Welcome, GLHF!", f":tmi.twitch.tv 376 {nick} :>")

    def echo(self, *rooms: str) -> None:
        nick = self.protocol.nick
        for room in rooms:
            self.say(f":{nick}!{nick}@{nick}.tmi.twitch.tv JOIN #{room}")


class Connector:
    """What a factory gets to connect again."""

    def __init__(self) -> None:
        self.tries = 0

    def connect(self) -> None:
        self.tries += 1

    def stopConnecting(self) -> None:
        pass

    def disconnect(self) -> None:
        pass


def chat(room: str, text: str, id: str, room_id: str = "1001") -> str:
    return (
        f"@badge-info=;badges=;color=;display-name=Ann;emotes=;id={id};mod=0;room-id={room_id};"
        f"tmi-sent-ts=1700000000123;user-id=42;user-type= :ann!ann@ann.tmi.twitch.tv PRIVMSG #{room} :{text}"
    )


class TwitchCase(SynchronousTestCase):
    def make(self, *rooms: str, encode: Any = encode_full, **settings: Any) -> Pool:
        self.reactor = MemoryReactorClock()
        self.counters = Counters()
        self.server = Lines()
        self.gaps: list[tuple[str, Gap]] = []
        chosen = TwitchSettings(rooms, **settings)
        pool = twitch_pool(
            chosen,
            environment(self.reactor, self.wall, counters=self.counters, encode=encode),
            self.server,
            RoomEvents(
                nothing, lambda platform, room, gap: self.gaps.append((room.name, gap)), nothing, nothing
            ),
            self.reactor,
            lambda factory: factory,
        )
        self.logs = {}
        for name in rooms:
            self.logs[name] = Lines()
            pool.add(Room(name, self.logs[name]))
        pool.startService()
        self.peers = 0
        return pool

    def wall(self) -> float:
        return START + self.reactor.seconds()

    def peer(self) -> Peer:
        """The next connection that is attempted, accepted."""
        factory = self.reactor.tcpClients[self.peers][2]
        self.peers += 1
        return Peer(factory)

    def recording(self, pool: Pool, *rooms: str) -> Peer:
        peer = self.peer()
        peer.welcome()
        self.reactor.advance(0)
        peer.echo(*rooms)
        peer.heard()
        return peer

    def run_for(self, seconds: float) -> None:
        self.reactor.pump([0.5] * int(seconds * 2))

    def until_tried(self, connector: Connector) -> float:
        """Seconds until the factory connects again."""
        before, began = connector.tries, self.reactor.seconds()
        for _ in range(3000):
            if connector.tries > before:
                return self.reactor.seconds() - began
            self.reactor.advance(0.25)
        raise AssertionError("it never connected again")


class LoginTests(TwitchCase):
    def test_anonymous(self) -> None:
        """Without a token we read as an anonymous guest: capabilities first, no password."""
        self.make("ann")
        [cap, nick] = self.peer().heard()
        self.assertEqual(cap, "CAP REQ :twitch.tv/tags twitch.tv/commands")
        self.assertRegex(nick, r"^NICK justinfan[0-9]+$")

    def test_token(self) -> None:
        """With a token the password comes before the name, with its prefix."""
        self.make("ann", username="my_bot", oauth=Secret("abc123"))
        self.assertEqual(self.peer().heard()[1:], ["PASS oauth:abc123", "NICK my_bot"])

    def test_joins_follow_the_welcome(self) -> None:
        """Rooms are joined after the server has welcomed us, many to a line."""
        pool = self.make("ann", "bob")
        peer = self.peer()
        peer.heard()
        self.reactor.advance(1)
        self.assertEqual(peer.heard(), [])
        peer.welcome()
        self.reactor.advance(0)
        self.assertEqual(peer.heard(), ["JOIN #ann,#bob"])
        self.assertEqual(pool.states(), {State.REQUESTED: 2})

    def test_refused_login_is_tried_again_slowly(self) -> None:
        """A login that is not taken closes the connection and is tried again after about a minute,
        then two, up to ten; the token is nowhere in what is told."""
        self.make("ann", username="my_bot", oauth=Secret("abc123"))
        peer = self.peer()
        delays = []
        for _ in range(5):
            connector = Connector()
            peer.say(":tmi.twitch.tv NOTICE * :Login authentication failed")
            self.assertTrue(peer.transport.disconnecting)
            self.assertNotIn("abc123", peer.protocol.reason)
            peer.lose(connector)
            delays.append(self.until_tried(connector))
            peer = Peer(peer.factory)
        for delay, step in zip(delays, (60, 120, 240, 480, 600), strict=True):
            self.assertTrue(step / 2 <= delay <= step + 1, delays)

    def test_refused_login_is_known(self) -> None:
        """Until it is taken, the connection knows that the login is refused, and why it is down; another
        loss is no refusal."""
        pool = self.make("ann", username="my_bot", oauth=Secret("abc123"))
        peer = self.peer()
        [link] = pool.connections
        peer.say(":tmi.twitch.tv NOTICE * :Login authentication failed")
        peer.lose()
        self.assertEqual(
            (link.refused_login, link.trouble), (True, "login refused: Login authentication failed")
        )
        again = Peer(peer.factory)
        again.welcome()
        self.assertEqual((link.refused_login, link.trouble), (False, ""))
        again.lose()
        self.assertEqual((link.refused_login, link.trouble), (False, "connection lost"))

    def test_refused_certificate(self) -> None:
        """A server that is not who it should be is said to be so, and not only to be gone; a gap has one
        name whatever TLS says at its beginning."""
        pool = self.make("ann")
        broken = Error([("SSL routines", "", "certificate verify failed")])
        peer = self.peer()
        peer.lose(error=broken)
        self.assertEqual(
            pool.connections[0].trouble,
            "connection lost: its certificate is not trusted [certificate verify failed]",
        )
        again = Peer(peer.factory)
        again.welcome()
        again.lose(error=broken)
        self.assertEqual(pool.connections[0].trouble, "connection lost")

    def test_no_welcome(self) -> None:
        """A server that takes the connection and then says nothing is given up after 30 s."""
        self.make("ann")
        peer = self.peer()
        self.run_for(29)
        self.assertFalse(peer.aborted)
        self.run_for(3)
        self.assertTrue(peer.aborted)

    def test_delays_grow_until_a_minute_of_connection(self) -> None:
        """A server that welcomes and drops us again and again is met with growing delays; after a
        minute of connection the next delay is short."""
        self.make("ann")
        peer = self.peer()
        delays = []
        for stable in (0, 0, 0, 0, 0, 0, 90, 0):
            connector = Connector()
            peer.welcome()
            self.reactor.advance(0)
            peer.echo("ann")
            for _ in range(stable):
                peer.say("PING :x")
                self.reactor.advance(1)
            peer.lose(connector)
            delays.append(self.until_tried(connector))
            peer = Peer(peer.factory)
        for delay, step in zip(delays, (1, 2, 4, 8, 16, 32, 1, 2), strict=True):
            self.assertTrue(step / 2 - 0.25 <= delay <= step + 0.5, delays)


class ControlTests(TwitchCase):
    def test_ping_is_answered(self) -> None:
        """The server's PING gets its PONG with what it carried, before and after the welcome."""
        self.make("ann")
        peer = self.peer()
        peer.heard()
        peer.say("PING :tmi.twitch.tv", ":tmi.twitch.tv PING test :abc def")
        self.assertEqual(peer.heard(), ["PONG tmi.twitch.tv", "PONG :abc def"])
        peer.say("PING :a\rb")
        self.assertEqual(peer.heard(), ["PONG tmi.twitch.tv"])

    def test_quiet_connection_is_pinged(self) -> None:
        """After 30 s without a byte we ping; an answer keeps the connection."""
        pool = self.make("ann")
        peer = self.recording(pool, "ann")
        self.run_for(32)
        self.assertEqual(peer.heard(), ["PING chatlog"])
        peer.say(":tmi.twitch.tv PONG tmi.twitch.tv :chatlog")
        self.run_for(20)
        self.assertFalse(peer.aborted)

    def test_dead_path_is_found(self) -> None:
        """Without an answer for 10 s the connection is given up, and the gap begins with the last
        byte that was heard."""
        pool = self.make("ann")
        peer = self.recording(pool, "ann")
        self.run_for(5)
        last = self.wall()
        words = chat("ann", "last words", "id-1")
        peer.say(words.replace("tmi-sent-ts=1700000000123", f"tmi-sent-ts={last * 1000:.0f}"))
        self.run_for(42)
        self.assertTrue(peer.aborted)
        peer = Peer(peer.factory)
        peer.welcome()
        self.reactor.advance(0)
        peer.echo("ann")
        self.assertEqual(self.gaps, [("ann", Gap(last, self.wall(), "connection lost"))])

    def test_lost_while_it_is_late(self) -> None:
        """On a machine that is a few seconds behind, the gap of a connection that is lost begins when the
        message that came last was sent: what was sent after it did not come any more."""
        for late in (1.5, 2.5, 30.0):
            pool = self.make("ann")
            peer = self.recording(pool, "ann")
            self.run_for(35)
            sent = self.wall() - late
            words = chat("ann", "late", "id-1")
            peer.say(words.replace("tmi-sent-ts=1700000000123", f"tmi-sent-ts={sent * 1000:.0f}"))
            self.run_for(0.5)
            peer.lose()
            peer = Peer(peer.factory)
            peer.welcome()
            self.reactor.advance(0)
            peer.echo("ann")
            [(_, gap)] = self.gaps
            self.assertEqual((round(gap.start, 3), gap.reason), (round(sent, 3), "connection lost"))

    def test_stopped_for_a_while(self) -> None:
        """A process that was stopped for a minute reads first what has come in the meantime, and then finds
        nobody dead."""
        pool = self.make("ann")
        peer = self.recording(pool, "ann")
        self.run_for(5)
        self.reactor.advance(70)
        self.run_for(1)
        peer.say(chat("ann", "long ago", "id-1"))
        self.run_for(30)
        self.assertFalse(peer.aborted)
        messages = [r["message"] for r in self.logs["ann"].records if r["type"] == "message"]
        self.assertEqual(messages, ["long ago"])
        self.assertEqual(self.gaps, [])

    def test_roomstate_acknowledges_and_names_the_id(self) -> None:
        """A ROOMSTATE with the room's id is an acknowledgement too, and the id goes into records of
        lines that lack it."""
        pool = self.make("ann")
        peer = self.peer()
        peer.welcome()
        self.reactor.advance(0)
        peer.say("@emote-only=0;room-id=777;slow=0 :tmi.twitch.tv ROOMSTATE #ann")
        self.assertEqual(pool.states(), {State.RECORDED: 1})
        peer.say("@msg-id=slow_on :tmi.twitch.tv NOTICE #ann :This room is now in slow mode.")
        self.assertEqual(
            [(r["type"], r["channel_id"]) for r in self.logs["ann"].records],
            [("room", "777"), ("notice", "777")],
        )

    def test_refusals(self) -> None:
        """Every refusal of the table marks the room as refused, is recorded as a notice, and leaves
        the room beside it alone."""
        for msg_id in sorted(REFUSALS):
            pool = self.make("ann", "bob")
            peer = self.recording(pool, "bob")
            peer.say(f"@msg-id={msg_id} :tmi.twitch.tv NOTICE #ann :No.")
            self.assertEqual(pool.rooms["ann"].state, State.REFUSED)
            self.assertEqual(pool.rooms["ann"].reason, msg_id)
            self.assertEqual(pool.rooms["bob"].state, State.RECORDED)
            self.assertEqual([r["type"] for r in self.logs["ann"].records], ["notice"])

    def test_other_notices_refuse_nothing(self) -> None:
        """A change of the room's mode is no refusal."""
        pool = self.make("ann")
        peer = self.recording(pool, "ann")
        peer.say("@msg-id=subs_on :tmi.twitch.tv NOTICE #ann :This room is now in subscribers-only mode.")
        self.assertEqual(pool.rooms["ann"].state, State.RECORDED)

    def test_join_of_another_user(self) -> None:
        """Only the echo of our own JOIN acknowledges a room."""
        pool = self.make("ann")
        peer = self.peer()
        peer.welcome()
        self.reactor.advance(0)
        peer.say(":eve!eve@eve.tmi.twitch.tv JOIN #ann")
        self.assertEqual(pool.states(), {State.REQUESTED: 1})

    def test_part_by_the_server(self) -> None:
        """A room from which we are parted is not counted as recorded any more, and is joined again."""
        pool = self.make("ann")
        peer = self.recording(pool, "ann")
        nick = peer.protocol.nick
        peer.say(f":{nick}!{nick}@{nick}.tmi.twitch.tv PART #ann")
        self.assertEqual(pool.states(), {State.SILENT: 1})
        self.run_for(35)
        other = self.recording(pool, "ann")
        self.assertEqual(pool.states(), {State.RECORDED: 1})
        self.assertEqual([gap.reason for _, gap in self.gaps], ["parted by the server"])
        self.assertIsNot(other.factory, peer.factory)


class ReconnectTests(TwitchCase):
    def test_no_message_lost_and_none_doubled(self) -> None:
        """When the server asks to reconnect, what arrives on the old and the new connection is
        recorded once, and the room is never without a connection."""
        pool = self.make("ann")
        old = self.recording(pool, "ann")
        old.say(chat("ann", "one", "id-1"))
        old.say(":tmi.twitch.tv RECONNECT")
        new = self.peer()
        new.welcome()
        self.reactor.advance(0)
        self.assertEqual(new.heard()[-1:], ["JOIN #ann"])
        old.say(chat("ann", "two", "id-2"))
        new.echo("ann")
        for n, words in ((3, "three"), (4, "four")):
            old.say(chat("ann", words, f"id-{n}"))
            new.say(chat("ann", words, f"id-{n}"))
        ban = (
            "@ban-duration=60;room-id=1001;target-user-id=7;tmi-sent-ts=1700000000555 "
            ":tmi.twitch.tv CLEARCHAT #ann :eve"
        )
        gone = "@login=eve;target-msg-id=id-9;tmi-sent-ts=1700000000556 :tmi.twitch.tv CLEARMSG #ann :x"
        new.say(ban, gone)
        old.say(ban, gone)
        old.lose()
        new.say(chat("ann", "five", "id-5"))
        texts = [r["message"] for r in self.logs["ann"].records if r["type"] == "message"]
        self.assertEqual(texts, ["one", "two", "three", "four", "five"])
        self.assertEqual(
            [r["type"] for r in self.logs["ann"].records if r["type"] != "message"], ["timeout", "delete"]
        )
        self.assertEqual(self.counters.duplicates, 4)
        self.assertEqual(self.gaps, [])

    def test_overlong_lines_on_two_connections(self) -> None:
        """A line that is too long is recorded once if two connections deliver it, and as often as it comes on
        one of them."""
        pool = self.make("ann")
        old = self.recording(pool, "ann")
        old.say(":tmi.twitch.tv RECONNECT")
        new = self.peer()
        new.welcome()
        self.reactor.advance(0)
        new.echo("ann")
        for times in (1, 2):
            before = len(self.logs["ann"].records)
            for peer in (old, new):
                peer.say(*[f":eve!eve@eve PRIVMSG #ann :{f'{times}' * 100_000}"] * times)
            types = [record["type"] for record in self.logs["ann"].records[before:]]
            self.assertEqual(types, ["unparsed"] * times)
        self.assertEqual((self.counters.oversized, self.counters.duplicates), (3, 3))

    def test_server_that_asks_again_and_again(self) -> None:
        """A server that sends every new connection away at once is not asked more often than every few
        seconds."""
        pool = self.make("ann")
        begun = 0
        for _ in range(30):
            if len(self.reactor.tcpClients) > begun:
                begun = len(self.reactor.tcpClients)
                peer = self.peer()
                peer.say(":tmi.twitch.tv RECONNECT")
                peer.welcome()
                self.reactor.advance(0)
                peer.echo("ann")
                peer.say(":tmi.twitch.tv RECONNECT")
            self.run_for(1)
        self.assertIn(begun, (6, 7, 8))
        self.assertLess(len(pool.connections), 4)

    def test_asked_before_the_welcome(self) -> None:
        """A connection that is sent away before it has a room comes back by itself, and is the only one."""
        pool = self.make("ann")
        early = self.peer()
        early.say(":tmi.twitch.tv RECONNECT")
        early.lose()
        again = Peer(early.factory)
        again.welcome()
        self.reactor.advance(0)
        again.echo("ann")
        self.run_for(20)
        self.assertEqual((len(pool.connections), len(self.reactor.tcpClients)), (1, 1))
        self.assertTrue(pool.rooms["ann"].timeline.recorded)

    def test_old_connection_does_not_come_back(self) -> None:
        """A connection that was replaced is not opened again after the server closed it."""
        pool = self.make("ann")
        old = self.recording(pool, "ann")
        old.say(":tmi.twitch.tv RECONNECT")
        self.recording(pool, "ann")
        connector = Connector()
        old.lose(connector)
        self.run_for(120)
        self.assertEqual(connector.tries, 0)
        self.assertEqual(len(pool.connections), 1)

    def test_repeated_line_on_one_connection_is_no_copy(self) -> None:
        """Outside an overlap nothing is left out: what the server says twice is recorded twice."""
        pool = self.make("ann")
        peer = self.recording(pool, "ann")
        line = "@msg-id=slow_on :tmi.twitch.tv NOTICE #ann :This room is now in slow mode."
        peer.say(line, line)
        self.assertEqual(len(self.logs["ann"].records), 2)

    def test_repeated_message_on_one_connection(self) -> None:
        """Twitch may send a message more than once. Whatever names its event by an id is recorded once
        even without a second connection; what people write again has an id of its own and is recorded
        again, and so is what has none: moderators can do the same thing twice."""
        pool = self.make("ann")
        peer = self.recording(pool, "ann")
        lines = [
            chat("ann", "hello", "id-1"),
            chat("ann", "hello", "id-2"),
            "@msg-id=sub;id=id-3;tmi-sent-ts=1700000000555 :tmi.twitch.tv USERNOTICE #ann",
            "@id=id-4;tmi-sent-ts=1700000000556 :ann!ann@ann.tmi.twitch.tv PRIVMSG #ann :hello",
        ]
        nameless = [
            "@ban-duration=60;room-id=1001;tmi-sent-ts=1700000000555 :tmi.twitch.tv CLEARCHAT #ann :eve",
            "@login=eve;target-msg-id=id-9;tmi-sent-ts=1700000000556 :tmi.twitch.tv CLEARMSG #ann :x",
            "@room-id=1001;target-user-id=7 :tmi.twitch.tv CLEARCHAT #ann :eve",
            "@emote-only=0;room-id=1001 :tmi.twitch.tv ROOMSTATE #ann",
            "@badges=;id=;room-id=1 :ann!ann@ann.tmi.twitch.tv PRIVMSG #ann :;id=7 ",
            "no line of any room",
        ]
        peer.say(*lines, *lines)
        peer.say(*lines)
        self.assertEqual(len(self.logs["ann"].records), 4)
        self.assertEqual(self.counters.duplicates, 8)
        peer.say(*nameless, *nameless)
        self.assertEqual(len(self.logs["ann"].records) + len(self.server.records), 4 + 12)

    def test_repeated_talk_is_answered_every_time(self) -> None:
        """What the server says to us is heard every time, however alike."""
        pool = self.make("ann")
        peer = self.recording(pool, "ann")
        peer.say("@id=1;a=;id=2 PING :x", "@id=1;a=;id=2 PING :x", "PING :x", "PING :x")
        self.assertEqual(len(peer.heard()), 4)
        peer.lose()
        again = Peer(peer.factory)
        again.welcome()
        self.reactor.advance(0)
        nick = again.protocol.nick
        again.say(*[f":{nick}!{nick}@{nick}.tmi.twitch.tv JOIN #ann"] * 2)
        self.assertEqual(pool.states(), {State.RECORDED: 1})


class TwoLanesTests(TwitchCase):
    def start(self, *rooms: str) -> tuple[Pool, Peer, Peer]:
        pool = self.make(*rooms, lanes=2)
        one = self.recording(pool, *rooms)
        self.run_for(3)
        other = self.recording(pool, *rooms)
        return pool, one, other

    def texts(self) -> list[str]:
        return [r["message"] for r in self.logs["ann"].records if r["type"] == "message"]

    def test_every_message_once(self) -> None:
        """What both connections bring is recorded once, when it came first; order is that of arrival.
        Events without an id that both bring are recorded once too, each time that they happen."""
        _, one, other = self.start("ann")
        state = "@room-id=1001;slow={} :tmi.twitch.tv ROOMSTATE #ann"
        for n, (first, second) in enumerate([(one, other), (other, one), (one, other)]):
            first.say(chat("ann", f"words {n}", f"id-{n}"), state.format(n % 2))
            second.say(chat("ann", f"words {n}", f"id-{n}"), state.format(n % 2))
            self.run_for(1)
        self.assertEqual(self.texts(), ["words 0", "words 1", "words 2"])
        self.assertEqual(len(self.logs["ann"].records), 6)

    def test_moderation_twice_in_a_millisecond(self) -> None:
        """Two time-outs that look the same are two, on one connection or on both, and the other
        connection adds none to them, however far it lags behind."""
        _, one, other = self.start("ann")
        ban = "@ban-duration=60;room-id=1001;tmi-sent-ts=1700000000555 :tmi.twitch.tv CLEARCHAT #ann :eve"
        one.say(ban, ban)
        self.run_for(35)
        other.say(ban, ban)
        self.assertEqual([r["type"] for r in self.logs["ann"].records], ["timeout"] * 2)

    def test_copies_whose_tags_differ(self) -> None:
        """The same message may come with its tags in another order; the id tells."""
        _, one, other = self.start("ann")
        one.say(chat("ann", "hello", "id-1"))
        other.say(chat("ann", "hello", "id-1").replace("@badge-info=;", "@vip=1;badge-info=;"))
        one.say("@id=id-2;msg-id=sub;tmi-sent-ts=1700000000001 :tmi.twitch.tv USERNOTICE #ann")
        other.say("@msg-id=sub;tmi-sent-ts=1700000000001;id=id-2 :tmi.twitch.tv USERNOTICE #ann")
        self.assertEqual(len(self.logs["ann"].records), 2)
        self.assertEqual(self.counters.duplicates, 2)

    def test_either_connection_may_go(self) -> None:
        """Losing one connection loses nothing, makes no gap and doubles nothing; it comes back by itself
        and then the other one may go. Half a line that breaks off is whole on the other."""
        pool, one, other = self.start("ann")
        lanes = [one, other]
        sent = []
        for n in range(6):
            gone, stays = lanes[n % 2], lanes[1 - n % 2]
            words = f"words {n}"
            sent.append(words)
            whole = (chat("ann", words, f"id-{n}") + "\r\n").encode()
            gone.protocol.dataReceived(whole[: len(whole) // 2])
            gone.lose()
            stays.protocol.dataReceived(whole)
            self.run_for(5)
            lanes[n % 2] = back = Peer(gone.factory)
            back.welcome()
            self.reactor.advance(0)
            self.run_for(11)
            back.echo("ann")
            self.assertEqual(len({each.connection for each in pool.rooms["ann"].subscriptions}), 2)
        self.assertEqual(self.texts(), sent)
        self.assertEqual([r["type"] for r in self.logs["ann"].records], ["message"] * 6)
        self.assertEqual((self.gaps, self.server.records), ([], []))

    def test_lagging_connection(self) -> None:
        """A connection that delivers half a minute of chat late, at once, doubles nothing."""
        _, one, other = self.start("ann")
        for n in range(30):
            one.say(chat("ann", f"words {n}", f"id-{n}"))
            self.run_for(1)
        other.say(*[chat("ann", f"words {n}", f"id-{n}") for n in range(30)])
        self.assertEqual(len(self.texts()), 30)

    def test_reconnect_of_one(self) -> None:
        """RECONNECT on one connection moves it; meanwhile up to three deliver, and each message is
        recorded once."""
        pool, one, other = self.start("ann")
        one.say(":tmi.twitch.tv RECONNECT")
        new = self.recording(pool, "ann")
        for peer in (one, other, new):
            peer.say(chat("ann", "hello", "id-1"))
        one.lose()
        self.run_for(30)
        for peer in (new, other):
            peer.say(chat("ann", "again", "id-2"))
        self.assertEqual(self.texts(), ["hello", "again"])
        self.assertEqual((self.gaps, len(pool.connections)), ([], 2))


class LineTests(TwitchCase):
    def test_lines_of_no_recorded_room(self) -> None:
        """Whispers, server notices, strangers' rooms and lines that are no IRC are kept apart under
        _server, and nothing is dropped."""
        pool = self.make("ann")
        peer = self.recording(pool, "ann")
        peer.say(
            chat("stranger", "hello", "id-1"),
            "@thread-id=1_2;user-id=1 :eve!eve@eve.tmi.twitch.tv WHISPER me :psst",
            ":tmi.twitch.tv NOTICE * :maintenance",
            "@@@",
        )
        self.assertEqual([r["type"] for r in self.server.records], ["message", "event", "notice", "unparsed"])
        self.assertEqual({r["channel"] for r in self.server.records}, {"_server"})
        self.assertEqual(self.logs["ann"].records, [])

    def test_split_at_every_byte(self) -> None:
        """However the network cuts the stream, the records are the same."""
        pool = self.make("ann")
        peer = self.recording(pool, "ann")
        data = (chat("ann", "héllo 🔥", "id-1") + "\r\n" + chat("ann", "two", "id-2") + "\r\n").encode()
        for n in range(len(data)):
            peer.protocol.dataReceived(data[n : n + 1])
        self.assertEqual([r["message"] for r in self.logs["ann"].records], ["héllo 🔥", "two"])

    def test_overlong_line(self) -> None:
        """Of a line beyond 64 KiB the head is recorded as unparsed, counted, and the next line is
        whole again."""
        pool = self.make("ann")
        peer = self.recording(pool, "ann")
        peer.say(chat("ann", "x" * 100_000, "id-1"), chat("ann", "fine", "id-2"))
        long, fine = self.logs["ann"].records
        self.assertEqual((long["type"], len(long["details"]["raw"])), ("unparsed", 65536))
        self.assertEqual(self.counters.oversized, 1)
        self.assertEqual(fine["message"], "fine")

    def test_connection_lost_in_the_middle_of_a_line(self) -> None:
        """What had come of a line when the connection broke is recorded, as unparsed."""
        pool = self.make("ann")
        peer = self.recording(pool, "ann")
        peer.protocol.dataReceived(chat("ann", "half a mess", "id-1").encode())
        peer.lose()
        [half] = self.logs["ann"].records
        self.assertEqual(half["type"], "unparsed")
        self.assertIn("half a mess", half["details"]["raw"])

    def test_line_that_breaks_the_encoder(self) -> None:
        """A line that brings our own code to fail is recorded as unparsed; the connection and the
        lines behind it are untouched."""

        def encode(*args: Any) -> bytes:
            if args[4] == "bomb":
                raise RuntimeError("boom")
            return encode_full(*args)

        pool = self.make("ann", encode=encode)
        peer = self.recording(pool, "ann")
        peer.say(chat("ann", "bomb", "id-1"), chat("ann", "after", "id-2"))
        self.assertEqual([r["message"] for r in self.logs["ann"].records][1:], ["after"])
        kept = self.logs["ann"].records[0]
        self.assertIn("bomb", kept["details"]["raw"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_basic_detail(self) -> None:
        """With basic detail only chat messages are recorded, with the five original keys."""
        pool = self.make("ann", encode=encode_basic)
        peer = self.recording(pool, "ann")
        peer.say(
            chat("ann", "hi", "id-1"),
            chat("ann", "\x01ACTION waves\x01", "id-2"),
            "@room-id=1 :tmi.twitch.tv ROOMSTATE #ann",
        )
        self.assertEqual(
            [(list(r), r["message"]) for r in self.logs["ann"].records],
            [(["timestamp", "channel", "username", "user_id", "message"], text) for text in ("hi", "waves")],
        )


class StopTests(TwitchCase):
    def test_stop_while_connected(self) -> None:
        """A stop closes the connection and waits for it; a peer that does not answer is cut off
        within half a second, and nothing is left running."""
        pool = self.make("ann")
        peer = self.recording(pool, "ann")
        stopped = pool.stopService()
        self.assertTrue(peer.transport.disconnecting)
        self.assertNoResult(stopped)
        self.reactor.advance(0.5)
        self.assertTrue(peer.aborted)
        self.successResultOf(stopped)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_goodbye_is_read_at_once(self) -> None:
        """At a stop a connection is no longer read tick by tick: the other side's answer to our goodbye
        must not wait for one."""
        pool = self.make("ann")
        peer = self.recording(pool, "ann")
        ended: list[bool] = []
        peer.transport.end_pacing = lambda: ended.append(peer.transport.disconnecting)  # type: ignore[attr-defined]
        pool.stopService()
        self.assertEqual(ended, [False])
        peer.lose()

    def stopped_after(self, quiet: float, answered: bool) -> tuple[float, float | None, str]:
        """When the last byte came, since when the room is missing, and why, after a stop."""
        pool = self.make("ann")
        peer = self.recording(pool, "ann")
        heard = self.wall()
        self.run_for(quiet)
        pool.stopService()
        if answered:
            peer.lose()
        self.reactor.advance(0.5)
        timeline = pool.rooms["ann"].timeline
        return heard, timeline.missing_since, timeline.reason

    def test_peer_that_answers_was_heard_until_the_end(self) -> None:
        """A connection that is closed in good order has delivered all that there was, also when the last
        word came a while ago."""
        heard, missing, reason = self.stopped_after(20.0, answered=True)
        self.assertEqual((missing, reason), (heard + 20.0, "restart"))

    def test_peer_that_does_not_answer_was_perhaps_dead(self) -> None:
        """If the other side does not take part in the goodbye, nothing is sure after its last byte."""
        heard, missing, reason = self.stopped_after(20.0, answered=False)
        self.assertEqual((missing, reason), (heard, "connection lost"))

    def test_unanswered_ping_at_the_end(self) -> None:
        """Nor if it has left our ping without an answer, where a goodbye needs none."""
        heard, missing, reason = self.stopped_after(33.0, answered=True)
        self.assertEqual((missing, reason), (heard, "connection lost"))

    def test_stop_while_waiting_to_retry(self) -> None:
        """A stop between two attempts ends the attempts."""
        pool = self.make("ann")
        factory: Any = self.reactor.tcpClients[0][2]
        connector = Connector()
        factory.clientConnectionFailed(connector, Failure(ConnectionRefusedError()))
        self.successResultOf(pool.stopService())
        self.reactor.advance(600)
        self.assertEqual(connector.tries, 0)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_server_that_is_down(self) -> None:
        """A server that refuses connections is tried for ever, at most a minute apart."""
        pool = self.make("ann")
        factory: Any = self.reactor.tcpClients[0][2]
        connector = Connector()
        times = []
        for _ in range(10):
            factory.clientConnectionFailed(connector, Failure(ConnectionRefusedError()))
            times.append(self.until_tried(connector))
        self.assertLessEqual(max(times), 60.5)
        self.successResultOf(pool.stopService())
